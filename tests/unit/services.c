// SPDX-License-Identifier: MIT
// Our reading of [Install] against what `systemctl --root=... enable` of the host's systemd does to a copy of the same
// tree, and the role's wishes against what packages enabled.
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "configure/internal.h"
#include "configure/unit.h"
#include "profile/profile.h"
#include "rootfs/tree.h"
#include "sandbox/sandbox.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/run.h"

static char work_path[] = "/tmp/kiln-services-XXXXXX";
static int work = -1;

static const struct {
        const char *path, *text;
} units[] = {
        { "a.service", "[Unit]\nDescription=a\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target "
                       "graphical.target\n" },
        { "b.service", "[Install]\n# no\nWantedBy=wrong.target\nWantedBy=\nWantedBy=multi-user.target\nRequiredBy = "
                       "c.service\nAlias=dbus-b.service\nAlso=b.socket\n" },
        { "b.socket", "[Install]\nWantedBy=sockets.target\nAlso=b.service\n" },
        { "c.service", "[Service]\nExecStart=/bin/true\n" },
        { "t@.service", "[Install]\nWantedBy=multi-user.target\nDefaultInstance=tty1\n" },
        { "n@.service", "[Install]\nWantedBy=multi-user.target\nAlias=n-%i.service\n" },
        { "long.service", "[Install]\nWantedBy=multi-user.target \\\n  ; in between\n  x.target\n" },
        { "spec-one.service", "[Install]\nWantedBy=%p.target\nAlias=x-%N-%j.service\n" },
        { "drop.service", "[Install]\nWantedBy=forgotten.target\n" },
        { "drop.service.d/20-more.conf", "[Install]\nWantedBy=more.target\n" },
        { "drop.service.d/10-reset.conf", "[Install]\nWantedBy=\nRequiredBy=reset.target\n" },
        { "drop.service.d/note.txt", "[Install]\nWantedBy=never.target\n" },
        { "u@.service", "[Service]\nExecStart=/bin/true\n" },
        { "u@.service.d/all.conf", "[Install]\nWantedBy=multi-user.target\n" },
        { "u@one.service.d/one.conf", "[Install]\nWantedBy=%i.target\n" },
        { "kiln-network.service", "[Install]\nWantedBy=multi-user.target\n" },
        { "kiln-node.service", "[Install]\nWantedBy=multi-user.target\n" },
        { "kiln-reconsider.service", "[Install]\nWantedBy=multi-user.target\n" },
        { "kiln-report.service", "[Install]\nWantedBy=multi-user.target\n" },
        { "kiln-status.socket", "[Socket]\nListenStream=127.0.0.1:5199\n[Install]\nWantedBy=sockets.target\n" },
        { "multi-user.target", "[Unit]\nDescription=m\n" },
        { "old.service", "[Install]\nWantedBy=multi-user.target\nAlias=ancient.service\nAlso=old.timer\n" },
        { "old.timer", "[Install]\nWantedBy=timers.target\n" },
};

static int make_root(const char *name) {
        int root = -1;
        EXPECT_OK(fs_mkdirs(work, name, 0755, err));
        EXPECT_OK(fs_open_dir(work, name, &root, err));
        for (size_t i = 0; i < lengthof(units); i++) {
                auto_free char *path = xasprintf("/usr/lib/systemd/system/%s", units[i].path);
                EXPECT_OK(tree_write(root, path, units[i].text, strlen(units[i].text), 0644, 0, 0, err));
        }
        EXPECT_OK(fs_mkdirs(root, "etc/systemd/system", 0755, err));
        return root;
}

static bool list_entry(const struct fs_entry *entry, void *context, struct err *err) {
        char target[512];
        (void)err;
        if (S_ISLNK(entry->stat->st_mode)) {
                ssize_t size = readlinkat(entry->parent, entry->name, target, sizeof target);
                buf_printf(context, "%s -> %.*s\n", entry->path, (int)size, target);
        }
        return true;
}

static char *links(int root) {
        struct buf text = { 0 };
        auto_close int dir = -1;
        EXPECT_OK(fs_open_dir(root, "etc", &dir, err));
        EXPECT_OK(fs_walk(dir, list_entry, &text, err));
        return text.data ? text.data : xstrdup("");
}

static bool enable_one(int root, const char *name, struct err *err) {
        struct unit unit;
        bool ok = unit_load(root, name, &unit, err) && unit.file && unit_enable(root, &unit, err);
        unit_release(&unit);
        return ok;
}

