// SPDX-License-Identifier: MIT
// A profile reaches its own tree, and nothing else of the machine that builds it; what is no file is refused, not
// waited for.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/progress.h"
#include "profile/profile.h"
#include "profile/reader/paths.h"
#include "tests/unit/said.h"
#include "tests/unit/test.h"

#define HEAD                                                                                                           \
        "cluster: c\nrelease: r\nnetworks: [{name: lan, subnet: 10.0.0.0/24}]\nnodes: [{name: n, role: a, ip: "        \
        "10.0.0.1}]\n"
#define RELEASE                                                                                                        \
        "repositories: [{name: b, baseurl: file:///nowhere, trust: digest}]\nkernel: {package: k, image: "             \
        "/boot/vmlinuz-*}\n"
#define SECRET "root:swordfish\n"

static void write_text(const char *path, const char *text) {
        EXPECT_OK(fs_mkdirs_for(AT_FDCWD, path, 0755, err));
        EXPECT_OK(fs_write(AT_FDCWD, path, text, strlen(text), 0644, err));
}

// A site as somebody sends it, in site/profiles, and what is none of its business.
static void make_site(void) {
        EXPECT_OK(fs_remove_tree(AT_FDCWD, "site", err));
        write_text("secret", SECRET);
        write_text("elsewhere/etc/shadow", SECRET);
        write_text("elsewhere/a.yaml", SECRET);
        write_text("elsewhere/r.yaml", RELEASE);
        write_text("elsewhere/a.ks.tmpl", SECRET);
        write_text("site/profiles/cluster.yaml", HEAD);
        write_text("site/profiles/releases/r.yaml", RELEASE);
        write_text("site/profiles/roles/a.yaml", "description: a\n");
        write_text("site/overlays/a/etc/motd", "hello\n");
        write_text("site/kickstart/a.ks.tmpl", "text\n");
        write_text("site/profiles/.git/config", SECRET);
}

static bool load_site(const char *allowed, struct err *err) {
        struct cluster *cluster = NULL;
        const char *list[] = { allowed };
        struct profile_options options = { .allow_outside = { list, allowed != NULL } };
        bool ok = cluster_load("site/profiles/cluster.yaml", &options, &cluster, err);
        cluster_free(cluster);
        return ok;
}

static void expect_refused(const char *message) {
        auto_err err = { 0 };
        EXPECT(!load_site(NULL, &err));
        EXPECT(err.text && strstr(err.text, message));
        EXPECT(!strstr(text_or(err.text, ""), "swordfish"));
        if (!err.text || !strstr(err.text, message))
                printf("# wanted: %s\n# message: %s\n", message, text_or(err.text, "none"));
}

static void expect_accepted(const char *allowed) { EXPECT_OK(load_site(allowed, err)); }

static void the_shipped_layout_is_a_tree(void) {
        make_site();
        expect_accepted(NULL);
        write_text("site/profiles/roles/a.yaml", "files: [{path: /etc/x, source: ../../overlays/a/etc/motd}]\n");
        expect_accepted(NULL);
}

static void sources_stay_inside(void) {
        static const char *const sources[] = {
                "../../../secret", "/proc/self/environ",          "../../profiles/.git/config", "/etc/passwd", "link",
                "/dev/fd/0",       "../../../elsewhere/../secret"
        };
        make_site();
        EXPECT(symlink("../../../secret", "site/profiles/roles/link") == 0);
        for (size_t i = 0; i < lengthof(sources); i++) {
                auto_free char *role = xasprintf("files: [{path: /etc/x, source: %s}]\n", sources[i]);
                write_text("site/profiles/roles/a.yaml", role);
                expect_refused("site/profiles/roles/a.yaml:1:32: `");
                expect_refused("lies outside of the profile tree");
        }
        write_text("site/profiles/roles/a.yaml", "files: [{path: /etc/x, source: ../../../elsewhere/etc/shadow}]\n");
        expect_refused("lies outside of the profile tree");
        expect_accepted("elsewhere");
        auto_err err = { 0 };
        EXPECT(!load_site("nowhere", &err) && err.kind == ERR_USAGE);
        // What lies beside a name that is wrong is not listed either.
        write_text("site/profiles/roles/a.yaml", "files: [{path: /etc/x, source: ../../../elsewhere/etc/shadov}]\n");
        auto_err absent = { 0 };
        EXPECT(!load_site(NULL, &absent) && !strstr(absent.text, "shadow"));
}

