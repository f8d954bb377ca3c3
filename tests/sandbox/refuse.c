// SPDX-License-Identifier: MIT
// refuse WHAT PROGRAM [ARGUMENT]...: runs a program in which system calls fail: `userns`, no new user namespaces
// (kernel.unprivileged_userns_clone=0); `powerless`, nobody becomes root in them (AppArmor's restriction); `limit`, no
// namespaces at all are left (user.max_*_namespaces=0); `docker`, the profiles of container runtimes.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE_CALL(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), REFUSE
#define EXHAUSTED BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC)
#define IS(number, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, otherwise)
#define HAS(bits) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1), REFUSE

static struct sock_filter userns[] = { LOAD(nr), IS(SYS_unshare, 3), LOAD(args[0]), HAS(CLONE_NEWUSER), ALLOW };
static struct sock_filter powerless[] = { LOAD(nr), IS(SYS_setresgid, 3), LOAD(args[0]), REFUSE_CALL(0), ALLOW };
static struct sock_filter limit[] = { LOAD(nr), IS(SYS_unshare, 1), EXHAUSTED, ALLOW };
static struct sock_filter docker[] = { LOAD(nr),
                                       REFUSE_CALL(SYS_unshare),
                                       REFUSE_CALL(SYS_setns),
                                       REFUSE_CALL(SYS_mount),
                                       REFUSE_CALL(SYS_umount2),
                                       REFUSE_CALL(SYS_pivot_root),
                                       REFUSE_CALL(SYS_fsopen),
                                       REFUSE_CALL(SYS_fsmount),
                                       REFUSE_CALL(SYS_open_tree),
                                       REFUSE_CALL(SYS_move_mount),
                                       REFUSE_CALL(SYS_keyctl),
                                       ALLOW };

#define KIND(name)                                                                                                     \
        {                                                                                                              \
#name, { sizeof name / sizeof *name, name }                                                            \
        }
static struct {
        const char *name;
        struct sock_fprog program;
} kinds[] = { KIND(userns), KIND(powerless), KIND(limit), KIND(docker) };

int main(int argc, char **argv) {
        size_t kind = 0, count = sizeof kinds / sizeof *kinds;
        while (argc > 2 && kind < count && strcmp(argv[1], kinds[kind].name) != 0)
                kind++;
        if (argc < 3 || kind == count)
                return 2;
        // Root's right; else by no_new_privs, which takes newuidmap's capabilities away: not for `powerless`.
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &kinds[kind].program, 0, 0) < 0 &&
            (kinds[kind].program.filter == powerless || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
             prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &kinds[kind].program, 0, 0) < 0))
                return perror("seccomp"), 2;
        execvp(argv[2], argv + 2);
        return perror(argv[2]), 2;
}