static void enables_as_systemctl_does(void) {
        static const char *const names[] = { "a.service",      "b.service",      "c.service",    "t@.service",
                                             "t@tty7.service", "n@eth0.service", "long.service", "spec-one.service",
                                             "drop.service",   "u@one.service",  "u@two.service" };
        for (size_t i = 0; i < lengthof(names); i++) {
                auto_free char *ours = xasprintf("ours-%zu", i);
                auto_free char *theirs = xasprintf("theirs-%zu", i);
                auto_free char *option = xasprintf("--root=%s/%s", work_path, theirs);
                auto_close int our_root = make_root(ours);
                auto_close int their_root = make_root(theirs);
                int status;
                const char *const argv[] = { "systemctl", option, "enable", names[i], NULL };
                EXPECT_OK(run(&(struct run){ .argv = argv, .ret_status = &status }, err));
                EXPECT_OK(enable_one(our_root, names[i], err));
                auto_free char *our_links = links(our_root);
                auto_free char *their_links = links(their_root);
                EXPECT_TEXT(our_links, their_links);
                EXPECT(*our_links || strcmp(names[i], "c.service") == 0);
        }
}

// Lays a mask over a unit: an empty file, or a link to /dev/null.
static void mask(int root, const char *name, bool by_link) {
        auto_free char *path = xasprintf("/etc/systemd/system/%s", name);
        if (by_link)
                EXPECT_OK(tree_link(root, path, "/dev/null", err));
        else
                EXPECT_OK(tree_write(root, path, "", 0, 0644, 0, 0, err));
}

// systemd.unit(5): an empty file masks as a link to /dev/null does. Who asks for the unit by name takes the mask away.
static void an_explicit_wish_lifts_a_mask(void) {
        for (int by_link = 0; by_link < 2; by_link++) {
                auto_close int root = make_root(by_link ? "mask-link" : "mask-empty");
                mask(root, "long.service", by_link);
                EXPECT_OK(enable_one(root, "long.service", err));
                EXPECT(!tree_exists(root, "/etc/systemd/system/long.service"));
                auto_free char *left = links(root);
                EXPECT_TEXT(left,
                            "systemd/system/multi-user.target.wants/long.service -> "
                            "/usr/lib/systemd/system/long.service\n"
                            "systemd/system/x.target.wants/long.service -> /usr/lib/systemd/system/long.service\n");
        }
}

// b.service says Also=b.socket, by which nobody asked for the socket itself.
static void a_mask_holds_against_also(void) {
        for (int by_link = 0; by_link < 2; by_link++) {
                auto_close int root = make_root(by_link ? "also-link" : "also-empty");
                mask(root, "b.socket", by_link);
                EXPECT_OK(enable_one(root, "b.service", err));
                EXPECT(tree_exists(root, "/etc/systemd/system/multi-user.target.wants/b.service"));
                EXPECT(tree_exists(root, "/etc/systemd/system/b.socket"));
                EXPECT(!tree_exists(root, "/etc/systemd/system/sockets.target.wants/b.socket"));
        }
}

static void says_that_a_unit_is_masked(void) {
        const char *enabled[] = { "only.service" };
        struct role role = { .name = "r", .place = { "roles/r.yaml", 1, 1 }, .services_enable = { enabled, 1 } };
        auto_close int root = make_root("masked");
        struct config config = { .role = &role, .root = root };
        auto_err failure = { 0 };
        mask(root, "only.service", false);
        EXPECT(!services_write(&config, &failure));
        EXPECT(failure.kind == ERR_REFERENCE);
        EXPECT_TEXT(failure.text, "roles/r.yaml:1:1: role r: unit \"only.service\" is masked, and no installed package "
                                  "has another file for it");
}

static void needs_an_instance(void) {
        auto_close int root = make_root("instance");
        auto_err failure = { 0 };
        EXPECT(!enable_one(root, "n@.service", &failure));
        EXPECT(failure.kind == ERR_REFERENCE);
}

static void disables_everything(void) {
        auto_close int root = make_root("disable");
        EXPECT_OK(enable_one(root, "old.service", err));
        EXPECT_OK(enable_one(root, "a.service", err));
        EXPECT_OK(enable_one(root, "t@tty1.service", err));
        EXPECT_OK(tree_link(root, "/etc/systemd/system/x.target.wants/old.service",
                            "/usr/lib/systemd/system/old.service", err));
        EXPECT_OK(unit_disable(root, "old.service", err));
        EXPECT_OK(unit_disable(root, "t@.service", err));
        EXPECT_OK(unit_disable(root, "unheard-of.service", err));
        auto_free char *left = links(root);
        EXPECT_TEXT(left, "systemd/system/graphical.target.wants/a.service -> /usr/lib/systemd/system/a.service\n"
                          "systemd/system/multi-user.target.wants/a.service -> /usr/lib/systemd/system/a.service\n");
}

