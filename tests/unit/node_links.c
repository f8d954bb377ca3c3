// SPDX-License-Identifier: MIT
// A node's further links: what they become in each style, and by which cards a machine is known.
#include "tests/unit/node.h"
#include "tests/unit/test.h"

#define MAC_A "52:54:00:a8:02:47"
#define MAC_B "52:54:00:00:00:02"
#define MAC_C "52:54:00:00:00:03"
#define MAC_D "52:54:00:00:00:04"

// Node one: a second card with another network's address, its routes and the default route; one that asks DHCP. Node
// two: a bond, whose network is on a VLAN.
#define LINKS_OF_ONE(default_route)                                                                                    \
        "[{\"mac\":\"" MAC_B "\",\"interface\":\"stor0\",\"network\":\"store\",\"addresses\":[\"10.20.0.71\"],"        \
        "\"routes\":[\"10.30.0.0/16 via 10.20.0.9\"],\"mtu\":9000,\"dhcp\":false,\"default_route\":" default_route     \
        "},{\"mac\":\"" MAC_C "\",\"addresses\":[],\"routes\":[],\"dhcp\":true,\"default_route\":false}]"
#define NODES(writer, links)                                                                                           \
        "{\"format\":1,\"cluster\":\"c\",\"role\":\"r\",\"network_writer\":\"" writer "\","                            \
        "\"networks\":[{\"name\":\"lan\",\"subnet\":\"192.168.2.0/24\",\"gateway\":\"192.168.2.1\"},"                  \
        "{\"name\":\"store\",\"subnet\":\"10.20.0.0/24\",\"gateway\":\"10.20.0.1\","                                   \
        "\"routes\":[\"10.40.0.0/16 via 10.20.0.8\"]},"                                                                \
        "{\"name\":\"back\",\"subnet\":\"10.50.0.0/24\",\"vlan\":50}],"                                                \
        "\"nodes\":[{\"name\":\"one\",\"role\":\"r\",\"mac\":\"" MAC_A "\",\"ip\":\"192.168.2.71\","                   \
        "\"network\":\"lan\",\"links\":" links "},"                                                                    \
        "{\"name\":\"two\",\"role\":\"r\",\"mac\":\"52:54:00:00:00:10\",\"ip\":\"192.168.2.72\","                      \
        "\"network\":\"lan\",\"links\":[{\"bond\":{\"name\":\"bond1\",\"members\":[\"52:54:00:00:00:11\","             \
        "\"52:54:00:00:00:12\"],\"options\":\"mode=active-backup\"},\"addresses\":[\"10.50.0.72\"],"                   \
        "\"network\":\"back\"}]}]}"

static struct trial trial;

static void start(const char *json, const char *const *macs) {
        trial_release(&trial);
        trial_init(&trial, json, "");
        static const char *const names[] = { "eth0", "eth1", "eth2" };
        for (size_t i = 0; macs[i]; i++)
                trial_interface(&trial, names[i], macs[i], true);
}

static const char *const cards_of_one[] = { MAC_A, MAC_B, MAC_C, NULL };

static bool is_there(const char *path, const char *part) {
        const char *text = trial_file(&trial, path);
        if (text && strstr(text, part))
                return true;
        printf("# %s lacks %s\n%s\n", path, part, text ? text : "(no file)");
        return false;
}

static bool lacks(const char *path, const char *part) {
        const char *text = trial_file(&trial, path);
        return text && !strstr(text, part);
}

static bool plan(void) {
        bool ok = trial_plan(&trial) && !trial.plan.refusal;
        if (!ok)
                printf("# %s\n", trial.plan.refusal);
        return ok;
}

#define NETWORKD "/etc/systemd/network/10-kiln-"
#define IFCFG "/etc/sysconfig/network-scripts/"
#define MANAGER "/etc/NetworkManager/system-connections/10-kiln-"

