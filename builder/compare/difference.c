// SPDX-License-Identifier: MIT
#include "compare/difference.h"

#include <assert.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

size_t difference_of_bytes(const void *expected, const void *found, size_t size) {
        const char *left = expected, *right = found;
        size_t at = 0;
        if (memcmp(left, right, size) == 0)
                return size;
        while (left[at] == right[at])
                at++;
        return at;
}

size_t smaller_size(size_t left, size_t right) {
        if (left < right)
                return left;
        return right;
}

// ---- attributes ----

static const struct {
        mode_t type;
        const char *name;
} types[] = {
        { S_IFREG, "file" },         { S_IFDIR, "directory" },        { S_IFLNK, "symbolic link" },
        { S_IFBLK, "block device" }, { S_IFCHR, "character device" }, { S_IFIFO, "named pipe" },
        { S_IFSOCK, "socket" },
};

static const char *type_name(mode_t mode) {
        for (size_t i = 0; i < lengthof(types); i++)
                if ((mode & S_IFMT) == types[i].type)
                        return types[i].name;
        return "file of an unknown type";
}

static void note_number(struct buf *to, const char *path, const char *what, long long expected, long long found) {
        if (to->size == 0 && expected != found)
                buf_printf(to, "%s: %s %lld, expected %lld", path, what, found, expected);
}

static void note_target(struct buf *to, const char *path, const char *expected, const char *found) {
        if (!expected)
                expected = "";
        if (!found)
                found = "";
        if (to->size == 0 && strcmp(expected, found) != 0)
                buf_printf(to, "%s: link to %s, expected %s", path, found, expected);
}

void difference_of_attributes(const char *path, const struct attributes *expected, const struct attributes *found,
                              struct buf *difference) {
        if ((expected->mode & S_IFMT) != (found->mode & S_IFMT))
                buf_printf(difference, "%s: %s, expected a %s", path, type_name(found->mode),
                           type_name(expected->mode));
        else if (expected->mode != found->mode)
                buf_printf(difference, "%s: mode %04o, expected %04o", path, (unsigned)found->mode & 07777,
                           (unsigned)expected->mode & 07777);
        note_number(difference, path, "owner", expected->uid, found->uid);
        note_number(difference, path, "group", expected->gid, found->gid);
        note_number(difference, path, "modification time", expected->mtime, found->mtime);
        note_number(difference, path, "major number", expected->major, found->major);
        note_number(difference, path, "minor number", expected->minor, found->minor);
        note_number(difference, path, "number of hard links", expected->links, found->links);
        note_target(difference, path, expected->target, found->target);
}

struct merge_step merge_step_of(const char *expected_name, const char *found_name) {
        assert(expected_name || found_name);
        if (!expected_name)
                return (struct merge_step){ .found = true };
        if (!found_name)
                return (struct merge_step){ .expected = true };
        int order = strcmp(expected_name, found_name);
        return (struct merge_step){ .expected = order <= 0, .found = order >= 0 };
}
