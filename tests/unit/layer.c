// SPDX-License-Identifier: MIT
// The cache of layers: made once, shared, never half done.
#include "packages/packages.h"
#include "rootfs/rootfs.h"
#include "sandbox/sandbox.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/run.h"
#include "tests/unit/layers.h"
#include "tests/unit/open_cache.h"

static char work_path[] = "/tmp/kiln-layer-XXXXXX";
static int work = -1;
static struct arena arena;
static struct release release = { .name = "r", .arch = "noarch", .rpmdb = "sqlite" };
static struct package packages[4];

static const char spec[] =
    "%global __spec_install_post %{nil}\nName: one\nVersion: 1\nRelease: 1\nSummary: s\nLicense: x\nBuildArch: noarch\n"
    "AutoReqProv: no\n%description\n%package -n two\nSummary: s\nAutoReqProv: no\nRequires: one\n%description -n two\n"
    "%package -n bad\nSummary: s\nAutoReqProv: no\n%description -n bad\n%package -n big\nSummary: s\nAutoReqProv: "
    "no\n%description -n big\n"
    "%install\nmkdir -p %{buildroot}/etc %{buildroot}/var/lib/rpm\necho one >%{buildroot}/etc/one\necho two "
    ">%{buildroot}/etc/two\n"
    "head -c 8000000 /dev/urandom >%{buildroot}/etc/big\n"
    "%files\n/etc/one\n/var/lib/rpm\n%files -n two\n%attr(0644,root,svc) /etc/two\n%files -n big\n/etc/big\n%files -n "
    "bad\n"
    "%pretrans -n two -p <lua>\nlocal f = io.open('/etc/one', 'a')\nf:write('changed\\n')\nf:close()\n"
    "%post -n bad -p <lua>\nerror('no')\n";

static bool build_packages(struct err *err) {
        static const char *const names[] = { "bad", "big", "one", "two" };
        auto_free char *top = xasprintf("_topdir %s", work_path);
        auto_free char *rpms = xasprintf("_rpmdir %s/rpms", work_path);
        auto_free char *file = xasprintf("%s/test.spec", work_path);
        for (size_t i = 0; i < lengthof(names); i++)
                packages[i] = (struct package){
                        .name = names[i],
                        .nevra = arena_printf(&arena, "%s-1-1.noarch", names[i]),
                        .checksum = "00",
                        .checksum_type = "sha256",
                        .path = arena_printf(&arena, "%s/rpms/noarch/%s-1-1.noarch.rpm", work_path, names[i]),
                };
        return fs_write_atomic(work, "test.spec", spec, sizeof spec - 1, 0644, err) &&
               run_command(err, "rpmbuild", "-bb", "--quiet", "--define", top, "--define", rpms, "--define",
                           "_dbpath /tmp/none", file, NULL);
}

static const struct package *items[] = { &packages[0], &packages[1], &packages[2], &packages[3] };
static struct package_set bad = { &items[0], 1 }, big = { &items[1], 1 }, base = { &items[2], 1 },
                          role = { &items[2], 2 };

static struct rootfs_options options_for(const char *cache) {
        return (struct rootfs_options){
                .cache = open_cache(arena_printf(&arena, "%s/%s", work_path, cache)),
                .release = &release,
                .source_date_epoch = 1447000000,
        };
}

static size_t count_entries(const char *path, const char *part) {
        DIR *stream = opendir(path);
        size_t count = 0;
        for (struct dirent *entry; stream && (entry = readdir(stream));)
                count += entry->d_name[0] != '.' && strstr(entry->d_name, part) != NULL;
        if (stream)
                closedir(stream);
        return count;
}

static void expect_text(int dir, const char *path, const char *wanted) {
        auto_buf text = { 0 };
        EXPECT_OK(fs_read(dir, path, &text, err));
        EXPECT_TEXT(buf_text(&text), wanted);
}

