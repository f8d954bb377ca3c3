// SPDX-License-Identifier: MIT
// What the supervisor does for those who ask on its socket.
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "base/progress.h"
#include "rack/internal.h"
#include "rack/rack_namespace.h"

enum { BACKLOG = 32, PATIENCE_MS = 1000 };

bool supervisor_listen(struct supervisor *supervisor, struct err *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        // A path of any length fits so.
        snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" RACK_CONTROL, supervisor->place->dir);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
                return fail(err, ERR_SYSTEM, errno, "make the socket %s/" RACK_CONTROL, supervisor->place->path);
        supervisor->control = take_fd(fd);
        return true;
}

// ---- which machines ----

static bool fail_unknown_machine(const struct supervisor *supervisor, const char *name, struct err *err) {
        auto_buf names = { 0 };
        for (size_t i = 0; i < supervisor->machines.count; i++) {
                if (i > 0)
                        buf_append_text(&names, ", ");
                buf_append_text(&names, supervisor->machines.items[i].node->name);
        }
        fail(err, ERR_REFERENCE, 0, "rack %s has no node `%s`", supervisor->options->cluster->name, name);
        return hint(err, "its nodes are: %s", buf_text(&names));
}

// Those that "nodes" names; all, if it names none and `all_if_none`. An array with a mark for each machine; heap.
static bool choose_machines(const struct supervisor *supervisor, const json_t *request, bool all_if_none, bool **ret,
                            struct err *err) {
        const json_t *nodes = json_object_get(request, "nodes"), *node;
        size_t index;
        auto_free bool *chosen = xcalloc(supervisor->machines.count, sizeof *chosen);
        json_array_foreach(nodes, index, node) {
                const char *name = text_or(json_string_value(node), "");
                const struct rack_machine *machine = rack_machine_find(&supervisor->machines, name);
                if (!machine)
                        return fail_unknown_machine(supervisor, name, err);
                chosen[machine - supervisor->machines.items] = true;
        }
        if (json_array_size(nodes) == 0 && all_if_none)
                memset(chosen, true, supervisor->machines.count);
        *ret = take_ptr(chosen);
        return true;
}

// ---- the requests ----

static bool check_chosen(const struct supervisor *supervisor, const bool *chosen, struct err *err) {
        for (size_t i = 0; i < supervisor->machines.count; i++)
                if (chosen[i] && !rack_machine_check(&supervisor->machines, &supervisor->machines.items[i], err))
                        return false;
        return true;
}

static bool answer_on(struct supervisor *supervisor, const json_t *request, json_t *answer, struct err *err) {
        auto_free bool *chosen = NULL;
        json_t *names = json_array();
        json_object_set_new(answer, "nodes", names);
        if (!choose_machines(supervisor, request, true, &chosen, err) || !check_chosen(supervisor, chosen, err))
                return false;
        for (size_t i = 0; i < supervisor->machines.count; i++) {
                struct rack_machine *machine = &supervisor->machines.items[i];
                if (!chosen[i] || machine->power != RACK_OFF)
                        continue;
                machine->power = RACK_WAITING;
                json_array_append_new(names, json_string(machine->node->name));
        }
        return true;
}

static bool answer_cut(struct supervisor *supervisor, const json_t *request, json_t *answer, struct err *err) {
        auto_free bool *chosen = NULL;
        json_t *names = json_array();
        json_object_set_new(answer, "nodes", names);
        if (!choose_machines(supervisor, request, false, &chosen, err))
                return false;
        for (size_t i = 0; i < supervisor->machines.count; i++) {
                struct rack_machine *machine = &supervisor->machines.items[i];
                if (!chosen[i] || machine->power == RACK_OFF)
                        continue;
                rack_machine_cut(machine);
                rack_journal_note(&supervisor->journal, "cut", machine->node->name, NULL);
                notice("%s: %s", machine->node->name, machine->text);
                json_array_append_new(names, json_string(machine->node->name));
        }
        return true;
}

