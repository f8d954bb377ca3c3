// SPDX-License-Identifier: MIT
// The DHCP client's clock and choices, in a world without a kernel; and its fuzzer's corpus, with mutations.
#include "tests/unit/corpus.h"
#include "tests/unit/test.h"

#include "base/mem.h"
#include "tests/fuzz/node_dhcp_client.c"

enum { FIRST = 0, SECOND = 1, HOST_NODE = 0x47, HOST_OTHER_NODE = 0x48, HOST_STRANGER = 0x96 };

static struct buf notes;

static void begin_trial(bool arp_check) {
        world_reset();
        world_inventory.dhcp =
            (struct dhcp_settings){ .timeout_ms = 60000, .carrier_timeout_ms = 20000, .arp_check = arp_check };
        buf_release(&notes);
}

static size_t ask(int cards) {
        EXPECT_OK(world_ask(cards, &notes, err));
        return world_facts.lease_count;
}

// Answers what the card sent last with an address 192.168.2.HOST of the server 192.168.2.SERVER.
static void reply_to(const struct sent *sent, uint8_t type, unsigned host, unsigned server) {
        struct packet packet = answer(type);
        uint8_t *bootp = packet.bytes + HEADERS;
        for (int i = 0; i < 4; i++)
                bootp[4 + i] = (uint8_t)(sent->xid >> (24 - 8 * i));
        bootp[19] = (uint8_t)(type == DHCP_NAK ? 0 : host);
        bootp[33] = (uint8_t)(0x47 + sent->card);
        packet.bytes[packet.size - 1] = (uint8_t)server;
        seal(&packet);
        world_deliver(sent->card, false, packet.bytes, packet.size);
}

static size_t count_sent(int type) {
        size_t count = 0;
        for (size_t i = 0; i < world.sent_count; i++)
                count += world.sent[i].type == type;
        return count;
}

static const struct sent *nth_sent(int type, size_t n) {
        for (size_t i = 0; i < world.sent_count; i++)
                if (world.sent[i].type == type && n-- == 0)
                        return &world.sent[i];
        return &world.sent[SENT_MAX - 1];
}

static bool about(int64_t ms, int64_t wanted) { return ms >= wanted - wanted / 4 && ms <= wanted + wanted / 4; }

// ---- the clock ----

static void unanswered_messages_are_repeated_ever_less_often(void) {
        static const int delays[] = { 1000, 2000, 4000, 8000, 8000, 8000 };
        begin_trial(true);
        world.carrier[FIRST] = true;
        EXPECT(ask(1) == 0 && world.now_ms >= START_MS + 60000 && world.now_ms <= START_MS + 60250);
        EXPECT(world.sent_count >= lengthof(delays) + 1 && world.sent_count <= 12 && world.sent[0].at_ms == START_MS);
        int64_t varied = 0;
        for (size_t i = 0; i < lengthof(delays); i++) {
                int64_t delay = world.sent[i + 1].at_ms - world.sent[i].at_ms;
                EXPECT(about(delay, delays[i]) && world.sent[i].type == DHCP_DISCOVER);
                EXPECT(world.sent[i].xid == world.sent[0].xid);
                varied += delay != delays[i];
        }
        EXPECT(varied > 0);
}

static void links_are_waited_for_only_so_long(void) {
        begin_trial(true);
        EXPECT(ask(2) == 0 && world.sent_count == 0);
        EXPECT(world.now_ms >= START_MS + 20000 && world.now_ms <= START_MS + 20100);
}

static int64_t link_up_ms, link_down_ms;

static int switch_link(int timeout_ms) {
        int64_t next = world.now_ms + timeout_ms;
        world.carrier[FIRST] = next >= link_up_ms && (next < link_down_ms || next >= link_down_ms + 500);
        return timeout_ms;
}

