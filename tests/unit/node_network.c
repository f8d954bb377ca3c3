// SPDX-License-Identifier: MIT
// What a machine's links become: from structs filled by hand, as the command line, the inventory and DHCP would.
#include "firmware/node/inventory/inventory_find.h"
#include "firmware/node/network/network_compose.h"
#include "firmware/node/network/network_writer.h"
#include "tests/unit/node.h"
#include "tests/unit/test.h"

#define MAC_A "52:54:00:a8:02:47"
#define MAC_B "52:54:00:00:00:02"
#define MAC_C "52:54:00:00:00:03"
// Two networks, one of them on a VLAN; node one with an address in each, node two with a bond.
#define LINKS_JSON(writer)                                                                                             \
        "{\"format\":1,\"cluster\":\"c\",\"role\":\"r\",\"network_writer\":\"" writer "\",\"strangers\":true,"         \
        "\"networks\":[{\"name\":\"lan\",\"subnet\":\"192.168.2.0/24\",\"gateway\":\"192.168.2.1\","                   \
        "\"dns\":[\"192.168.2.1\",\"192.168.2.2\"],\"routes\":[\"10.0.0.0/8 via 192.168.2.254\"],"                     \
        "\"search\":[\"example.org\",\"lab.example.org\"]},"                                                           \
        "{\"name\":\"store\",\"subnet\":\"10.20.0.0/24\",\"gateway\":\"10.20.0.1\",\"vlan\":20,\"mtu\":9000}],"        \
        "\"nodes\":[{\"name\":\"one\",\"role\":\"r\",\"mac\":\"" MAC_A "\",\"ip\":\"192.168.2.71\","                   \
        "\"network\":\"lan\",\"addresses\":[\"192.168.2.171\",\"10.20.0.71\"],\"interface\":\"net0\"},"                \
        "{\"name\":\"two\",\"role\":\"r\",\"ip\":\"10.20.0.72\",\"network\":\"store\","                                \
        "\"bond\":{\"name\":\"bond0\",\"members\":[\"" MAC_B "\",\"" MAC_C "\"],"                                      \
        "\"options\":\"mode=802.3ad,lacp_rate=1,xmit_hash_policy=layer3+4\"}}]}"

static struct trial trial;
static struct cmdline cmdline;
static struct identity identity;
static struct network network;
static struct err err;

static void start(const char *writer) {
        trial_release(&trial);
        err_release(&err);
        const char *json = strcmp(writer, "ifcfg") == 0            ? LINKS_JSON("ifcfg")
                           : strcmp(writer, "NetworkManager") == 0 ? LINKS_JSON("NetworkManager")
                                                                   : LINKS_JSON("systemd-networkd");
        trial_init(&trial, json, "");
        trial_interface(&trial, "eth0", MAC_A, true);
        trial_interface(&trial, "eth1", MAC_B, true);
        trial_interface(&trial, "eth2", MAC_C, true);
        cmdline = (struct cmdline){ .prefix = -1 };
        identity = (struct identity){ .interface = &trial.facts.interfaces[0], .interface_source = "mac table" };
}

static uint32_t ip4(const char *text) {
        uint32_t address = 0;
        if (!address_parse(text, &address))
                printf("# bad address %s\n", text);
        return address;
}

static struct address any(const char *text) {
        struct address address = { 0 };
        if (*text && !address_parse_any(text, &address))
                printf("# bad address %s\n", text);
        return address;
}

// As identity_decide() fills it.
static void be(const char *name) {
        const struct inventory_node *node = inventory_by_name(&trial.inventory, name);
        identity.node = node;
        identity.network = node->network;
        identity.address = node->ip;
        identity.address_source = "mac table";
        identity.prefix = node->network->prefix;
        identity.gateway = node->network->gateway;
        identity.interface = &trial.facts.interfaces[strcmp(name, "two") == 0 ? 1 : 0];
}

static void be_stranger(const char *address) {
        identity.address = ip4(address);
        identity.address_source = "command line";
        identity.prefix = 24;
}

static bool make_network(void) {
        name_servers_decide(&cmdline, identity.lease, identity.network, &identity.name_servers);
        return network_compose(&trial.facts, &cmdline, &identity, &network, &err);
}

