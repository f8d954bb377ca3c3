// SPDX-License-Identifier: MIT
// Who has each virtual address: every few seconds ARP (RFC 826) is asked, and all that answer within a second are its
// owners. One is right; none, and the address is dead; two, and a switch decides who is heard. Needs CAP_NET_RAW, and
// sees the network of its own interface alone. Not safe for several threads.
#ifndef KILN_SERVE_VIP_WATCH_H
#define KILN_SERVE_VIP_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "serve/serve_place.h"

enum { VIP_OWNERS_MAX = 4, VIP_MAC_SIZE = 6 };

struct watched_vip {
        struct in_addr ip;
        uint8_t owners[VIP_OWNERS_MAX][VIP_MAC_SIZE]; // as the last round found them
        size_t owner_count;
        int64_t asked_ms;                            // since 1970; 0: not asked yet, or not in reach
        uint8_t heard[VIP_OWNERS_MAX][VIP_MAC_SIZE]; // in this round
        size_t heard_count;
};

struct vip_watch {
        int fd; // -1: nobody may ask
        int interface;
        uint8_t mac[VIP_MAC_SIZE];
        struct in_addr address;
        int64_t round_ms; // monotonic; when this round began
        bool is_round;
        struct watched_vip *vips;
        size_t count;
};

// Opens the socket, if this process may.
void vip_watch_open(struct vip_watch *watch, const struct serve_place *place);
void vip_watch_close(struct vip_watch *watch);
// Takes the cluster's addresses; what is known of one that stays is kept.
void vip_watch_take(struct vip_watch *watch, const struct cluster *cluster);
// Asks, listens and adds up, without waiting; to be called several times a second. True if an owner has changed.
bool vip_watch_tick(struct vip_watch *watch, const struct cluster *cluster, int64_t now_ms);

// An answer to a request (28 bytes behind the Ethernet head): whose address and card. False: it is something else.
bool arp_answer(const unsigned char *frame, size_t size, struct in_addr *ret_ip, uint8_t ret_mac[static VIP_MAC_SIZE]);

#endif
