// SPDX-License-Identifier: MIT
#include "status/arp.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ifaddrs.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/progress.h"

struct arp_asking {
        struct arp_question *questions;
        size_t count;
        int *links; // descriptors, one for each link on which something is asked
        size_t link_count;
        int64_t began_ms;
};

static void add_card(struct arp_question *question, const unsigned char *card) {
        for (size_t i = 0; i < question->card_count; i++)
                if (memcmp(question->cards[i], card, 6) == 0)
                        return;
        if (question->card_count < ARP_CARDS_MAX)
                memcpy(question->cards[question->card_count++], card, 6);
}

// ---- asking ----

static bool can_ask_on(const struct ifaddrs *entry, struct in_addr address) {
        enum { WANTED = IFF_UP | IFF_BROADCAST };
        bool is_ip = entry->ifa_addr && entry->ifa_netmask && entry->ifa_addr->sa_family == AF_INET;
        bool can_ask = (entry->ifa_flags & WANTED) == WANTED && !(entry->ifa_flags & (IFF_NOARP | IFF_LOOPBACK));
        if (!is_ip || !can_ask)
                return false;
        in_addr_t own = ((const struct sockaddr_in *)(const void *)entry->ifa_addr)->sin_addr.s_addr;
        in_addr_t mask = ((const struct sockaddr_in *)(const void *)entry->ifa_netmask)->sin_addr.s_addr;
        return (own & mask) == (address.s_addr & mask);
}

static const struct sockaddr_ll *card_of(const struct ifaddrs *entries, const char *name) {
        for (const struct ifaddrs *entry = entries; entry; entry = entry->ifa_next) {
                bool is_it =
                    entry->ifa_addr && entry->ifa_addr->sa_family == AF_PACKET && strcmp(entry->ifa_name, name) == 0;
                if (is_it)
                        return (const struct sockaddr_ll *)(const void *)entry->ifa_addr;
        }
        return NULL;
}

static bool send_question(int fd, const struct sockaddr_ll *card, struct in_addr own, struct in_addr wanted) {
        struct ether_arp packet = { .ea_hdr = { .ar_hrd = htons(ARPHRD_ETHER),
                                                .ar_pro = htons(ETHERTYPE_IP),
                                                .ar_hln = ETH_ALEN,
                                                .ar_pln = sizeof own,
                                                .ar_op = htons(ARPOP_REQUEST) } };
        struct sockaddr_ll to = { .sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETHERTYPE_ARP),
                                  .sll_ifindex = card->sll_ifindex,
                                  .sll_halen = ETH_ALEN };
        memcpy(packet.arp_sha, card->sll_addr, ETH_ALEN);
        memcpy(packet.arp_spa, &own, sizeof own);
        memcpy(packet.arp_tpa, &wanted, sizeof wanted);
        memset(to.sll_addr, 0xff, ETH_ALEN);
        return sendto(fd, &packet, sizeof packet, 0, (const struct sockaddr *)&to, sizeof to) == sizeof packet;
}

// No kernel answers its own question: an address of this machine has this machine's card.
static bool take_own(struct arp_question *question, const struct ifaddrs *entry, const struct sockaddr_ll *card) {
        const struct sockaddr_in *own = (const struct sockaddr_in *)(const void *)entry->ifa_addr;
        if (own->sin_addr.s_addr != question->address.s_addr)
                return false;
        add_card(question, card->sll_addr);
        return true;
}

static bool ask_on(struct arp_question *question, const struct ifaddrs *entry, const struct sockaddr_ll *card, int fd) {
        struct in_addr own = ((const struct sockaddr_in *)(const void *)entry->ifa_addr)->sin_addr;
        (void)take_own(question, entry, card);
        question->is_asked = send_question(fd, card, own, question->address);
        return question->is_asked;
}

static int open_link(const struct sockaddr_ll *card) {
        struct sockaddr_ll here = { .sll_family = AF_PACKET,
                                    .sll_protocol = htons(ETHERTYPE_ARP),
                                    .sll_ifindex = card->sll_ifindex };
        int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETHERTYPE_ARP));
        if (fd >= 0 && bind(fd, (const struct sockaddr *)&here, sizeof here) < 0) {
                close(fd);
                return -1;
        }
        return fd;
}

