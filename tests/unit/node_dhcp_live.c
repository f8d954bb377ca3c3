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
            "--dhcp-host=" KNOWN_MAC ",192.168.2.71,master101",
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
        EXPECT(leases[0].address == 0xc0a80247 && leases[0].prefix == 24 && leases[0].router == 0xc0a80201);
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
        facts = (struct facts){ .inventory = &inventory, .interface_count = 2 };
        facts.interfaces[0] = interface_named("unplugged", "52:54:00:00:00:01");
        facts.interfaces[1] = interface_named("served", KNOWN_MAC);
        identity.interface = &facts.interfaces[0];
        EXPECT_OK(initrd_network(&plan, &facts, resolver, &text, err));
        EXPECT_TEXT(buf_text(&text), "served 192.168.2.71/24 (dhcp)\nunplugged has had no link for 1 s\n");
        EXPECT(RUN_PROGRAM("sh", "-c", "test -z \"$(ip -4 -o address show dev unplugged)\""));
        EXPECT(RUN_PROGRAM("ip", "address", "flush", "dev", "served"));
        unlink(resolver);
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
        RUN(silence_ends_at_the_limit);
        return test_done();
}
