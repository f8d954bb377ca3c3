// SPDX-License-Identifier: MIT
// Which name servers a machine asks. Decided here, and nowhere else:
//
//   1. A machine whose address is a lease's asks the servers of that lease.
//   2. Any other asks those of the command line: of every ip=, in their order, and then of nameserver=.
//   3. Where the command line says none, those of the inventory's network that holds the address.
//
// These are `first`: what the initrd asks and what templates see as node.dns, IPv4 only and at most DNS_MAX.
//
// `configured` is what the network's configuration names: `first`, unless they are a lease's, which the network's own
// DHCP client hears again; and after them those of nameserver= and the IPv6 ones of the command line, also beside a
// lease. Each once.
//
// /etc/resolv.conf names `first` and `configured`: until that client has its lease, the file says the same.
#ifndef KILN_NODE_IDENTITY_NAME_SERVERS_H
#define KILN_NODE_IDENTITY_NAME_SERVERS_H

#include "base/buf.h"
#include "firmware/node/cmdline/cmdline.h"
#include "firmware/node/facts/facts.h"
#include "firmware/node/inventory/inventory.h"

enum { NAME_SERVERS_MAX = 8 };

struct name_servers {
        uint32_t first[DNS_MAX];
        size_t first_count;
        struct address configured[NAME_SERVERS_MAX];
        size_t configured_count;
};

// `lease`: whose address the machine has; NULL: no lease's. `network`: which holds the address; NULL: none.
void name_servers_decide(const struct cmdline *cmdline, const struct lease *lease,
                         const struct inventory_network *network, struct name_servers *ret);

// Rule 1 alone, for a machine that has a lease and no identity: `first` is all that there is.
void name_servers_of_lease(const struct lease *lease, struct name_servers *ret);

// "nameserver ADDRESS" lines, as resolv.conf(5) has them: of `first`; and of all for /etc/resolv.conf.
void name_servers_list_first(const struct name_servers *servers, struct buf *ret_text);
void name_servers_list_all(const struct name_servers *servers, struct buf *ret_text);

#endif
