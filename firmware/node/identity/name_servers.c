// SPDX-License-Identifier: MIT
#include "firmware/node/identity/name_servers.h"

#include <assert.h>

#include "base/mem.h"

enum {
        SERVERS_ALL_MAX = NAME_SERVERS_FIRST_MAX + NAME_SERVERS_MAX,
        SERVERS_ASKED = 3, // MAXNS of glibc's resolv.h
};

// ---- which ones ----

static void add_first(struct name_servers *servers, const uint32_t *addresses, size_t count) {
        for (size_t i = 0; i < count; i++) {
                bool known = false;
                for (size_t j = 0; j < servers->first_count; j++)
                        known |= servers->first[j] == addresses[i];
                if (!known && servers->first_count < lengthof(servers->first))
                        servers->first[servers->first_count++] = addresses[i];
        }
}

// The operator's: those of the command line, or else of the inventory's network.
static void choose_own(const struct cmdline *cmdline, const struct inventory_network *network,
                       struct name_servers *servers) {
        for (size_t i = 0; i < cmdline->ip_count; i++)
                add_first(servers, cmdline->ips[i].dns, cmdline->ips[i].dns_count);
        add_first(servers, cmdline->dns, cmdline->dns_count);
        if (servers->first_count == 0 && network)
                add_first(servers, network->dns, network->dns_count);
}

static void add_once(struct address *list, size_t *count, size_t max, const struct address *server) {
        for (size_t i = 0; i < *count; i++)
                if (address_equal(&list[i], server))
                        return;
        if (*count < max)
                list[(*count)++] = *server;
}

static void add_configured(struct name_servers *servers, const struct address *server) {
        add_once(servers->configured, &servers->configured_count, NAME_SERVERS_MAX, server);
}

void name_servers_of_lease(const struct lease *lease, struct name_servers *ret) {
        assert(lease && ret);
        *ret = (struct name_servers){ 0 };
        add_first(ret, lease->dns, lease->dns_count);
}

void name_servers_decide(const struct cmdline *cmdline, const struct lease *lease,
                         const struct inventory_network *network, struct name_servers *ret) {
        assert(cmdline && ret);
        *ret = (struct name_servers){ 0 };
        choose_own(cmdline, network, ret);
        for (size_t i = 0; i < ret->first_count; i++) {
                struct address server = address_of_ipv4(ret->first[i]);
                add_configured(ret, &server);
        }
        for (size_t i = 0; i < cmdline->dns6_count; i++)
                add_configured(ret, &cmdline->dns6[i]);
        if (lease)
                add_first(ret, lease->dns, lease->dns_count);
}

// ---- as text ----

static void list_address(const struct address *server, struct buf *text) {
        char shown[ADDRESS_ANY_TEXT_SIZE];
        address_format_any(server, shown);
        buf_printf(text, "nameserver %s\n", shown);
}

void name_servers_list_first(const struct name_servers *servers, struct buf *ret_text) {
        for (size_t i = 0; i < servers->first_count; i++) {
                struct address server = address_of_ipv4(servers->first[i]);
                list_address(&server, ret_text);
        }
}

// As resolv.conf(5) is to have them; `list` has room for SERVERS_ALL_MAX.
static size_t collect_all(const struct name_servers *servers, struct address *list) {
        size_t count = 0;
        for (size_t i = 0; i < servers->configured_count; i++)
                add_once(list, &count, SERVERS_ALL_MAX, &servers->configured[i]);
        for (size_t i = 0; i < servers->first_count; i++) {
                struct address server = address_of_ipv4(servers->first[i]);
                add_once(list, &count, SERVERS_ALL_MAX, &server);
        }
        return count;
}

void name_servers_list_all(const struct name_servers *servers, struct buf *ret_text) {
        struct address all[SERVERS_ALL_MAX];
        size_t count = collect_all(servers, all);
        for (size_t i = 0; i < count; i++)
                list_address(&all[i], ret_text);
}

void name_servers_list_unasked(const struct name_servers *servers, struct buf *ret_text) {
        struct address all[SERVERS_ALL_MAX];
        char shown[ADDRESS_ANY_TEXT_SIZE];
        size_t count = collect_all(servers, all);
        const char *separator = "";
        for (size_t i = SERVERS_ASKED; i < count; i++) {
                address_format_any(&all[i], shown);
                buf_printf(ret_text, "%s%s", separator, shown);
                separator = ", ";
        }
}
