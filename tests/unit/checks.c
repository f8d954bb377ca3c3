// SPDX-License-Identifier: MIT
// Every check of profiles, one mistake at a time: its kind, its place, its words. A sample changes one piece of a good
// profile; the good one must load.
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "profile/profile.h"
#include "shared/node_config.h"
#include "tests/unit/test.h"

static char directory[] = "/tmp/kiln-checks-XXXXXX";

static const struct {
        const char *name, *text;
} good[] = {
        { "c.yaml", "cluster: test\n"                                                                        // 1
                    "release: r\n"                                                                           // 2
                    "paths: {overlays: overlays, kickstart: kickstart}\n"                                    // 3
                    "networks:\n"                                                                            // 4
                    "  - {name: lan, subnet: 10.1.0.0/24, gateway: 10.1.0.1, dhcp: 10.1.0.100-10.1.0.150}\n" // 5
                    "  - {name: far, subnet: 10.2.0.0/24, dns: [10.2.0.1]}\n"                                // 6
                    "vips:\n"                                                                                // 7
                    "  - {name: web, ip: 10.1.0.90, role: plain, vrrp_id: 9}\n"                              // 8
                    "  - {name: api, ip: 10.1.0.91, role: plain, vrrp_id: 10}\n"                             // 9
                    "nodes:\n"                                                                               // 10
                    "  - {name: m1, role: master, ip: 10.1.0.11, id: 1, mac: '52:54:00:00:00:01'}\n"         // 11
                    "  - {name: m2, role: master, ip: 10.1.0.12, id: 2, mac: '52:54:00:00:00:02'}\n"         // 12
                    "  - {name: m3, role: master, ip: 10.1.0.13, id: 3, mac: '52:54:00:00:00:03'}\n"         // 13
                    "  - {name: p1, role: plain, ip: 10.2.0.21}\n"                                           // 14
                    "variables: {a: 1}\n" },                                                                 // 15
        { "releases/r.yaml", "repositories:\n"                                                               // 1
                             "  - name: one\n"                                                               // 2
                             "    baseurl: ../repo\n"                                                        // 3
                             "    trust: digest\n"                                                           // 4
                             "squashfs: {level: 6}\n"                                                        // 5
                             "rpmdb: bdb\n" },                                                               // 6
        { "roles/base.yaml", "packages: [bash]\n" },                                                         // 1
        { "roles/master.yaml", "inherits: base\n"                                                            // 1
                               "ensemble: true\n"                                                            // 2
                               "services: {enable: [a], disable: [b], cluster: [c]}\n"                       // 3
                               "sysctl: {net.ipv4.ip_forward: 1}\n"                                          // 4
                               "users:\n"                                                                    // 5
                               "  - {name: zk, uid: 480}\n"                                                  // 6
                               "  - {name: me, uid: 481}\n"                                                  // 7
                               "files:\n"                                                                    // 8
                               "  - {path: /etc/x, content: x}\n"                                            // 9
                               "  - {path: /etc/y, source: y.conf}\n"                                        // 10
                               "  - {path: /etc/z, content: '{{variables.a}}', template: true}\n"            // 11
                               "attributes: [{path: /etc/o, mode: 0600}]\n"                                  // 12
                               "remove: [/etc/r]\n"                                                          // 13
                               "state: [{path: /var/s}]\n"                                                   // 14
                               "health: [{name: h, kind: tcp, port: 80}]\n"                                  // 15
                               "default_target: multi-user.target\n"                                         // 16
                               "kernel_arguments: [quiet]\n" },                                              // 17
        { "roles/plain.yaml", "{inherits: base}\n" },
        { "roles/spare.yaml", "{inherits: plain}\n" },
        { "roles/y.conf", "y\n" },
        { "overlays/master/etc/o", "o\n" },
        { "overlays/master/etc/t.tmpl", "{{node.ip}} {{variables.a}}\n" },
        { "overlays/more/etc/m", "m\n" },
        { "kickstart/base.ks.tmpl", "text\n" },
};

static void write_file(const char *name, const char *text) {
        auto_free char *path = xasprintf("%s/%s", directory, name);
        EXPECT_OK(fs_mkdirs_for(AT_FDCWD, path, 0755, err));
        EXPECT_OK(fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err));
}

static void write_good(void) {
        for (size_t i = 0; i < lengthof(good); i++)
                write_file(good[i].name, good[i].text);
}

static bool load(struct err *err) {
        struct cluster *cluster = NULL;
        bool ok = cluster_load("c.yaml", NULL, &cluster, err);
        if (ok)
                cluster_free(cluster);
        return ok;
}

// The good file with one piece replaced.
static char *changed(const char *file, const char *from, const char *to) {
        for (size_t i = 0; i < lengthof(good); i++) {
                const char *text = good[i].text, *found = strstr(text, from);
                if (strcmp(good[i].name, file) != 0 || !found)
                        continue;
                return xasprintf("%.*s%s%s", (int)(found - text), text, to, found + strlen(from));
        }
        printf("# no `%s` in %s\n", from, file);
        EXPECT(false);
        return xstrdup("");
}

struct sample {
        const char *file, *from, *to;
        enum err_kind kind;
        const char *want; // how the message begins
        const char *hint; // or NULL
};

