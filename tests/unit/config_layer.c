// SPDX-License-Identifier: MIT
// The configuration layer over a made-up root: exactly the difference, with the right owners, and the same bits each
// time.
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "configure/configure.h"
#include "configure/internal.h"
#include "profile/profile.h"
#include "rootfs/rootfs.h"
#include "rootfs/tree.h"
#include "sandbox/sandbox.h"
#include "shared/value.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/digest.h"
#include "base/fs.h"
#include "shared/node_config.h"

enum { EPOCH = 1447000000 };

static char work_path[] = "/tmp/kiln-config-XXXXXX";
static int work = -1, root = -1;
static struct cluster *cluster;

static const char cluster_text[] =
    "cluster: little\nrelease: r\npaths: {roles: ., releases: ., overlays: ., kickstart: .}\n"
    "networks:\n  - {name: lan, subnet: 10.0.0.0/24, gateway: 10.0.0.1, dns: [10.0.0.1], subnet6: 'fd00::/64'}\n"
    "vips:\n  - {name: web, ip: 10.0.0.90, role: one, vrrp_id: 7}\n"
    "nodes:\n  - {name: n1, role: one, mac: \"52:54:00:00:00:01\", ip: 10.0.0.11, id: 1,\n"
    "     links: [{bond: {members: [\"52:54:00:AA:00:02\"], mode: 802.3ad}, ip: 10.0.0.21, mtu: 9000,\n"
    "       routes: [10.7.0.0/16 via 10.0.0.7]}, {mac: \"52:54:00:AA:00:03\", name: out0, dhcp: true}], variables: "
    "{rack: a}}\n"
    "  - {name: n2, role: one, ip: 10.0.0.12, id: 2, ip6: 'fd00::12'}\n"
    "  - {name: n2.dc1.example.com, role: two, ip: 10.0.0.14}\n"
    "  - {name: web.dc1.example.com, role: two, ip: 10.0.0.15}\n"
    "  - {name: n3.dc1.example.com, aliases: [db, backup.example.org], role: two, ip: 10.0.0.13, variables: {password: "
    "hunter2}}\n"
    "variables: {colour: blue}\nsecrets: [pass, page]\n";
static const char release_text[] =
    "arch: x86_64\nrepositories:\n  - {name: x, baseurl: none, trust: digest}\n"
    "kernel: {package: kernel, image: \"/boot/vmlinuz-*\"}\n"
    "squashfs: {compressor: gzip, level: 6, block_size: 131072}\nrpmdb: sqlite\nnetwork: ifcfg\n"
    "initrd: {compressor: gzip, modules: []}\n";
static const char role_text[] =
    "packages: [bash]\nservices: {enable: [a], disable: [old], cluster: [c]}\n"
    "default_target: multi-user.target\nsysctl: {net.ipv4.ip_forward: 1}\n"
    "users:\n  - {name: app, uid: 480, system: true, home: /var/lib/app}\n"
    "files:\n"
    "  - {path: /etc/plain, content: \"plain\\n\", mode: 0640, owner: app, group: app}\n"
    "  - {path: /etc/cluster, content: \"{{variables.colour}}\\n\", template: true}\n"
    "  - {path: /etc/node, content: \"{{variables.colour}} {{node.ip}}\\n\", template: true, mode: 0600}\n"
    "  - {path: /bin/tool, content: \"#!/bin/sh\\n\", mode: 0755}\n"
    "  - {path: /etc/alias, link: plain}\n"
    "  - {path: /etc/pass, content: \"{{variables.colour}} {{secrets.pass}}\\n\", template: true}\n"
    "  - {path: /etc/page, content: \"{{#secrets.page}}{{.}}{{/secrets.page}}\\n\", template: true, mode: 0640}\n"
    "  - {path: /etc/of-a, content: \"{{secrets.pass}}\\n\", template: true, services: [a]}\n"
    "  - {path: /etc/alone, content: \"{{secrets.page}}\\n\", template: true, services: []}\n"
    "  - {path: /etc/udev/hwdb.d/own.hwdb, content: x}\n"
    "  - {path: /srv/drop, directory: true, mode: 01777}\n"
    "  - {path: /etc/kept.d, directory: true, owner: app}\n"
    "attributes: [{path: /srv/shared, mode: 02775, group: app}]\n"
    "remove: [/etc/unwanted, /usr/share/tree]\n"
    "state:\n  - {path: /var/lib/state, mode: 0700, owner: app, group: app}\n";

