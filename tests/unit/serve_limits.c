// SPDX-License-Identifier: MIT
// What one client may have, how long a build is held, what a report may hold, and which address is free.
#include "http/clients.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/progress.h"
#include "serve/free_address.h"
#include "serve/pins.h"
#include "serve/rack.h"
#include "serve/report_read.h"
#include "tests/unit/test.h"

// ---- clients ----

static void each_address_has_its_share(void) {
        struct clients clients = { .own = 7 };
        for (uint32_t address = 100; address > 0; address--) {
                EXPECT(clients_take(&clients, CLIENT_ROOT, address, 0) &&
                       clients_take(&clients, CLIENT_ROOT, address, 0));
                EXPECT(clients_take(&clients, CLIENT_ROOT, address, 0) == (address == 7));
                EXPECT(clients_may_take(&clients, CLIENT_ROOT, address) == (address == 7));
        }
        clients_give(&clients, CLIENT_ROOT, 50);
        EXPECT(clients_take(&clients, CLIENT_ROOT, 50, 0) && !clients_take(&clients, CLIENT_ROOT, 50, 0));
        EXPECT(clients_take(&clients, CLIENT_WATCHER, 50, 0));
        clients_release(&clients);
}

static void reports_come_in_time(void) {
        struct clients clients = { 0 };
        unsigned taken = 0;
        for (int i = 0; i < 1000; i++)
                taken += clients_take_report(&clients, 1, 0);
        EXPECT(taken == CLIENT_REPORTS_BURST);
        taken = 0;
        for (int64_t now_ms = 0; now_ms < 10000; now_ms += 7)
                taken += clients_take_report(&clients, 1, now_ms);
        EXPECT(taken > 5 * CLIENT_REPORTS_A_SECOND && taken <= 10 * CLIENT_REPORTS_A_SECOND);
        EXPECT(clients_take_report(&clients, 2, 10000));
        clients_release(&clients);
}

static void who_is_gone_makes_room(void) {
        struct clients clients = { 0 };
        for (uint32_t address = 1; address <= 65536; address++)
                EXPECT(clients_take_report(&clients, address, 0));
        EXPECT(!clients_take_report(&clients, 70000, 1000));
        EXPECT(clients_take_report(&clients, 70000, 70000) && clients.count == 1);
        clients_release(&clients);
}

// ---- pins ----

static struct served_build *make_build(struct served_builds *builds, const char *id) {
        struct served_build *build = calloc(1, sizeof *build);
        strcpy(build->id, id);
        build->dir = -1;
        build->users = 1; // the test's
        builds->items = realloc(builds->items, (builds->count + 1) * sizeof *builds->items);
        builds->items[builds->count++] = build;
        return build;
}

// Somebody asks for an old build every minute, for days.
static void no_client_holds_a_build_for_ever(void) {
        struct served_builds builds = { .dir = -1 };
        struct served_build *old = make_build(&builds, "old"), *new = make_build(&builds, "new");
        struct pins pins = { 0 };
        pins_switch(&pins, NULL, old, 0);
        for (int64_t now_ms = 0; now_ms <= PINS_HELD_MS; now_ms += 60000)
                pins_put(&pins, &builds, 1, old, now_ms); // it is what machines are given: as long as it is
        EXPECT(old->users == 2);
        pins_switch(&pins, old, new, PINS_HELD_MS);
        int64_t last_ms = 0;
        for (int64_t now_ms = PINS_HELD_MS; now_ms < 10LL * PINS_HELD_MS; now_ms += 60000) {
                for (uint32_t client = 1; client < 5; client++)
                        pins_put(&pins, &builds, client, old, now_ms);
                pins_put(&pins, &builds, 9, new, now_ms);
                pins_expire(&pins, &builds, now_ms);
                if (old->users > 1)
                        last_ms = now_ms;
        }
        EXPECT(last_ms > PINS_HELD_MS + PINS_HELD_MS / 2 && last_ms <= 2LL * PINS_HELD_MS);
        EXPECT(old->users == 1 && new->users == 2);
        pins_switch(&pins, new, old, 20LL * PINS_HELD_MS); // back to it: it is held again
        pins_put(&pins, &builds, 1, old, 20LL * PINS_HELD_MS);
        EXPECT(old->users == 2);
        pins_release(&pins, &builds);
        served_builds_release(&builds, old);
        served_builds_release(&builds, new);
        free(builds.items);
}

// ---- transfers ----

struct wire {
        int sender, receiver;
};

