// The system calls of the DHCP client. Tests and fuzzers link another implementation in place of dhcp_io.c.
#ifndef KILN_NODE_DHCP_IO_H
#define KILN_NODE_DHCP_IO_H

#include <stddef.h>
#include <stdint.h>

#include "firmware/node/facts.h"

// A packet socket for IPv4 frames to UDP port 68 on one interface, which is set up first.
must_check bool dhcp_io_open(const struct interface *interface, int *ret_fd, struct err *err);
must_check bool dhcp_io_send(int fd, const struct interface *interface, const void *packet, size_t size,
                             struct err *err);
// Bytes of one IPv4 packet, or 0 if none is waiting. `ret_checksum_pending`: the sender's card has yet to fill in the
// UDP checksum.
size_t dhcp_io_receive(int fd, void *packet, size_t size, bool *ret_checksum_pending);
bool dhcp_io_carrier(const struct interface *interface);
void dhcp_io_wait(const int *fds, size_t count, int timeout_ms);
int64_t dhcp_io_now_ms(void);
uint32_t dhcp_io_random(void);

#endif
