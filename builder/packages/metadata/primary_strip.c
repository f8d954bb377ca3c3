// SPDX-License-Identifier: MIT
// primary.xml without what no solver reads. Summaries, descriptions and the like are a quarter of it and the
// indentation a tenth; libsolv would parse them only for kiln to forget them.
//
// This is not an XML parser, and needs to be none: in well-formed XML a "<" is always markup, but for comments, CDATA
// sections, declarations and processing instructions. From the first of those on everything is passed as it is. An
// element is left out only if it is written <NAME>text</NAME>, without attributes, and the text holds no "<"; or, of
// those without contents, <NAME key="value" .../>.
#include "packages/metadata/primary_strip.h"

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
        ELEMENT("summary"),   ELEMENT("description"),   ELEMENT("packager"),
        ELEMENT("url"),       ELEMENT("rpm:license"),   ELEMENT("rpm:vendor"),
        ELEMENT("rpm:group"), ELEMENT("rpm:buildhost"), ELEMENT("rpm:sourcerpm"),
};
static const struct element empties[] = { ELEMENT("time"), ELEMENT("rpm:header-range") };

// The length of the name if the start tag at `tag` has one of these and `after` follows; else 0.
static size_t find_name(const struct element *elements, size_t count, const char *tag, size_t size, char after) {
        for (size_t i = 0; i < count; i++) {
                size_t length = elements[i].size;
                if (size > length + 1 && tag[1] == elements[i].name[0] && tag[length + 1] == after &&
                    memcmp(tag + 1, elements[i].name, length) == 0)
                        return length;
        }
        return 0;
}

// An end of a tag is one that no quotes enclose.
static ssize_t empty_size(const char *tag, size_t size, bool more) {
        const char *end = memchr(tag, '>', size);
        size_t quotes = 0;
        if (!end)
                return more ? -1 : 0;
        for (const char *next = tag; next < end; next++) {
                if (*next == '\'')
                        return 0;
                quotes += *next == '"';
        }
        return end[-1] == '/' && quotes % 2 == 0 ? end + 1 - tag : 0;
}

static ssize_t text_size(const char *tag, size_t size, size_t length, bool more) {
        const char *end = memchr(tag + 1, '<', size - 1);
        size_t need = length + 3; // </NAME>
        size_t left = end ? size - (size_t)(end - tag) : 0;
        if (left < need)
                return more ? -1 : 0;
        bool closed = end[1] == '/' && end[need - 1] == '>' && memcmp(end + 2, tag + 1, length) == 0;
        return closed ? end + need - tag : 0;
}

// The size of a whole element at `tag` that is to be left out; 0: it is none; -1: more bytes would tell.
static ssize_t dropped_size(const char *tag, size_t size, bool more) {
        if (more && size < LONGEST_NAME + 2)
                return -1;
        size_t length = find_name(texts, lengthof(texts), tag, size, '>');
        if (length > 0)
                return text_size(tag, size, length, more);
        return find_name(empties, lengthof(empties), tag, size, ' ') > 0 ? empty_size(tag, size, more) : 0;
}

static bool is_blank(char byte) { return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r'; }

// The end of the text before a start tag, without the indentation between it and the markup before.
static const char *trim(const char *text, const char *end, bool after_markup) {
        const char *last = end;
        while (last > text && is_blank(last[-1]))
                last--;
        return (last > text ? last[-1] == '>' : after_markup) ? last : end;
}

static char *put(char *to, const char *from, const char *end) {
        memmove(to, from, (size_t)(end - from));
        return to + (end - from);
}

static bool is_other_markup(const struct prose *prose, const char *tag, const char *bytes, const char *end) {
        if (tag + 1 == end || (tag[1] != '!' && tag[1] != '?'))
                return false;
        bool declaration = !prose->begun && tag == bytes && tag[1] == '?'; // <?xml ... ?>
        return !declaration;
}

size_t prose_remove(struct prose *prose, char *bytes, size_t size, bool more, size_t *ret_used) {
        const char *next = bytes, *end = bytes + size;
        char *output = bytes;
        for (const char *tag; !prose->given_up && (tag = memchr(next, '<', (size_t)(end - next))) != NULL;) {
                ssize_t skipped = tag + 1 < end || !more ? dropped_size(tag, (size_t)(end - tag), more) : -1;
                if (skipped < 0)
                        break;
                prose->given_up = is_other_markup(prose, tag, bytes, end);
                prose->begun = true;
                bool starts = tag + 1 < end && tag[1] != '/' && !prose->given_up;
                output = put(output, next, starts ? trim(next, tag, prose->after_dropped) : tag);
                if (skipped == 0)
                        output = put(output, tag, tag + 1);
                next = tag + (skipped ? skipped : 1);
                prose->after_dropped = skipped > 0;
        }
        prose->given_up |= next == bytes && size == PROSE_WINDOW;
        if (prose->given_up || !more) {
                output = put(output, next, end);
                next = end;
        }
        *ret_used = (size_t)(next - bytes);
        return (size_t)(output - bytes);
}