static bool compose(void) {
        err_release(&err);
        bool ok = make_network();
        if (!ok)
                printf("# %s\n", err.text);
        return ok;
}

static bool refused(const char *one, const char *other) {
        err_release(&err);
        if (make_network()) {
                printf("# it was not refused\n");
                return false;
        }
        if (err.kind == ERR_IDENTITY && strstr(err.text, one) && strstr(err.text, other))
                return true;
        printf("# %s\n", err.text);
        return false;
}

static const struct net_link *link_at(const char *name) {
        static const struct net_link none;
        const struct net_link *link = network_find(&network, name);
        if (!link)
                printf("# there is no %s\n", name);
        return link ? link : &none;
}

static bool has_address(const char *name, const char *address, int prefix) {
        const struct net_link *link = link_at(name);
        struct address wanted = any(address);
        for (size_t i = 0; i < link->address_count; i++)
                if (address_equal(&link->addresses[i].address, &wanted) && link->addresses[i].prefix == prefix)
                        return true;
        return false;
}

static bool has_route(const char *name, const char *to, int prefix, const char *gateway) {
        const struct net_link *link = link_at(name);
        struct address wanted = any(to), router = any(gateway);
        for (size_t i = 0; i < link->route_count; i++) {
                const struct net_route *route = &link->routes[i];
                if (address_equal(&route->to, &wanted) && route->prefix == prefix &&
                    address_equal(&route->gateway, &router))
                        return true;
        }
        return false;
}

static struct cmdline_ip *add_ip(const char *address, const char *interface) {
        struct cmdline_ip *ip = &cmdline.ips[cmdline.ip_count++];
        *ip = (struct cmdline_ip){ .prefix = 24, .prefix6 = -1 };
        struct address parsed = any(address);
        if (parsed.family == 6)
                ip->address6 = parsed;
        else if (*address)
                ip->address = ip4(address);
        snprintf(ip->interface, sizeof ip->interface, "%s", interface);
        return ip;
}

static void add_vlan(const char *name, const char *parent, int id) {
        struct cmdline_vlan *vlan = &cmdline.vlans[cmdline.vlan_count++];
        vlan->id = id;
        snprintf(vlan->name, sizeof vlan->name, "%s", name);
        snprintf(vlan->parent, sizeof vlan->parent, "%s", parent);
}

static void add_bond(const char *name, const char *one, const char *other, const char *options) {
        struct cmdline_bond *bond = &cmdline.bonds[cmdline.bond_count++];
        snprintf(bond->name, sizeof bond->name, "%s", name);
        snprintf(bond->members[0], sizeof bond->members[0], "%s", one);
        snprintf(bond->members[1], sizeof bond->members[1], "%s", other);
        snprintf(bond->options, sizeof bond->options, "%s", options);
        bond->member_count = 2;
}

static void add_name(const char *name, const char *mac) {
        struct cmdline_ifname *ifname = &cmdline.ifnames[cmdline.ifname_count++];
        snprintf(ifname->name, sizeof ifname->name, "%s", name);
        ifname->mac = trial_mac(mac);
}

static void add_route(const char *to, int prefix, const char *gateway, const char *interface) {
        struct cmdline_route *route = &cmdline.routes[cmdline.route_count++];
        *route = (struct cmdline_route){ .to = any(to), .gateway = any(gateway), .prefix = prefix };
        snprintf(route->interface, sizeof route->interface, "%s", interface);
}

// ---- composing ----

static void the_inventory_gives_addresses_routes_and_a_vlan(void) {
        start("");
        be("one");
        EXPECT(compose() && network.link_count == 2 && network.note_count == 1);
        EXPECT_TEXT(network.links[network.primary].name, "net0");
        EXPECT(link_at("net0")->pin_name && link_at("net0")->mtu == 9000); // the VLAN's frames go through it
        EXPECT(has_address("net0", "192.168.2.71", 24) && has_address("net0", "192.168.2.171", 24));
        EXPECT(has_route("net0", "0.0.0.0", 0, "192.168.2.1") && has_route("net0", "10.0.0.0", 8, "192.168.2.254"));
        EXPECT(link_at("net0")->dns_count == 2 && link_at("net0")->search_count == 2);
        const struct net_link *vlan = link_at("net0.20");
        EXPECT(vlan->kind == NET_VLAN && vlan->vlan_id == 20 && vlan->mtu == 9000 && vlan->route_count == 0);
        EXPECT_TEXT(vlan->parent, "net0");
        EXPECT(has_address("net0.20", "10.20.0.71", 24));
}