static void networkd_has_the_links(void) {
        start(NODES("systemd-networkd", LINKS_OF_ONE("false")), cards_of_one);
        EXPECT(plan());
        EXPECT(is_there(NETWORKD "eth0.network", "Gateway=192.168.2.1\n"));
        EXPECT(is_there(NETWORKD "stor0.network", "Address=10.20.0.71/24\n") &&
               is_there(NETWORKD "stor0.network", "Destination=10.30.0.0/16\nGateway=10.20.0.9\n") &&
               is_there(NETWORKD "stor0.network", "Destination=10.40.0.0/16\nGateway=10.20.0.8\n") &&
               is_there(NETWORKD "stor0.network", "MTUBytes=9000\n") &&
               lacks(NETWORKD "stor0.network", "Gateway=10.20.0.1\n"));
        EXPECT(is_there(NETWORKD "eth2.network", "DHCP=ipv4\n") &&
               is_there(NETWORKD "eth2.network", "UseGateway=no\n"));
        EXPECT(trial.plan.rename_count == 1);
}

static void ifcfg_has_the_links(void) {
        start(NODES("ifcfg", LINKS_OF_ONE("false")), cards_of_one);
        EXPECT(plan());
        EXPECT(is_there(IFCFG "ifcfg-eth0", "GATEWAY=192.168.2.1\n"));
        EXPECT(is_there(IFCFG "ifcfg-stor0", "IPADDR=10.20.0.71\n") && is_there(IFCFG "ifcfg-stor0", "MTU=9000\n") &&
               lacks(IFCFG "ifcfg-stor0", "GATEWAY=") && is_there(IFCFG "route-stor0", "10.30.0.0/16 via 10.20.0.9"));
        EXPECT(is_there(IFCFG "ifcfg-eth2", "BOOTPROTO=dhcp\n") && is_there(IFCFG "ifcfg-eth2", "DEFROUTE=no\n"));
}

static void manager_has_the_links(void) {
        start(NODES("NetworkManager", LINKS_OF_ONE("false")), cards_of_one);
        EXPECT(plan());
        EXPECT(is_there(MANAGER "eth0.nmconnection", "gateway=192.168.2.1\n"));
        EXPECT(is_there(MANAGER "stor0.nmconnection", "address1=10.20.0.71/24\n") &&
               is_there(MANAGER "stor0.nmconnection", "mtu=9000\n") &&
               is_there(MANAGER "stor0.nmconnection", "=10.30.0.0/16,10.20.0.9\n") &&
               lacks(MANAGER "stor0.nmconnection", "gateway="));
        EXPECT(is_there(MANAGER "eth2.nmconnection", "method=auto\n") &&
               is_there(MANAGER "eth2.nmconnection", "never-default=true\n"));
}

static void the_default_route_goes_where_it_is_said(void) {
        start(NODES("ifcfg", LINKS_OF_ONE("true")), cards_of_one);
        EXPECT(plan() && lacks(IFCFG "ifcfg-eth0", "GATEWAY=") && is_there(IFCFG "ifcfg-stor0", "GATEWAY=10.20.0.1\n"));
        start(NODES("ifcfg", "[{\"mac\":\"" MAC_C "\",\"dhcp\":true,\"default_route\":true}]"), cards_of_one);
        EXPECT(plan() && lacks(IFCFG "ifcfg-eth0", "GATEWAY=") && is_there(IFCFG "ifcfg-eth2", "DEFROUTE=yes\n"));
}

static void a_bond_and_its_vlan_may_be_a_further_link(void) {
        static const char *const cards[] = { "52:54:00:00:00:12", "52:54:00:00:00:10", "52:54:00:00:00:11", NULL };
        start(NODES("ifcfg", "[]"), cards);
        EXPECT(plan());
        EXPECT_TEXT(trial.plan.hostname, "two");
        EXPECT(is_there(IFCFG "ifcfg-eth1", "IPADDR=192.168.2.72\n"));
        EXPECT(is_there(IFCFG "ifcfg-eth0", "MASTER=bond1\n") && is_there(IFCFG "ifcfg-eth2", "MASTER=bond1\n"));
        EXPECT(is_there(IFCFG "ifcfg-bond1.50", "IPADDR=10.50.0.72\n") && lacks(IFCFG "ifcfg-bond1", "IPADDR"));
}

