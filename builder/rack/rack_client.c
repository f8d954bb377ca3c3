// SPDX-License-Identifier: MIT
#include "rack/rack_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "base/progress.h"
#include "rack/internal.h"
#include "rack/rack_namespace.h"

enum { PATIENCE_S = 30, STARTING_MS = 60000, STEP_US = 50000, SECOND_MS = 1000 };

static bool refuse_absent(const struct virtual_rack_name *where, struct err *err) {
        if (where->state)
                fail(err, ERR_REFERENCE, 0, "no rack is up in %s", where->state);
        else if (where->name)
                fail(err, ERR_REFERENCE, 0, "rack %s is not up", where->name);
        else
                fail(err, ERR_REFERENCE, 0, "no rack is up");
        return hint(err, "`kiln rack up CLUSTER.yaml` starts one; racks of other users, and of another "
                         "$XDG_RUNTIME_DIR, are not seen");
}

// One that is about to be up has no socket yet.
static bool connect_place(const struct rack_place *place, int *ret_fd, struct err *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int64_t started_ms = monotonic_ms();
        snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" RACK_CONTROL, place->dir);
        while (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
                bool may_come = errno == ENOENT || errno == ECONNREFUSED;
                if (!may_come || monotonic_ms() - started_ms > STARTING_MS) {
                        fail(err, ERR_TOOL, errno, "speak to the rack in %s", place->path);
                        return hint(err, "it may be about to start or to end: try again");
                }
                if (!interrupt_check(err))
                        return false;
                usleep(STEP_US);
        }
        *ret_fd = take_fd(fd);
        return true;
}

static bool ask_place(const struct rack_place *place, json_t *request, int *namespaces, json_t **ret, struct err *err) {
        auto_close int fd = -1;
        struct timeval patience = { .tv_sec = PATIENCE_S };
        if (!connect_place(place, &fd, err)) {
                json_decref(request);
                return false;
        }
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        (void)message_send(fd, request, NULL, 0);
        size_t count = 0;
        if (namespaces)
                count = RACK_NAMESPACES;
        json_t *answer = message_receive(fd, namespaces, count);
        if (message_check(answer, "the rack's supervisor", err)) {
                *ret = answer;
                return true;
        }
        json_decref(answer);
        return false;
}

bool rack_client_ask(const struct virtual_rack_name *where, json_t *request, int *namespaces, json_t **ret,
                     struct err *err) {
        struct rack_place place = { .dir = -1, .lock = -1 };
        bool found = false;
        bool ok = rack_place_find(where, &place, &found, err);
        if (ok && !found)
                ok = refuse_absent(where, err);
        if (!ok) {
                json_decref(request);
                return false;
        }
        ok = ask_place(&place, request, namespaces, ret, err);
        rack_place_release(&place);
        return ok;
}

json_t *rack_client_names(const struct strings *nodes) {
        json_t *names = json_array();
        for (size_t i = 0; i < nodes->count; i++)
                json_array_append_new(names, json_string(nodes->items[i]));
        return names;
}

bool virtual_rack_is_up(const struct virtual_rack_name *where, bool *ret, struct err *err) {
        struct rack_place place = { .dir = -1, .lock = -1 };
        if (!rack_place_find(where, &place, ret, err))
                return false;
        if (*ret)
                rack_place_release(&place);
        return true;
}

// ---- power ----

static bool ask_about_nodes(const struct virtual_rack_name *where, const char *what, const struct strings *nodes,
                            const char *done, struct err *err) {
        json_t *answer, *node;
        size_t index;
        json_t *request = json_pack("{ss so}", "do", what, "nodes", rack_client_names(nodes));
        if (!rack_client_ask(where, request, NULL, &answer, err))
                return false;
        json_array_foreach(json_object_get(answer, "nodes"), index, node)
            notice("%s: %s", json_string_value(node), done);
        if (json_array_size(json_object_get(answer, "nodes")) == 0)
                notice("nothing to do: they are so already");
        json_decref(answer);
        return true;
}

bool virtual_rack_power_on(const struct virtual_rack_name *where, const struct strings *nodes, struct err *err) {
        return ask_about_nodes(where, "on", nodes, "is switched on when its turn comes", err);
}

bool virtual_rack_cut(const struct virtual_rack_name *where, const struct strings *nodes, struct err *err) {
        return ask_about_nodes(where, "cut", nodes, "its power is cut", err);
}

