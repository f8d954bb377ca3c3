// SPDX-License-Identifier: MIT
// Who a machine is: each source, what they may not contradict, and whose word is not enough.
#include "base/run.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "firmware/node/facts/hardware.h"
#include "firmware/node/facts/udev.h"
#include "firmware/node/machine/facts_json.h"
#include "shared/smbios.h"
#include "tests/unit/node.h"

// Three members of an ensemble, known by MAC, by SMBIOS, and by name alone; two slaves.
#define JSON(ensemble, strangers)                                                                                      \
        "{\"format\":1,\"cluster\":\"c\",\"role\":\"master\",\"network_writer\":\"ifcfg\",\"ensemble\":" ensemble      \
        ",\"strangers\":" strangers ",\"networks\":[{\"name\":\"lan\",\"subnet\":\"10.0.0.0/24\",\"gateway\":"         \
        "\"10.0.0.1\"},{\"name\":\"store\",\"subnet\":\"10.9.0.0/24\"}],\"nodes\":["                                   \
        "{\"name\":\"m1\",\"role\":\"master\",\"mac\":\"02:00:00:00:00:01\",\"ip\":\"10.0.0.11\",\"id\":1,"            \
        "\"network\":\"lan\",\"addresses\":[\"10.9.0.11\"]},"                                                          \
        "{\"name\":\"m2\",\"role\":\"master\",\"ip\":\"10.0.0.12\",\"id\":2,\"network\":\"lan\","                      \
        "\"serial\":\"CZJ-1234\",\"uuid\":\"00112233-4455-6677-8899-0123456789ab\",\"asset_tag\":\"rack 7\"},"         \
        "{\"name\":\"m3\",\"role\":\"master\",\"ip\":\"10.0.0.13\",\"id\":3,\"network\":\"lan\"},"                     \
        "{\"name\":\"s1\",\"role\":\"slave\",\"mac\":\"02:00:00:00:00:51\",\"ip\":\"10.0.0.21\",\"id\":0,"             \
        "\"network\":\"lan\"}],\"vips\":[{\"name\":\"web\",\"ip\":\"10.0.0.90\"}],\"dhcp_timeout_ms\":1000}"

#define MASTER JSON("true", "false")
#define OPEN JSON("false", "true")
#define MAC1 "02:00:00:00:00:01"
#define MAC_OTHER "02:00:00:00:00:99"
#define MAC_SECOND "02:00:00:00:00:98"

static struct trial trial;

static void start(const char *json, const char *command_line, const char *mac) {
        trial_begin(&trial, json, command_line, mac);
}
static bool is(const char *hostname, const char *source) { return trial_becomes(&trial, hostname, source); }
static bool noted(const char *part) { return trial_noted(&trial, part); }
static bool refused(const char *part) { return trial_plan(&trial) && trial_refused(&trial, part); }

static void set_smbios(const char *serial, const char *uuid, const char *asset_tag) {
        snprintf(trial.facts.serial, sizeof trial.facts.serial, "%s", serial);
        snprintf(trial.facts.uuid, sizeof trial.facts.uuid, "%s", uuid);
        snprintf(trial.facts.asset_tag, sizeof trial.facts.asset_tag, "%s", asset_tag);
}

static void smbios_names_a_node(void) {
        start(MASTER, "", MAC_OTHER);
        set_smbios("CZJ-1234", "", "");
        EXPECT(is("m2", "smbios serial") && trial.plan.note_count == 1);
        set_smbios(" czj-1234 ", "00112233-4455-6677-8899-0123456789AB", "Rack 7");
        EXPECT(is("m2", "smbios serial") && trial.plan.note_count == 0);
        set_smbios("", "00112233-4455-6677-8899-0123456789AB", "");
        EXPECT(is("m2", "smbios uuid"));
        set_smbios("", "33221100-5544-7766-8899-0123456789ab", ""); // as SMBIOS before 2.6 could have it
        EXPECT(is("m2", "smbios uuid"));
        set_smbios("", "33221100-4455-6677-8899-0123456789ab", "");
        EXPECT(refused("no node of cluster"));
        set_smbios("", "", "rack 7");
        EXPECT(is("m2", "smbios asset tag"));
        EXPECT_TEXT(trial_source(&trial, "ip"), "smbios asset tag");
}

static void smbios_must_not_contradict(void) {
        start(MASTER, "", MAC1);
        set_smbios("CZJ-1234", "", "");
        EXPECT(refused("MAC 02:00:00:00:00:01 is m1 (mac table), but serial number CZJ-1234 is m2 (smbios serial)"));
        start(MASTER, "kiln.node=m3", MAC_OTHER);
        set_smbios("", "", "rack 7");
        EXPECT(refused("kiln.node=m3 is m3 (command line), but asset tag rack 7 is m2"));
}