static bool put(const char *path, const char *text, struct err *err) {
        return tree_write(root, path, text, strlen(text), 0644, 0, 0, err);
}

static bool put_own_units(struct err *err) {
        static const char text[] = "[Install]\nWantedBy=multi-user.target\n";
        bool ok = true;
        for (size_t unit = 0; ok && configure_own_unit(unit); unit++) {
                auto_free char *path = xasprintf("node/%s", configure_own_unit(unit));
                ok = fs_write_atomic(work, path, text, sizeof text - 1, 0644, err);
        }
        return ok;
}

static bool make_profile(struct err *err) {
        return fs_mkdirs(work, "one/srv/shared/empty", 0755, err) && fs_mkdirs(work, "one/etc", 0755, err) &&
               fs_write_atomic(work, "cluster.yaml", cluster_text, sizeof cluster_text - 1, 0644, err) &&
               fs_write_atomic(work, "r.yaml", release_text, sizeof release_text - 1, 0644, err) &&
               fs_write_atomic(work, "one.yaml", role_text, sizeof role_text - 1, 0644, err) &&
               fs_write_atomic(work, "two.yaml", "packages: [bash]\n", 17, 0644, err) &&
               fs_mkdirs(work, "node", 0755, err) && fs_write_atomic(work, "kiln-node", "binary", 6, 0755, err) &&
               put_own_units(err);
}

static bool make_root(struct err *err) {
        return fs_mkdirs(work, "root", 0755, err) && fs_open_dir(work, "root", &root, err) &&
               tree_mkdir(root, "/usr", 0555, 0, 0, err) && tree_mkdir(root, "/usr/bin", 0555, 0, 0, err) &&
               tree_link(root, "/bin", "usr/bin", err) && tree_mkdir(root, "/etc", 0751, 3, 4, err) &&
               put("/etc/passwd", "root:x:0:0::/root:/bin/sh\n", err) && put("/etc/group", "root:x:0:\n", err) &&
               put("/etc/shadow", "root:*:1::::::\n", err) && put("/etc/unwanted", "x", err) &&
               put("/etc/.updated", "", err) && put("/var/.updated", "", err) && put("/etc/untouched", "x", err) &&
               put("/usr/share/tree/file", "x", err) && put("/etc/node", "default", err) &&
               tree_mkdir(root, "/etc/kept.d", 0750, 3, 4, err) &&
               put("/usr/lib/systemd/system/a.service", "[Install]\nWantedBy=multi-user.target\n", err) &&
               put("/usr/lib/systemd/system/c.service", "[Install]\nWantedBy=multi-user.target\n", err) &&
               put("/usr/lib/systemd/system/old.service", "[Install]\nWantedBy=multi-user.target\n", err) &&
               put("/usr/lib/systemd/system/multi-user.target", "[Unit]\n", err) &&
               tree_link(root, "/etc/systemd/system/multi-user.target.wants/old.service",
                         "/usr/lib/systemd/system/old.service", err);
}

static bool write_layer(const char *name, int *ret_fd, struct err *err) {
        auto_free char *node = xasprintf("%s/kiln-node", work_path);
        cluster->firmware_dir = work_path;
        return fs_mkdirs(work, name, 0755, err) && fs_open_dir(work, name, ret_fd, err) &&
               config_layer_write(cluster, &cluster->roles[0], root, "b1", node, EPOCH, *ret_fd, err);
}

