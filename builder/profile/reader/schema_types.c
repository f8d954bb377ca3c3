// SPDX-License-Identifier: MIT
// The kinds of values that rows of schema tables may name.
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <string.h>
#include <strings.h>

#include "base/mistake.h"
#include "profile/reader/names.h"
#include "profile/reader/schema.h"

static void *member_at(void *object, size_t offset) { return (char *)object + offset; }

static void store_text(void *object, size_t offset, const char *text) {
        memcpy(member_at(object, offset), &text, sizeof text);
}

static void report_wrong_value(const struct schema_reader *reader, const struct schema_field *row,
                               const struct value *value, const char *what) {
        report(reader->diagnostics, ERR_SCHEMA, &value->place, "`%s` must be %s, not %s", row->key, what,
               value_describe(reader->arena, value));
}

static bool is_plain_scalar(const struct value *value) { return value->type == VALUE_SCALAR && !value->quoted; }

// ---- texts ----

static bool has_control(const char *text) {
        for (; *text; text++)
                if (iscntrl((unsigned char)*text) && *text != '\n' && *text != '\t')
                        return true;
        return false;
}

// Each is compiled once and kept: that costs as much as matching a hundred texts, an inventory has thousands of texts,
// and the tables have a dozen patterns.
static const regex_t *compiled_pattern(const char *pattern) {
        static struct {
                const char *pattern;
                regex_t compiled;
        } * known;
        static size_t known_count;
        for (size_t i = 0; i < known_count; i++)
                if (known[i].pattern == pattern)
                        return &known[i].compiled;
        regex_t compiled;
        if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
                abort(); // a defect of a table
        size_t last = known_count;
        *array_append(&known, &known_count) = (typeof(*known)){ pattern, compiled };
        return &known[last].compiled;
}

static bool pattern_matches(const char *pattern, const char *text) {
        return regexec(compiled_pattern(pattern), text, 0, NULL, 0) == 0;
}

static bool is_choice(const char *const *choices, const char *text, int *ret_index) {
        for (int i = 0; choices[i]; i++) {
                if (strcmp(choices[i], text) == 0) {
                        *ret_index = i;
                        return true;
                }
        }
        return false;
}

static bool check_choice(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                         int *ret_index) {
        if (is_choice(row->choices, value->text, ret_index))
                return true;
        auto_buf list = { 0 };
        struct nearest nearest = { .wanted = value->text };
        for (size_t i = 0; row->choices[i]; i++) {
                bool is_last = !row->choices[i + 1];
                if (i > 0 && is_last)
                        buf_append_text(&list, " or ");
                else if (i > 0)
                        buf_append_text(&list, ", ");
                buf_printf(&list, "`%s`", row->choices[i]);
                nearest_offer(&nearest, row->choices[i]);
        }
        report_wrong_value(reader, row, value, buf_text(&list));
        report_nearest(reader->diagnostics, nearest.best);
        return false;
}

static bool check_text_value(const struct schema_reader *reader, const struct schema_field *row,
                             const struct value *value, const char *what) {
        int index;
        if (value->type != VALUE_SCALAR) {
                report_wrong_value(reader, row, value, what);
        } else if (has_control(value->text)) {
                report(reader->diagnostics, ERR_SCHEMA, &value->place, "`%s` holds a control character", row->key);
        } else if (row->choices) {
                return check_choice(reader, row, value, &index);
        } else if (row->pattern && !pattern_matches(row->pattern, value->text)) {
                report_wrong_value(reader, row, value, row->pattern_means);
        } else {
                return true;
        }
        return false;
}

static void read_text_value(const struct schema_reader *reader, const struct schema_field *row,
                            const struct value *value, void *object) {
        const char *text = "";
        if (check_text_value(reader, row, value, "a text"))
                text = value->text;
        store_text(object, row->offset, text);
}
const struct schema_type type_text = { "a text", "string", NULL, read_text_value };
const struct schema_type type_number_text = { "a number", "string|integer", NULL, read_text_value };

static void read_choice(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                        void *object) {
        int index;
        if (value->type != VALUE_SCALAR)
                report_wrong_value(reader, row, value, "a text");
        else if (check_choice(reader, row, value, &index))
                memcpy(member_at(object, row->offset), &index, sizeof index);
}
const struct schema_type type_choice = { "a text", "string", NULL, read_choice };

bool image_path_is_plain(const char *path) {
        if (path[0] != '/' || path[1] == '\0')
                return false;
        for (const char *part = path; *part;) {
                size_t length = strcspn(part + 1, "/");
                bool dots = (length == 1 && part[1] == '.') || (length == 2 && part[1] == '.' && part[2] == '.');
                if (length == 0 || dots)
                        return false;
                part += 1 + length;
        }
        return !has_control(path) && !strpbrk(path, "\n\t");
}

