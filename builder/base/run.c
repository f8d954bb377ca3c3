// SPDX-License-Identifier: MIT
#include "base/run.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"

extern char **environ;

enum { KEPT_OUTPUT_BYTES = 64 << 20, SHOWN_OUTPUT_BYTES = 4096, POLL_MS = 200, KILL_AFTER_MS = 2000 };

bool run_wait(int pid, const char *name, int *ret_status, struct err *err) {
        assert(pid > 0); // any other number means several processes
        int status;
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return fail(err, ERR_SYSTEM, errno, "wait for %s", name);
        if (WIFSIGNALED(status))
                return fail(err, ERR_TOOL, 0, "%s: killed by SIG%s", name, sigabbrev_np(WTERMSIG(status)));
        if (ret_status)
                *ret_status = WEXITSTATUS(status);
        else if (WEXITSTATUS(status) != 0)
                return fail(err, ERR_TOOL, 0, "%s: exit status %d", name, WEXITSTATUS(status));
        return true;
}

// The three ends that the parent keeps; -1 where there is no pipe.
struct pipes {
        int input[2], output[2], messages[2];
};

static bool open_pipes(const struct run *run, struct pipes *ret) {
        if (run->input && pipe2(ret->input, O_CLOEXEC) < 0)
                return false;
        if (run->output && pipe2(ret->output, O_CLOEXEC) < 0)
                return false;
        return pipe2(ret->messages, O_CLOEXEC) == 0;
}

static void close_pipe(int pipe[2]) {
        close_cleanup(&pipe[0]);
        close_cleanup(&pipe[1]);
        pipe[0] = pipe[1] = -1;
}

static void close_pipes(struct pipes *pipes) {
        close_pipe(pipes->input);
        close_pipe(pipes->output);
        close_pipe(pipes->messages);
}

static void keep_end(int pipe[2], int end) {
        close_cleanup(&pipe[!end]);
        pipe[!end] = -1;
}

static int spawn_child(const struct run *run, struct pipes *pipes, pid_t *ret_pid) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none;
        sigemptyset(&none);
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        posix_spawnattr_setsigmask(&attributes, &none);
        if (run->input)
                posix_spawn_file_actions_adddup2(&actions, pipes->input[0], 0);
        else
                posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        int output = pipes->messages[1];
        if (run->output)
                output = pipes->output[1];
        posix_spawn_file_actions_adddup2(&actions, output, 1);
        posix_spawn_file_actions_adddup2(&actions, pipes->messages[1], 2);
        if (run->dir)
                posix_spawn_file_actions_addchdir_np(&actions, run->dir);
        char *const *env = environ;
        if (run->env)
                env = (char *const *)run->env;
        int error = posix_spawnp(ret_pid, run->argv[0], &actions, &attributes, (char *const *)run->argv, env);
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
        return error;
}

static void feed_input(int *fd, const char **next, size_t *left) {
        ssize_t done = 0;
        if (*left > 0)
                done = write(*fd, *next, *left);
        if (done > 0) {
                *next += done;
                *left -= (size_t)done;
        }
        if ((done < 0 && errno != EINTR && errno != EAGAIN) || *left == 0) {
                close_cleanup(fd);
                *fd = -1;
        }
}

static void drain_output(int *fd, struct buf *into) {
        char block[16384];
        ssize_t got = read(*fd, block, sizeof block);
        if (got > 0)
                buf_append(into, block, (size_t)got);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
                close_cleanup(fd);
                *fd = -1;
        }
}

// Ended, if it is time; then killed, if that does not end it.
struct ending {
        int64_t limit_ms, kill_ms; // of monotonic_ms()
        bool is_told, is_late;
};

static void end_child(struct ending *ending, pid_t pid) {
        int64_t now_ms = monotonic_ms();
        bool is_late = now_ms >= ending->limit_ms;
        if (!ending->is_told && (interrupt_requested() || is_late)) {
                kill(pid, SIGTERM);
                ending->is_told = true;
                ending->is_late = is_late && !interrupt_requested();
                ending->kill_ms = now_ms + KILL_AFTER_MS;
        }
        if (ending->is_late && now_ms >= ending->kill_ms)
                kill(pid, SIGKILL);
}