static void check_samples(const struct sample *samples, size_t count) {
        write_good();
        EXPECT_OK(load(err));
        for (size_t i = 0; i < count; i++) {
                const struct sample *sample = &samples[i];
                auto_free char *text = changed(sample->file, sample->from, sample->to);
                write_file(sample->file, text);
                auto_err err = { 0 };
                bool ok = load(&err);
                bool right = !ok && err.kind == sample->kind &&
                             strncmp(err.text, sample->want, strlen(sample->want)) == 0 &&
                             (!sample->hint || strstr(err.text, sample->hint));
                if (!right)
                        printf("# `%s` -> `%s`\n# got %s %s\n# want %s %s (%s)\n", sample->from, sample->to,
                               err_kind_name(err.kind), err.text ? err.text : "success", err_kind_name(sample->kind),
                               sample->want, sample->hint ? sample->hint : "");
                EXPECT(right);
                write_good();
        }
}

static void cluster_schema_errors(void) {
        static const struct sample samples[] = {
                { "c.yaml", "cluster: test", "clutser: test", ERR_SCHEMA,
                  "c.yaml:1:1: unknown key `clutser` in a cluster file\n    clutser: test\n    ^",
                  "did you mean `cluster`?" },
                { "c.yaml", "cluster: test\n", "", ERR_SCHEMA, "c.yaml:1:1: a cluster file needs `cluster`, a text",
                  NULL },
                { "c.yaml", "cluster: test", "cluster: Te st", ERR_SCHEMA,
                  "c.yaml:1:10: `cluster` must be a name of lower-case letters, digits and `-`, not `Te st`", NULL },
                { "c.yaml", "cluster: test", "cluster: [x]", ERR_SCHEMA,
                  "c.yaml:1:10: `cluster` must be a text, not a list", NULL },
                { "c.yaml", "variables: {a: 1}", "variables: [a]", ERR_SCHEMA,
                  "c.yaml:15:12: `variables` must be a map, not a list", NULL },
                { "c.yaml", "dns: [10.2.0.1]", "dns: [10.2.0.256]", ERR_SCHEMA,
                  "c.yaml:6:44: `dns` must be an IPv4 address, not `10.2.0.256`", NULL },
                { "c.yaml", "10.2.0.0/24", "10.2.0.7/24", ERR_SCHEMA,
                  "c.yaml:6:25: `subnet` has bits set beyond its prefix: 10.2.0.7/24", "did you mean `10.2.0.0/24`?" },
                { "c.yaml", "10.2.0.0/24", "10.2.0.0/33", ERR_SCHEMA,
                  "c.yaml:6:25: `subnet` must be a subnet such as 192.168.2.0/24, not `10.2.0.0/33`", NULL },
                { "c.yaml", "10.2.0.0/24", "10.2.0.0", ERR_SCHEMA, "c.yaml:6:25: `subnet` must be", NULL },
                { "c.yaml", "10.1.0.100-10.1.0.150", "10.1.0.100", ERR_SCHEMA, "c.yaml:5:63: `dhcp` must be a range",
                  NULL },
                { "c.yaml", "ip: 10.1.0.11", "ip: 10.1.0", ERR_SCHEMA,
                  "c.yaml:11:34: `ip` must be an IPv4 address, not `10.1.0`", NULL },
                { "c.yaml", "52:54:00:00:00:01", "52:54:00:00:00:0g", ERR_SCHEMA,
                  "c.yaml:11:57: `mac` must be a MAC address such as", NULL },
                { "c.yaml", "52:54:00:00:00:01", "01:00:5e:00:00:01", ERR_SCHEMA,
                  "c.yaml:11:57: `mac` must be the MAC address of one interface", NULL },
                { "c.yaml", "mac: '52:54:00:00:00:01'", "serial: To Be Filled By O.E.M.", ERR_SCHEMA,
                  "c.yaml:11:60: `To Be Filled By O.E.M.` is what boards come with", "leave `serial` out" },
                { "c.yaml", "mac: '52:54:00:00:00:01'", "asset_tag: '0123456789'", ERR_SCHEMA,
                  "c.yaml:11:63: `0123456789` is what boards come with", NULL },
                { "c.yaml", "mac: '52:54:00:00:00:01'", "uuid: FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", ERR_SCHEMA,
                  "c.yaml:11:58: `FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF` is what boards come with", NULL },
                { "c.yaml", "mac: '52:54:00:00:00:01'", "uuid: 4c4c4544-0051", ERR_SCHEMA,
                  "c.yaml:11:58: `uuid` must be a UUID such as", NULL },
                { "c.yaml", "id: 1,", "id: 0,", ERR_SCHEMA, "c.yaml:11:49: `id` must be from 1 to 255, not 0", NULL },
                { "c.yaml", "id: 1,", "id: 256,", ERR_SCHEMA, "c.yaml:11:49: `id` must be from 1 to 255, not 256",
                  NULL },
                { "c.yaml", "id: 1,", "id: one,", ERR_SCHEMA, "c.yaml:11:49: `id` must be a whole number, not `one`",
                  NULL },
                { "c.yaml", "id: 1,", "id: '1',", ERR_SCHEMA,
                  "c.yaml:11:49: `id` must be a whole number, not the quoted text `1`", NULL },
                { "c.yaml", "vrrp_id: 9}", "vrrp_id: 300}", ERR_SCHEMA, "c.yaml:8:54: `vrrp_id` must be from 1 to 255",
                  NULL },
                { "c.yaml", ", vrrp_id: 9}", "}", ERR_SCHEMA, "c.yaml:8:5: a VIP needs `vrrp_id`", NULL },
                { "c.yaml", "  - {name: p1, role: plain, ip: 10.2.0.21}", "  - p1", ERR_SCHEMA,
                  "c.yaml:14:5: a node must be a map, not `p1`", NULL },
                { "c.yaml", "name: p1", "name: -p1", ERR_SCHEMA, "c.yaml:14:12: `-p1` is no host name", NULL },
                { "c.yaml", "name: p1", "name: p_1", ERR_SCHEMA, "c.yaml:14:12: `p_1` is no host name", NULL },
                { "c.yaml", "name: p1", "name: a..b", ERR_SCHEMA, "c.yaml:14:12: `a..b` is no host name", NULL },
                { "c.yaml", "name: p1", "name: 10.0.0.1", ERR_SCHEMA,
                  "c.yaml:14:12: `10.0.0.1` is no host name: it has no letter", NULL },
                { "c.yaml", "name: p1", "name: localhost", ERR_SCHEMA, "c.yaml:14:12: `localhost` is no host name",
                  NULL },
                { "c.yaml", "name: p1", "name: a123456789012345678901234567890123456789012345678901234567890123",
                  ERR_SCHEMA, "c.yaml:14:12: `a123", NULL },
        };
        check_samples(samples, lengthof(samples));
}

