// SPDX-License-Identifier: MIT
// What a server sees of a boot, and what that adds up to.
#include "serve/boot_state.h"

#include "serve/dnsmasq_log.h"
#include "serve/report_read.h"
#include "tests/unit/test.h"

static struct cluster *make_inventory(size_t count) {
        struct cluster *cluster = calloc(1, sizeof *cluster);
        cluster->roles = calloc(1, sizeof *cluster->roles);
        cluster->roles[0].name = "mini";
        cluster->nodes = calloc(count, sizeof *cluster->nodes);
        cluster->node_count = count;
        for (size_t i = 0; i < count; i++) {
                struct node *node = &cluster->nodes[i];
                char name[16];
                snprintf(name, sizeof name, "n%zu", i);
                node->name = strdup(name);
                node->has_mac = true;
                memcpy(node->mac, (unsigned char[]){ 0x52, 0x54, 0, 0, 0, (unsigned char)i }, 6);
                node->ip.s_addr = htonl(0x0a000000U + (unsigned)i + 1);
        }
        return cluster;
}

static void free_inventory(struct cluster *cluster) {
        for (size_t i = 0; i < cluster->node_count; i++)
                free((char *)cluster->nodes[i].name);
        free(cluster->nodes);
        free(cluster->roles);
        free(cluster);
}

static struct boot_machine *happen(struct boot_state *state, enum boot_stage stage, unsigned char mac,
                                   int64_t time_ms) {
        struct boot_event event = {
                .time_ms = time_ms, .stage = stage, .percent = -1, .is_firmware = stage == BOOT_DHCP
        };
        boot_event_add_mac(&event, (unsigned char[]){ 0x52, 0x54, 0, 0, 0, mac });
        return boot_state_apply(state, &event);
}

// ---- the log of dnsmasq ----

static void lines_become_events(void) {
        struct dnsmasq_log log = { .arch = -1 };
        struct boot_event event;
        EXPECT(!dnsmasq_log_line(&log, "dnsmasq-dhcp[7]: 5 available DHCP subnet: 10.0.0.0/255.0.0.0", 1, &event));
        EXPECT(!dnsmasq_log_line(&log, "dnsmasq-dhcp[7]: 5 vendor class: PXEClient:Arch:00007:UNDI:003016", 1, &event));
        EXPECT(dnsmasq_log_line(&log, "dnsmasq-dhcp[7]: 5 DHCPACK(br0) 10.0.0.9 52:54:00:00:00:09 n9", 1, &event));
        EXPECT(event.stage == BOOT_DHCP && event.is_firmware && event.mac_count == 1 &&
               event.ip.s_addr == htonl(0x0a000009));
        EXPECT_TEXT(event.firmware, "UEFI x86-64");
        EXPECT(dnsmasq_log_line(&log, "dnsmasq-dhcp[7]: 6 DHCPDISCOVER(br0) 52:54:00:00:00:09 no address available", 1,
                                &event));
        EXPECT(!event.is_firmware && event.text[0]); // another packet: nothing is known of its classes
        EXPECT(dnsmasq_log_line(&log, "dnsmasq-dhcp[7]: 8 DHCPDISCOVER(br0) 10.0.0.5 52:54:00:00:00:09 ", 1, &event));
        EXPECT(dnsmasq_log_line(&log, "dnsmasq-tftp[7]: sent /x/00000000000000a1/pxe/images/m/vmlinuz to 10.0.0.9", 1,
                                &event));
        EXPECT(event.stage == BOOT_KERNEL);
        EXPECT_TEXT(event.build, "00000000000000a1");
}

static void other_lines_do_not(void) {
        static const char *const lines[] = {
                "",
                "dnsmasq-dhcp[7]: ",
                "dnsmasq-dhcp[7]: 5",
                "dnsmasq-dhcp[7]: 5 DHCPACK",
                "dnsmasq-dhcp[7]: 5 DHCPACK(br0)",
                "dnsmasq-dhcp[7]: 5 DHCPACK(br0) 10.0.0.9",
                "dnsmasq-dhcp[7]: 5 DHCPACK(br0) 10.0.0.999 52:54:00:00:00:09",
                "dnsmasq-dhcp[7]: 5 DHCPACK(br0) 10.0.0.9 52:54:00:00:00:0g",
                "dnsmasq-dhcp[7]: 5 client provides name: DHCPACK(br0) 10.0.0.9 52:54:00:00:00:09",
                "dnsmasq-tftp[7]: sent /x to ",
                "dnsmasq-tftp[7]: file /x/vmlinuz not found for 10.0.0.9",
                "dnsmasq[7]: 5 DHCPACK(br0) 10.0.0.9 52:54:00:00:00:09",
        };
        for (size_t i = 0; i < lengthof(lines); i++) {
                struct dnsmasq_log log = { .arch = -1 };
                struct boot_event event;
                EXPECT(!dnsmasq_log_line(&log, lines[i], 1, &event));
        }
}

