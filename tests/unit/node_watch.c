// SPDX-License-Identifier: MIT
// Is the network what was decided? What apply records, what the kernel has, and the words for what is different.
#include "base/run.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "firmware/node/apply.h"
#include "firmware/node/watch/live_network.h"
#include "tests/unit/network_namespace.h"
#include "tests/unit/node.h"

#define MASTER NODE_JSON("master", "true", "false", "systemd-networkd")
#define MAC "52:54:00:a8:02:47"

static char top[] = "/tmp/kiln-watch.XXXXXX";
static int root = -1;

// What apply would record for master101, read back.
static void record_of_master(const char *command_line, struct network_record *ret) {
        struct trial trial;
        struct applied applied;
        trial_init(&trial, MASTER, command_line);
        trial_interface(&trial, "enp0s3", MAC, true);
        trial.facts.dhcp_asked = true;
        EXPECT(trial_plan(&trial));
        EXPECT(!trial.plan.refusal);
        EXPECT_OK(apply_plan(root, false, &trial.plan, &applied, err));
        EXPECT_OK(network_record_read(root, ret, err));
        trial_release(&trial);
}

static struct live_network live_of_master(void) {
        struct live_network live = {
                .links = { { "lo", { { 0 } }, true, true }, { "enp0s3", { { 0 } }, true, true } },
                .link_count = 2,
                .addresses = { { "enp0s3", address_of_ipv4(0xc0a80247), 24 } },
                .address_count = 1,
                .routes = { { "enp0s3", 0xc0a80201 } },
                .route_count = 1,
        };
        EXPECT(mac_parse(MAC, &live.links[1].mac));
        return live;
}

static void expect_fault(const struct live_network *live, enum network_fault want, const char *words) {
        static struct network_record record;
        auto_buf text = { 0 };
        record_of_master("", &record);
        EXPECT(live_network_compare(&record, live, &text) == want);
        EXPECT_TEXT(buf_text(&text), words);
}

static void what_is_different_is_told(void) {
        struct live_network live = live_of_master();
        expect_fault(&live, NETWORK_RIGHT, "");
        live.route_count = 0;
        expect_fault(&live, NETWORK_WRONG, "there is no default route by 192.168.2.1 on enp0s3");
        live.addresses[0].prefix = 25;
        expect_fault(&live, NETWORK_WRONG, "enp0s3 has no address 192.168.2.71/24");
        live.links[1].has_carrier = false;
        expect_fault(&live, NETWORK_UNPLUGGED,
                     "enp0s3 has no link: is its cable plugged in, and its switch's port on?");
        live.links[1].is_up = false;
        expect_fault(&live, NETWORK_WRONG, "enp0s3 is down");
        memcpy(live.links[1].name, "eth0", sizeof "eth0");
        expect_fault(&live, NETWORK_WRONG, "the card " MAC " is called eth0, and not enp0s3");
        live.link_count = 1;
        expect_fault(&live, NETWORK_WRONG, "there is no enp0s3");
}

static void an_address_on_another_card_is_none(void) {
        struct live_network live = live_of_master();
        memcpy(live.addresses[0].link, "docker0", sizeof "docker0");
        expect_fault(&live, NETWORK_WRONG, "enp0s3 has no address 192.168.2.71/24");
        live = live_of_master();
        memcpy(live.routes[0].link, "docker0", sizeof "docker0");
        expect_fault(&live, NETWORK_WRONG, "there is no default route by 192.168.2.1 on enp0s3");
}

static void vlans_and_their_parents_are_recorded(void) {
        static struct network_record record;
        record_of_master("vlan=enp0s3.5:enp0s3 ip=192.168.2.71::192.168.2.1:255.255.255.0::enp0s3.5:none", &record);
        EXPECT(record.link_count == 2);
        EXPECT_TEXT(record.writer, "systemd-networkd");
        EXPECT(record.links[0].is_card && record.links[0].address_count == 0 && record.links[0].gateway == 0);
        EXPECT_TEXT(record.links[1].name, "enp0s3.5");
        EXPECT(!record.links[1].is_card && record.links[1].address_count == 1);
        EXPECT(record.links[1].gateway == 0xc0a80201);
}

static void a_refused_machine_has_no_record(void) {
        struct trial trial;
        struct applied applied;
        static struct network_record record;
        auto_err why = { 0 };
        record_of_master("", &record);
        trial_init(&trial, MASTER, "");
        EXPECT(trial_plan(&trial));
        EXPECT(trial.plan.refusal && trial.plan.lacks_card);
        EXPECT_TEXT(trial_file(&trial, RECONSIDER_PATH),
                    "the machine has no Ethernet interface (is its driver in the image?)\n");
        EXPECT(apply_plan(root, false, &trial.plan, &applied, &why));
        EXPECT(!network_record_read(root, &record, &why) && why.kind == ERR_REFERENCE);
        trial_release(&trial);
}

// Its twin is off for an hour, and it would be the node.
static void a_machine_whose_address_is_taken_is_not_reconsidered(void) {
        struct trial trial;
        trial_init(&trial, MASTER, "");
        trial_interface(&trial, "enp0s3", MAC, true);
        snprintf(trial.facts.conflict, sizeof trial.facts.conflict, "192.168.2.71 is in use");
        EXPECT(trial_plan(&trial));
        EXPECT(trial.plan.refusal && !trial_file(&trial, RECONSIDER_PATH));
        trial_release(&trial);
}

// A real card's place is taken by a cable between two virtual ones.
static void the_kernel_is_read(void) {
        static struct live_network live;
        static struct network_record record;
        auto_buf text = { 0 };
        auto_err why = { 0 };
        EXPECT(enter_namespace());
        record_of_master("", &record);
        EXPECT(RUN_PROGRAM("ip", "link", "add", "enp0s3", "address", MAC, "type", "veth", "peer", "name", "far"));
        EXPECT(RUN_PROGRAM("ip", "link", "set", "far", "up"));
        EXPECT(live_network_read(&live, &why));
        EXPECT(live_network_compare(&record, &live, &text) == NETWORK_WRONG);
        EXPECT_TEXT(buf_text(&text), "enp0s3 is down");
        EXPECT(RUN_PROGRAM("ip", "link", "set", "enp0s3", "up"));
        EXPECT(RUN_PROGRAM("ip", "address", "add", "192.168.2.71/24", "dev", "enp0s3"));
        EXPECT(RUN_PROGRAM("ip", "route", "add", "default", "via", "192.168.2.1"));
        buf_clear(&text);
        EXPECT(live_network_read(&live, &why));
        EXPECT(live_network_compare(&record, &live, &text) == NETWORK_RIGHT);
        EXPECT_TEXT(buf_text(&text), "");
}

int main(void) {
        EXPECT(mkdtemp(top));
        root = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        RUN(what_is_different_is_told);
        RUN(an_address_on_another_card_is_none);
        RUN(vlans_and_their_parents_are_recorded);
        RUN(a_refused_machine_has_no_record);
        RUN(a_machine_whose_address_is_taken_is_not_reconsidered);
        RUN(the_kernel_is_read);
        EXPECT_OK(run_command(err, "rm", "-r", top, NULL));
        return test_done();
}