// The end of m1's line and the beginning of m2's, and what tells the two by SMBIOS.
#define M1_TO_M2 "mac: '52:54:00:00:00:01'}\n  - {name: m2, role: master, ip: 10.1.0.12, id: 2, "
#define SERIALS(one, two) "serial: " one "}\n  - {name: m2, role: master, ip: 10.1.0.12, id: 2, serial: " two ", "
#define UUIDS(one, two) "uuid: " one "}\n  - {name: m2, role: master, ip: 10.1.0.12, id: 2, uuid: " two ", "

static void duplicates(void) {
        static const struct sample samples[] = {
                { "c.yaml", "name: m2", "name: M1", ERR_DUPLICATE, "c.yaml:12:12: duplicate name `m1`",
                  "given first at c.yaml:11:12" },
                { "c.yaml", "00:00:00:02", "00-00-00-01", ERR_SCHEMA, "c.yaml:12:57: `mac` must be", NULL },
                { "c.yaml", "'52:54:00:00:00:02'", "52-54-00-00-00-01", ERR_DUPLICATE,
                  "c.yaml:12:57: duplicate MAC address `52:54:00:00:00:01`", "given first at c.yaml:11:57" },
                { "c.yaml", M1_TO_M2, SERIALS("CZJ-1", "czj-1"), ERR_DUPLICATE,
                  "c.yaml:12:60: duplicate serial number `czj-1`", "given first at c.yaml:11:60" },
                { "c.yaml", M1_TO_M2,
                  UUIDS("00112233-4455-6677-8899-0123456789ab", "33221100-5544-7766-8899-0123456789AB"), ERR_DUPLICATE,
                  "c.yaml:12:58: duplicate UUID", "given first at c.yaml:11:58" },
                { "c.yaml", "10.1.0.12", "10.1.0.11", ERR_DUPLICATE, "c.yaml:12:34: duplicate IP address `10.1.0.11`",
                  "given first at c.yaml:11:34" },
                { "c.yaml", "id: 2", "id: 1", ERR_DUPLICATE, "c.yaml:12:49: duplicate id in role `master`: `1`",
                  "given first at c.yaml:11:49" },
                { "c.yaml", "role: plain, ip", "aliases: [x, M2], role: plain, ip", ERR_DUPLICATE,
                  "c.yaml:14:29: duplicate name `m2`", "it is given first at c.yaml:12:12" },
                { "c.yaml", "role: plain, ip", "aliases: [x, a_b], role: plain, ip", ERR_SCHEMA,
                  "c.yaml:14:29: `a_b` is no host name", NULL },
                { "c.yaml", "name: web", "name: p1", ERR_DUPLICATE, "c.yaml:14:12: duplicate name `p1`",
                  "given first at c.yaml:8:12" },
                { "c.yaml", "name: far", "name: lan", ERR_DUPLICATE, "c.yaml:6:12: duplicate network `lan`",
                  "given first at c.yaml:5:12" },
                { "c.yaml", "vrrp_id: 10", "vrrp_id: 9", ERR_DUPLICATE, "c.yaml:9:54: duplicate vrrp_id `9`",
                  "given first at c.yaml:8:54" },
                { "c.yaml", "10.1.0.91", "10.1.0.90", ERR_DUPLICATE, "c.yaml:9:21: duplicate VIP address `10.1.0.90`",
                  "given first at c.yaml:8:21" },
                { "c.yaml", "release: r\n", "release: r\nrelease: r\n", ERR_SYNTAX,
                  "c.yaml:3:1: duplicate key `release`", "given first at c.yaml:2:1" },
                { "roles/master.yaml", "name: me", "name: zk", ERR_DUPLICATE,
                  "roles/master.yaml:7:12: duplicate user `zk`", "given first at roles/master.yaml:6:12" },
                { "roles/master.yaml", "uid: 481", "uid: 480", ERR_DUPLICATE,
                  "roles/master.yaml:7:21: duplicate uid `480`", NULL },
                { "roles/master.yaml", "/etc/y", "/etc/x", ERR_DUPLICATE,
                  "roles/master.yaml:10:12: duplicate path `/etc/x`", "given first at roles/master.yaml:9:12" },
                { "releases/r.yaml", "squashfs: {level: 6}", "  - {name: one, baseurl: 'http://x/', trust: digest}",
                  ERR_DUPLICATE, "releases/r.yaml:5:12: two repositories are called `one`", "releases/r.yaml:2:5" },
        };
        check_samples(samples, lengthof(samples));
}