// False: it took too long.
static bool exchange_with_child(const struct run *run, struct pipes *pipes, struct buf *messages, pid_t pid) {
        const char *next = run->input;
        size_t left = run->input_size;
        struct ending ending = { .limit_ms = INT64_MAX };
        if (run->limit_s > 0)
                ending.limit_ms = monotonic_ms() + run->limit_s * 1000;
        if (pipes->input[1] >= 0)
                fcntl(pipes->input[1], F_SETFL, O_NONBLOCK);
        for (;;) {
                struct pollfd polls[] = { { pipes->input[1], POLLOUT, 0 },
                                          { pipes->output[0], POLLIN, 0 },
                                          { pipes->messages[0], POLLIN, 0 } };
                bool is_closed = polls[0].fd < 0 && polls[1].fd < 0 && polls[2].fd < 0;
                // What it started may have the pipes after it.
                bool is_given_up = ending.is_late && monotonic_ms() >= ending.kill_ms + KILL_AFTER_MS;
                if (is_closed || is_given_up)
                        return !ending.is_late;
                poll(polls, lengthof(polls), POLL_MS); // the signal may have come to another thread
                end_child(&ending, pid);
                if (polls[0].revents)
                        feed_input(&pipes->input[1], &next, &left);
                if (polls[1].revents)
                        drain_output(&pipes->output[0], run->output);
                if (polls[2].revents)
                        drain_output(&pipes->messages[0], messages);
        }
}

static void append_messages(struct err *err, const struct buf *messages) {
        const char *text = buf_text(messages);
        size_t size = messages->size;
        while (size > 0 && text[size - 1] == '\n')
                size--;
        if (size == 0)
                return;
        size_t shown = size_min(size, SHOWN_OUTPUT_BYTES);
        char *whole = xasprintf("%s:\n%.*s", err->text, (int)shown, text + size - shown);
        free(err->text);
        err->text = whole;
}

bool run(const struct run *run, struct err *err) {
        assert(run->argv && run->argv[0]);
        struct pipes pipes = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
        auto_buf messages = { .max = KEPT_OUTPUT_BYTES };
        if (!open_pipes(run, &pipes)) {
                int number = errno;
                close_pipes(&pipes);
                return fail(err, ERR_SYSTEM, number, "make a pipe for %s", run->argv[0]);
        }
        pid_t pid;
        int error = spawn_child(run, &pipes, &pid);
        if (error) {
                close_pipes(&pipes);
                return fail(err, ERR_TOOL, error, "start %s", run->argv[0]);
        }
        keep_end(pipes.input, 1);
        keep_end(pipes.output, 0);
        keep_end(pipes.messages, 0);
        bool is_in_time = exchange_with_child(run, &pipes, &messages, pid);
        close_pipes(&pipes);
        if (!is_in_time) {
                auto_err how = { 0 };
                (void)!run_wait(pid, run->argv[0], NULL, &how);
                return fail(err, ERR_TOOL, 0, "%s does not end within %lld s", run->argv[0], (long long)run->limit_s);
        }
        if (!run_wait(pid, run->argv[0], run->ret_status, err)) {
                append_messages(err, &messages);
                (void)!interrupt_check(err); // a child that we ended is no failure of its own
                return false;
        }
        return interrupt_check(err);
}

bool run_command(struct err *err, const char *program, ...) {
        const char **argv = NULL;
        size_t count = 0;
        va_list arguments;
        va_start(arguments, program);
        for (const char *next = program; next; next = va_arg(arguments, const char *))
                *array_append(&argv, &count) = next;
        va_end(arguments);
        *array_append(&argv, &count) = NULL;
        bool ok = run(&(struct run){ .argv = argv }, err);
        free(argv);
        return ok;
}

bool run_finds(const char *program) {
        auto_free char *copy = xstrdup(text_or(getenv("PATH"), "/usr/bin:/bin"));
        char *state = NULL;
        for (char *dir = strtok_r(copy, ":", &state); dir; dir = strtok_r(NULL, ":", &state)) {
                auto_free char *full = xasprintf("%s/%s", dir, program);
                if (access(full, X_OK) == 0)
                        return true;
        }
        return false;
}

static bool path_has(const char *path, const char *directory) {
        size_t length = strlen(directory);
        for (const char *at = path; *at; at += *at == ':') {
                size_t size = strcspn(at, ":");
                if (size == length && memcmp(at, directory, length) == 0)
                        return true;
                at += size;
        }
        return false;
}

void run_extend_path(void) {
        static const char *const directories[] = { "/usr/local/sbin", "/usr/sbin", "/sbin" };
        for (size_t i = 0; i < lengthof(directories); i++) {
                const char *path = text_or(getenv("PATH"), "/usr/local/bin:/usr/bin:/bin");
                if (path_has(path, directories[i]))
                        continue;
                auto_free char *longer = xasprintf("%s:%s", path, directories[i]);
                setenv("PATH", longer, 1);
        }
}
