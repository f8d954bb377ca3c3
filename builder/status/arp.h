// SPDX-License-Identifier: MIT
// Which cards answer for addresses (RFC 826). An address that two machines hold works now and then: the kernel's
// neighbour table knows only the one whose answer came last, so each address is asked for by broadcast, and every
// answer counts.
#ifndef KILN_STATUS_ARP_H
#define KILN_STATUS_ARP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ARP_CARDS_MAX = 8 };

struct arp_question {
        struct in_addr address;
        // What came of it.
        bool is_asked; // by broadcast; else `cards` has what the neighbour table says
        unsigned char cards[ARP_CARDS_MAX][6];
        size_t card_count;
};

struct arp_asking;

// Asks for all of them on the links whose networks have them. It needs CAP_NET_RAW; without it, and for addresses that
// are on no link, nothing is asked. The questions stay where they are until arp_end().
struct arp_asking *arp_begin(struct arp_question *questions, size_t count);

// Takes the answers, for which it waits until so many milliseconds have passed since arp_begin(); what was not asked is
// looked up in the neighbour table (proc_net_arp(5)), which has those that were connected to.
void arp_end(struct arp_asking *asking, int wait_ms);

#endif
