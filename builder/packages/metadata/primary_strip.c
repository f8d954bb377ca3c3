// SPDX-License-Identifier: MIT
// This is not an XML parser, and needs to be none: in well-formed XML a "<" is always markup, but for comments, CDATA
// sections, declarations and processing instructions. From the first of those on everything is passed as it is. An
// element is left out only if it is written <NAME>text</NAME>, without attributes, and the text holds no "<"; or, of
// those without contents, <NAME key="value" .../>.
#include "packages/metadata/primary_strip.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum { LONGEST_NAME = 16 };

struct element {
        const char *name;
        size_t size;
};
#define ELEMENT(name)                                                                                                  \
        { name, sizeof(name) - 1 }
static const struct element texts[] = {
        ELEMENT("summary"),   ELEMENT("description"),   ELEMENT("packager"),      ELEMENT("url"),
        ELEMENT("rpm:group"), ELEMENT("rpm:buildhost"), ELEMENT("rpm:sourcerpm"),
};
static const struct element empties[] = { ELEMENT("time"), ELEMENT("rpm:header-range") };

// The length of the name if the tag at `tag` has one of these names, followed by `after`; else 0.
static size_t find_name(const struct element *elements, size_t count, const char *tag, size_t size, char after) {
        for (size_t i = 0; i < count; i++) {
                size_t length = elements[i].size;
                if (size > length + 1 && tag[1] == elements[i].name[0] && tag[length + 1] == after &&
                    memcmp(tag + 1, elements[i].name, length) == 0)
                        return length;
        }
        return 0;
}

// The result of the functions below when the bytes at hand do not tell: -1, or 0 where no more will come.
static ssize_t if_more(bool more) {
        if (more)
                return -1;
        return 0;
}

// The size of <NAME key="value" .../>. Its end is the first ">", unless quotes enclose that: then it is left alone.
static ssize_t empty_size(const char *tag, size_t size, bool more) {
        const char *end = memchr(tag, '>', size);
        size_t quotes = 0;
        if (!end)
                return if_more(more);
        for (const char *next = tag; next < end; next++) {
                if (*next == '\'')
                        return 0;
                quotes += *next == '"';
        }
        bool closed = end[-1] == '/' && quotes % 2 == 0;
        if (!closed)
                return 0;
        return end + 1 - tag;
}

// The size of <NAME>text</NAME>.
static ssize_t text_size(const char *tag, size_t size, size_t length, bool more) {
        const char *end = memchr(tag + 1, '<', size - 1);
        size_t need = length + 3; // </NAME>
        bool whole = end && size - (size_t)(end - tag) >= need;
        if (!whole)
                return if_more(more);
        bool closed = end[1] == '/' && end[need - 1] == '>' && memcmp(end + 2, tag + 1, length) == 0;
        if (!closed)
                return 0;
        return end + need - tag;
}

// The size of the element at `tag` if it is to be left out; 0: it is not; -1: more bytes are needed to tell.
static ssize_t dropped_size(const char *tag, size_t size, bool more) {
        if (more && size < LONGEST_NAME + 2)
                return -1;
        size_t length = find_name(texts, lengthof(texts), tag, size, '>');
        if (length > 0)
                return text_size(tag, size, length, more);
        if (find_name(empties, lengthof(empties), tag, size, ' ') > 0)
                return empty_size(tag, size, more);
        return 0;
}

static bool is_xml_space(char byte) { return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r'; }

// The end of the text before a start tag, without the indentation between it and the markup before.
static const char *without_indentation(const char *text, const char *end, bool after_markup) {
        const char *last = end;
        while (last > text && is_xml_space(last[-1]))
                last--;
        if (last > text)
                after_markup = last[-1] == '>';
        if (after_markup)
                return last;
        return end;
}

static char *move_bytes(char *to, const char *from, const char *end) {
        memmove(to, from, (size_t)(end - from));
        return to + (end - from);
}

// Comments, CDATA sections, declarations and processing instructions, but for <?xml ... ?> at the very beginning.
static bool is_other_markup(const struct strip *strip, const char *tag, const char *bytes, const char *end) {
        if (tag + 1 == end)
                return false;
        if (tag[1] == '?')
                return strip->begun || tag != bytes;
        return tag[1] == '!';
}

size_t primary_strip(struct strip *strip, char *bytes, size_t size, bool more, size_t *ret_used) {
        assert(size <= STRIP_WINDOW);
        const char *next = bytes, *end = bytes + size;
        char *output = bytes;
        while (!strip->given_up) {
                const char *tag = memchr(next, '<', (size_t)(end - next));
                if (!tag)
                        break;
                ssize_t dropped = dropped_size(tag, (size_t)(end - tag), more);
                if (dropped < 0)
                        break;
                strip->given_up = is_other_markup(strip, tag, bytes, end);
                strip->begun = true;
                bool is_start_tag = tag + 1 < end && tag[1] != '/' && !strip->given_up;
                const char *text_end = tag;
                if (is_start_tag)
                        text_end = without_indentation(next, tag, strip->after_dropped);
                output = move_bytes(output, next, text_end);
                next = tag + dropped;
                if (dropped == 0) {
                        output = move_bytes(output, tag, tag + 1);
                        next = tag + 1;
                }
                strip->after_dropped = dropped > 0;
        }
        if (next == bytes && size == STRIP_WINDOW)
                strip->given_up = true; // an element as large as the window
        if (strip->given_up || !more) {
                output = move_bytes(output, next, end);
                next = end;
        }
        *ret_used = (size_t)(next - bytes);
        return (size_t)(output - bytes);
}