// Each name below is a link out of the tree.
static void links_do_not_lead_out(void) {
        static const struct {
                const char *name, *target;
        } links[] = {
                { "site/overlays/a", "../../elsewhere" },
                { "site/kickstart/a.ks.tmpl", "../../elsewhere/a.ks.tmpl" },
                { "site/profiles/roles/a.yaml", "../../../elsewhere/a.yaml" },
                { "site/profiles/roles", "../../elsewhere" },
                { "site/profiles/releases/r.yaml", "../../../elsewhere/a.yaml" },
                { "site/profiles/cluster.yaml", "../../secret" },
                { "site/overlays", "../elsewhere" },
                { "site/kickstart", "../elsewhere" },
        };
        for (size_t i = 0; i < lengthof(links); i++) {
                make_site();
                EXPECT_OK(fs_remove_tree(AT_FDCWD, links[i].name, err));
                EXPECT(symlink(links[i].target, links[i].name) == 0);
                expect_refused("lies outside of the profile tree");
        }
        make_site();
        EXPECT(symlink("a", "site/overlays/b") == 0);
        write_text("site/profiles/roles/a.yaml", "overlays: [b]\n");
        expect_accepted(NULL);
}

static void folders_stay_inside(void) {
        static const char *const keys[] = { "roles", "releases", "overlays", "kickstart" };
        for (size_t i = 0; i < lengthof(keys); i++) {
                make_site();
                auto_free char *text = xasprintf(HEAD "paths: {%s: ../../elsewhere}\n", keys[i]);
                write_text("site/profiles/cluster.yaml", text);
                expect_refused("lies outside of the profile tree");
                expect_refused("site/profiles/cluster.yaml:5:");
        }
}

// Opening a named pipe waits for a writer who never comes: the test would not end.
static void only_files_are_files(void) {
        static const char *const names[] = { "site/profiles/cluster.yaml", "site/profiles/roles/a.yaml",
                                             "site/profiles/releases/r.yaml", "site/kickstart/a.ks.tmpl",
                                             "site/profiles/roles/source" };
        for (size_t i = 0; i < lengthof(names); i++) {
                make_site();
                EXPECT_OK(fs_remove_tree(AT_FDCWD, names[i], err));
                EXPECT(mkfifo(names[i], 0644) == 0);
                if (strstr(names[i], "source"))
                        write_text("site/profiles/roles/a.yaml", "files: [{path: /etc/x, source: source}]\n");
                expect_refused("is a named pipe, a socket or a device, not a file");
        }
        make_site();
        EXPECT(mkfifo("site/overlays/a/etc/pipe", 0644) == 0);
        expect_refused("neither a file, a directory nor a readable link");
        int fd = -1;
        auto_err err = { 0 };
        EXPECT(!fs_open_regular(AT_FDCWD, "site/overlays/a/etc/pipe", &fd, &err) && strstr(err.text, "a named pipe"));
        EXPECT(!fs_open_regular(AT_FDCWD, "/dev/null", &fd, &err) && strstr(err.text, "a device"));
}