static bool answer_list(struct supervisor *supervisor, const json_t *request, json_t *answer, struct err *err) {
        json_t *machines = json_array();
        (void)request;
        (void)err;
        for (size_t i = 0; i < supervisor->machines.count; i++)
                json_array_append_new(machines, rack_machine_json(&supervisor->machines.items[i]));
        json_object_set_new(answer, "rack", json_string(supervisor->options->cluster->name));
        json_object_set_new(answer, "accelerator", json_string(supervisor->machines.accelerator));
        json_object_set_new(answer, "seed", json_integer((json_int_t)supervisor->journal.seed));
        json_object_set_new(answer, "serve", json_boolean(supervisor->serve > 0));
        json_object_set_new(answer, "now", json_integer(rack_now_ms()));
        json_object_set_new(answer, "machines", machines);
        return true;
}

// One or several machines, by name.
static bool answer_find(struct supervisor *supervisor, const json_t *request, json_t *answer, struct err *err) {
        auto_free bool *chosen = NULL;
        json_t *machines = json_array();
        json_object_set_new(answer, "machines", machines);
        if (!choose_machines(supervisor, request, false, &chosen, err))
                return false;
        for (size_t i = 0; i < supervisor->machines.count; i++)
                if (chosen && chosen[i])
                        json_array_append_new(machines, rack_machine_json(&supervisor->machines.items[i]));
        json_object_set_new(answer, "place", json_string(supervisor->place->path));
        return true;
}

// What a program in the rack needs to know of it; the namespaces come beside it.
static bool answer_enter(struct supervisor *supervisor, const json_t *request, json_t *answer, struct err *err) {
        json_t *words = json_array();
        (void)request;
        (void)err;
        json_array_append_new(words, json_string(supervisor->options->cluster_path));
        for (size_t i = 0; i < supervisor->options->serve_words.count; i++)
                json_array_append_new(words, json_string(supervisor->options->serve_words.items[i]));
        json_object_set_new(answer, "cluster", words);
        return true;
}

static bool answer_down(struct supervisor *supervisor, const json_t *request, json_t *answer, struct err *err) {
        (void)request;
        (void)answer;
        (void)err;
        supervisor->is_ending = true;
        return true;
}

static const struct request {
        const char *name;
        bool (*answer)(struct supervisor *supervisor, const json_t *request, json_t *answer, struct err *err);
        bool gives_namespaces;
} requests[] = {
        { "list", answer_list, false }, { "on", answer_on, false },           { "cut", answer_cut, false },
        { "find", answer_find, false }, { "fault", supervisor_fault, false }, { "enter", answer_enter, true },
        { "down", answer_down, false },
};

// ---- a client ----

static const struct request *find_request(const char *name) {
        for (size_t i = 0; i < lengthof(requests); i++)
                if (strcmp(requests[i].name, name) == 0)
                        return &requests[i];
        return NULL;
}

static bool supervisor_dispatch(struct supervisor *supervisor, const json_t *message, json_t *answer, int *namespaces,
                                size_t *ret_count, struct err *err) {
        const struct request *request = find_request(member_text(message, "do"));
        if (!request)
                return fail(err, ERR_USAGE, 0,
                            "the rack's supervisor does not know this request: is it another kiln's?");
        if (!request->answer(supervisor, message, answer, err))
                return false;
        if (!request->gives_namespaces)
                return true;
        *ret_count = RACK_NAMESPACES;
        return rack_namespace_open(namespaces, err);
}

static void answer_client(struct supervisor *supervisor, int client) {
        int namespaces[RACK_NAMESPACES] = { -1, -1, -1, -1 };
        size_t count = 0;
        auto_err err = { 0 };
        json_t *message = message_receive(client, NULL, 0);
        json_t *answer = json_pack("{sb}", "ok", 1);
        if (!supervisor_dispatch(supervisor, message, answer, namespaces, &count, &err)) {
                json_decref(answer);
                answer = message_of_error(&err);
                count = 0;
        }
        (void)message_send(client, answer, namespaces, count);
        for (size_t i = 0; i < RACK_NAMESPACES; i++)
                close_cleanup(&namespaces[i]);
        json_decref(message);
}

// Whoever is slow to ask or to listen is left, for the others wait.
void supervisor_answer(struct supervisor *supervisor) {
        struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
        for (;;) {
                auto_close int client = accept4(supervisor->control, NULL, NULL, SOCK_CLOEXEC);
                if (client < 0)
                        return;
                (void)setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
                (void)setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
                answer_client(supervisor, client);
                if (supervisor->is_ending)
                        return;
        }
}