// ---- states ----

static void stages_only_go_forward(void) {
        struct cluster *cluster = make_inventory(3);
        struct boot_state *state = boot_state_new();
        boot_state_take_inventory(state, cluster);
        EXPECT(state->count == 3);
        const struct boot_machine *machine = happen(state, BOOT_DHCP, 1, 1000);
        EXPECT(machine && machine->is_known && machine->attempt_count == 1);
        (void)happen(state, BOOT_DHCP, 1, 2000); // firmware asks again
        (void)happen(state, BOOT_ROOT, 1, 3000);
        (void)happen(state, BOOT_LOADER, 1, 3500); // late
        EXPECT(machine->attempt_count == 1 && machine->attempts[0].stage == BOOT_ROOT);
        EXPECT(machine->attempts[0].at_ms[BOOT_LOADER] == 3500);
        (void)happen(state, BOOT_DHCP, 1, 9000);
        EXPECT(machine->attempt_count == 2 && machine->attempts[0].number == 2 &&
               machine->attempts[0].stage == BOOT_DHCP);
        for (int i = 0; i < 40; i++) {
                (void)happen(state, BOOT_ROOT, 1, 10000 + i * 2000);
                (void)happen(state, BOOT_DHCP, 1, 11000 + i * 2000);
        }
        EXPECT(machine->attempt_count == ATTEMPTS_KEPT && machine->attempts[0].number == 42);
        boot_state_free(state);
        free_inventory(cluster);
}

// dnsmasq's lines are read behind the requests that follow them, and its queue may hold a packet that was sent again.
static void firmware_that_is_heard_late_begins_nothing(void) {
        struct cluster *cluster = make_inventory(2);
        struct boot_state *state = boot_state_new();
        boot_state_take_inventory(state, cluster);
        const struct boot_machine *machine = happen(state, BOOT_KERNEL, 1, 1000);
        struct boot_event event = {
                .time_ms = 1010, .stage = BOOT_DHCP, .percent = -1, .is_firmware = true, .xid = 0x80000001
        };
        boot_event_add_mac(&event, (unsigned char[]){ 0x52, 0x54, 0, 0, 0, 1 });
        (void)boot_state_apply(state, &event);
        EXPECT(machine->attempt_count == 1 && machine->attempts[0].stage == BOOT_KERNEL);
        (void)happen(state, BOOT_HEALTHY, 1, 20000);
        event.time_ms = 30000;
        auto_buf line = { 0 };
        boot_event_format(&event, &line); // as a server that was started anew reads it
        EXPECT(boot_event_parse(buf_text(&line), line.size, &event) && event.xid == 0x80000001);
        (void)boot_state_apply(state, &event);
        EXPECT(machine->attempt_count == 1 && machine->attempts[0].stage == BOOT_HEALTHY);
        event.xid++;
        (void)boot_state_apply(state, &event);
        EXPECT(machine->attempt_count == 2 && machine->attempts[0].stage == BOOT_DHCP);
        boot_state_free(state);
        free_inventory(cluster);
}

static void a_report_alone_begins_a_boot(void) {
        struct cluster *cluster = make_inventory(2);
        struct boot_state *state = boot_state_new();
        boot_state_take_inventory(state, cluster);
        const struct boot_machine *machine = happen(state, BOOT_DECIDED, 1, 1000);
        struct boot_event event = {
                .time_ms = 2000, .stage = BOOT_ROOT, .percent = 5, .is_local = true, .attempt = "b"
        };
        boot_event_add_mac(&event, (unsigned char[]){ 0x52, 0x54, 0, 0, 0, 1 });
        (void)boot_state_apply(state, &event);
        EXPECT(machine->attempt_count == 2 && machine->attempts[0].stage == BOOT_ROOT);
        memcpy(event.attempt, "c", 2);
        (void)boot_state_apply(state, &event);
        EXPECT(machine->attempt_count == 3);
        boot_state_free(state);
        free_inventory(cluster);
}

