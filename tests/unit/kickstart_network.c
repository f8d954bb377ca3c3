// SPDX-License-Identifier: MIT
#include "artefact/kickstart_network.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/run.h"
#include "profile/profile.h"
#include "tests/unit/test.h"

static char top[] = "/tmp/kiln-ksnet-XXXXXX";
static int top_fd = -1;

static const char release[] =
    "description: test\narch: x86_64\nrepositories:\n  - {name: none, baseurl: repo, trust: digest}\n"
    "kernel: {package: kernel, image: \"/boot/vmlinuz-*\"}\nsquashfs: {compressor: gzip}\nrpmdb: sqlite\n"
    "network: ifcfg\ninitrd: {compressor: gzip, modules: []}\nbootloader: {packages: []}\n";
static const char networks[] =
    "cluster: demo\nrelease: test\nnetworks:\n"
    "  - {name: lan, subnet: 10.1.0.0/20, gateway: 10.1.0.1, dns: [10.1.0.2, 10.1.0.3], mtu: 9000,\n"
    "     routes: [10.7.0.0/16 via 10.1.0.7]}\n"
    "  - {name: tagged, subnet: 10.2.0.0/24, gateway: 10.2.0.1, dns: 10.2.0.2, vlan: 100}\n"
    "  - {name: store, subnet: 10.3.0.0/24, vlan: 300, mtu: 8000, routes: [10.8.0.0/16 via 10.3.0.8]}\n"
    "  - {name: plain, subnet: 10.4.0.0/24}\n"
    "  - {name: six, subnet: 10.5.0.0/24, subnet6: 'fd00:5::/64', gateway6: 'fd00:5::1',\n"
    "     routes: ['fd00:9::/48 via fd00:5::9']}\n"
    "nodes:\n";

static void put(const char *path, const char *text) {
        EXPECT_OK(fs_mkdirs_for(top_fd, path, 0755, err));
        EXPECT_OK(fs_write_atomic(top_fd, path, text, strlen(text), 0644, err));
}

// The commands and the %post of a cluster's only node, "  - {name: n, role: r, ...}".
static void expect_node(const char *node, const char *commands, const char *post) {
        auto_free char *text = xasprintf("%s  - {name: n, role: r, %s}\n", networks, node);
        auto_free char *path = xasprintf("%s/cluster.yaml", top);
        auto_buf said = { 0 }, after = { 0 };
        struct cluster *cluster = NULL;
        put("cluster.yaml", text);
        EXPECT_OK(cluster_load(path, NULL, &cluster, err));
        if (!cluster)
                return;
        kickstart_network_commands(cluster, &cluster->nodes[0], &said);
        kickstart_network_post(cluster, &cluster->nodes[0], &after);
        EXPECT_TEXT(buf_text(&said), commands);
        const char *links = strstr(buf_text(&after), "}\nif ");
        if (post && !links)
                EXPECT(!"there is a %post");
        else if (post)
                EXPECT_TEXT(links + 2, post);
        else
                EXPECT(after.size == 0);
        cluster_free(cluster);
}

#define MAC "mac: \"52:54:00:AA:00:01\", "
#define CARD "network --activate --device=52:54:00:aa:00:01"

static void name_servers_and_mtu_are_said(void) {
        expect_node(MAC "ip: 10.1.0.11",
                    CARD " --mtu=9000 --bootproto=static --ip=10.1.0.11 --netmask=255.255.240.0 --gateway=10.1.0.1 "
                         "--nameserver=10.1.0.2,10.1.0.3 --noipv6 --hostname=n\n",
                    "if link_of 10.1.0.11/20; then\n"
                    "    echo \"10.7.0.0/16 via 10.1.0.7 dev $link\" >>\"$directory/route-$link\"\nfi\n%end\n");
        expect_node("ip: 10.4.0.11",
                    "network --activate --device=link --bootproto=static --ip=10.4.0.11 --netmask=255.255.255.0 "
                    "--noipv6 --hostname=n\n",
                    NULL);
}

static void a_tagged_address_is_on_its_vlan(void) {
        expect_node(MAC "ip: 10.2.0.11",
                    CARD " --vlanid=100 --bootproto=static --ip=10.2.0.11 --netmask=255.255.255.0 --gateway=10.2.0.1 "
                         "--nameserver=10.2.0.2 --noipv6 --hostname=n\n",
                    NULL);
}