static void a_bond_carries_the_vlan_that_has_the_address(void) {
        start("");
        be("two");
        EXPECT(compose() && network.link_count == 4);
        EXPECT_TEXT(network.links[network.primary].name, "bond0.20");
        EXPECT(has_address("bond0.20", "10.20.0.72", 24) && has_route("bond0.20", "0.0.0.0", 0, "10.20.0.1"));
        const struct net_link *bond = link_at("bond0");
        EXPECT(bond->kind == NET_BOND && bond->member_count == 2 && bond->address_count == 0 && bond->mtu == 9000);
        EXPECT_TEXT(bond->members[0], "eth1");
        EXPECT_TEXT(bond->members[1], "eth2");
        EXPECT_TEXT(bond->bond_options, "mode=802.3ad,lacp_rate=fast,xmit_hash_policy=layer3+4,miimon=100");
        EXPECT(mac_equal(&bond->mac, &trial.facts.interfaces[1].mac));
        EXPECT(bond > link_at("eth1") && link_at("bond0.20") > bond); // in the order in which they are made
}

static void a_bond_lives_without_a_broken_card(void) {
        start("");
        be("two");
        trial.facts.interface_count = 2;
        EXPECT(compose() && link_at("bond0")->member_count == 1 && network.note_count == 1);
        EXPECT(strstr(network.notes[0], MAC_C) != NULL);
        trial.facts.interface_count = 1;
        identity.interface = &trial.facts.interfaces[0];
        EXPECT(refused("bond0", "none of its members"));
}

static void the_command_line_names_the_link(void) {
        start("");
        be_stranger("172.16.0.9");
        add_bond("team", "eth0", "eth1", "mode=1,primary=eth1");
        add_vlan("team.7", "team", 7);
        add_ip("172.16.0.9", "team.7")->gateway = ip4("172.16.0.1");
        identity.gateway = ip4("172.16.0.1");
        EXPECT(compose());
        EXPECT_TEXT(network.links[network.primary].name, "team.7");
        EXPECT_TEXT(link_at("team")->bond_options, "mode=active-backup,primary=eth1,miimon=100");
        EXPECT(has_address("team.7", "172.16.0.9", 24) && has_route("team.7", "0.0.0.0", 0, "172.16.0.1"));
        add_vlan("inner", "outer", 8);
        add_vlan("outer", "team", 9); // the order of the words does not matter
        EXPECT(compose() && link_at("inner") > link_at("outer") && link_at("outer") > link_at("team"));
        cmdline.ip_count = cmdline.vlan_count = 0; // a card in a bond is not the card any more
        EXPECT(compose() && has_address("team", "172.16.0.9", 24));
        cmdline.bond_count = 0;
        EXPECT(compose() && has_address("eth0", "172.16.0.9", 24) && network.link_count == 1);
}

static void further_cards_get_what_ip_says(void) {
        start("");
        be("one");
        add_ip("2001:db8::71", "eth1")->gateway6 = any("2001:db8::1");
        cmdline.ips[0].prefix6 = 48;
        add_ip("", "eth2")->dhcp = true;
        add_ip("fd00::5", "")->auto6 = true;
        cmdline.dns6[cmdline.dns6_count++] = any("2001:db8::53");
        add_route("10.99.0.0", 16, "192.168.2.9", "");
        add_route("2001:db8:1::", 48, "", "eth1");
        EXPECT(compose());
        EXPECT(has_address("eth1", "2001:db8::71", 48) && has_route("eth1", "::", 0, "2001:db8::1"));
        EXPECT(link_at("eth2")->dhcp4 && link_at("eth2")->no_default4); // net0 has the default route
        EXPECT(has_address("net0", "fd00::5", 64) && link_at("net0")->auto6 && !link_at("net0")->dhcp4);
        EXPECT(has_route("net0", "10.99.0.0", 16, "192.168.2.9") && has_route("eth1", "2001:db8:1::", 48, ""));
        EXPECT(link_at("net0")->dns_count == 3);
}