static bool is_whiteout(int layer, const char *path) {
        struct stat stat;
        return fstatat(layer, path, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(stat.st_mode) &&
               stat.st_rdev == makedev(0, 0);
}

static void expect_file(int layer, const char *path, const char *text, unsigned mode, unsigned owner) {
        auto_buf content = { 0 };
        struct stat stat;
        EXPECT_OK(fs_read(layer, path, &content, err));
        EXPECT_TEXT(buf_text(&content), text);
        EXPECT(fstatat(layer, path, &stat, 0) == 0 && (stat.st_mode & 07777) == mode && stat.st_uid == owner &&
               stat.st_gid == owner);
}

static bool check_entry(const struct fs_entry *entry, void *context, struct err *err) {
        size_t *wrong = context;
        char names[1024];
        auto_free char *path = xasprintf("/proc/self/fd/%d/%s", entry->parent, entry->name);
        (void)err;
        if (entry->stat->st_mtim.tv_sec != EPOCH || entry->stat->st_mtim.tv_nsec != 0 ||
            (!S_ISLNK(entry->stat->st_mode) && llistxattr(path, names, sizeof names) > 0)) {
                printf("# %s\n", entry->path);
                ++*wrong;
        }
        return true;
}

static void writes_the_difference(void) {
        auto_close int layer = -1;
        struct stat stat;
        EXPECT_OK(write_layer("layer", &layer, err));
        expect_file(layer, "etc/plain", "plain\n", 0640, 480);
        expect_file(layer, "etc/cluster", "blue\n", 0644, 0);
        expect_file(layer, "usr/bin/tool", "#!/bin/sh\n", 0755, 0);
        expect_file(layer, "etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:480:480::/var/lib/app:/sbin/nologin\n", 0644,
                    0);
        expect_file(layer, "etc/sysctl.d/90-kiln.conf", "net.ipv4.ip_forward = 1\n", 0644, 0);
        expect_file(layer, "etc/machine-id", "", 0444, 0);
        expect_file(layer, "usr/libexec/kiln/kiln-node", "binary", 0755, 0);
        expect_file(layer, "usr/share/kiln/templates/0", "blue {{node.ip}}\n", 0600, 0);
        EXPECT(is_whiteout(layer, "etc/node") && is_whiteout(layer, "etc/unwanted") &&
               is_whiteout(layer, "usr/share/tree"));
        EXPECT(is_whiteout(layer, "etc/systemd/system/multi-user.target.wants/old.service"));
        EXPECT(!fs_exists(layer, "etc/untouched") && !fs_exists(layer, "usr/lib") && !fs_exists(layer, "bin"));
        EXPECT(fs_exists(layer, "etc/systemd/system/multi-user.target.wants/a.service"));
        EXPECT(fs_exists(layer, "etc/systemd/system/c.service.d/10-kiln.conf"));
        EXPECT(fs_exists(layer, "etc/systemd/system/multi-user.target.wants/kiln-node.service"));
        EXPECT(fstatat(layer, "etc", &stat, 0) == 0 && (stat.st_mode & 07777) == 0751 && stat.st_uid == 3 &&
               stat.st_gid == 4);
        EXPECT(fstatat(layer, "usr/bin", &stat, 0) == 0 && (stat.st_mode & 07777) == 0555);
        EXPECT(fstatat(layer, "var/lib/state", &stat, 0) == 0 && (stat.st_mode & 07777) == 0700 && stat.st_uid == 480);
        size_t wrong = 0;
        EXPECT_OK(fs_walk(layer, check_entry, &wrong, err));
        EXPECT(wrong == 0);
        EXPECT(!fs_exists(root, "etc/plain") && fs_exists(root, "etc/unwanted")); // the packages' tree is as it was
}

static const char *text_at(const json_t *json, const char *list, size_t index, const char *key) {
        return json_string_value(json_object_get(json_array_get(json_object_get(json, list), index), key));
}

static void expect_directory(int layer, const char *path, unsigned mode, unsigned uid, unsigned gid) {
        struct stat stat;
        EXPECT(fstatat(layer, path, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(stat.st_mode) &&
               (stat.st_mode & 07777) == mode && stat.st_uid == uid && stat.st_gid == gid);
}

// The role adds to what systemd-hwdb reads, and to nothing that the message catalogue is made of.
static void says_what_is_up_to_date(void) {
        auto_close int layer = -1;
        struct stat stamp, usr;
        EXPECT_OK(write_layer("updates", &layer, err));
        EXPECT(is_whiteout(layer, "etc/.updated"));
        EXPECT(fstatat(layer, "var/.updated", &stamp, 0) == 0 && fstatat(layer, "usr", &usr, 0) == 0);
        EXPECT(S_ISREG(stamp.st_mode) && stamp.st_mtime == usr.st_mtime);
}

// Those of overlays too, empty ones among them; what the image has and the profile does not say stays.
static void makes_directories(void) {
        auto_close int layer = -1;
        EXPECT_OK(write_layer("directories", &layer, err));
        expect_directory(layer, "srv", 0755, 0, 0);
        expect_directory(layer, "srv/shared", 02775, 0, 480);
        expect_directory(layer, "srv/shared/empty", 0755, 0, 0);
        expect_directory(layer, "srv/drop", 01777, 0, 0);
        expect_directory(layer, "etc/kept.d", 0750, 480, 0);
        expect_directory(layer, "etc", 0751, 3, 4);
}

static void tells_the_node(void) {
        auto_buf text = { 0 };
        EXPECT_OK(fs_read(work, "layer/etc/kiln/node.json", &text, err));
        json_t *json = json_loads(buf_text(&text), 0, NULL);
        EXPECT(json != NULL);
        EXPECT_TEXT(json_string_value(json_object_get(json, "role")), "one");
        EXPECT_TEXT(json_string_value(json_object_get(json, "network_writer")), "ifcfg");
        EXPECT_TEXT(json_string_value(json_object_get(json, "hosts")),
                    "10.0.0.11 n1\n10.0.0.12 n2\nfd00::12 n2\n"
                    "10.0.0.14 n2.dc1.example.com\n10.0.0.15 web.dc1.example.com\n" // others are called n2 and web
                    "10.0.0.13 n3.dc1.example.com n3 db backup.example.org\n10.0.0.90 web\n");
        EXPECT_TEXT(json_string_value(json_object_get(json, "dhcp_client_id")), "mac");
        EXPECT_TEXT(json_string_value(json_object_get(json_object_get(json, "dhcp_options"), "node")), "");
        EXPECT(json_is_true(json_object_get(json, "arp_check")));
        EXPECT(json_integer_value(json_object_get(json, "carrier_timeout_ms")) == 60000);
        EXPECT(json_integer_value(json_object_get(json, "device_timeout_ms")) == 300000);
        EXPECT_TEXT(text_at(json, "networks", 0, "subnet"), "10.0.0.0/24");
        EXPECT_TEXT(text_at(json, "networks", 0, "netmask"), "255.255.255.0");
        EXPECT_TEXT(text_at(json, "vips", 0, "ip"), "10.0.0.90");
        const json_t *links = json_object_get(json_array_get(json_object_get(json, "nodes"), 0), "links");
        auto_free char *links_text = json_dumps(links, JSON_COMPACT);
        EXPECT_TEXT(links_text,
                    "[{\"bond\":{\"name\":\"bond0\",\"members\":[\"52:54:00:aa:00:02\"],\"options\":\"mode=802.3ad\"},"
                    "\"network\":\"lan\",\"addresses\":[\"10.0.0.21\"],\"routes\":[\"10.7.0.0/16 via 10.0.0.7\"],"
                    "\"dhcp\":false,\"default_route\":false,\"mtu\":9000},"
                    "{\"mac\":\"52:54:00:aa:00:03\",\"interface\":\"out0\",\"addresses\":[],\"routes\":[],"
                    "\"dhcp\":true,\"default_route\":false}]");
        EXPECT_TEXT(text_at(json, "nodes", 0, "mac"), "52:54:00:00:00:01");
        EXPECT_TEXT(text_at(json, "nodes", 1, "mac"), "");
        EXPECT_TEXT(text_at(json, "templates", 0, "path"), "/etc/node");
        EXPECT_TEXT(text_at(json, "templates", 0, "source"), "/usr/share/kiln/templates/0");
        const json_t *first = json_array_get(json_object_get(json, "nodes"), 0),
                     *second = json_array_get(json_object_get(json, "nodes"), 1);
        EXPECT_TEXT(json_string_value(json_object_get(json_object_get(first, "variables"), "rack")), "a");
        EXPECT(json_integer_value(json_object_get(second, "index")) == 1);
        EXPECT_TEXT(text_at(json, "nodes", 2, "role"), "two");
        EXPECT(!strstr(buf_text(&text), "hunter2")); // of another role
        struct stat stat;
        EXPECT(fstatat(work, "layer/etc/kiln/node.json", &stat, 0) == 0 && (stat.st_mode & 07777) == 0600);
        const json_t *state = json_array_get(json_object_get(json, "state"), 0);
        EXPECT(json_integer_value(json_object_get(state, "uid")) == 480 &&
               json_integer_value(json_object_get(state, "mode")) == 0700);
        EXPECT_TEXT(json_string_value(json_array_get(json_object_get(json, "cluster_services"), 0)), "c.service");
        json_decref(json);
}

static void expect_texts(const json_t *object, const char *key, const char *expected) {
        auto_buf text = { 0 };
        const json_t *list = json_object_get(object, key);
        for (size_t i = 0; i < json_array_size(list); i++)
                buf_printf(&text, "%s ", json_string_value(json_array_get(list, i)));
        EXPECT_TEXT(buf_text(&text), expected);
}

// node.json has their names, and units wait for them.
static void secrets_are_left_to_the_node(void) {
        auto_buf text = { 0 };
        auto_close int layer = -1;
        EXPECT_OK(fs_open_dir(work, "layer", &layer, err));
        EXPECT_OK(fs_read(layer, "etc/kiln/node.json", &text, err));
        json_t *json = json_loads(buf_text(&text), 0, NULL);
        static const struct {
                const char *path, *secrets, *services;
                int mode;
        } expected[] = {
                { "/etc/node", "", "", 0600 },       { "/etc/pass", "pass ", "c.service ", 0600 },
                { "/etc/page", "", "", 0640 },       { "/etc/of-a", "pass ", "a.service ", 0600 },
                { "/etc/alone", "page ", "", 0600 },
        };
        const json_t *templates = json_object_get(json, "templates");
        EXPECT(json_array_size(templates) == lengthof(expected));
        for (size_t i = 0; i < lengthof(expected); i++) {
                const json_t *template = json_array_get(templates, i);
                EXPECT_TEXT(text_at(json, "templates", i, "path"), expected[i].path);
                EXPECT(json_integer_value(json_object_get(template, "mode")) == expected[i].mode);
                expect_texts(template, "secrets", expected[i].secrets);
                expect_texts(template, "services", expected[i].services);
        }
        expect_texts(json, "secrets", "pass page ");
        json_decref(json);
        expect_file(layer, "usr/share/kiln/templates/1", "blue {{secrets.pass}}\n", 0600, 0);
        static const char gate[] = "[Unit]\nRequires=kiln-secret@pass.service\nAfter=kiln-secret@pass.service\n";
        expect_file(layer, "etc/systemd/system/c.service.d/11-kiln-secrets.conf", gate, 0644, 0);
        expect_file(layer, "etc/systemd/system/a.service.d/11-kiln-secrets.conf", gate, 0644, 0);
        EXPECT(fs_exists(layer, "etc/systemd/system/kiln-secret@.service"));
}

// A unit that is not there would keep nothing down.
static void units_of_secrets_must_be_there(void) {
        struct role *role = &cluster->roles[0];
        auto_close int layer = -1;
        auto_err failure = { 0 };
        const char *before = NULL;
        for (size_t i = 0; i < role->file_count; i++) {
                struct file *file = &role->files[i];
                if (strcmp(file->path, "/etc/of-a") != 0)
                        continue;
                before = file->services.items[0];
                file->services.items[0] = "aa.service";
                EXPECT(!write_layer("no-unit", &layer, &failure));
                file->services.items[0] = before;
        }
        EXPECT(before && failure.kind == ERR_REFERENCE && strstr(failure.text, "has a unit \"aa.service\"") &&
               failure.hint && strstr(failure.hint, "a.service"));
}

static bool digest_entry(const struct fs_entry *entry, void *context, struct err *err) {
        char hex[DIGEST_HEX_SIZE] = "";
        if (S_ISREG(entry->stat->st_mode) && !digest_file("sha256", entry->parent, entry->name, hex, err))
                return false;
        buf_printf(context, "%s %o %u %u %s\n", entry->path, entry->stat->st_mode, entry->stat->st_uid,
                   entry->stat->st_gid, hex);
        return true;
}

static void gives_the_same_bits(void) {
        auto_close int again = -1;
        auto_close int first = -1;
        auto_buf one = { 0 }, two = { 0 };
        EXPECT_OK(write_layer("again", &again, err));
        EXPECT_OK(fs_open_dir(work, "layer", &first, err));
        EXPECT_OK(fs_walk(first, digest_entry, &one, err));
        EXPECT_OK(fs_walk(again, digest_entry, &two, err));
        EXPECT_TEXT(buf_text(&one), buf_text(&two));
        EXPECT(one.size > 1000);
}

static void refuses_what_is_wrong(void) {
        struct role *role = &cluster->roles[0];
        auto_close int layer = -1;
        auto_err failure = { 0 };
        struct file *file = &role->files[role->file_count - 1]; // the role's own come after the overlays'
        const char *owner = file->owner;
        file->owner = "ap";
        EXPECT(!write_layer("wrong", &layer, &failure));
        EXPECT(failure.kind == ERR_REFERENCE && failure.text && strstr(failure.text, "one.yaml:") &&
               strstr(failure.text, "\"ap\""));
        file->owner = owner;
}

// A wrong time zone, say. What only a node has is none of the build's business.
static void links_lead_somewhere(void) {
        static const struct {
                const char *target;
                bool is_right;
        } cases[] = { { "plain", true },
                      { "../etc/./plain", true },
                      { "/usr/share/zoneinfo/Nowhere", false },
                      { "/run/x", true },
                      { "/dev/null", true },
                      { "../run/../etc/absent", false },
                      { "/var/lib/state/x", true },
                      { "/etc/node", true },
                      { "../../../dev/null", true } };
        struct role *role = &cluster->roles[0];
        struct file *file = NULL;
        for (size_t i = 0; i < role->file_count; i++)
                if (strcmp(role->files[i].path, "/etc/alias") == 0)
                        file = &role->files[i];
        const char *before = file->link;
        for (size_t i = 0; i < lengthof(cases); i++) {
                auto_close int layer = -1;
                auto_err failure = { 0 };
                auto_free char *name = xasprintf("link-%zu", i);
                file->link = cases[i].target;
                bool ok = write_layer(name, &layer, &failure);
                EXPECT(ok == cases[i].is_right);
                EXPECT(ok || (failure.kind == ERR_REFERENCE && strstr(failure.text, "one.yaml:") &&
                              strstr(failure.text, "/etc/alias is a link to")));
        }
        file->link = before;
}

// What a node would refuse at its first boot is refused here.
static void refuses_an_inventory_that_no_node_reads(void) {
        auto_close int layer = -1;
        auto_err failure = { 0 };
        const struct value *before = cluster->nodes[0].variables;
        struct value *variables = value_map(&cluster->arena);
        char *text = arena_alloc(&cluster->arena, NODE_JSON_MAX_BYTES + 1);
        memset(text, 'x', NODE_JSON_MAX_BYTES);
        value_set(&cluster->arena, variables, "long", value_scalar(&cluster->arena, text));
        cluster->nodes[0].variables = variables;
        EXPECT(!write_layer("large", &layer, &failure));
        EXPECT(failure.kind == ERR_CLUSTER && failure.text && strstr(failure.text, "role one, with 5 nodes") &&
               strstr(failure.text, "nodes read at most 8388608") && failure.hint);
        cluster->nodes[0].variables = before;
}

// A disk may be claimed only if the image can format it; the node is told by which rule.
static void writes_the_state_disk(void) {
        auto_close int layer = -1;
        struct err failure = { 0 };
        struct state_disk *disk = &cluster->roles[0].state_disk;
        const struct state_disk before = *disk;
        *disk = (struct state_disk){ { "one.yaml", 3, 4 },
                                     true,
                                     "DATA",
                                     "xfs",
                                     true,
                                     7,
                                     { { "one.yaml", 5, 6 }, true, 100, 0, "*SSD*", "sd?" },
                                     true };
        EXPECT(!write_layer("without", &layer, &failure));
        EXPECT(failure.kind == ERR_REFERENCE && strstr(failure.text, "one.yaml:5:6") &&
               strstr(failure.text, "mkfs.xfs"));
        err_release(&failure);
        if (layer >= 0)
                close(layer);
        EXPECT_OK(put("/usr/sbin/mkfs.xfs", "x", err));
        EXPECT_OK(write_layer("claiming", &layer, err));
        EXPECT(fs_exists(layer, "etc/systemd/system/multi-user.target.wants/kiln-keep.service"));
        EXPECT(fs_exists(layer, "etc/systemd/system/multi-user.target.wants/kiln-discard.service"));
        auto_buf text = { 0 };
        EXPECT_OK(fs_read(layer, "etc/kiln/node.json", &text, err));
        json_t *json = json_loads(buf_text(&text), 0, NULL);
        const char *label = NULL, *model = NULL;
        int required = 0, overlay = 0;
        json_int_t timeout_ms = 0, min = 0;
        EXPECT(json_unpack(json, "{s{ss sb sb sI s{sI ss}}}", "state_disk", "label", &label, "required", &required,
                           "overlay", &overlay, "timeout_ms", &timeout_ms, "claim", "min_bytes", &min, "model",
                           &model) == 0);
        EXPECT_TEXT(label, "DATA");
        EXPECT_TEXT(model, "*SSD*");
        EXPECT(required && overlay && timeout_ms == 7000 && min == 100000000000LL);
        json_decref(json);
        *disk = before;
}

int main(void) {
        auto_err err = { 0 };
        auto_free char *path = NULL;
        bool ready = mkdtemp(work_path) && sandbox_enter(&err) && fs_open_dir(AT_FDCWD, work_path, &work, &err) &&
                     make_profile(&err) && make_root(&err);
        path = xasprintf("%s/cluster.yaml", work_path);
        if (!ready || !cluster_load(path, &(struct profile_options){ 0 }, &cluster, &err)) {
                printf("Bail out! %s\n", err.text ? err.text : strerror(errno));
                return 1;
        }
        RUN(writes_the_difference);
        RUN(makes_directories);
        RUN(says_what_is_up_to_date);
        RUN(tells_the_node);
        RUN(secrets_are_left_to_the_node);
        RUN(units_of_secrets_must_be_there);
        RUN(gives_the_same_bits);
        RUN(refuses_what_is_wrong);
        RUN(links_lead_somewhere);
        RUN(refuses_an_inventory_that_no_node_reads);
        RUN(writes_the_state_disk);
        int failed = test_done();
        cluster_free(cluster);
        (void)!fs_remove_tree(AT_FDCWD, work_path, &err);
        return failed;
}