static void cluster_checks(void) {
        static const struct sample samples[] = {
                { "c.yaml", "  - {name: m3, role: master, ip: 10.1.0.13, id: 3, mac: '52:54:00:00:00:03'}\n", "",
                  ERR_CLUSTER, "c.yaml:12:22: role `master` is an ensemble of 2 nodes: the number must be odd",
                  "hint: 2 nodes survive" },
                { "c.yaml", "ip: 10.1.0.11, id: 1", "ip: 10.1.0.11", ERR_CLUSTER,
                  "c.yaml:11:5: node `m1` needs an `id`: role `master` is an ensemble", NULL },
                { "c.yaml", "10.2.0.21", "10.3.0.21", ERR_CLUSTER,
                  "c.yaml:14:33: address 10.3.0.21 is in no network's subnet", NULL },
                { "c.yaml", "10.2.0.21", "10.2.0.0", ERR_CLUSTER,
                  "c.yaml:14:33: address 10.2.0.0 is the network address of network `far`", NULL },
                { "c.yaml", "10.2.0.21", "10.2.0.255", ERR_CLUSTER,
                  "c.yaml:14:33: address 10.2.0.255 is the broadcast address of network `far`", NULL },
                { "c.yaml", "10.2.0.21", "10.1.0.1", ERR_CLUSTER,
                  "c.yaml:14:33: address 10.1.0.1 is the gateway of network `lan`", NULL },
                { "c.yaml", "10.2.0.21", "10.1.0.100", ERR_CLUSTER,
                  "c.yaml:14:33: address 10.1.0.100 is in the DHCP pool of network `lan`", NULL },
                { "c.yaml", "10.1.0.90", "10.9.0.90", ERR_CLUSTER,
                  "c.yaml:8:21: VIP 10.9.0.90 is in no network's subnet", NULL },
                { "c.yaml", "10.1.0.90", "10.1.0.150", ERR_CLUSTER, "c.yaml:8:21: VIP 10.1.0.150 is in the DHCP pool",
                  NULL },
                { "c.yaml", "10.1.0.90", "10.1.0.12", ERR_CLUSTER,
                  "c.yaml:8:21: VIP 10.1.0.12 is the address of node `m2`", NULL },
                { "c.yaml", "gateway: 10.1.0.1", "gateway: 10.2.0.1", ERR_CLUSTER,
                  "c.yaml:5:47: gateway 10.2.0.1 is not inside the subnet of network `lan`", NULL },
                { "c.yaml", "gateway: 10.1.0.1", "gateway: 10.1.0.255", ERR_CLUSTER,
                  "c.yaml:5:47: gateway 10.1.0.255 is the broadcast address", NULL },
                { "c.yaml", "gateway: 10.1.0.1", "gateway: 10.1.0.120", ERR_CLUSTER,
                  "c.yaml:5:65: the DHCP pool holds the gateway", NULL },
                { "c.yaml", "10.1.0.100-10.1.0.150", "10.1.0.150-10.1.0.100", ERR_CLUSTER,
                  "c.yaml:5:63: the DHCP pool ends before it begins", NULL },
                { "c.yaml", "10.1.0.100-10.1.0.150", "10.1.0.100-10.1.1.150", ERR_CLUSTER,
                  "c.yaml:5:63: the DHCP pool is not inside", NULL },
                { "c.yaml", "10.1.0.100-10.1.0.150", "10.1.0.100-10.1.0.255", ERR_CLUSTER,
                  "c.yaml:5:63: the DHCP pool holds the network or broadcast address", NULL },
                { "c.yaml", "10.2.0.0/24", "10.0.0.0/8", ERR_CLUSTER,
                  "c.yaml:6:25: the subnets of `far` and `lan` overlap", NULL },
                { "c.yaml", "10.2.0.0/24", "10.1.0.128/25", ERR_CLUSTER,
                  "c.yaml:6:25: the subnets of `lan` and `far` overlap", NULL },
                { "c.yaml", "role: plain, vrrp_id: 9", "role: spare, vrrp_id: 9", ERR_CLUSTER,
                  "c.yaml:8:38: no node has role `spare`", NULL },
                { "c.yaml", "variables: {a: 1}", "dhcp_options: {node: 223}", ERR_SCHEMA,
                  "c.yaml:15:22: `node` must be an option of 224 to 254", NULL },
                { "c.yaml", "variables: {a: 1}", "dhcp_options: {id: '43.255'}", ERR_SCHEMA,
                  "c.yaml:15:20: `id` must be an option of 224 to 254", NULL },
                { "c.yaml", "variables: {a: 1}", "dhcp_options: {node: 43.1, id: 43.1}", ERR_DUPLICATE,
                  "c.yaml:15:32: duplicate DHCP option `43.1`", "it is given first at c.yaml:15:22" },
                { "c.yaml", "variables: {a: 1}", "dhcp_client_id: uuid", ERR_SCHEMA,
                  "c.yaml:15:17: `dhcp_client_id` must be `mac` or `duid`", NULL },
        };
        check_samples(samples, lengthof(samples));
}

// A second card of p1, in line 15.
#define LINKS(text) "c.yaml", "10.2.0.21}", "10.2.0.21, mac: '52:54:00:00:00:0a',\n    links: [{" text "}]}"
#define CARD "mac: '52:54:00:00:00:0b', "