// What goes to a VLAN goes through its card, whose MTU is no smaller.
static void further_addresses_have_their_links(void) {
        expect_node(MAC "ip: 10.2.0.11, addresses: [10.2.0.12, 10.3.0.11, 10.3.0.12]",
                    CARD " --mtu=8000 --noipv4 --noipv6\n" CARD " --vlanid=300 --mtu=8000 --bootproto=static "
                         "--ip=10.3.0.11 --netmask=255.255.255.0 --nodefroute --noipv6\n" CARD
                         " --vlanid=100 --bootproto=static --ip=10.2.0.11 --netmask=255.255.255.0 --gateway=10.2.0.1 "
                         "--nameserver=10.2.0.2 --noipv6 --hostname=n\n",
                    "if link_of 10.2.0.11/24; then\n"
                    "    printf 'IPADDR1=10.2.0.12\\nPREFIX1=24\\n' >>\"$directory/ifcfg-$link\"\nfi\n"
                    "if link_of 10.3.0.11/24; then\n"
                    "    printf 'IPADDR1=10.3.0.12\\nPREFIX1=24\\n' >>\"$directory/ifcfg-$link\"\n"
                    "    echo \"10.8.0.0/16 via 10.3.0.8 dev $link\" >>\"$directory/route-$link\"\nfi\n%end\n");
}

static void run_pre(const char *commands, const char *want) {
        const char *start = strstr(commands, "members=\n"), *end = strstr(commands, "%end");
        const char *after = NULL;
        EXPECT(start && end && (after = strstr(end, "%include /tmp/kiln-network.ks\n")) != NULL);
        if (!after)
                return;
        // The script itself, with other places for its files.
        auto_free char *sys = xasprintf("s#/sys/class/net#%s/net#", top),
                       *made = xasprintf("s#/tmp/kiln-network.ks#%s/out#", top), *pre = xasprintf("%s/pre.sh", top);
        auto_buf out = { 0 };
        put("net/eth0/device/x", "");
        put("net/eth0/address", "52:54:00:aa:00:01\n");
        put("net/eth1/device/x", "");
        put("net/eth1/address", "52:54:00:aa:00:01\n");
        put("net/eth1/bonding_slave/perm_hwaddr", "52:54:00:aa:00:02\n");
        EXPECT_OK(fs_write_atomic(top_fd, "pre.sh", start, (size_t)(end - start), 0644, err));
        EXPECT_OK(run_command(err, "sed", "-i", "-e", sys, "-e", made, pre, NULL));
        EXPECT_OK(run_command(err, "bash", pre, NULL));
        EXPECT_OK(fs_read(top_fd, "out", &out, err));
        EXPECT_TEXT(buf_text(&out), want);
}

static void a_bond_has_the_cards_that_are_there(void) {
        struct cluster *cluster = NULL;
        auto_buf said = { 0 };
        auto_free char *path = xasprintf("%s/cluster.yaml", top);
        auto_free char *text = xasprintf(
            "%s  - {name: n, role: r, ip: 10.2.0.11, addresses: 10.4.0.12, bond: {mode: 802.3ad, options: {lacp_rate: "
            "fast, arp_ip_target: \"10.2.0.1,10.2.0.2\", arp_interval: 100}, members: [\"52-54-00-AA-00-01\", "
            "\"52:54:00:aa:00:02\", \"52:54:00:aa:00:03\"]}}\n",
            networks);
        put("cluster.yaml", text);
        EXPECT_OK(cluster_load(path, NULL, &cluster, err));
        if (!cluster)
                return;
        kickstart_network_commands(cluster, &cluster->nodes[0], &said);
        run_pre(buf_text(&said),
                "network --activate --device=bond0 --bondslaves=eth0,eth1 --bondopts=\"mode=802.3ad;lacp_rate=fast;"
                "arp_ip_target=10.2.0.1,10.2.0.2;arp_interval=100\" --bootproto=static --ip=10.4.0.12 "
                "--netmask=255.255.255.0 --nodefroute --noipv6\n"
                "network --activate --device=bond0 --vlanid=100 --bootproto=static --ip=10.2.0.11 "
                "--netmask=255.255.255.0 --gateway=10.2.0.1 --nameserver=10.2.0.2 --noipv6 --hostname=n\n");
        cluster_free(cluster);
}

#define OTHER "network --activate --device=52:54:00:aa:00:02"