static void what_boards_come_with_names_nobody(void) {
        static const char *const texts[] = { "",
                                             " ",
                                             "To Be Filled By O.E.M.",
                                             "Default string",
                                             "Not Specified",
                                             "0123456789",
                                             "00000000",
                                             "1234567890",
                                             "XXXXXXXXXX",
                                             ".",
                                             "None ",
                                             "  n/a",
                                             "SERIAL",
                                             "System Serial Number",
                                             "123456789012345" };
        static const char *const real[] = { "CZJ-1234", "1234567891", "VMware-42 1f", "0000000001", "GB9876543210" };
        for (size_t i = 0; i < lengthof(texts); i++)
                EXPECT(smbios_text_is_placeholder(texts[i]));
        for (size_t i = 0; i < lengthof(real); i++)
                EXPECT(!smbios_text_is_placeholder(real[i]));
        static const char *const uuids[] = { "00000000-0000-0000-0000-000000000000",
                                             "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
                                             "03000200-0400-0500-0006-000700080009",
                                             "00020003-0004-0005-0006-000700080009" };
        uint8_t uuid[16];
        for (size_t i = 0; i < lengthof(uuids); i++)
                EXPECT(smbios_uuid_parse(uuids[i], uuid) && smbios_uuid_is_placeholder(uuid));
        EXPECT(smbios_uuid_parse("4C4C4544-0051-3010-8052-B4C04F4E4B31", uuid) && !smbios_uuid_is_placeholder(uuid));
        EXPECT(!smbios_uuid_parse("4C4C4544-0051-3010-8052-B4C04F4E4B3", uuid) &&
               !smbios_uuid_parse("4C4C45440-051-3010-8052-B4C04F4E4B31", uuid) &&
               !smbios_uuid_parse("4C4C4544-0051-3010-8052-B4C04F4E4B3g", uuid));
}

static void dhcp_is_not_believed_against_the_inventory(void) {
        start(MASTER, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "10.0.0.99", "m1");
        EXPECT(refused("DHCP host name m1 is m1, but the inventory knows m1 by MAC 02:00:00:00:00:01, and this machine "
                       "has MAC 02:00:00:00:00:99"));
        start(MASTER, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "10.0.0.12", "");
        EXPECT(refused("knows m2 by serial number CZJ-1234"));
        start(MASTER, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "10.0.0.99", "m3");
        EXPECT(is("m3", "dhcp"));
        start(MASTER, "kiln.node=m1", MAC_OTHER); // an operator's word
        trial_lease(&trial, MAC_OTHER, "10.0.0.99", "m1");
        EXPECT(is("m1", "command line") && trial.plan.note_count == 1);
        start(OPEN, "", MAC_OTHER); // no ensemble
        trial_lease(&trial, MAC_OTHER, "10.0.0.99", "m1");
        EXPECT(is("m1", "dhcp") && trial.plan.note_count == 1);
}

static void the_sites_options_speak(void) {
        start(MASTER, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "10.0.0.99", "whatever");
        struct lease *lease = &trial.facts.leases[0];
        snprintf(lease->node, sizeof lease->node, "m3");
        EXPECT(is("m3", "dhcp"));
        lease->id = 3;
        snprintf(lease->role, sizeof lease->role, "master");
        EXPECT(is("m3", "dhcp"));
        lease->id = 4;
        EXPECT(refused("DHCP says id 4, but the id of m3 is 3"));
        lease->id = 0;
        snprintf(lease->role, sizeof lease->role, "slave");
        EXPECT(refused("says role slave, but this is the master image"));
        lease->role[0] = '\0';
        snprintf(lease->node, sizeof lease->node, "m9");
        EXPECT(refused("DHCP's node option m9"));
        snprintf(lease->node, sizeof lease->node, "m1");
        snprintf(lease->hostname, sizeof lease->hostname, "m3");
        EXPECT(refused("contradiction: DHCP node option m1 is m1 (dhcp), but DHCP host name m3 is m3"));
}