static void link_checks(void) {
        static const struct sample samples[] = {
                { LINKS("ip: 10.1.0.21"), ERR_SCHEMA, "c.yaml:15:13: a link needs `mac`, or `bond`", NULL },
                { LINKS(CARD "mtu: 1400"), ERR_SCHEMA, "c.yaml:15:13: a link needs `ip`, or `dhcp: true`", NULL },
                { LINKS(CARD "ip: 10.1.0.21, dhcp: true"), ERR_CLUSTER,
                  "c.yaml:15:61: a link has an `ip`, or asks for one by `dhcp`", NULL },
                { LINKS(CARD "ip: 10.9.0.21"), ERR_CLUSTER, "c.yaml:15:44: address 10.9.0.21 is in no network's subnet",
                  NULL },
                { LINKS(CARD "ip: 10.1.0.21, network: far"), ERR_CLUSTER,
                  "c.yaml:15:44: address 10.1.0.21 is not inside the subnet of network `far`, which the link names",
                  NULL },
                { LINKS(CARD "dhcp: true, network: fra"), ERR_REFERENCE, "c.yaml:15:61: unknown network `fra`",
                  "did you mean `far`?" },
                { LINKS(CARD "ip: 10.1.0.11"), ERR_CLUSTER, "c.yaml:15:44: address 10.1.0.11 is the `ip` of node `m1`",
                  NULL },
                { LINKS(CARD "ip: 10.1.0.90"), ERR_CLUSTER, "c.yaml:15:44: address 10.1.0.90 is VIP `web`", NULL },
                { LINKS(CARD "ip: 10.1.0.21, addresses: 10.1.0.21"), ERR_DUPLICATE,
                  "c.yaml:15:66: duplicate IP address `10.1.0.21`", "given first at c.yaml:15:44" },
                { LINKS("mac: '52:54:00:00:00:0a', dhcp: true"), ERR_DUPLICATE,
                  "c.yaml:15:19: duplicate MAC address `52:54:00:00:00:0a`", "given first at c.yaml:14:49" },
                { LINKS("mac: '52:54:00:00:00:01', dhcp: true"), ERR_DUPLICATE,
                  "c.yaml:15:19: duplicate MAC address `52:54:00:00:00:01`", "given first at c.yaml:11:57" },
                { LINKS(CARD "dhcp: true}, {" CARD "ip: 10.1.0.21"), ERR_DUPLICATE,
                  "c.yaml:15:59: duplicate MAC address `52:54:00:00:00:0b`", "given first at c.yaml:15:19" },
                { LINKS(CARD "dhcp: true, name: lo"), ERR_DUPLICATE,
                  "c.yaml:15:58: duplicate name of an interface `lo`", NULL },
                { LINKS(CARD "dhcp: true, default_route: true}, {mac: '52:54:00:00:00:0c', "
                             "ip: 10.1.0.21, default_route: true"),
                  ERR_CLUSTER, "c.yaml:15:131: node `p1` has one default route, and two links with `default_route`",
                  "the other one is at c.yaml:15:67" },
                { LINKS(CARD "ip: 10.2.0.22, default_route: true"), ERR_CLUSTER,
                  "c.yaml:15:70: network `far` has no `gateway` for a default route", NULL },
                { LINKS(CARD "ip: 10.1.0.21, routes: [10.7.0.0/16 via 10.2.0.7]"), ERR_CLUSTER,
                  "c.yaml:15:64: the route's router 10.2.0.7 is not inside the subnet of network `lan`", NULL },
                { LINKS(CARD "bond: {members: ['52:54:00:00:00:0b'], mode: active-backup}, dhcp: true"), ERR_SCHEMA,
                  "c.yaml:15:19: a link has `mac`, or `bond`", NULL },
                { LINKS("bond: {members: ['52:54:00:00:00:0a'], mode: active-backup}, dhcp: true"), ERR_DUPLICATE,
                  "c.yaml:15:31: duplicate MAC address `52:54:00:00:00:0a`", "given first at c.yaml:14:49" },
                { LINKS("bond: {members: ['52:54:00:00:00:0b']}, dhcp: true"), ERR_SCHEMA,
                  "c.yaml:15:20: `bond` needs `mode`", NULL },
                { "c.yaml", "10.2.0.21}", "10.2.0.21, links: [{" CARD "dhcp: true}]}", ERR_CLUSTER,
                  "c.yaml:14:51: node `p1` has `links`, and no `mac`", NULL },
                { "c.yaml", "10.2.0.21}",
                  "10.2.0.21, mac: '52:54:00:00:00:0a', interface: x,\n    links: [{" CARD "dhcp: true, name: x}]}",
                  ERR_DUPLICATE, "c.yaml:15:58: duplicate name of an interface `x`", "given first at c.yaml:14:81" },
        };
        check_samples(samples, lengthof(samples));
}

