// SPDX-License-Identifier: MIT
// Is there a DHCP server already? A DISCOVER (RFC 2131) with a MAC address that nobody has, below IP, and whoever
// offers.
#ifndef KILN_SERVE_DHCP_PROBE_H
#define KILN_SERVE_DHCP_PROBE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { DHCP_SERVERS_MAX = 16 };

// Listens for so long. `*ret_allowed` is false where this process may not open packet sockets: nothing is known then.
must_check bool dhcp_probe(const char *interface, int timeout_ms, struct in_addr ret_servers[static DHCP_SERVERS_MAX],
                           size_t *ret_count, bool *ret_allowed, struct err *err);

// The server that an Ethernet frame is an offer of, for a transaction; false: it is something else.
bool dhcp_probe_offer(const unsigned char *frame, size_t size, unsigned xid, struct in_addr *ret_server);

#endif
