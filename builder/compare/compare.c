// SPDX-License-Identifier: MIT
#include "compare/compare.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/mem.h"
#include "compare/compare_iso.h"
#include "compare/compare_json.h"
#include "compare/compare_newc.h"
#include "compare/compare_squashfs.h"
#include "compare/difference.h"

enum { CHUNK_BYTES = 1 << 20 };

static const struct {
        const char *pattern;
        compare_format *compare;
} formats[] = {
        { "*.squashfs", compare_squashfs }, { "*.cpio", compare_newc }, { "initrd*.img", compare_newc },
        { "*.iso", compare_iso },           { "*.json", compare_json },
};

// ---- bytes ----

static bool read_at(int fd, char *to, uint64_t offset, size_t *ret_size, struct err *err) {
        size_t size = 0;
        ssize_t done = 1;
        while (size < CHUNK_BYTES && done != 0) {
                done = pread(fd, to + size, CHUNK_BYTES - size, (off_t)(offset + size));
                if (done < 0 && errno != EINTR)
                        return fail(err, ERR_SYSTEM, errno, "read");
                if (done > 0)
                        size += (size_t)done;
        }
        *ret_size = size;
        return true;
}

struct place {
        bool differs, ended; // one of them ended there
        uint64_t offset;
        size_t line; // from 1
};

static size_t count_newlines(const char *text, size_t size) {
        size_t lines = 0;
        for (const char *end = text + size, *next = text; (next = memchr(next, '\n', (size_t)(end - next))); next++)
                lines++;
        return lines;
}

static bool find_first_place(const struct compared *files, struct place *ret, struct err *err) {
        auto_free char *expected = xmalloc(CHUNK_BYTES), *found = xmalloc(CHUNK_BYTES);
        struct place place = { .line = 1 };
        for (size_t left = 1, right = 1; left > 0 || right > 0;) {
                if (!interrupt_check(err) || !read_at(files->expected, expected, place.offset, &left, err) ||
                    !read_at(files->found, found, place.offset, &right, err))
                        return wrap(err, "%s", files->name);
                size_t least = smaller_size(left, right);
                size_t same = difference_of_bytes(expected, found, least);
                place.line += count_newlines(expected, same);
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
        if (slash)
                name = slash + 1;
        for (size_t i = 0; i < lengthof(formats); i++)
                if (fnmatch(formats[i].pattern, name, 0) == 0)
                        return formats[i].compare;
        return NULL;
}

static bool is_text(int fd) {
        char head[512];
        ssize_t size = pread(fd, head, sizeof head, 0);
        return size > 0 && !memchr(head, '\0', (size_t)size);
}

static void note_first_place(const struct compared *files, const struct place *place, struct buf *to) {
        if (place->ended)
                buf_printf(to, "one of the two ends at byte %llu", (unsigned long long)place->offset);
        else
                buf_printf(to, "content differs at byte %llu", (unsigned long long)place->offset);
        if (is_text(files->expected) && is_text(files->found))
                buf_printf(to, ", line %zu", place->line);
}

// By what is in the two files. One that cannot be read as what it is named is a difference like any other.
static bool compare_as(compare_format *format, const struct compared *files, const struct place *place,
                       struct buf *ret_difference, struct err *err) {
        auto_err unreadable = { 0 };
        bool is_readable = format(files, ret_difference, &unreadable);
        if (!is_readable && unreadable.kind != ERR_CORRUPT) {
                *err = take_err(&unreadable);
                return wrap(err, "%s", files->name);
        }
        if (!is_readable) {
                buf_clear(ret_difference);
                note_first_place(files, place, ret_difference);
                buf_printf(ret_difference, "; %s", unreadable.text);
        } else if (ret_difference->size == 0) {
                note_first_place(files, place, ret_difference);
                buf_append_text(ret_difference, "; what is in it is the same, and packed otherwise");
        }
        return true;
}

bool compare_contents(const struct compared *files, struct buf *ret_difference, struct err *err) {
        struct place place;
        compare_format *format = format_of(files->name);
        if (!find_first_place(files, &place, err))
                return false;
        if (!place.differs)
                return true;
        if (format)
                return compare_as(format, files, &place, ret_difference, err);
        note_first_place(files, &place, ret_difference);
        return true;
}
