// SPDX-License-Identifier: MIT
// What is the same for lists of all formats.
#include "init/host_lists.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "init/internal.h"
#include "profile/reader/names.h"

enum { LIST_MAX_BYTES = 16 << 20 };

// ---- what a host must be ----

// "masters" is "master", "registries" is "registry".
static bool group_is_role(const char *group, const char *role) {
        size_t length = strlen(role);
        if (strcasecmp(group, role) == 0)
                return true;
        if (role[0] && role[length - 1] == 'y' && strncasecmp(group, role, length - 1) == 0)
                return strcasecmp(group + length - 1, "ies") == 0;
        return strncasecmp(group, role, length) == 0 && strcasecmp(group + length, "s") == 0;
}

static const char *role_of_name(const struct strings *roles, const char *name) {
        const char *best = NULL;
        for (size_t i = 0; i < roles->count; i++) {
                size_t length = strlen(roles->items[i]);
                if (strncasecmp(name, roles->items[i], length) == 0 && (!best || length > strlen(best)))
                        best = roles->items[i];
        }
        return best;
}

static const char *role_of_group(const struct strings *roles, const char *group) {
        for (size_t i = 0; i < roles->count; i++)
                if (group_is_role(group, roles->items[i]))
                        return roles->items[i];
        return NULL;
}

static const char *group_words(struct arena *arena, const struct host *host) {
        const char *words = NULL;
        if (host->group)
                words = arena_printf(arena, "`%s`", host->group);
        for (size_t i = 0; i < host->groups.count; i++)
                words = arena_printf(arena, "%s%s`%s`", text_or(words, ""), words ? ", " : "", host->groups.items[i]);
        return words;
}

static void find_role(struct host_list *list, const struct strings *roles, const char *otherwise, struct host *host) {
        if (host->group)
                host->role = role_of_group(roles, host->group);
        for (size_t i = 0; !host->role && i < host->groups.count; i++)
                host->role = role_of_group(roles, host->groups.items[i]);
        if (!host->role)
                host->role = role_of_name(roles, host->name);
        if (!host->role)
                host->role = otherwise;
        if (host->role)
                return;
        host->role = "";
        const char *groups = group_words(list->arena, host);
        if (groups)
                report(list->diagnostics, ERR_REFERENCE, &host->place, "`%s` is of group %s, and no role is called so",
                       host->name, groups);
        else
                report(list->diagnostics, ERR_REFERENCE, &host->place, "what role has `%s`?", host->name);
        report_hint(list->diagnostics, "--role ROLE is for those that neither their group nor their name tells of");
}

static void check_listed_address(struct host_list *list, const struct host *host) {
        struct in_addr address;
        if (!host->ip)
                report(list->diagnostics, ERR_SCHEMA, &host->place, "`%s` has no IP address", host->name);
        else if (inet_pton(AF_INET, host->ip, &address) != 1)
                report(list->diagnostics, ERR_SCHEMA, &host->place, "`%s` is no IPv4 address", host->ip);
}

// What a file cuts off is not said.
static void drop_empty(struct host *host) {
        const char **const texts[] = { &host->name, &host->mac, &host->ip, &host->id, &host->serial, &host->uuid };
        for (size_t i = 0; i < lengthof(texts); i++)
                if (*texts[i] && !**texts[i])
                        *texts[i] = NULL;
}

// As the cluster file writes it.
static void check_mac(struct host_list *list, struct host *host) {
        unsigned char mac[6];
        if (!host->mac)
                return;
        if (mac_read(host->mac, mac))
                host->mac = mac_text(list->arena, mac);
        else
                report(list->diagnostics, ERR_SCHEMA, &host->place, "`%s` is no MAC address", host->mac);
}

static const char *const unique_words[] = { "name", "MAC address", "IP address" };

static const char *unique_value(const struct host *host, size_t which) {
        const char *const values[] = { host->name, host->mac, host->ip };
        return values[which];
}

static size_t compared_by; // of compare_hosts(): qsort(3) hands nothing on

static int compare_hosts(const void *left, const void *right) {
        const struct host *a = *(struct host *const *)left, *b = *(struct host *const *)right;
        int order = strcasecmp(text_or(unique_value(a, compared_by), ""), text_or(unique_value(b, compared_by), ""));
        if (order == 0)
                order = (a > b) - (a < b);
        return order;
}

