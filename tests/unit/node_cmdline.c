// SPDX-License-Identifier: MIT
// The kernel command line as kiln-node reads it.
#include "tests/unit/test.h"

#include "base/buf.h"
#include "firmware/node/cmdline/cmdline.h"

static struct cmdline line;

static bool parses(const char *text) {
        struct err err = { 0 };
        bool ok = cmdline_parse(text, &line, &err);
        if (!ok && err.kind != ERR_IDENTITY)
                printf("# wrong kind: %s\n", err.text);
        ok = ok && err.kind == ERR_NONE;
        err_release(&err);
        return ok;
}

static void words_are_quoted_as_the_kernel_does_it(void) {
        char text[] = "  a=1 \"b c=d e\" f=\"g  h\" i\tj=\"k\"l  m=n\"o p\"q =r =s=t\xa0u=v \"\"w x\"y=z";
        const char *const want[][2] = { { "a", "1" },    { "b c", "d e" },     { "f", "g  h" }, { "i", NULL },
                                        { "j", "k\"l" }, { "m", "n\"o p\"q" }, { "=r", NULL },  { "=s", "t" },
                                        { "u", "v" },    { "\"w", NULL },      { "x\"y", "z" } };
        char *at = text, *value, *word;
        size_t count = 0;
        while ((word = cmdline_next(&at, &value)) && count < lengthof(want)) {
                EXPECT_TEXT(word, want[count][0]);
                EXPECT((value == NULL) == (want[count][1] == NULL));
                if (value && want[count][1])
                        EXPECT_TEXT(value, want[count][1]);
                count++;
        }
        EXPECT(count == lengthof(want) && !word);
}

static void an_unended_quote_runs_to_the_end(void) {
        char text[] = "a=\"b c";
        char *at = text, *value;
        EXPECT_TEXT(cmdline_next(&at, &value), "a");
        EXPECT_TEXT(value, "b c");
        EXPECT(!cmdline_next(&at, &value));
}

static void kiln_parameters(void) {
        EXPECT(parses(
            "ro kiln.node=master101 kiln.role=master kiln.ip=192.168.2.71/24 kiln.id=255 kiln.hostname=a.b quiet"));
        EXPECT_TEXT(line.node, "master101");
        EXPECT_TEXT(line.role, "master");
        EXPECT_TEXT(line.hostname, "a.b");
        EXPECT(line.id == 255 && line.address == 0xc0a80247 && line.prefix == 24);
        EXPECT(parses("kiln.ip=10.0.0.5 kiln.nod=x"));
        EXPECT(line.prefix == -1 && line.note_count == 1);
        EXPECT(parses("kiln.node=\"master101\" kiln.node=master101"));
}

// As installers and dracut's own cases write them.
static void empty_fields_at_the_end_say_nothing(void) {
        EXPECT(parses("ip=10.0.0.4::10.0.0.1:255.255.255.0:h:eth0:none::") && line.ips[0].dns_count == 0);
        EXPECT(parses("ip=10.0.0.4::10.0.0.1:255.255.255.0:h:eth0:none:1.1.1.1:") && line.ips[0].dns_count == 1);
        EXPECT(parses("ip=10.0.0.4::10.0.0.1:255.255.255.0:h:eth0:none:1500:") && line.ips[0].mtu == 1500);
        EXPECT(parses("ip=eth0:dhcp::") && line.ips[0].dhcp && !line.ips[0].mtu);
        EXPECT(!parses("ip=eth0:dhcp::x"));
        EXPECT(parses("rd.peerdns=1") && line.note_count == 0);
        EXPECT(parses("rd.peerdns=0") && line.note_count == 1 && strstr(line.notes[0], "asked all the same"));
}

static void malformed_and_contradicting_values_are_refused(void) {
        const char *const bad[] = {
                "kiln.node=a kiln.node=b",
                "kiln.id=0",
                "kiln.id=256",
                "kiln.id=1x",
                "kiln.id=99999999999",
                "kiln.id",
                "kiln.id=1 kiln.id=2",
                "kiln.ip=1.2.3",
                "kiln.ip=1.2.3.4/33",
                "kiln.ip=1.2.3.4/",
                "kiln.ip=1.2.3.04/24",
                "kiln.ip=127.0.0.1/8",
                "kiln.ip=224.0.0.1/8",
                "kiln.ip=0.0.0.0",
                "kiln.node=-a",
                "kiln.hostname=a..b",
                "kiln.hostname=a_b",
                "BOOTIF=01-52",
                "BOOTIF=01-01-54-00-a8-02-47",
                "ip=1.2.3.4",
                "ip=eth0:foo",
                "ip=1.2.3.4::1.2.3.1:255.0.255.0:h:eth0:none",
                "nameserver=x",
                "ip=1.2.3.4::1.2.3.1:24:h:averyveryverylongname:none",
                "ip=1.2.3.4::1.2.3.1:24:h:eth0:sometimes",
        };
        for (size_t i = 0; i < lengthof(bad); i++) {
                if (parses(bad[i]))
                        printf("# accepted: %s\n", bad[i]);
                EXPECT(!parses(bad[i]));
        }
        char big[CMDLINE_MAX + 2];
        memset(big, 'a', sizeof big - 1);
        big[sizeof big - 1] = '\0';
        EXPECT(!parses(big));
}