static void ask_link(struct arp_asking *asking, const struct ifaddrs *entries, const struct ifaddrs *entry) {
        const struct sockaddr_ll *card = card_of(entries, entry->ifa_name);
        int fd = -1;
        for (size_t i = 0; card && card->sll_halen == ETH_ALEN && i < asking->count; i++) {
                struct arp_question *question = &asking->questions[i];
                if (question->is_asked || !can_ask_on(entry, question->address))
                        continue;
                if (fd < 0)
                        fd = open_link(card);
                if (fd < 0 || !ask_on(question, entry, card, fd))
                        break;
        }
        if (fd >= 0)
                *array_append(&asking->links, &asking->link_count) = fd;
}

struct arp_asking *arp_begin(struct arp_question *questions, size_t count) {
        assert(questions || count == 0);
        struct arp_asking *asking = xcalloc(1, sizeof *asking);
        struct ifaddrs *entries = NULL;
        *asking = (struct arp_asking){ .questions = questions, .count = count, .began_ms = monotonic_ms() };
        if (count > 0 && getifaddrs(&entries) == 0) {
                for (const struct ifaddrs *entry = entries; entry; entry = entry->ifa_next)
                        ask_link(asking, entries, entry);
                freeifaddrs(entries);
        }
        return asking;
}

// ---- answers ----

static void take_answer_packet(struct arp_asking *asking, const struct ether_arp *packet) {
        struct in_addr sender;
        memcpy(&sender, packet->arp_spa, sizeof sender);
        bool is_answer = packet->ea_hdr.ar_op == htons(ARPOP_REPLY) && packet->ea_hdr.ar_pro == htons(ETHERTYPE_IP) &&
                         packet->ea_hdr.ar_hln == ETH_ALEN;
        for (size_t i = 0; is_answer && i < asking->count; i++)
                if (asking->questions[i].address.s_addr == sender.s_addr)
                        add_card(&asking->questions[i], packet->arp_sha);
}

static void read_answers_of(struct arp_asking *asking, int fd) {
        struct ether_arp packet;
        ssize_t got;
        while ((got = recv(fd, &packet, sizeof packet, 0)) > 0)
                if ((size_t)got >= sizeof packet)
                        take_answer_packet(asking, &packet);
}

static void read_until(struct arp_asking *asking, int64_t until_ms) {
        auto_free struct pollfd *polls = xcalloc(asking->link_count + 1, sizeof *polls);
        for (size_t i = 0; i < asking->link_count; i++)
                polls[i] = (struct pollfd){ .fd = asking->links[i], .events = POLLIN };
        for (int64_t left; (left = until_ms - monotonic_ms()) > 0;)
                if (poll(polls, asking->link_count, (int)left) > 0)
                        for (size_t i = 0; i < asking->link_count; i++)
                                read_answers_of(asking, polls[i].fd);
        for (size_t i = 0; i < asking->link_count; i++)
                read_answers_of(asking, polls[i].fd);
}

// After a connection the kernel knows whose card answered; no privilege is needed to ask it.
static void look_up_neighbours(struct arp_asking *asking) {
        auto_fclose FILE *table = fopen("/proc/net/arp", "re");
        char line[256], ip[64];
        unsigned char card[6];
        unsigned type, flags;
        struct in_addr address;
        while (table && fgets(line, sizeof line, table)) {
                int fields = sscanf(line, "%63s 0x%x 0x%x %hhx:%hhx:%hhx:%hhx:%hhx:%hhx", ip, &type, &flags, &card[0],
                                    &card[1], &card[2], &card[3], &card[4], &card[5]);
                bool is_entry = fields == 9 && (flags & ATF_COM) != 0 && inet_pton(AF_INET, ip, &address) == 1;
                for (size_t i = 0; is_entry && i < asking->count; i++)
                        if (!asking->questions[i].is_asked && asking->questions[i].address.s_addr == address.s_addr)
                                add_card(&asking->questions[i], card);
        }
}

void arp_end(struct arp_asking *asking, int wait_ms) {
        assert(asking && wait_ms >= 0);
        if (asking->link_count > 0)
                read_until(asking, asking->began_ms + wait_ms);
        look_up_neighbours(asking);
        for (size_t i = 0; i < asking->link_count; i++)
                close(asking->links[i]);
        free(asking->links);
        free(asking);
}
