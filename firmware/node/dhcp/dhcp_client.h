// SPDX-License-Identifier: MIT
// Asks for an address on all interfaces at once: DISCOVER, OFFER, REQUEST, ACK (RFC 2131, 3.1), then an ARP check
// (dhcp_arp.h) and, if another machine has the address, a DECLINE. How one interface does it is in dhcp_session.h.
//
// Which offer. One that names a node of the inventory (by the site's node option, its host name or its address) is
// taken at once. Any other is taken when no better one has come for DHCP_OFFER_WINDOW_MS after the first; between equal
// ones the server with the lowest address wins, whatever their order; a server that has just refused what it had
// offered comes last. Until the lease is bound, an offer that names a node still replaces one that does not.
//
// Servers that name different nodes are not resolved by luck: the other offer is added behind the leases, where
// identity.h finds the contradiction and refuses. For that an interface listens for DHCP_RIVAL_WINDOW_MS after the
// first offer, also when it is bound to a lease that names a node: a server behind a relay answers later than the one
// beside it.
//
// How long. An interface without a link waits for one, up to the profile's carrier_timeout_ms; with a link it asks for
// dhcp_timeout_ms. Once an interface is bound the others have DHCP_GRACE_NODE_MS left if its lease names a node, else
// DHCP_GRACE_MS: a machine does not wait for cards without a cable.
//
// Nothing is released: the address belongs to the machine, not to the program.
#ifndef KILN_NODE_DHCP_DHCP_CLIENT_H
#define KILN_NODE_DHCP_DHCP_CLIENT_H

#include "base/buf.h"
#include "firmware/node/facts/facts.h"

enum { DHCP_OFFER_WINDOW_MS = 300, DHCP_RIVAL_WINDOW_MS = 1000, DHCP_GRACE_NODE_MS = 1000, DHCP_GRACE_MS = 3000 };

// Fills in `facts->leases`, in the interfaces' order, and asks as `facts->inventory` says. No answer is a result: no
// lease. `ret_notes`: what went wrong on the way, a line each. ERR_SYSTEM if no interface could be opened.
must_check bool dhcp_ask(struct facts *facts, struct buf *ret_notes, struct err *err);

#endif