bool virtual_rack_fault(const struct virtual_rack_name *where, const char *kind, const char *node, const char *value,
                        struct err *err) {
        json_t *answer;
        json_t *request = json_pack("{ss ss ss ss}", "do", "fault", "kind", kind, "node", node, "value", value);
        if (!rack_client_ask(where, request, NULL, &answer, err))
                return false;
        puts(member_text(answer, "node"));
        json_decref(answer);
        return true;
}

// It is down when nobody holds its lock.
static bool await_end(const struct rack_place *place, struct err *err) {
        auto_close int lock = openat(place->dir, RACK_LOCK, O_RDWR | O_CLOEXEC);
        while (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) < 0) {
                if (!interrupt_check(err))
                        return false;
                usleep(STEP_US);
        }
        return true;
}

bool virtual_rack_down(const struct virtual_rack_name *where, struct err *err) {
        struct rack_place place = { .dir = -1, .lock = -1 };
        bool found = false;
        json_t *answer = NULL;
        if (!rack_place_find(where, &place, &found, err))
                return false;
        if (!found)
                return refuse_absent(where, err);
        bool ok = ask_place(&place, json_pack("{ss}", "do", "down"), NULL, &answer, err) && await_end(&place, err);
        json_decref(answer);
        rack_place_release(&place);
        return ok;
}

// ---- the list ----

static void append_age(int64_t ms, struct buf *ret) {
        int64_t seconds = ms / SECOND_MS;
        if (seconds < 0)
                seconds = 0;
        if (seconds < 3600)
                buf_printf(ret, "%jd:%02jd", (intmax_t)(seconds / 60), (intmax_t)(seconds % 60));
        else
                buf_printf(ret, "%jd:%02jd:%02jd", (intmax_t)(seconds / 3600), (intmax_t)(seconds / 60 % 60),
                           (intmax_t)(seconds % 60));
}

static void list_machine(const json_t *machine, int64_t now_ms, struct buf *ret) {
        auto_buf stage = { 0 }, since = { 0 }, pid = { 0 };
        const char *power = member_text(machine, "power");
        if (strcmp(power, "waiting") == 0)
                buf_append_text(&stage, power);
        else
                buf_append_text(&stage, member_text(machine, "stage"));
        const json_t *percent = json_object_get(machine, "percent");
        if (json_is_integer(percent))
                buf_printf(&stage, " %d%%", (int)json_integer_value(percent));
        if (member_number(machine, "since") > 0)
                append_age(now_ms - member_number(machine, "since"), &since);
        if (member_number(machine, "pid") > 0)
                buf_printf(&pid, "%d", (int)member_number(machine, "pid"));
        buf_printf(ret, "%-16s %-12s %-15s %-12s %9s %8s", member_text(machine, "name"), member_text(machine, "role"),
                   member_text(machine, "ip"), buf_text(&stage), buf_text(&since), buf_text(&pid));
        if (*member_text(machine, "text"))
                buf_printf(ret, "  %s", member_text(machine, "text"));
        while (ret->size > 0 && ret->data[ret->size - 1] == ' ')
                ret->data[--ret->size] = '\0';
        buf_append_char(ret, '\n');
}

static void print_table(const json_t *answer) {
        auto_buf text = { 0 }, printable = { 0 };
        size_t index;
        const json_t *machine;
        buf_printf(&text, "%-16s %-12s %-15s %-12s %9s %8s\n", "NODE", "ROLE", "ADDRESS", "STAGE", "SINCE", "PID");
        json_array_foreach(json_object_get(answer, "machines"), index, machine)
            list_machine(machine, member_number(answer, "now"), &text);
        if (!json_is_true(json_object_get(answer, "serve")))
                buf_append_text(&text, "kiln serve has ended: no machine boots\n");
        mistake_printable(&printable, buf_text(&text), text.size); // nodes wrote parts of it
        fputs(buf_text(&printable), stdout);
}

bool virtual_rack_list(const struct virtual_rack_name *where, bool as_json, struct err *err) {
        json_t *answer;
        if (!rack_client_ask(where, json_pack("{ss}", "do", "list"), NULL, &answer, err))
                return false;
        if (as_json) {
                json_object_del(answer, "ok");
                json_object_set_new(answer, "format", json_integer(1));
                auto_free char *text = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
                puts(text_or(text, "{}"));
        } else {
                print_table(answer);
        }
        json_decref(answer);
        return true;
}