static void an_id_of_dhcp_goes_to_a_stranger(void) {
        start(OPEN, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "10.0.0.99", "visitor");
        trial.facts.leases[0].id = 9;
        EXPECT(is("visitor", "dhcp"));
        EXPECT_TEXT(trial_value(&trial, "id"), "9");
        EXPECT_TEXT(trial_source(&trial, "id"), "dhcp");
        trial.facts.leases[0].id = 2;
        EXPECT(refused("dhcp gives this machine id 2, which is m2's"));
        trial.facts.leases[0].id = 9;
        trial.facts.command_line = "kiln.id=8";
        EXPECT(refused("kiln.id=8, but DHCP says id 9"));
        trial.facts.command_line = "kiln.id=3";
        trial.facts.leases[0].id = 0;
        EXPECT(refused("command line gives this machine id 3, which is m3's"));
}

static void the_config_drive_comes_after_the_line(void) {
        start(MASTER, "", MAC_OTHER);
        trial.facts.config_drive = "# written by hand\nkiln.node=m1\nkiln.id=1\nnameserver=10.0.0.53\n";
        trial.facts.config_device = "/dev/sr0";
        EXPECT(is("m1", "config drive"));
        EXPECT_TEXT(trial_file(&trial, "/etc/resolv.conf"), "nameserver 10.0.0.53\n");
        EXPECT(noted("the config drive adds name server 10.0.0.53 to what the inventory says"));
        trial.facts.command_line = "nameserver=10.0.0.54 rd.route=10.7.0.0/16:10.0.0.1";
        trial.facts.config_drive = "kiln.node=m1\nrd.route=10.8.0.0/16:10.0.0.1 ip=::10.0.0.2::::dhcp:10.0.0.55\n";
        EXPECT(is("m1", "config drive") && !noted("adds name server 10.0.0.54") && !noted("adds route 10.7.0.0/16"));
        EXPECT(noted("adds route 10.8.0.0/16") && noted("adds name server 10.0.0.55"));
        trial.facts.config_drive = "# written by hand\nkiln.node=m1\n";
        trial.facts.command_line = "kiln.node=m1";
        EXPECT(is("m1", "command line"));
        trial.facts.command_line = "kiln.node=m2";
        EXPECT(refused("kiln.node=m2 on the kernel command line, but kiln.node=m1 on line 2 of kiln.conf on /dev/sr0"));
        trial.facts.command_line = "kiln.ip=10.0.0.12";
        EXPECT(refused("kiln.ip=10.0.0.12 is m2 (command line), but kiln.node=m1 is m1 (config drive)"));
        start(MASTER, "", MAC1);
        trial.facts.config_drive = "kiln.node=m3";
        EXPECT(refused("kiln.node=m3 is m3 (config drive), but MAC 02:00:00:00:00:01 is m1 (mac table)"));
        trial.facts.config_drive = "kiln.node=m1 kiln.speed=9";
        EXPECT(refused("line 1 of kiln.conf on the config drive: \"kiln.speed\" is no parameter"));
        trial.facts.config_drive = NULL;
        trial.facts.config_problem = "two config drives";
        EXPECT(refused("two config drives"));
}

static void a_stranger_takes_its_values_from_the_drive(void) {
        start(OPEN, "", MAC_OTHER);
        trial.facts.config_drive = "ip=10.0.0.77::10.0.0.2:24:guest:eth0:none";
        EXPECT(is("guest", "config drive"));
        EXPECT_TEXT(trial_value(&trial, "ip"), "10.0.0.77/24");
        EXPECT_TEXT(trial_source(&trial, "ip"), "config drive");
        EXPECT_TEXT(trial_source(&trial, "interface"), "config drive");
}

static void addresses_that_could_be_the_nodes_have_to_be(void) {
        const char *const fine[] = {
                "ip=10.0.0.11:::24::eth0:none",
                "ip=10.0.0.11:::24::eth0:none ip=10.0.0.50:::24::eth0:none", // one more
                "ip=10.9.0.5:::24::eth1:none",                               // another card and network
                "ip=eth0:dhcp",
                "ip=dhcp",
                "ip=[2001:db8::5]:::64::eth0:none",
                "kiln.ip=10.0.0.11/24",
        };
        const char *const wrong[][2] = {
                { "ip=10.0.0.50:::24::eth0:none", "the command line gives 10.0.0.50, but the inventory's" },
                { "ip=10.9.0.5:::24:::none", "the command line gives 10.9.0.5" },
                { "ip=10.0.0.11:::25::eth0:none", "ip=10.0.0.11/25, but network lan has prefix 24" },
                { "kiln.ip=10.0.0.11/25", "kiln.ip=10.0.0.11/25, but network lan has prefix 24" },
                { "ip=10.0.0.11:::24::eth0:none ip=10.0.0.12:::24::eth0:none", "is m1 (command line), but" },
        };
        for (size_t i = 0; i < lengthof(fine); i++) {
                start(MASTER, fine[i], MAC1);
                trial_interface(&trial, "eth1", MAC_SECOND, true);
                EXPECT(trial_plan(&trial) && !trial.plan.refusal);
                if (trial.plan.refusal)
                        printf("# %s: %s\n", fine[i], trial.plan.refusal);
        }
        for (size_t i = 0; i < lengthof(wrong); i++) {
                start(MASTER, wrong[i][0], MAC1);
                trial_interface(&trial, "eth1", MAC_SECOND, true);
                EXPECT(refused(wrong[i][1]));
        }
}

