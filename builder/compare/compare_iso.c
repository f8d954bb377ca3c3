// SPDX-License-Identifier: MIT
// ISO 9660 with Rock Ridge, through libarchive: names, attributes and content; where these are the same, which part of
// the volume differs.
#include "compare/compare_iso.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/interrupt.h"
#include "base/mem.h"

enum { CHUNK_BYTES = 1 << 20, SECTOR_BYTES = 2048, SYSTEM_AREA_BYTES = 16 * SECTOR_BYTES, DESCRIPTORS_MAX = 64 };

struct iso_entry {
        char *path, *target;
        struct attributes attributes;
        char sha256[DIGEST_HEX_SIZE];
};

struct volume {
        struct iso_entry *entries; // sorted by path
        size_t count;
};

static void free_volume(struct volume *volume) {
        for (size_t i = 0; i < volume->count; i++) {
                free(volume->entries[i].path);
                free(volume->entries[i].target);
        }
        free(volume->entries);
}

static bool iso_corrupt(struct archive *archive, struct err *err) {
        const char *text = archive_error_string(archive);
        if (!text)
                text = "damaged";
        return fail(err, ERR_CORRUPT, 0, "ISO: %s", text);
}

static bool open_volume(int fd, struct archive **ret, struct err *err) {
        struct archive *archive = archive_read_new();
        if (!archive)
                abort(); // out of memory
        archive_read_support_format_iso9660(archive);
        if (lseek(fd, 0, SEEK_SET) < 0 || archive_read_open_fd(archive, fd, CHUNK_BYTES) != ARCHIVE_OK) {
                (void)!iso_corrupt(archive, err);
                archive_read_free(archive);
                return false;
        }
        *ret = archive;
        return true;
}

static bool digest_iso_entry(struct archive *archive, char ret_hex[static DIGEST_HEX_SIZE], struct err *err) {
        struct digest *digest = digest_new("sha256");
        const void *data;
        size_t size;
        la_int64_t offset;
        int status = ARCHIVE_OK;
        while (interrupt_check(err) && (status = archive_read_data_block(archive, &data, &size, &offset)) == ARCHIVE_OK)
                digest_update(digest, data, size);
        digest_final(digest, ret_hex);
        if (err->kind)
                return false;
        return status == ARCHIVE_EOF || iso_corrupt(archive, err);
}

static bool add_iso_entry(struct archive *archive, struct archive_entry *from, struct volume *volume, struct err *err) {
        const char *path = archive_entry_pathname(from), *target = archive_entry_symlink(from);
        if (!path)
                return iso_corrupt(archive, err);
        struct iso_entry *entry = array_append(&volume->entries, &volume->count);
        entry->path = xstrdup(path);
        if (target)
                entry->target = xstrdup(target);
        entry->attributes = (struct attributes){
                .mode = archive_entry_mode(from),
                .uid = (uint32_t)archive_entry_uid(from),
                .gid = (uint32_t)archive_entry_gid(from),
                .mtime = archive_entry_mtime(from),
                .size = (uint64_t)archive_entry_size(from),
                .links = archive_entry_nlink(from),
                .target = entry->target,
        };
        return !S_ISREG(entry->attributes.mode) || digest_iso_entry(archive, entry->sha256, err);
}

static int iso_entry_order(const void *left, const void *right) {
        const struct iso_entry *a = left, *b = right;
        return strcmp(a->path, b->path);
}

// The library yields files in the order of their content.
static bool read_volume(int fd, struct volume *volume, struct err *err) {
        struct archive *archive = NULL;
        struct archive_entry *entry;
        if (!open_volume(fd, &archive, err))
                return false;
        int status;
        bool ok = true;
        while (ok && (status = archive_read_next_header(archive, &entry)) == ARCHIVE_OK)
                ok = add_iso_entry(archive, entry, volume, err);
        if (ok && status != ARCHIVE_EOF)
                ok = iso_corrupt(archive, err);
        archive_read_free(archive);
        if (ok && volume->count)
                qsort(volume->entries, volume->count, sizeof *volume->entries, iso_entry_order);
        return ok;
}

bool iso_each_file(int fd, iso_file_visit *visit, void *context, struct err *err) {
        struct volume volume = { 0 };
        bool ok = read_volume(fd, &volume, err);
        for (size_t i = 0; ok && i < volume.count; i++)
                if (S_ISREG(volume.entries[i].attributes.mode))
                        ok = visit(volume.entries[i].path, volume.entries[i].sha256, context, err);
        free_volume(&volume);
        return ok;
}

// ---- where ----

static bool skip_to_entry(struct archive *archive, const char *path, struct err *err) {
        struct archive_entry *entry;
        while (archive_read_next_header(archive, &entry) == ARCHIVE_OK)
                if (archive_entry_pathname(entry) && strcmp(archive_entry_pathname(entry), path) == 0)
                        return true;
        return iso_corrupt(archive, err);
}