static void makes_and_mounts(void) {
        struct rootfs_options options = options_for("cache");
        struct layer *lower = NULL, *upper = NULL, *again = NULL;
        struct mounted mounted = { .fd = -1 };
        EXPECT_OK(layer_install(&options, &base, NULL, NULL, &arena, &lower, err));
        EXPECT_OK(layer_install(&options, &role, lower, &base, &arena, &upper, err));
        EXPECT(lower && upper && lower->fresh && upper->fresh && strcmp(lower->key, upper->key) != 0);
        if (!upper)
                return;
        EXPECT_OK(layer_mount(&options, upper, &mounted, err));
        expect_text(mounted.fd, "etc/two", "two\n");
        expect_text(mounted.fd, "etc/one", "one\nchanged\n");
        EXPECT(openat(mounted.fd, "etc/new", O_CREAT | O_WRONLY, 0644) < 0 && errno == EROFS);
        auto_free char *path = xstrdup(mounted.path);
        EXPECT(access(path, F_OK) == 0);
        layer_unmount(&mounted);
        EXPECT(access(path, F_OK) < 0);
        EXPECT_OK(layer_mount(&options, lower, &mounted, err));
        expect_text(mounted.fd, "etc/one", "one\n"); // the role's changes are the role's
        EXPECT(!fs_exists(mounted.fd, "etc/two"));
        layer_unmount(&mounted);
        EXPECT_OK(layer_install(&options, &base, NULL, NULL, &arena, &again, err));
        EXPECT(again && !again->fresh);
}

static void time_is_part_of_the_key(void) {
        struct rootfs_options options = options_for("cache");
        struct layer *now = NULL, *later = NULL;
        EXPECT_OK(layer_install(&options, &base, NULL, NULL, &arena, &now, err));
        options.source_date_epoch++;
        EXPECT_OK(layer_install(&options, &base, NULL, NULL, &arena, &later, err));
        EXPECT(now && later && strcmp(now->key, later->key) != 0);
}

static void who_makes_it_is_part_of_the_key(void) {
        struct rootfs_options options = options_for("cache");
        struct layer *one, *other;
        options.maker = "one";
        layer_find(&options, &base, NULL, NULL, &arena, &one);
        options.maker = "other";
        layer_find(&options, &base, NULL, NULL, &arena, &other);
        EXPECT(strcmp(one->key, other->key) != 0);
}

// A user of the role is part of the key of the layer that has files of it, and of no other.
static void users_are_part_of_the_key_of_who_needs_them(void) {
        static const struct user users[] = { { .name = "svc", .uid = -1 }, { .name = "else", .uid = -1 } };
        struct rootfs_options options = options_for("cache");
        struct layer_users none = { 0 }, some = { 0 };
        struct layer *without, *with;
        EXPECT_OK(layer_users_add(&base, NULL, users, lengthof(users), &arena, &none, err));
        EXPECT_OK(layer_users_add(&role, &base, users, lengthof(users), &arena, &some, err));
        EXPECT(none.count == 0 && some.count == 1 && strcmp(some.items[0]->name, "svc") == 0);
        layer_find(&options, &role, NULL, &none, &arena, &without);
        layer_find(&options, &role, NULL, &some, &arena, &with);
        EXPECT(strcmp(without->key, with->key) != 0);
}

static void scriptlets_that_may_fail_are_part_of_the_key_of_who_has_them(void) {
        static const char *present[] = { "o*", "absent" }, *absent[] = { "absent" };
        struct rootfs_options options = options_for("cache");
        struct release forgiving = release;
        struct layer *layers[3];
        options.release = &forgiving;
        layer_find(&options, &base, NULL, NULL, &arena, &layers[0]);
        forgiving.may_fail = (struct strings){ absent, 1 };
        layer_find(&options, &base, NULL, NULL, &arena, &layers[1]);
        forgiving.may_fail = (struct strings){ present, 2 };
        layer_find(&options, &base, NULL, NULL, &arena, &layers[2]);
        EXPECT_TEXT(layers[0]->key, layers[1]->key);
        EXPECT(strcmp(layers[0]->key, layers[2]->key) != 0);
}