static void references(void) {
        static const struct sample samples[] = {
                { "c.yaml", "role: plain, ip", "role: plian, ip", ERR_REFERENCE,
                  "c.yaml:14:22: unknown role `plian`: there is no roles/plian.yaml\n", "did you mean `plain`?" },
                { "c.yaml", "role: plain, vrrp_id: 9", "role: storage, vrrp_id: 9", ERR_REFERENCE,
                  "c.yaml:8:38: unknown role `storage`", "there are: base, master, plain" },
                { "c.yaml", "release: r", "release: centos", ERR_REFERENCE,
                  "c.yaml:2:10: unknown release `centos`: there is no releases/centos.yaml", "there are: r" },
                { "c.yaml", "variables: {a: 1}", "roles: [masters]", ERR_REFERENCE,
                  "c.yaml:15:9: unknown role `masters`", "did you mean `master`?" },
                { "c.yaml", "role: plain, ip", "role: ../x, ip", ERR_SCHEMA, "c.yaml:14:22: `role` must be a name",
                  NULL },
                { "roles/master.yaml", "inherits: base", "inherits: [bsae]", ERR_REFERENCE,
                  "roles/master.yaml:1:12: unknown role `bsae`", "did you mean `base`?" },
                { "roles/base.yaml", "packages: [bash]", "inherits: [master]", ERR_REFERENCE,
                  "roles/base.yaml:1:12: role `master` inherits itself through `base`", NULL },
                { "roles/master.yaml", "source: y.conf", "source: y.cnf", ERR_REFERENCE,
                  "roles/master.yaml:10:28: no such file: roles/y.cnf", "did you mean `y.conf`?" },
                { "roles/master.yaml", "remove: [/etc/r]", "overlays: [mroe]", ERR_REFERENCE,
                  "roles/master.yaml:13:11: role `master`: no overlay folder overlays/mroe", "did you mean `more`?" },
                { "roles/master.yaml", "remove: [/etc/r]", "kickstart: bas.ks.tmpl", ERR_REFERENCE,
                  "roles/master.yaml:13:12: no such file: kickstart/bas.ks.tmpl", "did you mean `base.ks.tmpl`?" },
                { "roles/master.yaml", "{path: /etc/o,", "{path: /etc/oo,", ERR_REFERENCE,
                  "roles/master.yaml:12:14: no overlay or `files` of role `master` holds `/etc/oo`",
                  "did you mean `/etc/o`?" },
        };
        check_samples(samples, lengthof(samples));
}

static void arguments_that_do_not_reach_the_kernel(void) {
        static const char *const bad[] = { "'&&'",      "'||'",    "';'", "'#a=b'", "a=$x",
                                           "'a={{x}}'", "'a=\"x'", "a`x", "a\\x",   "\"a='x\"" };
        static const char *const good_arguments[] = { "a=b&&c", "a;b", "a#b", "a||b", "a=b,c:d@e!" };
        for (size_t i = 0; i < lengthof(bad); i++) {
                auto_free char *list = xasprintf("[quiet, %s]", bad[i]);
                auto_free char *role = changed("roles/master.yaml", "[quiet]", list);
                auto_err err = { 0 };
                write_good();
                write_file("roles/master.yaml", role);
                EXPECT(!load(&err) && err.kind == ERR_SCHEMA);
                EXPECT(err.text && strncmp(err.text, "roles/master.yaml:17:27: kernel argument `", 42) == 0);
        }
        for (size_t i = 0; i < lengthof(good_arguments); i++) {
                auto_free char *list = xasprintf("['%s']", good_arguments[i]);
                auto_free char *role = changed("roles/master.yaml", "[quiet]", list);
                write_good();
                write_file("roles/master.yaml", role);
                EXPECT_OK(load(err));
        }
        write_good();
}

// What kiln and the boot loaders add counts: 2,047 bytes in all reach the kernel.
static void command_lines_have_an_end(void) {
        static const struct {
                int bytes;
                bool fits;
        } lengths[] = { { 1000, true }, { 2000, false }, { 2048, false }, { 5000, false } };
        for (size_t i = 0; i < lengthof(lengths); i++) {
                auto_free char *list = xasprintf("[a=%0*d]", lengths[i].bytes - 2, 0);
                auto_free char *role = changed("roles/master.yaml", "[quiet]", list);
                auto_err err = { 0 };
                write_good();
                write_file("roles/master.yaml", role);
                EXPECT(load(&err) == lengths[i].fits);
                if (!lengths[i].fits)
                        EXPECT(
                            strstr(text_or(err.text, ""), "yaml:17:20: the kernel arguments of role `master` take "));
        }
        write_good();
}