static struct wire make_wire(void) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof address;
        int listener = socket(AF_INET, SOCK_STREAM, 0);
        struct wire wire = { .receiver = socket(AF_INET, SOCK_STREAM, 0) };
        EXPECT(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0);
        EXPECT(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
        EXPECT(connect(wire.receiver, (struct sockaddr *)&address, size) == 0);
        wire.sender = accept(listener, NULL, NULL);
        close(listener);
        return wire;
}

static void carry(const struct wire *wire, size_t bytes) {
        char block[65536] = { 0 };
        for (size_t done = 0; done < bytes; done += sizeof block) {
                EXPECT(write(wire->sender, block, sizeof block) == (ssize_t)sizeof block);
                EXPECT(recv(wire->receiver, block, sizeof block, MSG_WAITALL) == (ssize_t)sizeof block);
        }
        usleep(50000); // the last acknowledgement
}

// A transfer that stands gives its place up, takes it again when it goes on, and is cut off when it does not.
static void slow_transfers_hold_no_place(void) {
        struct rack rack = { .lock = PTHREAD_MUTEX_INITIALIZER, .state = boot_state_new() };
        struct served_builds builds = { .dir = -1 };
        struct served_build *build = make_build(&builds, "one");
        struct rack_file file = { .fd = -1, .size_bytes = 1 << 30, .build = build, .is_admitted = true };
        struct wire wire = make_wire();
        unsigned retry_s;
        admission_setup(&rack.admission, 0, 1);
        EXPECT(admission_begin(&rack.admission, 1, false, 1, 0, &retry_s));
        struct rack_transfer *transfer = rack_watch(&rack, wire.sender, 0, &file);
        int64_t now_ms = monotonic_ms();
        carry(&wire, 2 << 20);
        rack_look_at_transfers(&rack, now_ms + 11000);
        EXPECT(rack.admission.active == 1 && file.is_admitted);
        rack_look_at_transfers(&rack, now_ms + 22000);
        EXPECT(rack.admission.active == 0 && rack.admission.slow == 1 && !file.is_admitted);
        carry(&wire, 4 << 20);
        rack_look_at_transfers(&rack, now_ms + 33000);
        EXPECT(rack.admission.active == 1 && rack.admission.slow == 0 && file.is_admitted);
        rack_look_at_transfers(&rack, now_ms + 61000); // went on in this minute
        rack_look_at_transfers(&rack, now_ms + 122000);
        char byte;
        EXPECT(read(wire.receiver, &byte, 1) == 0); // cut off
        rack_unwatch(&rack, transfer, false);
        EXPECT(rack.admission.slow == 0 && !file.is_admitted);
        close(wire.sender);
        close(wire.receiver);
        served_builds_release(&builds, build);
        free(builds.items);
        admission_release(&rack.admission);
        boot_state_free(rack.state);
}

// ---- reports ----

static bool is_read(const char *text, size_t size) {
        struct boot_event event;
        struct err err = { 0 };
        bool ok = report_read(text, size, 1, &event, &err);
        err_release(&err);
        return ok;
}

static void reports_of_any_shape_cost_little(void) {
        static const char good[] = "{\"format\":1,\"refused\":\"a \\\"quoted, [text]\\\" {{{{{{{{{{{{{{{{{{{{{{\"}";
        EXPECT(is_read(good, strlen(good)));
        struct buf text = { 0 };
        buf_append_text(&text, "{\"format\":1,\"values\":[");
        for (int i = 0; i < 20000; i++)
                buf_append_text(&text, "{},");
        buf_append_text(&text, "{}]}");
        EXPECT(text.size < REPORT_BODY_MAX && !is_read(text.data, text.size));
        buf_clear(&text);
        buf_append_text(&text, "{\"format\":1,\"values\":");
        for (int i = 0; i < 20; i++)
                buf_append_char(&text, '[');
        for (int i = 0; i < 20; i++)
                buf_append_char(&text, ']');
        buf_append_char(&text, '}');
        EXPECT(!is_read(text.data, text.size));
        EXPECT(!is_read("]", 1) && !is_read("\"\\", 2));
        buf_release(&text);
}

// ---- the journal ----

// The whole of it can be written, and what is appended cannot: once a minute is enough.
static void expect_pause(struct journal *journal, const struct boot_state *state, const struct boot_event *event) {
        int64_t written_ms = journal->retry_ms, again_ms = written_ms + 60000;
        for (int64_t now_ms = again_ms; now_ms < again_ms + 1000; now_ms += 250) {
                close(journal->fd);
                journal->fd = open("/dev/full", O_WRONLY);
                journal_append(journal, event);
                EXPECT(journal->is_stale);
                journal_tick(journal, state, now_ms);
                EXPECT(journal->is_stale == (now_ms > again_ms));
        }
}

