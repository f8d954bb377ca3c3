// SPDX-License-Identifier: MIT
// Paths that profiles name, and lists of texts.
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mistake.h"
#include "profile/internal.h"
#include "profile/yaml.h"

void loader_add_input(struct loader *loader, const char *path) {
        *array_append(&loader->inputs.items, &loader->inputs.count) = path_absolute(loader->arena, "./x", path);
}

struct value *loader_read(struct loader *loader, const char *path, const struct place *from) {
        struct value *tree = yaml_load(path, from, loader->arena, loader->diagnostics);
        if (tree)
                loader_add_input(loader, path);
        return tree;
}

const char *path_beside(struct arena *arena, const char *file, const char *path) {
        const char *slash = strrchr(file, '/');
        if (path[0] == '/' || !slash)
                return arena_strdup(arena, path);
        return arena_printf(arena, "%.*s/%s", (int)(slash - file), file, path);
}

// Takes out ".", ".." and empty parts of an absolute path, in place.
static void collapse(char *path) {
        char *to = path;
        for (const char *part = path; *part;) {
                part += strspn(part, "/");
                size_t length = strcspn(part, "/");
                if (length == 2 && part[0] == '.' && part[1] == '.') {
                        while (to > path && *--to != '/')
                                ;
                } else if (length > 0 && !(length == 1 && part[0] == '.')) {
                        *to++ = '/';
                        memmove(to, part, length);
                        to += length;
                }
                part += length;
        }
        if (to == path)
                *to++ = '/';
        *to = '\0';
}

const char *path_absolute(struct arena *arena, const char *file, const char *path) {
        const char *slash = strrchr(file, '/');
        const char *folder = slash ? arena_strndup(arena, file, (size_t)(slash - file) + 1) : ".";
        char resolved[PATH_MAX];
        if (!realpath(folder, resolved))
                snprintf(resolved, sizeof resolved, "%s", folder);
        char *whole = path[0] == '/' ? arena_strdup(arena, path) : arena_printf(arena, "%s/%s", resolved, path);
        collapse(whole);
        return whole;
}

static int compare_texts(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

struct strings path_names(struct arena *arena, const char *directory, const char *suffix) {
        struct strings names = { 0 };
        auto_closedir DIR *dir = opendir(directory);
        size_t suffix_size = strlen(suffix);
        for (struct dirent *entry; dir && (entry = readdir(dir));) {
                size_t size = strlen(entry->d_name);
                if (entry->d_name[0] == '.' || size <= suffix_size ||
                    strcmp(entry->d_name + size - suffix_size, suffix) != 0)
                        continue;
                strings_add_once(arena, &names, arena_strndup(arena, entry->d_name, size - suffix_size));
        }
        if (names.count > 0)
                qsort(names.items, names.count, sizeof *names.items, compare_texts);
        return names;
}

const char *path_stem(struct arena *arena, const char *path) {
        const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
        return dot && dot > base ? arena_strndup(arena, base, (size_t)(dot - base)) : arena_strdup(arena, base);
}

bool path_is_directory(const char *path) {
        struct stat stat_;
        return stat(path, &stat_) == 0 && S_ISDIR(stat_.st_mode);
}

bool path_is_file(const char *path) {
        struct stat stat_;
        return stat(path, &stat_) == 0 && S_ISREG(stat_.st_mode);
}

void report_known(struct diagnostics *diagnostics, const char *wanted, const struct strings *known) {
        enum { SHOWN = 12 };
        struct nearest nearest = { .wanted = wanted };
        auto_buf list = { 0 };
        for (size_t i = 0; i < known->count; i++) {
                nearest_offer(&nearest, known->items[i]);
                if (i < SHOWN)
                        buf_printf(&list, "%s%s", i ? ", " : "", known->items[i]);
        }
        if (nearest.best)
                report_nearest(diagnostics, nearest.best);
        else if (known->count > 0)
                report_hint(diagnostics, "there are: %s%s", buf_text(&list), known->count > SHOWN ? ", ..." : "");
}

bool strings_have(const struct strings *strings, const char *text) {
        for (size_t i = 0; i < strings->count; i++)
                if (strcmp(strings->items[i], text) == 0)
                        return true;
        return false;
}

void strings_add_once(struct arena *arena, struct strings *strings, const char *text) {
        if (strings_have(strings, text))
                return;
        // Arrays that the reader made have no room to spare: grow at powers of two, copying.
        if ((strings->count & (strings->count - 1)) == 0) {
                const char **larger = arena_alloc(arena, (strings->count ? strings->count * 2 : 1) * sizeof *larger);
                if (strings->count > 0)
                        memcpy(larger, strings->items, strings->count * sizeof *larger);
                strings->items = larger;
        }
        strings->items[strings->count++] = text;
}

void strings_remove(struct strings *strings, const char *text) {
        size_t kept = 0;
        for (size_t i = 0; i < strings->count; i++)
                if (strcmp(strings->items[i], text) != 0)
                        strings->items[kept++] = strings->items[i];
        strings->count = kept;
}
