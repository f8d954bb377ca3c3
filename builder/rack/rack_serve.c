// SPDX-License-Identifier: MIT
// kiln serve as a child of the rack.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "rack/internal.h"
#include "rack/rack_network.h"

enum { SERVE_UP_MS = 60000, STEP_US = 50000, LOG_MAX = 64 << 20, LAST_WORDS = 2000 };

#define SERVE_LOG "serve.log"

static void serve_word(struct strings *words, const char *word) { *array_append(&words->items, &words->count) = word; }

static void serve_words(const struct supervisor *supervisor, const char *address, const char *state,
                        struct strings *ret) {
        const struct virtual_rack_options *options = supervisor->options;
        const char *const first[] = { supervisor->program, "serve", options->cluster_path, options->build };
        const char *const more[] = { "--out", options->out, "--state", state,      "--listen",
                                     address, "--user",     "root",    "--verbose" };
        for (size_t i = 0; i < lengthof(first); i++)
                if (first[i])
                        serve_word(ret, first[i]);
        for (size_t i = 0; i < lengthof(more); i++)
                serve_word(ret, more[i]);
        for (size_t i = 0; i < options->serve_words.count; i++)
                serve_word(ret, options->serve_words.items[i]);
        serve_word(ret, NULL);
}

static _Noreturn void become_serve(const char *const *argv, int log) {
        sigset_t none;
        sigemptyset(&none);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(null, STDIN_FILENO);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        execv(argv[0], (char *const *)argv);
        dprintf(STDERR_FILENO, "start %s: %s\n", argv[0], strerror(errno));
        _exit(127);
}

static bool start_serve(struct supervisor *supervisor, struct err *err) {
        auto_close int log = -1;
        auto_free char *state = xasprintf("%s/" RACK_SERVE, supervisor->place->path);
        char address[INET_ADDRSTRLEN] = "";
        struct strings words = { 0 };
        inet_ntop(AF_INET, &supervisor->address, address, sizeof address);
        if (!fs_open(supervisor->place->dir, SERVE_LOG, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600, &log, err))
                return false;
        serve_words(supervisor, address, state, &words);
        pid_t pid = fork();
        if (pid == 0)
                become_serve(words.items, log);
        free(words.items);
        if (pid < 0)
                return fail(err, ERR_SYSTEM, errno, "start kiln serve");
        supervisor->serve = pid;
        return true;
}

// Its first line on standard output is its URL.
static bool port_in_log(const char *log, uint16_t *ret) {
        const char *at = strstr(log, "\nhttp://");
        if (strncmp(log, "http://", 7) == 0)
                at = log;
        if (!at || !strchr(at + 1, '\n'))
                return false;
        const char *colon = strchr(at + strlen("\nhttp:"), ':');
        unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
        *ret = (uint16_t)port;
        return port > 0 && port <= UINT16_MAX;
}

static bool fail_serve(const struct supervisor *supervisor, const char *log, struct err *err) {
        size_t size = strlen(log), from = 0;
        if (size > LAST_WORDS)
                from = size - LAST_WORDS;
        while (size > from && log[size - 1] == '\n')
                size--;
        fail(err, ERR_TOOL, 0, "kiln serve has ended:\n%.*s", (int)(size - from), log + from);
        return hint(err, "all that it said is in %s/" SERVE_LOG, supervisor->place->path);
}

bool supervisor_serve(struct supervisor *supervisor, uint16_t *ret_port, struct err *err) {
        int64_t started_ms = monotonic_ms();
        if (!start_serve(supervisor, err))
                return false;
        for (;;) {
                auto_buf log = { .max = LOG_MAX };
                int status;
                bool has_ended = waitpid(supervisor->serve, &status, WNOHANG) == supervisor->serve;
                if (!fs_read(supervisor->place->dir, SERVE_LOG, &log, err) || !interrupt_check(err))
                        return false;
                if (has_ended) {
                        supervisor->serve = 0;
                        return fail_serve(supervisor, buf_text(&log), err);
                }
                if (port_in_log(buf_text(&log), ret_port))
                        return true;
                if (monotonic_ms() - started_ms > SERVE_UP_MS)
                        return fail(err, ERR_TOOL, 0, "kiln serve does not serve after %d s", SERVE_UP_MS / 1000);
                usleep(STEP_US);
        }
}
