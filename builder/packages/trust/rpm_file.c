// SPDX-License-Identifier: MIT
#include "packages/trust/rpm_file.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

enum {
        LEAD_BYTES = 96,
        INTRO_BYTES = 16, // magic, reserved, number of entries, bytes of data
        ENTRY_BYTES = 16,
        SIGNATURE_MAX_BYTES = 16 << 20,
        HEADER_MAX_BYTES = 256 << 20,
};

static const unsigned char lead_magic[] = { 0xed, 0xab, 0xee, 0xdb };
static const unsigned char header_magic[] = { 0x8e, 0xad, 0xe8, 0x01 };

static bool read_exactly(int fd, void *memory, size_t size, uint64_t offset, struct err *err) {
        for (char *next = memory; size > 0;) {
                ssize_t got = pread(fd, next, size, (off_t)offset);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read");
                if (got == 0)
                        return fail(err, ERR_CORRUPT, 0, "truncated: it ends inside its header");
                next += got;
                offset += (uint64_t)got;
                size -= (size_t)got;
        }
        return true;
}

static bool read_rpm_header(int fd, uint64_t offset, size_t max, Header *ret, uint64_t *ret_end, struct err *err) {
        unsigned char intro[INTRO_BYTES];
        if (!read_exactly(fd, intro, sizeof intro, offset, err))
                return false;
        if (memcmp(intro, header_magic, sizeof header_magic) != 0)
                return fail(err, ERR_CORRUPT, 0, "not an RPM package: header magic is missing");
        uint32_t words[2];
        memcpy(words, intro + 8, sizeof words);
        uint64_t size = sizeof words + (uint64_t)be32toh(words[0]) * ENTRY_BYTES + be32toh(words[1]);
        if (size > max)
                return fail(err, ERR_CORRUPT, 0, "its header claims to be %llu bytes long", (unsigned long long)size);
        auto_free char *blob = xmalloc((size_t)size);
        if (!read_exactly(fd, blob, (size_t)size, offset + 8, err))
                return false;
        Header header = headerImport(blob, (unsigned)size, HEADERIMPORT_COPY);
        if (!header)
                return fail(err, ERR_CORRUPT, 0, "its header is malformed");
        *ret = header;
        *ret_end = offset + 8 + size;
        return true;
}

bool rpm_file_read(int fd, struct rpm_file *ret, struct err *err) {
        assert(fd >= 0);
        struct stat stat;
        unsigned char lead[LEAD_BYTES];
        struct rpm_file file = { .fd = fd };
        uint64_t end = 0;
        if (!read_exactly(fd, lead, sizeof lead, 0, err))
                return false;
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat");
        if (memcmp(lead, lead_magic, sizeof lead_magic) != 0)
                return fail(err, ERR_CORRUPT, 0, "not an RPM package");
        if (!read_rpm_header(fd, LEAD_BYTES, SIGNATURE_MAX_BYTES, &file.signature, &end, err))
                return false;
        file.header_offset = (end + 7) & ~UINT64_C(7);
        if (!read_rpm_header(fd, file.header_offset, HEADER_MAX_BYTES, &file.header, &file.payload_offset, err)) {
                headerFree(file.signature);
                return false;
        }
        file.size_bytes = (uint64_t)stat.st_size;
        *ret = file;
        return true;
}

void rpm_file_close(struct rpm_file *file) {
        headerFree(file->signature);
        headerFree(file->header);
}
