// SPDX-License-Identifier: MIT
// Whole profiles: inheritance, the release's names, overlays, overrides, scope, several mistakes at once.
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "profile/profile.h"
#include "shared/template.h"
#include "tests/unit/test.h"

static void write_file(const char *name, const char *text) {
        EXPECT_OK(fs_mkdirs_for(AT_FDCWD, name, 0755, err));
        EXPECT_OK(fs_write_atomic(AT_FDCWD, name, text, strlen(text), 0644, err));
}

static void write_profiles(void) {
        write_file(
            "p/cluster.yaml",
            "cluster: test\nrelease: one\nroles: [spare]\nnetworks:\n"
            "  - {name: lan, subnet: 192.168.2.0/24, gateway: 192.168.2.1, dns: [192.168.2.1, 8.8.8.8]}\n"
            "  - {name: link, subnet: 10.0.0.0/31}\n"
            "vips: [{name: web, ip: 192.168.2.90, role: app, vrrp_id: 90}]\n"
            "nodes:\n"
            "  - {name: a1, role: app, ip: 192.168.2.11, mac: 52-54-00-A8-02-47, id: 7, variables: {weight: 5}}\n"
            "  - {name: b1, role: base, ip: 10.0.0.0, id: 3}\n"
            "  - {name: a2, role: app, ip: 192.168.2.12}\n"
            "variables: {greeting: hello, list: [x]}\nreport_url: http://192.168.2.1/report\n");
        write_file("p/releases/one.yaml",
                   "description: first\nrepositories:\n"
                   "  - {name: r, baseurl: [../../repo, 'http://example.org/'], gpgkeys: [KEY],\n"
                   "     fingerprints: ['8102 6d00 04c4 4cf7 ef55  adf8 df7d 54cb e561 51bf'], priority: 5, excludes: "
                   "['*.i686']}\n"
                   "package_names: {httpd: apache, nothing: null, java: [jre, jdk]}\n"
                   "service_names: {chronyd: chrony, old.service: new, gone: null}\n"
                   "kernel: {package: linux}\nvariables: {v: 1}\n");
        write_file("p/releases/two.yaml", "repositories: [{name: r, baseurl: /srv/repo, trust: digest}]\n");
        write_file("p/roles/base.yaml",
                   "description: base\npackages: [bash, httpd, nothing]\nensemble: true\nstrangers: true\n"
                   "services: {enable: [chronyd, sshd, x.socket], disable: [web]}\nsysctl: {net.a: 1, net.b: 2}\n"
                   "users: [{name: u, uid: 10, system: true}, {name: v}]\n"
                   "files: [{path: /etc/both, content: base}, {path: /etc/motd, content: base}]\n"
                   "remove: [/etc/gone, /etc/back]\nstate: [{path: /var/a}]\nkernel_arguments: [quiet, a=1]\n"
                   "health: [{name: ssh, kind: tcp, port: 22}]\ndefault_target: base.target\n"
                   "overlay_size: 30%\nreboot_delay_s: 0\n");
        write_file("p/roles/extra.yaml", "{inherits: base, packages: [java, bash], strangers: false}\n");
        write_file("p/roles/app.yaml",
                   "inherits: [base, extra]\non_failure: reboot\ndescription: app\nensemble: no\npackages: "
                   "[nginx]\noverlays: [shared]\n"
                   "services: {enable: [web], disable: [sshd], cluster: [app, old]}\nsysctl: {net.b: 3}\n"
                   "users: [{name: u, uid: 11, home: /u, groups: [adm]}]\n"
                   "files:\n  - {path: /etc/both, content: app, mode: 600, owner: u}\n"
                   "  - {path: /etc/back, source: ../back.conf}\n  - {path: /etc/l, link: ../x}\n"
                   "  - {path: /etc/tl, link: '../{{variables.greeting}}', template: true}\n"
                   "remove: [/etc/motd]\nattributes: [{path: /usr/bin/run, owner: '33', mode: 4711}]\n"
                   "state: [{path: /var/b, mode: 0700}]\nkernel_arguments: [b=2, a=1]\n");
        write_file("p/roles/spare.yaml", "{packages: [vim], services: {enable: [gone]}}\n");
        write_file("p/back.conf", "back\n");
        write_file("overlays/base/etc/conf.tmpl", "{{variables.greeting}} {{node.name}}\n");
        write_file("overlays/base/etc/over", "base\n");
        write_file("overlays/shared/etc/over", "shared\n");
        write_file("overlays/shared/etc/shared", "shared\n");
        write_file("overlays/app/etc/over", "app\n");
        write_file("overlays/app/usr/bin/run", "#!/bin/sh\n");
        if (!fs_exists(AT_FDCWD, "overlays/app/etc/link"))
                EXPECT(symlink("../over", "overlays/app/etc/link") == 0);
        write_file("kickstart/base.ks.tmpl", "base\n");
        write_file("kickstart/spare.ks.tmpl", "spare\n");
}

