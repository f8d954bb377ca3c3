// SPDX-License-Identifier: MIT
#include "shared/secrets.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

static const char word_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
static const char byte_order_mark[] = "\xef\xbb\xbf";

void buf_wipe(struct buf *buf) {
        if (buf->data)
                explicit_bzero(buf->data, buf->capacity);
        buf_release(buf);
}

// ---- names and values ----

// The text need not end with a NUL.
static bool is_word(const char *text, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (!text[i] || !strchr(word_characters, text[i]))
                        return false;
        return size > 0 && size <= SECRET_NAME_MAX;
}

static bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

bool secret_name_is_valid(const char *name) { return is_word(name, strlen(name)) && !is_digit(name[0]); }

static bool is_value_byte(char byte) {
        unsigned char number = (unsigned char)byte;
        return number == '\t' || number == '\n' || (number >= ' ' && number != 0x7f);
}

bool secret_value_check(const char *value, size_t size, struct err *err) {
        if (size == 0)
                return fail(err, ERR_USAGE, 0, "the value is empty");
        for (size_t i = 0; i < size; i++)
                if (!is_value_byte(value[i]))
                        return fail(err, ERR_USAGE, 0, "the value has a control character or a NUL byte");
        if (value[size - 1] == '\n')
                return fail(err, ERR_USAGE, 0, "the value ends with an empty line");
        return true;
}

// ---- reading ----

// A text that is read line by line; `line` counts from 1.
struct secrets_reader {
        const char *text;
        size_t size, at, line;
        struct secrets *into;
        struct err *err;
};

// What is wrong is said of a line by its number alone: the line may hold a value.
static bool refuse_secret_line(struct secrets_reader *reader, size_t line, const char *problem) {
        return fail(reader->err, ERR_SYNTAX, 0, "line %zu: %s", line, problem);
}

// The next line without its end; false after the last one.
static bool next_line(struct secrets_reader *reader, const char **ret, size_t *ret_size) {
        if (reader->at == reader->size)
                return false;
        const char *start = reader->text + reader->at;
        const char *newline = memchr(start, '\n', reader->size - reader->at);
        size_t size = reader->size - reader->at;
        if (newline)
                size = (size_t)(newline - start);
        reader->at += size + (newline != NULL);
        reader->line++;
        if (size > 0 && start[size - 1] == '\r')
                size--;
        *ret = start;
        *ret_size = size;
        return true;
}

static bool read_value_of_line(struct secrets_reader *reader, const char *text, size_t size, char **ret) {
        if (size == 0)
                return refuse_secret_line(reader, reader->line, "no value behind `=`");
        bool blank_edge = strchr(" \t", text[0]) || strchr(" \t", text[size - 1]);
        if (blank_edge)
                return refuse_secret_line(
                    reader, reader->line,
                    "a blank at the begin or end of the value: leave it out, or write NAME<<END, the "
                    "value in lines of its own, and END");
        *ret = xstrndup(text, size);
        return true;
}

// Up to the line that is `end` alone.
static bool read_value_of_lines(struct secrets_reader *reader, const char *end, size_t end_size, char **ret) {
        size_t first = reader->line, size;
        const char *line;
        auto_wiped value = { 0 };
        buf_reserve(&value, reader->size); // so that no copy stays behind where it was before it grew
        if (!is_word(end, end_size))
                return refuse_secret_line(reader, first,
                                          "`<<` needs a word behind it, which ends the value: letters, digits");
        while (next_line(reader, &line, &size)) {
                bool is_end = size == end_size && memcmp(line, end, size) == 0;
                if (is_end && value.size < 2)
                        return refuse_secret_line(reader, first, "no value before the word that ends it");
                if (is_end && value.data[value.size - 2] == '\n')
                        return refuse_secret_line(reader, reader->line,
                                                  "the value ends with an empty line: leave it out");
                if (is_end) {
                        *ret = xstrndup(buf_text(&value), value.size - 1);
                        return true;
                }
                buf_append(&value, line, size);
                buf_append_char(&value, '\n');
        }
        return refuse_secret_line(reader, first,
                                  "the value that begins here has no end: the word behind `<<` alone in a line");
}

static bool check_new_name(struct secrets_reader *reader, const char *name) {
        if (!secret_name_is_valid(name))
                return refuse_secret_line(reader, reader->line,
                                          "the name before `=` or `<<` is none: " SECRET_NAME_MEANS);
        for (size_t i = 0; i + 1 < reader->into->count; i++)
                if (strcmp(reader->into->items[i].name, name) == 0)
                        return refuse_secret_line(reader, reader->line, "the name was given before");
        return true;
}