static struct mac permanent;
static bool tell_permanent(const char *name, struct mac *ret) {
        *ret = permanent;
        return strcmp(name, "eth0") == 0 && permanent.bytes[5];
}

static void write_below(const char *top, const char *name, const char *text) {
        auto_free char *path = xasprintf("%s/%s", top, name);
        auto_fclose FILE *file = fopen(path, "we");
        EXPECT(file && fputs(text, file) >= 0);
}

static void expect_mac(const char *directory, const char *want) {
        struct mac mac = { 0 };
        char text[MAC_TEXT_SIZE];
        EXPECT(hardware_card_mac(directory, "eth0", tell_permanent, &mac));
        mac_format(&mac, text);
        EXPECT_TEXT(text, want);
}

// udev's files as 252 (Debian 12) and 219 (EL7) write them. One that udev has begun to rename is not done with, though
// it has its entry: who sets the card up then keeps udev from naming it, and networkd waits for ever.
static void a_card_that_udev_renames_is_not_final(void) {
        static const struct {
                const char *entry;
                bool is_done;
        } cases[] = {
                { "E:ID_BUS=pci\nE:ID_RENAMING=1\nG:systemd\nQ:systemd\nV:1\n", false },
                { "I:23542167\nE:ID_BUS=pci\nE:ID_RENAMING=1\nE:ID_NET_NAME_PATH=enp0s3\n", false },
                { "I:23542167\nE:ID_BUS=pci\nE:ID_NET_NAME_PATH=enp0s3\nG:systemd\nQ:systemd\nV:1\n", true },
                { "E:ID_BUS=pci\nE:ID_NET_NAME_PATH=enp0s3\n", false },
                { "I:1\nE:ID_RENAMING=10\n", true },
                { "", false },
        };
        char run[] = "/tmp/kiln-udev.XXXXXX";
        EXPECT(mkdtemp(run));
        auto_free char *data = xasprintf("%s/data", run);
        EXPECT(mkdir(data, 0755) == 0);
        EXPECT(udev_is_done_with_card(run, 2)); // nobody else is there to name it
        EXPECT(!udev_is_busy(run));
        write_below(run, "control", "");
        EXPECT(!udev_is_done_with_card(run, 2));
        for (size_t i = 0; i < lengthof(cases); i++) {
                write_below(run, "data/n2", cases[i].entry);
                EXPECT(udev_is_done_with_card(run, 2) == cases[i].is_done);
        }
        EXPECT(!udev_is_done_with_card(run, 3));
        EXPECT(!udev_is_busy(run));
        write_below(run, "queue", "");
        EXPECT(udev_is_busy(run));
        EXPECT_OK(run_command(err, "rm", "-r", run, NULL));
}

// All members of a bond show one MAC: who would find the cards again goes by their own.
static void a_member_of_a_bond_has_its_own_mac(void) {
        char top[] = "/tmp/kiln-card.XXXXXX";
        EXPECT(mkdtemp(top) != NULL);
        auto_free char *master = xasprintf("%s/master", top), *bonding = xasprintf("%s/bonding", master),
                       *slave = xasprintf("%s/bonding_slave", top);
        write_below(top, "address", MAC1 "\n");
        EXPECT(mac_parse(MAC_SECOND, &permanent));
        expect_mac(top, MAC1); // in no bond: its MAC is what it was given
        EXPECT(mkdir(master, 0755) == 0);
        expect_mac(top, MAC1); // a bridge's port
        EXPECT(mkdir(bonding, 0755) == 0);
        expect_mac(top, MAC_SECOND); // kernels before 3.14
        permanent.bytes[5] = 0;
        expect_mac(top, MAC1); // the driver does not know
        EXPECT(mac_parse(MAC_SECOND, &permanent) && mkdir(slave, 0755) == 0);
        write_below(slave, "perm_hwaddr", MAC_OTHER "\n");
        expect_mac(top, MAC_OTHER);
        write_below(slave, "perm_hwaddr", "00:00:00:00:00:00\n");
        expect_mac(top, MAC_SECOND);
        EXPECT_OK(run_command(err, "rm", "-r", top, NULL));
}

