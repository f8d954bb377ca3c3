// SPDX-License-Identifier: MIT
#include "serve/dnsmasq_child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/progress.h"

enum { WAIT_STEP_MS = 50, STOP_STEPS = 100, STOP_STEP_US = 10000, FAILED_EXEC = 127, BLOCK_SIZE = 16384 };

static _Noreturn void become_dnsmasq(const char *config, pid_t parent, int output) {
        sigset_t none;
        sigemptyset(&none);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
                _exit(FAILED_EXEC);
        setpgid(0, 0); // Ctrl-C is kiln's to handle
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(null, STDIN_FILENO);
        dup2(output, STDOUT_FILENO);
        dup2(output, STDERR_FILENO);
        // No pid file: there are two of them.
        execlp("dnsmasq", "dnsmasq", "--keep-in-foreground", "--pid-file=", config, (char *)NULL);
        dprintf(STDERR_FILENO, "start dnsmasq: %s\n", strerror(errno));
        _exit(FAILED_EXEC);
}

bool dnsmasq_child_start(struct dnsmasq_child *child, const char *config_path, struct err *err) {
        assert(child->name && child->pid == 0 && config_path);
        int output[2];
        pid_t parent = getpid();
        auto_free char *config = xasprintf("--conf-file=%s", config_path);
        if (pipe2(output, O_CLOEXEC) < 0)
                return fail(err, ERR_SYSTEM, errno, "pipe");
        pid_t pid = fork();
        if (pid == 0)
                become_dnsmasq(config, parent, output[1]);
        close(output[1]);
        if (pid < 0) {
                close(output[0]);
                return fail(err, ERR_SYSTEM, errno, "start dnsmasq");
        }
        (void)fcntl(output[0], F_SETFL, O_NONBLOCK);
        child->pid = pid;
        child->output = output[0];
        child->size = 0;
        child->is_up = child->is_long = false;
        child->last[0] = '\0';
        return true;
}

static void end_line(struct dnsmasq_child *child, dnsmasq_line *each, void *context) {
        child->line[child->size] = '\0';
        memcpy(child->last, child->line, child->size + 1);
        child->is_up |= strstr(child->line, "started, version") != NULL;
        if (each && child->size > 0)
                each(child->line, context);
        child->size = 0;
        child->is_long = false;
}

static void take_output(struct dnsmasq_child *child, const char *bytes, size_t size, dnsmasq_line *each,
                        void *context) {
        for (size_t i = 0; i < size; i++) {
                if (bytes[i] == '\n')
                        end_line(child, each, context);
                else if (child->size == sizeof child->line - 1)
                        child->is_long = true;
                else if (!child->is_long)
                        child->line[child->size++] = bytes[i];
        }
}

void dnsmasq_child_read(struct dnsmasq_child *child, dnsmasq_line *each, void *context) {
        char block[BLOCK_SIZE];
        ssize_t size;
        if (child->pid == 0)
                return;
        while ((size = read(child->output, block, sizeof block)) > 0)
                take_output(child, block, (size_t)size, each, context);
}

bool dnsmasq_child_check(struct dnsmasq_child *child, struct err *err) {
        int status = 0;
        if (child->pid == 0 || waitpid(child->pid, &status, WNOHANG) != child->pid)
                return true;
        dnsmasq_child_read(child, NULL, NULL);
        close(child->output);
        child->pid = 0;
        const char *why = child->last;
        if (why[0] == '\0')
                why = "it said nothing";
        fail(err, ERR_TOOL, 0, "dnsmasq, which does %s, has ended: %s", child->name, why);
        if (strstr(child->last, "in use"))
                return hint(err,
                            "another server has the port: ss -lunp tells which; --proxy and --no-dhcp live beside a "
                            "DHCP server, --no-tftp beside a TFTP server");
        if (strstr(child->last, "ermission denied") || strstr(child->last, "capability"))
                return hint(err, "DHCP and TFTP need root or the capabilities NET_BIND_SERVICE, NET_ADMIN and NET_RAW; "
                                 "--no-dhcp --no-tftp serves HTTP alone");
        if (strstr(child->last, "No such file"))
                return hint(err, "the Debian package dnsmasq-base has it");
        return false;
}

bool dnsmasq_child_wait(struct dnsmasq_child *child, int timeout_ms, dnsmasq_line *each, void *context,
                        struct err *err) {
        int64_t deadline = monotonic_ms() + timeout_ms;
        while (child->pid > 0 && !child->is_up && monotonic_ms() < deadline) {
                struct pollfd polled = { .fd = child->output, .events = POLLIN };
                (void)poll(&polled, 1, WAIT_STEP_MS);
                dnsmasq_child_read(child, each, context);
                if (!dnsmasq_child_check(child, err))
                        return false;
        }
        return true;
}

void dnsmasq_child_reload(const struct dnsmasq_child *child) {
        if (child->pid > 0)
                kill(child->pid, SIGHUP);
}

void dnsmasq_child_stop(struct dnsmasq_child *child) {
        if (child->pid == 0)
                return;
        kill(child->pid, SIGTERM);
        bool ended = false;
        for (int i = 0; i < STOP_STEPS && !ended; i++) {
                ended = waitpid(child->pid, NULL, WNOHANG) == child->pid;
                if (!ended)
                        usleep(STOP_STEP_US);
        }
        if (!ended) {
                kill(child->pid, SIGKILL);
                waitpid(child->pid, NULL, 0);
        }
        close(child->output);
        child->pid = 0;
}