// Told once, tried again after a minute, and nothing of what happened meanwhile is missing then.
static void a_journal_that_cannot_be_written(void) {
        char path[] = "/tmp/kiln-journal.XXXXXX", text[4096] = "";
        struct boot_state *state = boot_state_new();
        struct boot_event event = { .time_ms = 1000, .stage = BOOT_ROOT, .percent = 5, .text = "as heard" };
        struct journal journal = { .fd = -1, .dir = -1 };
        EXPECT(mkdtemp(path));
        char *written_path = xasprintf("%s/journal", path);
        int dir = open(path, O_RDONLY | O_DIRECTORY), full = open("/dev/full", O_WRONLY);
        EXPECT_OK(journal_open(dir, state, &journal, err));
        int fd = journal.fd;
        boot_event_add_mac(&event, (unsigned char[]){ 0x52, 0x54, 0, 0, 0, 1 });
        (void)boot_state_apply(state, &event);
        journal.fd = full;
        journal.dir = -1;
        journal_append(&journal, &event);
        journal_tick(&journal, state, 1000);
        journal_tick(&journal, state, 1250);
        EXPECT(journal.is_stale && journal.retry_ms > 1250);
        journal.dir = dir;
        journal_tick(&journal, state, journal.retry_ms - 1);
        EXPECT(journal.is_stale);
        journal_tick(&journal, state, journal.retry_ms);
        EXPECT(!journal.is_stale && journal.fd >= 0);
        int written = openat(dir, "journal", O_RDONLY);
        EXPECT(read(written, text, sizeof text - 1) > 0 && strstr(text, "as heard"));
        close(written);
        expect_pause(&journal, state, &event);
        close(fd);
        journal_close(&journal, state);
        EXPECT(unlink(written_path) == 0 && rmdir(path) == 0);
        free(written_path);
        boot_state_free(state);
}

// ---- addresses ----

static struct in_addr ip4(const char *text) {
        struct in_addr address = { 0 };
        EXPECT(inet_pton(AF_INET, text, &address) == 1);
        return address;
}

static void the_next_free_address(void) {
        struct network network = { .address = ip4("10.0.0.0"), .prefix = 29, .gateway = ip4("10.0.0.6") };
        struct node nodes[] = { { .ip = ip4("10.0.0.1") }, { .ip = ip4("10.0.0.4") } };
        struct cluster cluster = { .networks = &network, .network_count = 1, .nodes = nodes, .node_count = 2 };
        EXPECT(next_free_address(&cluster, 0).s_addr == ip4("10.0.0.5").s_addr);
        network.pool_first = network.pool_last = ip4("10.0.0.5");
        EXPECT(next_free_address(&cluster, 0).s_addr == ip4("10.0.0.2").s_addr); // 6 is the gateway, 7 the broadcast
        network.pool_first = ip4("10.0.0.2");
        EXPECT(next_free_address(&cluster, 0).s_addr == 0);
        network.prefix = 0;
        network.pool_first.s_addr = network.pool_last.s_addr = 0;
        EXPECT(next_free_address(&cluster, 0).s_addr == ip4("10.0.0.5").s_addr);
        network.prefix = 32;
        EXPECT(next_free_address(&cluster, 0).s_addr == 0);
        network.prefix = 24;
        static const char *mirror = "http://10.0.0.7:8080/current";
        cluster.http_base = "http://10.0.0.8/";
        cluster.mirrors = (struct strings){ .items = &mirror, .count = 1 };
        nodes[0].bmc.address = "10.0.0.9";
        EXPECT(next_free_address(&cluster, ip4("10.0.0.5").s_addr).s_addr == ip4("10.0.0.10").s_addr); // 6: the gateway
        cluster.network_count = 0;
        EXPECT(next_free_address(&cluster, 0).s_addr == 0);
}

int main(void) {
        RUN(each_address_has_its_share);
        RUN(reports_come_in_time);
        RUN(who_is_gone_makes_room);
        RUN(no_client_holds_a_build_for_ever);
        RUN(slow_transfers_hold_no_place);
        RUN(reports_of_any_shape_cost_little);
        RUN(a_journal_that_cannot_be_written);
        RUN(the_next_free_address);
        return test_done();
}