static void a_late_link_is_used_at_once(void) {
        begin_trial(true);
        link_up_ms = START_MS + 7000;
        link_down_ms = START_MS + 30000;
        world.on_wait = switch_link;
        EXPECT(ask(1) == 0);
        EXPECT(world.sent[0].at_ms >= link_up_ms && world.sent[0].at_ms <= link_up_ms + 100);
        size_t i = 0;
        while (i < world.sent_count && world.sent[i].at_ms < link_down_ms + 500)
                i++;
        EXPECT(i < world.sent_count && world.sent[i].at_ms <= link_down_ms + 1000); // a flap
        EXPECT(world.sent[i].xid != world.sent[0].xid);
        EXPECT(about(world.sent[i + 1].at_ms - world.sent[i].at_ms, 1000));
}

// ---- from offer to lease ----

static void answer_all(const struct sent *sent) {
        if (sent->type == DHCP_DISCOVER)
                reply_to(sent, DHCP_OFFER, HOST_NODE, 1);
        if (sent->type == DHCP_REQUEST)
                reply_to(sent, DHCP_ACK, HOST_NODE, 1);
}

static void a_lease_is_probed_and_announced(void) {
        begin_trial(true);
        world.carrier[FIRST] = true;
        world.on_send = answer_all;
        EXPECT(ask(1) == 1 && world_facts.leases[0].address == 0xc0a80247);
        EXPECT_TEXT(world_facts.leases[0].interface, "eth0");
        EXPECT(world.now_ms == START_MS + DHCP_RIVAL_WINDOW_MS && world.sent_count == 6);
        for (size_t i = 0; i < 3; i++) {
                const struct sent *probe = &world.sent[2 + i];
                EXPECT(probe->arp && probe->sender == 0 && probe->target == 0xc0a80247);
                EXPECT(probe->at_ms == START_MS + 100 * (int64_t)i);
        }
        EXPECT(world.sent[5].arp && world.sent[5].sender == 0xc0a80247 && world.sent[5].target == 0xc0a80247);
        begin_trial(false);
        world.carrier[FIRST] = true;
        world.on_send = answer_all;
        EXPECT(ask(1) == 1 && world.now_ms == START_MS + DHCP_RIVAL_WINDOW_MS && world.sent_count == 2);
}

static void own_arp(uint32_t sender, uint8_t mac) {
        struct mac from = { { 0x52, 0x54, 0, 0xa8, 2, mac } };
        uint8_t packet[ARP_SIZE];
        arp_build(&from, sender, 0xc0a80247, packet);
        world_deliver(FIRST, true, packet, sizeof packet);
}

static void answer_and_hold(const struct sent *sent) {
        answer_all(sent);
        if (sent->arp && sent->sender == 0)
                own_arp(0xc0a80247, 0x99);
}

static void taken_addresses_are_declined_ever_less_often(void) {
        static const int waits[] = { 1000, 2000, 4000, 8000, 10000, 10000 };
        begin_trial(true);
        world.carrier[FIRST] = true;
        world.on_send = answer_and_hold;
        EXPECT(ask(1) == 0 && count_sent(DHCP_DECLINE) >= lengthof(waits));
        EXPECT(strstr(buf_text(&notes), "192.168.2.71, which the DHCP server 192.168.2.1 gave to eth0, is in use by "
                                        "52:54:00:a8:02:99: declined\n"));
        for (size_t i = 0; i < lengthof(waits); i++) {
                const struct sent *decline = nth_sent(DHCP_DECLINE, i), *next = nth_sent(DHCP_DISCOVER, i + 1);
                EXPECT(decline->requested == 0xc0a80247 && decline->server == 0xc0a80201);
                EXPECT(next->at_ms - decline->at_ms == waits[i] && next->xid != decline->xid);
        }
}

static void answer_and_reflect(const struct sent *sent) {
        answer_all(sent);
        if (!sent->arp)
                return;
        own_arp(0xc0a80247, 0x47); // a switch that sends our own frames back
        own_arp(0, 0x48);          // our other card
}

static void another_probe(const struct sent *sent) {
        answer_all(sent);
        if (sent->arp)
                own_arp(0, 0x99); // wants the same address at the same time
}

