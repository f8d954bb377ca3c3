// SPDX-License-Identifier: MIT
// The DHCP client against a real dnsmasq, in a network namespace of its own: one cable with a server, one without, one
// unplugged.
#include "tests/unit/test.h"

#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "firmware/node/dhcp/dhcp_client.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/initrd/initrd.h"
#include "firmware/node/inventory/inventory.h"
#include "tests/unit/network_namespace.h"

#define KNOWN_MAC "52:54:00:a8:02:47"
#define BOOTIF_MAC "52-54-00-a8-02-47"
#define OTHER_MAC "52:54:00:a8:02:99"

static bool make_cables(void) {
        return RUN_PROGRAM("ip", "link", "add", "server", "type", "veth", "peer", "name", "served", "address",
                           KNOWN_MAC) &&
               RUN_PROGRAM("ip", "link", "add", "deaf", "type", "veth", "peer", "name", "silent") &&
               RUN_PROGRAM("ip", "link", "add", "nobody", "type", "veth", "peer", "name", "unplugged") &&
               RUN_PROGRAM("ip", "address", "add", "192.168.2.1/24", "dev", "server") &&
               RUN_PROGRAM("ip", "link", "set", "server", "up") && RUN_PROGRAM("ip", "link", "set", "deaf", "up");
}

static pid_t dnsmasq = -1;

static void start_dnsmasq(void) {
        dnsmasq = start_program((char *[]){
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
            "--user=", "--group=", "--pid-file=", "--leasefile-ro", "--interface=server", "--bind-interfaces",
            "--no-ping", "--dhcp-authoritative", "--dhcp-range=192.168.2.150,192.168.2.160,255.255.255.0,1h",
            "--dhcp-host=" KNOWN_MAC ",192.168.2.71,master101", "--dhcp-option=option:router,192.168.2.9",
            "--dhcp-option=option:dns-server,192.168.2.1,192.168.2.2", NULL });
}

static void stop_dnsmasq(void) {
        if (dnsmasq > 0) {
                kill(dnsmasq, SIGTERM);
                waitpid(dnsmasq, NULL, 0);
        }
        dnsmasq = -1;
}

static struct interface interface_named(const char *name, const char *mac) {
        struct interface interface = { .index = (int)if_nametoindex(name) };
        snprintf(interface.name, sizeof interface.name, "%s", name);
        if (!mac_parse(mac, &interface.mac))
                interface.index = 0;
        return interface;
}

static struct facts facts;
static const struct lease *const leases = facts.leases;
static int64_t took_ms;

static bool ask(char *mac, int timeout_ms) {
        EXPECT(RUN_PROGRAM("ip", "link", "set", "served", "address", mac));
        const struct interface interfaces[] = { interface_named("unplugged", "52:54:00:00:00:01"),
                                                interface_named("silent", "52:54:00:00:00:02"),
                                                interface_named("served", mac) };
        const struct inventory inventory = {
                .dhcp = { .timeout_ms = timeout_ms, .carrier_timeout_ms = timeout_ms, .arp_check = true }
        };
        struct err err = { 0 };
        auto_buf notes = { 0 };
        int64_t start = clock_now_ms();
        facts = (struct facts){ .inventory = &inventory, .interface_count = lengthof(interfaces) };
        memcpy(facts.interfaces, interfaces, sizeof interfaces);
        bool ok = dhcp_ask(&facts, &notes, &err);
        took_ms = clock_now_ms() - start;
        if (!ok || notes.size > 0)
                printf("# %s\n", ok ? buf_text(&notes) : err.text);
        err_release(&err);
        return ok;
}

static void a_reservation_gives_name_and_address(void) {
        EXPECT(ask(KNOWN_MAC, 20000) && facts.lease_count == 1);
        EXPECT(leases[0].address == 0xc0a80247 && leases[0].prefix == 24 && leases[0].router == 0xc0a80209);
        EXPECT(leases[0].dns_count == 2 && leases[0].lease_s == 3600);
        EXPECT_TEXT(leases[0].hostname, "master101");
        EXPECT_TEXT(leases[0].interface, "served");
}

static void another_card_gets_an_address_of_the_pool(void) {
        EXPECT(ask(OTHER_MAC, 20000) && facts.lease_count == 1);
        EXPECT(leases[0].address >= 0xc0a80296 && leases[0].address <= 0xc0a802a0);
        EXPECT_TEXT(leases[0].hostname, "");
}

