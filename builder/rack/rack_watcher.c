// SPDX-License-Identifier: MIT
#include "rack/rack_watcher.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/strings.h"
#include "status/probe.h"
#include "status/status.h"

// What a check costs, machines that are emulated feel: as long as nothing changes it is asked less often, and a machine
// that answers all only now and then. Else questions make answers late, and late answers questions.
enum { SERVE_MS = 2000, CHECK_MS = 1500, PAUSE_LEAST_MS = 1000, PAUSE_MOST_MS = 8000, ALL_EVERY_MS = 60000 };

struct watcher {
        const struct cluster *cluster;
        struct in_addr address;
        uint16_t port;
        int output;
        json_t *answers; // { NODE: { "answers", "started" } } as of its last look; "started" is of the boot before it
        int64_t all_next_ms; // of monotonic_ms(): when machines that answer all are asked, too
};

static json_t *machine_of(json_t *machines, const char *name) {
        json_t *machine = json_object_get(machines, name);
        if (machine)
                return machine;
        machine = json_object();
        json_object_set_new(machines, name, machine);
        return machine;
}

static void copy_member(const json_t *from, json_t *to, const char *key) {
        json_t *value = json_object_get(from, key);
        if (value)
                json_object_set(to, key, value);
}

static void take_stages(const char *answer, json_t *machines) {
        static const char *const keys[] = { "stage", "percent", "since", "started", "text" };
        const char *body = strstr(answer, "\r\n\r\n");
        json_t *state = body ? json_loads(body, 0, NULL) : NULL;
        size_t index;
        json_t *machine;
        json_array_foreach(json_object_get(state, "machines"), index, machine) {
                const char *name = member_text(machine, "name");
                if (!*name || !json_is_true(json_object_get(machine, "known")))
                        continue;
                for (size_t i = 0; i < lengthof(keys); i++)
                        copy_member(machine, machine_of(machines, name), keys[i]);
        }
        json_decref(state);
}

static void ask_serve(const struct watcher *watcher, json_t *machines) {
        static const char request[] = "GET /api/state HTTP/1.1\r\nHost: rack\r\nConnection: close\r\n\r\n";
        auto_err ignored = { 0 };
        struct probe probe = { .address = watcher->address,
                               .port = watcher->port,
                               .request = request,
                               .request_size = sizeof request - 1,
                               .is_http = true };
        bool is_whole =
            probes_run(&probe, 1, SERVE_MS, &ignored) && probe.end == PROBE_ANSWERED && !probe_is_cut(&probe);
        if (is_whole)
                take_stages(buf_text(&probe.answer), machines);
        probe_release(&probe);
}

static const char *answers_of(const json_t *node) {
        size_t index;
        const json_t *check, *checks = json_object_get(node, "checks");
        if (json_array_size(checks) > 0 && json_is_true(json_object_get(node, "healthy")))
                return "all";
        json_array_foreach(checks, index, check) {
                if (json_is_true(json_object_get(check, "ok")))
                        return "some";
        }
        return "none";
}

// Has answered all, and has not booted since.
static bool is_settled(const struct watcher *watcher, const char *name, const json_t *machines) {
        const json_t *last = json_object_get(watcher->answers, name), *now = json_object_get(machines, name);
        return strcmp(member_text(last, "answers"), "all") == 0 &&
               member_number(last, "started") == member_number(now, "started");
}

static void list_due(struct watcher *watcher, const json_t *machines, struct arena *arena, struct strings *ret) {
        bool are_all_due = monotonic_ms() >= watcher->all_next_ms;
        for (size_t i = 0; i < watcher->cluster->node_count; i++) {
                const char *name = watcher->cluster->nodes[i].name;
                if (are_all_due || !is_settled(watcher, name, machines))
                        strings_add_once(arena, ret, name);
        }
        if (are_all_due)
                watcher->all_next_ms = monotonic_ms() + ALL_EVERY_MS;
}

static void ask_due(struct watcher *watcher, const json_t *machines) {
        struct arena arena = { 0 };
        struct strings due = { 0 };
        const struct status_options options = { .nodes = &due, .deadline_ms = CHECK_MS };
        auto_err ignored = { 0 };
        enum status_state state;
        json_t *status = NULL;
        list_due(watcher, machines, &arena, &due);
        if (due.count > 0 && status_ask(watcher->cluster, &options, &status, &state, &ignored)) {
                for (size_t i = 0; i < due.count; i++) {
                        const char *name = due.items[i];
                        const json_t *node = json_object_get(json_object_get(status, "nodes"), name);
                        json_int_t started = member_number(json_object_get(machines, name), "started");
                        json_object_set_new(watcher->answers, name,
                                            json_pack("{ss sI}", "answers", answers_of(node), "started", started));
                }
                json_decref(status);
        }
        arena_release(&arena);
}

static void take_answers_of_machines(const struct watcher *watcher, json_t *machines) {
        const char *name;
        json_t *last;
        json_object_foreach(watcher->answers, name, last) { copy_member(last, machine_of(machines, name), "answers"); }
}

static char *look_once(struct watcher *watcher) {
        json_t *machines = json_object();
        ask_serve(watcher, machines);
        ask_due(watcher, machines);
        take_answers_of_machines(watcher, machines);
        char *text = json_dumps(machines, JSON_COMPACT | JSON_SORT_KEYS);
        json_decref(machines);
        return text;
}

static _Noreturn void watch_machines(struct watcher *watcher) {
        auto_free char *last = xstrdup("");
        auto_err ignored = { 0 };
        int pause_ms = PAUSE_LEAST_MS;
        for (;;) {
                auto_free char *line = look_once(watcher);
                if (pause_ms < PAUSE_MOST_MS)
                        pause_ms *= 2;
                if (line && strcmp(line, last) != 0)
                        pause_ms = PAUSE_LEAST_MS;
                if (line && (!fs_write_all(watcher->output, line, strlen(line), &ignored) ||
                             !fs_write_all(watcher->output, "\n", 1, &ignored)))
                        _exit(1); // the supervisor is gone
                free(last);
                last = xstrdup(text_or(line, ""));
                usleep((useconds_t)pause_ms * 1000);
        }
}

static _Noreturn void become_watcher(struct watcher *watcher, pid_t parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(1);
        signal(SIGTERM, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        watch_machines(watcher);
}

bool rack_watcher_start(const struct cluster *cluster, struct in_addr address, uint16_t port, pid_t *ret_pid,
                        int *ret_output, struct err *err) {
        assert(cluster && port > 0);
        int output[2];
        pid_t self = getpid();
        if (pipe2(output, O_CLOEXEC) < 0)
                return fail(err, ERR_SYSTEM, errno, "pipe");
        pid_t pid = fork();
        if (pid == 0) {
                struct watcher watcher = { .cluster = cluster, .address = address, .port = port, .output = output[1] };
                watcher.answers = json_object();
                close(output[0]);
                become_watcher(&watcher, self);
        }
        close(output[1]);
        if (pid < 0) {
                close(output[0]);
                return fail(err, ERR_SYSTEM, errno, "fork");
        }
        (void)fcntl(output[0], F_SETFL, O_NONBLOCK);
        *ret_pid = pid;
        *ret_output = output[0];
        return true;
}
