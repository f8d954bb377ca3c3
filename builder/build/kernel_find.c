// SPDX-License-Identifier: MIT
#include "build/kernel_find.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>

#include "base/fs.h"

struct search {
        struct arena *arena;
        const char *pattern; // below the literal directory
        const char *path, *version;
};

// The length of the pattern's first components, as many as `path` has.
static size_t same_depth(const char *pattern, const char *path) {
        size_t length = strcspn(pattern, "/");
        for (; (path = strchr(path, '/')) && pattern[length]; path++)
                length += 1 + strcspn(pattern + length + 1, "/");
        return length;
}

// What the star stands for, if what follows it is literal.
static const char *take_version(struct arena *arena, const char *pattern, const char *path) {
        const char *star = strchr(pattern, '*');
        if (!star)
                return "";
        size_t before = (size_t)(star - pattern), after = strlen(star + 1);
        size_t length = strlen(path);
        if (length < before + after)
                return "";
        return arena_strndup(arena, path + before, length - before - after);
}

static bool match_kernel(const struct fs_entry *entry, void *context, struct err *err) {
        struct search *search = context;
        (void)err;
        size_t length = same_depth(search->pattern, entry->path);
        auto_free char *beginning = xstrndup(search->pattern, length);
        bool matches = fnmatch(beginning, entry->path, FNM_PATHNAME) == 0;
        *entry->descend = *entry->descend && matches && search->pattern[length];
        if (!matches || search->pattern[length] || !S_ISREG(entry->stat->st_mode))
                return true;
        const char *version = take_version(search->arena, search->pattern, entry->path);
        if (!search->path || strverscmp(version, search->version) > 0) {
                search->path = arena_strdup(search->arena, entry->path);
                search->version = version;
        }
        return true;
}

bool kernel_find(int root, const char *pattern, struct arena *arena, const char **ret_path, const char **ret_version,
                 struct err *err) {
        auto_close int dir = -1;
        auto_err absent = { 0 };
        while (*pattern == '/')
                pattern++;
        size_t literal = strcspn(pattern, "*?[");
        while (literal > 0 && pattern[literal - 1] != '/')
                literal--;
        auto_free char *beginning = xstrndup(pattern, literal);
        const char *above = ".";
        if (literal > 0)
                above = beginning;
        struct search search = { .arena = arena, .pattern = pattern + literal };
        *ret_path = NULL;
        if (!fs_open_in_root(root, above, O_RDONLY | O_DIRECTORY, 0, &dir, &absent))
                return true;
        if (!fs_walk(dir, match_kernel, &search, err))
                return false;
        if (search.path)
                *ret_path = arena_printf(arena, "%.*s%s", (int)literal, pattern, search.path);
        *ret_version = search.version;
        return true;
}