static void strangers_keep_asking(void) {
        start("");
        be_stranger("192.168.2.150");
        identity.dhcp = true;
        identity.lease = &(struct lease){ .dns = { ip4("192.168.2.9") }, .dns_count = 1 };
        identity.network = &trial.inventory.networks[0];
        identity.gateway = ip4("192.168.2.1"); // the lease's: the client will get it again
        EXPECT(compose() && network.link_count == 1);
        EXPECT(link_at("eth0")->dhcp4 && link_at("eth0")->address_count == 0);
        EXPECT(!has_route("eth0", "0.0.0.0", 0, "192.168.2.1"));
        EXPECT(link_at("eth0")->dns_count == 2 && link_at("eth0")->dns[0].bytes[3] == 1); // the network's, not DHCP's
        identity.dhcp = false;
        identity.lease = NULL;
        EXPECT(compose() && link_at("eth0")->search_count == 2);
}

static const char *servers_text(const struct lease *lease, const struct inventory_network *from) {
        static struct buf text;
        struct name_servers servers;
        buf_release(&text);
        name_servers_decide(&cmdline, lease, from, &servers);
        name_servers_list_first(&servers, &text);
        buf_append_text(&text, "; ");
        name_servers_list_all(&servers, &text);
        buf_printf(&text, ", %zu configured not ", servers.configured_count);
        name_servers_list_unasked(&servers, &text);
        for (char *at; (at = strstr(text.data, "nameserver "));)
                memmove(at, at + 11, strlen(at + 11) + 1), *strchr(at, '\n') = ' ';
        return text.data;
}

static void name_servers_follow_one_rule(void) {
        struct lease lease = { .dns = { ip4("10.9.9.1"), ip4("10.9.9.2") }, .dns_count = 2 };
        start("");
        const struct inventory_network *lan = trial.inventory.networks;
        EXPECT_TEXT(servers_text(NULL, lan), "192.168.2.1 192.168.2.2 ; 192.168.2.1 192.168.2.2 , 2 configured not ");
        EXPECT_TEXT(servers_text(&lease, NULL), "10.9.9.1 10.9.9.2 ; 10.9.9.1 10.9.9.2 , 0 configured not ");
        EXPECT_TEXT(servers_text(&lease, lan), "192.168.2.1 192.168.2.2 10.9.9.1 10.9.9.2 ; "
                                               "192.168.2.1 192.168.2.2 10.9.9.1 10.9.9.2 , 2 configured not 10.9.9.2");
        cmdline.dns[cmdline.dns_count++] = ip4("10.9.9.2");
        cmdline.dns6[cmdline.dns6_count++] = any("2001:db8::53");
        EXPECT_TEXT(servers_text(NULL, lan), "10.9.9.2 ; 10.9.9.2 2001:db8::53 , 2 configured not ");
        EXPECT_TEXT(servers_text(&lease, lan),
                    "10.9.9.2 10.9.9.1 ; 10.9.9.2 2001:db8::53 10.9.9.1 , 2 configured not ");
        struct cmdline_ip *ip = add_ip("192.168.2.9", "eth0");
        ip->dns[ip->dns_count++] = ip4("10.9.9.3");
        EXPECT_TEXT(servers_text(NULL, lan), "10.9.9.3 10.9.9.2 ; 10.9.9.3 10.9.9.2 2001:db8::53 , 3 configured not ");
}

static void cards_change_places(void) {
        start("");
        be_stranger("192.168.2.150");
        add_name("eth1", MAC_A); // the kernel found them in the other order
        EXPECT(compose() && network.link_count == 2);
        EXPECT_TEXT(link_at("eth1")->now, "eth0");
        EXPECT_TEXT(link_at("eth0")->now, "eth1");
        EXPECT(link_at("eth0")->pin_name && has_address("eth1", "192.168.2.150", 24));
        add_name("eth2", MAC_B);
        EXPECT(compose() && network.link_count == 3);
        EXPECT_TEXT(link_at("eth0")->now, "eth2");
        EXPECT_TEXT(link_at("eth2")->now, "eth1");
        cmdline.ifname_count = 0;
        add_name("eth7", "52:54:00:00:00:77");
        EXPECT(compose() && network.note_count == 1 && network.link_count == 1);
}

