// SPDX-License-Identifier: MIT
// Fuzz target: bytes from the network. Whatever arrives, dhcp_parse() must not crash, and what it accepts must be safe
// to use.
// Build with clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ibuilder -I. and
// firmware/node/dhcp/dhcp_packet.c, dhcp_options.c and address.c; run with tests/fuzz/node_dhcp.corpus as argument.
// tests/unit/node_fuzz.c replays the corpus on every run.
#include <stdlib.h>
#include <string.h>

#include "firmware/node/dhcp/dhcp_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_names(const struct lease *lease) {
        if ((*lease->node && !hostname_is_valid(lease->node)) || strpbrk(lease->role, "/ \n\t") || lease->id < 0 ||
            lease->id > 255 || lease->search_count > LEASE_SEARCH_MAX)
                abort();
        for (size_t i = 0; i < lease->search_count; i++)
                if (!*lease->search[i] || strlen(lease->search[i]) > 253 || strpbrk(lease->search[i], " \n\t/\\"))
                        abort();
}

static void check_routes(const struct lease *lease) {
        if (lease->route_count > LEASE_ROUTES_MAX || (lease->mtu != 0 && (lease->mtu < 68 || lease->mtu > 65535)))
                abort();
        for (size_t i = 0; i < lease->route_count; i++) {
                const struct lease_route *route = &lease->routes[i];
                if (route->prefix < 0 || route->prefix > 32 || (route->to & ~mask_of_prefix(route->prefix)) != 0 ||
                    (route->gateway && !address_is_host(route->gateway)))
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct dhcp_settings settings = { .node = { 224, 0 }, .role = { 43, 1 }, .id = { 226, 0 } };
        static const struct dhcp_query query = { .xid = 0x12345678,
                                                 .mac = { { 0x52, 0x54, 0, 0xa8, 2, 0x47 } },
                                                 .settings = &settings };
        struct dhcp_reply reply;
        if (!dhcp_parse(data, size, true, &query, &reply))
                return 0;
        const struct lease *lease = &reply.lease;
        check_names(lease);
        check_routes(lease);
        if (!address_is_host(lease->server) || lease->dns_count > DNS_MAX || strlen(lease->domain) >= DOMAIN_SIZE ||
            (*lease->hostname && !hostname_is_valid(lease->hostname)) || lease->prefix > 32 ||
            strpbrk(lease->domain, " \n\t"))
                abort();
        if (reply.type != DHCP_NAK && !address_is_host(lease->address))
                abort();
        return 0;
}