static void role_errors(void) {
        static const struct sample samples[] = {
                { "roles/master.yaml", "ensemble: true", "ensemble: 'true'", ERR_SCHEMA,
                  "roles/master.yaml:2:11: `ensemble` must be `true` or `false`, not the quoted text `true`", NULL },
                { "roles/master.yaml", "ensemble: true", "ensemble: maybe", ERR_SCHEMA,
                  "roles/master.yaml:2:11: `ensemble` must be `true` or `false`, not `maybe`", NULL },
                { "roles/master.yaml", "ensemble: true", "pacakges: [x]", ERR_SCHEMA,
                  "roles/master.yaml:2:1: unknown key `pacakges` in a role file", "did you mean `packages`?" },
                { "roles/master.yaml", "{enable: [a]", "{enabled: [a]", ERR_SCHEMA,
                  "roles/master.yaml:3:12: unknown key `enabled` in `services`", "did you mean `enable`?" },
                { "roles/master.yaml", "disable: [b]", "disable: [a.service]", ERR_SCHEMA,
                  "roles/master.yaml:3:35: `a.service` is in services.disable and in services.enable",
                  "roles/master.yaml:3:21" },
                { "roles/master.yaml", "cluster: [c]", "cluster: [b]", ERR_SCHEMA,
                  "roles/master.yaml:3:35: `b.service` is in services.disable and in services.cluster", NULL },
                { "roles/master.yaml", "enable: [a]", "enable: ['a b']", ERR_SCHEMA,
                  "roles/master.yaml:3:21: `enable` must be a unit name", NULL },
                { "roles/master.yaml", "net.ipv4.ip_forward: 1", "ip_forward: 1", ERR_SCHEMA,
                  "roles/master.yaml:4:10: `ip_forward` must be a parameter such as", NULL },
                { "roles/master.yaml", "net.ipv4.ip_forward: 1", "net.ipv4.ip_forward: [1]", ERR_SCHEMA,
                  "roles/master.yaml:4:31: `net.ipv4.ip_forward` must be one line", NULL },
                { "roles/master.yaml", "uid: 480", "uid: -1", ERR_SCHEMA,
                  "roles/master.yaml:6:21: `uid` must be from 0 to", NULL },
                { "roles/master.yaml", "name: zk", "name: Zk", ERR_SCHEMA,
                  "roles/master.yaml:6:12: `name` must be a login name", NULL },
                { "roles/master.yaml", "path: /etc/x", "path: etc/x", ERR_SCHEMA,
                  "roles/master.yaml:9:12: `path` must be an absolute path", NULL },
                { "roles/master.yaml", "path: /etc/x", "path: /etc/../x", ERR_SCHEMA,
                  "roles/master.yaml:9:12: `path` must be an absolute path", NULL },
                { "roles/master.yaml", "path: /etc/x", "path: /etc/", ERR_SCHEMA,
                  "roles/master.yaml:9:12: `path` must be an absolute path", NULL },
                { "roles/master.yaml", ", content: x", "", ERR_SCHEMA,
                  "roles/master.yaml:9:5: `/etc/x` needs one of `content`, `source`, `link` and `directory`", NULL },
                { "roles/master.yaml", "content: x", "content: x, link: y", ERR_SCHEMA,
                  "roles/master.yaml:9:38: `/etc/x` has more than one of", NULL },
                { "roles/master.yaml", "content: x", "content: x, mode: 0888", ERR_SCHEMA,
                  "roles/master.yaml:9:38: `mode` must be an octal mode from 0000 to 7777, not `0888`", NULL },
                { "roles/master.yaml", "content: x", "content: x, owner: 'a b'", ERR_SCHEMA,
                  "roles/master.yaml:9:39: `owner` must be a user or group name", NULL },
                { "roles/master.yaml", "remove: [/etc/r]", "remove: [/etc/x]", ERR_SCHEMA,
                  "roles/master.yaml:9:12: `/etc/x` is in `files` and in `remove`", "roles/master.yaml:13:10" },
                { "roles/master.yaml", "remove: [/etc/r]", "remove: /etc/r", ERR_SCHEMA,
                  "roles/master.yaml:13:9: `remove` must be a list of absolute paths, not `/etc/r`", NULL },
                { "roles/master.yaml", "kind: tcp", "kind: udp", ERR_SCHEMA,
                  "roles/master.yaml:15:26: `kind` must be `tcp`, `http`, `text` or `zookeeper`, not `udp`", NULL },
                { "roles/master.yaml", "port: 80", "port: 65536", ERR_SCHEMA,
                  "roles/master.yaml:15:37: `port` must be from 1 to 65535", NULL },
                { "roles/master.yaml", "port: 80", "port: 80, path: /x", ERR_SCHEMA,
                  "roles/master.yaml:15:47: `path` is for checks of kind `http`", NULL },
                { "roles/master.yaml", "default_target: multi-user.target", "default_target: multi-user", ERR_SCHEMA,
                  "roles/master.yaml:16:17: `default_target` must be a unit name that ends in .target", NULL },
                { "roles/master.yaml", "[quiet]", "[quiet splash]", ERR_SCHEMA,
                  "roles/master.yaml:17:20: `kernel_arguments` must be one kernel argument without spaces", NULL },
                { "roles/plain.yaml", "{inherits: base}", "[base]", ERR_SCHEMA,
                  "roles/plain.yaml:1:1: a role file must be a map, not a list", NULL },
                { "roles/plain.yaml", "{inherits: base}", "{inherits: base", ERR_SYNTAX,
                  "roles/plain.yaml:2:1: not valid YAML", NULL },
        };
        check_samples(samples, lengthof(samples));
}

static void release_errors(void) {
        static const struct sample samples[] = {
                { "releases/r.yaml", "baseurl: ../repo", "baseurl: ftp://x/", ERR_SCHEMA,
                  "releases/r.yaml:3:14: `ftp` URLs are not supported: ftp://x/", "use http, https or file" },
                { "releases/r.yaml", "    baseurl: ../repo\n", "", ERR_SCHEMA,
                  "releases/r.yaml:2:5: repository `one` needs `baseurl`, `mirrorlist` or `metalink`", NULL },
                { "releases/r.yaml", "trust: digest", "trust: signature", ERR_SCHEMA,
                  "releases/r.yaml:2:5: repository `one` has no `gpgkeys`", "`trust: digest`" },
                { "releases/r.yaml", "trust: digest", "trust: diggest", ERR_SCHEMA,
                  "releases/r.yaml:4:12: `trust` must be `signature` or `digest`, not `diggest`",
                  "did you mean `digest`?" },
                { "releases/r.yaml", "level: 6", "level: 13", ERR_SCHEMA,
                  "releases/r.yaml:5:19: `level` of gzip must be from 1 to 12, not 13", NULL },
                { "releases/r.yaml", "level: 6", "block_size: 100000", ERR_SCHEMA,
                  "releases/r.yaml:5:24: `block_size` must be a power of two", NULL },
                { "releases/r.yaml", "level: 6", "compressor: lz4", ERR_SCHEMA,
                  "releases/r.yaml:5:24: `compressor` must be `gzip`, `xz` or `zstd`, not `lz4`", NULL },
                { "releases/r.yaml", "rpmdb: bdb", "rpmdb: ndb", ERR_SCHEMA,
                  "releases/r.yaml:6:8: `rpmdb` must be `sqlite` or `bdb`, not `ndb`", NULL },
                { "releases/r.yaml", "rpmdb: bdb", "package_names: {a: {b: c}}", ERR_SCHEMA,
                  "releases/r.yaml:6:20: `a` must be a name, a list of names or null, not a map", NULL },
                { "releases/r.yaml", "rpmdb: bdb", "kernel: {image: boot/x}", ERR_SCHEMA,
                  "releases/r.yaml:6:17: `image` must be an absolute path", NULL },
                { "releases/r.yaml", "trust: digest", "fingerprints: [12]", ERR_SCHEMA,
                  "releases/r.yaml:4:20: `fingerprints` must be a fingerprint", NULL },
        };
        check_samples(samples, lengthof(samples));
}