static void contradictions_name_both_sides(void) {
        start("");
        be("one");
        add_ip("192.168.2.171", "eth1");
        EXPECT(refused("192.168.2.171/24 on net0 (inventory)", "192.168.2.171/24 on eth1 (ip=)"));
        cmdline.ip_count = 0;
        add_ip("172.16.0.5", "eth1")->gateway = ip4("172.16.0.1");
        EXPECT(refused("192.168.2.1 on net0", "172.16.0.1 on eth1"));
        cmdline.ips[0].gateway = ip4("172.17.0.1");
        identity.gateway = 0;
        EXPECT(refused("gateway 172.17.0.1", "eth1"));
        EXPECT(refused("is on that link", "rd.route=172.17.0.1/32::eth1"));
        cmdline.ips[0].gateway = ip4("172.16.2.1"); // in one bit of the third byte
        EXPECT(refused("gateway 172.16.2.1", "eth1"));
        cmdline.ips[0].gateway = ip4("172.17.0.1");
        add_route("172.17.0.1", 32, "", "eth1"); // on the link, as some hosters have it
        EXPECT(compose());
        cmdline.route_count = 0;
        cmdline.ips[0].gateway = 0;
        add_vlan("v5", "eth9", 5);
        EXPECT(refused("v5", "eth9"));
        cmdline.vlans[0] = (struct cmdline_vlan){ "v20", "net0", 20 };
        EXPECT(compose() && has_address("v20", "10.20.0.71", 24)); // the VLAN that the command line made
        cmdline.vlan_count = 0;
        add_bond("b1", "eth1", "eth2", "");
        EXPECT(refused("eth1 has an address", "b1"));
        cmdline.ip_count = 0;
        add_bond("b2", "eth2", "net0", "");
        EXPECT(refused("bond b1", "bond b2"));
}

static void nonsense_is_refused(void) {
        start("");
        be("one");
        add_ip("172.16.0.5", "eth9");
        EXPECT(refused("ip=", "eth9"));
        cmdline.ip_count = 0;
        add_bond("b1", "eth1", "eth2", "mode=roundabout");
        EXPECT(refused("b1", "roundabout"));
        snprintf(cmdline.bonds[0].options, sizeof cmdline.bonds[0].options, "turbo=1");
        EXPECT(refused("b1", "turbo"));
        snprintf(cmdline.bonds[0].options, sizeof cmdline.bonds[0].options, "arp_ip_target=1.2.3.4;$(reboot)");
        EXPECT(refused("b1", "reboot"));
        cmdline.bond_count = 0;
        add_name("net1", MAC_A);
        EXPECT(refused("net1 (ifname=)", "net0 (inventory)"));
        cmdline.ifname_count = 0;
        add_name("net0", MAC_B);
        EXPECT(refused("two different cards", "net0"));
        cmdline.ifname_count = 0;
        add_ip("", "eth1")->auto6 = true;
        cmdline.ips[0].mtu = 1000;
        EXPECT(refused("1280", "1000"));
        cmdline.ip_count = 0;
        add_ip("192.168.2.71", "eth1"); // the inventory says that its card is eth0
        EXPECT(refused("eth1", "net0"));
}

static void no_host_has_these_addresses(void) {
        static const char *const wrong[] = { "172.16.0.0", "172.16.0.255" };
        for (size_t i = 0; i < lengthof(wrong); i++) {
                start("");
                be("one");
                struct cmdline_ip *ip = add_ip(wrong[i], "eth1");
                EXPECT(refused(wrong[i], "no host's address"));
                ip->prefix = 31; // RFC 3021
                EXPECT(compose());
        }
        start("");
        be("one");
        identity.gateway = identity.address;
        EXPECT(refused("gateway", "own address"));
}

