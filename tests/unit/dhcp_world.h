// SPDX-License-Identifier: MIT
// A world for the DHCP client without a kernel: a clock that only waiting moves, cards whose links the test switches,
// and packets that it delivers and gets. Implements dhcp_io.h; to be included once in a program that links the rest of
// kiln-node without dhcp_io.c.
#ifndef KILN_TESTS_DHCP_WORLD_H
#define KILN_TESTS_DHCP_WORLD_H

#include <stdlib.h>

#include "firmware/node/dhcp/dhcp_arp.h"
#include "firmware/node/dhcp/dhcp_client.h"
#include "firmware/node/dhcp/dhcp_io.h"
#include "firmware/node/dhcp/dhcp_packet.h"
#include "firmware/node/inventory/inventory.h"
#include "tests/unit/dhcp_answer.h"

enum { CARDS = 3, QUEUE_MAX = 4096, SENT_MAX = 512, FD_BASE = 1 << 20, START_MS = 1000000 };

struct waiting {
        int fd; // FD_BASE + 2 * card, and one more for ARP
        uint16_t size;
        uint8_t *bytes; // of exactly that size, for the sanitizer
};

struct sent {
        int64_t at_ms;
        int card;
        bool arp;
        int type;     // DHCP's message type, else 0
        uint32_t xid; // DHCP's
        uint32_t sender, target, requested, server;
};

static struct {
        int64_t now_ms;
        bool carrier[CARDS], broken[CARDS];
        uint32_t random;
        struct waiting queue[QUEUE_MAX];
        size_t first, end;
        struct sent sent[SENT_MAX];
        size_t sent_count;
        // What happens when the client sends, and while it waits, which may end before `timeout_ms` is over.
        void (*on_send)(const struct sent *sent);
        int (*on_wait)(int timeout_ms); // how long it took; NULL: the whole
} world;

static void world_reset(void) {
        for (size_t i = world.first; i < world.end; i++)
                free(world.queue[i].bytes);
        memset(&world, 0, sizeof world);
        world.now_ms = START_MS;
}

static void world_deliver(int card, bool arp, const void *bytes, size_t size) {
        if (world.end == QUEUE_MAX)
                return;
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, bytes, size);
        world.queue[world.end++] = (struct waiting){ FD_BASE + 2 * card + arp, (uint16_t)size, copy };
}

static const struct sent *last_sent(int card, bool arp) {
        for (size_t i = world.sent_count; i-- > 0;)
                if (world.sent[i].card == card && world.sent[i].arp == arp)
                        return &world.sent[i];
        return NULL;
}

// ---- dhcp_io.h ----

bool dhcp_io_open(enum dhcp_io_kind kind, const struct interface *interface, int *ret_fd, struct err *err) {
        int card = interface->index - 1;
        if (world.broken[card])
                return fail(err, ERR_SYSTEM, 0, "set %s up", interface->name);
        *ret_fd = FD_BASE + 2 * card + (kind == DHCP_IO_ARP);
        return true;
}

static uint32_t read32(const uint8_t *at) {
        return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void note_dhcp(const uint8_t *packet, size_t size, struct sent *sent) {
        sent->xid = read32(packet + HEADERS + 4);
        for (size_t at = OPTIONS; at + 2 < size && packet[at] != 255; at += 2 + packet[at + 1]) {
                if (packet[at] == 53)
                        sent->type = packet[at + 2];
                if (packet[at] == 50)
                        sent->requested = read32(packet + at + 2);
                if (packet[at] == 54)
                        sent->server = read32(packet + at + 2);
        }
}

bool dhcp_io_send(enum dhcp_io_kind kind, int fd, const struct interface *interface, const void *packet, size_t size,
                  struct err *err) {
        const uint8_t *bytes = packet;
        struct sent sent = { .at_ms = world.now_ms, .card = interface->index - 1, .arp = kind == DHCP_IO_ARP };
        if (fd != FD_BASE + 2 * sent.card + sent.arp)
                abort();
        if (!sent.arp)
                note_dhcp(bytes, size, &sent);
        else if (size == ARP_SIZE)
                sent = (struct sent){ world.now_ms, sent.card, true, 0, 0, read32(bytes + 14), read32(bytes + 24) };
        else
                abort();
        if (world.sent_count < SENT_MAX)
                world.sent[world.sent_count++] = sent;
        if (world.on_send)
                world.on_send(&sent);
        return world.carrier[sent.card] || fail(err, ERR_NETWORK, 0, "send on %s", interface->name);
}

size_t dhcp_io_receive(int fd, void *packet, size_t size, bool *ret_checksum_pending) {
        for (size_t i = world.first; i < world.end; i++) {
                struct waiting *item = &world.queue[i];
                if (item->fd != fd || !item->bytes)
                        continue;
                size_t got = item->size < size ? item->size : size;
                memcpy(packet, item->bytes, got);
                free(item->bytes);
                item->bytes = NULL;
                while (world.first < world.end && !world.queue[world.first].bytes)
                        world.first++;
                *ret_checksum_pending = false;
                return got;
        }
        return 0;
}

bool dhcp_io_carrier(const struct interface *interface) { return world.carrier[interface->index - 1]; }

// Like poll(2): at once if there is something to read.
void dhcp_io_wait(const int *fds, size_t count, int timeout_ms) {
        for (size_t i = world.first; i < world.end; i++)
                for (size_t j = 0; j < count; j++)
                        if (world.queue[i].bytes && world.queue[i].fd == fds[j])
                                return;
        if (timeout_ms <= 0)
                abort(); // it would spin
        world.now_ms += world.on_wait ? world.on_wait(timeout_ms) : timeout_ms;
}

int64_t dhcp_io_now_ms(void) { return world.now_ms; }

uint32_t dhcp_io_random(void) {
        world.random = world.random * 1664525 + 1013904223;
        return world.random ^ world.random >> 16;
}

// ---- the machine ----

static struct inventory_node world_nodes[2] = { { .name = "master101", .role = "master", .ip = 0xc0a80247, .id = 1 },
                                                { .name = "master102", .role = "master", .ip = 0xc0a80248, .id = 2 } };
static struct inventory world_inventory = { .nodes = world_nodes, .node_count = 2 };
static struct facts world_facts;

// Asks with `cards` cards; the first has the MAC of dhcp_answer.h, and each further one one more. False: an error.
static bool world_ask(int cards, struct buf *ret_notes, struct err *err) {
        world_facts = (struct facts){ .inventory = &world_inventory, .interface_count = (size_t)cards };
        for (int i = 0; i < cards; i++) {
                struct interface *interface = &world_facts.interfaces[i];
                *interface =
                    (struct interface){ .mac = { { 0x52, 0x54, 0, 0xa8, 2, (uint8_t)(0x47 + i) } }, .index = i + 1 };
                snprintf(interface->name, sizeof interface->name, "eth%d", i);
        }
        return dhcp_ask(&world_facts, ret_notes, err);
}

#endif
