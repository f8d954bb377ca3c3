// SPDX-License-Identifier: MIT
#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { CAPACITY_MIN = 128, READ_BYTES = 16384 };

static size_t max_of(const struct buf *buf) {
        if (buf->max == 0)
                return BUF_MAX_DEFAULT;
        return buf->max;
}

char *buf_reserve(struct buf *buf, size_t extra) {
        size_t max = max_of(buf);
        assert(buf->size <= max);
        if (buf->overflow || extra > max - buf->size) {
                buf->overflow = true;
                return NULL;
        }
        if (buf->size + extra + 1 > buf->capacity) {
                size_t capacity = size_max(buf->capacity, CAPACITY_MIN);
                while (capacity < buf->size + extra + 1)
                        capacity *= 2;
                buf->data = xrealloc(buf->data, capacity);
                buf->capacity = capacity;
        }
        return buf->data + buf->size;
}

void buf_append(struct buf *buf, const void *data, size_t size) {
        assert(data || size == 0);
        char *room = buf_reserve(buf, size);
        if (!room)
                return;
        if (size > 0)
                memcpy(room, data, size);
        buf->size += size;
        buf->data[buf->size] = '\0';
}

void buf_append_text(struct buf *buf, const char *text) { buf_append(buf, text, strlen(text)); }
void buf_append_char(struct buf *buf, char byte) { buf_append(buf, &byte, 1); }

void buf_append_zeros(struct buf *buf, size_t count) {
        char *room = buf_reserve(buf, count);
        if (!room)
                return;
        memset(room, 0, count + 1);
        buf->size += count;
}

void buf_vprintf(struct buf *buf, const char *format, va_list arguments) {
        va_list again;
        va_copy(again, arguments);
        int length = vsnprintf(NULL, 0, format, again);
        va_end(again);
        assert(length >= 0); // only a wrong conversion or a text of 2 GB gives less
        char *room = buf_reserve(buf, (size_t)length);
        if (!room)
                return;
        vsnprintf(room, (size_t)length + 1, format, arguments);
        buf->size += (size_t)length;
}

void buf_printf(struct buf *buf, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        buf_vprintf(buf, format, arguments);
        va_end(arguments);
}

const char *buf_text(const struct buf *buf) { return text_or(buf->data, ""); }

char *buf_take(struct buf *buf) {
        char *data = buf->data;
        if (!data)
                data = xstrdup("");
        *buf = (struct buf){ .max = buf->max };
        return data;
}

void buf_clear(struct buf *buf) {
        buf->size = 0;
        buf->overflow = false;
        if (buf->data)
                buf->data[0] = '\0';
}

void buf_release(struct buf *buf) {
        free(buf->data);
        *buf = (struct buf){ 0 };
}

static ssize_t read_again(int fd, void *room, size_t size) {
        ssize_t got;
        do
                got = read(fd, room, size);
        while (got < 0 && errno == EINTR);
        return got;
}

// A file may end where the buffer is full: one byte tells.
static bool has_ended(int fd, struct err *err) {
        char beyond;
        ssize_t got = read_again(fd, &beyond, 1);
        if (got < 0)
                return fail(err, ERR_SYSTEM, errno, "read");
        return got == 0;
}

bool buf_read_fd(struct buf *buf, int fd, struct err *err) {
        assert(fd >= 0);
        for (;;) {
                size_t size = size_min(max_of(buf) - buf->size, READ_BYTES);
                bool is_full = buf->overflow || size == 0;
                if (is_full)
                        return (!buf->overflow && has_ended(fd, err)) || err->kind ||
                               fail(err, ERR_SYSTEM, EFBIG, "read more than %zu bytes", buf->size);
                ssize_t got = read_again(fd, buf_reserve(buf, size), size);
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read");
                buf->size += (size_t)got;
                buf->data[buf->size] = '\0';
                if (got == 0)
                        return true;
        }
}
