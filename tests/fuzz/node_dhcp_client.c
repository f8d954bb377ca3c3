// SPDX-License-Identifier: MIT
// Fuzz target: the DHCP client's state machine. The input is a list of events, each with a byte that says what it is:
// time passes, a link goes or comes, a packet or an ARP packet arrives. Whatever happens, asking ends in its time, no
// flood of packets leaves, and a lease is one that was probed for and announced.
// Build with clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ibuilder -I. and what kiln-node is made of
// without main.c and dhcp_io.c; run with tests/fuzz/node_dhcp_client.corpus as argument. tests/unit/node_dhcp_client.c
// replays the corpus on every run.
#include "tests/unit/dhcp_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_TIMEOUT_MS = 8000, FUZZ_CARRIER_MS = 2000, FUZZ_SENT_MAX = 200 };

static const uint8_t *fuzz_data;
static size_t fuzz_size;
static size_t links; // that came or went

static unsigned fuzz_byte(void) {
        if (fuzz_size == 0)
                return 0;
        fuzz_size--;
        return *fuzz_data++;
}

static const uint8_t *fuzz_bytes(size_t *size) {
        const uint8_t *bytes = fuzz_data;
        *size = *size < fuzz_size ? *size : fuzz_size;
        fuzz_data += *size;
        fuzz_size -= *size;
        return bytes;
}

// A well-formed answer to what the card sent last, with options of the input behind.
static void fuzz_answer(int card, unsigned type, unsigned host, unsigned server) {
        const struct sent *last = last_sent(card, false);
        struct packet packet = answer((uint8_t)type);
        size_t size = fuzz_byte();
        const uint8_t *options = fuzz_bytes(&size);
        uint8_t *bootp = packet.bytes + HEADERS;
        for (int i = 0; last && i < 4; i++)
                bootp[4 + i] = (uint8_t)(last->xid >> (24 - 8 * i));
        bootp[19] = (uint8_t)host;
        bootp[33] = (uint8_t)(0x47 + card);
        packet.bytes[packet.size - 1] = (uint8_t)server;
        memcpy(packet.bytes + packet.size, options, size);
        packet.size += size;
        seal(&packet);
        world_deliver(card, false, packet.bytes, packet.size);
}

static void fuzz_raw(int card, bool arp) {
        size_t size = fuzz_byte() | fuzz_byte() << 8;
        const uint8_t *bytes = fuzz_bytes(&size);
        world_deliver(card, arp, bytes, size);
}

// Another machine says that it has the address, or asks for it.
static void fuzz_arp(int card, unsigned host, unsigned mac) {
        struct mac from = { { 0x52, 0x54, 0, 0xa8, 2, (uint8_t)mac } };
        uint8_t packet[ARP_SIZE];
        arp_build(&from, 0xc0a80200 | host, 0xc0a80200 | host, packet);
        world_deliver(card, true, packet, sizeof packet);
}

static int fuzz_wait(int timeout_ms) {
        static const uint8_t types[] = { DHCP_OFFER, DHCP_ACK, DHCP_NAK, DHCP_OFFER };
        if (fuzz_size == 0)
                return timeout_ms;
        unsigned event = fuzz_byte();
        int card = (int)(event >> 4) % CARDS;
        switch (event % 8) {
        case 0:
                return timeout_ms;
        case 1:
                return (int)(fuzz_byte() % (unsigned)timeout_ms);
        case 2:
                world.carrier[card] = !world.carrier[card];
                links++;
                return 0;
        case 3:
                fuzz_raw(card, (event & 8) != 0);
                return 0;
        case 4:
                fuzz_arp(card, fuzz_byte(), fuzz_byte());
                return 0;
        default:
                fuzz_answer(card, types[event % 8 - 5], fuzz_byte(), fuzz_byte());
                return 0;
        }
}

// Probes without a conflict, then the announcement.
static bool was_probed(uint32_t address) {
        int probes = 0;
        for (size_t i = 0; i < world.sent_count; i++) {
                if (!world.sent[i].arp || world.sent[i].target != address)
                        continue;
                if (world.sent[i].sender == address && probes >= ARP_PROBES)
                        return true;
                probes++;
        }
        return world.sent_count == SENT_MAX;
}

static void check_result(const struct buf *notes) {
        const struct dhcp_settings *settings = &world_inventory.dhcp;
        if (world.now_ms > START_MS + settings->timeout_ms + settings->carrier_timeout_ms)
                abort();
        for (size_t i = 0; i < world_facts.lease_count; i++) {
                const struct lease *lease = &world_facts.leases[i];
                bool rival = i > 0 && strcmp(lease->interface, world_facts.leases[i - 1].interface) <= 0;
                if (rival)
                        continue;
                if (!address_is_host(lease->address) || (settings->arp_check && !was_probed(lease->address)))
                        abort();
        }
        if (world.sent_count > FUZZ_SENT_MAX + 2 * links)
                abort();
        size_t declines = 0;
        for (size_t i = 0; i < world.sent_count; i++) {
                const struct sent *sent = &world.sent[i];
                declines += sent->type == DHCP_DECLINE;
                if (sent->type == DHCP_DECLINE && (!sent->server || !sent->requested))
                        abort();
        }
        if (declines > 0 && notes->size == 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        auto_buf notes = { .max = 1 << 20 };
        auto_err err = { 0 };
        world_reset();
        links = 0;
        fuzz_data = data;
        fuzz_size = size;
        unsigned flags = fuzz_byte();
        world_inventory.dhcp = (struct dhcp_settings){ .timeout_ms = FUZZ_TIMEOUT_MS,
                                                       .carrier_timeout_ms = FUZZ_CARRIER_MS,
                                                       .arp_check = !(flags & 1),
                                                       .id_kind = flags & 2 ? DHCP_ID_DUID : DHCP_ID_MAC,
                                                       .node = { 224, 0 },
                                                       .id = { 43, 1 } };
        for (int i = 0; i < CARDS; i++)
                world.carrier[i] = flags & 4 << i;
        world.on_wait = fuzz_wait;
        if (!world_ask(1 + (int)(flags >> 6) % CARDS, &notes, &err))
                abort();
        check_result(&notes);
        world_reset();
        return 0;
}