// Without DHCP of this server a boot begins with what its loader asks for.
static void a_loader_that_asks_begins_a_boot(void) {
        struct cluster *cluster = make_inventory(2);
        struct boot_state *state = boot_state_new();
        boot_state_take_inventory(state, cluster);
        const struct boot_machine *machine = happen(state, BOOT_ROOT, 1, 1000);
        (void)happen(state, BOOT_KERNEL, 1, 9000); // of a loader that reads it once more
        EXPECT(machine->attempt_count == 1);
        (void)happen(state, BOOT_DECIDED, 1, 10000);
        (void)happen(state, BOOT_LOADER, 1, 10500); // a line of dnsmasq that is read late
        EXPECT(machine->attempt_count == 1 && machine->attempts[0].stage == BOOT_DECIDED);
        (void)happen(state, BOOT_LOADER, 1, 9000); // whose clock was set back
        EXPECT(machine->attempt_count == 2 && machine->attempts[0].stage == BOOT_LOADER);
        (void)happen(state, BOOT_REFUSED, 1, 30000);
        (void)happen(state, BOOT_KERNEL, 1, 40000);
        EXPECT(machine->attempt_count == 3 && machine->attempts[0].stage == BOOT_KERNEL);
        boot_state_free(state);
        free_inventory(cluster);
}

// A node says nothing more once it has told which of its services have failed.
static void who_dies_after_the_handover_is_lost(void) {
        struct cluster *cluster = make_inventory(2);
        struct boot_state *state = boot_state_new();
        boot_state_take_inventory(state, cluster);
        const struct boot_machine *dead = happen(state, BOOT_HANDOVER, 0, 1000);
        const struct boot_machine *alive = happen(state, BOOT_SERVICES, 1, 1000);
        EXPECT(boot_state_tick(state, 400000) && dead->attempts[0].is_lost && !alive->attempts[0].is_lost);
        EXPECT(!boot_state_tick(state, 500000) && dead->attempts[0].is_lost); // and stays so
        boot_state_free(state);
        free_inventory(cluster);
}

static void ends_of_boots_are_no_measure(void) {
        struct cluster *cluster = make_inventory(4);
        struct boot_state *state = boot_state_new();
        boot_state_take_inventory(state, cluster);
        for (unsigned char i = 0; i < 3; i++) {
                (void)happen(state, BOOT_HANDOVER, i, 1000);
                (void)happen(state, BOOT_DECIDED, i, 5000);
        }
        (void)happen(state, BOOT_INITRD, 3, 10000);
        EXPECT(!boot_state_tick(state, 100000));
        boot_state_free(state);
        free_inventory(cluster);
}

static void who_is_silent_is_lost_and_who_is_slow_is_marked(void) {
        struct cluster *cluster = make_inventory(5);
        struct boot_state *state = boot_state_new();
        boot_state_take_inventory(state, cluster);
        for (unsigned char i = 0; i < 3; i++) {
                (void)happen(state, BOOT_DHCP, i, 0);
                (void)happen(state, BOOT_DECIDED, i, 60000 + i);
        }
        const struct boot_machine *machine = happen(state, BOOT_DHCP, 3, 1000);
        (void)happen(state, BOOT_ROOT, 3, 2000);
        EXPECT(!boot_state_tick(state, 100000));
        EXPECT(boot_state_tick(state, 200000) && machine->attempts[0].is_slow && machine->attempts[0].cause[0]);
        EXPECT(boot_state_tick(state, 400000) && machine->attempts[0].is_lost);
        (void)happen(state, BOOT_HANDOVER, 3, 401000);
        EXPECT(!machine->attempts[0].is_lost);
        boot_state_free(state);
        free_inventory(cluster);
}

