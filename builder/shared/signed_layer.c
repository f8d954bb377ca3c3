// SPDX-License-Identifier: MIT
#include "shared/signed_layer.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LINE "kiln-layer 1"

enum { MODE_MAX = 07777, MODE_DIGITS = 4, ENTRY_FIELDS_MAX = 7 };

// ---- names ----

static bool is_plain(unsigned char byte) { return byte > ' ' && byte < 0x7f && byte != '%'; }

static void append_escaped(struct buf *buf, const char *text) {
        for (; *text; text++) {
                unsigned char byte = (unsigned char)*text;
                if (is_plain(byte))
                        buf_append_char(buf, (char)byte);
                else
                        buf_printf(buf, "%%%02X", byte);
        }
}

// The value of an upper-case hexadecimal digit, or -1.
static int hex_value(char digit) {
        static const char digits[] = "0123456789ABCDEF";
        const char *found = digit ? strchr(digits, digit) : NULL;
        return found ? (int)(found - digits) : -1;
}

// In place. False for an escape that append_escaped() does not write.
static bool unescape(char *text) {
        char *to = text;
        for (const char *from = text; *from; from++) {
                if (*from != '%') {
                        *to++ = *from;
                        continue;
                }
                int high = hex_value(from[1]);
                int low = high < 0 ? -1 : hex_value(from[2]);
                if (low < 0)
                        return false;
                unsigned char byte = (unsigned char)(high << 4 | low);
                if (byte == 0 || is_plain(byte))
                        return false;
                *to++ = (char)byte;
                from += 2;
        }
        *to = '\0';
        return true;
}

// ---- writing ----

static int compare_layer_entries(const void *left, const void *right) {
        return strcmp(((const struct layer_entry *)left)->path, ((const struct layer_entry *)right)->path);
}

static void append_entry(struct buf *buf, const struct layer_entry *entry) {
        buf_printf(buf, "%c %04o %u %u ", entry->type, entry->mode, entry->uid, entry->gid);
        if (entry->type == 'f')
                buf_printf(buf, "%llu %s ", (unsigned long long)entry->size_bytes, entry->sha256);
        if (entry->type == 'c' || entry->type == 'b')
                buf_printf(buf, "%u:%u ", entry->major, entry->minor);
        if (entry->type == 'l') {
                append_escaped(buf, entry->target);
                buf_append_char(buf, ' ');
        }
        append_escaped(buf, entry->path);
        buf_append_char(buf, '\n');
}

static void append_name(struct buf *buf, const char *what, const char *name) {
        buf_printf(buf, "%s ", what);
        append_escaped(buf, name);
        buf_append_char(buf, '\n');
}

void signed_layer_format(struct signed_layer *layer, struct buf *ret) {
        if (layer->count)
                qsort(layer->entries, layer->count, sizeof *layer->entries, compare_layer_entries);
        buf_append_text(ret, FIRST_LINE "\n");
        append_name(ret, "cluster", layer->cluster);
        append_name(ret, "role", layer->role);
        append_name(ret, "build", layer->build);
        buf_printf(ret, "serial %llu\n", (unsigned long long)layer->serial);
        buf_printf(ret, "root %s %llu\n", layer->root_sha256, (unsigned long long)layer->root_size_bytes);
        for (size_t i = 0; i < layer->count; i++)
                append_entry(ret, &layer->entries[i]);
}

// ---- reading ----

// Decimal without leading zeros, or octal; nothing before or after it, not above `max`.
static bool read_digits(const char *text, int base, uint64_t max, uint64_t *ret) {
        char *end;
        bool has_leading_zero = base == 10 && text[0] == '0' && text[1] != '\0';
        if (!isdigit((unsigned char)*text) || has_leading_zero || strlen(text) > 20)
                return false;
        errno = 0;
        unsigned long long value = strtoull(text, &end, base);
        *ret = value;
        return *end == '\0' && errno == 0 && value <= max;
}

static bool read_unsigned(const char *text, unsigned *ret) {
        uint64_t value;
        if (!read_digits(text, 10, UINT32_MAX, &value))
                return false;
        *ret = (unsigned)value;
        return true;
}

static bool read_sha256(const char *text, char ret[static LAYER_SHA256_SIZE]) {
        if (strlen(text) != LAYER_SHA256_SIZE - 1 || strspn(text, "0123456789abcdef") != LAYER_SHA256_SIZE - 1)
                return false;
        memcpy(ret, text, LAYER_SHA256_SIZE);
        return true;
}

static bool read_device(char *text, struct layer_entry *entry) {
        char *colon = strchr(text, ':');
        if (!colon)
                return false;
        *colon = '\0';
        return read_unsigned(text, &entry->major) && read_unsigned(colon + 1, &entry->minor);
}

// Splits at single blanks; 0: too many fields.
static size_t split_fields(char *line, char *fields[static ENTRY_FIELDS_MAX]) {
        size_t count = 0;
        for (char *field; (field = strsep(&line, " "));) {
                if (count == ENTRY_FIELDS_MAX)
                        return 0;
                fields[count++] = field;
        }
        return count;
}