static void expect_made_again(bool thorough, bool fresh) {
        struct rootfs_options options = options_for("cache-damaged");
        struct layer *layer;
        layer_find(&options, &base, NULL, NULL, &arena, &layer);
        EXPECT_OK(layer_obtain(&options, layer, thorough, &base, NULL, err));
        EXPECT(layer->fresh == fresh);
        auto_free char *path = xasprintf("%s/etc/one", layer->path);
        struct stat stat = { 0 };
        EXPECT(lstat(path, &stat) == 0);
        EXPECT((stat.st_mode & 07777) == 0644 || (!fresh && !thorough));
}

static void a_damaged_layer_is_made_again(void) {
        struct rootfs_options options = options_for("cache-damaged");
        struct layer *layer;
        layer_find(&options, &base, NULL, NULL, &arena, &layer);
        auto_free char *path = xasprintf("%s/etc/one", layer->path);
        auto_free char *moved = xasprintf("%s-moved", cache_path(options.cache));
        expect_made_again(false, true);
        expect_made_again(true, false);
        EXPECT(chmod(path, 0600) == 0);
        expect_made_again(false, false); // it lies where it was made, and nothing will read all of it
        expect_made_again(true, true);
        EXPECT(chmod(path, 0600) == 0);
        EXPECT_OK(run_command(err, "cp", "-a", cache_path(options.cache), moved, NULL));
        EXPECT_OK(fs_remove_tree(AT_FDCWD, cache_path(options.cache), err));
        EXPECT(rename(moved, cache_path(options.cache)) == 0);
        expect_made_again(false, true);
}

// What `setfacl -d -m u:480:rwx` of the cache's directory would give every file that is made below it.
static void nothing_is_inherited_from_the_cache(void) {
        static const unsigned char acl[] = "\2\0\0\0"
                                           "\1\0\7\0\377\377\377\377"   // user::rwx
                                           "\2\0\7\0\340\1\0\0"         // user:480:rwx
                                           "\4\0\0\0\377\377\377\377"   // group::---
                                           "\20\0\7\0\377\377\377\377"  // mask::rwx
                                           "\40\0\5\0\377\377\377\377"; // other::r-x
        struct rootfs_options options = options_for("cache-acl");
        struct layer *layer = NULL;
        auto_free char *layers = xasprintf("%s/layers", cache_path(options.cache));
        EXPECT_OK(fs_mkdirs(AT_FDCWD, layers, 0755, err));
        EXPECT(setxattr(layers, "system.posix_acl_default", acl, sizeof acl - 1, 0) == 0);
        EXPECT_OK(layer_install(&options, &base, NULL, NULL, &arena, &layer, err));
        auto_free char *file = xasprintf("%s/etc/one", layer->path);
        struct stat stat;
        EXPECT(getxattr(file, "system.posix_acl_access", NULL, 0) < 0);
        EXPECT(lstat(file, &stat) == 0 && (stat.st_mode & 07777) == 0644);
}

static void failure_leaves_nothing(void) {
        struct rootfs_options options = options_for("cache-bad");
        struct layer *layer = NULL;
        auto_err failure = { 0 };
        auto_free char *layers = xasprintf("%s/layers", cache_path(options.cache));
        EXPECT(!layer_install(&options, &bad, NULL, NULL, &arena, &layer, &failure));
        EXPECT(failure.kind == ERR_SCRIPTLET && layer == NULL);
        EXPECT(count_entries(layers, "") == 1 && count_entries(layers, ".lock") == 1);
}

static void killed_builds_are_cleaned_up(void) {
        struct rootfs_options options = options_for("cache-killed");
        struct layer *layer = NULL;
        auto_free char *layers = xasprintf("%s/layers", cache_path(options.cache));
        auto_free char *dead = xasprintf("%s/dead.tmp.12345678/root/etc", layers);
        auto_free char *alive = xasprintf("%s/alive.tmp.12345678/root", layers);
        auto_free char *lock = xasprintf("%s/alive.lock", layers);
        EXPECT_OK(fs_mkdirs(AT_FDCWD, dead, 0555, err));
        EXPECT_OK(fs_mkdirs(AT_FDCWD, alive, 0755, err));
        auto_close int held = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        EXPECT(flock(held, LOCK_EX) == 0);
        EXPECT_OK(layer_install(&options, &base, NULL, NULL, &arena, &layer, err));
        EXPECT(count_entries(layers, "dead.tmp") == 0);
        EXPECT(count_entries(layers, "alive.tmp") == 1);
}