static void a_new_inventory_keeps_what_was_seen(void) {
        struct cluster *small = make_inventory(2), *large = make_inventory(4);
        struct boot_state *state = boot_state_new();
        boot_state_take_inventory(state, small);
        const struct boot_machine *machine = happen(state, BOOT_INITRD, 3, 1000);
        EXPECT(machine && !machine->is_known && state->count == 3);
        boot_state_take_inventory(state, large);
        EXPECT(state->count == 4);
        machine = boot_state_by_name(state, "n3");
        EXPECT(machine && machine->is_known && machine->attempt_count == 1);
        boot_state_take_inventory(state, small);
        EXPECT(state->count == 3 && !boot_state_by_name(state, "n3"));
        machine = boot_state_by_mac(state, (unsigned char[]){ 0x52, 0x54, 0, 0, 0, 3 });
        EXPECT(machine && !machine->is_known && machine->attempt_count == 1);
        boot_state_free(state);
        free_inventory(small);
        free_inventory(large);
}

// A page asks for what is newer than it knows; and time tells nothing more of who is no node.
static void who_leaves_the_inventory_is_told_and_not_lost(void) {
        struct cluster *large = make_inventory(4), *small = make_inventory(3);
        struct boot_state *state = boot_state_new();
        boot_state_take_inventory(state, large);
        const struct boot_machine *machine = happen(state, BOOT_INITRD, 3, 1000);
        EXPECT(boot_state_tick(state, 400000) && machine->attempts[0].is_lost);
        uint64_t before = state->version;
        boot_state_take_inventory(state, small);
        EXPECT(!machine->is_known && machine->version > before);
        EXPECT(!machine->attempts[0].is_lost && !machine->attempts[0].is_slow && !machine->attempts[0].cause[0]);
        boot_state_free(state);
        free_inventory(large);
        free_inventory(small);
}

// A stranger whose card is given to a node that was known before has no place of its own any more.
static void a_card_has_one_machine(void) {
        static const unsigned char first[] = { 0x52, 0x54, 0, 0, 0, 7 }, second[] = { 0x52, 0x54, 0, 0, 0, 8 };
        static const char *members[] = { "52:54:00:00:00:00", "52:54:00:00:00:08" };
        struct cluster *before = make_inventory(2), *after = make_inventory(2);
        struct boot_state *state = boot_state_new();
        boot_state_take_inventory(state, before);
        (void)happen(state, BOOT_INITRD, 7, 1000);
        (void)happen(state, BOOT_INITRD, 8, 1000);
        (void)happen(state, BOOT_INITRD, 9, 1000);
        EXPECT(state->count == 5);
        memcpy(after->nodes[1].mac, first, sizeof first);
        after->nodes[0].bond.members.items = members;
        after->nodes[0].bond.members.count = lengthof(members);
        boot_state_take_inventory(state, after);
        EXPECT(state->count == 3 && state->known_count == 2);
        EXPECT(boot_state_by_mac(state, first) == boot_state_by_name(state, "n1"));
        EXPECT(boot_state_by_mac(state, second) == boot_state_by_name(state, "n0"));
        const struct boot_machine *machine = happen(state, BOOT_DHCP, 7, 2000);
        EXPECT(machine && machine->is_known && machine->attempt_count == 2); // what was seen of the card is its own
        boot_state_free(state);
        free_inventory(before);
        free_inventory(after);
}

static void apply_event(const struct boot_event *event, void *context) {
        auto_buf text = { 0 };
        struct boot_event read;
        boot_event_format(event, &text);
        EXPECT(boot_event_parse(buf_text(&text), text.size, &read));
        (void)boot_state_apply(context, &read);
}

static void a_journal_adds_up_to_the_same(void) {
        struct cluster *cluster = make_inventory(3);
        struct boot_state *state = boot_state_new(), *again = boot_state_new();
        boot_state_take_inventory(state, cluster);
        boot_state_take_inventory(again, cluster);
        (void)happen(state, BOOT_ROOT, 1, 1000);
        (void)happen(state, BOOT_DHCP, 1, 2000);
        (void)happen(state, BOOT_REFUSED, 1, 3000);
        boot_state_each_event(state, apply_event, again);
        const struct boot_machine *a = boot_state_by_name(state, "n1"), *b = boot_state_by_name(again, "n1");
        EXPECT(a->attempt_count == 2 && b->attempt_count == 2);
        for (size_t i = 0; i < 2; i++)
                EXPECT(b->attempts[i].stage == a->attempts[i].stage &&
                       memcmp(b->attempts[i].at_ms, a->attempts[i].at_ms, sizeof a->attempts[i].at_ms) == 0);
        boot_state_free(state);
        boot_state_free(again);
        free_inventory(cluster);
}

