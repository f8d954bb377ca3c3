// SPDX-License-Identifier: MIT
#include "artefact/initrd/initrd_part.h"

#include <assert.h>
#include <libdeflate.h>
#include <lzma.h>
#include <string.h>
#include <zstd.h>

#include "base/fs.h"
#include "base/mem.h"

// The lab's initrd of 35 MB: gzip 6 makes 9.0 MB in 0.5 s (12: 8.6 MB in 5.7 s), xz 6.4 MB in 19 s, and zstd 8.2 MB in
// 1.4 s at level 12, 7.8 MB in 8 s at 16, and 7.9 MB in 6 s as below: parsed as at 16, with fewer candidates. A window
// of 16 MB makes it smaller still, and has a machine of little memory end in a panic before init can say so. zstd
// unpacks faster than gzip, xz four times slower.
//
// A configuration layer, most of it kiln-node, is made in every build: 0.66 MB in 25 ms with gzip 6, 0.68 MB in 13 ms
// with gzip 2.
enum { DEFLATE_LEVEL = 6, DEFLATE_FAST_LEVEL = 2, XZ_PRESET = 6 };

static const struct {
        ZSTD_cParameter parameter;
        int value;
} zstd_parameters[] = {
        { ZSTD_c_compressionLevel, 12 }, // what is not said here
        { ZSTD_c_strategy, ZSTD_btopt }, { ZSTD_c_windowLog, 22 },   { ZSTD_c_searchLog, 3 },
        { ZSTD_c_targetLength, 16 },     { ZSTD_c_checksumFlag, 1 }, // gzip and xz notice damage, too
};

static bool archive_too_large(struct err *err) {
        return fail(err, ERR_SYSTEM, 0, "compress: the archive is too large");
}

static bool deflate_archive(int level, const struct buf *from, struct buf *to, struct err *err) {
        struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(level);
        if (!compressor)
                abort(); // out of memory
        size_t most = libdeflate_gzip_compress_bound(compressor, from->size);
        char *room = buf_reserve(to, most);
        size_t size = 0;
        if (room)
                size = libdeflate_gzip_compress(compressor, buf_text(from), from->size, room, most);
        libdeflate_free_compressor(compressor);
        to->size += size;
        return size > 0 || archive_too_large(err);
}

static bool compress_gzip(const struct buf *from, struct buf *to, struct err *err) {
        return deflate_archive(DEFLATE_LEVEL, from, to, err);
}

static bool compress_gzip_fast(const struct buf *from, struct buf *to, struct err *err) {
        return deflate_archive(DEFLATE_FAST_LEVEL, from, to, err);
}

// EL7's xz decoder knows CRC32 and no CRC64.
static bool compress_xz(const struct buf *from, struct buf *to, struct err *err) {
        size_t most = lzma_stream_buffer_bound(from->size);
        char *room = buf_reserve(to, most);
        if (!room)
                return archive_too_large(err);
        size_t size = 0;
        lzma_ret status = lzma_easy_buffer_encode(XZ_PRESET, LZMA_CHECK_CRC32, NULL, (const uint8_t *)buf_text(from),
                                                  from->size, (uint8_t *)room, &size, most);
        to->size += size;
        return status == LZMA_OK || fail(err, ERR_SYSTEM, 0, "compress: liblzma status %d", (int)status);
}

static bool compress_zstd(const struct buf *from, struct buf *to, struct err *err) {
        size_t most = ZSTD_compressBound(from->size);
        char *room = buf_reserve(to, most);
        if (!room)
                return archive_too_large(err);
        ZSTD_CCtx *context = ZSTD_createCCtx();
        if (!context)
                abort(); // out of memory
        for (size_t i = 0; i < lengthof(zstd_parameters); i++)
                ZSTD_CCtx_setParameter(context, zstd_parameters[i].parameter, zstd_parameters[i].value);
        size_t size = ZSTD_compress2(context, room, most, buf_text(from), from->size);
        ZSTD_freeCCtx(context);
        if (ZSTD_isError(size))
                return fail(err, ERR_SYSTEM, 0, "compress: %s", ZSTD_getErrorName(size));
        to->size += size;
        return true;
}

// EL7's kernel reads gzip, bzip2, lzma, xz and lzo; zstd only kernels since 5.9 do.
static const struct compressor {
        const char *name;
        bool (*compress)(const struct buf *from, struct buf *to, struct err *err);
} compressors[] = {
        { "gzip", compress_gzip },
        { INITRD_PART_FAST, compress_gzip_fast },
        { "xz", compress_xz },
        { "zstd", compress_zstd },
};

static const struct compressor *find_compressor(const char *name) {
        for (size_t i = 0; i < lengthof(compressors); i++)
                if (strcmp(compressors[i].name, name) == 0)
                        return &compressors[i];
        return NULL;
}

bool initrd_part_check(const char *compressor, struct err *err) {
        assert(compressor);
        return find_compressor(compressor) != NULL ||
               fail(err, ERR_SCHEMA, 0, "initrd compressor %s: only gzip, xz and zstd are known", compressor);
}

bool initrd_part_write(const char *compressor, const struct buf *archive, size_t align_bytes, int dir, const char *name,
                       struct err *err) {
        auto_buf compressed = { 0 };
        assert(align_bytes > 0 && align_bytes % INITRD_PART_ALIGN_BYTES == 0);
        if (!initrd_part_check(compressor, err))
                return false;
        if (!find_compressor(compressor)->compress(archive, &compressed, err))
                return wrap(err, "%s", name);
        size_t beyond = compressed.size % align_bytes;
        if (beyond > 0)
                buf_append_zeros(&compressed, align_bytes - beyond);
        // Read-only, because the file may be a hard link to the cache's.
        return fs_write(dir, name, compressed.data, compressed.size, 0444, err);
}
