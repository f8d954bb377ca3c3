// SPDX-License-Identifier: MIT
#include "profile/reader/paths.h"

#include <assert.h>
#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"

// Whether ".." behind it leads to where it stands: it is a directory, and no link to one.
static bool is_left_by_dots(const char *directory) {
        const char *slash = strrchr(directory, '/');
        const char *name = slash ? slash + 1 : directory;
        struct stat stat_;
        bool is_dots = strcmp(name, "..") == 0 || name[0] == '\0';
        return !is_dots && lstat(directory, &stat_) == 0 && S_ISDIR(stat_.st_mode);
}

static void add_path_part(struct buf *path, const char *part, size_t size) {
        if (path->size > 0 && path->data[path->size - 1] != '/')
                buf_append_char(path, '/');
        buf_append(path, part, size);
}

// Without its last part, and without the slash before that if it is not the root's.
static void drop_path_part(struct buf *path) {
        assert(path->data);
        const char *slash = strrchr(buf_text(path), '/');
        size_t size = slash ? (size_t)(slash - path->data) : 0;
        if (slash == path->data)
                size = 1;
        path->size = size;
        path->data[size] = '\0';
}

// Takes out ".", and "DIR/.." where that leads back: who is told of a file, and programs above all, knows it by its
// short name.
static const char *without_detours(struct arena *arena, const char *path) {
        auto_buf text = { 0 };
        if (path[0] == '/')
                buf_append_char(&text, '/');
        for (const char *part = path + strspn(path, "/"); *part; part += strspn(part, "/")) {
                size_t size = strcspn(part, "/");
                bool is_up = size == 2 && strncmp(part, "..", size) == 0;
                bool is_here = size == 1 && part[0] == '.';
                if (is_up && is_left_by_dots(buf_text(&text)))
                        drop_path_part(&text);
                else if (!is_here)
                        add_path_part(&text, part, size);
                part += size;
        }
        if (text.size == 0)
                return ".";
        return arena_strdup(arena, buf_text(&text));
}

const char *path_beside(struct arena *arena, const char *file, const char *path) {
        const char *slash = strrchr(file, '/');
        if (path[0] == '/')
                return arena_strdup(arena, path);
        if (!slash)
                return without_detours(arena, path);
        return without_detours(arena, arena_printf(arena, "%.*s/%s", (int)(slash - file), file, path));
}

// Takes out ".", ".." and empty parts of an absolute path, in place.
static void collapse_path(char *path) {
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

// Of a file; as it is written if it cannot be resolved.
static const char *resolved_folder(struct arena *arena, const char *file) {
        const char *slash = strrchr(file, '/');
        const char *folder = ".";
        if (slash)
                folder = arena_strndup(arena, file, (size_t)(slash - file) + 1);
        char resolved[PATH_MAX];
        if (!realpath(folder, resolved))
                return folder;
        return arena_strdup(arena, resolved);
}

const char *path_absolute(struct arena *arena, const char *file, const char *path) {
        char *whole = NULL;
        if (path[0] == '/')
                whole = arena_strdup(arena, path);
        else
                whole = arena_printf(arena, "%s/%s", resolved_folder(arena, file), path);
        collapse_path(whole);
        return whole;
}

const char *path_absolute_here(struct arena *arena, const char *path) { return path_absolute(arena, "./x", path); }

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
        strings_sort(&names);
        return names;
}

const char *path_stem(struct arena *arena, const char *path) {
        const char *slash = strrchr(path, '/'), *base = path;
        if (slash)
                base = slash + 1;
        const char *dot = strrchr(base, '.');
        if (!dot || dot == base)
                return arena_strdup(arena, base);
        return arena_strndup(arena, base, (size_t)(dot - base));
}

bool path_is_directory(const char *path) {
        struct stat stat_;
        return stat(path, &stat_) == 0 && S_ISDIR(stat_.st_mode);
}

bool path_is_file(const char *path) {
        struct stat stat_;
        return stat(path, &stat_) == 0 && S_ISREG(stat_.st_mode);
}