static const char path_means[] = "an absolute path without `.`, `..`, `//` or a final `/`";

static bool check_path(const struct schema_reader *reader, const struct schema_field *row, const struct value *value) {
        if (value->type == VALUE_SCALAR && image_path_is_plain(value->text))
                return true;
        report_wrong_value(reader, row, value, path_means);
        return false;
}

static void read_image_path(const struct schema_reader *reader, const struct schema_field *row,
                            const struct value *value, void *object) {
        const char *path = "";
        if (check_path(reader, row, value))
                path = value->text;
        store_text(object, row->offset, path);
}
const struct schema_type type_path = { "an absolute path", "string", "^/", read_image_path };

// ---- lists of texts ----

typedef bool check_item(const struct schema_reader *reader, const struct schema_field *row, const struct value *value);

static bool check_text_item(const struct schema_reader *reader, const struct schema_field *row,
                            const struct value *value) {
        if (!check_text_value(reader, row, value, "a list of texts"))
                return false;
        if (value->text[0] != '\0')
                return true;
        report(reader->diagnostics, ERR_SCHEMA, &value->place, "an empty text in `%s`", row->key);
        return false;
}

static void read_list_of(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                         void *object, check_item *check) {
        struct value *const single[] = { (struct value *)value };
        struct value *const *items = value->items;
        size_t count = value->count;
        if (value->type != VALUE_LIST) {
                if (!row->or_one || value->type != VALUE_SCALAR) {
                        report_wrong_value(reader, row, value, row->type->what);
                        return;
                }
                items = single;
                count = 1;
        }
        struct strings strings = { arena_alloc(reader->arena, (count + 1) * sizeof(char *)), 0 };
        for (size_t i = 0; i < count; i++)
                if (check(reader, row, items[i]))
                        strings.items[strings.count++] = items[i]->text;
        memcpy(member_at(object, row->offset), &strings, sizeof strings);
}

static void read_texts(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                       void *object) {
        read_list_of(reader, row, value, object, check_text_item);
}
const struct schema_type type_texts = { "a list of texts", "array", NULL, read_texts };
const struct schema_type type_number_texts = { "a list of numbers", "array", NULL, read_texts };

static void read_image_paths(const struct schema_reader *reader, const struct schema_field *row,
                             const struct value *value, void *object) {
        read_list_of(reader, row, value, object, check_path);
}
const struct schema_type type_paths = { "a list of absolute paths", "array", "^/", read_image_paths };

// ---- booleans and numbers ----

static bool parse_bool(const struct value *value, bool *ret) {
        static const struct {
                const char *text;
                bool truth;
        } words[] = { { "true", true }, { "false", false }, { "yes", true },
                      { "no", false },  { "on", true },     { "off", false } };
        for (size_t i = 0; is_plain_scalar(value) && i < lengthof(words); i++) {
                if (strcasecmp(words[i].text, value->text) == 0) {
                        *ret = words[i].truth;
                        return true;
                }
        }
        return false;
}

static void read_bool(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                      void *object) {
        bool truth;
        if (parse_bool(value, &truth))
                memcpy(member_at(object, row->offset), &truth, sizeof truth);
        else
                report_wrong_value(reader, row, value, "`true` or `false`");
}
const struct schema_type type_bool = { "true or false", "boolean", NULL, read_bool };

static void absent_int(const struct schema_field *row, void *object) {
        const int none = -1;
        memcpy(member_at(object, row->offset), &none, sizeof none);
}

static void read_optional_bool(const struct schema_reader *reader, const struct schema_field *row,
                               const struct value *value, void *object) {
        bool truth;
        if (!parse_bool(value, &truth)) {
                report_wrong_value(reader, row, value, "`true` or `false`");
                return;
        }
        int stored = truth;
        memcpy(member_at(object, row->offset), &stored, sizeof stored);
}
const struct schema_type type_optional_bool = { "true or false", "boolean", NULL, read_optional_bool, absent_int };

static bool parse_integer(const char *text, int base, long long *ret) {
        char *end;
        errno = 0;
        if (!isdigit((unsigned char)text[0]) && !(text[0] == '-' && isdigit((unsigned char)text[1])))
                return false;
        *ret = strtoll(text, &end, base);
        return *end == '\0' && errno == 0;
}

static bool read_number_in_range(const struct schema_reader *reader, const struct schema_field *row,
                                 const struct value *value, long long *ret) {
        if (!is_plain_scalar(value) || !parse_integer(value->text, 10, ret)) {
                report_wrong_value(reader, row, value, "a whole number");
                return false;
        }
        long long min = INT_MIN, max = INT_MAX;
        bool is_limited = row->min != 0 || row->max != 0;
        if (is_limited) {
                min = row->min;
                max = row->max;
        }
        if (*ret >= min && *ret <= max)
                return true;
        report(reader->diagnostics, ERR_SCHEMA, &value->place, "`%s` must be from %lld to %lld, not %s", row->key, min,
               max, value->text);
        return false;
}

