// SPDX-License-Identifier: MIT
#include "artefact/image/image_file.h"

#include <errno.h>
#include <sqfs/error.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

// The first failure is what the later ones follow from.
static int remember_errno(struct image_file *file, int number) {
        if (!file->error)
                file->error = number;
        return SQFS_ERROR_IO;
}

static int file_read_at(sqfs_file_t *base, sqfs_u64 offset, void *buffer, size_t size) {
        struct image_file *file = (struct image_file *)base;
        for (char *next = buffer; size > 0;) {
                ssize_t got = pread(file->fd, next, size, (off_t)offset);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return remember_errno(file, errno);
                if (got == 0)
                        return SQFS_ERROR_OUT_OF_BOUNDS;
                next += got;
                size -= (size_t)got;
                offset += (size_t)got;
        }
        return 0;
}

static int file_write_at(sqfs_file_t *base, sqfs_u64 offset, const void *buffer, size_t size) {
        struct image_file *file = (struct image_file *)base;
        for (const char *next = buffer; size > 0;) {
                ssize_t done = pwrite(file->fd, next, size, (off_t)offset);
                if (done < 0 && errno == EINTR)
                        continue;
                if (done < 0)
                        return remember_errno(file, errno);
                next += done;
                size -= (size_t)done;
                offset += (size_t)done;
        }
        if (offset > file->size)
                file->size = offset;
        return 0;
}

static sqfs_u64 file_size(const sqfs_file_t *base) { return ((const struct image_file *)base)->size; }

static int file_truncate(sqfs_file_t *base, sqfs_u64 size) {
        struct image_file *file = (struct image_file *)base;
        if (ftruncate(file->fd, (off_t)size) < 0)
                return remember_errno(file, errno);
        file->size = size;
        return 0;
}

static void file_destroy(sqfs_object_t *object) { (void)object; }

void image_file_init(struct image_file *file, int fd) {
        *file = (struct image_file){
                .base = { { file_destroy, NULL }, file_read_at, file_write_at, file_size, file_truncate },
                .fd = fd,
        };
}

static const char *const messages[] = {
        [-SQFS_ERROR_ALLOC] = "out of memory",
        [-SQFS_ERROR_IO] = "input/output error",
        [-SQFS_ERROR_COMPRESSOR] = "the compressor failed",
        [-SQFS_ERROR_CORRUPTED] = "corrupted data",
        [-SQFS_ERROR_UNSUPPORTED] = "not supported by libsquashfs",
        [-SQFS_ERROR_OVERFLOW] = "a number does not fit the format",
        [-SQFS_ERROR_OUT_OF_BOUNDS] = "read past the end",
        [-SQFS_ERROR_ARG_INVALID] = "invalid argument",
        [-SQFS_ERROR_SEQUENCE] = "calls in the wrong order",
};

static const char *message_of(int status) {
        bool known = status < 0 && (size_t)-status < lengthof(messages) && messages[-status];
        if (known)
                return messages[-status];
        return "unknown error";
}

bool image_fail(struct err *err, const struct image_file *file, int status, const char *what) {
        if (file && file->error)
                return fail(err, ERR_SYSTEM, file->error, "%s", what);
        return fail(err, ERR_INTERNAL, 0, "%s: libsquashfs: %s (%d)", what, message_of(status), status);
}
