// SPDX-License-Identifier: MIT
// QEMU as a child that never outlives kiln.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/run.h"
#include "boot/internal.h"

enum { POLL_MS = 200, GRACE_MS = 3000, OUTPUT_MAX = 4 << 20 };

// In the child. Between fork and the death signal the parent may have gone: its pid tells.
static _Noreturn void become_program(const struct process *process, pid_t parent, int output, int failure) {
        sigset_t none;
        sigemptyset(&none);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(127);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        if (output >= 0) {
                int null = open("/dev/null", O_RDONLY);
                dup2(null, STDIN_FILENO);
                dup2(output, STDOUT_FILENO);
                dup2(output, STDERR_FILENO);
        }
        if (process->dir >= 0 && fchdir(process->dir) < 0)
                _exit(127);
        for (size_t i = 0; i < process->keep_count; i++)
                fcntl(process->keep[i], F_SETFD, 0);
        execvp(process->argv[0], (char *const *)process->argv);
        int number = errno;
        if (write(failure, &number, sizeof(number)) < 0)
                _exit(126);
        _exit(127);
}

static bool spawn_process(const struct process *process, pid_t *ret_pid, int *ret_output, struct err *err) {
        int output[2] = { -1, -1 }, failure[2];
        pid_t parent = getpid();
        if (pipe2(failure, O_CLOEXEC) < 0)
                return fail(err, ERR_SYSTEM, errno, "pipe");
        if (process->output && pipe2(output, O_CLOEXEC) < 0) {
                close(failure[0]);
                close(failure[1]);
                return fail(err, ERR_SYSTEM, errno, "pipe");
        }
        int output_to = process->output_fd;
        if (process->output)
                output_to = output[1];
        pid_t pid = fork();
        if (pid == 0)
                become_program(process, parent, output_to, failure[1]);
        int fork_error = errno, number = 0; // of fork(), if that failed
        close(failure[1]);
        close_cleanup(&output[1]);
        ssize_t size = read(failure[0], &number, sizeof(number));
        close(failure[0]);
        if (pid > 0 && size != sizeof(number)) {
                *ret_pid = pid;
                *ret_output = output[0];
                return true;
        }
        close_cleanup(&output[0]);
        if (pid < 0)
                return fail(err, ERR_SYSTEM, fork_error, "fork");
        waitpid(pid, NULL, 0);
        fail(err, ERR_TOOL, number, "start %s", process->argv[0]);
        if (number == ENOENT)
                (void)hint(err, "the Debian packages qemu-system-x86, ipxe-qemu and ovmf have it");
        return false;
}

static bool drain_process(int *fd, struct buf *into) {
        char block[16384];
        assert(into); // there is a pipe only where the output is wanted
        ssize_t size = read(*fd, block, sizeof(block));
        if (size > 0 && into->size < OUTPUT_MAX)
                buf_append(into, block, (size_t)size);
        return size > 0;
}

// Watches until the child is gone; asks it to end when kiln is to end or the time is over, and kills it soon after.
static void watch_process(const struct process *process, pid_t pid, int handle, int output, bool *ret_timed_out) {
        int64_t started = monotonic_ms(), asked = 0;
        for (;;) {
                struct pollfd polls[] = { { handle, POLLIN, 0 }, { output, POLLIN, 0 } };
                poll(polls, lengthof(polls), POLL_MS);
                if (polls[1].revents && !drain_process(&output, process->output))
                        output = -1;
                if (polls[0].revents) {
                        while (output >= 0 && drain_process(&output, process->output))
                                continue;
                        return;
                }
                int64_t now = monotonic_ms();
                bool late = process->limit_ms > 0 && now - started > process->limit_ms;
                if (asked == 0 && (late || interrupt_requested())) {
                        *ret_timed_out = late;
                        kill(pid, SIGTERM);
                        asked = now;
                } else if (asked > 0 && now - asked > GRACE_MS) {
                        kill(pid, SIGKILL);
                }
        }
}

bool process_start(const struct process *process, pid_t *ret_pid, struct err *err) {
        int ignored;
        assert(!process->output && process->limit_ms == 0);
        return spawn_process(process, ret_pid, &ignored, err);
}

bool process_run(const struct process *process, bool *ret_timed_out, struct err *err) {
        struct termios terminal;
        bool has_terminal = !process->output && tcgetattr(STDIN_FILENO, &terminal) == 0;
        auto_close int output = -1;
        pid_t pid = -1;
        *ret_timed_out = false;
        assert(process->output_fd < 0);
        if (!spawn_process(process, &pid, &output, err))
                return false;
        auto_close int handle = (int)syscall(SYS_pidfd_open, pid, 0);
        if (handle < 0) {
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
                return fail(err, ERR_SYSTEM, errno, "pidfd_open");
        }
        watch_process(process, pid, handle, output, ret_timed_out);
        int status, *ret_status = NULL;
        if (process->output) // who reads the output judges it, not the status
                ret_status = &status;
        bool ok = run_wait(pid, process->argv[0], ret_status, err);
        if (has_terminal)
                tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal); // a killed QEMU leaves it raw
        if (interrupt_requested() || *ret_timed_out)
                err_release(err);
        return interrupt_check(err) && (ok || *ret_timed_out);
}