static void read_integer(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                         void *object) {
        long long number;
        if (!read_number_in_range(reader, row, value, &number))
                return;
        int stored = (int)number;
        memcpy(member_at(object, row->offset), &stored, sizeof stored);
}
const struct schema_type type_integer = { "a whole number", "integer", NULL, read_integer };
const struct schema_type type_optional_count = { "a whole number", "integer", NULL, read_integer, absent_int };

static void read_id(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                    void *object) {
        long long number;
        if (!read_number_in_range(reader, row, value, &number))
                return;
        int64_t stored = number;
        memcpy(member_at(object, row->offset), &stored, sizeof stored);
}

static void absent_id(const struct schema_field *row, void *object) {
        const int64_t none = -1;
        memcpy(member_at(object, row->offset), &none, sizeof none);
}
const struct schema_type type_id = { "a whole number", "integer", NULL, read_id, absent_id };

// Modes are octal however they are written: 644, 0644, "0644", 0o644.
static void read_mode(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                      void *object) {
        const char *text = "";
        if (value->type == VALUE_SCALAR)
                text = value->text;
        long long number;
        if (strncmp(text, "0o", 2) == 0)
                text += 2;
        if (!parse_integer(text, 8, &number) || number < 0 || number > 07777) {
                report_wrong_value(reader, row, value, "an octal mode from 0000 to 7777");
                return;
        }
        int stored = (int)number;
        memcpy(member_at(object, row->offset), &stored, sizeof stored);
}
const struct schema_type type_mode = { "an octal mode", "string|integer", NULL, read_mode, absent_int };

// ---- maps ----

static void store_tree(void *object, const struct schema_field *row, const struct value *value) {
        memcpy(member_at(object, row->offset), &value, sizeof value);
}

static void read_tree(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                      void *object) {
        if (value->type != VALUE_MAP)
                report_wrong_value(reader, row, value, "a map");
        else
                store_tree(object, row, value);
}
const struct schema_type type_tree = { "a map", "object", NULL, read_tree };

static void read_scalars(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                         void *object) {
        if (value->type != VALUE_MAP) {
                report_wrong_value(reader, row, value, "a map of texts and numbers");
                return;
        }
        bool ok = true;
        for (size_t i = 0; i < value->count; i++) {
                const struct value *item = value->items[i];
                bool line = item->type == VALUE_SCALAR && item->text[0] && !strpbrk(item->text, "\n\r");
                if (!line || has_control(item->text))
                        report(reader->diagnostics, ERR_SCHEMA, &item->place,
                               "`%s` must be one line of text or a number, not %s", value->keys[i],
                               value_describe(reader->arena, item));
                if (!row->pattern || pattern_matches(row->pattern, value->keys[i])) {
                        ok = ok && line;
                        continue;
                }
                report(reader->diagnostics, ERR_SCHEMA, &value->key_places[i], "`%s` must be %s", value->keys[i],
                       row->pattern_means);
                ok = false;
        }
        if (ok)
                store_tree(object, row, value);
}
const struct schema_type type_scalars = { "a map of texts and numbers", "object", NULL, read_scalars };

static bool is_nonempty_text(const struct value *value) { return value->type == VALUE_SCALAR && value->text[0]; }

static bool is_rename(const struct value *value) {
        if (value->type != VALUE_LIST)
                return value->type == VALUE_NULL || is_nonempty_text(value);
        for (size_t i = 0; i < value->count; i++)
                if (!is_nonempty_text(value->items[i]))
                        return false;
        return true;
}

static void read_renames(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                         void *object) {
        if (value->type != VALUE_MAP) {
                report_wrong_value(reader, row, value, "a map from names to names");
                return;
        }
        bool ok = true;
        for (size_t i = 0; i < value->count; i++) {
                if (is_rename(value->items[i]))
                        continue;
                report(reader->diagnostics, ERR_SCHEMA, &value->items[i]->place,
                       "`%s` must be a name, a list of names or null, not %s", value->keys[i],
                       value_describe(reader->arena, value->items[i]));
                ok = false;
        }
        if (ok)
                store_tree(object, row, value);
}
const struct schema_type type_renames = { "a map from names to names, lists of names or null", "object", NULL,
                                          read_renames };

// ---- addresses ----

static void read_address(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                         void *object) {
        struct in_addr address;
        if (value->type != VALUE_SCALAR || inet_pton(AF_INET, value->text, &address) != 1 || address.s_addr == 0)
                report_wrong_value(reader, row, value, "an IPv4 address");
        else
                memcpy(member_at(object, row->offset), &address, sizeof address);
}
#define OCTET "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
#define ADDRESS OCTET "\\." OCTET "\\." OCTET "\\." OCTET
const struct schema_type type_address = { "an IPv4 address", "string", "^" ADDRESS "$", read_address };