// ---- writing ----

static const char *file(const char *path) {
        const char *text = trial_file(&trial, path);
        if (!text)
                printf("# there is no %s\n", path);
        return text ? text : "";
}

static bool write_with(const char *writer) {
        plan_release(&trial.plan);
        if (!compose())
                return false;
        network_writer_find(writer)->node(&network, &trial.plan);
        return true;
}

static void networkd_files(void) {
        start("");
        be("one");
        add_ip("2001:db8::71", "")->gateway6 = any("fe80::1");
        EXPECT(write_with("systemd-networkd"));
        EXPECT_TEXT(file("/etc/systemd/network/10-kiln-net0.link"),
                    "[Match]\nMACAddress=" MAC_A "\nType=ether\n\n[Link]\nNamePolicy=\nName=net0\n");
        EXPECT_TEXT(file("/etc/systemd/network/10-kiln-net0.network"),
                    "[Match]\nMACAddress=" MAC_A "\nType=ether\n\n[Link]\nMTUBytes=9000\n\n[Network]\nVLAN=net0.20\n"
                    "IPv6AcceptRA=no\nAddress=192.168.2.71/24\nAddress=192.168.2.171/24\nAddress=2001:db8::71/64\n"
                    "Gateway=192.168.2.1\nGateway=fe80::1\nDNS=192.168.2.1\nDNS=192.168.2.2\n"
                    "Domains=example.org lab.example.org\n\n[Route]\nDestination=10.0.0.0/8\nGateway=192.168.2.254\n");
        EXPECT_TEXT(file("/etc/systemd/network/10-kiln-net0.20.netdev"),
                    "[NetDev]\nName=net0.20\nKind=vlan\nMTUBytes=9000\n\n[VLAN]\nId=20\n");
}

static void networkd_bond(void) {
        start("");
        be("two");
        EXPECT(write_with("systemd-networkd"));
        EXPECT_TEXT(
            file("/etc/systemd/network/10-kiln-bond0.netdev"),
            "[NetDev]\nName=bond0\nKind=bond\nMTUBytes=9000\nMACAddress=" MAC_B
            "\n\n[Bond]\nMode=802.3ad\nLACPTransmitRate=fast\nTransmitHashPolicy=layer3+4\nMIIMonitorSec=100ms\n");
        EXPECT_TEXT(
            file("/etc/systemd/network/10-kiln-eth2.network"),
            "[Match]\nName=eth2\nType=ether\n\n[Network]\nBond=bond0\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n");
        EXPECT_TEXT(file("/etc/systemd/network/10-kiln-bond0.network"),
                    "[Match]\nName=bond0\n\n[Link]\nMTUBytes=9000\nRequiredForOnline=carrier\n\n[Network]\n"
                    "VLAN=bond0.20\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n");
}

static void ifcfg_files(void) {
        start("ifcfg");
        be("one");
        add_ip("2001:db8::71", "");
        add_ip("2001:db8::72", "");
        add_route("172.16.0.0", 12, "192.168.2.9", "");
        EXPECT(write_with("ifcfg"));
        EXPECT_TEXT(file("/etc/sysconfig/network-scripts/ifcfg-net0"),
                    "DEVICE=\"net0\"\nHWADDR=" MAC_A "\nTYPE=Ethernet\nONBOOT=yes\nMTU=9000\nBOOTPROTO=none\n"
                    "IPADDR=192.168.2.71\nPREFIX=24\nIPADDR1=192.168.2.171\nPREFIX1=24\nDEFROUTE=yes\n"
                    "GATEWAY=192.168.2.1\nIPV6INIT=yes\nIPV6_AUTOCONF=no\nIPV6ADDR=2001:db8::71/64\n"
                    "IPV6ADDR_SECONDARIES=\"2001:db8::72/64\"\nDNS1=192.168.2.1\nDNS2=192.168.2.2\n"
                    "DOMAIN=\"example.org lab.example.org\"\n");
        EXPECT_TEXT(file("/etc/sysconfig/network-scripts/route-net0"),
                    "10.0.0.0/8 via 192.168.2.254 dev net0\n172.16.0.0/12 via 192.168.2.9 dev net0\n");
        EXPECT_TEXT(file("/etc/sysconfig/network-scripts/ifcfg-net0.20"),
                    "DEVICE=\"net0.20\"\nVLAN=yes\nTYPE=Vlan\nPHYSDEV=net0\nVLAN_ID=20\nONBOOT=yes\nMTU=9000\n"
                    "BOOTPROTO=none\nIPADDR=10.20.0.71\nPREFIX=24\nDEFROUTE=yes\n");
        start("ifcfg");
        be("two");
        EXPECT(write_with("ifcfg"));
        EXPECT(strstr(file("/etc/sysconfig/network-scripts/ifcfg-bond0"),
                      "BONDING_OPTS=\"mode=802.3ad lacp_rate=fast xmit_hash_policy=layer3+4 miimon=100\"\n"));
        EXPECT(strstr(file("/etc/sysconfig/network-scripts/ifcfg-eth2"), "\nMASTER=bond0\nSLAVE=yes\n"));
}

