// SPDX-License-Identifier: MIT
// The system calls of the DHCP client and of its ARP check. Tests and fuzzers link another implementation in place of
// dhcp_io.c.
#ifndef KILN_NODE_DHCP_DHCP_IO_H
#define KILN_NODE_DHCP_DHCP_IO_H

#include <stddef.h>
#include <stdint.h>

#include "firmware/node/facts/facts.h"

enum dhcp_io_kind {
        DHCP_IO_UDP, // IPv4 packets to UDP port 68
        DHCP_IO_ARP
};

// A packet socket on one interface, which is set up first.
must_check bool dhcp_io_open(enum dhcp_io_kind kind, const struct interface *interface, int *ret_fd, struct err *err);
// To all stations.
must_check bool dhcp_io_send(enum dhcp_io_kind kind, int fd, const struct interface *interface, const void *packet,
                             size_t size, struct err *err);
// Bytes of one packet without its Ethernet header, or 0 if none is waiting. Frames to other stations and of other VLANs
// than the interface's own (the kernel hands both to packet sockets) are not passed on. `ret_checksum_pending`: the
// sender's card has yet to fill in the UDP checksum.
size_t dhcp_io_receive(int fd, void *packet, size_t size, bool *ret_checksum_pending);
bool dhcp_io_carrier(const struct interface *interface);
// Until one of the sockets has a packet or the time is over.
void dhcp_io_wait(const int *fds, size_t count, int timeout_ms);
int64_t dhcp_io_now_ms(void);
uint32_t dhcp_io_random(void);

#endif