static void two_builds_share_one_layer(void) {
        struct rootfs_options options = options_for("cache-shared");
        int fresh = 0;
        pid_t children[3];
        for (size_t i = 0; i < lengthof(children); i++)
                if ((children[i] = fork()) == 0) {
                        struct layer *layer = NULL;
                        auto_err failure = { 0 };
                        _exit(layer_install(&options, &base, NULL, NULL, &arena, &layer, &failure) ? layer->fresh : 9);
                }
        for (size_t i = 0; i < lengthof(children); i++) {
                int status = 0;
                waitpid(children[i], &status, 0);
                EXPECT(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
                fresh += WEXITSTATUS(status);
        }
        EXPECT(fresh == 1);
}

static void full_disk_is_said(void) {
        struct rootfs_options options = options_for("cache-full");
        struct layer *layer = NULL;
        auto_err failure = { 0 };
        EXPECT_OK(fs_mkdirs(AT_FDCWD, cache_path(options.cache), 0755, err));
        EXPECT(mount("x", cache_path(options.cache), "tmpfs", 0, "size=4m") == 0);
        EXPECT(!layer_install(&options, &big, NULL, NULL, &arena, &layer, &failure));
        EXPECT(failure.kind == ERR_DISK_FULL);
        if (failure.kind != ERR_DISK_FULL)
                printf("# %s\n", failure.text);
        umount2(cache_path(options.cache), MNT_DETACH);
}

static void unknown_database_is_refused(void) {
        struct rootfs_options options = options_for("cache-bdb");
        struct release other = { .name = "r", .arch = "noarch", .rpmdb = "ndb" };
        struct layer *layer = NULL;
        auto_err failure = { 0 };
        options.release = &other;
        EXPECT(!layer_install(&options, &base, NULL, NULL, &arena, &layer, &failure));
        EXPECT(failure.kind == ERR_TRANSACTION && strstr(failure.text, "ndb"));
}

// Last: the flag stays set.
static void ctrl_c_leaves_nothing(void) {
        struct rootfs_options options = options_for("cache-interrupted");
        struct layer *layer = NULL;
        auto_err failure = { 0 };
        auto_free char *layers = xasprintf("%s/layers", cache_path(options.cache));
        interrupt_install();
        raise(SIGINT);
        EXPECT(!layer_install(&options, &base, NULL, NULL, &arena, &layer, &failure));
        EXPECT(failure.kind == ERR_INTERRUPTED);
        EXPECT(count_entries(layers, ".tmp") == 0);
}

int main(int argc, char **argv) {
        transaction_init_main(argc, argv);
        auto_err err = { 0 };
        if (!mkdtemp(work_path) || !sandbox_enter(&err) || !fs_open_dir(AT_FDCWD, work_path, &work, &err) ||
            !build_packages(&err)) {
                printf("Bail out! %s\n", err.text ? err.text : strerror(errno));
                return 1;
        }
        RUN(makes_and_mounts);
        RUN(time_is_part_of_the_key);
        RUN(who_makes_it_is_part_of_the_key);
        RUN(users_are_part_of_the_key_of_who_needs_them);
        RUN(scriptlets_that_may_fail_are_part_of_the_key_of_who_has_them);
        RUN(a_damaged_layer_is_made_again);
        RUN(nothing_is_inherited_from_the_cache);
        RUN(failure_leaves_nothing);
        RUN(killed_builds_are_cleaned_up);
        RUN(two_builds_share_one_layer);
        RUN(full_disk_is_said);
        RUN(unknown_database_is_refused);
        RUN(ctrl_c_leaves_nothing);
        int failed = test_done();
        auto_free char *mounts = xasprintf("%s/cache/mounts", work_path);
        umount2(mounts, MNT_DETACH);
        arena_release(&arena);
        (void)!fs_remove_tree(AT_FDCWD, work_path, &err);
        return failed;
}