// ---- a line and what it says, as text ----

static void show4(struct buf *text, const char *before, uint32_t address) {
        char shown[ADDRESS_TEXT_SIZE];
        address_format(address, shown);
        if (address)
                buf_printf(text, "%s%s", before, shown);
}

static void show_any(struct buf *text, const char *before, const struct address *address) {
        char shown[ADDRESS_ANY_TEXT_SIZE];
        address_format_any(address, shown);
        if (address->family)
                buf_printf(text, "%s%s", before, shown);
}

static void show_mac(struct buf *text, const char *before, const struct mac *mac) {
        char shown[MAC_TEXT_SIZE];
        mac_format(mac, shown);
        buf_printf(text, "%s%s", before, shown);
}

static void show_ip(struct buf *text, const struct cmdline_ip *ip) {
        buf_append_text(text, "ip");
        if (*ip->interface)
                buf_printf(text, " %s", ip->interface);
        if (ip->has_mac)
                show_mac(text, " ", &ip->mac);
        show4(text, " ", ip->address);
        if (ip->prefix != -1)
                buf_printf(text, "/%d", ip->prefix);
        show4(text, " via ", ip->gateway);
        show_any(text, " ", &ip->address6);
        if (ip->prefix6 != -1)
                buf_printf(text, "/%d", ip->prefix6);
        show_any(text, " via ", &ip->gateway6);
        buf_printf(text, "%s%s%s", ip->dhcp ? " dhcp" : "", ip->dhcp6 ? " dhcp6" : "", ip->auto6 ? " auto6" : "");
        if (*ip->hostname)
                buf_printf(text, " host %s", ip->hostname);
        if (ip->mtu)
                buf_printf(text, " mtu %d", ip->mtu);
        for (size_t i = 0; i < ip->dns_count; i++)
                show4(text, " dns ", ip->dns[i]);
        buf_append_text(text, "; ");
}

static void show_links(struct buf *text) {
        for (size_t i = 0; i < line.ifname_count; i++) {
                buf_printf(text, "ifname %s", line.ifnames[i].name);
                show_mac(text, " ", &line.ifnames[i].mac);
                buf_append_text(text, "; ");
        }
        for (size_t i = 0; i < line.vlan_count; i++)
                buf_printf(text, "vlan %s on %s id %d; ", line.vlans[i].name, line.vlans[i].parent, line.vlans[i].id);
        for (size_t i = 0; i < line.bond_count; i++) {
                buf_printf(text, "bond %s of", line.bonds[i].name);
                for (size_t j = 0; j < line.bonds[i].member_count; j++)
                        buf_printf(text, " %s", line.bonds[i].members[j]);
                buf_printf(text, " [%s] mtu %d; ", line.bonds[i].options, line.bonds[i].mtu);
        }
        for (size_t i = 0; i < line.unmade_count; i++)
                buf_printf(text, "unmade %s; ", line.unmade[i]);
        for (size_t i = 0; i < line.route_count; i++) {
                show_any(text, "route ", &line.routes[i].to);
                buf_printf(text, "/%d", line.routes[i].prefix);
                show_any(text, " via ", &line.routes[i].gateway);
                buf_printf(text, "%s%s; ", *line.routes[i].interface ? " on " : "", line.routes[i].interface);
        }
}

static void show(struct buf *text) {
        if (line.has_bootif)
                show_mac(text, "bootif ", &line.bootif), buf_append_text(text, "; ");
        if (*line.bootdev)
                buf_printf(text, "bootdev %s; ", line.bootdev);
        for (size_t i = 0; i < line.ip_count; i++)
                show_ip(text, &line.ips[i]);
        show_links(text);
        for (size_t i = 0; i < line.dns_count; i++)
                show4(text, "dns ", line.dns[i]), buf_append_text(text, "; ");
        for (size_t i = 0; i < line.dns6_count; i++)
                show_any(text, "dns ", &line.dns6[i]), buf_append_text(text, "; ");
        if (line.note_count)
                buf_printf(text, "%zu notes", line.note_count);
}

struct saying {
        const char *text, *want;
};

static void check_sayings(const struct saying *sayings, size_t count) {
        for (size_t i = 0; i < count; i++) {
                auto_buf text = { 0 };
                auto_err err = { 0 };
                if (!cmdline_parse(sayings[i].text, &line, &err)) {
                        printf("# %s: %s\n", sayings[i].text, err.text);
                        EXPECT(!"refused");
                        continue;
                }
                show(&text);
                if (strcmp(buf_text(&text), sayings[i].want) != 0)
                        printf("# %s\n", sayings[i].text);
                EXPECT_TEXT(buf_text(&text), sayings[i].want);
        }
}

#define V6 "2001:db8:17::"

