// SPDX-License-Identifier: MIT
// Which name servers a machine asks. Decided here, and nowhere else:
//
//   1. The operator's own: those of the command line, of every ip= in their order and then of nameserver=; where it
//   says
//      none, those of the inventory's network that holds the address.
//   2. Behind them, on a machine whose address is a lease's, the servers of that lease. So do dracut, systemd-networkd,
//      NetworkManager and initscripts: who writes a name server down means it to be asked although DHCP names others.
//
// These are `first`: what the initrd asks and what templates see as node.dns, IPv4 only.
//
// `configured` is what the network's configuration names: rule 1 alone, since the network's own DHCP client hears the
// lease's again, and behind it the IPv6 ones of the command line. Each once.
//
// /etc/resolv.conf names `configured` and then `first`: until that client has its lease, the file says the same. glibc
// asks the first three of the file.
#ifndef KILN_NODE_IDENTITY_NAME_SERVERS_H
#define KILN_NODE_IDENTITY_NAME_SERVERS_H

#include "base/buf.h"
#include "firmware/node/cmdline/cmdline.h"
#include "firmware/node/facts/facts.h"
#include "firmware/node/inventory/inventory.h"

// A command line's or a network's, and a lease's.
enum { NAME_SERVERS_MAX = 8, NAME_SERVERS_FIRST_MAX = 12 };

struct name_servers {
        uint32_t first[NAME_SERVERS_FIRST_MAX];
        size_t first_count;
        struct address configured[NAME_SERVERS_MAX];
        size_t configured_count;
};

// `lease`: whose address the machine has; NULL: no lease's. `network`: which holds the address; NULL: none.
void name_servers_decide(const struct cmdline *cmdline, const struct lease *lease,
                         const struct inventory_network *network, struct name_servers *ret);

// Rule 2 alone, for a machine that has a lease and no identity: `first` is all that there is.
void name_servers_of_lease(const struct lease *lease, struct name_servers *ret);

// "nameserver ADDRESS" lines, as resolv.conf(5) has them: of `first`; and of all for /etc/resolv.conf.
void name_servers_list_first(const struct name_servers *servers, struct buf *ret_text);
void name_servers_list_all(const struct name_servers *servers, struct buf *ret_text);

// "A, B": those of /etc/resolv.conf that no program asks, since glibc takes three; nothing if there are no more.
void name_servers_list_unasked(const struct name_servers *servers, struct buf *ret_text);

#endif
