// SPDX-License-Identifier: MIT
// DHCP answers for tests, put together without the code under test: IPv4, UDP, BOOTP and options, from 192.168.2.1 to
// 52:54:00:a8:02:47, of 192.168.2.71.
#ifndef KILN_TESTS_DHCP_ANSWER_H
#define KILN_TESTS_DHCP_ANSWER_H

#include <stdint.h>
#include <string.h>

enum { XID = 0x12345678, HEADERS = 28, OPTIONS = HEADERS + 240, PACKET_MAX = 1500 };

struct packet {
        uint8_t bytes[PACKET_MAX];
        size_t size;
};

static inline void put16(uint8_t *at, unsigned value) {
        at[0] = (uint8_t)(value >> 8);
        at[1] = (uint8_t)value;
}

static inline unsigned sum(unsigned total, const uint8_t *data, size_t size) {
        for (size_t i = 0; i < size; i++)
                total += (unsigned)data[i] << (i & 1 ? 0 : 8);
        while (total >> 16)
                total = (total & 0xffff) + (total >> 16);
        return total;
}

// Lengths and checksums over whatever is inside.
static inline void seal(struct packet *packet) {
        uint8_t *ip = packet->bytes, *udp = ip + 20;
        size_t udp_size = packet->size - 20;
        put16(ip + 2, (unsigned)packet->size);
        put16(ip + 10, 0);
        put16(ip + 10, ~sum(0, ip, 20) & 0xffff);
        put16(udp + 4, (unsigned)udp_size);
        put16(udp + 6, 0);
        put16(udp + 6, ~sum(sum(17 + (unsigned)udp_size, ip + 12, 8), udp, udp_size) & 0xffff);
}

static inline void add(struct packet *packet, unsigned code, const void *data, unsigned size) {
        uint8_t *at = packet->bytes + packet->size;
        if (packet->size + 2 + size > sizeof packet->bytes)
                return;
        at[0] = (uint8_t)code;
        at[1] = (uint8_t)size;
        memcpy(at + 2, data, size);
        packet->size += 2 + size;
}

// An answer without options but type and server.
static inline struct packet answer(uint8_t type) {
        struct packet packet = { .size = OPTIONS };
        uint8_t *ip = packet.bytes, *bootp = ip + HEADERS;
        ip[0] = 0x45;
        ip[8] = 64;
        ip[9] = 17;
        memcpy(ip + 12, "\xc0\xa8\x02\x01\xff\xff\xff\xff", 8);
        put16(ip + 20, 67);
        put16(ip + 22, 68);
        memcpy(bootp, "\x02\x01\x06\x00\x12\x34\x56\x78", 8);
        memcpy(bootp + 16, "\xc0\xa8\x02\x47", 4);
        memcpy(bootp + 28, "\x52\x54\x00\xa8\x02\x47", 6);
        memcpy(bootp + 236, "\x63\x82\x53\x63", 4);
        add(&packet, 53, &type, 1);
        add(&packet, 54, "\xc0\xa8\x02\x01", 4);
        return packet;
}

#endif
