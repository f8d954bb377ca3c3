// SPDX-License-Identifier: MIT
#include "verify/compare/compare.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/mem.h"
#include "verify/compare/internal.h"

enum { CHUNK_BYTES = 1 << 20 };

static const struct {
        const char *pattern;
        compare_format *compare;
} formats[] = {
        { "*.squashfs", compare_squashfs }, { "*.cpio", compare_newc }, { "initrd*.img", compare_newc },
        { "*.iso", compare_iso },           { "*.json", compare_json },
};

size_t compare_bytes(const void *expected, const void *found, size_t size) {
        const char *left = expected, *right = found;
        size_t at = 0;
        if (memcmp(left, right, size) == 0)
                return size;
        while (left[at] == right[at])
                at++;
        return at;
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

void compare_attributes(const char *path, const struct attributes *expected, const struct attributes *found,
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
        const char *left = expected->target ? expected->target : "", *right = found->target ? found->target : "";
        if (difference->size == 0 && strcmp(left, right) != 0)
                buf_printf(difference, "%s: link to %s, expected %s", path, right, left);
}

// ---- bytes ----

static bool read_at(int fd, char *to, uint64_t offset, size_t *ret_size, struct err *err) {
        size_t size = 0;
        ssize_t done = 1;
        while (size < CHUNK_BYTES && done != 0) {
                done = pread(fd, to + size, CHUNK_BYTES - size, (off_t)(offset + size));
                if (done < 0 && errno != EINTR)
                        return fail(err, ERR_SYSTEM, errno, "read");
                size += done > 0 ? (size_t)done : 0;
        }
        *ret_size = size;
        return true;
}

struct place {
        bool differs, ended; // one of them ended there
        uint64_t offset;
        size_t line; // from 1
};

static size_t count_lines(const char *text, size_t size) {
        size_t lines = 0;
        for (const char *end = text + size, *next = text; (next = memchr(next, '\n', (size_t)(end - next))); next++)
                lines++;
        return lines;
}

static bool find_place(const struct compared *files, struct place *ret, struct err *err) {
        auto_free char *expected = xmalloc(CHUNK_BYTES), *found = xmalloc(CHUNK_BYTES);
        struct place place = { .line = 1 };
        for (size_t left = 1, right = 1; left > 0 || right > 0;) {
                if (!interrupt_check(err) || !read_at(files->expected, expected, place.offset, &left, err) ||
                    !read_at(files->found, found, place.offset, &right, err))
                        return wrap(err, "%s", files->name);
                size_t least = left < right ? left : right;
                size_t same = compare_bytes(expected, found, least);
                place.line += count_lines(expected, same);
                place.offset += same;
                if (same < least || left != right) {
                        place.differs = true;
                        place.ended = same == least;
                        break;
                }
        }
        *ret = place;
        return true;
}

static compare_format *format_of(const char *name) {
        const char *slash = strrchr(name, '/');
        for (size_t i = 0; i < lengthof(formats); i++)
                if (fnmatch(formats[i].pattern, slash ? slash + 1 : name, 0) == 0)
                        return formats[i].compare;
        return NULL;
}

static bool is_text(int fd) {
        char head[512];
        ssize_t size = pread(fd, head, sizeof head, 0);
        return size > 0 && !memchr(head, '\0', (size_t)size);
}

static void note_place(const struct compared *files, const struct place *place, struct buf *to) {
        if (place->ended)
                buf_printf(to, "one of the two ends at byte %llu", (unsigned long long)place->offset);
        else
                buf_printf(to, "content differs at byte %llu", (unsigned long long)place->offset);
        if (is_text(files->expected) && is_text(files->found))
                buf_printf(to, ", line %zu", place->line);
}

bool compare_files(const struct compared *files, struct buf *ret_difference, struct err *err) {
        struct place place;
        auto_err unreadable = { 0 };
        compare_format *format = format_of(files->name);
        if (!find_place(files, &place, err))
                return false;
        if (!place.differs)
                return true;
        if (format && !format(files, ret_difference, &unreadable)) {
                if (unreadable.kind != ERR_CORRUPT) {
                        *err = take_err(&unreadable);
                        return wrap(err, "%s", files->name);
                }
                buf_clear(ret_difference);
                note_place(files, &place, ret_difference);
                buf_printf(ret_difference, "; %s", unreadable.text);
        } else if (ret_difference->size == 0) {
                note_place(files, &place, ret_difference);
                if (format)
                        buf_append_text(ret_difference, "; what is in it is the same, and packed otherwise");
        }
        return true;
}