static bool parse_subnet(const char *text, struct in_addr *ret_address, long long *ret_prefix) {
        char address[INET_ADDRSTRLEN];
        size_t length = strcspn(text, "/");
        if (length >= sizeof address || text[length] != '/')
                return false;
        memcpy(address, text, length);
        address[length] = '\0';
        return inet_pton(AF_INET, address, ret_address) == 1 && isdigit((unsigned char)text[length + 1]) &&
               parse_integer(text + length + 1, 10, ret_prefix) && *ret_prefix <= 32;
}

static void read_subnet(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                        void *object) {
        struct in_addr address;
        long long prefix;
        if (value->type != VALUE_SCALAR || !parse_subnet(value->text, &address, &prefix)) {
                report_wrong_value(reader, row, value, "a subnet such as 192.168.2.0/24");
                return;
        }
        struct in_addr network = { address.s_addr & prefix_mask((int)prefix).s_addr };
        int stored = (int)prefix;
        memcpy(member_at(object, row->offset), &network, sizeof network);
        memcpy(member_at(object, row->second), &stored, sizeof stored);
        if (network.s_addr == address.s_addr)
                return;
        char text[INET_ADDRSTRLEN];
        report(reader->diagnostics, ERR_SCHEMA, &value->place, "`%s` has bits set beyond its prefix: %s", row->key,
               value->text);
        report_hint(reader->diagnostics, "did you mean `%s/%d`?", inet_ntop(AF_INET, &network, text, sizeof text),
                    stored);
}
const struct schema_type type_subnet = { "an IPv4 subnet (address/prefix)", "string",
                                         "^" ADDRESS "/([12]?[0-9]|3[0-2])$", read_subnet };

static void read_address_range(const struct schema_reader *reader, const struct schema_field *row,
                               const struct value *value, void *object) {
        struct in_addr first = { 0 }, last = { 0 };
        bool ok = value->type == VALUE_SCALAR && !has_control(value->text);
        if (ok) {
                size_t length = strcspn(value->text, "-");
                auto_free char *start = xstrndup(value->text, length);
                ok = value->text[length] == '-' && inet_pton(AF_INET, start, &first) == 1 &&
                     inet_pton(AF_INET, value->text + length + 1, &last) == 1 && first.s_addr != 0;
        }
        if (!ok) {
                report_wrong_value(reader, row, value, "a range such as 192.168.2.150-192.168.2.199");
                return;
        }
        memcpy(member_at(object, row->offset), &first, sizeof first);
        memcpy(member_at(object, row->second), &last, sizeof last);
}
const struct schema_type type_address_range = { "a range of IPv4 addresses (first-last)", "string",
                                                "^" ADDRESS "-" ADDRESS "$", read_address_range };

static void read_mac_address(const struct schema_reader *reader, const struct schema_field *row,
                             const struct value *value, void *object) {
        unsigned char mac[6];
        static const unsigned char zeros[6];
        bool has = true;
        if (value->type != VALUE_SCALAR || !mac_read(value->text, mac)) {
                report_wrong_value(reader, row, value, "a MAC address such as 52:54:00:a8:02:47");
        } else if ((mac[0] & 1) || memcmp(mac, zeros, sizeof mac) == 0) {
                report_wrong_value(reader, row, value,
                                   "the MAC address of one interface (no group address, not all zeros)");
        } else {
                memcpy(member_at(object, row->offset), mac, sizeof mac);
                memcpy(member_at(object, row->second), &has, sizeof has);
        }
}
const struct schema_type type_mac = { "a MAC address", "string", "^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$",
                                      read_mac_address };

// ---- tables ----

static void read_table(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                       void *object) {
        schema_read(reader, row->table, value, member_at(object, row->offset));
}
const struct schema_type type_table = { "a map", "object", NULL, read_table };

static void read_list_of_maps(const struct schema_reader *reader, const struct schema_field *row,
                              const struct value *value, void *object) {
        if (value->type != VALUE_LIST) {
                report_wrong_value(reader, row, value, "a list of maps");
                return;
        }
        char *array = arena_alloc(reader->arena, (value->count + 1) * row->table->size);
        for (size_t i = 0; i < value->count; i++)
                schema_read(reader, row->table, value->items[i], array + i * row->table->size);
        memcpy(member_at(object, row->offset), &array, sizeof array);
        memcpy(member_at(object, row->second), &value->count, sizeof value->count);
}
const struct schema_type type_tables = { "a list of maps", "array", NULL, read_list_of_maps };
