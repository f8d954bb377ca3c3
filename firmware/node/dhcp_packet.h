// DHCP messages (RFC 2131, options RFC 2132, long options RFC 3396) inside IPv4 and UDP, as bytes. Pure: no sockets, no
// clock. Everything that arrives is hostile until dhcp_parse() has accepted it.
#ifndef KILN_NODE_DHCP_PACKET_H
#define KILN_NODE_DHCP_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "firmware/node/facts.h"

enum { DHCP_FRAME_MAX = 1500, DHCP_SERVER_PORT = 67, DHCP_CLIENT_PORT = 68 };

enum dhcp_type { DHCP_DISCOVER = 1, DHCP_OFFER, DHCP_REQUEST, DHCP_DECLINE, DHCP_ACK, DHCP_NAK };

// What we ask for. `requested` and `server` belong to a REQUEST that answers an offer.
struct dhcp_query {
        enum dhcp_type type; // DISCOVER or REQUEST
        uint32_t xid;
        struct mac mac;
        uint16_t seconds; // since the exchange began
        uint32_t requested, server;
};

// An IPv4 packet with UDP and DHCP, broadcast; the size is returned.
size_t dhcp_build(const struct dhcp_query *query, uint8_t ret_packet[static DHCP_FRAME_MAX]);

struct dhcp_reply {
        enum dhcp_type type; // OFFER, ACK or NAK
        struct lease lease;  // of an OFFER or ACK; interface and mac are the caller's to set
};

// An IPv4 packet (from its IP header on). False for anything that is not a well-formed answer to `xid` for `mac`: wrong
// ports, lengths, checksums (the UDP one is skipped if `checksum_pending`: an offloading card or veth has not filled it
// in), no magic cookie, options that run over their end, no server identifier, an address that no host can have.
bool dhcp_parse(const uint8_t *packet, size_t size, bool checksum_pending, uint32_t xid, const struct mac *mac,
                struct dhcp_reply *ret);

#endif
