// SPDX-License-Identifier: MIT
// Who a machine is, and what is written for it.
#include "tests/unit/test.h"

#include "firmware/node/machine/facts_json.h"
#include "firmware/node/report.h"
#include "tests/unit/node.h"

#define MASTER NODE_JSON("master", "true", "false", "systemd-networkd")
#define SLAVE NODE_JSON("slave", "false", "true", "systemd-networkd")
#define MASTER_IFCFG NODE_JSON("master", "true", "false", "ifcfg")
#define MAC_MASTER101 "52:54:00:a8:02:47"
#define MAC_SLAVE101 "52:54:00:a8:02:51"
#define MAC_OTHER "52:54:00:00:00:01"

static struct trial trial;

static void start(const char *json, const char *command_line, const char *mac) {
        trial_release(&trial);
        trial_init(&trial, json, command_line);
        if (mac)
                trial_interface(&trial, "ens3", mac, true);
}

static void the_mac_table_decides(void) {
        start(MASTER, "ro quiet", MAC_MASTER101);
        EXPECT(trial_plan(&trial) && !trial.plan.refusal && trial.plan.need == NEED_NOTHING);
        EXPECT_TEXT(trial.plan.hostname, "master101");
        EXPECT_TEXT(trial_value(&trial, "ip"), "192.168.2.71/24");
        EXPECT_TEXT(trial_source(&trial, "ip"), "mac table");
        EXPECT_TEXT(trial_file(&trial, "/etc/zookeeper/conf/myid"), "1\n");
        EXPECT_TEXT(trial_file(&trial, "/etc/hostname"), "master101\n");
        EXPECT_TEXT(trial_file(&trial, "/etc/resolv.conf"), "nameserver 192.168.2.1\n");
        EXPECT_TEXT(trial_file(&trial, "/etc/systemd/network/10-kiln-ens3.network"),
                    "[Match]\nMACAddress=52:54:00:a8:02:47\nType=ether\n\n[Network]\nAddress=192.168.2.71/24\n"
                    "Gateway=192.168.2.1\nDNS=192.168.2.1\n");
        EXPECT_TEXT(trial_file(&trial, "/etc/hosts"),
                    "127.0.0.1 localhost localhost.localdomain\n"
                    "::1 localhost localhost.localdomain ip6-localhost ip6-loopback\n"
                    "192.168.2.71 master101\n192.168.2.72 master102\n192.168.2.81 slave101\n");
        const struct plan_file *myid = &trial.plan.files[trial.plan.file_count - 1];
        EXPECT(myid->mode == 0640 && myid->uid == 7 && myid->gid == 8);
}

static void ifcfg_for_el7(void) {
        start(MASTER_IFCFG, "", MAC_MASTER101);
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(
            trial_file(&trial, "/etc/sysconfig/network-scripts/ifcfg-ens3"),
            "DEVICE=\"ens3\"\nHWADDR=52:54:00:a8:02:47\nTYPE=Ethernet\nONBOOT=yes\nBOOTPROTO=none\n"
            "IPADDR=192.168.2.71\nPREFIX=24\nDEFROUTE=yes\nARPCHECK=no\nGATEWAY=192.168.2.1\nDNS1=192.168.2.1\n");
}

static void the_console_says_who_it_is(void) {
        start(MASTER, "", MAC_MASTER101);
        trial.facts.issue = "Keep out\nkiln: an earlier run\nKernel \\r\n\n";
        EXPECT(trial_plan(&trial));
        EXPECT_TEXT(trial_file(&trial, "/etc/issue"),
                    "kiln: master101, role master of cluster article, 192.168.2.71 on ens3, build b1\n"
                    "Keep out\nKernel \\r\n\n");
        start(SLAVE, "kiln.role=a\\b", MAC_MASTER101);
        EXPECT(trial_plan(&trial) && trial.plan.refusal);
        EXPECT_TEXT(trial_file(&trial, "/etc/issue"),
                    "kiln: REFUSED, the cluster's services stay down:\n"
                    "kiln: kiln.role=a\\\\b on the kernel command line is not a name\n"
                    "kiln: interfaces: ens3 52:54:00:a8:02:47\n");
}