// The node's own IPv6 address with the default route, one on a further link, and a route.
#define IPV6(writer)                                                                                                   \
        "{\"format\":1,\"cluster\":\"c\",\"role\":\"r\",\"network_writer\":\"" writer "\",\"networks\":["              \
        "{\"name\":\"lan\",\"subnet\":\"192.168.2.0/24\",\"gateway\":\"192.168.2.1\",\"prefix6\":64,"                  \
        "\"gateway6\":\"fd00:1::1\",\"routes\":[\"fd00:9::/48 via fd00:1::9\"]},"                                      \
        "{\"name\":\"store\",\"subnet\":\"10.20.0.0/24\",\"prefix6\":56,\"gateway6\":\"fd00:2::1\"}],\"nodes\":["      \
        "{\"name\":\"one\",\"role\":\"r\",\"mac\":\"" MAC_A "\",\"ip\":\"192.168.2.71\",\"network\":\"lan\","          \
        "\"addresses6\":[{\"ip\":\"fd00:1::71\",\"network\":\"lan\"}],\"links\":[{\"mac\":\"" MAC_B                    \
        "\",\"dhcp\":true,\"addresses6\":[{\"ip\":\"fd00:2::71\",\"network\":\"store\"}]}]},"                          \
        "{\"name\":\"other\",\"role\":\"r\",\"ip\":\"192.168.2.72\",\"network\":\"lan\","                              \
        "\"addresses6\":[{\"ip\":\"fd00:1::72\",\"network\":\"lan\"}]},"                                               \
        "{\"name\":\"four\",\"role\":\"r\",\"mac\":\"" MAC_D "\",\"ip\":\"192.168.2.74\",\"network\":\"lan\"}],"       \
        "\"roles\":{\"r\":[]},\"templates\":[{\"path\":\"/etc/peers\",\"source\":\"/t\"}]}"

static void ipv6_is_in_every_style(void) {
        start(IPV6("systemd-networkd"), cards_of_one);
        trial.template = "{{node.ip6}}/{{node.prefix6}} {{node.gateway6}}{{#node.others.r}} {{ip6}}{{/node.others.r}}";
        EXPECT(plan());
        EXPECT(is_there(NETWORKD "eth0.network", "Address=fd00:1::71/64\n") &&
               is_there(NETWORKD "eth0.network", "Gateway=fd00:1::1\n") &&
               is_there(NETWORKD "eth0.network", "Destination=fd00:9::/48\nGateway=fd00:1::9\n") &&
               is_there(NETWORKD "eth1.network", "Address=fd00:2::71/56\n") &&
               lacks(NETWORKD "eth1.network", "Gateway=fd00:2::1"));
        EXPECT_TEXT(trial_file(&trial, "/etc/peers"), "fd00:1::71/64 fd00:1::1 fd00:1::72 ");
        start(IPV6("ifcfg"), cards_of_one);
        EXPECT(plan());
        EXPECT(is_there(IFCFG "ifcfg-eth0", "IPV6ADDR=fd00:1::71/64\n") &&
               is_there(IFCFG "ifcfg-eth0", "IPV6_DEFAULTGW=fd00:1::1\n") &&
               is_there(IFCFG "route6-eth0", "fd00:9::/48 via fd00:1::9") &&
               is_there(IFCFG "ifcfg-eth1", "IPV6ADDR=fd00:2::71/56\n") &&
               lacks(IFCFG "ifcfg-eth1", "IPV6_DEFAULTGW=fd"));
        start(IPV6("NetworkManager"), cards_of_one);
        EXPECT(plan());
        EXPECT(is_there(MANAGER "eth0.nmconnection", "address1=fd00:1::71/64\n") &&
               is_there(MANAGER "eth0.nmconnection", "gateway=fd00:1::1\n"));
        static const char *const ipv4_only[] = { MAC_D, NULL };
        start(IPV6("ifcfg"), ipv4_only); // routes of IPv6 are for who has an address of it
        EXPECT(plan() && !trial_file(&trial, IFCFG "route6-eth0"));
        start(IPV6("NetworkManager"), cards_of_one);
        EXPECT(plan());
        EXPECT(is_there(MANAGER "eth1.nmconnection", "address1=fd00:2::71/56\n"));
}

