// The kernel command line as kiln-node reads it.
#include "tests/unit/test.h"

#include "firmware/node/cmdline.h"

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
        char text[] = "  a=1 \"b c=d e\" f=\"g  h\" i\tj=\"k\"l  m=n\"o p\"q ";
        const char *const want[][2] = { { "a", "1" },  { "b c", "d e" }, { "f", "g  h" },
                                        { "i", NULL }, { "j", "k\"l" },  { "m", "n\"o p\"q" } };
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

static void bootif_in_both_forms(void) {
        struct mac mac;
        EXPECT(mac_parse("52:54:00:a8:02:47", &mac));
        EXPECT(parses("BOOTIF=01-52-54-00-a8-02-47") && line.has_bootif && mac_equal(&line.bootif, &mac));
        EXPECT(parses("BOOTIF=01-") && !line.has_bootif && line.note_count == 1);
        EXPECT(parses("vlan=eth0.5:eth0 ip=10.0.0.5::10.0.0.1:255.0.0.0::eth0.5:none") && line.note_count == 1);
        EXPECT(parses("BOOTIF=52:54:00:A8:02:47") && line.has_bootif && mac_equal(&line.bootif, &mac));
}

static void dracut_ip_forms(void) {
        EXPECT(parses("ip=dhcp") && line.ip_count == 1 && line.ips[0].dhcp);
        EXPECT(parses("ip=eth1:dhcp:1400") && line.ips[0].dhcp && line.ips[0].mtu == 1400);
        EXPECT_TEXT(line.ips[0].interface, "eth1");
        EXPECT(parses("ip=52:54:00:a8:02:47:dhcp") && line.ips[0].dhcp && line.ips[0].has_mac);
        EXPECT(parses("ip=192.168.2.71::192.168.2.1:255.255.255.0:master101:eth0:none"));
        EXPECT(!line.ips[0].dhcp && line.ips[0].address == 0xc0a80247 && line.ips[0].gateway == 0xc0a80201);
        EXPECT(line.ips[0].prefix == 24);
        EXPECT_TEXT(line.ips[0].hostname, "master101");
        EXPECT_TEXT(line.ips[0].interface, "eth0");
        EXPECT(parses("ip=192.168.2.71:::24::52-54-00-a8-02-47:off:9000") && line.ips[0].has_mac &&
               line.ips[0].mtu == 9000);
        EXPECT(parses("ip=192.168.2.71:::24::52:54:00:a8:02:47:none:8.8.8.8:8.8.4.4") && line.ips[0].has_mac);
        EXPECT(line.ips[0].dns_count == 2 && line.ips[0].dns[1] == 0x08080404);
        EXPECT(parses("ip=eth0:dhcp ip=10.0.0.2::10.0.0.1:8::eth1:none nameserver=10.0.0.9") && line.ip_count == 2);
        EXPECT(line.dns_count == 1);
        EXPECT(parses("ip=[2001:db8::2]::[2001:db8::1]:64:h:eth0:none ip=eth0:auto6") && line.ip_count == 0);
        EXPECT(line.note_count == 2);
        EXPECT(parses("ip=::::host:eth0:dhcp") && line.ips[0].dhcp);
        EXPECT_TEXT(line.ips[0].hostname, "host");
}

static void values_are_found_by_name(void) {
        char value[8] = "old";
        EXPECT(cmdline_value("a kiln.root=x kiln.root=y", "kiln.root", value, sizeof value));
        EXPECT_TEXT(value, "y");
        EXPECT(!cmdline_value("kiln.rootx=y", "kiln.root", value, sizeof value));
        EXPECT(!cmdline_value("kiln.root=12345678", "kiln.root", value, sizeof value));
        EXPECT_TEXT(value, "y");
}

int main(void) {
        RUN(words_are_quoted_as_the_kernel_does_it);
        RUN(an_unended_quote_runs_to_the_end);
        RUN(kiln_parameters);
        RUN(malformed_and_contradicting_values_are_refused);
        RUN(bootif_in_both_forms);
        RUN(dracut_ip_forms);
        RUN(values_are_found_by_name);
        return test_done();
}