static void another_role_is_refused_by_name(void) {
        start(SLAVE, "", MAC_MASTER101);
        EXPECT(trial_plan(&trial));
        EXPECT(trial_refused(&trial, "this machine is master101, role master, but booted the slave image"));
        EXPECT(trial.plan.need == NEED_NOTHING);
        EXPECT(!trial_file(&trial, "/etc/hostname") && !trial_file(&trial, "/etc/zookeeper/conf/myid"));
        EXPECT(trial_file(&trial, "/run/kiln/refused") && strstr(trial.plan.found, MAC_MASTER101));
        EXPECT(trial_file(&trial, "/run/systemd/network/00-kiln-refused.network") != NULL);
        EXPECT_TEXT(trial.plan.hostname, "localhost");
        start(MASTER, "kiln.role=slave", MAC_MASTER101);
        EXPECT(trial_plan(&trial) && trial_refused(&trial, "kiln.role=slave, but this is the master image"));
}

static void contradictions_are_refused(void) {
        const char *const lines[] = {
                "kiln.node=master102", // the card is master101's
                "kiln.ip=192.168.2.72/24",
                "kiln.ip=192.168.2.99/24",
                "kiln.ip=192.168.2.71/25",
                "kiln.hostname=master102",
                "kiln.hostname=other",
                "kiln.id=2",
                "ip=192.168.2.72::192.168.2.1:24::ens3:none",
                "kiln.node=master101 kiln.node=master102",
        };
        for (size_t i = 0; i < lengthof(lines); i++) {
                start(MASTER, lines[i], MAC_MASTER101);
                EXPECT(trial_plan(&trial) && trial_refused(&trial, "contradict"));
        }
        start(MASTER, "", MAC_MASTER101);
        trial_interface(&trial, "ens4", MAC_SLAVE101, true);
        EXPECT(trial_plan(&trial) && trial_refused(&trial, "contradiction"));
        start(MASTER, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "192.168.2.71", "master102");
        EXPECT(trial_plan(&trial) && trial_refused(&trial, "contradiction"));
}

static void the_command_line_names_a_node(void) {
        start(MASTER, "kiln.node=master102", MAC_OTHER);
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(trial.plan.hostname, "master102");
        EXPECT_TEXT(trial_file(&trial, "/etc/zookeeper/conf/myid"), "2\n");
        EXPECT(trial.plan.need == NEED_INTERFACES); // its only card so far
        start(MASTER, "kiln.ip=192.168.2.72", MAC_OTHER);
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(trial.plan.hostname, "master102");
        start(MASTER, "kiln.hostname=master102.example.com", MAC_OTHER);
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(trial.plan.hostname, "master102.example.com");
        EXPECT(strstr(trial_file(&trial, "/etc/hosts"), "192.168.2.72 master102.example.com master102\n") != NULL);
        start(MASTER, "kiln.node=nobody", MAC_MASTER101);
        EXPECT(trial_plan(&trial) && trial_refused(&trial, "no such node"));
        start(MASTER, "kiln.node=master101", MAC_OTHER);
        EXPECT(trial_plan(&trial) && !trial.plan.refusal && trial.plan.note_count == 1);
}

static void dhcp_decides_by_name_then_by_address(void) {
        start(MASTER, "", MAC_OTHER);
        EXPECT(trial_plan(&trial) && trial.plan.need == NEED_DHCP);
        trial_lease(&trial, MAC_OTHER, "192.168.2.150", "master102");
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(trial_value(&trial, "ip"), "192.168.2.72/24");
        EXPECT_TEXT(trial_source(&trial, "hostname"), "dhcp");
        start(MASTER, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "192.168.2.72", "");
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(trial.plan.hostname, "master102");
}

