// SPDX-License-Identifier: MIT
// Hosts that a DHCP server knows: dnsmasq's dhcp-host lines, or those of its dhcp-hostsfile, which lack the option's
// name; ISC dhcpd's host blocks.
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "init/internal.h"
#include "profile/reader/names.h"

// ---- dnsmasq ----

struct dhcp_host {
        struct host host;
        bool is_ignored; // no machine of its own: the server does not answer it, or it is a pattern of many
};

static bool is_lease_time(const char *word) {
        size_t digits = strspn(word, "0123456789"), length = digits;
        if (word[length] && strchr("smhdw", word[length]))
                length++;
        return strcmp(word, "infinite") == 0 || (digits > 0 && word[length] == '\0'); // "3d-render" is a name
}

// "06-AA:BB:...", as a MAC address is written whose hardware is not Ethernet, or is said to be: "01-".
static const char *skip_hardware_type(const char *word) {
        enum { DIGITS = 2 };
        bool has_type = strspn(word, "0123456789abcdefABCDEF") == DIGITS && word[DIGITS] == '-';
        if (has_type && strchr(word, ':'))
                return word + DIGITS + 1;
        return word;
}

// "11:22:33:*:*:*"
static bool is_mac_pattern(const char *word) {
        return strchr(word, '*') && strchr(word, ':') && word[strspn(word, "0123456789abcdefABCDEF:-*")] == '\0';
}

// The first one holds: a node has one MAC address and one address of its own.
static void take_first(struct host_list *list, const struct host *host, const char *what, const char *word,
                       const char **into) {
        if (*into)
                report_warning(list->diagnostics, &host->place, "passed over: `%s`, the second %s of a host", word,
                               what);
        else
                *into = word;
}

static void add_dhcp_tag(struct arena *arena, struct host *host, const char *tag) {
        strings_add_once(arena, &host->groups, arena_strdup(arena, tag));
}

// dhcp-host=[MAC|id:X|set:TAG|tag:TAG|IP|NAME|TIME|ignore],...: what a word is, its form says. "net:" is an old "set:".
static void take_dhcp_word(struct host_list *list, struct dhcp_host *dhcp, const char *word) {
        enum { TAG_WORD = 4 };
        unsigned char mac[6];
        struct in_addr address;
        struct host *host = &dhcp->host;
        bool is_tag = strncmp(word, "set:", TAG_WORD) == 0 || strncmp(word, "net:", TAG_WORD) == 0;
        bool is_id = strncasecmp(word, "id:", 3) == 0 || strncmp(word, "tag:", TAG_WORD) == 0;
        bool is_other = is_id || word[0] == '[' || strcmp(word, "*") == 0 || is_lease_time(word);
        if (host_mac_read(skip_hardware_type(word), mac))
                take_first(list, host, "MAC address", mac_text(list->arena, mac), &host->mac);
        else if (strcmp(word, "ignore") == 0 || is_mac_pattern(word))
                dhcp->is_ignored = true;
        else if (inet_pton(AF_INET, word, &address) == 1)
                take_first(list, host, "address", word, &host->ip);
        else if (is_tag)
                add_dhcp_tag(list->arena, host, word + TAG_WORD);
        else if (!is_other && word[0])
                host->name = word;
}

static void read_dhcp_host(struct host_list *list, const struct host_line *line, const char *text) {
        struct dhcp_host dhcp = { .host.place = line->place };
        text = arena_strndup(list->arena, text, strcspn(text, "#"));
        while (*text) {
                size_t length = strcspn(text, ",");
                take_dhcp_word(list, &dhcp, host_text(list->arena, text, length));
                text += length + (text[length] == ',');
        }
        bool is_machine = dhcp.host.name || dhcp.host.ip; // else it only sets tags
        if (is_machine && !dhcp.is_ignored)
                *host_list_add(list, &line->place) = dhcp.host;
}

static bool is_in(const char *const *words, size_t count, const char *word) {
        for (size_t i = 0; i < count; i++)
                if (strcasecmp(words[i], word) == 0)
                        return true;
        return false;
}

static void read_dnsmasq_line(struct host_list *list, const struct host_line *line, void *context) {
        static const char *const others[] = { "conf-dir", "conf-file", "dhcp-hostsfile", "dhcp-hostsdir" };
        const char *text = host_text(list->arena, line->text, line->size);
        size_t length = strcspn(text, "=#");
        const char *option = host_text(list->arena, text, length);
        (void)context;
        if (text[length] == '=' && strcmp(option, "dhcp-host") == 0)
                read_dhcp_host(list, line, text + length + 1);
        else if (text[length] == '=' && is_in(others, lengthof(others), option))
                report_warning(list->diagnostics, &line->place, "passed over: the hosts of the files that `%s` names",
                               option);
}

void hosts_read_dnsmasq(struct host_list *list) { host_list_lines(list, read_dnsmasq_line, NULL); }

static void read_hostsfile_line(struct host_list *list, const struct host_line *line, void *context) {
        (void)context;
        read_dhcp_host(list, line, host_text(list->arena, line->text, line->size));
}

void hosts_read_dhcp_hostsfile(struct host_list *list) { host_list_lines(list, read_hostsfile_line, NULL); }

// ---- dhcpd ----

struct dhcpd {
        struct host_list *list;
        const char *at, *end;
        int line;
};