static bool read_secret(struct secrets_reader *reader, const char *line, size_t size) {
        size_t start = (size_t)(line - reader->text), name_size = 0;
        while (name_size < size && line[name_size] != '=' && line[name_size] != '<')
                name_size++;
        const char *rest = line + name_size;
        size_t rest_size = size - name_size;
        bool is_line = rest_size > 0 && rest[0] == '=';
        bool is_block = rest_size > 1 && memcmp(rest, "<<", 2) == 0;
        if (!is_line && !is_block)
                return refuse_secret_line(reader, reader->line, "neither NAME=VALUE nor NAME<<END nor a # comment");
        if (reader->into->count == SECRETS_MAX)
                return refuse_secret_line(reader, reader->line, "more than 256 secrets");
        struct secret *secret = array_append(&reader->into->items, &reader->into->count);
        *secret = (struct secret){ .name = xstrndup(line, name_size), .start = start };
        if (!check_new_name(reader, secret->name))
                return false;
        if (is_line && !read_value_of_line(reader, rest + 1, rest_size - 1, &secret->value))
                return false;
        if (is_block && !read_value_of_lines(reader, rest + 2, rest_size - 2, &secret->value))
                return false;
        secret->end = reader->at;
        return true;
}

static bool check_bytes(struct secrets_reader *reader) {
        size_t line = 1;
        for (size_t i = reader->at; i < reader->size; i++) {
                bool ends_line = reader->text[i] == '\r' && i + 1 < reader->size && reader->text[i + 1] == '\n';
                if (!is_value_byte(reader->text[i]) && !ends_line)
                        return refuse_secret_line(reader, line, "a control character or a NUL byte: this is no text");
                line += reader->text[i] == '\n';
        }
        return true;
}

bool secrets_parse(const char *text, size_t size, struct secrets *ret, struct err *err) {
        struct secrets_reader reader = { .text = text, .size = size, .into = ret, .err = err };
        const char *line;
        size_t line_size;
        assert(ret->count == 0);
        if (size > SECRETS_FILE_MAX_BYTES)
                return fail(err, ERR_SYNTAX, 0, "it has %zu bytes, and at most %d are read", size,
                            SECRETS_FILE_MAX_BYTES);
        if (size >= strlen(byte_order_mark) && memcmp(text, byte_order_mark, strlen(byte_order_mark)) == 0)
                reader.at = strlen(byte_order_mark);
        if (!check_bytes(&reader))
                return false;
        while (next_line(&reader, &line, &line_size)) {
                size_t blanks = 0;
                while (blanks < line_size && strchr(" \t", line[blanks]))
                        blanks++;
                bool is_nothing = blanks == line_size || line[blanks] == '#';
                if (!is_nothing && !read_secret(&reader, line, line_size))
                        return false;
        }
        return true;
}

const char *secrets_value(const struct secrets *secrets, const char *name) {
        for (size_t i = 0; i < secrets->count; i++)
                if (strcmp(secrets->items[i].name, name) == 0)
                        return secrets->items[i].value;
        return NULL;
}

void secrets_release(struct secrets *secrets) {
        for (size_t i = 0; i < secrets->count; i++) {
                struct secret *secret = &secrets->items[i];
                if (secret->value)
                        explicit_bzero(secret->value, strlen(secret->value));
                free(secret->value);
                free(secret->name);
        }
        free(secrets->items);
        *secrets = (struct secrets){ 0 };
}

// ---- writing ----

static bool has_line_of(const char *value, const char *word) {
        size_t size = strlen(word);
        for (const char *line = value; line;) {
                if (strncmp(line, word, size) == 0 && (line[size] == '\n' || line[size] == '\0'))
                        return true;
                line = strchr(line, '\n');
                if (line)
                        line++;
        }
        return false;
}

void secret_format(const char *name, const char *value, struct buf *ret) {
        size_t size = strlen(value);
        char word[32] = "END";
        assert(secret_name_is_valid(name) && size > 0);
        bool blank_edge = strchr(" \t", value[0]) || strchr(" \t", value[size - 1]);
        if (!blank_edge && !strchr(value, '\n')) {
                buf_printf(ret, "%s=%s\n", name, value);
                return;
        }
        for (unsigned i = 2; has_line_of(value, word); i++)
                snprintf(word, sizeof word, "END%u", i);
        buf_printf(ret, "%s<<%s\n%s\n%s\n", name, word, value, word);
}