// A path stays below /kiln and has one form only.
static bool path_is_plain(const char *path) {
        for (const char *part = path;; part++) {
                size_t length = strcspn(part, "/");
                bool dots = (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.');
                if (length == 0 || dots)
                        return false;
                part += length;
                if (*part == '\0')
                        return true;
        }
}

// What stands between the owner and the path, by the type of the entry.
static bool read_details(char type, char **fields, size_t count, struct layer_entry *entry) {
        uint64_t size;
        switch (type) {
        case 'd':
        case 'p':
                return count == 0;
        case 'f':
                if (count != 2 || !read_digits(fields[0], 10, INT64_MAX, &size))
                        return false;
                entry->size_bytes = size;
                return read_sha256(fields[1], entry->sha256);
        case 'l':
                if (count != 1 || !unescape(fields[0]) || !*fields[0])
                        return false;
                entry->target = fields[0];
                return true;
        case 'c':
        case 'b':
                return count == 1 && read_device(fields[0], entry);
        default:
                return false;
        }
}

static bool read_layer_entry(char *line, struct layer_entry *entry) {
        char *fields[ENTRY_FIELDS_MAX];
        uint64_t mode;
        size_t count = split_fields(line, fields);
        if (count < 5 || strlen(fields[0]) != 1 || strlen(fields[1]) != MODE_DIGITS)
                return false;
        if (!read_digits(fields[1], 8, MODE_MAX, &mode))
                return false;
        if (!read_unsigned(fields[2], &entry->uid) || !read_unsigned(fields[3], &entry->gid))
                return false;
        char *path = fields[count - 1];
        if (!unescape(path) || !path_is_plain(path))
                return false;
        entry->type = fields[0][0];
        entry->mode = (unsigned)mode;
        entry->path = path;
        return read_details(entry->type, fields + 4, count - 5, entry);
}

// The value of a line "KEY VALUE"; NULL: it is another.
static char *take_value(char **rest, const char *key) {
        char *line = strsep(rest, "\n");
        size_t length = strlen(key);
        if (!line || strncmp(line, key, length) != 0 || line[length] != ' ')
                return NULL;
        return line + length + 1;
}

static bool take_name(char **rest, const char *key, const char **ret) {
        char *value = take_value(rest, key);
        *ret = value;
        return value && *value && unescape(value);
}

static bool read_header(char **rest, struct signed_layer *ret) {
        const char *first = strsep(rest, "\n");
        if (!first || strcmp(first, FIRST_LINE) != 0)
                return false;
        if (!take_name(rest, "cluster", &ret->cluster) || !take_name(rest, "role", &ret->role))
                return false;
        if (!take_name(rest, "build", &ret->build))
                return false;
        const char *serial = take_value(rest, "serial");
        if (!serial || !read_digits(serial, 10, UINT64_MAX, &ret->serial))
                return false;
        char *root = take_value(rest, "root");
        char *size = root ? strchr(root, ' ') : NULL;
        if (!size)
                return false;
        *size++ = '\0';
        return read_sha256(root, ret->root_sha256) && read_digits(size, 10, INT64_MAX, &ret->root_size_bytes);
}

static size_t count_lines(const char *text) {
        size_t count = 0;
        for (; (text = strchr(text, '\n')); text++)
                count++;
        return count;
}

bool signed_layer_parse(const char *text, size_t size, struct arena *arena, struct signed_layer *ret, struct err *err) {
        *ret = (struct signed_layer){ 0 };
        bool whole = size > 0 && size <= SIGNED_LAYER_MAX_BYTES && text[size - 1] == '\n' && !memchr(text, '\0', size);
        if (!whole)
                return fail(err, ERR_SIGNATURE, 0, "the list of the configuration layer is cut short");
        char *rest = arena_strndup(arena, text, size);
        rest[size - 1] = '\0'; // so that no empty line follows the last one
        if (!read_header(&rest, ret))
                return fail(err, ERR_SIGNATURE, 0, "the list of the configuration layer does not begin as one");
        if (!rest)
                return true;
        size_t most = count_lines(rest) + 1;
        ret->entries = arena_alloc(arena, most * sizeof *ret->entries);
        for (char *line; (line = strsep(&rest, "\n"));) {
                struct layer_entry *entry = &ret->entries[ret->count];
                *entry = (struct layer_entry){ 0 };
                assert(ret->count < most);
                if (!read_layer_entry(line, entry))
                        return fail(err, ERR_SIGNATURE, 0,
                                    "line %zu of the list of the configuration layer is malformed", ret->count + 7);
                if (ret->count && strcmp(entry[-1].path, entry->path) >= 0)
                        return fail(err, ERR_SIGNATURE, 0, "the list of the configuration layer is not in order at %s",
                                    entry->path);
                ret->count++;
        }
        return true;
}

const struct layer_entry *signed_layer_find(const struct signed_layer *layer, const char *path) {
        if (!layer->count)
                return NULL;
        return bsearch(&(struct layer_entry){ .path = path }, layer->entries, layer->count, sizeof *layer->entries,
                       compare_layer_entries);
}