static void modes_that_overlays_do_not_keep_are_told(void) {
        auto_buf text = { 0 };
        make_site();
        write_text("site/overlays/a/etc/key", "x");
        write_text("site/overlays/a/etc/set", "x");
        EXPECT_OK(fs_mkdirs(AT_FDCWD, "site/overlays/a/srv/drop", 0755, err));
        EXPECT_OK(fs_mkdirs(AT_FDCWD, "site/overlays/a/srv/shared", 0755, err));
        EXPECT(chmod("site/overlays/a/etc/key", 0600) == 0 && chmod("site/overlays/a/etc/set", 0640) == 0);
        EXPECT(chmod("site/overlays/a/srv/drop", 01777) == 0 && chmod("site/overlays/a/srv/shared", 02775) == 0);
        write_text("site/profiles/roles/a.yaml",
                   "attributes: [{path: /etc/set, mode: 0640}, {path: /srv/shared, mode: 2775}]\n");
        struct said said = said_begin();
        expect_accepted(NULL);
        said_end(&said, &text);
        EXPECT(strstr(buf_text(&text), "overlays/a/etc/key has mode 0600, which overlays do not keep: it becomes 0644, "
                                       "or 0755 if it is a program") != NULL);
        EXPECT(strstr(buf_text(&text),
                      "overlays/a/srv/drop has mode 1777, which overlays do not keep: it becomes 0755, "
                      "or as packages have it") != NULL);
        EXPECT(!strstr(buf_text(&text), "etc/set") && !strstr(buf_text(&text), "srv/shared"));
}

static void sparse_files_are_not_read(void) {
        static const struct {
                const char *name, *message;
        } files[] = { { "site/overlays/a/etc/motd", "is larger than 1 GiB" },
                      { "site/profiles/cluster.yaml", "is larger than 1 GiB" },
                      { "site/overlays/a/etc/x.tmpl", "is larger than 1 GiB" } };
        for (size_t i = 0; i < lengthof(files); i++) {
                make_site();
                write_text(files[i].name, "x");
                EXPECT(truncate(files[i].name, 1LL << 40) == 0);
                expect_refused(files[i].message);
        }
        make_site();
        EXPECT(truncate("site/profiles/roles/a.yaml", 17 << 20) == 0);
        expect_refused("cannot read `site/profiles/roles/a.yaml`: File too large");
}

static void expect_beside(const char *file, const char *path, const char *wanted) {
        struct arena arena = { 0 };
        EXPECT_TEXT(path_beside(&arena, file, path), wanted);
        arena_release(&arena);
}

// Programs know a file by its short name. A link leads elsewhere: ".." behind it stays.
static void names_have_no_detours(void) {
        make_site();
        EXPECT_OK(fs_mkdirs(AT_FDCWD, "other/profiles", 0755, err));
        EXPECT(symlink("../other/profiles", "site/linked") == 0);
        expect_beside("site/profiles/cluster.yaml", "../overlays", "site/overlays");
        expect_beside("site/profiles/cluster.yaml", "../../secret", "secret");
        expect_beside("site/profiles/cluster.yaml", "../..", ".");
        expect_beside("./site/profiles/cluster.yaml", "./roles//a.yaml", "site/profiles/roles/a.yaml");
        expect_beside("../site/cluster.yaml", "../overlays", "../site/../overlays");
        expect_beside("site/linked/cluster.yaml", "../overlays", "site/linked/../overlays");
        expect_beside("cluster.yaml", "../overlays", "../overlays");
        expect_beside("/tmp/cluster.yaml", "../x", "/x");
        expect_beside("site/cluster.yaml", "/a/../b", "/a/../b");
}

int main(void) {
        static char directory[] = "/tmp/kiln-tree-XXXXXX";
        progress_setup(PROGRESS_QUIET);
        if (!mkdtemp(directory) || chdir(directory) < 0)
                return 1;
        RUN(the_shipped_layout_is_a_tree);
        RUN(sources_stay_inside);
        RUN(links_do_not_lead_out);
        RUN(folders_stay_inside);
        RUN(only_files_are_files);
        RUN(names_have_no_detours);
        RUN(modes_that_overlays_do_not_keep_are_told);
        RUN(sparse_files_are_not_read);
        (void)!chdir("/");
        EXPECT_OK(fs_remove_tree(AT_FDCWD, directory, err));
        return test_done();
}