static const struct saying ip_forms[] = {
        { "ip=dhcp", "ip dhcp; " },
        { "ip=on", "ip dhcp; " },
        { "ip=any", "ip dhcp; " },
        { "ip=both", "ip dhcp; " },
        { "ip=single-dhcp", "ip dhcp; " },
        { "ip=dhcp6", "ip dhcp6; " },
        { "ip=auto6", "ip auto6; " },
        { "ip=either6", "ip dhcp6 auto6; " },
        { "ip=auto", "ip dhcp auto6; " },
        { "ip=link6", "" },
        { "ip=link-local", "1 notes" },
        { "ip=none", "" },
        { "ip=off", "" },
        { "ip=", "" },
        { "ip", "" },
        { "ip=ibft", "1 notes" },
        { "ip=dhcp,dhcp6", "ip dhcp dhcp6; " },
        { "ip=dhcp ip=dhcp", "ip dhcp; ip dhcp; " },
        { "ip6=dhcp", "1 notes" },
        // CARD:METHOD[:[MTU][:MAC]]
        { "ip=eth7:dhcp", "ip eth7 dhcp; " },
        { "ip=eth7:dhcp:1420", "ip eth7 dhcp mtu 1420; " },
        { "ip=eth7:any:1420:02:00:00:00:00:0a", "ip eth7 dhcp mtu 1420; 1 notes" },
        { "ip=eth7:on::02:00:00:00:00:0a", "ip eth7 dhcp; 1 notes" },
        { "ip=enp0s31f6:dhcp6", "ip enp0s31f6 dhcp6; " },
        { "ip=eth7:auto6:2000:02:00:00:00:00:0a", "ip eth7 auto6 mtu 2000; 1 notes" },
        { "ip=eth7:link6", "ip eth7; " },
        { "ip=eth7:link-local", "ip eth7; 1 notes" },
        { "ip=eth7:off", "ip eth7; " },
        { "ip=eth7:dhcp,dhcp6:1666", "ip eth7 dhcp dhcp6 mtu 1666; " },
        { "ip=:dhcp6,dhcp:1499", "ip dhcp dhcp6 mtu 1499; " },
        { "ip=eth7:dhcp:10.0.0.53", "ip eth7 dhcp dns 10.0.0.53; " },
        { "ip=02:00:00:00:00:0a:dhcp", "ip 02:00:00:00:00:0a dhcp; " },
        { "ip=02-00-00-00-00-0A:dhcp", "ip 02:00:00:00:00:0a dhcp; " },
        { "ip=eth0.12:dhcp vlan=eth0.12:eth0", "ip eth0.12 dhcp; vlan eth0.12 on eth0 id 12; " },
        // the long form
        { "ip=10.1.2.3::10.1.2.1:255.255.255.0:box7:eth0:none", "ip eth0 10.1.2.3/24 via 10.1.2.1 host box7; " },
        { "ip=10.1.2.3::10.1.2.1:20:box7.example:eth0:off", "ip eth0 10.1.2.3/20 via 10.1.2.1 host box7.example; " },
        { "ip=10.1.2.3::10.1.2.1:20:box7:eth0", "ip eth0 10.1.2.3/20 via 10.1.2.1 host box7; " },
        { "ip=10.1.2.3::10.1.2.1:20:box7", "ip 10.1.2.3/20 via 10.1.2.1 host box7; " },
        { "ip=10.1.2.3:10.1.2.9:10.1.2.1:255.255.240.0", "ip 10.1.2.3/20 via 10.1.2.1; " },
        { "ip=10.1.2.3:10.1.2.9/32:10.1.2.1:20:box7:eth0:none", "ip eth0 10.1.2.3/20 via 10.1.2.1 host box7; " },
        { "ip=10.1.2.3:0.0.0.0:0.0.0.0:255.255.240.0", "ip 10.1.2.3/20; " },
        { "ip=10.1.2.3/20:::::eth0:none", "ip eth0 10.1.2.3/20; " },
        { "ip=10.1.2.3/20:::255.255.240.0::eth0:none", "ip eth0 10.1.2.3/20; " },
        { "ip=10.1.2.3:::::eth0:none", "ip eth0 10.1.2.3; " },
        { "ip=10.1.2.3:::32::eth0:none", "ip eth0 10.1.2.3/32; " },
        { "ip=10.1.2.3::10.1.2.1:20::eth0:on", "ip eth0 10.1.2.3/20 via 10.1.2.1; 1 notes" },
        { "ip=10.1.2.3::10.1.2.1:20::eth0:dhcp,dhcp6", "ip eth0 10.1.2.3/20 via 10.1.2.1 dhcp6; 1 notes" },
        { "ip=10.1.2.3:::20::eth0:ibft", "ip eth0 10.1.2.3/20; 1 notes" },
        { "ip=10.1.2.3:::20::eth0:none:1400", "ip eth0 10.1.2.3/20 mtu 1400; " },
        { "ip=10.1.2.3:::20::eth0:none:", "ip eth0 10.1.2.3/20; " },
        { "ip=10.1.2.3:::20::eth0:none:1400:02:00:00:00:00:0a", "ip eth0 10.1.2.3/20 mtu 1400; 1 notes" },
        { "ip=10.1.2.3:::20::eth0:none::02:00:00:00:00:0a", "ip eth0 10.1.2.3/20; 1 notes" },
        { "ip=10.1.2.3:::20::eth0:none:10.0.0.53", "ip eth0 10.1.2.3/20 dns 10.0.0.53; " },
        { "ip=10.1.2.3:::20::eth0:none:10.0.0.53:10.0.0.54", "ip eth0 10.1.2.3/20 dns 10.0.0.53 dns 10.0.0.54; " },
        { "ip=10.1.2.3:::20::eth0:none:10.0.0.53:10.0.0.54:10.0.0.55",
          "ip eth0 10.1.2.3/20 dns 10.0.0.53 dns 10.0.0.54; 1 notes" },
        { "ip=10.1.2.3:::20::eth0:none:10.0.0.53:[" V6 "53]", "ip eth0 10.1.2.3/20 dns 10.0.0.53; dns " V6 "53; " },
        { "ip=10.1.2.3:::20::02:00:00:00:00:0a:none:10.0.0.53", "ip 02:00:00:00:00:0a 10.1.2.3/20 dns 10.0.0.53; " },
        { "ip=10.1.2.3:::20::02-00-00-00-00-0a:none:1400", "ip 02:00:00:00:00:0a 10.1.2.3/20 mtu 1400; " },
        { "ip=:::::eth0:dhcp", "ip eth0 dhcp; " },
        { "ip=:::::eth0:dhcp6:1400", "ip eth0 dhcp6 mtu 1400; " },
        { "ip=:::::eth0:dhcp6:10.0.0.53:[" V6 "53]", "ip eth0 dhcp6 dns 10.0.0.53; dns " V6 "53; " },
        { "ip=::::box7::dhcp,dhcp6", "ip dhcp dhcp6 host box7; " },
        { "ip=::::box7:eth0", "ip eth0 dhcp host box7; " },
        { "ip=::::::any", "ip dhcp; " },
        { "ip=::::::ibft", "1 notes" },
        { "ip=::::::dhcp:1499", "ip dhcp mtu 1499; " },
        { "ip=:::::eth0:none", "ip eth0; " },
        // pxelinux's and the kernel's: all but the address, which DHCP gives
        { "ip=::192.168.2.1:::eth0:dhcp", "ip eth0 dhcp; 1 notes" },
        { "ip=:192.168.2.2:192.168.2.1:255.255.255.0:h:eth0:dhcp", "ip eth0 dhcp host h; 1 notes" },
        { "ip=0.0.0.0:192.168.2.2:0.0.0.0:255.255.255.0:h:eth0:any", "ip eth0 dhcp host h; 1 notes" },
        { "ip=:::24::eth0:on:1400", "ip eth0 dhcp mtu 1400; 1 notes" },
        { "ip=::10.0.0.1::h:eth0", "ip eth0 dhcp host h; 1 notes" },
        { "ip=::[fe80::1]:64::eth0:auto6", "ip eth0 auto6; 1 notes" },
        { "ip=0.0.0.0:0.0.0.0:0.0.0.0:::eth0:dhcp", "ip eth0 dhcp; " },
        // IPv6
        { "ip=[" V6 "2]::[" V6 "1]:64:box7:eth0:none", "ip eth0 " V6 "2/64 via " V6 "1 host box7; " },
        { "ip=[2001:DB8:17:0::2]::[fe80::1]:64::eth0:none", "ip eth0 " V6 "2/64 via fe80::1; " },
        { "ip=[" V6 "2]:[" V6 "9]::128::eth0:off", "ip eth0 " V6 "2/128; " },
        { "ip=[" V6 "2/56]:::::eth0:off:1400", "ip eth0 " V6 "2/56 mtu 1400; " },
        { "ip=[" V6 "2]:::64::eth0:dhcp:[" V6 "53]:[" V6 "54]",
          "ip eth0 " V6 "2/64 dhcp; dns " V6 "53; dns " V6 "54; " },
        { "ip=[" V6 "2]:::64::eth0:off::02:00:00:00:00:0a", "ip eth0 " V6 "2/64; 1 notes" },
        // several
        { "ip=eth0:dhcp ip=10.0.0.2::10.0.0.1:8::eth1:none nameserver=10.0.0.9",
          "ip eth0 dhcp; ip eth1 10.0.0.2/8 via 10.0.0.1; dns 10.0.0.9; " },
        { "ip=10.0.0.2:::8::eth1:none ip=10.0.0.3:::8::eth1:none ip=[" V6 "2]:::64::eth1:none",
          "ip eth1 10.0.0.2/8; ip eth1 10.0.0.3/8; ip eth1 " V6 "2/64; " },
        { "kiln.ip=10.0.0.3/8 ip=10.0.0.2:::8::eth1:none ip=10.0.0.3:::8::eth1:none",
          "ip eth1 10.0.0.2/8; ip eth1 10.0.0.3/8; " },
};

