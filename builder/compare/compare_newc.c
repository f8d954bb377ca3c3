// SPDX-License-Identifier: MIT
// Initrds and configuration layers: the first entry that differs, in the order of the archive.
#include "compare/compare_newc.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "compare/unpack.h"

static bool read_newc(int fd, struct buf *ret, struct err *err) {
        auto_buf file = { 0 };
        if (lseek(fd, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, 0, "seek");
        return buf_read_fd(&file, fd, err) && newc_unpack(&file, ret, err);
}

static bool is_newc_trailer(const struct newc_entry *entry) { return strcmp(entry->name, NEWC_TRAILER) == 0; }

bool newc_read_file(int fd, const char *path, struct buf *ret, bool *ret_found, struct err *err) {
        auto_buf archive = { 0 };
        struct newc_entry entry;
        if (!read_newc(fd, &archive, err))
                return false;
        bool found = false;
        for (size_t offset = 0; offset < archive.size && !found;) {
                if (!newc_next(&archive, &offset, &entry, err))
                        return false;
                found = strcmp(entry.name, path) == 0;
        }
        if (found)
                buf_append(ret, entry.data, entry.size);
        *ret_found = found;
        return true;
}

// Whether an entry of this name comes later: what is not there at all was left out, or put in.
static bool comes_later(const struct buf *archive, size_t offset, const char *name) {
        auto_err ignored = { 0 };
        struct newc_entry entry;
        while (offset < archive->size && newc_next(archive, &offset, &entry, &ignored))
                if (strcmp(entry.name, name) == 0)
                        return true;
        return false;
}

static char *newc_target(const struct newc_entry *entry) {
        if (!S_ISLNK(entry->mode))
                return NULL;
        return xstrndup(entry->data, entry->size);
}

static void compare_newc_entries(const struct newc_entry *expected, const struct newc_entry *found, struct buf *to) {
        auto_free char *left_target = newc_target(expected), *right_target = newc_target(found);
        auto_free char *path = xasprintf("/%s", found->name);
        struct attributes left = { expected->mode,  expected->uid,   expected->gid,   expected->mtime, expected->size,
                                   expected->links, expected->major, expected->minor, left_target };
        struct attributes right = { found->mode,  found->uid,   found->gid,   found->mtime, found->size,
                                    found->links, found->major, found->minor, right_target };
        difference_of_attributes(path, &left, &right, to);
        size_t least = smaller_size(expected->size, found->size);
        size_t same = difference_of_bytes(expected->data, found->data, least);
        if (to->size > 0 || (same == least && expected->size == found->size))
                return;
        buf_printf(to, "%s: content differs at byte %zu", path, same);
        if (expected->size != found->size)
                buf_printf(to, ", size %u, expected %u", found->size, expected->size);
}

// Names differ at this place of the archives.
static void note_newc_order(const struct newc_entry *expected, bool left_later, const struct newc_entry *found,
                            bool right_later, struct buf *to) {
        if (!is_newc_trailer(expected) && !left_later)
                buf_printf(to, "/%s: missing", expected->name);
        else if (!is_newc_trailer(found) && !right_later)
                buf_printf(to, "/%s: should not be there", found->name);
        else
                buf_printf(to, "/%s: stands where /%s is expected", found->name, expected->name);
}

static bool compare_archives(const struct buf *expected, const struct buf *found, struct buf *to, struct err *err) {
        size_t left = 0, right = 0;
        while (left < expected->size && right < found->size && to->size == 0) {
                struct newc_entry wanted, got;
                if (!newc_next(expected, &left, &wanted, err))
                        return wrap(err, "the expected file");
                auto_err broken = { 0 };
                if (!newc_next(found, &right, &got, &broken)) {
                        buf_printf(to, "/%s: cannot be read: %s", wanted.name, broken.text);
                        return true;
                }
                if (strcmp(wanted.name, got.name) == 0)
                        compare_newc_entries(&wanted, &got, to);
                else
                        note_newc_order(&wanted, comes_later(found, right, wanted.name), &got,
                                        comes_later(expected, left, got.name), to);
        }
        if (to->size == 0 && (left < expected->size || right < found->size))
                buf_printf(to, "one of the two archives ends after %zu bytes unpacked", smaller_size(left, right));
        return true;
}

// Of a damaged stream, what comes before the damage says which file it is in.
bool compare_newc(const struct compared *files, struct buf *difference, struct err *err) {
        auto_buf expected = { 0 }, found = { 0 };
        auto_err damage = { 0 };
        if (!read_newc(files->expected, &expected, err))
                return wrap(err, "the expected file");
        bool whole = read_newc(files->found, &found, &damage);
        if (!whole && damage.kind != ERR_CORRUPT) {
                *err = take_err(&damage);
                return false;
        }
        if (!compare_archives(&expected, &found, difference, err))
                return false;
        if (!whole && difference->size > 0)
                buf_printf(difference, "; %s", damage.text);
        return whole || difference->size > 0 || fail(err, ERR_CORRUPT, 0, "%s", damage.text);
}
