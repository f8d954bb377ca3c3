// SPDX-License-Identifier: MIT
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

char *buf_reserve(struct buf *buf, size_t extra) {
        size_t max = buf->max ? buf->max : BUF_MAX_DEFAULT;
        if (buf->overflow || extra > max - buf->size) {
                buf->overflow = true;
                return NULL;
        }
        if (buf->size + extra + 1 > buf->capacity) {
                size_t capacity = buf->capacity ? buf->capacity : 128;
                while (capacity < buf->size + extra + 1)
                        capacity *= 2;
                buf->data = xrealloc(buf->data, capacity);
                buf->capacity = capacity;
        }
        return buf->data + buf->size;
}

void buf_append(struct buf *buf, const void *data, size_t size) {
        char *room = buf_reserve(buf, size);
        if (!room)
                return;
        if (size)
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
        char *room = length < 0 ? NULL : buf_reserve(buf, (size_t)length);
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

const char *buf_text(const struct buf *buf) { return buf->data ? buf->data : ""; }

char *buf_take(struct buf *buf) {
        char *data = buf->data ? buf->data : xstrdup("");
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

bool buf_read_fd(struct buf *buf, int fd, struct err *err) {
        for (;;) {
                char *room = buf_reserve(buf, 16384);
                if (!room)
                        return fail(err, ERR_SYSTEM, EFBIG, "read more than %zu bytes", buf->size);
                ssize_t got = read(fd, room, 16384);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read");
                buf->size += (size_t)got;
                buf->data[buf->size] = '\0';
                if (got == 0)
                        return true;
        }
}
