// SPDX-License-Identifier: MIT
#include "artefact/iso/iso_parts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

// Loaders and zeros: a higher level takes longer and saves nothing.
enum { LEVEL = 6, REST_MAX_BYTES = 1 << 30 };

static int order_of_extents(const void *left, const void *right) {
        const struct iso_file *a = left, *b = right;
        return (a->extent.offset > b->extent.offset) - (a->extent.offset < b->extent.offset);
}

static bool read_range(int fd, uint64_t offset, uint64_t end, struct buf *to, struct err *err) {
        static _Thread_local char block[64 << 10];
        while (offset < end) {
                size_t most = sizeof block;
                if (end - offset < most)
                        most = (size_t)(end - offset);
                ssize_t got = pread(fd, block, most, (off_t)offset);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return fail(err, ERR_SYSTEM, got < 0 ? errno : 0, "read the volume");
                buf_append(to, block, (size_t)got);
                offset += (uint64_t)got;
        }
        return true;
}

// What no file of the directory holds. `files` are sorted.
static bool read_rest(int volume, uint64_t size_bytes, const struct iso_file *files, size_t count, struct buf *ret,
                      struct err *err) {
        uint64_t at = 0;
        for (size_t i = 0; i < count; i++) {
                assert(files[i].extent.offset >= at);
                if (!read_range(volume, at, files[i].extent.offset, ret, err))
                        return false;
                at = files[i].extent.offset + files[i].extent.size_bytes;
        }
        if (!read_range(volume, at, size_bytes, ret, err))
                return false;
        return !ret->overflow || fail(err, ERR_INTERNAL, 0, "what an ISO holds beside its files is too large");
}

static void compress_rest(const struct buf *rest, struct buf *ret) {
        struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(LEVEL);
        if (!compressor)
                abort(); // out of memory
        size_t room = libdeflate_zlib_compress_bound(compressor, rest->size);
        auto_free char *bytes = xmalloc(room);
        size_t size = libdeflate_zlib_compress(compressor, rest->data, rest->size, bytes, room);
        buf_append(ret, bytes, size);
        libdeflate_free_compressor(compressor);
}

static bool write_parts(const struct iso_parts *parts, const struct iso_file *files, int volume, const char *name,
                        struct err *err) {
        auto_buf rest = { .max = REST_MAX_BYTES };
        auto_buf packed = { .max = REST_MAX_BYTES };
        auto_buf text = { .max = REST_MAX_BYTES };
        struct stat stat;
        if (fstat(volume, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", parts->volume);
        if (!read_rest(volume, (uint64_t)stat.st_size, files, parts->file_count, &rest, err))
                return false;
        compress_rest(&rest, &packed);
        buf_printf(&text, "kiln-iso-parts 1\niso %s %ju\n", parts->sha256, (uintmax_t)stat.st_size);
        for (size_t i = 0; i < parts->file_count; i++)
                buf_printf(&text, "file %ju %ju %s\n", (uintmax_t)files[i].extent.offset,
                           (uintmax_t)files[i].extent.size_bytes, files[i].source);
        buf_printf(&text, "rest %zu %zu\n\n", rest.size, packed.size);
        buf_append(&text, packed.data, packed.size);
        if (text.overflow)
                return fail(err, ERR_INTERNAL, 0, "%s would be too large", name);
        return fs_write(parts->directory, name, text.data, text.size, 0644, err);
}

bool iso_parts_write(const struct iso_parts *parts, const char *name, struct err *err) {
        auto_free struct iso_file *sorted = xcalloc(parts->file_count, sizeof *sorted);
        auto_close int volume = -1;
        memcpy(sorted, parts->files, parts->file_count * sizeof *sorted);
        qsort(sorted, parts->file_count, sizeof *sorted, order_of_extents);
        return fs_open(parts->directory, parts->volume, O_RDONLY, 0, &volume, err) &&
               write_parts(parts, sorted, volume, name, err);
}