static struct cluster *load(const struct profile_options *options) {
        struct cluster *cluster = NULL;
        EXPECT_OK(cluster_load("p/cluster.yaml", options, &cluster, err));
        if (!cluster)
                exit(1); // every test below needs it
        return cluster;
}

static char *joined(const struct strings *strings) {
        struct buf buf = { 0 };
        for (size_t i = 0; i < strings->count; i++)
                buf_printf(&buf, "%s%s", i ? " " : "", strings->items[i]);
        return buf_take(&buf);
}

#define EXPECT_JOINED(strings, want)                                                                                   \
        do {                                                                                                           \
                auto_free char *all_ = joined(strings);                                                                \
                EXPECT_TEXT(all_, want);                                                                               \
        } while (0)

static const struct file *find_file(const struct role *role, const char *path) {
        for (size_t i = 0; i < role->file_count; i++)
                if (strcmp(role->files[i].path, path) == 0)
                        return &role->files[i];
        return NULL;
}

static void joins_roles(void) {
        struct cluster *cluster = load(NULL);
        const struct role *app = cluster_find_role(cluster, "app");
        EXPECT_TEXT(app->description, "app");
        EXPECT(!app->ensemble && !app->strangers && app->selected);
        EXPECT_JOINED(&app->packages, "bash apache jre jdk nginx");
        EXPECT_JOINED(&app->services_enable, "chrony.service x.socket web.service");
        EXPECT_JOINED(&app->services_disable, "sshd.service");
        EXPECT_JOINED(&app->services_cluster, "app.service new.service");
        EXPECT_JOINED(&app->remove, "/etc/gone /etc/motd");
        EXPECT_JOINED(&app->kernel_arguments, "quiet a=1 b=2");
        EXPECT_TEXT(app->default_target, "base.target");
        EXPECT_TEXT(app->overlay_size, "30%");
        EXPECT_TEXT(app->on_failure, "reboot");
        EXPECT(app->reboot_delay_s == 0);
        EXPECT(app->sysctl->count == 2);
        EXPECT_TEXT(value_get(app->sysctl, "net.b")->text, "3");
        EXPECT(app->user_count == 2 && app->users[0].uid == 11 && !app->users[0].system && app->users[1].uid == -1);
        EXPECT_TEXT(app->users[0].home, "/u");
        EXPECT_TEXT(app->users[1].home, "/home/v");
        EXPECT_TEXT(app->users[1].shell, "/bin/bash");
        EXPECT(app->state_count == 2 && app->state[0].mode == 0755 && app->state[1].mode == 0700);
        EXPECT(app->health_count == 1 && app->health[0].port == 22);
        EXPECT(app->node_count == 2 && app->nodes[0] == 0 && app->nodes[1] == 2);
        EXPECT(strstr(app->kickstart, "/kickstart/base.ks.tmpl") && app->kickstart[0] == '/');
        const struct role *spare = cluster_find_role(cluster, "spare");
        EXPECT(spare && spare->node_count == 0 && spare->services_enable.count == 0);
        EXPECT_TEXT(spare->default_target, "multi-user.target");
        EXPECT_TEXT(spare->overlay_size, "50%");
        EXPECT_TEXT(spare->on_failure, "retry");
        EXPECT(spare->reboot_delay_s == 10);
        EXPECT(strstr(spare->kickstart, "/spare.ks.tmpl") != NULL);
        const struct role *base = cluster_find_role(cluster, "base");
        EXPECT(base->ensemble && base->strangers && base->users[0].uid == 10);
        EXPECT_TEXT(base->users[0].home, "/");
        EXPECT(cluster_find_role(cluster, "extra") == NULL);
        cluster_free(cluster);
}

