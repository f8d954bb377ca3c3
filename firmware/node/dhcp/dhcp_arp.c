// SPDX-License-Identifier: MIT
#include "firmware/node/dhcp/dhcp_arp.h"

#include <assert.h>
#include <string.h>

#include "firmware/node/dhcp/big_endian.h"
#include "firmware/node/dhcp/dhcp_io.h"

// Offsets of RFC 826 for Ethernet and IPv4.
enum { ARP_OPERATION = 6, ARP_SENDER_MAC = 8, ARP_SENDER = 14, ARP_TARGET = 24 };
enum { ARP_REQUEST = 1, ARP_REPLY = 2, CARRIER_POLL_MS = 20 };

static const uint8_t arp_head[ARP_OPERATION] = { 0, 1, 8, 0, 6, 4 }; // Ethernet, IPv4 and the sizes of their addresses

void arp_build(const struct mac *mac, uint32_t sender, uint32_t address, uint8_t ret_packet[static ARP_SIZE]) {
        memset(ret_packet, 0, ARP_SIZE);
        memcpy(ret_packet, arp_head, sizeof arp_head);
        write_be16(ret_packet + ARP_OPERATION, ARP_REQUEST);
        memcpy(ret_packet + ARP_SENDER_MAC, mac->bytes, sizeof mac->bytes);
        write_be32(ret_packet + ARP_SENDER, sender);
        write_be32(ret_packet + ARP_TARGET, address);
}

static bool is_own_card(const struct facts *facts, const struct mac *mac) {
        for (size_t i = 0; i < facts->interface_count; i++)
                if (mac_equal(&facts->interfaces[i].mac, mac))
                        return true;
        return false;
}

bool arp_is_conflict(const uint8_t *packet, size_t size, uint32_t address, const struct facts *facts,
                     struct mac *ret_by) {
        if (size < ARP_SIZE || memcmp(packet, arp_head, sizeof arp_head) != 0)
                return false;
        unsigned operation = read_be16(packet + ARP_OPERATION);
        uint32_t sender = read_be32(packet + ARP_SENDER), target = read_be32(packet + ARP_TARGET);
        bool is_request = operation == ARP_REQUEST, is_reply = operation == ARP_REPLY;
        bool is_probe = is_request && sender == 0 && target == address;
        bool is_from_owner = (is_request || is_reply) && sender == address;
        struct mac by;
        memcpy(by.bytes, packet + ARP_SENDER_MAC, sizeof by.bytes);
        if ((!is_probe && !is_from_owner) || is_own_card(facts, &by))
                return false;
        *ret_by = by;
        return true;
}

static void arp_send(const struct arp_check *check, uint32_t sender) {
        uint8_t packet[ARP_SIZE];
        auto_err ignored = { 0 }; // a full queue: there are further probes
        arp_build(&check->interface->mac, sender, check->address, packet);
        (void)!dhcp_io_send(DHCP_IO_ARP, check->fd, check->interface, packet, sizeof packet, &ignored);
}

enum arp_result arp_check_advance(struct arp_check *check, int64_t now_ms) {
        assert(check->fd >= 0 && check->address);
        enum { PACKETS_AT_ONCE = 64 }; // a flood must not keep us from the clock
        uint8_t packet[64];
        for (int i = 0; i < PACKETS_AT_ONCE; i++) {
                bool pending;
                size_t size = dhcp_io_receive(check->fd, packet, sizeof packet, &pending);
                if (size == 0)
                        break;
                if (arp_is_conflict(packet, size, check->address, check->facts, &check->by))
                        return ARP_TAKEN;
        }
        if (check->sent > 0 && now_ms < check->next_ms)
                return ARP_CHECKING;
        if (check->sent == ARP_PROBES)
                return ARP_FREE;
        arp_send(check, check->sender);
        check->sent++;
        check->next_ms = now_ms + ARP_INTERVAL_MS;
        return ARP_CHECKING;
}

void arp_announce(const struct arp_check *check) { arp_send(check, check->address); }

static bool wait_for_carrier(const struct interface *interface) {
        int64_t deadline = dhcp_io_now_ms() + ARP_LINK_WAIT_MS;
        while (!dhcp_io_carrier(interface)) {
                if (dhcp_io_now_ms() >= deadline)
                        return false;
                dhcp_io_wait(NULL, 0, CARRIER_POLL_MS);
        }
        return true;
}

static bool arp_check_run(struct arp_check *check, enum arp_result *ret, struct err *err) {
        auto_close int fd = -1;
        if (!dhcp_io_open(DHCP_IO_ARP, check->interface, &fd, err))
                return false;
        check->fd = fd;
        *ret = ARP_FREE;
        if (!wait_for_carrier(check->interface))
                return true;
        int64_t now = dhcp_io_now_ms();
        while ((*ret = arp_check_advance(check, now)) == ARP_CHECKING) {
                dhcp_io_wait(&fd, 1, (int)(check->next_ms - now));
                now = dhcp_io_now_ms();
        }
        return true;
}

bool arp_probe(const struct facts *facts, const struct interface *interface, uint32_t address, bool *ret_taken,
               struct mac *ret_by, struct err *err) {
        struct arp_check check = { .facts = facts, .interface = interface, .address = address };
        enum arp_result result;
        if (!arp_check_run(&check, &result, err))
                return false;
        *ret_taken = result == ARP_TAKEN;
        *ret_by = check.by;
        return true;
}

bool arp_ask(const struct facts *facts, const struct interface *interface, uint32_t own, uint32_t address,
             bool *ret_answers, struct err *err) {
        struct arp_check check = { .facts = facts, .interface = interface, .address = address, .sender = own };
        enum arp_result result;
        if (!arp_check_run(&check, &result, err))
                return false;
        *ret_answers = result == ARP_TAKEN;
        return true;
}
