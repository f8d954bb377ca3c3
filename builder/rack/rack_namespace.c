// SPDX-License-Identifier: MIT
#include "rack/rack_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "sandbox/user_namespace.h"

// User first: it gives the right to enter the others.
static const struct {
        const char *path;
        int flag;
} namespace_kinds[RACK_NAMESPACES] = {
        { "/proc/self/ns/user", CLONE_NEWUSER },
        { "/proc/self/ns/mnt", CLONE_NEWNS },
        { "/proc/self/ns/net", CLONE_NEWNET },
        { "/proc/self/ns/pid", CLONE_NEWPID },
};

static pid_t clone_into(int flags) { return (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL); }

// A /proc of the new processes is for commands that people run here; where the system keeps it from users the old one
// stays.
static bool settle_child(bool has_user, uid_t uid, gid_t gid, struct err *err) {
        if (has_user && !user_namespace_map_one(0, uid, 0, gid, err))
                return false;
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return fail(err, ERR_SANDBOX, errno, "keep the rack's mounts apart");
        (void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
        return true;
}

bool rack_namespace_fork(pid_t *ret_pid, struct err *err) {
        enum { OTHERS = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID };
        uid_t uid = geteuid();
        gid_t gid = getegid();
        bool has_user = uid != 0;
        pid_t pid = -1;
        errno = EPERM;
        if (!has_user)
                pid = clone_into(OTHERS);
        if (pid < 0 && errno == EPERM) { // root of a container may be denied what a namespace of its own allows
                has_user = true;
                pid = clone_into(OTHERS | CLONE_NEWUSER);
        }
        if (pid < 0) {
                bool limited;
                (void)namespace_fail("network", "user.max_net_namespaces", &limited, err);
                if (!limited)
                        (void)user_namespace_hint(err);
                return false;
        }
        *ret_pid = pid;
        return pid > 0 || settle_child(has_user, uid, gid, err);
}

bool rack_namespace_open(int ret[static RACK_NAMESPACES], struct err *err) {
        for (size_t i = 0; i < RACK_NAMESPACES; i++)
                ret[i] = open(namespace_kinds[i].path, O_RDONLY | O_CLOEXEC);
        for (size_t i = 0; i < RACK_NAMESPACES; i++)
                if (ret[i] < 0)
                        return fail(err, ERR_SYSTEM, errno, "open %s", namespace_kinds[i].path);
        return true;
}

// Root's rack lives in the user namespace of its maker, which cannot be entered again.
static bool is_own_namespace(size_t kind, int fd) {
        struct stat own, other;
        return stat(namespace_kinds[kind].path, &own) == 0 && fstat(fd, &other) == 0 && own.st_ino == other.st_ino;
}

bool rack_namespace_enter(const int namespaces[static RACK_NAMESPACES], struct err *err) {
        bool is_own[RACK_NAMESPACES]; // asked before /proc is that of other processes
        auto_free char *here = getcwd(NULL, 0);
        for (size_t i = 0; i < RACK_NAMESPACES; i++)
                is_own[i] = is_own_namespace(i, namespaces[i]);
        for (size_t i = 0; i < RACK_NAMESPACES; i++) {
                if (is_own[i])
                        continue;
                if (setns(namespaces[i], namespace_kinds[i].flag) < 0)
                        return fail(err, ERR_SANDBOX, errno, "enter the rack's namespaces");
        }
        // setns(2) of a mount namespace leads to its root: relative paths of a command would name other files.
        if (here && chdir(here) < 0)
                return fail(err, ERR_SYSTEM, errno, "go back to %s in the rack's namespace", here);
        return true;
}

bool rack_namespace_become_user(uid_t uid, gid_t gid, struct err *err) {
        if (unshare(CLONE_NEWUSER) < 0)
                return fail(err, ERR_SANDBOX, errno, "make a user namespace");
        return user_namespace_map_one(uid, 0, gid, 0, err);
}