static void strangers_only_where_allowed(void) {
        start(MASTER, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "192.168.2.150", "visitor");
        EXPECT(trial_plan(&trial) && trial_refused(&trial, "no node of cluster article matches"));
        start(NODE_JSON("master", "true", "true", "ifcfg"), "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "192.168.2.150", "visitor");
        EXPECT(trial_plan(&trial) && trial_refused(&trial, "an ensemble takes no strangers"));
        start(SLAVE, "", MAC_OTHER);
        EXPECT(trial_plan(&trial) && trial.plan.need == NEED_DHCP);
        trial_lease(&trial, MAC_OTHER, "192.168.2.150", "visitor");
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(trial.plan.hostname, "visitor");
        EXPECT_TEXT(trial_file(&trial, "/etc/zookeeper/conf/myid"), "\n"); // no id, and none guessed
        EXPECT(strstr(trial_file(&trial, "/etc/systemd/network/10-kiln-ens3.network"), "DHCP=ipv4\n") != NULL);
        EXPECT(strstr(trial_file(&trial, "/etc/hosts"), "192.168.2.150 visitor\n") != NULL);
        start(SLAVE, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "192.168.2.150", "");
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(trial.plan.hostname, "slave-525400000001");
        start(SLAVE, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "192.168.2.90", "");
        EXPECT(trial_plan(&trial) && trial_refused(&trial, "dhcp gives this machine the address of VIP web"));
        start(SLAVE, "kiln.ip=10.1.1.1", MAC_OTHER);
        trial.facts.dhcp_asked = true;
        EXPECT(trial_plan(&trial) && trial_refused(&trial, "no prefix"));
        start(SLAVE, "", MAC_OTHER);
        trial.facts.dhcp_asked = true;
        EXPECT(trial_plan(&trial) && trial_refused(&trial, "nothing gives it an address"));
}

static void the_card_is_chosen_or_refused_but_not_guessed(void) {
        start(MASTER, "kiln.node=master102", MAC_OTHER);
        trial_interface(&trial, "ens4", "52:54:00:00:00:02", true);
        EXPECT(trial_plan(&trial) && trial_refused(&trial, "2 interfaces") && trial.plan.need == NEED_DHCP);
        trial.facts.command_line = "kiln.node=master102 BOOTIF=01-52-54-00-00-00-02";
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(trial_value(&trial, "interface"), "ens4");
        trial.facts.command_line = "ip=192.168.2.72::192.168.2.254:24::ens3:none";
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(trial_value(&trial, "interface"), "ens3");
        EXPECT(strstr(trial_file(&trial, "/etc/systemd/network/10-kiln-ens3.network"), "Gateway=192.168.2.254\n") !=
               NULL);
        trial.facts.command_line = "kiln.node=master102";
        trial.facts.interfaces[0].carrier = false;
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(trial_source(&trial, "interface"), "the only one with a link");
        start(MASTER, "kiln.node=master102", NULL);
        EXPECT(trial_plan(&trial) && trial_refused(&trial, "no Ethernet interface") &&
               trial.plan.need == NEED_INTERFACES);
}

static void templates_see_the_node(void) {
        start(MASTER, "", MAC_MASTER101);
        trial.template =
            "{{node.name}} {{node.ip}}/{{node.prefix}} {{node.netmask}} {{node.gateway}} {{node.interface}} "
            "{{node.mac}} {{node.role}} {{node.index}} {{node.network}} {{node.variables.rack}}"
            "{{#node.dns}} {{.}}{{/node.dns}}{{#node.variables.disks}} {{.}}{{/node.variables.disks}}\n";
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(trial_file(&trial, "/etc/zookeeper/conf/myid"),
                    "master101 192.168.2.71/24 255.255.255.0 192.168.2.1 ens3 52:54:00:a8:02:47 master 0 lan r1 "
                    "192.168.2.1 sda sdb\n");
        trial.template = "{{node.nonsense}}";
        EXPECT(trial_plan(&trial) && trial_refused(&trial, "nonsense"));
        EXPECT(!trial_file(&trial, "/etc/hostname"));
}

static void templates_see_the_other_nodes(void) {
        static const char roles[] = "\"roles\":{\"master\":[\"mesos\",\"base\"],\"slave\":[\"mesos\"]}";
        auto_free char *json = xasprintf("{%s,%s", roles, MASTER + 1);
        start(json, "", MAC_MASTER101);
        trial.template = "{{#node.others.master}}{{position}}={{name}}/{{ip}}/{{id}}{{^last}},{{/last}}"
                         "{{/node.others.master}} {{#node.others.mesos}}{{name}} {{/node.others.mesos}}"
                         "{{#node.others.slave}}{{name}}{{/node.others.slave}}";
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(trial_file(&trial, "/etc/zookeeper/conf/myid"),
                    "1=master102/192.168.2.72/2 master102 slave101 slave101");
        trial.template = "{{#node.others.balancer}}x{{/node.others.balancer}}";
        EXPECT(trial_plan(&trial) && trial_refused(&trial, "`node.others` has no `balancer`"));
        start(MASTER, "", MAC_MASTER101); // of a builder that says nothing of roles
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
}

static void strangers_have_the_default_variables(void) {
        auto_free char *json = xasprintf("{\"default\":{\"attributes\":\"rack:none\"},%s", SLAVE + 1);
        start(json, "", MAC_OTHER);
        trial_lease(&trial, MAC_OTHER, "192.168.2.150", "visitor");
        trial.template = "{{node.variables.attributes}}";
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(trial_file(&trial, "/etc/zookeeper/conf/myid"), "rack:none");
        trial_release(&trial);
}

static void damaged_inventories_are_refused(void) {
        const char *const bad[] = {
                "", "[]", "{}", "{\"format\":2}", "{\"format\":1,\"cluster\":\"a\"}", "{\"format\":1"
        };
        struct arena arena = { 0 };
        struct inventory inventory;
        for (size_t i = 0; i < lengthof(bad); i++) {
                struct err err = { 0 };
                EXPECT(!inventory_read(bad[i], strlen(bad[i]), &arena, &inventory, &err) && err.text);
                err_release(&err);
        }
        arena_release(&arena);
}

static void facts_come_from_json(void) {
        start(MASTER, "", NULL);
        const char *text = "{\"command_line\":\"kiln.id=2\",\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"" MAC_OTHER
                           "\"}],\"leases\":[{\"interface\":\"eth0\",\"mac\":\"" MAC_OTHER
                           "\",\"address\":\"192.168.2.72\",\"prefix\":24,\"hostname\":\"master102\"}]}";
        EXPECT_OK(facts_read_json(text, strlen(text), &trial.arena, &trial.facts, err));
        EXPECT(trial_plan(&trial) && !trial.plan.refusal);
        EXPECT_TEXT(trial.plan.hostname, "master102");
        json_t *json = plan_json(&trial.plan, true);
        EXPECT(json_is_null(json_object_get(json, "refused")) && json_array_size(json_object_get(json, "files")) >= 5);
        json_decref(json);
}

static bool is_harmless(const char *text) {
        for (const unsigned char *at = (const unsigned char *)text; at && *at; at++)
                if ((*at < ' ' && *at != '\n') || *at == 0x7f || *at >= 0x80)
                        return false;
        return text != NULL;
}

// Every line of /etc/issue is kiln's, and none begins as one that kiln writes of another machine does.
static bool issue_is_honest(const char *issue) {
        for (const char *line = issue; line && *line; line = strchr(line, '\n') + 1)
                if (strncmp(line, "kiln: ", 6) != 0 || strncmp(line, "kiln: master101", 15) == 0)
                        return false;
        return is_harmless(issue);
}

#define EVIL "\033[2J\033]0;x\007\r\b\302\233\377\300\257\177"

static void what_others_say_plays_with_no_terminal(void) {
        auto_buf report = { 0 };
        start(MASTER, "kiln.node=" EVIL, MAC_MASTER101);
        trial_lease(&trial, "52:54:00:a8:02:47", "192.168.2.71", EVIL);
        snprintf(trial.facts.serial, sizeof trial.facts.serial, "%s", EVIL);
        EXPECT(trial_plan(&trial) && trial.plan.refusal);
        EXPECT(is_harmless(trial.plan.refusal) && is_harmless(trial.plan.found));
        EXPECT(issue_is_honest(trial_file(&trial, "/etc/issue")) &&
               is_harmless(trial_file(&trial, "/run/kiln/refused")));
        trial.facts.command_line = "";
        snprintf(trial.facts.conflict, sizeof trial.facts.conflict, "no\nmaster101, role master\n    ^\n%s", EVIL);
        EXPECT(trial_plan(&trial) && trial.plan.refusal);
        EXPECT(strncmp(trial.plan.refusal, "no\n    master101, role master\n    ^\n    ?[2J", 42) == 0);
        const char *issue = trial_file(&trial, "/etc/issue");
        EXPECT(issue_is_honest(issue) && strstr(issue, "\nkiln:     master101, role master\nkiln:     ^\n"));
        plan_add_note(&trial.plan, "a\nkiln-node: master101" EVIL);
        const struct decision decision = { .dhcp_ms = -1, .plan = trial.plan };
        report_text(&decision, &(struct applied){ 0 }, &report);
        EXPECT(is_harmless(buf_text(&report)) && strstr(buf_text(&report), "note: a\n    kiln-node: master101?[2J"));
}

int main(void) {
        RUN(the_mac_table_decides);
        RUN(ifcfg_for_el7);
        RUN(the_console_says_who_it_is);
        RUN(what_others_say_plays_with_no_terminal);
        RUN(another_role_is_refused_by_name);
        RUN(contradictions_are_refused);
        RUN(the_command_line_names_a_node);
        RUN(dhcp_decides_by_name_then_by_address);
        RUN(strangers_only_where_allowed);
        RUN(the_card_is_chosen_or_refused_but_not_guessed);
        RUN(templates_see_the_node);
        RUN(templates_see_the_other_nodes);
        RUN(strangers_have_the_default_variables);
        RUN(damaged_inventories_are_refused);
        RUN(facts_come_from_json);
        trial_release(&trial);
        return test_done();
}
