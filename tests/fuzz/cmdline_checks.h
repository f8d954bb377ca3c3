// SPDX-License-Identifier: MIT
// What must be true of a command line that was understood, whatever was in it.
#ifndef KILN_TESTS_FUZZ_CMDLINE_CHECKS_H
#define KILN_TESTS_FUZZ_CMDLINE_CHECKS_H

#include <stdlib.h>

#include "firmware/node/cmdline/cmdline.h"

static inline void must(bool condition) {
        if (!condition)
                abort();
}

static inline bool is_link(const char *name) { return !*name || interface_name_is_valid(name); }

static inline void check_ip(const struct cmdline_ip *ip) {
        must(is_link(ip->interface) && (!*ip->hostname || hostname_is_valid(ip->hostname)));
        must(ip->prefix >= -1 && ip->prefix <= 32 && ip->prefix6 >= -1 && ip->prefix6 <= 128 && ip->dns_count <= 2);
        must(ip->mtu == 0 || (ip->mtu >= 68 && ip->mtu <= 65535));
        must(!ip->address || address_is_host(ip->address));
}

static inline void check_cmdline(const struct cmdline *cmdline) {
        must(cmdline->ip_count <= CMDLINE_IP_MAX && cmdline->note_count <= CMDLINE_NOTES_MAX &&
             cmdline->dns_count <= DNS_MAX && cmdline->dns6_count <= DNS_MAX);
        must(cmdline->vlan_count <= CMDLINE_LINKS_MAX && cmdline->bond_count <= CMDLINE_LINKS_MAX);
        must(cmdline->id >= 0 && cmdline->id <= 255 && cmdline->prefix >= -1 && cmdline->prefix <= 32);
        for (size_t i = 0; i < cmdline->ip_count; i++)
                check_ip(&cmdline->ips[i]);
        for (size_t i = 0; i < cmdline->vlan_count; i++)
                must(is_link(cmdline->vlans[i].name) && is_link(cmdline->vlans[i].parent) &&
                     cmdline->vlans[i].id >= 1 && cmdline->vlans[i].id <= 4094);
        for (size_t i = 0; i < cmdline->bond_count; i++)
                for (size_t j = 0; j < cmdline->bonds[i].member_count; j++)
                        must(j < CMDLINE_MEMBERS_MAX && is_link(cmdline->bonds[i].members[j]));
}

#endif