static void lays_files(void) {
        struct cluster *cluster = load(NULL);
        const struct role *app = cluster_find_role(cluster, "app");
        const struct file *file = find_file(app, "/etc/conf");
        EXPECT(file && file->is_template && file->source[0] == '/' &&
               strstr(file->source, "/overlays/base/etc/conf.tmpl"));
        EXPECT(file->mode == -1 && !file->content && !file->link);
        file = find_file(app, "/etc/over");
        EXPECT(file && strstr(file->source, "/overlays/app/etc/over"));
        EXPECT(find_file(app, "/etc/shared") != NULL);
        file = find_file(app, "/etc/link");
        EXPECT_TEXT(file ? file->link : NULL, "../over");
        file = find_file(app, "/usr/bin/run");
        EXPECT(file && file->mode == 04711);
        EXPECT_TEXT(file->owner, "33");
        EXPECT_TEXT(file->group, "root");
        file = find_file(app, "/etc/both");
        EXPECT_TEXT(file->content, "app");
        EXPECT(file->mode == 0600);
        EXPECT_TEXT(file->owner, "u");
        file = find_file(app, "/etc/back");
        EXPECT(file && access(file->source, R_OK) == 0);
        EXPECT_TEXT(find_file(app, "/etc/tl")->link, "../hello");
        EXPECT(!find_file(app, "/etc/tl")->is_template);
        EXPECT(find_file(app, "/etc/motd") == NULL);
        EXPECT(find_file(cluster_find_role(cluster, "base"), "/etc/motd") != NULL);
        EXPECT_TEXT(find_file(cluster_find_role(cluster, "base"), "/etc/both")->content, "base");
        cluster_free(cluster);
}

static void reads_releases(void) {
        struct cluster *cluster = load(NULL);
        const struct release *release = &cluster->release;
        const struct repository *repository = &release->repositories[0];
        EXPECT_TEXT(release->name, "one");
        EXPECT_TEXT(release->arch, "x86_64");
        EXPECT_TEXT(release->kernel_package, "linux");
        EXPECT_TEXT(release->kernel_image, "/boot/vmlinuz-*");
        EXPECT(release->squashfs_level == 6 && release->squashfs_block_bytes == 131072);
        EXPECT(release->repository_count == 1 && repository->base_urls.count == 2 && repository->priority == 5);
        char here[PATH_MAX];
        EXPECT(realpath(".", here) != NULL);
        auto_free char *url = xasprintf("file://%s/repo", here), *key = xasprintf("%s/p/releases/KEY", here);
        EXPECT_TEXT(repository->base_urls.items[0], url);
        EXPECT_TEXT(repository->base_urls.items[1], "http://example.org/");
        EXPECT_TEXT(repository->keys.items[0], key);
        EXPECT_TEXT(repository->fingerprints.items[0], "81026D0004C44CF7EF55ADF8DF7D54CBE56151BF");
        EXPECT(repository->trust == TRUST_SIGNATURE && !repository->check_metadata_signature &&
               !repository->mirrorlist);
        EXPECT(release->bootloader.isolinux == NULL);
        cluster_free(cluster);
        struct arena arena = { 0 };
        struct release alone;
        EXPECT_OK(release_load("p/releases/two.yaml", &arena, &alone, err));
        EXPECT(alone.repositories[0].trust == TRUST_DIGEST && alone.variables->count == 0);
        EXPECT_TEXT(alone.repositories[0].base_urls.items[0], "file:///srv/repo");
        auto_err err = { 0 };
        EXPECT(!release_load("p/releases/three.yaml", &arena, &alone, &err) && err.kind == ERR_REFERENCE);
        arena_release(&arena);
}

