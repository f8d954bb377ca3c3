// SPDX-License-Identifier: MIT
#include "http/standing.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { STANDING_MS = 60000, STANDING_BYTES = 256 << 10, CLOSE_WAIT = 8 /* of Linux' net/tcp_states.h */ };

// Zeros for what is no connection any more.
static struct tcp_info info_of(int socket) {
        struct tcp_info info = { 0 };
        socklen_t size = sizeof info;
        if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
                return (struct tcp_info){ 0 };
        return info;
}

uint64_t socket_acked_bytes(int socket) { return info_of(socket).tcpi_bytes_acked; }

bool socket_is_at_end(int socket) {
        int unread = 0;
        return info_of(socket).tcpi_state == CLOSE_WAIT && ioctl(socket, FIONREAD, &unread) == 0 && unread == 0;
}

static uint64_t moved_bytes(int socket) {
        struct tcp_info info = info_of(socket);
        return info.tcpi_bytes_acked + info.tcpi_bytes_received;
}

void standing_begin(struct standing *standing, int socket, int64_t now_ms) {
        *standing = (struct standing){ .socket = socket, .moved_bytes = moved_bytes(socket), .looked_ms = now_ms };
}

// Nothing but the closed connection tells microhttpd; the socket is its own and stays open meanwhile.
void standing_look(struct standing *standing, int64_t now_ms) {
        if (now_ms - standing->looked_ms < STANDING_MS)
                return;
        uint64_t moved = moved_bytes(standing->socket);
        if (moved - standing->moved_bytes < STANDING_BYTES)
                (void)shutdown(standing->socket, SHUT_RDWR);
        standing->moved_bytes = moved;
        standing->looked_ms = now_ms;
}
