// SPDX-License-Identifier: MIT
// The build's own namespaces: user_namespaces(7), mount_namespaces(7), newuidmap(1), subuid(5).
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "sandbox/container.h"
#include "sandbox/overlay.h"

enum { IDS_NEEDED = 65536, RANGES_MAX = 64 };

struct ranges {
        struct {
                unsigned long first, count;
        } items[RANGES_MAX];
        size_t count;
        unsigned long total;
};

char *sandbox_mapping(void) {
        auto_buf map = { .max = 1 << 16 };
        auto_err err = { 0 };
        unsigned long inside, outside, count;
        if (!fs_read(AT_FDCWD, "/proc/self/uid_map", &map, &err) ||
            !fs_read(AT_FDCWD, "/proc/self/gid_map", &map, &err))
                return xstrdup("");
        if (sscanf(buf_text(&map), "%lu %lu %lu", &inside, &outside, &count) == 3 && !inside && !outside &&
            count == UINT32_MAX)
                return xstrdup("");
        return xstrdup(buf_text(&map));
}

bool sandbox_is_mapped(void) {
        auto_free char *mapping = sandbox_mapping();
        return *mapping;
}

// Lines "NAME:FIRST:COUNT", or a numeric id in place of the name. An absent file has no ranges.
static void read_ranges(const char *path, const char *user, unsigned id, struct ranges *ranges) {
        auto_fclose FILE *file = fopen(path, "re");
        char line[512], name[256];
        unsigned long first, count;
        char number[16];
        snprintf(number, sizeof number, "%u", id);
        while (file && fgets(line, sizeof line, file) && ranges->count < RANGES_MAX) {
                if (sscanf(line, "%255[^:]:%lu:%lu", name, &first, &count) != 3 || count == 0)
                        continue;
                if ((user && strcmp(name, user) == 0) || strcmp(name, number) == 0) {
                        ranges->items[ranges->count].first = first;
                        ranges->items[ranges->count++].count = count;
                        ranges->total += count;
                }
        }
}

// newuidmap PID 0 OWN 1 1 FIRST COUNT ...
static bool map_ids(const char *tool, pid_t process, unsigned own, const struct ranges *ranges, struct err *err) {
        struct arena arena = { 0 };
        const char **argv = NULL;
        size_t count = 0;
        *array_append(&argv, &count) = tool;
        *array_append(&argv, &count) = arena_printf(&arena, "%d", process);
        *array_append(&argv, &count) = "0";
        *array_append(&argv, &count) = arena_printf(&arena, "%u", own);
        *array_append(&argv, &count) = "1";
        unsigned long next = 1;
        for (size_t i = 0; i < ranges->count; i++) {
                *array_append(&argv, &count) = arena_printf(&arena, "%lu", next);
                *array_append(&argv, &count) = arena_printf(&arena, "%lu", ranges->items[i].first);
                *array_append(&argv, &count) = arena_printf(&arena, "%lu", ranges->items[i].count);
                next += ranges->items[i].count;
        }
        *array_append(&argv, &count) = NULL;
        bool ok = run(&(struct run){ .argv = argv }, err);
        free(argv);
        arena_release(&arena);
        if (ok)
                return true;
        err->kind = ERR_SANDBOX;
        return wrap(err, "mapping subordinate ids");
}

struct mapper {
        unsigned uid, gid;
        struct ranges uids, gids;
};

// Runs in a child that stays outside of the new user namespace, because the tools must be.
static _Noreturn void map_parent(const struct mapper *mapper, pid_t parent, int ready, int report) {
        char byte;
        auto_err err = { 0 };
        if (read(ready, &byte, 1) != 1)
                _exit(1);
        bool ok = map_ids("newuidmap", parent, mapper->uid, &mapper->uids, &err) &&
                  map_ids("newgidmap", parent, mapper->gid, &mapper->gids, &err);
        if (!ok)
                (void)!write(report, err.text, strlen(err.text));
        _exit(ok ? 0 : 1);
}