static void reads_nodes(void) {
        struct cluster *cluster = load(NULL);
        const struct node *a1 = cluster_find_node(cluster, "a1"), *b1 = cluster_find_node(cluster, "b1");
        static const unsigned char mac[] = { 0x52, 0x54, 0x00, 0xa8, 0x02, 0x47 };
        EXPECT(a1->has_mac && memcmp(a1->mac, mac, 6) == 0 && a1->id == 7 && a1->network == 0);
        EXPECT(!b1->has_mac && b1->id == 3 && b1->network == 1 && b1->ip.s_addr == inet_addr("10.0.0.0"));
        EXPECT(b1->variables && b1->variables->count == 0);
        EXPECT(cluster->vips[0].network == 0 && cluster->dhcp.timeout_ms == 75000);
        EXPECT_TEXT(cluster->report_url, "http://192.168.2.1/report");
        EXPECT(cluster_find_node(cluster, "zz") == NULL);
        EXPECT(cluster->inputs.count == 15);
        for (size_t i = 0; i < cluster->inputs.count; i++) {
                EXPECT(access(cluster->inputs.items[i], R_OK) == 0);
                EXPECT(i == 0 || strcmp(cluster->inputs.items[i - 1], cluster->inputs.items[i]) < 0);
        }
        cluster_free(cluster);
}

static void obeys_options(void) {
        const char *set[] = {
                "variables.greeting=bye", "variables.new.deep=[1, 2]", "nodes.a2.id=9", "nodes.0.role=base", "vips=[]",
                "variables.empty="
        };
        const char *roles[] = { "base" };
        struct profile_options options = { .release = "two", .set = { set, lengthof(set) - 3 }, .roles = { roles, 1 } };
        struct cluster *cluster = load(&options);
        EXPECT_TEXT(cluster->release.name, "two");
        EXPECT_TEXT(value_get(cluster->variables, "greeting")->text, "bye");
        EXPECT(value_get(value_get(cluster->variables, "new"), "deep")->count == 2);
        EXPECT(cluster_find_node(cluster, "a2")->id == 9);
        EXPECT(cluster_find_role(cluster, "base")->selected && !cluster_find_role(cluster, "app")->selected);
        EXPECT_JOINED(&cluster_find_role(cluster, "app")->packages, "bash httpd nothing java nginx");
        EXPECT(cluster->set.count == 3);
        cluster_free(cluster);
        options = (struct profile_options){ .release = "p/releases/two.yaml", .set = { set + 4, 2 } };
        cluster = load(&options);
        EXPECT(cluster->vip_count == 0);
        EXPECT_TEXT(value_get(cluster->variables, "empty")->text, "");
        cluster_free(cluster);
}

static void refuse_options(const char *set, const char *release, const char *role, enum err_kind kind,
                           const char *want) {
        struct profile_options options = { .release = release,
                                           .set = { &set, set != NULL },
                                           .roles = { &role, role != NULL } };
        struct cluster *cluster = NULL;
        auto_err err = { 0 };
        EXPECT(!cluster_load("p/cluster.yaml", &options, &cluster, &err));
        EXPECT(cluster == NULL && err.kind == kind);
        EXPECT(err.text && strstr(err.text, want));
        if (!err.text || !strstr(err.text, want))
                printf("# got %s\n# want %s\n", err.text, want);
}

