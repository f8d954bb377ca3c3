// SPDX-License-Identifier: MIT
#include "profile/reader/paths.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"

const char *path_beside(struct arena *arena, const char *file, const char *path) {
        const char *slash = strrchr(file, '/');
        if (path[0] == '/' || !slash)
                return arena_strdup(arena, path);
        return arena_printf(arena, "%.*s/%s", (int)(slash - file), file, path);
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