// One line of a file of /proc/sys; false where the kernel has no such file.
static bool has_setting(const char *path, const char *value) {
        auto_buf text = { .max = 4096 };
        auto_err ignored = { 0 };
        return fs_read(AT_FDCWD, path, &text, &ignored) && strcmp(buf_text(&text), value) == 0;
}

// What is set against user namespaces here; else it is a filter of system calls, as container runtimes have one.
static bool hint_user_namespace(struct err *err) {
        static const struct {
                const char *path, *value, *remedy;
        } settings[] = {
                { "/proc/sys/user/max_user_namespaces", "0\n", "user.max_user_namespaces=15000" },
                { "/proc/sys/kernel/unprivileged_userns_clone", "0\n", "kernel.unprivileged_userns_clone=1" },
                { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n",
                  "kernel.apparmor_restrict_unprivileged_userns=0" },
        };
        auto_buf remedy = { 0 };
        for (size_t i = 0; i < lengthof(settings); i++)
                if (has_setting(settings[i].path, settings[i].value))
                        buf_printf(&remedy, " %s", settings[i].remedy);
        if (remedy.size)
                return hint(
                    err, "this machine keeps user namespaces from plain users: as root, `sysctl%s`, or build as root",
                    buf_text(&remedy));
        return hint(err, "a container that runs kiln must allow it to make namespaces (docker run --privileged); a "
                         "security module may refuse them too, and root may build in any case");
}

// A limit is reached: errno says ENOSPC, which is no full disk.
static bool fail_unshare(const char *kind, const char *limit, struct err *err) {
        if (errno != ENOSPC)
                return fail(err, ERR_SANDBOX, errno, "make a %s namespace", kind);
        fail(err, ERR_SANDBOX, 0, "make a %s namespace: there are as many as %s allows", kind, limit);
        return hint(err, "as root: sysctl %s=15000", limit);
}

static bool unshare_user(struct err *err) {
        if (unshare(CLONE_NEWUSER) == 0)
                return true;
        bool limited = errno == ENOSPC;
        (void)fail_unshare("user", "user.max_user_namespaces", err);
        return limited ? false : hint_user_namespace(err);
}

static bool enter_user_namespace(const struct mapper *mapper, struct err *err) {
        int ready[2], report[2];
        if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0)
                return fail(err, ERR_SYSTEM, errno, "make a pipe");
        pid_t self = getpid();
        pid_t child = fork();
        if (child < 0)
                return fail(err, ERR_SYSTEM, errno, "fork");
        if (child == 0) {
                close(ready[1]);
                map_parent(mapper, self, ready[0], report[1]);
        }
        close(ready[0]);
        close(report[1]);
        bool ok = unshare_user(err);
        if (ok)
                (void)!write(ready[1], "x", 1);
        close(ready[1]);
        auto_buf text = { .max = 1 << 16 };
        auto_err ignored = { 0 };
        (void)!buf_read_fd(&text, report[0], &ignored);
        close(report[0]);
        int status = 0;
        waitpid(child, &status, 0);
        if (!ok)
                return false;
        if (status != 0) {
                fail(err, ERR_SANDBOX, 0, "%s", text.size ? buf_text(&text) : "mapping subordinate ids failed");
                return hint(err, "install the package uidmap, whose newuidmap and newgidmap are setuid root; a nosuid "
                                 "file system or no_new_privs takes that away");
        }
        if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) {
                fail(err, ERR_SANDBOX, errno, "become root in the user namespace");
                return hint_user_namespace(err);
        }
        prctl(PR_SET_DUMPABLE, 1);
        return true;
}