static void every_form_of_ip(void) { check_sayings(ip_forms, lengthof(ip_forms)); }

static const struct saying other_words[] = {
        { "BOOTIF=01-52-54-00-a8-02-47", "bootif 52:54:00:a8:02:47; " },
        { "BOOTIF=01:52:54:00:A8:02:47", "bootif 52:54:00:a8:02:47; " },
        { "BOOTIF=52:54:00:A8:02:47", "bootif 52:54:00:a8:02:47; " },
        { "BOOTIF=01-52-54-00-a8-02-47 BOOTIF=52:54:00:a8:02:47", "bootif 52:54:00:a8:02:47; " },
        { "BOOTIF=01-52-54-00-a8-02-47 rd.bootif=0", "" },
        { "BOOTIF=01-", "1 notes" },
        { "BOOTIF=", "1 notes" },
        { "bootdev=eth1", "bootdev eth1; " },
        { "nameserver=10.0.0.53 nameserver=10.0.0.53 nameserver=10.0.0.54", "dns 10.0.0.53; dns 10.0.0.54; " },
        { "nameserver=[" V6 "53] nameserver=" V6 "53 nameserver=" V6 "54", "dns " V6 "53; dns " V6 "54; " },
        { "nameserver=1.0.0.1 nameserver=1.0.0.2 nameserver=1.0.0.3 nameserver=1.0.0.4 nameserver=1.0.0.5",
          "dns 1.0.0.1; dns 1.0.0.2; dns 1.0.0.3; dns 1.0.0.4; 1 notes" },
        { "ifname=bootnet:02:00:00:00:00:0A", "ifname bootnet 02:00:00:00:00:0a; " },
        { "ifname=a:02-00-00-00-00-0a ifname=a:02:00:00:00:00:0a", "ifname a 02:00:00:00:00:0a; " },
        { "ip=lan0:dhcp ifname=lan0:02:00:00:00:00:0a", "ip lan0 dhcp; ifname lan0 02:00:00:00:00:0a; " },
        { "vlan=vlan0005:eth0", "vlan vlan0005 on eth0 id 5; " },
        { "vlan=vlan5:eth0", "vlan vlan5 on eth0 id 5; " },
        { "vlan=eth0.0005:eth0", "vlan eth0.0005 on eth0 id 5; " },
        { "vlan=eth0.5:eth0", "vlan eth0.5 on eth0 id 5; " },
        { "vlan=vlan0013:eth0", "vlan vlan0013 on eth0 id 13; " },
        { "vlan=vlan4094:eth0 vlan=vlan1:eth0", "vlan vlan4094 on eth0 id 4094; vlan vlan1 on eth0 id 1; " },
        { "vlan=vlan7:eth0 vlan=vlan7:eth0", "vlan vlan7 on eth0 id 7; " },
        { "vlan=bond0.7:bond0 bond=bond0:eth0,eth1:mode=802.3ad,miimon=100:9000",
          "vlan bond0.7 on bond0 id 7; bond bond0 of eth0 eth1 [mode=802.3ad,miimon=100] mtu 9000; " },
        { "bond", "bond bond0 of eth0 eth1 [] mtu 0; " },
        { "bond=", "bond bond0 of eth0 eth1 [] mtu 0; " },
        { "bond=bond7", "bond bond7 of eth0 eth1 [] mtu 0; " },
        { "bond=:eth2,eth3", "bond bond0 of eth2 eth3 [] mtu 0; " },
        { "bond=b:p1p1,p1p2", "bond b of p1p1 p1p2 [] mtu 0; " },
        { "bond=b:p1p1,p1p2::1530", "bond b of p1p1 p1p2 [] mtu 1530; " },
        { "bond=b:", "bond b of [] mtu 0; 1 notes" },
        { "bond=b:p1p1:mode=1,arp_interval=1000,arp_ip_target=10.0.0.1;10.0.0.2",
          "bond b of p1p1 [mode=1,arp_interval=1000,arp_ip_target=10.0.0.1;10.0.0.2] mtu 0; " },
        { "bond=b:p1p1,p1p2 bond=b:p1p1,p1p2", "bond b of p1p1 p1p2 [] mtu 0; " },
        { "rd.route=10.9.0.0/16:10.0.0.7 rd.route=10.9.1.0/16:10.0.0.7", "route 10.9.0.0/16 via 10.0.0.7; " },
        { "bridge=br7:eth0,eth1 ip=eth0:dhcp", "ip eth0 dhcp; unmade br7; 1 notes" },
        { "bridge=br7:,,,", "unmade br7; 1 notes" },
        { "team=team7:eth0,eth1:lacp", "unmade team7; 1 notes" },
        { "rd.route=10.9.0.0/16:10.0.0.7", "route 10.9.0.0/16 via 10.0.0.7; " },
        { "rd.route=10.9.8.7/16:10.0.0.7:eth0", "route 10.9.0.0/16 via 10.0.0.7 on eth0; " },
        { "rd.route=10.9.0.0/255.255.0.0::eth0", "route 10.9.0.0/16 on eth0; " },
        { "rd.route=0.0.0.0/0:10.0.0.7", "route 0.0.0.0/0 via 10.0.0.7; " },
        { "rd.route=10.9.0.1:10.0.0.7", "route 10.9.0.1/32 via 10.0.0.7; " },
        { "rd.route=[2001:db8:3::/40]:[" V6 "1]:eth0", "route 2001:db8::/40 via " V6 "1 on eth0; " },
        { "rd.route=[2001:db8:3::]/48:[" V6 "1]", "route 2001:db8:3::/48 via " V6 "1; " },
        { "rd.neednet=1 rd.net.timeout.dhcp=9 net.ifnames=0 quiet console=ttyS0,115200n8", "" },
        { "=ip=dhcp ro", "" },
        { "bootdev=eth1 -- ip=dhcp kiln.id=0 bootdev=eth0", "bootdev eth1; " }, // what follows is init's
        { "\"--\" ip=dhcp", "" },
        { "--x --=y bootdev=eth1", "bootdev eth1; " },
};