// Mistakes that only the joined role shows.
static void joined_errors(void) {
        static const struct sample samples[] = {
                { "roles/base.yaml", "packages: [bash]", "users: [{name: other, uid: 480}]", ERR_DUPLICATE,
                  "roles/master.yaml:6:5: duplicate uid in role `master`: `480`",
                  "given first at roles/base.yaml:1:9" },
                { "roles/base.yaml", "packages: [bash]", "files: [{path: /etc/o/below, content: x}]", ERR_SCHEMA,
                  "roles/base.yaml:1:9: `/etc/o/below` is below `/etc/o`, which is a file", "overlays/master/etc/o" },
        };
        check_samples(samples, lengthof(samples));
}

// One member is allowed, but not in silence.
static void warns_of_one_member(void) {
        write_good();
        write_file("one.yaml", "cluster: one\nrelease: r\npaths: {overlays: overlays, kickstart: kickstart}\n"
                               "networks: [{name: n, subnet: 10.0.0.0/8}]\n"
                               "nodes: [{name: m, role: master, ip: 10.0.0.9, id: 1}]\nvariables: {a: 1}\n");
        fflush(stderr);
        auto_close int saved = dup(STDERR_FILENO),
                       file = open("warnings", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        EXPECT(saved >= 0 && file >= 0 && dup2(file, STDERR_FILENO) >= 0);
        progress_setup(PROGRESS_PLAIN);
        struct cluster *cluster = NULL;
        EXPECT_OK(cluster_load("one.yaml", NULL, &cluster, err));
        progress_setup(PROGRESS_QUIET);
        EXPECT(dup2(saved, STDERR_FILENO) >= 0);
        cluster_free(cluster);
        auto_buf text = { 0 };
        EXPECT_OK(fs_read(AT_FDCWD, "warnings", &text, err));
        EXPECT(strstr(buf_text(&text), "one.yaml:5:25: role `master` is an ensemble of one node") != NULL);
}

static void template_errors(void) {
        static const struct sample samples[] = {
                { "roles/master.yaml", "{{variables.a}}", "{{variables.b}}", ERR_TEMPLATE,
                  "/etc/z (roles/master.yaml:11:5):1:1: unknown variable `variables.b`: `variables` has no `b`", NULL },
                { "overlays/master/etc/t.tmpl", "{{variables.a}}", "{{varaibles.a}}", ERR_TEMPLATE,
                  "overlays/master/etc/t.tmpl:1:13: unknown variable `varaibles.a`\n    {{node.ip}} {{varaibles.a}}\n  "
                  "              ^",
                  "did you mean `variables`?" },
                { "overlays/master/etc/t.tmpl", "{{node.ip}}", "\n {{node.pi}}", ERR_TEMPLATE,
                  "on nodes m1, m2, m3: overlays/master/etc/t.tmpl:2:2: unknown variable `node.pi`: `node` has no "
                  "`pi`\n     "
                  "{{node.pi}} 1",
                  "did you mean `node.ip`?" },
                { "overlays/master/etc/t.tmpl", "{{node.ip}}", "{{#nodes}}", ERR_TEMPLATE,
                  "overlays/master/etc/t.tmpl:1:1: the section `nodes` is not ended", NULL },
                { "roles/master.yaml", "content: '{{variables.a}}'", "link: '{{node.ip}}'", ERR_TEMPLATE,
                  "/etc/z (roles/master.yaml:11:5): the target of a link cannot wait for the node", NULL },
        };
        check_samples(samples, lengthof(samples));
}

// The builder could render it, but a node reads no more than a megabyte of a template.
static void templates_that_no_node_reads(void) {
        auto_buf text = { 0 };
        auto_err err = { 0 };
        buf_append_text(&text, "{{node.ip}}");
        while (text.size <= NODE_TEMPLATE_MAX_BYTES)
                buf_append_text(&text, "a line of a template\n");
        write_good();
        write_file("overlays/master/etc/t.tmpl", buf_text(&text));
        auto_free char *want = xasprintf("overlays/master/etc/t.tmpl: %zu bytes are left for the node", text.size);
        EXPECT(!load(&err) && err.kind == ERR_TEMPLATE && strstr(err.text, want));
        if (err.text && !strstr(err.text, want))
                printf("# %.200s\n# %s\n", err.text, want);
        write_good();
}

int main(void) {
        progress_setup(PROGRESS_QUIET);
        if (!mkdtemp(directory) || chdir(directory) < 0)
                return 1;
        snprintf(directory, sizeof directory, ".");
        RUN(cluster_schema_errors);
        RUN(duplicates);
        RUN(cluster_checks);
        RUN(link_checks);
        RUN(references);
        RUN(arguments_that_do_not_reach_the_kernel);
        RUN(command_lines_have_an_end);
        RUN(role_errors);
        RUN(release_errors);
        RUN(template_errors);
        RUN(joined_errors);
        RUN(warns_of_one_member);
        RUN(templates_that_no_node_reads);
        auto_free char *here = getcwd(NULL, 0);
        auto_err err = { 0 };
        if (chdir("/") < 0 || !fs_remove_tree(AT_FDCWD, here, &err))
                return 1;
        return test_done();
}