// What a server that is started anew reads from a journal that was written anew.
static struct boot_state *read_again(const struct boot_state *state, const struct cluster *cluster) {
        struct boot_state *again = boot_state_new();
        boot_state_take_inventory(again, cluster);
        boot_state_each_event(state, apply_event, again);
        return again;
}

static const char *text_of_node(const struct boot_state *state, const char *name) {
        const struct boot_machine *machine = boot_state_by_name(state, name);
        EXPECT(machine);
        if (!machine || !machine->attempts)
                return "";
        return machine->attempts[0].text;
}

static void say(struct boot_state *state, unsigned char mac, const char *text) {
        struct boot_event event = { .time_ms = 1000 + mac, .stage = BOOT_DECIDED, .percent = -1, .is_local = true };
        boot_event_add_mac(&event, (unsigned char[]){ 0x52, 0x54, 0, 0, 0, mac });
        boot_text_copy(event.text, sizeof event.text, text);
        (void)boot_state_apply(state, &event);
}

// Of the nodes n0, n1 and n2, after an inventory that gives them other cards, and after a restart.
static void expect_texts(const unsigned char cards[static 3], const char *const texts[static 3]) {
        struct cluster *before = make_inventory(3), *after = make_inventory(3);
        struct boot_state *state = boot_state_new();
        boot_state_take_inventory(state, before);
        say(state, 0, "zero");
        say(state, 1, "one");
        for (size_t i = 0; i < 3; i++)
                after->nodes[i].mac[5] = cards[i];
        boot_state_take_inventory(state, after);
        struct boot_state *again = read_again(state, after);
        static const char *const names[] = { "n0", "n1", "n2" };
        for (size_t i = 0; i < 3; i++) {
                EXPECT_TEXT(text_of_node(state, names[i]), texts[i]);
                EXPECT_TEXT(text_of_node(again, names[i]), texts[i]);
        }
        EXPECT(again->count == state->count);
        boot_state_free(state);
        boot_state_free(again);
        free_inventory(before);
        free_inventory(after);
}

static void what_was_seen_follows_the_cards(void) {
        expect_texts((unsigned char[]){ 1, 0, 2 }, (const char *const[]){ "one", "zero", "" }); // swapped
        expect_texts((unsigned char[]){ 9, 1, 2 }, (const char *const[]){ "zero", "one", "" }); // replaced
        expect_texts((unsigned char[]){ 9, 1, 0 }, (const char *const[]){ "", "one", "zero" }); // reused
}

static void cards_of_links_are_the_node_s(void) {
        static const unsigned char card[] = { 0x52, 0x54, 0, 0, 9, 2 }, member[] = { 0x52, 0x54, 0, 0, 9, 3 };
        static const char *members[] = { "52:54:00:00:09:03" };
        struct node_link links[] = { { .has_mac = true }, { .bond.members = { .items = members, .count = 1 } } };
        struct cluster *cluster = make_inventory(2);
        struct boot_state *state = boot_state_new();
        memcpy(links[0].mac, card, sizeof card);
        cluster->nodes[1].links = links;
        cluster->nodes[1].link_count = lengthof(links);
        boot_state_take_inventory(state, cluster);
        const struct boot_machine *node = boot_state_by_name(state, "n1");
        EXPECT(boot_state_by_mac(state, card) == node && boot_state_by_mac(state, member) == node);
        boot_state_free(state);
        free_inventory(cluster);
}

// It could be neither shown nor entered.
static void who_has_no_card_is_no_unknown_machine(void) {
        struct cluster *with = make_inventory(2), *without = make_inventory(1);
        struct boot_state *state = boot_state_new();
        struct boot_event event = { .time_ms = 1000, .stage = BOOT_DECIDED, .percent = -1, .node = "n1" };
        with->nodes[1].has_mac = false;
        memset(with->nodes[1].mac, 0, sizeof with->nodes[1].mac);
        boot_state_take_inventory(state, with);
        EXPECT(boot_state_apply(state, &event) == boot_state_by_name(state, "n1"));
        boot_state_take_inventory(state, without);
        EXPECT(state->count == 1);
        boot_state_free(state);
        free_inventory(with);
        free_inventory(without);
}