static bool read_iso_chunk(struct archive *archive, char *to, size_t *ret_size, struct err *err) {
        la_ssize_t size = archive_read_data(archive, to, CHUNK_BYTES);
        if (size < 0)
                return iso_corrupt(archive, err);
        *ret_size = (size_t)size;
        return true;
}

static bool find_iso_byte(struct archive *expected, struct archive *found, uint64_t *ret, struct err *err) {
        auto_free char *left = xmalloc(CHUNK_BYTES), *right = xmalloc(CHUNK_BYTES);
        uint64_t offset = 0;
        for (size_t left_size = 1, right_size = 1; left_size > 0 && left_size == right_size;) {
                if (!interrupt_check(err) || !read_iso_chunk(expected, left, &left_size, err) ||
                    !read_iso_chunk(found, right, &right_size, err))
                        return false;
                size_t least = smaller_size(left_size, right_size);
                size_t same = difference_of_bytes(left, right, least);
                offset += same;
                if (same < least)
                        break;
        }
        *ret = offset;
        return true;
}

static bool note_iso_content(const struct compared *files, const char *path, struct buf *to, struct err *err) {
        struct archive *expected = NULL, *found = NULL;
        uint64_t offset = 0;
        bool ok = open_volume(files->expected, &expected, err) && open_volume(files->found, &found, err) &&
                  skip_to_entry(expected, path, err) && skip_to_entry(found, path, err) &&
                  find_iso_byte(expected, found, &offset, err);
        archive_read_free(expected);
        archive_read_free(found);
        if (ok)
                buf_printf(to, "/%s: content differs at byte %llu", path, (unsigned long long)offset);
        return ok;
}

// Outside of files. Volume descriptors follow the system area, the last has type 255 (ECMA-119, 8.3).
static bool note_iso_area(const struct compared *files, struct buf *to, struct err *err) {
        char left[SECTOR_BYTES], right[SECTOR_BYTES];
        bool in_descriptors = true;
        for (int sector = 0; sector < SYSTEM_AREA_BYTES / SECTOR_BYTES + DESCRIPTORS_MAX && in_descriptors; sector++) {
                off_t offset = (off_t)sector * SECTOR_BYTES;
                if (pread(files->expected, left, sizeof left, offset) != sizeof left ||
                    pread(files->found, right, sizeof right, offset) != sizeof right)
                        return fail(err, ERR_CORRUPT, 0, "ISO: it ends within its volume descriptors");
                size_t same = difference_of_bytes(left, right, sizeof left);
                bool system_area = offset < SYSTEM_AREA_BYTES;
                if (same < sizeof left) {
                        const char *area = "volume descriptors";
                        if (system_area)
                                area = "system area (boot sector and partition tables)";
                        buf_printf(to, "%s: differs at byte %llu", area, (unsigned long long)offset + same);
                        return true;
                }
                in_descriptors = system_area || (unsigned char)left[0] != 255;
        }
        return true;
}

static bool compare_iso_entries(const struct compared *files, const struct iso_entry *expected,
                                const struct iso_entry *found, struct buf *to, struct err *err) {
        assert(expected && found);
        auto_free char *path = xasprintf("/%s", expected->path);
        difference_of_attributes(path, &expected->attributes, &found->attributes, to);
        if (to->size > 0 || strcmp(expected->sha256, found->sha256) == 0)
                return true;
        return note_iso_content(files, expected->path, to, err);
}

static const char *path_at(const struct volume *volume, size_t index) {
        if (index == volume->count)
                return NULL;
        assert(index < volume->count && volume->entries);
        return volume->entries[index].path;
}

static bool compare_volumes(const struct compared *files, const struct volume *expected, const struct volume *found,
                            struct buf *to, struct err *err) {
        size_t i = 0, j = 0;
        while ((i < expected->count || j < found->count) && to->size == 0) {
                const char *left = path_at(expected, i), *right = path_at(found, j);
                struct merge_step step = merge_step_of(left, right);
                if (!step.found)
                        buf_printf(to, "/%s: missing", left);
                else if (!step.expected)
                        buf_printf(to, "/%s: should not be there", right);
                else if (!compare_iso_entries(files, &expected->entries[i], &found->entries[j], to, err))
                        return false;
                i += step.expected;
                j += step.found;
        }
        return true;
}

bool compare_iso(const struct compared *files, struct buf *difference, struct err *err) {
        struct volume expected = { 0 }, found = { 0 };
        bool ok = (read_volume(files->expected, &expected, err) || wrap(err, "the expected file")) &&
                  (read_volume(files->found, &found, err) || wrap(err, "the published file")) &&
                  compare_volumes(files, &expected, &found, difference, err);
        if (ok && difference->size == 0)
                ok = note_iso_area(files, difference, err);
        free_volume(&expected);
        free_volume(&found);
        return ok;
}
