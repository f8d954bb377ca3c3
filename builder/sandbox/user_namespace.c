// SPDX-License-Identifier: MIT
// user_namespaces(7), newuidmap(1), subuid(5).
#include "sandbox/user_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"

enum { RANGES_MAX = 64 };

// ---- what is mapped ----

// The system's first namespace maps every id to itself, in one line.
static bool is_identity(const char *map) {
        unsigned long inside, outside, count;
        if (sscanf(map, "%lu %lu %lu", &inside, &outside, &count) != 3)
                return false;
        return inside == 0 && outside == 0 && count == UINT32_MAX;
}

char *user_namespace_mapping(void) {
        auto_buf map = { .max = 1 << 16 };
        auto_err err = { 0 };
        bool known =
            fs_read(AT_FDCWD, "/proc/self/uid_map", &map, &err) && fs_read(AT_FDCWD, "/proc/self/gid_map", &map, &err);
        if (!known || is_identity(buf_text(&map)))
                return xstrdup("");
        return xstrdup(buf_text(&map));
}

bool user_namespace_is_mapped(void) {
        auto_free char *mapping = user_namespace_mapping();
        return *mapping != '\0';
}

// The first number that no user or group of this namespace has. 0: it is not known.
static unsigned long first_missing_id(const char *map) {
        unsigned long inside, outside, count, end = 0;
        for (const char *line = map; sscanf(line, "%lu %lu %lu", &inside, &outside, &count) == 3;) {
                if (inside == end)
                        end += count;
                line = strchr(line, '\n');
                if (!line)
                        break;
                line++;
        }
        return end;
}

bool user_namespace_hint_ids(struct err *err) {
        auto_buf map = { .max = 1 << 16 };
        auto_err unread = { 0 };
        if (!user_namespace_is_mapped() || !fs_read(AT_FDCWD, "/proc/self/uid_map", &map, &unread))
                return false;
        return hint(
            err,
            "no user or group has a number of %lu or more here: the subordinate ids of whoever builds do not "
            "reach further. As root, add a range that nobody has to /etc/subuid and /etc/subgid, such as usermod "
            "--add-subuids 1000000-1065535 --add-subgids 1000000-1065535 USER",
            first_missing_id(buf_text(&map)));
}

// ---- subordinate ids ----

struct id_ranges {
        struct {
                unsigned long first, count;
        } items[RANGES_MAX];
        size_t count;
        unsigned long total;
};

// Lines "NAME:FIRST:COUNT", or a numeric id in place of the name. An absent file has no ranges.
static void read_id_ranges(const char *path, const char *user, unsigned id, struct id_ranges *ranges) {
        auto_fclose FILE *file = fopen(path, "re");
        char line[512], name[256], number[16];
        unsigned long first, count;
        snprintf(number, sizeof number, "%u", id);
        while (file && fgets(line, sizeof line, file) && ranges->count < RANGES_MAX) {
                if (sscanf(line, "%255[^:]:%lu:%lu", name, &first, &count) != 3 || count == 0)
                        continue;
                bool by_name = user && strcmp(name, user) == 0;
                if (!by_name && strcmp(name, number) != 0)
                        continue;
                ranges->items[ranges->count].first = first;
                ranges->items[ranges->count].count = count;
                ranges->count++;
                ranges->total += count;
        }
}

struct argv {
        struct arena arena;
        const char **items;
        size_t count;
};

static void append_id(struct argv *argv, unsigned long id) {
        *array_append(&argv->items, &argv->count) = arena_printf(&argv->arena, "%lu", id);
}

static void append_id_range(struct argv *argv, unsigned long inside, unsigned long outside, unsigned long count) {
        append_id(argv, inside);
        append_id(argv, outside);
        append_id(argv, count);
}

// newuidmap PID 0 OWN 1 1 FIRST COUNT ...
static bool run_id_mapper(const char *tool, pid_t process, unsigned own, const struct id_ranges *ranges,
                          struct err *err) {
        struct argv argv = { 0 };
        *array_append(&argv.items, &argv.count) = tool;
        append_id(&argv, (unsigned long)process);
        append_id_range(&argv, 0, own, 1);
        unsigned long next = 1;
        for (size_t i = 0; i < ranges->count; i++) {
                append_id_range(&argv, next, ranges->items[i].first, ranges->items[i].count);
                next += ranges->items[i].count;
        }
        *array_append(&argv.items, &argv.count) = NULL;
        bool ok = run(&(struct run){ .argv = argv.items }, err);
        free(argv.items);
        arena_release(&argv.arena);
        if (ok)
                return true;
        err->kind = ERR_SANDBOX;
        return wrap(err, "mapping subordinate ids");
}

struct mapper {
        unsigned uid, gid;
        struct id_ranges uids, gids;
};

// Runs in a child that stays outside of the new user namespace, because the tools must be. Waits until the parent says
// by a byte that it has the namespace.
static _Noreturn void map_parent(const struct mapper *mapper, pid_t parent, int ready, int report) {
        char byte;
        auto_err err = { 0 };
        if (read(ready, &byte, 1) != 1)
                _exit(1);
        bool ok = run_id_mapper("newuidmap", parent, mapper->uid, &mapper->uids, &err) &&
                  run_id_mapper("newgidmap", parent, mapper->gid, &mapper->gids, &err);
        if (ok)
                _exit(0);
        (void)!write(report, err.text, strlen(err.text));
        _exit(1);
}