static void what_is_a_conflict(void) {
        begin_trial(true);
        world.carrier[FIRST] = true;
        world.on_send = answer_and_reflect;
        EXPECT(ask(2) == 1);
        begin_trial(true);
        world.carrier[FIRST] = true;
        world.on_send = another_probe;
        EXPECT(ask(1) == 0 && count_sent(DHCP_DECLINE) > 0);
        struct mac by;
        uint8_t packet[ARP_SIZE];
        struct mac other = { { 2, 0, 0, 0, 0, 9 } };
        arp_build(&other, 0xc0a80247, 0xc0a80201, packet); // speaks with a third, from the address
        EXPECT(arp_is_conflict(packet, sizeof packet, 0xc0a80247, &world_facts, &by) && mac_equal(&by, &other));
        EXPECT(!arp_is_conflict(packet, sizeof packet - 1, 0xc0a80247, &world_facts, &by));
        EXPECT(!arp_is_conflict(packet, sizeof packet, 0xc0a80201, &world_facts, &by)); // asks for it, has another
        packet[7] = 3;                                                                  // RARP
        EXPECT(!arp_is_conflict(packet, sizeof packet, 0xc0a80247, &world_facts, &by));
        packet[7] = 2;
        packet[5] = 16;
        EXPECT(!arp_is_conflict(packet, sizeof packet, 0xc0a80247, &world_facts, &by));
}

static void refuse_first(const struct sent *sent) {
        if (sent->type == DHCP_DISCOVER)
                reply_to(sent, DHCP_OFFER, HOST_NODE, 1);
        if (sent->type == DHCP_REQUEST)
                reply_to(sent, count_sent(DHCP_REQUEST) > 1 ? DHCP_ACK : DHCP_NAK, HOST_NODE, 1);
}

static void a_nak_begins_again_after_a_while(void) {
        begin_trial(true);
        world.carrier[FIRST] = true;
        world.on_send = refuse_first;
        EXPECT(ask(1) == 1);
        EXPECT(about(nth_sent(DHCP_DISCOVER, 1)->at_ms - START_MS, 1000));
        EXPECT(nth_sent(DHCP_DISCOVER, 1)->xid != nth_sent(DHCP_DISCOVER, 0)->xid);
}

static void offer_only(const struct sent *sent) {
        if (sent->type == DHCP_DISCOVER)
                reply_to(sent, DHCP_OFFER, HOST_NODE, 1);
}

static void three_requests_are_enough(void) {
        begin_trial(true);
        world.carrier[FIRST] = true;
        world.on_send = offer_only;
        EXPECT(ask(1) == 0);
        EXPECT(nth_sent(DHCP_DISCOVER, 1)->at_ms > nth_sent(DHCP_REQUEST, 2)->at_ms);
        EXPECT(nth_sent(DHCP_REQUEST, 3)->at_ms > nth_sent(DHCP_DISCOVER, 1)->at_ms);
}

// ---- which offer ----

static const unsigned (*offers)[2]; // host and server of each, in the order in which they come
static size_t offer_count;

static void offer_several(const struct sent *sent) {
        for (size_t i = 0; sent->type == DHCP_DISCOVER && i < offer_count; i++)
                reply_to(sent, DHCP_OFFER, offers[i][0], offers[i][1]);
        if (sent->type == DHCP_REQUEST)
                reply_to(sent, DHCP_ACK, sent->requested & 255, sent->server & 255);
}

static size_t choose(const unsigned (*list)[2], size_t count) {
        begin_trial(true);
        world.carrier[FIRST] = true;
        offers = list;
        offer_count = count;
        world.on_send = offer_several;
        return ask(1);
}