static void reports_wrong_options(void) {
        refuse_options(
            "nodes.a1.id=999", NULL, NULL, ERR_SCHEMA,
            "--set nodes.a1.id:1:13: `id` must be from 1 to 255, not 999\n    nodes.a1.id=999\n                ^");
        refuse_options("variables", NULL, NULL, ERR_SCHEMA, "--set variables:1:1: `variables` has no `=`");
        refuse_options("nodes.a9.id=1", NULL, NULL, ERR_SCHEMA, "--set nodes.a9.id:1:7: the list has no item `a9`");
        refuse_options("cluster.x=1", NULL, NULL, ERR_SCHEMA, "`x` would be inside a text");
        refuse_options("variables..x=1", NULL, NULL, ERR_SCHEMA, "an empty key");
        refuse_options("nmaes=1", NULL, NULL, ERR_SCHEMA, "unknown key `nmaes`");
        refuse_options("variables.x=[1", NULL, NULL, ERR_SYNTAX, "--set variables.x:");
        refuse_options(
            NULL, "tow", NULL, ERR_REFERENCE,
            "--release: unknown release `tow`: there is no p/releases/tow.yaml\n    hint: did you mean `two`?");
        refuse_options(NULL, "nowhere.yaml", NULL, ERR_REFERENCE, "there is no nowhere.yaml");
        refuse_options(NULL, NULL, "bsae", ERR_REFERENCE,
                       "--role: the cluster has no role `bsae`\n    hint: did you mean `base`?");
}

static void gives_templates_their_scope(void) {
        static const char template[] =
            "{{cluster.name}} {{release.name}} {{release.network}} {{release.variables.v}} {{role.name}} "
            "{{variables.greeting}}\n"
            "{{networks.lan.subnet}} {{networks.lan.netmask}} {{networks.lan.prefix}} {{networks.lan.gateway}} "
            "{{networks.link.netmask}}"
            "{{#networks.lan.dns}} {{.}}{{/networks.lan.dns}}{{^networks.link.gateway}} "
            "none{{/networks.link.gateway}}\n"
            "{{vips.web.ip}} {{vips.web.vrrp_id}} {{vips.web.prefix}} {{vips.web.role}}\n"
            "{{#nodes}}{{name}}:{{role}}:{{ip}}:{{mac}}:{{id}}:{{index}}:{{prefix}}:{{gateway}}{{^last}} "
            "{{/last}}{{/nodes}}\n"
            "{{#roles.app.nodes}}{{name}}{{#first}}({{variables.weight}}){{/first}} "
            "{{/roles.app.nodes}}{{roles.app.count}} {{roles.app.quorum}} {{roles.spare.count}}\n";
        struct cluster *cluster = load(NULL);
        struct value *scope = cluster_scope(&cluster->arena, cluster, cluster_find_role(cluster, "app"));
        auto_buf output = { 0 };
        EXPECT_OK(template_render("t", template, strlen(template), scope, "node", &output, NULL, err));
        EXPECT_TEXT(buf_text(&output),
                    "test one systemd-networkd 1 app hello\n"
                    "192.168.2.0/24 255.255.255.0 24 192.168.2.1 255.255.255.254 192.168.2.1 8.8.8.8 none\n"
                    "192.168.2.90 90 24 app\n"
                    "a1:app:192.168.2.11:52:54:00:a8:02:47:7:0:24:192.168.2.1 b1:base:10.0.0.0::3:0:31: "
                    "a2:app:192.168.2.12:::1:24:192.168.2.1\n"
                    "a1(5) a2 2 2 0\n");
        cluster_free(cluster);
}

