// SPDX-License-Identifier: MIT
// DHCP messages (RFC 2131) inside IPv4 and UDP, as bytes. Pure: no sockets, no clock. Everything that arrives is
// hostile until dhcp_parse() has accepted it.
#ifndef KILN_NODE_DHCP_DHCP_PACKET_H
#define KILN_NODE_DHCP_DHCP_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "firmware/node/facts/facts.h"
#include "firmware/node/inventory/dhcp_settings.h"

enum { DHCP_FRAME_MAX = 1500, DHCP_SERVER_PORT = 67, DHCP_CLIENT_PORT = 68, DHCP_CLIENT_ID_MAX = 32 };

enum dhcp_type { DHCP_DISCOVER = 1, DHCP_OFFER, DHCP_REQUEST, DHCP_DECLINE, DHCP_ACK, DHCP_NAK };

// The value of option 61, at least two bytes (RFC 2132, 9.14).
struct dhcp_client_id {
        uint8_t bytes[DHCP_CLIENT_ID_MAX];
        uint8_t size;
};

// By MAC: type 1 and the MAC. By DUID: type 255, an IAID that is the end of the card's MAC, and the machine's DUID,
// which is made of its SMBIOS UUID (RFC 6355), or if that says nothing of `first`, the MAC of its first card (DUID-LL,
// RFC 8415, 11.4): a machine without a disk keeps no other.
void dhcp_client_id_make(enum dhcp_id_kind kind, const char *uuid, const struct mac *first, const struct mac *mac,
                         struct dhcp_client_id *ret);

// What we ask for. `requested` and `server` belong to a REQUEST that answers an offer, and to a DECLINE.
struct dhcp_query {
        enum dhcp_type type; // DISCOVER, REQUEST or DECLINE
        uint32_t xid;
        struct mac mac;
        uint16_t seconds; // since the exchange began
        uint32_t requested, server;
        struct dhcp_client_id client_id;
        const struct dhcp_settings *settings;
};

// An IPv4 packet with UDP and DHCP, broadcast; the size is returned.
size_t dhcp_build(const struct dhcp_query *query, uint8_t ret_packet[static DHCP_FRAME_MAX]);

struct dhcp_reply {
        enum dhcp_type type; // OFFER, ACK or NAK
        struct lease lease;  // of an OFFER or ACK; interface and mac are the caller's to set
};

// An IPv4 packet (from its IP header on). False for anything that is not a well-formed answer to the query's xid and
// MAC: wrong ports, lengths, checksums (the UDP one is skipped if `checksum_pending`: an offloading card or veth has
// not filled it in), a fragment, no magic cookie, options that run over their end, no server identifier, an address
// that no host of the subnet can have. What the options may say is in dhcp_options.h.
bool dhcp_parse(const uint8_t *packet, size_t size, bool checksum_pending, const struct dhcp_query *query,
                struct dhcp_reply *ret);

#endif