static void start_two_cards(const char *command_line) {
        start(MASTER, command_line, MAC_OTHER);
        trial_interface(&trial, "eth1", MAC_SECOND, true);
}

static void start_two_static(const char *command_line) {
        start(OPEN, command_line, MAC_OTHER);
        trial_interface(&trial, "eth1", MAC_SECOND, true);
}

// dracut takes bootdev's; without it two are a contradiction, but one that is given twice is not.
static void bootdev_has_address_and_gateway(void) {
        start_two_static("ip=10.0.0.70::10.0.0.1:24:a:eth0:none ip=10.0.9.71::10.0.9.1:24::eth1:none:: bootdev=eth1");
        EXPECT(is("a", "command line") && trial.plan.note_count == 1);
        EXPECT_TEXT(trial_value(&trial, "mac"), MAC_SECOND);
        EXPECT(strstr(trial.plan.notes[0], "the gateway of ip= on eth0 is left out: eth1 has the default route"));
        start_two_static("ip=10.0.0.70::10.0.0.1:24:a:eth0:none ip=10.0.9.71::10.0.9.1:24::eth1:none");
        EXPECT(refused("two default gateways"));
        start_two_static("ip=10.0.0.70::10.0.0.1:24:a:eth0:none ip=10.0.0.71::10.0.0.1:24::eth1:none");
        EXPECT(is("a", "command line") && trial.plan.note_count == 1);
        EXPECT_TEXT(trial_value(&trial, "mac"), MAC_OTHER);
        EXPECT(strstr(trial.plan.notes[0], "the gateway of ip= on eth1 is left out"));
}

static void the_line_names_a_card_that_is_there(void) {
        const char *const eth1[] = {
                "kiln.node=m3 ip=10.0.0.13:::24::eth1:none",
                "kiln.node=m3 ip=10.0.0.13:::24::" MAC_SECOND ":none",
                "kiln.node=m3 ip=eth1:dhcp",
                "kiln.node=m3 bootdev=eth1",
                "kiln.node=m3 BOOTIF=01-02-00-00-00-00-98",
                "kiln.node=m3 ifname=lan0:" MAC_SECOND " ip=10.0.0.13:::24::lan0:none",
                "kiln.node=m3 ip=10.0.0.13:::24::eth1.5:none vlan=eth1.5:eth1",
                "kiln.node=m3 ip=10.0.0.13:::24::bond0:none bond=bond0:eth7,eth1:mode=active-backup",
                "kiln.node=m3 bond=bond0:eth7,eth1:mode=active-backup", // nothing else says where the address is
                "kiln.node=m3 ip=dhcp bond=bond0:eth1",
                "kiln.node=m3 ip=10.0.0.13:::24::bond0.5:none vlan=bond0.5:bond0 bond=bond0:eth1:mode=1",
        };
        for (size_t i = 0; i < lengthof(eth1); i++) {
                start_two_cards(eth1[i]);
                EXPECT(trial_plan(&trial) && !trial.plan.refusal);
                if (trial.plan.refusal)
                        printf("# %s: %s\n", eth1[i], trial.plan.refusal);
                else
                        EXPECT_TEXT(trial_value(&trial, "mac"), MAC_SECOND);
        }
        start_two_cards("kiln.node=m3 ip=10.0.0.13:::24::eth2:none");
        EXPECT(refused("ip= names eth2, but this machine has no such card (it has eth0, eth1)"));
        EXPECT(trial.plan.need == NEED_NOTHING); // DHCP does not bring a card
        start_two_cards("kiln.node=m3 bond=b0:eth0 bond=b1:eth1");
        EXPECT(refused("2 interfaces, and nothing says which one to use"));
        start_two_cards("kiln.node=m3 bond=b0:eth8,eth9");
        EXPECT(refused("2 interfaces, and nothing says which one to use"));
        start_two_cards("kiln.node=m3 bond=b0:eth1 ip=eth0:dhcp ip=b0:dhcp"); // both ask, and neither has the address
        EXPECT(refused("2 interfaces, and nothing says which one to use"));
        start(OPEN, "ifname=lan0:" MAC_SECOND " ip=lan0:dhcp", MAC_OTHER);
        trial_interface(&trial, "eth1", MAC_SECOND, true);
        trial_lease(&trial, MAC_OTHER, "10.0.0.70", "on-eth0");
        EXPECT(refused("no DHCP answer on lan0, which ip= names: DHCP answered on eth0"));
        trial_lease(&trial, MAC_SECOND, "10.0.0.71", "on-lan0");
        EXPECT(is("on-lan0", "dhcp"));
        start_two_cards("kiln.node=m3 bootdev=eth0 ip=eth1:dhcp");
        EXPECT(refused("contradiction: bootdev=eth0, but ip= puts the address on eth1"));
        start_two_cards("kiln.node=m3 bootdev=eth1 BOOTIF=01-02-00-00-00-00-55");
        EXPECT(is("m3", "command line") && trial.plan.note_count == 1);
        EXPECT(strstr(trial.plan.notes[0], "BOOTIF=02:00:00:00:00:55 is no card"));
        static const char *const asking[] = { "ip=eth0:dhcp ip=eth1:dhcp bootdev=eth1",
                                              "ip=eth1:dhcp ip=eth0:dhcp bootdev=eth1",
                                              "ip=eth0:dhcp ip=eth1:dhcp BOOTIF=01-" MAC_SECOND };
        for (size_t i = 0; i < lengthof(asking); i++) { // dracut's TEST-50
                start(OPEN, asking[i], MAC_OTHER);
                trial_interface(&trial, "eth1", MAC_SECOND, true);
                trial_lease(&trial, MAC_OTHER, "10.0.0.70", "on-eth0");
                trial_lease(&trial, MAC_SECOND, "10.0.0.71", "on-eth1");
                EXPECT(is("on-eth1", "dhcp"));
        }
        start_two_cards("kiln.node=m3 bootdev=eth2");
        EXPECT(refused("bootdev= names eth2, but this machine has no such card"));
        start_two_cards("kiln.node=m3 ip=10.0.0.13:::24::02-00-00-00-00-55:none");
        EXPECT(refused("ip= names 02:00:00:00:00:55, but this machine has no such card"));
        start_two_cards("kiln.node=m3 ip=10.0.0.13:::24::b0.5:none vlan=b0.5:b0 bond=b0:eth8,eth9");
        EXPECT(refused("ip= names b0.5, but this machine has no such card"));
}