static void enables_sysv_scripts(void) {
        static const char script[] = "#!/bin/sh\n# chkconfig: 23 10 90\n";
        auto_close int root = make_root("sysv");
        EXPECT_OK(tree_write(root, "/etc/rc.d/init.d/network", script, sizeof script - 1, 0755, 0, 0, err));
        EXPECT_OK(tree_link(root, "/etc/rc.d/rc3.d/K90network", "../init.d/network", err));
        EXPECT_OK(enable_one(root, "network.service", err));
        auto_free char *on = links(root);
        EXPECT_TEXT(on, "rc.d/rc2.d/S10network -> ../init.d/network\nrc.d/rc3.d/S10network -> ../init.d/network\n");
        EXPECT_OK(unit_disable(root, "network.service", err));
        auto_free char *off = links(root);
        EXPECT_TEXT(off, "");
}

static void the_role_wins(void) {
        const char *enabled[] = { "a.service" }, *disabled[] = { "old.service" }, *gated[] = { "b.service" };
        struct role role = { .name = "r",
                             .services_enable = { enabled, 1 },
                             .services_disable = { disabled, 1 },
                             .services_cluster = { gated, 1 },
                             .default_target = "multi-user.target" };
        auto_close int root = make_root("role");
        struct cluster cluster = { .report_url = "http://192.168.2.1/", .status_port = 5199 };
        struct config config = { .cluster = &cluster, .role = &role, .root = root };
        EXPECT_OK(enable_one(root, "old.service", err));
        EXPECT_OK(enable_one(root, "long.service", err)); // a package did, the role does not speak of it
        EXPECT_OK(services_write(&config, err));
        auto_free char *text = links(root);
        EXPECT(!strstr(text, "old"));
        EXPECT(strstr(text, "multi-user.target.wants/long.service") &&
               strstr(text, "multi-user.target.wants/a.service"));
        EXPECT(strstr(text, "multi-user.target.wants/kiln-node.service"));
        EXPECT(strstr(text, "multi-user.target.wants/kiln-report.service"));
        EXPECT(!strstr(text, "kiln-keep") && !strstr(text, "kiln-discard"));
        EXPECT(strstr(text, "default.target -> /usr/lib/systemd/system/multi-user.target"));
        auto_buf gate = { 0 }, preset = { 0 }, port = { 0 };
        EXPECT(strstr(text, "sockets.target.wants/kiln-status.socket"));
        EXPECT_OK(tree_read(root, "/etc/systemd/system/kiln-status.socket.d/10-kiln.conf", &port, err));
        EXPECT_TEXT(buf_text(&port), "[Socket]\nListenStream=\nListenStream=0.0.0.0:5199\n");
        EXPECT_OK(tree_read(root, "/etc/systemd/system/b.service.d/10-kiln.conf", &gate, err));
        EXPECT_TEXT(buf_text(&gate), "[Unit]\nRequires=kiln-node.service\nAfter=kiln-node.service\n");
        EXPECT_OK(tree_read(root, "/etc/systemd/system-preset/10-kiln.preset", &preset, err));
        EXPECT_TEXT(
            buf_text(&preset),
            "enable kiln-node.service\nenable kiln-network.service\nenable "
            "kiln-reconsider.service\nenable kiln-report.service\nenable kiln-status.socket\nenable b.service\nenable "
            "a.service\ndisable old.service\n");
}

static void names_the_nearest_unit(void) {
        const char *enabled[] = { "lonk.service" };
        struct role role = { .name = "r", .place = { "roles/r.yaml", 1, 1 }, .services_enable = { enabled, 1 } };
        auto_close int root = make_root("nearest");
        struct config config = { .role = &role, .root = root };
        auto_err failure = { 0 };
        EXPECT(!services_write(&config, &failure));
        EXPECT(failure.kind == ERR_REFERENCE);
        EXPECT_TEXT(failure.text, "roles/r.yaml:1:1: role r: no installed package has a unit \"lonk.service\"");
        EXPECT_TEXT(failure.hint, "did you mean \"long.service\"?");
}

int main(void) {
        auto_err err = { 0 };
        if (!mkdtemp(work_path) || !sandbox_enter(&err) || !fs_open_dir(AT_FDCWD, work_path, &work, &err))
                return 1;
        RUN(enables_as_systemctl_does);
        RUN(an_explicit_wish_lifts_a_mask);
        RUN(a_mask_holds_against_also);
        RUN(says_that_a_unit_is_masked);
        RUN(needs_an_instance);
        RUN(disables_everything);
        RUN(enables_sysv_scripts);
        RUN(the_role_wins);
        RUN(names_the_nearest_unit);
        int failed = test_done();
        (void)!fs_remove_tree(AT_FDCWD, work_path, &err);
        return failed;
}