// A further link has neither the default route nor the name servers, unless it is said.
static void further_links_are_networks_of_their_own(void) {
        expect_node(MAC "ip: 10.4.0.11, links: [{mac: '52:54:00:aa:00:02', ip: 10.1.0.11, mtu: 1400, "
                        "routes: [10.9.0.0/16 via 10.1.0.9]}]",
                    CARD
                    " --bootproto=static --ip=10.4.0.11 --netmask=255.255.255.0 --noipv6 --hostname=n\n" OTHER
                    " --mtu=1400 --bootproto=static --ip=10.1.0.11 --netmask=255.255.240.0 --nodefroute --noipv6\n",
                    "if link_of 10.1.0.11/20; then\n"
                    "    echo \"10.7.0.0/16 via 10.1.0.7 dev $link\" >>\"$directory/route-$link\"\n"
                    "    echo \"10.9.0.0/16 via 10.1.0.9 dev $link\" >>\"$directory/route-$link\"\nfi\n%end\n");
        expect_node(MAC "ip: 10.2.0.11, links: [{mac: '52:54:00:aa:00:02', ip: 10.1.0.11, default_route: true}]",
                    CARD " --vlanid=100 --bootproto=static --ip=10.2.0.11 --netmask=255.255.255.0 --nodefroute "
                         "--nameserver=10.2.0.2 --noipv6 --hostname=n\n" OTHER
                         " --mtu=9000 --bootproto=static --ip=10.1.0.11 --netmask=255.255.240.0 --gateway=10.1.0.1 "
                         "--noipv6\n",
                    "if link_of 10.1.0.11/20; then\n"
                    "    echo \"10.7.0.0/16 via 10.1.0.7 dev $link\" >>\"$directory/route-$link\"\nfi\n%end\n");
        expect_node(MAC "ip: 10.4.0.11, links: [{mac: '52:54:00:aa:00:02', dhcp: true}]",
                    CARD " --bootproto=static --ip=10.4.0.11 --netmask=255.255.255.0 --noipv6 --hostname=n\n" OTHER
                         " --bootproto=dhcp --nodefroute --noipv6\n",
                    NULL);
        expect_node(MAC "ip: 10.4.0.11, links: [{mac: '52:54:00:aa:00:02', dhcp: true, network: store}]",
                    CARD " --bootproto=static --ip=10.4.0.11 --netmask=255.255.255.0 --noipv6 --hostname=n\n" OTHER
                         " --mtu=8000 --noipv4 --noipv6\n" OTHER
                         " --vlanid=300 --mtu=8000 --bootproto=dhcp --nodefroute --noipv6\n",
                    NULL);
}

static void ipv6_is_beside_ipv4(void) {
        expect_node(MAC "ip: 10.5.0.11, ip6: 'fd00:5::11'",
                    CARD " --bootproto=static --ip=10.5.0.11 --netmask=255.255.255.0 --ipv6=fd00:5::11/64 "
                         "--ipv6gateway=fd00:5::1 --hostname=n\n",
                    "if link_of 10.5.0.11/24; then\n"
                    "    echo \"fd00:9::/48 via fd00:5::9 dev $link\" >>\"$directory/route6-$link\"\nfi\n%end\n");
        expect_node(MAC
                    "ip: 10.4.0.11, links: [{mac: '52:54:00:aa:00:02', dhcp: true, network: six, ip6: 'fd00:5::11'}]",
                    CARD " --bootproto=static --ip=10.4.0.11 --netmask=255.255.255.0 --noipv6 --hostname=n\n" OTHER
                         " --bootproto=dhcp --nodefroute --ipv6=fd00:5::11/64\n",
                    NULL);
}

// The shell of %pre finds the members of each bond under a name of its own.
static void a_further_link_may_be_a_bond(void) {
        auto_free char *path = xasprintf("%s/cluster.yaml", top);
        auto_free char *text = xasprintf("%s  - {name: n, role: r, " MAC "ip: 10.4.0.11, links: [{bond: {name: bond1, "
                                         "members: ['52:54:00:AA:00:03'], mode: active-backup}, ip: 10.3.0.11}]}\n",
                                         networks);
        auto_buf said = { 0 };
        struct cluster *cluster = NULL;
        put("cluster.yaml", text);
        EXPECT_OK(cluster_load(path, NULL, &cluster, err));
        kickstart_network_commands(cluster, &cluster->nodes[0], &said);
        EXPECT(strstr(buf_text(&said), "members1=\nfor mac in 52:54:00:aa:00:03; do\n") != NULL);
        EXPECT(strstr(buf_text(&said), "then members1=$members1${members1:+,}$found; else") != NULL);
        EXPECT(strstr(buf_text(&said), "--device=bond1 --bondslaves=$members1 --bondopts=\"mode=active-backup,") !=
               NULL);
        EXPECT(strstr(buf_text(&said), "--device=bond1 --vlanid=300 --mtu=8000 --bootproto=static --ip=10.3.0.11") !=
               NULL);
        cluster_free(cluster);
}

int main(void) {
        if (!mkdtemp(top))
                return 1;
        top_fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
        put("releases/test.yaml", release);
        put("roles/r.yaml", "description: r\npackages: [bash]\n");
        RUN(name_servers_and_mtu_are_said);
        RUN(a_tagged_address_is_on_its_vlan);
        RUN(further_addresses_have_their_links);
        RUN(a_bond_has_the_cards_that_are_there);
        RUN(further_links_are_networks_of_their_own);
        RUN(ipv6_is_beside_ipv4);
        RUN(a_further_link_may_be_a_bond);
        struct err error = { 0 };
        if (!fs_remove_tree(AT_FDCWD, top, &error))
                printf("# %s\n", error.text);
        close(top_fd);
        return test_done();
}