static void an_mtu_is_of_the_link_with_the_address(void) {
        static const char *const lines[] = { "ip=eth0:dhcp:1400", "ip=dhcp ip=10.0.0.11:::24::eth0:none:1400",
                                             "ip=" MAC1 ":dhcp:1400", "ip=:dhcp:1400",
                                             "ip=eth1:dhcp:9000 ip=10.0.0.11:::24::eth0:none:1400" };
        for (size_t i = 0; i < lengthof(lines); i++) {
                start(MASTER, lines[i], MAC1);
                trial_interface(&trial, "eth1", MAC_SECOND, true);
                EXPECT(trial_plan(&trial) && !trial.plan.refusal);
                const char *file = trial_file(&trial, "/etc/sysconfig/network-scripts/ifcfg-eth0");
                if (!file || !strstr(file, "MTU=1400\n"))
                        printf("# %s: %s\n", lines[i], file ? file : "no file");
                EXPECT(file && strstr(file, "MTU=1400\n"));
        }
}

static void a_stranger_is_where_its_lease_is(void) {
        start(OPEN, "BOOTIF=01-02-00-00-00-00-98", MAC_OTHER);
        trial_interface(&trial, "eth1", MAC_SECOND, true);
        trial_lease(&trial, MAC_OTHER, "10.0.0.70", "on-eth0");
        EXPECT(is("on-eth0", "dhcp"));
        EXPECT_TEXT(trial_value(&trial, "interface"), "eth0"); // the card that has the address, not the one that booted
        struct lease *lease = &trial.facts.leases[0];
        snprintf(lease->domain, sizeof lease->domain, "example.org");
        lease->dns[lease->dns_count++] = 0x0a000035;
        EXPECT(trial_plan(&trial) && trial.plan.note_count == 0);
        trial.facts.command_line = "ip=off";
        EXPECT(is("on-eth0", "dhcp") && noted("does not keep DHCP from it"));
        trial.facts.command_line = "nameserver=10.0.0.1 nameserver=10.0.0.2 nameserver=10.0.0.3";
        EXPECT(is("on-eth0", "dhcp") && noted("programs ask three name servers, and not 10.0.0.53"));
        trial.facts.command_line = "BOOTIF=01-02-00-00-00-00-98";
        EXPECT(is("on-eth0", "dhcp"));
        EXPECT_TEXT(trial_file(&trial, "/etc/resolv.conf"), "search example.org\nnameserver 10.0.0.53\n");
        snprintf(lease->search[lease->search_count++], sizeof lease->search[0], "a.example");
        snprintf(lease->search[lease->search_count++], sizeof lease->search[0], "b.example");
        EXPECT(trial_plan(&trial));
        EXPECT_TEXT(trial_file(&trial, "/etc/resolv.conf"), "search a.example b.example\nnameserver 10.0.0.53\n");
        trial_lease(&trial, MAC_SECOND, "10.0.0.71", "on-eth1");
        EXPECT(is("on-eth1", "dhcp") && trial.plan.note_count == 1);
        EXPECT(trial.plan.note_count == 1 &&
               strstr(trial.plan.notes[0], "DHCP answered on eth0 too: the address is that "
                                           "of eth1 (bootdev= chooses another)"));
        EXPECT_TEXT(trial_value(&trial, "ip"), "10.0.0.71/24");
        EXPECT_TEXT(trial_value(&trial, "interface"), "eth1");
}