// What an alias of YAML shares is changed where --set says, and nowhere else.
static void set_changes_no_alias(void) {
        write_file("p/alias.yaml",
                   "cluster: test\nrelease: two\nnetworks: [{name: lan, subnet: 192.168.2.0/24}]\nnodes:\n"
                   "  - {name: a, role: plain, ip: 192.168.2.11, variables: &v {disk: one, kept: x}}\n"
                   "  - {name: b, role: plain, ip: 192.168.2.12, variables: *v}\n"
                   "variables: {m: &m {n: {deep: one}}, w: {<<: *m, o: 1}}\n");
        write_file("p/roles/plain.yaml", "description: a machine\n");
        struct profile_options options = { 0 };
        struct arena arena = { 0 };
        struct cluster *cluster = NULL;
        strings_add_once(&arena, &options.set, "nodes.a.variables.disk=two");
        strings_add_once(&arena, &options.set, "variables.w.n.deep=two");
        EXPECT_OK(cluster_load("p/alias.yaml", &options, &cluster, err));
        if (!cluster)
                return;
        EXPECT_TEXT(value_get(cluster->nodes[0].variables, "disk")->text, "two");
        EXPECT_TEXT(value_get(cluster->nodes[0].variables, "kept")->text, "x");
        EXPECT_TEXT(value_get(cluster->nodes[1].variables, "disk")->text, "one");
        const struct value *m = value_get(cluster->variables, "m"), *w = value_get(cluster->variables, "w");
        EXPECT_TEXT(value_get(value_get(m, "n"), "deep")->text, "one");
        EXPECT_TEXT(value_get(value_get(w, "n"), "deep")->text, "two");
        cluster_free(cluster);
        arena_release(&arena);
}

// A node does the work of the roles that its role inherits: it is one of their nodes, in templates and to firewalls.
static void counts_heirs_among_the_nodes_of_a_role(void) {
        static const char template[] = "{{#roles.vote.nodes}}{{position}}={{name}} {{/roles.vote.nodes}}"
                                       "{{roles.vote.quorum}}/{{roles.vote.count}} {{roles.work.count}} "
                                       "{{#roles.both.nodes}}{{name}}{{/roles.both.nodes}}";
        write_file("p/heirs.yaml", "cluster: test\nrelease: two\nnetworks: [{name: lan, subnet: 192.168.2.0/24}]\n"
                                   "vips: [{name: web, ip: 192.168.2.90, role: work, vrrp_id: 90}]\nnodes:\n"
                                   "  - {name: v1, role: vote, ip: 192.168.2.11, id: 1}\n"
                                   "  - {name: v2, role: both, ip: 192.168.2.12, id: 2}\n"
                                   "  - {name: v3, role: vote, ip: 192.168.2.13, id: 3}\n"
                                   "  - {name: o1, role: watch, ip: 192.168.2.14}\n");
        write_file("p/roles/vote.yaml", "ensemble: true\n");
        write_file("p/roles/work.yaml", "description: no machine does this alone\n");
        write_file("p/roles/both.yaml", "inherits: [vote, work]\n");
        write_file("p/roles/watch.yaml", "inherits: vote\nensemble: false\n");
        struct cluster *cluster = NULL;
        EXPECT_OK(cluster_load("p/heirs.yaml", NULL, &cluster, err));
        if (!cluster)
                return;
        struct value *scope = cluster_scope(&cluster->arena, cluster, cluster_find_role(cluster, "watch"));
        auto_buf output = { 0 };
        EXPECT_OK(template_render("t", template, strlen(template), scope, "node", &output, NULL, err));
        EXPECT_TEXT(buf_text(&output), "1=v1 2=v2 3=v3 2/3 1 v2");
        EXPECT_TEXT(cluster_ensemble_of(cluster, cluster_find_role(cluster, "both"))->name, "vote");
        cluster_free(cluster);
        // An id is one voter's.
        struct profile_options options = { 0 };
        struct arena arena = { 0 };
        strings_add_once(&arena, &options.set, "nodes.v2.id=3");
        auto_err err = { 0 };
        EXPECT(!cluster_load("p/heirs.yaml", &options, &cluster, &err));
        EXPECT(err.text && strstr(err.text, "id in role `vote`: duplicate") == NULL && strstr(err.text, "`3`"));
        arena_release(&arena);
}