static void ifcfg_takes_one_default_route(void) {
        start("ifcfg");
        be("one");
        add_ip("", "eth1")->dhcp = true;
        EXPECT(write_with("ifcfg"));
        EXPECT(strstr(file("/etc/sysconfig/network-scripts/ifcfg-net0"), "\nDEFROUTE=yes\n"));
        EXPECT(strstr(file("/etc/sysconfig/network-scripts/ifcfg-eth1"), "\nDEFROUTE=no\n"));
}

// A static address without a gateway leaves the default route to DHCP, but to one card only; and each family has its
// own.
static void one_link_has_the_default_route_of_a_family(void) {
        start("ifcfg");
        be_stranger("172.16.5.9");
        identity.prefix = 24;
        add_ip("", "eth1")->dhcp = true;
        add_ip("", "eth2")->dhcp = true;
        EXPECT(compose() && !link_at("eth1")->no_default4 && link_at("eth2")->no_default4);
        start("ifcfg");
        be("one");
        add_ip("2001:db8::71", "")->gateway6 = any("fe80::1");
        add_ip("", "eth1")->auto6 = true;
        EXPECT(compose() && link_at("eth1")->no_default6 && !link_at("eth1")->no_default4);
}

// initscripts' ifup asks by ARP, too, and gives no address if anybody answers; in a network where a router answers for
// everybody the machine would have none.
static void initscripts_do_not_ask_what_was_asked(void) {
        const char *path = "/etc/sysconfig/network-scripts/ifcfg-eth0";
        start("ifcfg");
        be_stranger("172.16.5.9");
        identity.prefix = 24;
        EXPECT(write_with("ifcfg"));
        EXPECT(strstr(file(path), "\nARPCHECK=no\n"));
        add_ip("172.16.5.10", "eth0")->prefix = 24; // this one nobody asked about
        EXPECT(write_with("ifcfg"));
        EXPECT(!strstr(file(path), "ARPCHECK"));
        trial.inventory.dhcp.arp_check = false;
        EXPECT(write_with("ifcfg"));
        EXPECT(strstr(file(path), "\nARPCHECK=no\n"));
}

// A server names every machine that it knows; one that was refused is not that node.
static void a_refused_machine_takes_no_host_name(void) {
        start("ifcfg");
        plan_release(&trial.plan);
        network_writer_find("ifcfg")->refused(&trial.facts, &trial.plan);
        const char *text = file("/etc/dhcp/dhclient-eth0.conf");
        EXPECT(strstr(text, "send dhcp-client-identifier 01:") == text);
        EXPECT(strstr(text, "\nsupersede host-name \"localhost\";\n"));
        EXPECT_TEXT(file("/etc/resolv.conf"), "");
        plan_release(&trial.plan);
        network_writer_find("NetworkManager")->refused(&trial.facts, &trial.plan);
        EXPECT(strstr(file("/etc/NetworkManager/conf.d/11-kiln-refused.conf"), "hostname-mode=none\n"));
}