// Scripts, certificates and people take a name for what it names in the cluster.
static void a_stranger_has_no_name_of_the_cluster(void) {
        static const struct {
                const char *name, *owner;
        } taken[] = { { "web", "a VIP's name" },
                      { "WEB.example.org", "a VIP's name" },
                      { "localhost", "every machine's own name" },
                      { "localhost.localdomain", "every machine's own name" },
                      { "localhost4", "every machine's own name" },
                      { "localhost6.localdomain6", "every machine's own name" },
                      { "10.0.0.11", "an address" },
                      { "1.2.3", "an address" },
                      { "0x7f.1", "an address" },
                      { "172.16.1.1", "an address" } };
        for (size_t i = 0; i < lengthof(taken); i++) {
                auto_free char *line = xasprintf("kiln.hostname=%s kiln.ip=10.0.0.70/24", taken[i].name);
                start(OPEN, "", MAC_OTHER);
                trial_lease(&trial, MAC_OTHER, "10.0.0.70", taken[i].name);
                EXPECT(is("master-020000000099", "mac address"));
                EXPECT(trial.plan.note_count == 1 && strstr(trial.plan.notes[0], taken[i].owner));
                start(OPEN, line, MAC_OTHER);
                EXPECT(refused(taken[i].owner));
        }
        start(OPEN, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "10.0.0.70", "webmaster");
        EXPECT(is("webmaster", "dhcp") && trial.plan.note_count == 0);
}

static void a_stranger_has_a_hosts_address(void) {
        static const char *const lines[][2] = { { "kiln.ip=10.0.0.0/24", "10.0.0.0/24, which is no host's address" },
                                                { "kiln.ip=10.0.0.255", "10.0.0.255/24, which is no host's address" },
                                                { "ip=10.0.0.1:::24::eth0:none",
                                                  "10.0.0.1, the gateway of network lan" },
                                                { "kiln.ip=10.0.0.90/24", "VIP web" } };
        for (size_t i = 0; i < lengthof(lines); i++) {
                start(OPEN, lines[i][0], MAC_OTHER);
                EXPECT(refused(lines[i][1]));
        }
        start(OPEN, "kiln.ip=10.9.0.11/24", MAC_OTHER);
        EXPECT(refused("the inventory's address of m1 is 10.0.0.11"));
        start(OPEN, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "10.0.0.255", "");
        EXPECT(refused("dhcp gives this machine 10.0.0.255/24"));
        start(OPEN, "kiln.ip=10.0.0.70/24 kiln.hostname=guest", MAC_OTHER);
        EXPECT(is("guest", "command line"));
}

// ---- the facts of a file ----

static bool read_json(const char *text, struct err *err) {
        return facts_read_json(text, strlen(text), &trial.arena, &trial.facts, err);
}

