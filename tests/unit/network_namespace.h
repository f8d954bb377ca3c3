// SPDX-License-Identifier: MIT
// A network namespace of its own for a test, and programs that are run in it.
#ifndef KILN_TESTS_UNIT_NETWORK_NAMESPACE_H
#define KILN_TESTS_UNIT_NETWORK_NAMESPACE_H

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

extern char **environ;

static inline pid_t start_program(char *const argv[]) {
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        pid_t pid = -1;
        if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) != 0)
                pid = -1;
        posix_spawn_file_actions_destroy(&actions);
        return pid;
}

static inline bool run_program(char *const argv[]) {
        int status;
        pid_t pid = start_program(argv);
        return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define RUN_PROGRAM(...) run_program((char *[]){ __VA_ARGS__, NULL })

static inline void write_text(const char *path, const char *text) {
        auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0)
                (void)!write(fd, text, strlen(text));
}

static inline bool enter_namespace(void) {
        uid_t uid = getuid();
        gid_t gid = getgid();
        if (unshare(uid == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) < 0)
                return false;
        if (uid != 0) {
                char map[64];
                write_text("/proc/self/setgroups", "deny");
                snprintf(map, sizeof map, "0 %u 1", uid);
                write_text("/proc/self/uid_map", map);
                snprintf(map, sizeof map, "0 %u 1", gid);
                write_text("/proc/self/gid_map", map);
        }
        return RUN_PROGRAM("ip", "link", "set", "lo", "up");
}

#endif