static void reports_all_mistakes_of_all_files(void) {
        write_file("p/bad.yaml", "cluster: Bad\nrelease: nine\nnodes:\n  - {name: a, role: wrong, ip: 1.2.3.4}\n  - "
                                 "{name: a, role: bad, ip: 1.2.3.4}\n");
        write_file("p/roles/bad.yaml", "pakages: []\nfiles: [{path: x}]\n");
        struct cluster *cluster = NULL;
        auto_err err = { 0 };
        EXPECT(!cluster_load("p/bad.yaml", NULL, &cluster, &err));
        EXPECT(err.kind == ERR_SCHEMA);
        static const char *const wanted[] = { "p/bad.yaml:1:10: `cluster` must be a name",
                                              "p/bad.yaml:5:12: duplicate name `a`",
                                              "p/bad.yaml:5:30: duplicate IP address `1.2.3.4`",
                                              "p/bad.yaml:4:32: address 1.2.3.4 is in no network's subnet",
                                              "p/bad.yaml:2:10: unknown release `nine`",
                                              "p/bad.yaml:4:21: unknown role `wrong`",
                                              "p/roles/bad.yaml:1:1: unknown key `pakages` in a role file",
                                              "p/roles/bad.yaml:2:16: `path` must be an absolute path" };
        const char *at = err.text;
        for (size_t i = 0; i < lengthof(wanted); i++) {
                EXPECT(strstr(err.text, wanted[i]) != NULL);
                if (!strstr(err.text, wanted[i]))
                        printf("# no %s in\n# %s\n", wanted[i], at);
        }
        auto_err none = { 0 };
        EXPECT(!cluster_load("p/none.yaml", NULL, &cluster, &none) && none.kind == ERR_REFERENCE);
        write_file("p/empty.yaml", "cluster: x\nrelease: two\n");
        auto_err empty = { 0 };
        EXPECT(!cluster_load("p/empty.yaml", NULL, &cluster, &empty) && empty.kind == ERR_CLUSTER);
        EXPECT_TEXT(empty.text,
                    "p/empty.yaml:1:1: neither `nodes` nor `roles`: there is nothing to build\n    cluster: x\n    ^");
}

// A cluster file that is only a file name, and folders that are links, work too.
static void finds_files_from_anywhere(void) {
        EXPECT(chdir("p") == 0);
        struct cluster *cluster = NULL;
        EXPECT_OK(cluster_load("cluster.yaml", NULL, &cluster, err));
        cluster_free(cluster);
        EXPECT(chdir("..") == 0);
        EXPECT(symlink("p", "linked") == 0);
        EXPECT_OK(cluster_load("linked/cluster.yaml", NULL, &cluster, err));
        const struct role *role = cluster ? cluster_find_role(cluster, "app") : NULL;
        size_t seen = 0;
        for (size_t i = 0; role && i < role->file_count; i++) {
                const struct file *file = &role->files[i];
                EXPECT(!file->source || access(file->source, R_OK) == 0);
                seen += file->source != NULL;
        }
        EXPECT(seen > 0);
        cluster_free(cluster);
}

int main(void) {
        static char directory[] = "/tmp/kiln-profile-XXXXXX";
        progress_setup(PROGRESS_QUIET);
        if (!mkdtemp(directory) || chdir(directory) < 0)
                return 1;
        write_profiles();
        RUN(joins_roles);
        RUN(lays_files);
        RUN(reads_releases);
        RUN(reads_nodes);
        RUN(obeys_options);
        RUN(reports_wrong_options);
        RUN(gives_templates_their_scope);
        RUN(set_changes_no_alias);
        RUN(counts_heirs_among_the_nodes_of_a_role);
        RUN(reports_all_mistakes_of_all_files);
        RUN(finds_files_from_anywhere);
        auto_err err = { 0 };
        if (chdir("/") < 0 || !fs_remove_tree(AT_FDCWD, directory, &err))
                return 1;
        return test_done();
}
