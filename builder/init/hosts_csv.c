// SPDX-License-Identifier: MIT
// Separated values (RFC 4180, and with semicolons or tabs): the head line says what the columns are; unknown ones are
// passed over, with a warning.
#include <string.h>

#include "init/internal.h"

enum { COLUMNS_MAX = 64 };

struct csv {
        char separator;
        const char *columns[COLUMNS_MAX];
        size_t count; // 0: the head line is still to come
        bool is_refused;
};

// One field, "quoted" with "" for a quote, or not. Moves `*at` behind its separator; false: the line is at its end.
static bool next_csv_field(struct arena *arena, const struct csv *csv, const struct host_line *line, size_t *at,
                           const char **ret) {
        if (*at > line->size)
                return false;
        auto_buf field = { 0 };
        bool is_quoted = false;
        size_t i = *at;
        for (; i < line->size && (is_quoted || line->text[i] != csv->separator); i++) {
                bool is_doubled = is_quoted && i + 1 < line->size && line->text[i + 1] == '"';
                if (line->text[i] != '"') {
                        buf_append_char(&field, line->text[i]);
                } else if (is_doubled) {
                        buf_append_char(&field, '"');
                        i++;
                } else {
                        is_quoted = !is_quoted;
                }
        }
        *at = i + 1;
        *ret = host_text(arena, buf_text(&field), field.size);
        return true;
}

static char separator_of(const struct host_line *line) {
        static const char separators[] = ",;\t";
        for (size_t i = 0; separators[i]; i++)
                if (memchr(line->text, separators[i], line->size))
                        return separators[i];
        return ',';
}

// False: its columns are not those of a list.
static bool take_head(struct host_list *list, const struct host_line *line, struct csv *csv, struct host *ret_probe) {
        const char *field = NULL;
        csv->separator = separator_of(line);
        csv->count = 0;
        for (size_t at = 0; csv->count < COLUMNS_MAX && next_csv_field(list->arena, csv, line, &at, &field);) {
                (void)host_list_set(list->arena, ret_probe, field, "x");
                csv->columns[csv->count++] = field;
        }
        return ret_probe->name && ret_probe->ip;
}

static void warn_of_columns(struct host_list *list, const struct host_line *line, const struct csv *csv) {
        auto_buf unknown = { 0 };
        struct host ignored = { 0 };
        for (size_t i = 0; i < csv->count; i++)
                if (csv->columns[i][0] && !host_list_set(list->arena, &ignored, csv->columns[i], "x"))
                        buf_printf(&unknown, "%s`%s`", unknown.size > 0 ? ", " : "", csv->columns[i]);
        if (unknown.size > 0)
                report_warning(list->diagnostics, &line->place, "passed over: the columns %s", buf_text(&unknown));
}

static void read_head(struct host_list *list, const struct host_line *line, struct csv *csv) {
        struct host probe = { 0 };
        if (take_head(list, line, csv, &probe)) {
                warn_of_columns(list, line, csv);
                return;
        }
        csv->is_refused = true;
        report(list->diagnostics, ERR_SYNTAX, &line->place, "the head line names no column `%s`",
               probe.name ? "ip" : "name");
        report_hint(list->diagnostics, "such as `name,role,mac,ip`; Ansible inventories, dnsmasq.conf and "
                                       "dhcpd.conf are known by their groups and host entries");
}

// "# name,role,ip" before all rows is a head, too, and any other comment is none.
static void read_comment(struct host_list *list, const struct host_line *line, struct csv *csv) {
        size_t marks = 0;
        struct host probe = { 0 };
        struct csv commented = { 0 };
        while (marks < line->size && line->text[marks] == '#')
                marks++;
        struct host_line rest = { line->place, line->text + marks, line->size - marks };
        if (csv->count > 0 || !take_head(list, &rest, &commented, &probe))
                return;
        *csv = commented;
        warn_of_columns(list, line, csv);
}

static bool has_a_field(struct host_list *list, const struct host_line *line, const struct csv *csv) {
        const char *field = NULL;
        for (size_t at = 0; next_csv_field(list->arena, csv, line, &at, &field);)
                if (field[0])
                        return true;
        return false;
}

static void read_row(struct host_list *list, const struct host_line *line, void *context) {
        struct csv *csv = context;
        bool is_comment = line->size > 0 && line->text[0] == '#';
        if (csv->is_refused)
                return;
        if (is_comment) {
                read_comment(list, line, csv);
                return;
        }
        if (host_text(list->arena, line->text, line->size)[0] == '\0')
                return;
        if (csv->count == 0) {
                read_head(list, line, csv);
                return;
        }
        if (!has_a_field(list, line, csv)) // as spreadsheets write rows that were emptied
                return;
        struct host *host = host_list_add(list, &line->place);
        const char *field = NULL;
        size_t column = 0;
        for (size_t at = 0; column < csv->count && next_csv_field(list->arena, csv, line, &at, &field); column++)
                (void)host_list_set(list->arena, host, csv->columns[column], field);
}

void hosts_read_csv(struct host_list *list) {
        struct csv csv = { 0 };
        host_list_lines(list, read_row, &csv);
}
