// SPDX-License-Identifier: MIT
// Three processes: kiln, which waits; init, PID 1 of the container, which reaps; and the program, which owns the
// terminal. The kernel ends all that is in the container when init ends, and init when kiln does.
#include "sandbox/sandbox_shell.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/mem.h"
#include "sandbox/container_frames.h"
#include "sandbox/container_inside.h"
#include "sandbox/syscalls.h"

enum { NO_CONTAINER = 125, NOT_STARTED, NOT_FOUND, I386_IOCTL = 54 };

static _Noreturn void end_with_error(const struct err *err, int status) {
        dprintf(STDERR_FILENO, "kiln: %s\n", text_or(err->text, "unknown error"));
        if (err->hint)
                dprintf(STDERR_FILENO, "hint: %s\n", err->hint);
        _exit(status);
}

// ---- the program ----

// The terminal is the user's: a program must not type into it what a shell outside would read afterwards.
static bool refuse_typing(struct err *err) {
        static const struct sock_filter instructions[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 0, 2),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, I386_IOCTL, 2, 5),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI, 2, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TIOCLINUX, 1, 0),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        };
        const struct sock_fprog program = { lengthof(instructions), (struct sock_filter *)instructions };
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ||
               fail(err, ERR_SANDBOX, errno, "filter system calls");
}

// A process group of its own, so that Ctrl-C is the program's and not kiln's; a shell could not find out about kiln's
// group, which is outside of its namespace.
static void take_terminal(bool has_terminal) {
        setpgid(0, 0);
        if (has_terminal) {
                signal(SIGTTOU, SIG_IGN);
                (void)tcsetpgrp(STDIN_FILENO, getpgrp());
        }
}

static void default_all_signals(void) {
        sigset_t none;
        sigemptyset(&none);
        for (int number = 1; number < NSIG; number++)
                signal(number, SIG_DFL);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void become_shell(const struct sandbox_shell *shell, bool has_terminal) {
        auto_err err = { 0 };
        auto_free char *terminal = xasprintf("TERM=%s", text_or(getenv("TERM"), "dumb"));
        auto_free char *prompt = xasprintf("PS1=[%s \\w]# ", shell->host_name);
        char *const environment[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                      "HOME=/root",
                                      "LANG=C.UTF-8",
                                      terminal,
                                      prompt,
                                      NULL };
        take_terminal(has_terminal);
        default_all_signals();
        if (!syscalls_filter(&err) || !refuse_typing(&err))
                end_with_error(&err, NO_CONTAINER);
        environ = (char **)environment;
        execvp(shell->argv[0], (char *const *)shell->argv);
        int number = errno, status = NOT_FOUND;
        if (number == EACCES)
                status = NOT_STARTED;
        (void)fail(&err, ERR_TOOL, number, "start %s in %s", shell->argv[0], shell->host_name);
        end_with_error(&err, status);
}

// ---- init ----

static bool enter_container(const struct sandbox_shell *shell, struct err *err) {
        int namespaces = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
        if (!shell->has_network)
                namespaces |= CLONE_NEWNET;
        if (unshare(namespaces) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return fail(err, ERR_SANDBOX, errno, "make the namespaces of the sandbox");
        if (sethostname(shell->host_name, strlen(shell->host_name)) < 0)
                return fail(err, ERR_SANDBOX, errno, "set the host name");
        if (!container_enter_root(shell->root, err) || !container_mount_views(err) || !container_pivot(err))
                return false;
        close_range(STDERR_FILENO + 1, ~0U, 0);
        // What is in the container could change kiln itself through /proc/1/exe.
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        return container_drop_capabilities(err);
}

// A program that is stopped has nobody here who could let it go on: that is a shell's affair, which has its own.
static int reap_all(pid_t program) {
        int status;
        for (;;) {
                pid_t child = waitpid(-1, &status, WUNTRACED);
                if (child < 0 && errno != EINTR)
                        return NO_CONTAINER;
                if (child != program)
                        continue;
                if (WIFSTOPPED(status))
                        kill(program, SIGCONT);
                else
                        return container_exit_status(status);
        }
}

static _Noreturn void run_shell_init(const struct sandbox_shell *shell, bool has_terminal) {
        auto_err err = { 0 };
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!enter_container(shell, &err))
                end_with_error(&err, NO_CONTAINER);
        pid_t program = fork();
        if (program < 0) {
                (void)fail(&err, ERR_SYSTEM, errno, "fork");
                end_with_error(&err, NO_CONTAINER);
        }
        if (program == 0)
                become_shell(shell, has_terminal);
        _exit(reap_all(program));
}

// ---- kiln ----

// A signal to kiln itself, as from a CI that gives up, ends the container.
static int wait_for_init(pid_t init) {
        int status;
        while (waitpid(init, &status, 0) < 0) {
                if (errno != EINTR)
                        return NO_CONTAINER;
                if (interrupt_requested())
                        kill(init, SIGKILL);
        }
        return container_exit_status(status);
}

static void take_terminal_back(void) {
        void (*before)(int) = signal(SIGTTOU, SIG_IGN);
        (void)tcsetpgrp(STDIN_FILENO, getpgrp());
        signal(SIGTTOU, before);
}

bool sandbox_shell_run(const struct sandbox_shell *shell, int *ret_status, struct err *err) {
        assert(shell->root >= 0 && shell->host_name && shell->argv[0]);
        bool has_terminal = isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
        (void)fflush(NULL);
        if (!interrupt_check(err))
                return false;
        if (unshare(CLONE_NEWPID) < 0)
                return fail(err, ERR_SANDBOX, errno, "make a process namespace");
        pid_t init = fork();
        if (init < 0)
                return fail(err, ERR_SYSTEM, errno, "fork");
        if (init == 0)
                run_shell_init(shell, has_terminal);
        *ret_status = wait_for_init(init);
        if (has_terminal)
                take_terminal_back();
        return interrupt_check(err);
}