// Whatever happened, a journal that is written anew says the same of every machine, down to the numbers of boots.
static void expect_same_attempt(const struct boot_attempt *a, const struct boot_attempt *b) {
        EXPECT(a->number == b->number && a->stage == b->stage && a->percent == b->percent && a->xid == b->xid);
        EXPECT(a->started_ms == b->started_ms && a->last_ms == b->last_ms);
        EXPECT(memcmp(a->at_ms, b->at_ms, sizeof a->at_ms) == 0);
        EXPECT_TEXT(b->id, a->id);
        EXPECT_TEXT(b->build, a->build);
        EXPECT_TEXT(b->text, a->text);
}

static void expect_same_machine(const struct boot_machine *a, const struct boot_machine *b) {
        EXPECT(a->attempt_count == b->attempt_count && a->last_ms == b->last_ms && a->ip.s_addr == b->ip.s_addr);
        EXPECT_TEXT(b->role, a->role);
        EXPECT_TEXT(b->firmware, a->firmware);
        for (size_t i = 0; i < a->attempt_count && i < b->attempt_count; i++)
                expect_same_attempt(&a->attempts[i], &b->attempts[i]);
}

static struct boot_event random_event(int64_t time_ms) {
        static const char *const names[] = { "", "", "one", "two" };
        struct boot_event event = { .time_ms = time_ms, .percent = -1 };
        event.stage = (enum boot_stage)(BOOT_DHCP + rand() % (BOOT_STAGE_COUNT - BOOT_DHCP));
        event.is_firmware = event.stage == BOOT_DHCP && rand() % 2;
        event.is_ipxe = event.stage == BOOT_DHCP && rand() % 3 == 0;
        if (event.is_firmware)
                event.xid = (uint32_t)(rand() % 5);
        event.is_local = event.stage >= BOOT_INITRD && rand() % 2;
        if (event.stage == BOOT_ROOT)
                event.percent = rand() % 101;
        unsigned char number = (unsigned char)(rand() % 6); // 0 to 3 are known
        boot_event_add_mac(&event, (unsigned char[]){ 0x52, 0x54, 0, 0, 0, number });
        if (rand() % 2)
                event.ip.s_addr = htonl(0x0a000000U + number + 1);
        if (event.is_local)
                boot_text_copy(event.attempt, sizeof event.attempt, names[rand() % 4]);
        if (rand() % 3 == 0)
                snprintf(event.text, sizeof event.text, "text %d", rand() % 100);
        if (number > 3 && rand() % 4 == 0)
                boot_text_copy(event.role, sizeof event.role, "mini");
        if (rand() % 5 == 0)
                boot_text_copy(event.firmware, sizeof event.firmware, "BIOS");
        return event;
}

static void a_journal_written_anew_says_the_same_of_anything(void) {
        srand(7);
        for (int turn = 0; turn < 300; turn++) {
                struct cluster *cluster = make_inventory(4);
                struct boot_state *state = boot_state_new(), *again = boot_state_new();
                int64_t now_ms = 1000;
                boot_state_take_inventory(state, cluster);
                boot_state_take_inventory(again, cluster);
                for (int i = 0; i < 120; i++) {
                        struct boot_event event = random_event(now_ms);
                        now_ms += rand() % 3000 + 1;
                        if (rand() % 50 == 0)
                                now_ms -= 5000; // somebody sets the clock
                        now_ms = now_ms > 1000 ? now_ms : 1000;
                        (void)boot_state_apply(state, &event);
                }
                boot_state_each_event(state, apply_event, again);
                EXPECT(state->count == again->count);
                for (unsigned char i = 0; i < 6; i++) {
                        const unsigned char mac[] = { 0x52, 0x54, 0, 0, 0, i };
                        const struct boot_machine *a = boot_state_by_mac(state, mac),
                                                  *b = boot_state_by_mac(again, mac);
                        EXPECT((a == NULL) == (b == NULL));
                        if (a && b)
                                expect_same_machine(a, b);
                }
                boot_state_free(state);
                boot_state_free(again);
                free_inventory(cluster);
        }
}

// ---- strangers ----