static bool become_root(struct err *err) {
        struct mapper mapper = { .uid = geteuid(), .gid = getegid() };
        const struct passwd *entry = getpwuid(mapper.uid);
        const char *user = entry ? entry->pw_name : NULL;
        read_ranges("/etc/subuid", user, mapper.uid, &mapper.uids);
        read_ranges("/etc/subgid", user, mapper.uid, &mapper.gids);
        if (mapper.uids.total < IDS_NEEDED - 1 || mapper.gids.total < IDS_NEEDED - 1) {
                fail(err, ERR_SANDBOX, 0,
                     "%s has %lu subordinate user ids and %lu group ids; the owners of an image need %d",
                     user ? user : "this user", mapper.uids.total, mapper.gids.total, IDS_NEEDED);
                return hint(err, "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s",
                            user ? user : "USER");
        }
        return enter_user_namespace(&mapper, err);
}

// Root of a container or of `unshare -r` may own a handful of ids only; rpm's chown would fail in the middle.
static bool check_ids(struct err *err) {
        auto_fclose FILE *file = fopen("/proc/self/uid_map", "re");
        unsigned long inside, outside, count, total = 0;
        while (file && fscanf(file, "%lu %lu %lu", &inside, &outside, &count) == 3)
                total += count;
        if (!file || total >= IDS_NEEDED - 1)
                return true;
        fail(err, ERR_SANDBOX, 0, "this user namespace holds %lu user ids; the owners of an image need %d", total,
             IDS_NEEDED);
        return hint(err, "start kiln outside of it: it makes a namespace of its own");
}

static bool unshare_mounts(struct err *err) {
        if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
                return true;
        bool limited = errno == ENOSPC;
        (void)fail_unshare("mount", "user.max_mnt_namespaces", err);
        return limited ? false : hint(err, "a container that runs kiln needs CAP_SYS_ADMIN (docker run --privileged)");
}

// Of the moment: says nothing of what the kernel can do.
static bool is_shortage(int number) {
        return number == ENOMEM || number == EMFILE || number == ENFILE || number == ENOSPC || number == EDQUOT;
}

// A scratch directory that is only ever mounted on; the tmpfs and its overlay vanish with the descriptor.
static bool check_overlay(struct err *err) {
        char scratch[] = "/tmp/kiln-check-XXXXXX";
        if (!mkdtemp(scratch))
                return fail(err, ERR_SYSTEM, errno, "make a directory in /tmp");
        bool ok = mount("kiln", scratch, "tmpfs", MS_NODEV | MS_NOSUID, "mode=0700") == 0;
        auto_close int dir = ok ? open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        auto_close int lower = -1, upper = -1, work = -1, merged = -1;
        ok = dir >= 0 && fs_mkdirs(dir, "lower", 0755, err) && fs_mkdirs(dir, "upper", 0755, err) &&
             fs_mkdirs(dir, "work", 0755, err) && fs_open_dir(dir, "lower", &lower, err) &&
             fs_open_dir(dir, "upper", &upper, err) && fs_open_dir(dir, "work", &work, err) &&
             overlay_open(&lower, 1, upper, work, &merged, err);
        int number = errno;
        umount2(scratch, MNT_DETACH);
        rmdir(scratch);
        if (ok)
                return true;
        if (!err->kind)
                fail(err, ERR_SANDBOX, number, "mount a tmpfs");
        if (is_shortage(number))
                return wrap(err, "trying whether this kernel mounts an overlayfs");
        err->kind = ERR_SANDBOX;
        wrap(err, "this kernel mounts no overlayfs%s", sandbox_is_mapped() ? " in a user namespace" : "");
        return hint(
            err, "load the module overlay (modprobe overlay); plain users need Linux 5.11 or newer, or build as root");
}

bool sandbox_enter(struct err *err) {
        static bool entered;
        if (entered)
                return true;
        if (geteuid() != 0 && !become_root(err))
                return false;
        if (!check_ids(err) || !unshare_mounts(err) || !check_overlay(err))
                return false;
        umask(022);
        entered = true;
        return true;
}