// ---- what keeps a user from making a namespace ----

// Whether a file of /proc/sys holds this line; false where the kernel has no such file.
static bool has_setting(const char *path, const char *value) {
        auto_buf text = { .max = 4096 };
        auto_err ignored = { 0 };
        return fs_read(AT_FDCWD, path, &text, &ignored) && strcmp(buf_text(&text), value) == 0;
}

// What is set against user namespaces here; else it is a filter of system calls, as container runtimes have one.
bool user_namespace_hint(struct err *err) {
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
                    err, "this machine keeps user namespaces from plain users: as root, `sysctl%s`, or do it as root",
                    buf_text(&remedy));
        return hint(err, "a container that runs kiln must allow it to make namespaces (docker run --privileged); a "
                         "security module may refuse them too, and root needs none");
}

bool namespace_fail(const char *kind, const char *limit, bool *ret_limited, struct err *err) {
        *ret_limited = errno == ENOSPC;
        if (!*ret_limited)
                return fail(err, ERR_SANDBOX, errno, "make a %s namespace", kind);
        fail(err, ERR_SANDBOX, 0, "make a %s namespace: there are as many as %s allows", kind, limit);
        return hint(err, "as root: sysctl %s=15000", limit);
}

static bool unshare_user(struct err *err) {
        bool limited;
        if (unshare(CLONE_NEWUSER) == 0)
                return true;
        (void)namespace_fail("user", "user.max_user_namespaces", &limited, err);
        if (!limited)
                (void)user_namespace_hint(err);
        return false;
}

// ---- entering one ----

// The child and the pipes between: `ready` tells it to begin, on `report` it says what went wrong.
struct mapping_child {
        pid_t pid;
        int ready, report;
};

static bool start_mapping_child(const struct mapper *mapper, struct mapping_child *ret, struct err *err) {
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
        *ret = (struct mapping_child){ child, ready[1], report[0] };
        return true;
}

// Lets the child map the ids, or end if `unshared` says that there is no namespace to map them for, and waits for it.
// False if there is none: `err` holds the reason already.
static bool await_mapping_child(const struct mapping_child *child, bool unshared, struct err *err) {
        auto_buf text = { .max = 1 << 16 };
        auto_err ignored = { 0 };
        int status = 0;
        if (unshared)
                (void)!write(child->ready, "x", 1);
        close(child->ready);
        (void)!buf_read_fd(&text, child->report, &ignored);
        close(child->report);
        waitpid(child->pid, &status, 0);
        if (!unshared)
                return false;
        if (status == 0)
                return true;
        if (text.size == 0)
                buf_append_text(&text, "mapping subordinate ids failed");
        fail(err, ERR_SANDBOX, 0, "%s", buf_text(&text));
        return hint(err, "install the package uidmap, whose newuidmap and newgidmap are setuid root; a nosuid file "
                         "system or no_new_privs takes that away");
}

static bool unshare_and_map(const struct mapper *mapper, struct err *err) {
        struct mapping_child child = { 0 };
        if (!start_mapping_child(mapper, &child, err))
                return false;
        bool unshared = unshare_user(err);
        if (!await_mapping_child(&child, unshared, err))
                return false;
        if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) {
                fail(err, ERR_SANDBOX, errno, "become root in the user namespace");
                return user_namespace_hint(err);
        }
        prctl(PR_SET_DUMPABLE, 1); // a change of ids takes it away, and with it the owner of /proc/self
        return true;
}

static bool write_own(const char *path, const char *text, struct err *err) {
        auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text))
                return true;
        fail(err, ERR_SANDBOX, errno, "map ids: write %s", path);
        return user_namespace_hint(err);
}

bool user_namespace_map_one(unsigned uid, unsigned outside_uid, unsigned gid, unsigned outside_gid, struct err *err) {
        auto_free char *uids = xasprintf("%u %u 1", uid, outside_uid), *gids = xasprintf("%u %u 1", gid, outside_gid);
        return write_own("/proc/self/setgroups", "deny", err) && write_own("/proc/self/uid_map", uids, err) &&
               write_own("/proc/self/gid_map", gids, err);
}

// The user's own id is the one more that is needed.
static bool has_enough_ids(const struct mapper *mapper) {
        enum { SUBORDINATE_NEEDED = USER_NAMESPACE_IDS_NEEDED - 1 };
        return mapper->uids.total >= SUBORDINATE_NEEDED && mapper->gids.total >= SUBORDINATE_NEEDED;
}

bool user_namespace_enter(struct err *err) {
        struct mapper mapper = { .uid = geteuid(), .gid = getegid() };
        const struct passwd *entry = getpwuid(mapper.uid);
        const char *user = entry ? entry->pw_name : NULL;
        read_id_ranges("/etc/subuid", user, mapper.uid, &mapper.uids);
        read_id_ranges("/etc/subgid", user, mapper.uid, &mapper.gids);
        if (has_enough_ids(&mapper))
                return unshare_and_map(&mapper, err);
        fail(err, ERR_SANDBOX, 0, "%s has %lu subordinate user ids and %lu group ids; the owners of an image need %d",
             text_or(user, "this user"), mapper.uids.total, mapper.gids.total, USER_NAMESPACE_IDS_NEEDED);
        return hint(err, "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s",
                    text_or(user, "USER"));
}
