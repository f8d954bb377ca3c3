// SPDX-License-Identifier: MIT
// Which format a list has, from what its lines begin with.
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "init/internal.h"

struct marks {
        bool is_dnsmasq, is_hostsfile, is_dhcpd, is_ini, is_ini_by_blanks, is_yaml, is_json;
        bool has_content;     // a line that is no comment was seen
        bool is_before_brace; // the last one begins a block of dhcpd.conf, but for the brace
};

// Without the blanks before it, and with an end.
static const char *trimmed_line(const struct host_line *line, char *buffer, size_t buffer_size) {
        size_t skip = 0;
        while (skip < line->size && isblank((unsigned char)line->text[skip]))
                skip++;
        size_t size = size_min(line->size - skip, buffer_size - 1);
        memcpy(buffer, line->text + skip, size);
        buffer[size] = '\0';
        return buffer;
}

// The length of the word, if the line begins with it, in any case of letters, and it ends there; else 0.
static size_t begins_with(const char *text, const char *word) {
        size_t length = strlen(word);
        if (strncasecmp(text, word, length) != 0 || isalnum((unsigned char)text[length]))
                return 0;
        return length;
}

// dnsmasq takes blanks around the `=`.
static bool is_dnsmasq_line(const char *text) {
        static const char *const options[] = { "dhcp-host",     "dhcp-range", "dhcp-hostsfile",
                                               "dhcp-hostsdir", "conf-dir",   "conf-file" };
        for (size_t i = 0; i < lengthof(options); i++) {
                size_t length = begins_with(text, options[i]);
                if (length > 0 && text[length + strspn(text + length, " \t")] == '=')
                        return true;
        }
        return false;
}

static bool is_dhcpd_line(const char *text, struct marks *marks) {
        static const char *const blocks[] = { "host", "group", "subnet", "shared-network", "pool", "class" };
        bool is_block = false, was_before_brace = marks->is_before_brace;
        for (size_t i = 0; i < lengthof(blocks); i++) {
                size_t length = begins_with(text, blocks[i]);
                is_block |= length > 0 && strchr(" \t{", text[length]); // or the end of the line
        }
        size_t include = begins_with(text, "include");
        bool is_include = include > 0 && text[include + strspn(text + include, " \t")] == '"';
        bool has_brace = strchr(text, '{') != NULL;
        marks->is_before_brace = is_block && !has_brace;
        return is_include || (is_block && has_brace) || (was_before_brace && text[0] == '{');
}

// "NAME key=value": a blank stands in what precedes the first `=`, and no separator of columns.
static bool is_inventory_line(const char *text) {
        size_t length = strcspn(text, "=,;");
        const char *blank = strpbrk(text, " \t");
        if (text[length] != '=' || !blank)
                return false;
        blank += strspn(blank, " \t");
        return blank < text + length;
}

// The first line that says anything; "AA:BB:CC:DD:EE:FF,..." is one of dnsmasq's dhcp-hostsfile.
static void look_at_first(const char *text, struct marks *marks) {
        unsigned char mac[6];
        char word[sizeof "00:00:00:00:00:00"];
        size_t length = strcspn(text, ",");
        marks->has_content = true;
        marks->is_json = text[0] == '{';
        marks->is_ini_by_blanks |= is_inventory_line(text);
        if (text[length] != ',' || length >= sizeof word)
                return;
        memcpy(word, text, length);
        word[length] = '\0';
        marks->is_hostsfile = host_mac_read(word, mac);
}

static void look_at_line(struct host_list *list, const struct host_line *line, void *context) {
        (void)list;
        struct marks *marks = context;
        char buffer[256];
        const char *text = trimmed_line(line, buffer, sizeof buffer);
        if (!text[0] || text[0] == '#' || text[0] == ';')
                return;
        bool is_section = text[0] == '[' && strchr(text, ']');
        bool is_indented = line->text[0] != text[0];
        if (!marks->has_content)
                look_at_first(text, marks);
        marks->is_dnsmasq |= is_dnsmasq_line(text);
        marks->is_dhcpd |= is_dhcpd_line(text, marks);
        marks->is_ini |= is_section && !is_indented;
        marks->is_ini_by_blanks |= is_section;
        marks->is_yaml |= strncmp(text, "hosts:", 6) == 0 || strncmp(text, "children:", 9) == 0;
}

void host_list_read_any(struct host_list *list) {
        struct marks marks = { 0 };
        host_list_lines(list, look_at_line, &marks);
        // The first that fits; a spreadsheet's list has no mark.
        const struct {
                bool fits;
                void (*read)(struct host_list *list);
        } formats[] = {
                { marks.is_json, hosts_read_ansible_yaml },         { marks.is_dnsmasq, hosts_read_dnsmasq },
                { marks.is_hostsfile, hosts_read_dhcp_hostsfile },  { marks.is_dhcpd, hosts_read_dhcpd },
                { marks.is_ini, hosts_read_ansible_ini },           { marks.is_yaml, hosts_read_ansible_yaml },
                { marks.is_ini_by_blanks, hosts_read_ansible_ini }, { true, hosts_read_csv },
        };
        size_t at = 0;
        while (!formats[at].fits)
                at++;
        formats[at].read(list);
}