static void every_other_word(void) { check_sayings(other_words, lengthof(other_words)); }

static const struct saying refusals[] = {
        { "ip=eth0", "forms" },
        { "ip=1.2.3.4", "forms" },
        { "ip=1.2.3.4::1.2.3.1", "forms" },
        { "ip=::::::", "forms" },
        { "ip=:::::::", "forms" },
        { "ip=:::::::eth0", "forms" },
        { "ip=dhcp,none", "forms" },
        { "ip=dhcp,", "forms" },
        { "ip=eth0:sometimes", "forms" },
        { "ip=sometimes", "forms" },
        { "ip=eth0:dhcp:67", "forms" },
        { "ip=eth0:dhcp:65536", "forms" },
        { "ip=eth0:dhcp:4294967296", "forms" },
        { "ip=eth0:dhcp:-1", "forms" },
        { "ip=eth0:dhcp:1400:52:54:00", "forms" },
        { "ip=10.0.0:::24::eth0:none", "forms" },
        { "ip=10.0.0.1:::255.255.255::eth0:none", "its mask must be" },
        { "ip=10.0.0.1:::255.0.255.0::eth0:none", "its mask must be" },
        { "ip=10.0.0.1:::0::eth0:none", "its mask must be" },
        { "ip=10.0.0.1:::33::eth0:none", "its mask must be" },
        { "ip=10.0.0.1/:::::eth0:none", "forms" },
        { "ip=10.0.0.1/16:::24::eth0:none", "forms" },
        { "ip=127.0.0.1:::8::eth0:none", "forms" },
        { "ip=239.0.0.1:::8::eth0:none", "forms" },
        { "ip=10.0.0.1::x:24::eth0:none", "its gateway must be" },
        { "ip=10.0.0.1:x::24::eth0:none", "forms" },
        { "ip=10.0.0.1::[2001:db8::1]:24::eth0:none", "forms" },
        { "ip=::10.0.0.1:24::eth0:none", "forms" },
        { "ip=::10.0.0.1:24", "forms" },
        { "ip=::10.0.0.1:24::eth0:ibft", "forms" },
        { "ip=::10.0.0.1:33::eth0:dhcp", "forms" },
        { "ip=::10.0.0.1:x::eth0:dhcp", "its mask must be" },
        { "ip=::x:24::eth0:dhcp", "its gateway must be" },
        { "ip=::239.0.0.1:24::eth0:dhcp", "forms" },
        { "ip=/24::10.0.0.1:::eth0:dhcp", "forms" },
        { "ip=10.0.0.1:::24:under_score:eth0:none", "its host name must be" },
        { "ip=10.0.0.1:::24:-h:eth0:none", "its host name must be" },
        { "ip=10.0.0.1:::24::a-name-of-16-byt:none", "forms" },
        { "ip=10.0.0.1:::24::et/h0:none", "forms" },
        { "\"ip=10.0.0.1:::24::et$h0:none\"", "forms" },
        { "ip=10.0.0.1:::24::eth0:none:10.0.0.53:x", "forms" },
        { "ip=10.0.0.1:::24::eth0:none:1.0.0.1:1.0.0.2:1.0.0.3:1.0.0.4", "forms" },
        { "ip=2001:db8::2::[2001:db8::1]:64::eth0:none", "forms" },
        { "ip=[2001:db8::2::]:::64::eth0:none", "forms" },
        { "ip=[2001:db8::2]:::129::eth0:none", "its mask must be" },
        { "ip=[2001:db8::2]:::ffff::::eth0:none", "its mask must be" },
        { "ip=[2001:db8::2]::10.0.0.1:64::eth0:none", "forms" },
        { "ip=[2001:db8::2", "forms" },
        { "ip=10.0.0.2:::8::eth1:none ip=10.0.0.2:::9::eth1:none", "two ip= give 10.0.0.2" },
        { "ip=10.0.0.2:::8::eth1:none ip=10.0.0.2:::8::eth2:none", "two ip= give 10.0.0.2" },
        { "ip=10.0.0.2::10.0.0.1:8::eth1:none ip=10.0.0.2::10.0.0.3:8::eth1:none", "two ip= give 10.0.0.2" },
        { "ip=10.0.0.2:::8:a:eth1:none ip=10.0.0.3:::8:b:eth1:none", "host names a and b" },
        { "ip=[2001:db8::2]:::64::eth1:none ip=[2001:db8::2]:::56::eth1:none", "two ip= give 2001:db8::2" },
        { "ip=eth0:dhcp:1400 ip=eth0:auto6:1500", "MTU" },
        { "kiln.ip=10.0.0.3/8 ip=10.0.0.2:::8::eth1:none", "kiln.ip=10.0.0.3, but ip= gives 10.0.0.2" },
        { "kiln.ip=10.0.0.2/8 ip=10.0.0.2:::9::eth1:none", "prefix 9" },
        { "BOOTIF=01-52", "Ethernet" },
        { "BOOTIF=01-52-54-00-00-00-01 BOOTIF=01-52-54-00-00-00-02", "contradicts itself" },
        { "bootdev=eth0 bootdev=eth1", "contradicts itself" },
        { "nameserver=x", "an address" },
        { "nameserver=", "an address" },
        { "nameserver=[10.0.0.1", "an address" },
        { "nameserver=fe80::1%eth0", "an address" },
        { "ifname=lan0", "NAME:MAC" },
        { "ifname=lan0:01:00:5e:00:00:01", "NAME:MAC" },
        { "ifname=a-name-of-16-byt:02:00:00:00:00:0a", "NAME:MAC" },
        { "ifname=a:02:00:00:00:00:0a ifname=a:02:00:00:00:00:0b", "contradicts itself" },
        { "ifname=a:02:00:00:00:00:0a ifname=b:02:00:00:00:00:0a", "contradicts itself" },
        { "vlan=", "vlan= on" },
        { "vlan=vlan5", "1 to 4094" },
        { "vlan=vlan0:eth0", "1 to 4094" },
        { "vlan=vlan4095:eth0", "1 to 4094" },
        { "vlan=vlan99999999999:eth0", "1 to 4094" },
        { "vlan=storage:eth0", "1 to 4094" },
        { "vlan=5:eth0", "1 to 4094" },
        { "vlan=vlan5:eth0:eth1", "1 to 4094" },
        { "vlan=vlan5:eth0 vlan=vlan5:eth1", "contradicts itself" },
        { "vlan=vlan5:eth0 vlan=eth0.5:eth0", "contradicts itself" },
        { "vlan=a1:b1 vlan=b1:a1", "stands on itself" },
        { "bond=b:eth0,eth0", "bond=" },
        { "bond=b:eth0,eth1:mode", "bond=" },
        { "bond=b:eth0,eth1:mode=$(x)", "bond=" },
        { "bond=b:eth0,eth1::x", "bond=" },
        { "bond=b:eth0:mode=1:1500:more", "bond=" },
        { "bond=b:eth0,eth1 bond=b:eth2", "contradicts itself" },
        { "bond=b:eth0,eth1 bond=c:eth1,eth2", "eth1 is in b and in c" },
        { "bond=b:eth0,eth1 ip=eth0:dhcp", "eth0, which is in b" },
        { "bond=b5:eth0,eth1 vlan=b5:eth3", "a bond and a VLAN" },
        { "bond=b:c bond=c:eth0", "no card" },
        { "bond=b:eth0 ifname=b:02:00:00:00:00:0a", "ifname=" },
        { "bridge=br7:eth0 ip=br7:dhcp", "kiln makes none" },
        { "bridge ip=br0:dhcp", "kiln makes none" },
        { "team=t:eth0 vlan=t.5:t", "kiln makes none" },
        { "ip=10.0.0.5::10.0.0.1:255.0.255.0::eth0:none", "its mask must be" },
        { "ip=10.0.0.5::10.0.0.1:33::eth0:none", "its mask must be" },
        { "ip=10.0.0.5::10.0.0:24::eth0:none", "its gateway must be" },
        { "ip=10.0.0.5::10.0.0.1:24:-n-:eth0:none", "its host name must be" },
        { "ip=10.0.0.5", "one of dracut's forms" },
        { "rd.route=10.0.0.0/8", "NET/PREFIX" },
        { "rd.route=10.0.0.0/33:1.2.3.4", "NET/PREFIX" },
        { "rd.route=10.0.0.0/8:[2001:db8::1]", "NET/PREFIX" },
        { "rd.route=:1.2.3.4", "NET/PREFIX" },
        { "rd.route=[2001:db8::/32:1.2.3.4", "NET/PREFIX" },
        { "rd.route=10.0.0.0/8:1.2.3.4 rd.route=10.0.0.0/8:1.2.3.5", "the only gateway" },
        { "kiln.ip=10.0.0.1/8 kiln.ip=10.0.0.1/9", "contradicts itself" },
        { "kiln.role=a kiln.role=b", "kiln.role=a and kiln.role=b" },
        { "kiln.config= ", "a label" },
        { "kiln.config=A kiln.config=B", "contradicts itself" },
};