static void a_file_of_facts_says_all(void) {
        start(OPEN, "", MAC1);
        EXPECT_OK(read_json(
            "{\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"" MAC_OTHER "\",\"carrier\":false,\"driver\":\"igb\"}],"
            "\"config_drive\":\"kiln.id=9\",\"config_device\":\"/dev/sr0\",\"serial\":\"s\",\"uuid\":\"u\","
            "\"asset_tag\":\"a\",\"memory_kb\":1024,\"cpus\":2,"
            "\"leases\":[{\"interface\":\"eth0\",\"address\":\"10.0.0.70\",\"prefix\":24,\"node\":\"\",\"role\":"
            "\"master\",\"id\":9,\"mtu\":1400,\"lease_s\":60,\"search\":[\"a b\",\"a.example\"],\"domain\":\"evil\\\"; "
            "reboot\",\"hostname\":\"guest\","
            "\"routes\":[{\"to\":\"0.0.0.0/0\",\"gateway\":\"10.0.0.3\"},{\"to\":\"10.7.0.0/16\"}]}]}",
            err));
        const struct facts *facts = &trial.facts;
        const struct lease *lease = &facts->leases[0];
        EXPECT(facts->interface_count == 1 && !facts->interfaces[0].carrier && facts->memory_kb == 1024 &&
               facts->cpus == 2 && facts->dhcp_asked && facts->lease_count == 1);
        EXPECT_TEXT(facts->asset_tag, "a");
        EXPECT(mac_equal(&lease->mac, &facts->interfaces[0].mac) && lease->mtu == 1400 && lease->lease_s == 60);
        EXPECT(lease->route_count == 2 && lease->routes[0].prefix == 0 && lease->routes[0].gateway == 0x0a000003 &&
               lease->routes[1].prefix == 16 && lease->routes[1].gateway == 0);
        EXPECT(lease->search_count == 1 && !*lease->domain); // what is no domain is left out
        EXPECT_TEXT(lease->search[0], "a.example");
        EXPECT(is("guest", "dhcp"));
        EXPECT_TEXT(trial_source(&trial, "id"), "config drive");
}

static void a_wrong_fact_is_named_with_its_place(void) {
        static const char *const wrong[][2] = {
                { "{\"serial\":1}", "\"serial\" must be a string" },
                { "{\"seriol\":\"x\"}", "unknown key \"seriol\"" },
                { "{", "line 1" },
                { "[]", "must be an object" },
                { "{\"command_line\":null}", "\"command_line\" must be a string" },
                { "{\"dhcp_asked\":\"yes\"}", "\"dhcp_asked\" must be true or false" },
                { "{\"cpus\":-1}", "\"cpus\" must be a whole number" },
                { "{\"interfaces\":[{\"name\":\"eth0\"}]}", "interfaces[0]: \"mac\"" },
                { "{\"interfaces\":[{\"mac\":\"" MAC1 "\"}]}", "interfaces[0]: \"name\"" },
                { "{\"interfaces\":[{\"name\":\"a\",\"mac\":\"" MAC1 "\",\"carrier\":1}]}",
                  "\"carrier\" must be true" },
                { "{\"interfaces\":[1]}", "interfaces[0]: must be an object" },
                { "{\"leases\":[{\"interface\":\"zz\"}]}", "leases[0]: \"mac\"" },
                { "{\"leases\":[{\"interface\":\"eth0\",\"id\":256}]}", "leases[0]: \"id\" must be" },
                { "{\"leases\":[{\"interface\":\"eth0\",\"node\":\"a_b\"}]}",
                  "leases[0]: \"node\" must be a host name" },
                { "{\"leases\":[{\"interface\":\"eth0\",\"dns\":[\"10.0.0.1\",\"x\"]}]}",
                  "leases[0]: dns[1]: must be" },
                { "{\"leases\":[{\"interface\":\"eth0\",\"routes\":[{\"to\":\"10.0.0.0\"}]}]}",
                  "leases[0]: routes[0]: \"to\" must be ADDRESS/PREFIX" },
        };
        for (size_t i = 0; i < lengthof(wrong); i++) {
                start(OPEN, "", MAC1);
                auto_err err = { 0 };
                bool right = !read_json(wrong[i][0], &err) && strstr(err.text, wrong[i][1]);
                if (!right)
                        printf("# %s: %s\n", wrong[i][0], err.text ? err.text : "accepted");
                EXPECT(right);
        }
}

int main(void) {
        RUN(smbios_names_a_node);
        RUN(smbios_must_not_contradict);
        RUN(what_boards_come_with_names_nobody);
        RUN(dhcp_is_not_believed_against_the_inventory);
        RUN(the_sites_options_speak);
        RUN(an_id_of_dhcp_goes_to_a_stranger);
        RUN(the_config_drive_comes_after_the_line);
        RUN(a_stranger_takes_its_values_from_the_drive);
        RUN(addresses_that_could_be_the_nodes_have_to_be);
        RUN(a_card_that_udev_renames_is_not_final);
        RUN(a_member_of_a_bond_has_its_own_mac);
        RUN(bootdev_has_address_and_gateway);
        RUN(the_line_names_a_card_that_is_there);
        RUN(an_mtu_is_of_the_link_with_the_address);
        RUN(a_stranger_is_where_its_lease_is);
        RUN(a_stranger_has_no_name_of_the_cluster);
        RUN(a_stranger_has_a_hosts_address);
        RUN(a_file_of_facts_says_all);
        RUN(a_wrong_fact_is_named_with_its_place);
        trial_release(&trial);
        return test_done();
}
