// SPDX-License-Identifier: MIT
#include "base/mistake.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

enum { NAME_MAX_BYTES = 64, LINE_SHOWN_BYTES = 160 };

static size_t smallest(size_t a, size_t b, size_t c) { return size_min(size_min(a, b), c); }

// Optimal string alignment distance, three rows at a time.
size_t mistake_distance(const char *a, const char *b) {
        size_t a_size = strnlen(a, NAME_MAX_BYTES), b_size = strnlen(b, NAME_MAX_BYTES);
        size_t rows[3][NAME_MAX_BYTES + 1];
        for (size_t j = 0; j <= b_size; j++)
                rows[0][j] = j;
        for (size_t i = 1; i <= a_size; i++) {
                size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
                row[0] = i;
                for (size_t j = 1; j <= b_size; j++) {
                        row[j] = smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                row[j] = smallest(row[j], row[j], two_above[j - 2] + 1);
                }
        }
        return rows[a_size % 3][b_size];
}

void nearest_offer(struct nearest *nearest, const char *name) {
        assert(nearest->wanted);
        size_t distance = mistake_distance(nearest->wanted, name);
        size_t allowed = (strlen(nearest->wanted) + 1) / 3; // a slip in three letters
        if (distance > allowed || distance >= strlen(name) || (nearest->best && distance >= nearest->distance))
                return;
        nearest->best = name;
        nearest->distance = distance;
}

static bool is_continuation(char byte) { return ((unsigned char)byte & 0xC0) == 0x80; }

void mistake_locate(const char *text, size_t size, size_t offset, int *ret_line, int *ret_column) {
        int line = 1, column = 1;
        for (size_t i = 0; i < offset && i < size; i++) {
                if (text[i] == '\n') {
                        line++;
                        column = 1;
                } else if (!is_continuation(text[i])) {
                        column++;
                }
        }
        *ret_line = line;
        *ret_column = column;
}

static const char *find_line_in(const char *text, const char *end, int line) {
        for (; line > 1; line--) {
                const char *newline = memchr(text, '\n', (size_t)(end - text));
                if (!newline)
                        return NULL;
                text = newline + 1;
        }
        return text;
}

// The bytes of the UTF-8 character at `text`; 0 if there is none, or a control character.
static size_t printable_length(const char *text, size_t size) {
        const unsigned char *bytes = (const unsigned char *)text;
        if (bytes[0] < 0x80)
                return bytes[0] >= ' ' && bytes[0] != 0x7f;
        if (bytes[0] < 0xc2 || bytes[0] > 0xf4)
                return 0;
        size_t length = 2;
        uint32_t code = bytes[0] & 0x1f;
        if (bytes[0] >= 0xf0) {
                length = 4;
                code = bytes[0] & 0x07;
        } else if (bytes[0] >= 0xe0) {
                length = 3;
                code = bytes[0] & 0x0f;
        }
        if (length > size)
                return 0;
        for (size_t i = 1; i < length; i++)
                if (!is_continuation(text[i]))
                        return 0;
        for (size_t i = 1; i < length; i++)
                code = code << 6 | (bytes[i] & 0x3f);
        bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
        bool surrogate = code >= 0xd800 && code < 0xe000, control = code < 0xa0;
        if (overlong || surrogate || control || code > 0x10ffff)
                return 0;
        return length;
}

// The bytes of a character that turns the direction of what follows it (UAX #9), and could show another name: U+061C,
// U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069. 0: it is none.
static size_t turning_length(const char *text, size_t size) {
        const unsigned char *bytes = (const unsigned char *)text;
        if (size >= 2 && bytes[0] == 0xd8 && bytes[1] == 0x9c)
                return 2;
        if (size < 3 || bytes[0] != 0xe2)
                return 0;
        unsigned char second = bytes[1], third = bytes[2];
        bool is_mark = second == 0x80 && (third == 0x8e || third == 0x8f);
        bool is_embedding = second == 0x80 && third >= 0xaa && third <= 0xae;
        bool is_isolate = second == 0x81 && third >= 0xa6 && third <= 0xa9;
        if (is_mark || is_embedding || is_isolate)
                return 3;
        return 0;
}

void mistake_printable(struct buf *buf, const char *text, size_t size) {
        while (size > 0) {
                size_t length = printable_length(text, size), turning = turning_length(text, size);
                if (turning > 0)
                        buf_append_char(buf, '?');
                else if (length > 0)
                        buf_append(buf, text, length);
                else if (*text == '\t' || *text == '\n')
                        buf_append_char(buf, *text);
                else
                        buf_append_char(buf, '?');
                size_t taken = size_max(length, 1);
                text += taken;
                size -= taken;
        }
}

// Blanks up to the column, and tabs where the line has tabs, so that what follows stands below that column. Of a line
// that was cut only what is shown counts.
static void append_indent(struct buf *buf, const char *line, size_t length, int column, bool cut) {
        size_t byte = 0;
        for (int at = 1; at < column; at++) {
                bool is_behind = byte > length || (cut && byte == length);
                if (is_behind)
                        return;
                if (byte < length && line[byte] == '\t')
                        buf_append_char(buf, '\t');
                else
                        buf_append_char(buf, ' ');
                byte++;
                while (byte < length && is_continuation(line[byte]))
                        byte++;
        }
}

void mistake_excerpt(struct buf *buf, const char *text, size_t size, int line, int column) {
        if (line < 1 || !text)
                return;
        const char *end = text + size, *start = find_line_in(text, end, line);
        if (!start || (start == end && line > 1))
                return;
        const char *newline = memchr(start, '\n', (size_t)(end - start));
        if (newline)
                end = newline;
        size_t length = (size_t)(end - start);
        if (length > 0 && start[length - 1] == '\r')
                length--;
        if (length == 0)
                return;
        bool cut = length > LINE_SHOWN_BYTES;
        if (cut)
                for (length = LINE_SHOWN_BYTES; length > 0 && is_continuation(start[length]);)
                        length--;
        buf_append_text(buf, "\n    ");
        mistake_printable(buf, start, length);
        if (cut)
                buf_append_text(buf, "...");
        buf_append_text(buf, "\n    ");
        append_indent(buf, start, length, column, cut);
        buf_append_char(buf, '^');
}