static void what_is_wrong_is_refused_and_named(void) {
        for (size_t i = 0; i < lengthof(refusals); i++) {
                auto_err err = { 0 };
                bool refused = !cmdline_parse(refusals[i].text, &line, &err) && err.kind == ERR_IDENTITY &&
                               strstr(err.text, refusals[i].want);
                if (!refused)
                        printf("# %s: %s\n", refusals[i].text, err.text ? err.text : "accepted");
                EXPECT(refused);
        }
        char many[CMDLINE_MAX] = "";
        for (int i = 0; i <= CMDLINE_IP_MAX; i++)
                sprintf(many + strlen(many), "ip=eth%d:dhcp ", i);
        EXPECT(!parses(many));
}

// ---- kiln.conf ----

static const struct saying drives[] = {
        { "kiln.node=master101\n", NULL },
        { "# a comment\n\n  kiln.node=master101 kiln.id=7 # and another \"\r\n\tip=eth0:dhcp\r\n", NULL },
        { "\xef\xbb\xbfkiln.node=master101", NULL },
        { "", NULL },
        { "kiln.hostname=a\nkiln.hostname=b\n", "line 2 of kiln.conf on /dev/sdx contradicts itself" },
        { "\nkiln.nod=x", "line 2 of kiln.conf on /dev/sdx: \"kiln.nod\" is no parameter of kiln" },
        { "quiet", "line 1 of kiln.conf on /dev/sdx: \"quiet\" is no parameter" },
        { "kiln.config=OTHER", "has no effect on a config drive" },
        { "BOOTIF=01-52-54-00-a8-02-47", "has no effect on a config drive" },
        { "kiln.id=0", "kiln.id=0 on line 1 of kiln.conf on /dev/sdx is not" },
        { "ip=eth0:dhcp:1", "ip=eth0:dhcp:1 on line 1 of" },
        { "kiln.role=slave", "kiln.role=master on the kernel command line, but kiln.role=slave on line 1" },
        { "ip=10.0.0.9:::9::eth1:none", "two ip= give 10.0.0.9" },
};