// In the initrd: the inventory knows the machine by a card whose cable is dead, and the boot came over another one.
static void a_dead_cable_fails_no_boot_over_another_card(void) {
        const struct inventory inventory = { .dhcp = {
                                                 .timeout_ms = 20000, .carrier_timeout_ms = 1000, .arp_check = true } };
        struct identity identity = { .address = 0xc0a80247, .prefix = 24, .address_source = "mac table" };
        struct plan plan = { .identity = &identity };
        char resolver[] = "/tmp/kiln-resolver.XXXXXX";
        auto_buf text = { 0 };
        auto_close int file = mkstemp(resolver);
        EXPECT(file >= 0 && RUN_PROGRAM("ip", "link", "set", "served", "address", KNOWN_MAC));
        facts = (struct facts){ .inventory = &inventory, .command_line = "", .interface_count = 2 };
        facts.interfaces[0] = interface_named("unplugged", "52:54:00:00:00:01");
        facts.interfaces[1] = interface_named("served", KNOWN_MAC);
        identity.interface = &facts.interfaces[0];
        EXPECT_OK(initrd_network(&plan, &facts, resolver, &text, err));
        EXPECT_TEXT(buf_text(&text), "served 192.168.2.71/24 (dhcp)\nunplugged has had no link for 1 s\n");
        EXPECT(RUN_PROGRAM("sh", "-c", "test -z \"$(ip -4 -o address show dev unplugged)\""));
        EXPECT(RUN_PROGRAM("ip", "address", "flush", "dev", "served"));
        unlink(resolver);
}

// What initrd_network() says; the cards are left without an address. `cards` are "unplugged", "silent" and "served".
static char *network_of_initrd(const struct plan *plan, const struct inventory *inventory, const char *command_line) {
        char resolver[] = "/tmp/kiln-resolver.XXXXXX";
        auto_buf text = { 0 };
        auto_err err = { 0 };
        auto_close int file = mkstemp(resolver);
        facts = (struct facts){ .inventory = inventory, .command_line = command_line, .interface_count = 3 };
        facts.interfaces[0] = interface_named("unplugged", "52:54:00:00:00:01");
        facts.interfaces[1] = interface_named("silent", "52:54:00:00:00:02");
        facts.interfaces[2] = interface_named("served", KNOWN_MAC);
        EXPECT(file >= 0 && RUN_PROGRAM("ip", "link", "set", "served", "address", KNOWN_MAC));
        if (!initrd_network(plan, &facts, resolver, &text, &err))
                buf_append_text(&text, err.text);
        unlink(resolver);
        return buf_take(&text);
}

static bool shell_says_yes(const char *script) { return RUN_PROGRAM("sh", "-c", (char *)script); }

static void flush_cards(void) {
        EXPECT(shell_says_yes("for card in unplugged silent served; do ip address flush dev $card; done; "
                              "while ip route delete default; do :; done; true"));
}

static const struct inventory waits_little = {
        .dhcp = { .timeout_ms = 20000, .carrier_timeout_ms = 1000, .arp_check = true }
};

// The server is behind the card that the firmware booted over, with the address that the inventory has for it; the
// identity's card is used beside it, and has the default route.
static void a_boot_over_a_further_link_fetches_there(void) {
        static const struct inventory_network lan = { .name = "lan", .address = 0x0a000000, .prefix = 24 };
        static const struct inventory_network provisioning = {
                .name = "pxe", .address = 0xc0a80200, .prefix = 24, .gateway = 0xc0a80209
        };
        struct inventory_address address = { 0xc0a80205, &provisioning };
        struct inventory_link link = { .network = &provisioning, .addresses = &address, .address_count = 1 };
        const struct inventory_node node = { .network = &lan, .links = &link, .link_count = 1 };
        struct interface own = interface_named("silent", "52:54:00:00:00:02");
        flush_cards();
        struct identity identity = { .node = &node,
                                     .interface = &own,
                                     .address = 0x0a000007,
                                     .gateway = 0x0a000001,
                                     .prefix = 24,
                                     .address_source = "mac table" };
        struct plan plan = { .identity = &identity };
        EXPECT(mac_parse(KNOWN_MAC, &link.mac));
        auto_free char *said = network_of_initrd(&plan, &waits_little, "BOOTIF=01-" BOOTIF_MAC);
        EXPECT_TEXT(said, "served 192.168.2.5/24 (inventory, BOOTIF)\n");
        EXPECT(shell_says_yes("ip route | grep -q '^default via 10.0.0.1 dev silent' && ip route | grep -c ^default | "
                              "grep -qx 1"));
        flush_cards();
        // The link with the default route has it here, too; and so has the only one that is up.
        link.default_route = true;
        auto_free char *with_default = network_of_initrd(&plan, &waits_little, "BOOTIF=01-" BOOTIF_MAC);
        EXPECT_TEXT(with_default, said);
        EXPECT(shell_says_yes("ip route | grep -q '^default via 192.168.2.9 dev served' && ip route | grep -c ^default "
                              "| grep -qx 1"));
        flush_cards();
        own = interface_named("unplugged", "52:54:00:00:00:01");
        link.default_route = false;
        auto_free char *alone = network_of_initrd(&plan, &waits_little, "BOOTIF=01-" BOOTIF_MAC);
        EXPECT_TEXT(alone, said);
        EXPECT(shell_says_yes("ip route | grep -q '^default via 192.168.2.9 dev served'"));
        flush_cards();
        // DHCP gives the link its address.
        link.address_count = 0;
        link.dhcp = true;
        auto_free char *leased = network_of_initrd(&plan, &waits_little, "BOOTIF=01-" BOOTIF_MAC);
        EXPECT_TEXT(leased, "served 192.168.2.71/24 (dhcp)\n");
        flush_cards();
}