static struct boot_machine *see_stranger(struct boot_state *state, unsigned number, uint32_t ip) {
        struct boot_event event = {
                .time_ms = 1000 + number, .stage = BOOT_DHCP, .percent = -1, .ip.s_addr = htonl(ip)
        };
        boot_event_add_mac(&event, (unsigned char[]){ 0x02, 1, 0, (unsigned char)(number >> 16),
                                                      (unsigned char)(number >> 8), (unsigned char)number });
        return boot_state_apply(state, &event);
}

static void a_flood_of_strangers_takes_nothing_away(void) {
        struct cluster *cluster = make_inventory(200);
        struct boot_state *state = boot_state_new();
        boot_state_take_inventory(state, cluster);
        (void)happen(state, BOOT_DECIDED, 3, 10);
        for (unsigned i = 0; i < 100000; i++)
                (void)see_stranger(state, i, 0x0a000001U + i % 250); // also with the addresses of nodes
        EXPECT(state->count == 200 + UNKNOWN_MAX && state->known_count == 200);
        for (unsigned char i = 0; i < 200; i++) {
                const struct boot_machine *machine =
                    boot_state_by_mac(state, (unsigned char[]){ 0x52, 0x54, 0, 0, 0, i });
                EXPECT(machine && machine->is_known);
                EXPECT(boot_state_by_ip(state, (struct in_addr){ htonl(0x0a000001U + i) }) == machine);
        }
        EXPECT(boot_state_by_name(state, "n3")->attempts[0].stage == BOOT_DECIDED);
        EXPECT(boot_state_by_mac(state, (unsigned char[]){ 2, 1, 0, 1, 0x86, 0x9f }) != NULL); // the last
        EXPECT(boot_state_by_mac(state, (unsigned char[]){ 2, 1, 0, 0, 0, 0 }) == NULL);       // the first
        boot_state_free(state);
        free_inventory(cluster);
}

// ---- texts of strangers ----

static void texts_are_cut_and_printable(void) {
        char text[8];
        boot_text_copy(text, sizeof text, "a\x1b[2J\nbcdefgh");
        EXPECT_TEXT(text, "a?[2J?b");
        boot_text_copy(text, sizeof text, "123456\xc3\xa4"); // a character that does not fit whole
        EXPECT_TEXT(text, "123456");
        boot_text_copy(text, sizeof text, NULL);
        EXPECT_TEXT(text, "");
        unsigned char mac[6];
        EXPECT(boot_mac_parse("52:54:00:A8:02:47", mac) && mac[3] == 0xa8);
        EXPECT(!boot_mac_parse("52:54:00:a8:02", mac) && !boot_mac_parse("52:54:00:a8:02:4 ", mac) &&
               !boot_mac_parse("525400a80247xxxxx", mac) && !boot_mac_parse(NULL, mac));
}

static void reports_are_checked(void) {
        static const char good[] = "{\"version\":1,\"stage\":\"root\",\"percent\":7,\"mac\":[\"52:54:00:00:00:01\"]}";
        struct boot_event event;
        EXPECT_OK(report_read(good, strlen(good), 5, &event, err));
        EXPECT(event.stage == BOOT_ROOT && event.percent == 7 && event.mac_count == 1 && event.is_local);
        for (size_t size = 0; size < strlen(good); size++) {
                struct err err = { 0 };
                EXPECT(!report_read(good, size, 5, &event, &err));
                err_release(&err);
        }
}

int main(void) {
        RUN(lines_become_events);
        RUN(other_lines_do_not);
        RUN(stages_only_go_forward);
        RUN(firmware_that_is_heard_late_begins_nothing);
        RUN(a_report_alone_begins_a_boot);
        RUN(a_loader_that_asks_begins_a_boot);
        RUN(who_dies_after_the_handover_is_lost);
        RUN(ends_of_boots_are_no_measure);
        RUN(who_is_silent_is_lost_and_who_is_slow_is_marked);
        RUN(a_new_inventory_keeps_what_was_seen);
        RUN(who_leaves_the_inventory_is_told_and_not_lost);
        RUN(a_card_has_one_machine);
        RUN(a_journal_adds_up_to_the_same);
        RUN(what_was_seen_follows_the_cards);
        RUN(cards_of_links_are_the_node_s);
        RUN(who_has_no_card_is_no_unknown_machine);
        RUN(a_journal_written_anew_says_the_same_of_anything);
        RUN(a_flood_of_strangers_takes_nothing_away);
        RUN(texts_are_cut_and_printable);
        RUN(reports_are_checked);
        return test_done();
}