static void the_drive_speaks_like_the_line(void) {
        for (size_t i = 0; i < lengthof(drives); i++) {
                auto_err err = { 0 };
                EXPECT(cmdline_parse("kiln.role=master ip=10.0.0.9:::8::eth1:none", &line, &err));
                bool ok = cmdline_parse_drive(drives[i].text, "/dev/sdx", &line, &err);
                bool right = drives[i].want ? !ok && strstr(err.text, drives[i].want) : ok;
                if (!right)
                        printf("# %s: %s\n", drives[i].text, err.text ? err.text : "accepted");
                EXPECT(right);
        }
        EXPECT(parses("ip=10.0.0.9:::8::eth1:none"));
        auto_err err = { 0 };
        EXPECT(cmdline_parse_drive(drives[1].text, "/dev/sdx", &line, &err) && line.id == 7 && line.ip_count == 2);
        EXPECT(line.node_from == FROM_CONFIG_DRIVE && line.ips[0].from == FROM_COMMAND_LINE &&
               line.ips[1].from == FROM_CONFIG_DRIVE);
}

static void values_are_found_by_name(void) {
        char value[8] = "old";
        EXPECT(cmdline_value("a kiln.root=x kiln.root=y", "kiln.root", value, sizeof value));
        EXPECT_TEXT(value, "y");
        EXPECT(cmdline_value("kiln.root=z -- kiln.root=x", "kiln.root", value, sizeof value));
        EXPECT_TEXT(value, "z");
        EXPECT(cmdline_value("kiln.root=y", "kiln.root", value, sizeof value));
        EXPECT(!cmdline_value("kiln.rootx=y", "kiln.root", value, sizeof value));
        EXPECT(!cmdline_value("kiln.root=12345678", "kiln.root", value, sizeof value));
        EXPECT_TEXT(value, "y");
}

