// SPDX-License-Identifier: MIT
// Is an IPv4 address in use by another machine? ARP probes (RFC 826, RFC 5227) with a shorter clock than RFC 5227's
// 4 to 7 s, as every boot waits for it: ARP_PROBES probes ARP_INTERVAL_MS apart, and the address is free when the last
// interval is over without a sign of another owner. A machine that answers ARP at all answers within milliseconds.
#ifndef KILN_NODE_DHCP_DHCP_ARP_H
#define KILN_NODE_DHCP_DHCP_ARP_H

#include <stddef.h>
#include <stdint.h>

#include "firmware/node/facts/facts.h"

enum {
        ARP_SIZE = 28,
        ARP_PROBES = 3,
        ARP_INTERVAL_MS = 100,
        ARP_LINK_WAIT_MS = 3000 // a card that was just set up needs 1 to 3 s for its link
};

// A request for `address`. Sender 0: a probe (RFC 5227, 2.1.1); sender `address`: an announcement (2.3).
void arp_build(const struct mac *mac, uint32_t sender, uint32_t address, uint8_t ret_packet[static ARP_SIZE]);

// Whether a packet shows another owner of `address`: any ARP packet sent from it, or another's probe for it (RFC 5227,
// 2.1.1). This machine's own cards are none.
bool arp_is_conflict(const uint8_t *packet, size_t size, uint32_t address, const struct facts *facts,
                     struct mac *ret_by);

// A check under way; `fd` is of DHCP_IO_ARP.
struct arp_check {
        const struct facts *facts;
        const struct interface *interface;
        uint32_t address;
        uint32_t sender; // 0: probes; else whose address it is that asks
        int fd, sent;
        int64_t next_ms; // when to go on at the latest
        struct mac by;   // with ARP_TAKEN: the other machine
};

enum arp_result { ARP_CHECKING, ARP_FREE, ARP_TAKEN };

enum arp_result arp_check_advance(struct arp_check *check, int64_t now_ms);
// Tells the neighbours, whose caches may name an earlier owner. Losing it does no harm.
void arp_announce(const struct arp_check *check);

// The whole check for an address that no DHCP server gave. The card is set up and stays so; without a link within
// ARP_LINK_WAIT_MS nothing can be asked, and the result is false. ERR_SYSTEM.
must_check bool arp_probe(const struct facts *facts, const struct interface *interface, uint32_t address,
                          bool *ret_taken, struct mac *ret_by, struct err *err);

// Whether `address` answers a machine that has the address `own` on that interface, with the same clock.
must_check bool arp_ask(const struct facts *facts, const struct interface *interface, uint32_t own, uint32_t address,
                        bool *ret_answers, struct err *err);

#endif
