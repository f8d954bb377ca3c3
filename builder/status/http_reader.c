// SPDX-License-Identifier: MIT
#include "status/http_reader.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

enum { STATUS_LINE_BYTES = 13, CHUNK_LINE_MAX = 4096, CHUNK_DIGITS_MAX = 8, VALUE_MAX = 256 };

#define LINE_END "\r\n"
#define HEAD_END "\r\n\r\n"

// ---- the head ----

// "HTTP/1.1 200 "
static int status_of(const char *answer) {
        if (strncmp(answer, "HTTP/1.", 7) != 0)
                return 0;
        return (int)strtol(answer + 9, NULL, 10);
}

bool http_reader_header(const struct http_reader *reader, const struct buf *answer, const char *name, char *ret,
                        size_t room) {
        assert(reader->body <= answer->size);
        size_t length = strlen(name);
        const char *end = buf_text(answer) + reader->body, *line = buf_text(answer), *next;
        for (; line < end && (next = memmem(line, (size_t)(end - line), LINE_END, 2)); line = next + 2) {
                size_t left = (size_t)(next - line);
                if (left <= length || strncasecmp(line, name, length) != 0 || line[length] != ':')
                        continue;
                const char *value = line + length + 1;
                while (value < next && (*value == ' ' || *value == '\t'))
                        value++;
                size_t size = (size_t)(next - value);
                while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
                        size--;
                if (size >= room)
                        return false;
                memcpy(ret, value, size);
                ret[size] = '\0';
                return true;
        }
        return false;
}

// The last of the encodings is the outermost: "gzip, chunked".
static bool names_chunks(const char *encodings) {
        static const char word[] = "chunked";
        size_t size = strlen(encodings), length = sizeof word - 1;
        return size >= length && strcasecmp(encodings + size - length, word) == 0;
}

static void read_framing(struct http_reader *reader, const struct buf *answer) {
        char value[VALUE_MAX];
        bool has_no_body = reader->status == 204 || reader->status == 304;
        if (http_reader_header(reader, answer, "Transfer-Encoding", value, sizeof value))
                reader->is_chunked = names_chunks(value);
        else if (http_reader_header(reader, answer, "Content-Length", value, sizeof value) &&
                 isdigit((unsigned char)*value)) {
                reader->has_length = true;
                reader->length = strtoul(value, NULL, 10);
        }
        if (has_no_body) {
                reader->is_chunked = false;
                reader->has_length = true;
                reader->length = 0;
        }
}

static void read_answer_head(struct http_reader *reader, const struct buf *answer) {
        const char *text = buf_text(answer);
        if (reader->status == 0 && answer->size >= STATUS_LINE_BYTES) {
                reader->status = status_of(text);
                reader->is_wrong = reader->status == 0;
        }
        // Its end may have come in two pieces.
        size_t from = reader->at - size_min(reader->at, strlen(HEAD_END) - 1);
        size_t room = size_min(answer->size, HTTP_HEAD_MAX);
        const char *end = memmem(text + from, room - from, HEAD_END, strlen(HEAD_END));
        reader->at = room;
        if (!end && room == HTTP_HEAD_MAX) {
                reader->status = 0;
                reader->is_wrong = true;
        }
        if (!end)
                return;
        reader->body = (size_t)(end - text) + strlen(HEAD_END);
        reader->at = reader->body;
        read_framing(reader, answer);
}

// ---- chunks ----

enum chunk { CHUNK_THERE, CHUNK_LAST, CHUNK_AWAITED, CHUNK_WRONG };

// False: that is no length in hexadecimal digits with, perhaps, an extension.
static bool read_chunk_size(const char *line, size_t size, size_t *ret) {
        size_t digits = 0;
        while (digits < size && isxdigit((unsigned char)line[digits]))
                digits++;
        *ret = strtoul(line, NULL, 16);
        bool is_at_end = digits == size || strchr("; \t", line[digits]);
        return digits > 0 && digits <= CHUNK_DIGITS_MAX && is_at_end;
}

// The chunk at `*at`, behind which that is put.
static enum chunk next_body_chunk(const struct buf *answer, size_t *at, const char **ret, size_t *ret_size) {
        const char *line = buf_text(answer) + *at;
        size_t left = answer->size - *at;
        const char *end = memmem(line, size_min(left, CHUNK_LINE_MAX), LINE_END, 2);
        if (!end && left < CHUNK_LINE_MAX)
                return CHUNK_AWAITED;
        if (!end || !read_chunk_size(line, (size_t)(end - line), ret_size))
                return CHUNK_WRONG;
        if (*ret_size == 0)
                return CHUNK_LAST;
        size_t before = (size_t)(end - line) + 2, whole = before + *ret_size + 2;
        if (left < whole)
                return CHUNK_AWAITED;
        if (memcmp(line + whole - 2, LINE_END, 2) != 0)
                return CHUNK_WRONG;
        *ret = line + before;
        *at += whole;
        return CHUNK_THERE;
}

static void read_chunks(struct http_reader *reader, const struct buf *answer) {
        const char *data;
        size_t size;
        enum chunk chunk;
        do
                chunk = next_body_chunk(answer, &reader->at, &data, &size);
        while (chunk == CHUNK_THERE);
        reader->is_whole = chunk == CHUNK_LAST;
        reader->is_wrong = chunk == CHUNK_WRONG;
}

// ---- all of it ----

bool http_reader_feed(struct http_reader *reader, const struct buf *answer) {
        assert(reader && answer && reader->at <= answer->size);
        bool is_over = reader->is_whole || reader->is_wrong;
        if (is_over || answer->size == 0)
                return is_over;
        if (reader->body == 0)
                read_answer_head(reader, answer);
        if (reader->body > 0 && reader->is_chunked)
                read_chunks(reader, answer);
        else if (reader->body > 0 && reader->has_length)
                reader->is_whole = answer->size - reader->body >= reader->length;
        return reader->is_whole || reader->is_wrong;
}

bool http_reader_is_cut(const struct http_reader *reader) {
        bool is_announced = reader->is_chunked || reader->has_length;
        return reader->body == 0 || (is_announced && !reader->is_whole);
}

void http_reader_body(const struct http_reader *reader, const struct buf *answer, struct buf *ret) {
        size_t at = reader->body, size;
        const char *data;
        if (at == 0)
                return;
        size = answer->size - at;
        if (reader->has_length)
                size = size_min(size, reader->length); // what is behind it came in the same packet, and is none of it
        if (!reader->is_chunked)
                buf_append(ret, answer->data + at, size);
        while (reader->is_chunked && next_body_chunk(answer, &at, &data, &size) == CHUNK_THERE)
                buf_append(ret, data, size);
}