// An older build is the config drive's to allow, not the network's.
static void only_a_drive_allows_older_builds(void) {
        auto_err refusal = { 0 };
        struct facts facts = { .command_line = "kiln.allow_older kiln.node=a kiln.node=b" };
        EXPECT(parses("kiln.allow_older") && !line.allow_older && line.note_count == 1);
        EXPECT(parses("kiln.allow_older=1") && !line.allow_older);
        EXPECT_OK(cmdline_read_drive(&facts, &line, err));
        EXPECT(!line.allow_older);
        facts.config_drive = "# back for a day\nkiln.allow_older # please\n"; // whatever the command line is worth
        EXPECT_OK(cmdline_read_drive(&facts, &line, err));
        EXPECT(line.allow_older);
        facts.config_drive = "kiln.allow_older=1\n";
        EXPECT_OK(cmdline_read_drive(&facts, &line, err));
        EXPECT(line.allow_older);
        facts.config_drive = "#kiln.allow_older\nkiln.id=1\n";
        EXPECT_OK(cmdline_read_drive(&facts, &line, err));
        EXPECT(!line.allow_older);
        facts.config_drive = "kiln.allow_older=0\n";
        EXPECT(!cmdline_read_drive(&facts, &line, &refusal) && refusal.kind == ERR_IDENTITY &&
               strstr(refusal.text, "line 1"));
        facts.config_problem = "two drives differ";
        EXPECT(!cmdline_read_drive(&facts, &line, &refusal) && strcmp(refusal.text, "two drives differ") == 0);
}

static void no_config_drive_where_none_is_wanted(void) {
        auto_err err = { 0 };
        struct facts facts = { .command_line = "kiln.node=a", .config_drive = "kiln.id=7\n" };
        EXPECT(cmdline_read(&facts, &line, &err) && line.id == 7);
        facts.command_line = "kiln.node=a kiln.config=none";
        EXPECT(cmdline_read(&facts, &line, &err) && line.id == 0);
        EXPECT_TEXT(line.node, "a");
        facts.config_drive = "no parameter";
        EXPECT(cmdline_read(&facts, &line, &err));
        facts.command_line = "kiln.node=a kiln.config=none kiln.id=0";
        EXPECT(!cmdline_read(&facts, &line, &err));
}

int main(void) {
        RUN(words_are_quoted_as_the_kernel_does_it);
        RUN(an_unended_quote_runs_to_the_end);
        RUN(kiln_parameters);
        RUN(empty_fields_at_the_end_say_nothing);
        RUN(malformed_and_contradicting_values_are_refused);
        RUN(every_form_of_ip);
        RUN(every_other_word);
        RUN(what_is_wrong_is_refused_and_named);
        RUN(the_drive_speaks_like_the_line);
        RUN(values_are_found_by_name);
        RUN(only_a_drive_allows_older_builds);
        RUN(no_config_drive_where_none_is_wanted);
        return test_done();
}