static void check_unique(struct host_list *list) {
        const struct hosts *hosts = &list->hosts;
        auto_free const struct host **sorted = xcalloc(hosts->count + 1, sizeof *sorted);
        for (size_t which = 0; which < lengthof(unique_words); which++) {
                for (size_t i = 0; i < hosts->count; i++)
                        sorted[i] = &hosts->items[i];
                compared_by = which;
                qsort(sorted, hosts->count, sizeof *sorted, compare_hosts);
                for (size_t i = 1; i < hosts->count; i++) {
                        const char *value = unique_value(sorted[i], which);
                        const char *before = unique_value(sorted[i - 1], which);
                        if (value && before && strcasecmp(value, before) == 0)
                                report(list->diagnostics, ERR_DUPLICATE, &sorted[i]->place,
                                       "two hosts have the %s `%s`: `%s` has it on line %d, too", unique_words[which],
                                       value, sorted[i - 1]->name, sorted[i - 1]->place.line);
                }
        }
}

// They become words of a YAML file.
static void check_words(struct host_list *list, const struct host *host) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
        const struct {
                const char *what, *text, *more;
        } words[] = { { "name", host->name, "" },
                      { "id", text_or(host->id, ""), "" },
                      { "serial number", text_or(host->serial, ""), " /:+()" },
                      { "UUID", text_or(host->uuid, ""), "" } };
        for (size_t i = 0; i < lengthof(words); i++)
                for (const char *at = words[i].text; *at; at++)
                        if (!strchr(plain, *at) && !strchr(words[i].more, *at)) {
                                report(list->diagnostics, ERR_SCHEMA, &host->place, "`%s` cannot be a %s",
                                       words[i].text, words[i].what);
                                break;
                        }
}

static void check_hosts(struct host_list *list, const struct strings *roles, const char *otherwise) {
        if (host_list_is_full(list)) {
                report(list->diagnostics, ERR_SCHEMA, &(struct place){ list->name, 0, 0 },
                       "more than %d hosts, which is all that a node can read", HOSTS_MAX);
                return;
        }
        for (size_t i = 0; i < list->hosts.count; i++) {
                struct host *host = &list->hosts.items[i];
                drop_empty(host);
                if (!host->name) {
                        host->name = "";
                        report(list->diagnostics, ERR_SCHEMA, &host->place, "a host without a name");
                        continue;
                }
                check_words(list, host);
                find_role(list, roles, otherwise, host);
                check_listed_address(list, host);
                check_mac(list, host);
        }
        check_unique(list);
        if (list->hosts.count > 0 || list->diagnostics->mistake_count > 0)
                return;
        report(list->diagnostics, ERR_SCHEMA, &(struct place){ list->name, 0, 0 }, "no host is listed there");
        if (list->diagnostics->warning_count > 0)
                report_hint(list->diagnostics, "%s", list->diagnostics->warnings[0].message);
}

bool hosts_read(struct arena *arena, const char *path, const struct strings *roles, const char *otherwise,
                struct hosts *ret, struct err *err) {
        auto_buf text = { .max = LIST_MAX_BYTES };
        auto_diagnostics diagnostics = { .arena = arena };
        if (!fs_read(AT_FDCWD, path, &text, err))
                return hint(err, "--from takes HOSTS.csv, an Ansible inventory, dnsmasq.conf or dhcpd.conf");
        if (memchr(buf_text(&text), '\0', text.size))
                return fail(err, ERR_SYNTAX, 0, "%s is no text: it has zero bytes", path);
        static const char bom[] = "\xEF\xBB\xBF";
        const char *start = buf_text(&text);
        if (strncmp(start, bom, strlen(bom)) == 0)
                start += strlen(bom);
        struct host_list list = {
                .arena = arena, .diagnostics = &diagnostics, .name = path, .text = arena_strdup(arena, start)
        };
        list.size = strlen(list.text);
        host_list_read_any(&list);
        // The reader of YAML has told of it already.
        if (diagnostics.source_count == 0)
                diagnostics_add_source(&diagnostics, path, list.text, list.size);
        check_hosts(&list, roles, otherwise);
        if (!diagnostics_finish(&diagnostics, err))
                return false;
        *ret = list.hosts;
        ret->text = list.text;
        ret->warnings = diagnostics_warnings(&diagnostics);
        return true;
}
