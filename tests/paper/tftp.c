// SPDX-License-Identifier: MIT
// TFTP as firmware does it (RFC 1350, 2347 to 2349): it asks for the size first and hangs up, then loads in large
// blocks.
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "tests/paper/paper.h"

enum {
        READ = 1,
        DATA = 3,
        ACK = 4,
        ERROR = 5,
        OACK = 6,
        BLOCK_BYTES = 1456,
        AGAIN_MS = 1000,
        TRIES_MAX = 10,
        PORT = 69
};

static void send_tftp(const struct tftp *tftp, const void *data, size_t size) {
        if (!is_chance(options.loss_percent))
                (void)!sendto(tftp->fd, data, size, MSG_NOSIGNAL, (const struct sockaddr *)&tftp->peer,
                              sizeof tftp->peer);
}

static size_t put_text(char *to, size_t at, const char *text) {
        size_t size = strlen(text) + 1;
        memcpy(to + at, text, size);
        return at + size;
}

static void send_request(const struct tftp *tftp) {
        char packet[PATH_ROOM + 64] = { 0, READ };
        size_t size = put_text(packet, 2, tftp->path);
        size = put_text(packet, size, "octet");
        size = put_text(packet, size, "tsize");
        size = put_text(packet, size, "0");
        if (!tftp->is_size_only) {
                size = put_text(packet, size, "blksize");
                size = put_text(packet, size, "1456");
        }
        send_tftp(tftp, packet, size);
}

static void send_number(const struct tftp *tftp, uint8_t kind, uint16_t number) {
        const uint8_t packet[5] = { 0, kind, (uint8_t)(number >> 8), (uint8_t)number, 0 };
        size_t size = 4;
        if (kind == ERROR)
                size = 5; // with a text, which is empty
        send_tftp(tftp, packet, size);
}

void tftp_begin(struct tftp *tftp, struct in_addr from, const char *path, bool is_size_only, uint64_t tag) {
        const struct sockaddr_in local = { .sin_family = AF_INET, .sin_addr = from };
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = tag };
        tftp_end(tftp);
        *tftp = (struct tftp){ .is_size_only = is_size_only, .due_ms = now_ms + AGAIN_MS };
        memcpy(tftp->path, path, strlen(path) + 1);
        tftp->file = published_find(path);
        tftp->peer = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = options.server, .sin_port = htons(PORT) };
        tftp->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (tftp->fd < 0 || bind(tftp->fd, (const struct sockaddr *)&local, sizeof local) < 0 ||
            epoll_ctl(loop_epoll, EPOLL_CTL_ADD, tftp->fd, &event) < 0)
                die("a socket at %s: %s", inet_ntoa(from), strerror(errno));
        send_request(tftp);
}

void tftp_end(struct tftp *tftp) {
        if (tftp->fd > 0)
                close(tftp->fd);
        tftp->fd = 0;
}

static enum progress take_size(struct tftp *tftp, const char *text, size_t size) {
        for (size_t at = 0; at < size;) {
                const char *name = text + at, *value = name + strlen(name) + 1;
                if (value >= text + size)
                        break;
                if (strcmp(name, "tsize") == 0)
                        tftp->size = strtoull(value, NULL, 10);
                at = (size_t)(value + strlen(value) + 1 - text);
        }
        if (tftp->file && tftp->size != tftp->file->size)
                wrong("TFTP says that %s has %ju bytes", tftp->path, (uintmax_t)tftp->size);
        if (tftp->is_size_only) {
                send_number(tftp, ERROR, 8);
                return PROGRESS_DONE;
        }
        if (tftp->block == 0)
                send_number(tftp, ACK, 0);
        return PROGRESS_GOING;
}

static enum progress take_data(struct tftp *tftp, uint16_t block, const char *data, size_t size) {
        if (block != (uint16_t)(tftp->block + 1)) { // one that was sent again
                if (block == tftp->block)
                        send_number(tftp, ACK, block);
                return PROGRESS_GOING;
        }
        if (tftp->file &&
            (tftp->got + size > tftp->file->size || memcmp(tftp->file->data + tftp->got, data, size) != 0)) {
                wrong("TFTP sends other bytes for %s", tftp->path);
                return PROGRESS_FAILED;
        }
        tftp->block = block;
        tftp->got += size;
        counts.bytes += size;
        tftp->tries = 0;
        send_number(tftp, ACK, block);
        if (size == BLOCK_BYTES)
                return PROGRESS_GOING;
        if (tftp->file && tftp->got != tftp->file->size)
                wrong("TFTP ends %s after %ju bytes", tftp->path, (uintmax_t)tftp->got);
        return PROGRESS_DONE;
}

static enum progress take_packet(struct tftp *tftp, char *packet, size_t size, const struct sockaddr_in *from) {
        if (size < 4 || packet[0] != 0)
                return PROGRESS_GOING;
        if (tftp->has_peer && from->sin_port != tftp->peer.sin_port)
                return PROGRESS_GOING; // an answer to a request that was sent twice
        tftp->peer = *from;
        tftp->has_peer = true;
        tftp->due_ms = now_ms + AGAIN_MS;
        uint16_t number = (uint16_t)((uint8_t)packet[2] << 8 | (uint8_t)packet[3]);
        packet[size] = '\0';
        if (packet[1] == OACK)
                return take_size(tftp, packet + 2, size - 2);
        if (packet[1] == DATA)
                return take_data(tftp, number, packet + 4, size - 4);
        if (packet[1] == ERROR) {
                wrong("TFTP: %s: error %u, %s", tftp->path, number, packet + 4);
                return PROGRESS_FAILED;
        }
        return PROGRESS_GOING;
}

enum progress tftp_read(struct tftp *tftp) {
        enum progress progress = PROGRESS_GOING;
        while (progress == PROGRESS_GOING) {
                char packet[2048];
                struct sockaddr_in from = { 0 };
                socklen_t from_size = sizeof from;
                ssize_t size = recvfrom(tftp->fd, packet, sizeof packet - 1, 0, (struct sockaddr *)&from, &from_size);
                if (size < 0)
                        break;
                if (!is_chance(options.loss_percent))
                        progress = take_packet(tftp, packet, (size_t)size, &from);
        }
        if (progress != PROGRESS_GOING)
                tftp_end(tftp);
        return progress;
}

enum progress tftp_tick(struct tftp *tftp) {
        if (tftp->fd <= 0 || now_ms < tftp->due_ms)
                return PROGRESS_GOING;
        tftp->due_ms = now_ms + AGAIN_MS;
        counts.tftp_retries++;
        if (++tftp->tries > TRIES_MAX) {
                tftp_end(tftp);
                return PROGRESS_FAILED;
        }
        if (tftp->has_peer)
                send_number(tftp, ACK, tftp->block);
        else
                send_request(tftp);
        return PROGRESS_GOING;
}