static void any_card_tells_who_the_machine_is(void) {
        static const char *const broken[] = { MAC_D, MAC_B, NULL }; // the first card was replaced
        start(NODES("ifcfg", LINKS_OF_ONE("false")), broken);
        EXPECT(plan());
        EXPECT_TEXT(trial.plan.hostname, "one");
        EXPECT(is_there(IFCFG "ifcfg-eth0", "IPADDR=192.168.2.71\n") &&
               is_there(IFCFG "ifcfg-stor0", "IPADDR=10.20.0.71\n"));
        EXPECT(!trial_file(&trial, IFCFG "ifcfg-eth2"));
        // The identity's address never goes to a card that is another link's.
        static const char *const alone[] = { MAC_B, NULL };
        start(NODES("ifcfg", LINKS_OF_ONE("false")), alone);
        trial.facts.command_line = "BOOTIF=01-52-54-00-00-00-02";
        EXPECT(trial_plan(&trial) && trial_refused(&trial, "nothing says which one to use"));
}

static void a_missing_card_is_noted(void) {
        static const char *const cards[] = { MAC_A, NULL };
        start(NODES("ifcfg", LINKS_OF_ONE("false")), cards);
        EXPECT(plan());
        bool is_noted = false;
        for (size_t i = 0; i < trial.plan.note_count; i++)
                is_noted |= strstr(trial.plan.notes[i], "no card has MAC " MAC_C) != NULL;
        EXPECT(is_noted);
}

static void wrong_links_are_refused(void) {
        static const char *const links[] = { "{}",
                                             "[1]",
                                             "[{}]",
                                             "[{\"mac\":\"x\"}]",
                                             "[{\"mac\":\"" MAC_B "\",\"network\":\"nowhere\"}]",
                                             "[{\"mac\":\"" MAC_B "\",\"addresses\":[\"1.2.3.4\"]}]",
                                             "[{\"mac\":\"" MAC_B "\",\"routes\":[\"x\"]}]",
                                             "[{\"mac\":\"" MAC_B "\",\"vlan\":4095}]",
                                             "[{\"mac\":\"" MAC_B "\",\"dhcp\":1}]",
                                             "[{\"bond\":{\"name\":\"b\"}}]",
                                             "[{\"mac\":\"" MAC_B "\",\"interface\":\"a/b\"}]" };
        for (size_t i = 0; i < lengthof(links); i++) {
                auto_free char *json =
                    xasprintf("{\"format\":1,\"cluster\":\"c\",\"role\":\"r\",\"network_writer\":\"ifcfg\","
                              "\"networks\":[{\"name\":\"lan\",\"subnet\":\"192.168.2.0/24\"}],\"nodes\":["
                              "{\"name\":\"one\",\"role\":\"r\",\"ip\":\"192.168.2.71\",\"network\":\"lan\","
                              "\"links\":%s}]}",
                              links[i]);
                struct arena arena = { 0 };
                struct inventory inventory;
                auto_err err = { 0 };
                EXPECT(!inventory_read(json, strlen(json), &arena, &inventory, &err) && err.kind == ERR_SCHEMA);
                arena_release(&arena);
        }
}

int main(void) {
        RUN(networkd_has_the_links);
        RUN(ifcfg_has_the_links);
        RUN(manager_has_the_links);
        RUN(the_default_route_goes_where_it_is_said);
        RUN(a_bond_and_its_vlan_may_be_a_further_link);
        RUN(ipv6_is_in_every_style);
        RUN(any_card_tells_who_the_machine_is);
        RUN(a_missing_card_is_noted);
        RUN(wrong_links_are_refused);
        trial_release(&trial);
        return test_done();
}
