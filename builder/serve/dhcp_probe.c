// SPDX-License-Identifier: MIT
#include "serve/dhcp_probe.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/progress.h"

enum {
        ETHER_SIZE = 14,
        IP_SIZE = 20,
        UDP_SIZE = 8,
        BOOTP_SIZE = 236,
        OPTIONS_AT = ETHER_SIZE + IP_SIZE + UDP_SIZE + BOOTP_SIZE + 4,
        FRAME_SIZE = OPTIONS_AT + 64,
        SERVER_PORT = 67,
        CLIENT_PORT = 68,
        OPTION_TYPE = 53,
        OPTION_SERVER = 54,
        OPTION_END = 255,
        DISCOVER = 1,
        OFFER = 2,
};
static const unsigned char magic[] = { 0x63, 0x82, 0x53, 0x63 };

// ---- the question ----

static void frame_put16(unsigned char *at, unsigned value) {
        at[0] = (unsigned char)(value >> 8);
        at[1] = (unsigned char)value;
}

static void frame_put32(unsigned char *at, unsigned value) {
        frame_put16(at, value >> 16);
        frame_put16(at + 2, value & 0xffff);
}

static unsigned ip_checksum(const unsigned char *head) {
        unsigned sum = 0;
        for (size_t i = 0; i < IP_SIZE; i += 2)
                sum += (unsigned)(head[i] << 8 | head[i + 1]);
        sum = (sum & 0xffff) + (sum >> 16);
        return ~(sum + (sum >> 16)) & 0xffff;
}

static void make_discover(unsigned char frame[static FRAME_SIZE], const unsigned char mac[static 6], unsigned xid) {
        unsigned char *ip = frame + ETHER_SIZE, *udp = ip + IP_SIZE, *bootp = udp + UDP_SIZE;
        memset(frame, 0, FRAME_SIZE);
        memset(frame, 0xff, 6);
        memcpy(frame + 6, mac, 6);
        frame_put16(frame + 12, ETHERTYPE_IP);
        ip[0] = 0x45; // version 4, five words
        frame_put16(ip + 2, FRAME_SIZE - ETHER_SIZE);
        ip[8] = 64;
        ip[9] = IPPROTO_UDP;
        memset(ip + 16, 0xff, 4);
        frame_put16(ip + 10, ip_checksum(ip));
        frame_put16(udp, CLIENT_PORT);
        frame_put16(udp + 2, SERVER_PORT);
        frame_put16(udp + 4, FRAME_SIZE - ETHER_SIZE - IP_SIZE);
        bootp[0] = 1; // a request
        bootp[1] = 1; // Ethernet
        bootp[2] = 6;
        frame_put32(bootp + 4, xid);
        frame_put16(bootp + 10, 0x8000); // answers by broadcast
        memcpy(bootp + 28, mac, 6);
        memcpy(bootp + BOOTP_SIZE, magic, sizeof magic);
        const unsigned char options[] = { OPTION_TYPE, 1, DISCOVER, 55, 3, 1, 3, 6, OPTION_END };
        memcpy(frame + OPTIONS_AT, options, sizeof options);
}

// ---- the answers ----

bool dhcp_probe_offer(const unsigned char *frame, size_t size, unsigned xid, struct in_addr *ret_server) {
        assert(frame && ret_server);
        const unsigned char *bootp = frame + ETHER_SIZE + IP_SIZE + UDP_SIZE;
        unsigned char wanted[4];
        bool is_offer = false, has_server = false;
        frame_put32(wanted, xid);
        if (size < OPTIONS_AT || frame[ETHER_SIZE] != 0x45 || frame[ETHER_SIZE + 9] != IPPROTO_UDP || bootp[0] != 2 ||
            memcmp(bootp + 4, wanted, sizeof wanted) != 0)
                return false;
        if (memcmp(bootp + BOOTP_SIZE, magic, sizeof magic) != 0)
                return false;
        for (size_t at = OPTIONS_AT; at + 1 < size && frame[at] != OPTION_END;) {
                if (frame[at] == 0) {
                        at++;
                        continue;
                }
                size_t length = frame[at + 1];
                if (at + 2 + length > size)
                        return false;
                is_offer |= frame[at] == OPTION_TYPE && length == 1 && frame[at + 2] == OFFER;
                if (frame[at] == OPTION_SERVER && length == sizeof *ret_server) {
                        memcpy(ret_server, frame + at + 2, sizeof *ret_server);
                        has_server = true;
                }
                at += 2 + length;
        }
        return is_offer && has_server;
}

static void collect_offers(int fd, unsigned xid, int64_t deadline_ms, struct in_addr *servers, size_t *count) {
        int64_t left_ms;
        while ((left_ms = deadline_ms - monotonic_ms()) > 0) {
                unsigned char frame[2048];
                struct pollfd polled = { .fd = fd, .events = POLLIN };
                struct in_addr server;
                if (poll(&polled, 1, (int)left_ms) <= 0)
                        continue;
                ssize_t size = recv(fd, frame, sizeof frame, MSG_DONTWAIT);
                if (size < 0 || !dhcp_probe_offer(frame, (size_t)size, xid, &server))
                        continue;
                bool is_known = false;
                for (size_t i = 0; i < *count; i++)
                        is_known |= servers[i].s_addr == server.s_addr;
                if (!is_known && *count < DHCP_SERVERS_MAX)
                        servers[(*count)++] = server;
        }
}

bool dhcp_probe(const char *interface, int timeout_ms, struct in_addr ret_servers[static DHCP_SERVERS_MAX],
                size_t *ret_count, bool *ret_allowed, struct err *err) {
        assert(interface && ret_servers && ret_count && ret_allowed);
        unsigned char frame[FRAME_SIZE], mac[6] = { 0x02 };
        unsigned xid = 0;
        *ret_count = 0;
        auto_close int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETHERTYPE_IP));
        *ret_allowed = fd >= 0;
        if (fd < 0)
                return errno == EPERM || fail(err, ERR_SYSTEM, errno, "open a packet socket");
        struct sockaddr_ll place = { .sll_family = AF_PACKET,
                                     .sll_protocol = htons(ETHERTYPE_IP),
                                     .sll_ifindex = (int)if_nametoindex(interface) };
        if (getrandom(mac + 1, 5, 0) != 5 || getrandom(&xid, sizeof xid, 0) != sizeof xid)
                return fail(err, ERR_SYSTEM, errno, "random bytes");
        make_discover(frame, mac, xid);
        if (bind(fd, (const struct sockaddr *)&place, sizeof place) < 0 || send(fd, frame, sizeof frame, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "ask for DHCP servers on %s", interface);
        collect_offers(fd, xid, monotonic_ms() + timeout_ms, ret_servers, ret_count);
        return true;
}
