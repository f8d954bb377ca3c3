// SPDX-License-Identifier: MIT
#include "packages/metadata/xml_guard.h"

#include <assert.h>
#include <string.h>

static void begin_tag(struct xml_guard *guard, char first) {
        guard->part = XML_TAG;
        guard->element_bytes = 0;
        guard->name_length = 0;
        guard->quote = 0;
        guard->last = first;
        guard->name[guard->name_length++] = first;
        if (first == '/')
                guard->depth--;
        else
                guard->depth++;
}

static void end_tag(struct xml_guard *guard) {
        if (guard->last == '/' && guard->name[0] != '/')
                guard->depth--;
        if (guard->name_length == sizeof guard->name && memcmp(guard->name, "package", 7) == 0)
                guard->packages++;
        guard->part = XML_TEXT;
}

static void look_into_tag(struct xml_guard *guard, char byte) {
        if (guard->name_length < sizeof guard->name)
                guard->name[guard->name_length++] = byte;
        if (guard->quote) {
                if (byte == guard->quote)
                        guard->quote = 0;
        } else if (byte == '"' || byte == '\'') {
                guard->quote = byte;
        } else if (byte == '>') {
                end_tag(guard);
        }
        guard->last = byte;
}

// A section that ends with `count` times `mark` and ">".
static void look_for_end(struct xml_guard *guard, char byte, char mark, unsigned count) {
        if (byte == mark) {
                guard->repeated++;
                return;
        }
        if (byte == '>' && guard->repeated >= count)
                guard->part = XML_TEXT;
        guard->repeated = 0;
}

static void look_behind_bang(struct xml_guard *guard, char byte) {
        guard->repeated = 0;
        guard->quote = 0;
        if (byte == '-')
                guard->part = XML_COMMENT_OPEN;
        else if (byte == '[')
                guard->part = XML_CDATA;
        else
                guard->part = XML_DECLARATION;
}

static void look_behind_open(struct xml_guard *guard, char byte) {
        guard->repeated = 0;
        if (byte == '!')
                guard->part = XML_BANG;
        else if (byte == '?')
                guard->part = XML_INSTRUCTION;
        else
                begin_tag(guard, byte);
}

// <!DOCTYPE ...> names the type of the text and where it is defined. Definitions of its own, in [ ], could make much of
// little.
static const char *look_into_declaration(struct xml_guard *guard, char byte) {
        if (guard->quote) {
                if (byte == guard->quote)
                        guard->quote = 0;
        } else if (byte == '"' || byte == '\'') {
                guard->quote = byte;
        } else if (byte == '[') {
                return "it defines entities of its own";
        } else if (byte == '>') {
                guard->part = XML_TEXT;
        }
        return NULL;
}

static const char *xml_guard_look(struct xml_guard *guard, char byte) {
        switch (guard->part) {
        case XML_TEXT:
                break;
        case XML_OPEN:
                look_behind_open(guard, byte);
                break;
        case XML_TAG:
                look_into_tag(guard, byte);
                break;
        case XML_BANG:
                look_behind_bang(guard, byte);
                break;
        case XML_COMMENT_OPEN:
                guard->part = XML_COMMENT;
                break;
        case XML_COMMENT:
                look_for_end(guard, byte, '-', 2);
                break;
        case XML_CDATA:
                look_for_end(guard, byte, ']', 2);
                break;
        case XML_INSTRUCTION:
                look_for_end(guard, byte, '?', 1);
                break;
        case XML_DECLARATION:
                return look_into_declaration(guard, byte);
        }
        return NULL;
}

static const char *check_limits(const struct xml_guard *guard) {
        if (guard->element_bytes > XML_ELEMENT_MAX)
                return "one of its elements is longer than 4 MiB";
        if (guard->depth > XML_DEPTH_MAX)
                return "its elements are nested more than 64 deep";
        if (guard->packages > XML_PACKAGES_MAX)
                return "it lists more than 1000000 packages";
        return NULL;
}

// Text up to the next "<".
static const char *pass_text(struct xml_guard *guard, const char *next, const char *end) {
        const char *open = memchr(next, '<', (size_t)(end - next));
        if (!open)
                return end;
        guard->part = XML_OPEN;
        return open + 1;
}

// What of a tag, behind its name, is neither its end nor a quote, or within quotes.
static const char *pass_attributes(struct xml_guard *guard, const char *next, const char *end) {
        const char *begin = next;
        if (guard->quote) {
                next = memchr(next, guard->quote, (size_t)(end - next));
                if (!next)
                        next = end;
        } else {
                while (next < end && *next != '>' && *next != '"' && *next != '\'')
                        next++;
        }
        if (next > begin)
                guard->last = next[-1];
        return next;
}

const char *xml_guard_check(struct xml_guard *guard, const char *bytes, size_t size) {
        assert(guard->max_bytes > 0);
        const char *next = bytes;
        const char *end = bytes + size;
        guard->bytes += size;
        if (guard->bytes > guard->max_bytes)
                return "it unpacks to more than its limit";
        while (next < end) {
                const char *wrong = NULL;
                const char *before = next;
                if (guard->part == XML_TEXT)
                        next = pass_text(guard, next, end);
                else if (guard->part == XML_TAG && guard->name_length == sizeof guard->name)
                        next = pass_attributes(guard, next, end);
                if (next == before)
                        wrong = xml_guard_look(guard, *next++);
                guard->element_bytes += (uint64_t)(next - before);
                if (!wrong)
                        wrong = check_limits(guard);
                if (wrong)
                        return wrong;
        }
        return NULL;
}