// As at hosters: a single address, and a router that is reached by a route on the link.
static void a_gateway_is_added_after_the_route_to_it(void) {
        start("ifcfg");
        be_stranger("172.16.5.9");
        identity.prefix = 32;
        identity.gateway = ip4("172.31.1.1");
        add_route("172.31.1.1", 32, "", "eth0");
        EXPECT(write_with("ifcfg"));
        EXPECT(!strstr(file("/etc/sysconfig/network-scripts/ifcfg-eth0"), "GATEWAY"));
        EXPECT_TEXT(file("/etc/sysconfig/network-scripts/route-eth0"),
                    "172.31.1.1/32 dev eth0\n0.0.0.0/0 via 172.31.1.1 dev eth0\n");
}

static void manager_files(void) {
        start("NetworkManager");
        be("two");
        EXPECT(write_with("NetworkManager"));
        const char *bond = file("/etc/NetworkManager/system-connections/10-kiln-bond0.nmconnection");
        EXPECT(strstr(bond, "\n[bond]\nmode=802.3ad\nlacp_rate=fast\nxmit_hash_policy=layer3+4\nmiimon=100\n"));
        EXPECT(strstr(bond, "\n[ipv4]\nmethod=disabled\n"));
        const char *vlan = file("/etc/NetworkManager/system-connections/10-kiln-bond0.20.nmconnection");
        EXPECT(strstr(vlan, "\n[ipv4]\nmethod=manual\naddress1=10.20.0.72/24\ngateway=10.20.0.1\n"));
        for (size_t i = 0; i < trial.plan.file_count; i++)
                EXPECT(trial.plan.files[i].mode == (strstr(trial.plan.files[i].path, ".nmconnection") ? 0600 : 0644));
        char first[64];
        snprintf(first, sizeof first, "%.50s", strstr(bond, "uuid="));
        EXPECT(write_with("NetworkManager"));
        EXPECT(strstr(file("/etc/NetworkManager/system-connections/10-kiln-bond0.nmconnection"), first) != NULL);
}

// A refused machine asks on every card whose name can be written down.
static void a_refused_machine_asks_everywhere(void) {
        static const struct {
                const char *writer, *path, *want;
        } cases[] = {
                { "ifcfg", "/etc/sysconfig/network-scripts/ifcfg-eth2", "BOOTPROTO=dhcp\n" },
                { "NetworkManager", "/etc/NetworkManager/system-connections/10-kiln-eth2.nmconnection",
                  "method=auto\n" },
                { "systemd-networkd", "/run/systemd/network/00-kiln-refused.network", "DHCP=ipv4\n" },
        };
        for (size_t i = 0; i < lengthof(cases); i++) {
                start(cases[i].writer);
                snprintf(trial.facts.interfaces[0].name, sizeof trial.facts.interfaces[0].name, "a$(b)");
                network_writer_find(cases[i].writer)->refused(&trial.facts, &trial.plan);
                EXPECT(strstr(file(cases[i].path), cases[i].want) != NULL);
                for (size_t j = 0; j < trial.plan.file_count; j++)
                        EXPECT(!strstr(trial.plan.files[j].content, "$("));
        }
        EXPECT(!network_writer_find("netplan"));
}

int main(void) {
        RUN(the_inventory_gives_addresses_routes_and_a_vlan);
        RUN(a_bond_carries_the_vlan_that_has_the_address);
        RUN(a_bond_lives_without_a_broken_card);
        RUN(the_command_line_names_the_link);
        RUN(further_cards_get_what_ip_says);
        RUN(strangers_keep_asking);
        RUN(name_servers_follow_one_rule);
        RUN(cards_change_places);
        RUN(contradictions_name_both_sides);
        RUN(nonsense_is_refused);
        RUN(no_host_has_these_addresses);
        RUN(networkd_files);
        RUN(networkd_bond);
        RUN(ifcfg_files);
        RUN(ifcfg_takes_one_default_route);
        RUN(one_link_has_the_default_route_of_a_family);
        RUN(initscripts_do_not_ask_what_was_asked);
        RUN(a_refused_machine_takes_no_host_name);
        RUN(a_gateway_is_added_after_the_route_to_it);
        RUN(manager_files);
        RUN(a_refused_machine_asks_everywhere);
        err_release(&err);
        trial_release(&trial);
        return test_done();
}