static void skip_blanks_and_comments(struct dhcpd *dhcpd) {
        for (; dhcpd->at < dhcpd->end; dhcpd->at++) {
                if (*dhcpd->at == '#')
                        while (dhcpd->at + 1 < dhcpd->end && dhcpd->at[1] != '\n')
                                dhcpd->at++;
                else if (!isspace((unsigned char)*dhcpd->at))
                        return;
                dhcpd->line += *dhcpd->at == '\n';
        }
}

// A word, a string without its quotes, or one of `{`, `}`, `;`, `,`. NULL at the end.
static const char *next_token(struct dhcpd *dhcpd) {
        struct arena *arena = dhcpd->list->arena;
        skip_blanks_and_comments(dhcpd);
        if (dhcpd->at == dhcpd->end)
                return NULL;
        const char *start = dhcpd->at++;
        if (strchr("{};,", *start))
                return arena_strndup(arena, start, 1);
        if (*start == '"') {
                while (dhcpd->at < dhcpd->end && *dhcpd->at != '"' && *dhcpd->at != '\n')
                        dhcpd->at++;
                const char *word = arena_strndup(arena, start + 1, (size_t)(dhcpd->at - start) - 1);
                dhcpd->at += dhcpd->at < dhcpd->end && *dhcpd->at == '"';
                return word;
        }
        while (dhcpd->at < dhcpd->end && !isspace((unsigned char)*dhcpd->at) && !strchr("{};,\"#", *dhcpd->at))
                dhcpd->at++;
        return arena_strndup(arena, start, (size_t)(dhcpd->at - start));
}

// Up to the brace that closes the one which was just read.
static void skip_block(struct dhcpd *dhcpd) {
        size_t depth = 1;
        for (const char *token; depth > 0 && (token = next_token(dhcpd));) {
                if (strcmp(token, "{") == 0)
                        depth++;
                else if (strcmp(token, "}") == 0)
                        depth--;
        }
}

// A statement's words, of which a host's has at most four. Keywords are known in any case of letters.
struct statement {
        const char *words[4];
        size_t count;
        struct place place;
};

static bool statement_is(const struct statement *statement, const char *first, const char *second) {
        return strcasecmp(statement->words[0], first) == 0 && (!second || strcasecmp(statement->words[1], second) == 0);
}

// Up to its `;` or the end of its block: "if ... { ... }". False: the block that it would stand in is closed.
static bool read_statement(struct dhcpd *dhcpd, struct statement *ret) {
        *ret = (struct statement){ .words = { "", "", "", "" } };
        for (const char *token; (token = next_token(dhcpd));) {
                if (ret->count == 0)
                        ret->place = (struct place){ dhcpd->list->name, dhcpd->line, 1 };
                if (strcmp(token, "}") == 0)
                        return false;
                if (strcmp(token, ";") == 0)
                        return true;
                if (strcmp(token, "{") == 0) {
                        skip_block(dhcpd);
                        return true;
                }
                if (ret->count < lengthof(ret->words))
                        ret->words[ret->count++] = token;
        }
        return false;
}

// `hardware ethernet MAC`, `fixed-address IP`, `option host-name "NAME"`.
static void take_statement(struct host_list *list, struct host *host, const struct statement *statement) {
        unsigned char mac[6];
        if (statement_is(statement, "hardware", "ethernet")) {
                host->mac = statement->words[2];
                if (host_mac_read(host->mac, mac))
                        host->mac = mac_text(list->arena, mac);
        } else if (statement_is(statement, "fixed-address", NULL)) {
                host->ip = statement->words[1];
                if (strcmp(statement->words[2], ",") == 0)
                        report_warning(list->diagnostics, &statement->place,
                                       "passed over: `%s`, the second address of a host", statement->words[3]);
        } else if (statement_is(statement, "option", "host-name")) {
                host->name = statement->words[2];
        }
}

// Behind the word `host`. False: what follows cannot be told.
static bool read_host_block(struct dhcpd *dhcpd) {
        struct host_list *list = dhcpd->list;
        struct statement statement;
        struct host *host = host_list_add(list, &(struct place){ list->name, dhcpd->line, 1 });
        host->name = next_token(dhcpd);
        const char *brace = next_token(dhcpd);
        if (!brace || strcmp(brace, "{") != 0) {
                report(list->diagnostics, ERR_SYNTAX, &host->place, "`host` without a block { ... }");
                return false;
        }
        while (read_statement(dhcpd, &statement))
                take_statement(list, host, &statement);
        return true;
}

static void warn_of_include(struct dhcpd *dhcpd) {
        const struct place place = { dhcpd->list->name, dhcpd->line, 1 };
        const char *file = next_token(dhcpd);
        report_warning(dhcpd->list->diagnostics, &place, "passed over: the hosts of the file `%s`, which is included",
                       text_or(file, ""));
}

void hosts_read_dhcpd(struct host_list *list) {
        struct dhcpd dhcpd = { list, list->text, list->text + list->size, 1 };
        bool is_start = true;
        for (const char *token; !host_list_is_full(list) && (token = next_token(&dhcpd));) {
                bool is_host = is_start && strcasecmp(token, "host") == 0;
                if (is_start && strcasecmp(token, "include") == 0)
                        warn_of_include(&dhcpd);
                if (is_host && !read_host_block(&dhcpd))
                        return;
                is_start = is_host || (token[0] && strchr("{};", token[0]));
        }
}
