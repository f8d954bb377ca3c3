// SPDX-License-Identifier: MIT
// Separated values (RFC 4180, and with semicolons or tabs): the head line says what the columns are; unknown ones are
// passed over.
#include <string.h>

#include "init/internal.h"

enum { COLUMNS_MAX = 64 };

struct csv {
        char separator;
        const char *columns[COLUMNS_MAX];
        size_t count; // 0: the head line is still to come
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

static void read_head(struct host_list *list, const struct host_line *line, struct csv *csv) {
        csv->separator = separator_of(line);
        struct host probe = { 0 };
        const char *field = NULL;
        for (size_t at = 0; csv->count < COLUMNS_MAX && next_csv_field(list->arena, csv, line, &at, &field);) {
                (void)host_list_set(list->arena, &probe, field, "x");
                csv->columns[csv->count++] = field;
        }
        if (!probe.name || !probe.ip) {
                report(list->diagnostics, ERR_SYNTAX, &line->place, "the head line names no column `%s`",
                       probe.name ? "ip" : "name");
                report_hint(list->diagnostics, "such as `name,role,mac,ip`; Ansible inventories, dnsmasq.conf and "
                                               "dhcpd.conf are known by their groups and host entries");
        }
}

static void read_row(struct host_list *list, const struct host_line *line, void *context) {
        struct csv *csv = context;
        bool is_comment = line->size > 0 && line->text[0] == '#';
        if (is_comment || host_text(list->arena, line->text, line->size)[0] == '\0')
                return;
        if (csv->count == 0) {
                read_head(list, line, csv);
                return;
        }
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
