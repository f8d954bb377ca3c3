// SPDX-License-Identifier: MIT
// Transfers that stand still: less than 256 KiB a minute, in either direction, is none.
#ifndef KILN_HTTP_STANDING_H
#define KILN_HTTP_STANDING_H

#include <stdbool.h>
#include <stdint.h>

struct standing {
        int socket;
        uint64_t moved_bytes; // when it was looked at last
        int64_t looked_ms;
};

void standing_begin(struct standing *standing, int socket, int64_t now_ms);
// To be called from time to time, while the socket is open: shuts it down if nothing moves.
void standing_look(struct standing *standing, int64_t now_ms);

// Whether the other side sends nothing more, and all that it sent was read.
bool socket_is_at_end(int socket);

// What the other side has acknowledged of what it was sent.
uint64_t socket_acked_bytes(int socket);

#endif
