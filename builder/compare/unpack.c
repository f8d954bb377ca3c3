// SPDX-License-Identifier: MIT
#include "compare/unpack.h"

#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

enum {
        CHUNK_BYTES = 1 << 20,
        GZIP_WINDOW = 15 + 16, // inflateInit2(): a gzip header, any window
        LZMA_MEMORY_MAX = 256 << 20,
        HEADER_BYTES = 110,
        FIELDS = 13,
        FIELD_HEX = 8,
        ALIGN_BYTES = 4
};

// ---- plain ----

static bool read_newc_field(const char *from, uint32_t *ret) {
        uint32_t value = 0;
        for (int i = 0; i < FIELD_HEX; i++) {
                static const char digits[] = "0123456789abcdef";
                const char *digit = strchr(digits, from[i] | 0x20); // 0x20: digits as they are, letters in lower case
                if (!digit || !from[i])
                        return false;
                value = value << 4 | (uint32_t)(digit - digits);
        }
        *ret = value;
        return true;
}

static size_t align_newc(size_t offset) { return (offset + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES; }

static bool newc_damaged(size_t offset, struct err *err) {
        return fail(err, ERR_CORRUPT, 0, "no newc entry at byte %zu of the unpacked archive", offset);
}

// cpio(5): ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
bool newc_next(const struct buf *archive, size_t *offset, struct newc_entry *ret, struct err *err) {
        size_t at = *offset;
        uint32_t field[FIELDS];
        const char *text = buf_text(archive) + at;
        if (at > archive->size || archive->size - at < HEADER_BYTES || memcmp(text, "070701", 6) != 0)
                return newc_damaged(at, err);
        for (int i = 0; i < FIELDS; i++)
                if (!read_newc_field(text + 6 + FIELD_HEX * i, &field[i]))
                        return newc_damaged(at, err);
        size_t name_bytes = field[11], size = field[6];
        size_t data = align_newc(at + HEADER_BYTES + name_bytes);
        if (name_bytes == 0 || data > archive->size || size > archive->size - data ||
            memchr(text + HEADER_BYTES, '\0', name_bytes) != text + HEADER_BYTES + name_bytes - 1)
                return newc_damaged(at, err);
        *ret = (struct newc_entry){
                .name = text + HEADER_BYTES,
                .inode = field[0],
                .mode = field[1],
                .uid = field[2],
                .gid = field[3],
                .links = field[4],
                .mtime = field[5],
                .size = field[6],
                .major = field[9],
                .minor = field[10],
                .data = buf_text(archive) + data,
        };
        *offset = align_newc(data + size);
        if (*offset > archive->size)
                *offset = archive->size;
        if (strcmp(ret->name, NEWC_TRAILER) == 0)
                while (*offset < archive->size && buf_text(archive)[*offset] == '\0')
                        ++*offset;
        return true;
}

// Each unpacker takes one member at the start of `from`, and says how much of it that was.
typedef bool unpack_member(const struct buf *from, struct buf *to, size_t *ret_taken, struct err *err);

static bool unpack_plain(const struct buf *from, struct buf *to, size_t *ret_taken, struct err *err) {
        struct newc_entry entry = { .name = "" };
        size_t offset = 0;
        while (strcmp(entry.name, NEWC_TRAILER) != 0)
                if (!newc_next(from, &offset, &entry, err))
                        return false;
        buf_append(to, buf_text(from), offset);
        *ret_taken = offset;
        return true;
}

// ---- compressed ----

static bool too_large(struct err *err) { return fail(err, ERR_CORRUPT, 0, "the unpacked archive is too large"); }

static bool unpack_gzip(const struct buf *from, struct buf *to, size_t *ret_taken, struct err *err) {
        z_stream stream = { .next_in = (Bytef *)buf_text(from), .avail_in = (uInt)from->size };
        if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
                abort(); // out of memory
        int status = Z_OK;
        while (status == Z_OK) {
                char *room = buf_reserve(to, CHUNK_BYTES);
                if (!room)
                        break;
                stream.next_out = (Bytef *)room;
                stream.avail_out = CHUNK_BYTES;
                status = inflate(&stream, Z_NO_FLUSH);
                to->size += CHUNK_BYTES - stream.avail_out;
        }
        *ret_taken = from->size - stream.avail_in;
        inflateEnd(&stream);
        if (status == Z_OK)
                return too_large(err);
        return status == Z_STREAM_END || fail(err, ERR_CORRUPT, 0, "gzip: the stream is newc_damaged");
}

static bool unpack_xz(const struct buf *from, struct buf *to, size_t *ret_taken, struct err *err) {
        lzma_stream stream = LZMA_STREAM_INIT;
        if (lzma_stream_decoder(&stream, LZMA_MEMORY_MAX, 0) != LZMA_OK)
                abort(); // out of memory
        stream.next_in = (const uint8_t *)buf_text(from);
        stream.avail_in = from->size;
        lzma_ret status = LZMA_OK;
        while (status == LZMA_OK) {
                char *room = buf_reserve(to, CHUNK_BYTES);
                if (!room)
                        break;
                stream.next_out = (uint8_t *)room;
                stream.avail_out = CHUNK_BYTES;
                status = lzma_code(&stream, LZMA_RUN);
                to->size += CHUNK_BYTES - stream.avail_out;
        }
        *ret_taken = from->size - stream.avail_in;
        lzma_end(&stream);
        if (status == LZMA_OK)
                return too_large(err);
        return status == LZMA_STREAM_END || fail(err, ERR_CORRUPT, 0, "xz: the stream is newc_damaged");
}

static bool unpack_zstd(const struct buf *from, struct buf *to, size_t *ret_taken, struct err *err) {
        ZSTD_DCtx *context = ZSTD_createDCtx();
        if (!context)
                abort(); // out of memory
        ZSTD_inBuffer in = { buf_text(from), from->size, 0 };
        size_t status = 1;
        bool stuck = false, room_left = true;
        while (status != 0 && !ZSTD_isError(status) && !stuck) {
                char *room = buf_reserve(to, CHUNK_BYTES);
                room_left = room != NULL;
                if (!room_left)
                        break;
                ZSTD_outBuffer out = { room, CHUNK_BYTES, 0 };
                size_t before = in.pos;
                status = ZSTD_decompressStream(context, &out, &in);
                to->size += out.pos;
                stuck = in.pos == before && out.pos == 0;
        }
        *ret_taken = in.pos;
        ZSTD_freeDCtx(context);
        if (!room_left)
                return too_large(err);
        return status == 0 || fail(err, ERR_CORRUPT, 0, "zstd: the stream is newc_damaged");
}

static const struct {
        const char *magic;
        size_t size;
        unpack_member *unpack;
} members[] = {
        { "070701", 6, unpack_plain },
        { "\x1f\x8b", 2, unpack_gzip },
        { "\xfd"
          "7zXZ",
          5, unpack_xz }, // its sixth byte is NUL
        { "\x28\xb5\x2f\xfd", 4, unpack_zstd },
};

static unpack_member *member_unpacker(const char *from, size_t size) {
        for (size_t i = 0; i < lengthof(members); i++)
                if (size >= members[i].size && memcmp(from, members[i].magic, members[i].size) == 0)
                        return members[i].unpack;
        return NULL;
}

bool newc_unpack(const struct buf *file, struct buf *ret, struct err *err) {
        for (size_t offset = 0; offset < file->size;) {
                const char *text = file->data + offset;
                if (*text == '\0') {
                        offset++;
                        continue;
                }
                struct buf rest = { .data = (char *)text, .size = file->size - offset }; // only read
                unpack_member *unpack = member_unpacker(text, rest.size);
                size_t taken = 0;
                if (!unpack)
                        return fail(err, ERR_CORRUPT, 0, "nothing known begins at byte %zu of the archive", offset);
                if (!unpack(&rest, ret, &taken, err))
                        return wrap(err, "the member at byte %zu", offset);
                if (ret->overflow)
                        return too_large(err);
                offset += taken;
        }
        return true;
}
