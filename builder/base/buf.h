// SPDX-License-Identifier: MIT
// A growing byte buffer. Invariants: `data` is always NUL-terminated once anything was appended;
// `size` never counts that NUL; `size` never exceeds `max` (0: BUF_MAX_DEFAULT). Appending past the
// maximum is refused and sticks: `overflow` stays true and later appends do nothing, so a writer checks once at the
// end.
#ifndef KILN_BASE_BUF_H
#define KILN_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { BUF_MAX_DEFAULT = 1 << 30 };

struct buf {
        char *data;
        size_t size, capacity, max;
        bool overflow;
};

#define auto_buf __attribute__((cleanup(buf_release))) struct buf

void buf_append(struct buf *buf, const void *data, size_t size);
void buf_append_text(struct buf *buf, const char *text);
void buf_append_char(struct buf *buf, char byte);
void buf_append_zeros(struct buf *buf, size_t count);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

// Room for `extra` more bytes after `size`; the caller writes there and adds to `size`. NULL past the maximum.
char *buf_reserve(struct buf *buf, size_t extra);

const char *buf_text(const struct buf *buf); // never NULL
char *buf_take(struct buf *buf);             // the heap string; the buffer is empty again
void buf_clear(struct buf *buf);             // keeps the memory
void buf_release(struct buf *buf);

// Reads until end of file. ERR_SYSTEM on a read error or past the maximum.
must_check bool buf_read_fd(struct buf *buf, int fd, struct err *err);

#endif