// Without the bond a machine has one of its cards at a time: the one that the firmware booted over, or one with a link.
static void a_bond_boots_over_the_card_that_works(void) {
        static const struct inventory_network lan = { .name = "lan", .address = 0xc0a80200, .prefix = 24 };
        struct mac members[2];
        const struct inventory_node node = {
                .network = &lan, .bond = "bond0", .bond_members = members, .bond_member_count = 2
        };
        struct interface dead = interface_named("unplugged", "52:54:00:00:00:01");
        struct identity identity = {
                .node = &node, .interface = &dead, .address = 0xc0a80205, .prefix = 24, .address_source = "mac table"
        };
        struct plan plan = { .identity = &identity };
        EXPECT(mac_parse("52:54:00:00:00:01", &members[0]) && mac_parse(KNOWN_MAC, &members[1]));
        auto_free char *with_link = network_of_initrd(&plan, &waits_little, "");
        EXPECT_TEXT(with_link, "served 192.168.2.5/24 (mac table)\n");
        flush_cards();
        dead = interface_named("silent", "52:54:00:00:00:02"); // has a link, and nobody behind it
        EXPECT(mac_parse("52:54:00:00:00:02", &members[0]));
        auto_free char *booted = network_of_initrd(&plan, &waits_little, "BOOTIF=01-" BOOTIF_MAC);
        EXPECT_TEXT(booted, "served 192.168.2.5/24 (mac table)\n");
        flush_cards();
}

static void ipv6_of_the_node_is_there_too(void) {
        struct inventory_network lan = {
                .name = "lan", .address = 0xc0a80200, .prefix = 24, .prefix6 = 64, .gateway6.family = 6
        };
        const struct inventory_network other = { .name = "other", .prefix6 = 64 };
        struct inventory_address6 addresses[] = { { .network = &lan }, { .network = &other } };
        const struct inventory_node node = { .network = &lan, .addresses6 = addresses, .address6_count = 2 };
        struct interface card = interface_named("served", KNOWN_MAC);
        struct identity identity = { .node = &node,
                                     .network = &lan,
                                     .interface = &card,
                                     .address = 0xc0a80205,
                                     .prefix = 24,
                                     .address_source = "mac table" };
        struct plan plan = { .identity = &identity };
        EXPECT(address6_parse("fd00::5", &addresses[0].ip) && address6_parse("fd01::5", &addresses[1].ip) &&
               address6_parse("fd00::9", &lan.gateway6));
        auto_free char *said = network_of_initrd(&plan, &waits_little, "");
        EXPECT_TEXT(said, "served 192.168.2.5/24 (mac table)\n");
        EXPECT(shell_says_yes("ip -6 address show dev served | grep -q fd00::5/64 && ! ip -6 address | grep -q fd01 && "
                              "ip -6 route | grep -q '^default via fd00::9 dev served'"));
        flush_cards();
}

// DHCP comes first, as the firmware had it; the VLAN itself needs a kernel that knows them (tests/initrd).
static void a_node_on_a_vlan_takes_what_dhcp_gives_without_a_tag(void) {
        struct interface own = interface_named("served", KNOWN_MAC);
        struct identity identity = {
                .interface = &own, .address = 0x0a000007, .prefix = 24, .address_source = "mac table"
        };
        struct plan plan = { .identity = &identity, .vlan_id = 5 };
        auto_free char *said = network_of_initrd(&plan, &waits_little, "");
        EXPECT_TEXT(said, "served 192.168.2.71/24 (dhcp)\n");
        flush_cards();
}

static void silence_ends_at_the_limit(void) {
        stop_dnsmasq();
        EXPECT(ask(KNOWN_MAC, 1500) && facts.lease_count == 0);
        EXPECT(took_ms >= 1500);
}

int main(void) {
        if (!enter_namespace() || !make_cables()) {
                printf("1..0 # skip no network namespace with veth may be made here\n");
                return 0;
        }
        start_dnsmasq();
        if (dnsmasq < 0) {
                printf("1..0 # skip dnsmasq is not installed\n");
                return 0;
        }
        RUN(a_reservation_gives_name_and_address);
        RUN(another_card_gets_an_address_of_the_pool);
        RUN(a_dead_cable_fails_no_boot_over_another_card);
        RUN(a_boot_over_a_further_link_fetches_there);
        RUN(a_bond_boots_over_the_card_that_works);
        RUN(ipv6_of_the_node_is_there_too);
        RUN(a_node_on_a_vlan_takes_what_dhcp_gives_without_a_tag);
        RUN(silence_ends_at_the_limit);
        return test_done();
}
