// Asks for an address on all interfaces at once: DISCOVER, OFFER, REQUEST, ACK (RFC 2131, 3.1).
//
// Rules. The first valid offer of an interface is taken. Unanswered messages are repeated after 1, 2, 4, 8, 8...
// seconds, each changed by up to a quarter at random; three REQUESTs without an answer, or a NAK, begin again. An
// interface without a link waits for one. Once an interface is bound, the others have DHCP_GRACE_MS left. Nothing is
// released: the address belongs to the machine.
#ifndef KILN_NODE_DHCP_CLIENT_H
#define KILN_NODE_DHCP_CLIENT_H

#include "firmware/node/facts.h"

enum { DHCP_GRACE_MS = 1000 };

// Leases are written in the interfaces' order. No answer is a result: `*ret_count` 0. ERR_SYSTEM if no interface could
// be opened.
must_check bool dhcp_ask(const struct interface *interfaces, size_t interface_count, int timeout_ms,
                         struct lease ret_leases[static LEASES_MAX], size_t *ret_count, struct err *err);

#endif
