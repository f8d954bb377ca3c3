// SPDX-License-Identifier: MIT
// Whom a role's `firewall` means: addresses of the inventory, of pools and of operators, in as few subnets as hold
// them.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/progress.h"
#include "profile/profile.h"
#include "shared/template.h"
#include "tests/unit/test.h"

static void write_file(const char *name, const char *text) {
        EXPECT_OK(fs_mkdirs_for(AT_FDCWD, name, 0755, err));
        EXPECT_OK(fs_write_atomic(AT_FDCWD, name, text, strlen(text), 0644, err));
}

static void write_profiles(void) {
        write_file("p/cluster.yaml",
                   "cluster: test\nrelease: one\nstatus_port: 5199\nadmin_networks: [10.9.0.77/24]\nnetworks:\n"
                   "  - {name: lan, subnet: 192.168.2.0/24, dhcp: 192.168.2.150-192.168.2.199}\n"
                   "  - {name: store, subnet: 10.20.0.0/16}\n"
                   "nodes:\n"
                   "  - {name: d1, role: door, ip: 192.168.2.8, addresses: [10.20.0.8]}\n"
                   "  - {name: d2, role: door, ip: 192.168.2.9}\n"
                   "  - {name: d3, role: door, ip: 192.168.2.11}\n"
                   "  - {name: w1, role: worker, ip: 192.168.2.149}\n");
        write_file("p/releases/one.yaml", "repositories: [{name: r, baseurl: /srv/repo, trust: digest}]\n");
        write_file("p/roles/old.yaml", "firewall: [{name: old, port: 1, from: any}]\n");
        write_file("p/roles/absent.yaml", "description: no machine has it\n");
        write_file("p/roles/door.yaml", "inherits: old\nfirewall:\n"
                                        "  - {port: [80, 8000-8100], from: door}\n"
                                        "  - {protocol: vrrp, from: [worker, door]}\n"
                                        "  - {port: 2, from: [172.16.5.4/12, admin], protocol: udp}\n"
                                        "  - {port: 3, from: absent}\n"
                                        "health: [{name: web, kind: http, port: 80}]\n");
        write_file("p/roles/worker.yaml", "strangers: true\nfirewall: [{port: 4, from: cluster}]\n");
}

static void expect_rules(const char *role, const char *want) {
        static const char template[] =
            "{{#role.firewall}}{{name}} {{number}}/{{protocol}} {{port}} {{source}}\n{{/role.firewall}}";
        struct cluster *cluster = NULL;
        EXPECT_OK(cluster_load("p/cluster.yaml", NULL, &cluster, err));
        if (!cluster)
                return;
        struct value *scope = cluster_scope(&cluster->arena, cluster, cluster_find_role(cluster, role));
        auto_buf output = { 0 };
        EXPECT_OK(template_render("t", template, strlen(template), scope, "node", &output, NULL, err));
        EXPECT_TEXT(buf_text(&output), want);
        cluster_free(cluster);
}

static void rules_name_addresses(void) {
        expect_rules("door", "old 6/tcp 1 0.0.0.0/0\n"
                             " 6/tcp 80 10.20.0.8/32\n 6/tcp 8000:8100 10.20.0.8/32\n"
                             " 6/tcp 80 192.168.2.8/31\n 6/tcp 8000:8100 192.168.2.8/31\n"
                             " 6/tcp 80 192.168.2.11/32\n 6/tcp 8000:8100 192.168.2.11/32\n"
                             " 112/vrrp  10.20.0.8/32\n 112/vrrp  192.168.2.8/31\n 112/vrrp  192.168.2.11/32\n"
                             " 112/vrrp  192.168.2.149/32\n 112/vrrp  192.168.2.150/31\n 112/vrrp  192.168.2.152/29\n"
                             " 112/vrrp  192.168.2.160/27\n 112/vrrp  192.168.2.192/29\n"
                             " 17/udp 2 10.9.0.0/24\n 17/udp 2 172.16.0.0/12\n"
                             "health of web 6/tcp 80 10.9.0.0/24\nhealth of the machine 6/tcp 5199 10.9.0.0/24\n");
}

// The pool is there because one role takes machines that the inventory does not know.
static void the_cluster_is_every_node(void) {
        expect_rules("worker", " 6/tcp 4 10.20.0.8/32\n 6/tcp 4 192.168.2.8/31\n 6/tcp 4 192.168.2.11/32\n"
                               " 6/tcp 4 192.168.2.149/32\n 6/tcp 4 192.168.2.150/31\n 6/tcp 4 192.168.2.152/29\n"
                               " 6/tcp 4 192.168.2.160/27\n 6/tcp 4 192.168.2.192/29\n"
                               "health of the machine 6/tcp 5199 10.9.0.0/24\n");
}

int main(void) {
        static char directory[] = "/tmp/kiln-firewall-XXXXXX";
        progress_setup(PROGRESS_QUIET);
        if (!mkdtemp(directory) || chdir(directory) < 0)
                return 1;
        write_profiles();
        RUN(rules_name_addresses);
        RUN(the_cluster_is_every_node);
        auto_err err = { 0 };
        if (chdir("/") < 0 || !fs_remove_tree(AT_FDCWD, directory, &err))
                return 1;
        return test_done();
}