static void offers_are_chosen_by_rule(void) {
        static const unsigned strangers[][2] = { { HOST_STRANGER, 9 }, { HOST_STRANGER + 1, 3 }, { HOST_STRANGER, 5 } },
                              node_last[][2] = { { HOST_STRANGER, 1 }, { HOST_NODE, 9 } },
                              node_first[][2] = { { HOST_NODE, 9 }, { HOST_STRANGER, 1 } },
                              two_nodes[][2] = { { HOST_NODE, 1 }, { HOST_OTHER_NODE, 9 } };
        EXPECT(choose(strangers, 3) == 1 && world_facts.leases[0].address == 0xc0a80297);
        EXPECT(world.now_ms == START_MS + DHCP_OFFER_WINDOW_MS + 300);
        EXPECT(choose(node_last, 2) == 1 && world_facts.leases[0].address == 0xc0a80247);
        EXPECT(nth_sent(DHCP_REQUEST, 0)->at_ms == START_MS); // at once
        EXPECT(choose(node_first, 2) == 1 && world_facts.leases[0].address == 0xc0a80247);
        EXPECT(choose(two_nodes, 2) == 2);
        EXPECT(world_facts.leases[0].address == 0xc0a80247 && world_facts.leases[1].address == 0xc0a80248);
}

static int64_t rival_ms; // when it answers; 0: it did

static int answer_late(int timeout_ms) {
        if (!rival_ms || world.now_ms + timeout_ms < rival_ms)
                return timeout_ms;
        timeout_ms = (int)(rival_ms - world.now_ms);
        rival_ms = 0;
        reply_to(nth_sent(DHCP_DISCOVER, 0), DHCP_OFFER, HOST_OTHER_NODE, 9);
        return timeout_ms;
}

// Behind a relay, say: the lease of the first is bound for long.
static void a_rival_is_heard_for_a_second(void) {
        for (int after_ms = 100; after_ms <= 1100; after_ms += 200) {
                bool is_heard = after_ms < DHCP_RIVAL_WINDOW_MS;
                begin_trial(true);
                world.carrier[FIRST] = true;
                world.on_send = answer_all;
                world.on_wait = answer_late;
                rival_ms = START_MS + after_ms;
                EXPECT(ask(1) == (is_heard ? 2 : 1));
                EXPECT(world_facts.leases[0].address == 0xc0a80247);
        }
}

static void refuse_requests(const struct sent *sent) {
        if (sent->type == DHCP_DISCOVER) {
                reply_to(sent, DHCP_OFFER, HOST_NODE, 1);
                reply_to(sent, DHCP_OFFER, HOST_STRANGER, 9);
        } else if (sent->type == DHCP_REQUEST) {
                reply_to(sent, (sent->server & 255) == 1 ? DHCP_NAK : DHCP_ACK, HOST_STRANGER, sent->server & 255);
        }
}

static void a_server_that_refused_comes_last(void) {
        begin_trial(true);
        world.carrier[FIRST] = true;
        world.on_send = refuse_requests;
        EXPECT(ask(1) == 1 && world_facts.leases[0].server == 0xc0a80209 && count_sent(DHCP_REQUEST) == 2);
}

// ---- several cards ----

static void answer_second(const struct sent *sent) {
        if (sent->card == SECOND && sent->type == DHCP_DISCOVER)
                reply_to(sent, DHCP_OFFER, offers[0][0], 1);
        if (sent->card == SECOND && sent->type == DHCP_REQUEST)
                reply_to(sent, DHCP_ACK, offers[0][0], 1);
}

static void a_bound_card_leaves_the_others_little_time(void) {
        static const unsigned node[][2] = { { HOST_NODE, 1 } }, stranger[][2] = { { HOST_STRANGER, 1 } };
        begin_trial(true);
        world.carrier[FIRST] = world.carrier[SECOND] = true;
        world.on_send = answer_second;
        offers = node;
        EXPECT(ask(3) == 1 && world.now_ms == START_MS + 300 + DHCP_GRACE_NODE_MS);
        EXPECT_TEXT(world_facts.leases[0].interface, "eth1");
        begin_trial(true);
        world.carrier[SECOND] = true;
        world.on_send = answer_second;
        offers = stranger;
        EXPECT(ask(3) == 1 && world.now_ms == START_MS + DHCP_OFFER_WINDOW_MS + 300 + DHCP_GRACE_MS);
}

