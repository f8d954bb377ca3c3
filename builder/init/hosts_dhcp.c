// SPDX-License-Identifier: MIT
// Hosts that a DHCP server knows: dnsmasq's dhcp-host lines, ISC dhcpd's host blocks.
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "init/internal.h"
#include "profile/reader/names.h"

// ---- dnsmasq ----

static bool is_lease_time(const char *word) {
        size_t digits = strspn(word, "0123456789"), length = digits;
        if (word[length] && strchr("smhdw", word[length]))
                length++;
        return strcmp(word, "infinite") == 0 || (digits > 0 && word[length] == '\0'); // "3d-render" is a name
}

// dhcp-host=[MAC|id:X|set:TAG|tag:TAG|IP|NAME|TIME|ignore],...: what a word is, its form says.
static void take_dhcp_word(struct arena *arena, struct host *host, const char *word) {
        unsigned char mac[6];
        struct in_addr address;
        bool is_other = strncasecmp(word, "id:", 3) == 0 || strncmp(word, "tag:", 4) == 0 || word[0] == '[' ||
                        strcmp(word, "ignore") == 0 || strcmp(word, "*") == 0 || is_lease_time(word);
        if (mac_read(word, mac)) {
                if (!host->mac)
                        host->mac = word;
        } else if (inet_pton(AF_INET, word, &address) == 1) {
                host->ip = word;
        } else if (strncmp(word, "set:", 4) == 0) {
                host->group = arena_strdup(arena, word + 4);
        } else if (!is_other && word[0]) {
                host->name = word;
        }
}

static void read_dhcp_host(struct host_list *list, const struct host_line *line, void *context) {
        (void)context;
        static const char option[] = "dhcp-host=";
        const char *text = host_text(list->arena, line->text, line->size);
        if (strncmp(text, option, strlen(option)) != 0)
                return;
        struct host host = { .place = line->place };
        text += strlen(option);
        text = arena_strndup(list->arena, text, strcspn(text, "#"));
        while (*text) {
                size_t length = strcspn(text, ",");
                take_dhcp_word(list->arena, &host, host_text(list->arena, text, length));
                text += length + (text[length] == ',');
        }
        if (!host.name && !host.ip)
                return; // it only sets tags or ignores a card
        *host_list_add(list, &line->place) = host;
}

void hosts_read_dnsmasq(struct host_list *list) { host_list_lines(list, read_dhcp_host, NULL); }

// ---- dhcpd ----

struct dhcpd {
        const char *at, *end;
        int line;
};

// A word, a string without its quotes, or one of `{`, `}`, `;`, `,`. NULL at the end.
static const char *next_token(struct arena *arena, struct dhcpd *dhcpd) {
        for (; dhcpd->at < dhcpd->end; dhcpd->at++) {
                if (*dhcpd->at == '#')
                        while (dhcpd->at + 1 < dhcpd->end && dhcpd->at[1] != '\n')
                                dhcpd->at++;
                else if (!isspace((unsigned char)*dhcpd->at))
                        break;
                dhcpd->line += *dhcpd->at == '\n';
        }
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

// Up to its `;`: `hardware ethernet MAC`, `fixed-address IP`, `option host-name "NAME"`. False: the block is closed.
static bool read_statement(struct host_list *list, struct dhcpd *dhcpd, struct host *host) {
        const char *words[4] = { "", "", "", "" };
        size_t count = 0;
        for (const char *token; (token = next_token(list->arena, dhcpd)) && strcmp(token, ";") != 0;) {
                if (strcmp(token, "}") == 0)
                        return false;
                if (count < lengthof(words))
                        words[count++] = token;
        }
        if (strcmp(words[0], "hardware") == 0 && strcmp(words[1], "ethernet") == 0)
                host->mac = words[2];
        else if (strcmp(words[0], "fixed-address") == 0)
                host->ip = words[1];
        else if (strcmp(words[0], "option") == 0 && strcmp(words[1], "host-name") == 0)
                host->name = words[2];
        return dhcpd->at < dhcpd->end;
}

void hosts_read_dhcpd(struct host_list *list) {
        struct dhcpd dhcpd = { list->text, list->text + list->size, 1 };
        const char *before = "", *group = NULL;
        for (const char *token; !host_list_is_full(list) && (token = next_token(list->arena, &dhcpd));) {
                bool is_start = strcmp(before, "") == 0 || strchr("{};", before[0]) != NULL;
                if (strcmp(token, "host") == 0 && is_start) {
                        struct host *host = host_list_add(list, &(struct place){ list->name, dhcpd.line, 1 });
                        host->name = next_token(list->arena, &dhcpd);
                        host->group = group;
                        const char *brace = next_token(list->arena, &dhcpd);
                        if (!brace || strcmp(brace, "{") != 0) {
                                report(list->diagnostics, ERR_SYNTAX, &host->place, "`host` without a block { ... }");
                                return;
                        }
                        while (read_statement(list, &dhcpd, host))
                                ;
                        token = "}";
                }
                before = token;
        }
}
