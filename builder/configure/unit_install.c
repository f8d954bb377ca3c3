// SPDX-License-Identifier: MIT
// The [Install] section of a unit: systemd.syntax(7), and the specifiers of systemd.unit(5).
#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "configure/unit.h"

// ---- specifiers ----

struct name_part {
        const char *start;
        int length;
};

// "dir-disk@sda.service": stem "dir-disk@sda", prefix "dir-disk", last word of the prefix "disk", instance "sda".
struct name_parts {
        const char *name;
        struct name_part stem, prefix, last_word, instance;
};

static struct name_parts split_unit_name(const char *name) {
        const char *dot = strrchr(name, '.'), *at = strchr(name, '@');
        size_t stem = dot ? (size_t)(dot - name) : strlen(name);
        size_t prefix = at ? (size_t)(at - name) : stem;
        const char *dash = memrchr(name, '-', prefix);
        struct name_parts parts = {
                .name = name,
                .stem = { name, (int)stem },
                .prefix = { name, (int)prefix },
                .last_word = { name, (int)prefix },
                .instance = { "", 0 },
        };
        if (dash)
                parts.last_word = (struct name_part){ dash + 1, (int)(name + prefix - (dash + 1)) };
        if (at && stem > prefix)
                parts.instance = (struct name_part){ at + 1, (int)(stem - prefix - 1) };
        return parts;
}

static void append_name_part(struct buf *words, const struct name_part *part) {
        buf_append(words, part->start, (size_t)part->length);
}

// The specifiers that mean something before the machine is known; false for any other.
static bool append_specifier(struct buf *words, char letter, const struct name_parts *parts) {
        switch (letter) {
        case 'n':
                buf_append_text(words, parts->name);
                return true;
        case 'N':
                append_name_part(words, &parts->stem);
                return true;
        case 'p':
                append_name_part(words, &parts->prefix);
                return true;
        case 'j':
                append_name_part(words, &parts->last_word);
                return true;
        case 'i':
                append_name_part(words, &parts->instance);
                return true;
        case '%':
                buf_append_char(words, '%');
                return true;
        default:
                return false;
        }
}

static void expand_specifiers(struct buf *words, const char *word, size_t length, const char *name) {
        struct name_parts parts = split_unit_name(name);
        for (size_t i = 0; i < length; i++) {
                bool may_be_specifier = word[i] == '%' && i + 1 < length;
                if (may_be_specifier && append_specifier(words, word[i + 1], &parts))
                        i++;
                else
                        buf_append_char(words, word[i]);
        }
}

// ---- assignments ----

static void append_unit_words(struct buf *words, const char *value, const char *name) {
        if (!*value)
                buf_clear(words); // an empty assignment forgets the earlier ones
        while (*value) {
                size_t length = strcspn(value, " \t");
                if (words->size)
                        buf_append_char(words, ' ');
                expand_specifiers(words, value, length, name);
                value += length;
                value += strspn(value, " \t");
        }
}

static void take_assignment(struct unit *unit, const char *line) {
        const struct {
                const char *key;
                struct buf *words;
        } keys[] = { { "WantedBy", &unit->wanted_by },
                     { "RequiredBy", &unit->required_by },
                     { "Alias", &unit->alias },
                     { "Also", &unit->also },
                     { "DefaultInstance", &unit->default_instance } };
        const char *equals = strchr(line, '=');
        if (!equals)
                return;
        size_t key_length = (size_t)(equals - line);
        while (key_length > 0 && isspace((unsigned char)line[key_length - 1]))
                key_length--;
        const char *value = equals + 1 + strspn(equals + 1, " \t");
        size_t value_length = strlen(value);
        while (value_length > 0 && isspace((unsigned char)value[value_length - 1]))
                value_length--;
        auto_free char *key = xstrndup(line, key_length);
        auto_free char *words = xstrndup(value, value_length);
        for (size_t i = 0; i < lengthof(keys); i++)
                if (strcmp(key, keys[i].key) == 0)
                        append_unit_words(keys[i].words, words, unit->name);
}

// ---- lines ----

// Takes a line off the text, without the blanks around it.
static const char *take_unit_line(const char **text, size_t *ret_length) {
        const char *start = *text;
        size_t length = strcspn(start, "\n");
        *text += length;
        if (**text == '\n')
                ++*text;
        while (length > 0 && isspace((unsigned char)*start)) {
                start++;
                length--;
        }
        while (length > 0 && isspace((unsigned char)start[length - 1]))
                length--;
        *ret_length = length;
        return start;
}

// Joins continued lines; a comment between them is skipped and does not end them.
void unit_parse_install(struct unit *unit, const char *text) {
        bool in_install = false;
        auto_buf line = { 0 };
        while (*text) {
                size_t length;
                const char *start = take_unit_line(&text, &length);
                if (length > 0 && (*start == '#' || *start == ';'))
                        continue;
                bool continued = length > 0 && start[length - 1] == '\\';
                buf_append(&line, start, length - continued);
                if (continued && *text) {
                        buf_append_char(&line, ' ');
                        continue;
                }
                if (line.size && line.data[0] == '[')
                        in_install = strcmp(line.data, "[Install]") == 0;
                else if (line.size && in_install)
                        take_assignment(unit, line.data);
                buf_clear(&line);
        }
        unit->has_install = unit->wanted_by.size || unit->required_by.size || unit->alias.size || unit->also.size;
}