static void a_broken_card_does_not_stop_the_others(void) {
        begin_trial(true);
        world.carrier[FIRST] = world.broken[SECOND] = true;
        world.on_send = answer_all;
        EXPECT(ask(2) == 1);
        EXPECT_TEXT(buf_text(&notes), "DHCP is not asked on eth1: set eth1 up\n");
        struct err err = { 0 };
        world.broken[FIRST] = true;
        EXPECT(!world_ask(2, &notes, &err) && err.kind == ERR_SYSTEM);
        err_release(&err);
        EXPECT(!world_ask(0, &notes, &err) && err.kind == ERR_SYSTEM);
        err_release(&err);
}

static void flood(const struct sent *sent) {
        static const uint8_t noise[PACKET_MAX] = { 0x45 };
        for (int i = 0; i < 1000; i++)
                world_deliver(sent->card, sent->arp, noise, 1 + (size_t)i);
        answer_all(sent);
}

static void a_flood_does_not_stop_the_client(void) {
        begin_trial(true);
        world.carrier[FIRST] = true;
        world.on_send = flood;
        EXPECT(ask(1) == 1);
}

static void probing_an_address_of_the_inventory(void) {
        bool taken = true;
        struct mac by;
        begin_trial(true);
        world_facts.interface_count = 1;
        EXPECT_OK(arp_probe(&world_facts, &world_facts.interfaces[0], 0xc0a80247, &taken, &by, err));
        EXPECT(!taken && world.sent_count == 0 && world.now_ms == START_MS + ARP_LINK_WAIT_MS); // no link
        world.carrier[FIRST] = true;
        EXPECT_OK(arp_probe(&world_facts, &world_facts.interfaces[0], 0xc0a80247, &taken, &by, err));
        EXPECT(!taken && world.sent_count == ARP_PROBES);
        world.on_send = answer_and_hold;
        EXPECT_OK(arp_probe(&world_facts, &world_facts.interfaces[0], 0xc0a80247, &taken, &by, err));
        EXPECT(taken && by.bytes[5] == 0x99);
}

// ---- the corpus ----

static void replay(const uint8_t *data, size_t size) {
        uint8_t *copy = xmalloc(size ? size : 1);
        if (size)
                memcpy(copy, data, size);
        LLVMFuzzerTestOneInput(copy, size);
        free(copy);
}

static void replay_input(const char *path, uint8_t *data, size_t size) {
        enum { MUTATIONS = 24 };
        static uint32_t state = 1;
        (void)path;
        replay(data, size);
        for (int j = 0; j < MUTATIONS; j++) {
                state = state * 1664525 + 1013904223;
                data[(state >> 8) % size] ^= (uint8_t)(state >> 24);
                replay(data, size - (state >> 16) % (size / 4 + 1));
        }
}

static void the_corpus_does_no_harm(void) { corpus_replay("tests/fuzz/node_dhcp_client.corpus/*", 20, replay_input); }

int main(void) {
        RUN(unanswered_messages_are_repeated_ever_less_often);
        RUN(links_are_waited_for_only_so_long);
        RUN(a_late_link_is_used_at_once);
        RUN(a_lease_is_probed_and_announced);
        RUN(taken_addresses_are_declined_ever_less_often);
        RUN(what_is_a_conflict);
        RUN(a_nak_begins_again_after_a_while);
        RUN(three_requests_are_enough);
        RUN(offers_are_chosen_by_rule);
        RUN(a_rival_is_heard_for_a_second);
        RUN(a_server_that_refused_comes_last);
        RUN(a_bound_card_leaves_the_others_little_time);
        RUN(a_broken_card_does_not_stop_the_others);
        RUN(a_flood_does_not_stop_the_client);
        RUN(probing_an_address_of_the_inventory);
        RUN(the_corpus_does_no_harm);
        world_reset();
        buf_release(&notes);
        return test_done();
}
