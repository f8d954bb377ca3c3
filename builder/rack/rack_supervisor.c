// SPDX-License-Identifier: MIT
// The first process of a rack's namespaces.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "base/progress.h"
#include "rack/internal.h"
#include "rack/rack_network.h"
#include "rack/rack_watcher.h"

enum { TICK_MS = 200, LINE_MAX_BYTES = 8 << 20 };

// ---- starting ----

// Between clone(2) and the death signal the keeper may have gone; its end of the pipe tells.
static bool keeper_lives(const struct supervisor *supervisor) {
        struct pollfd polled = { .fd = supervisor->keeper, .events = POLLIN };
        return poll(&polled, 1, 0) == 0;
}

static void queue_nodes(struct supervisor *supervisor) {
        const struct strings *nodes = &supervisor->options->nodes;
        for (size_t i = 0; i < supervisor->machines.count; i++) {
                struct rack_machine *machine = &supervisor->machines.items[i];
                if (nodes->count == 0 || strings_have(nodes, machine->node->name))
                        machine->power = RACK_WAITING;
        }
}

static bool supervisor_start(struct supervisor *supervisor, struct err *err) {
        uint16_t port = 0;
        if (!rack_network_make(supervisor->machines.cluster, supervisor->address, err) ||
            !supervisor_serve(supervisor, &port, err) ||
            !rack_watcher_start(supervisor->machines.cluster, supervisor->address, port, &supervisor->watcher,
                                &supervisor->watcher_output, err) ||
            !supervisor_listen(supervisor, err))
                return false;
        queue_nodes(supervisor);
        return true;
}

// ---- machines ----

static size_t count_booting(const struct supervisor *supervisor) {
        int64_t now_ms = rack_now_ms();
        size_t count = 0;
        for (size_t i = 0; i < supervisor->machines.count; i++)
                count += rack_machine_is_booting(&supervisor->machines.items[i], now_ms);
        return count;
}

void supervisor_start_next(struct supervisor *supervisor) {
        size_t booting = count_booting(supervisor);
        for (size_t i = 0; i < supervisor->machines.count && booting < supervisor->at_once; i++) {
                struct rack_machine *machine = &supervisor->machines.items[i];
                auto_err err = { 0 };
                if (machine->power != RACK_WAITING)
                        continue;
                if (rack_machine_start(&supervisor->machines, machine, &err)) {
                        rack_journal_note(&supervisor->journal, "on", machine->node->name, NULL);
                        notice("%s: switched on, %u MiB", machine->node->name, machine->memory_mib);
                        booting++;
                } else {
                        machine->power = RACK_OFF;
                        snprintf(machine->text, sizeof machine->text, "%s", text_or(err.text, ""));
                        warning("%s", machine->text);
                }
        }
}

static void take_end(struct supervisor *supervisor, pid_t pid, int status) {
        struct rack_machine *machine = rack_machine_of_pid(&supervisor->machines, pid);
        if (machine) {
                rack_machine_ended(machine, status);
                rack_journal_note(&supervisor->journal, "off", machine->node->name, NULL);
                notice("%s: off: %s", machine->node->name, machine->text);
        } else if (pid == supervisor->serve) {
                supervisor->serve = 0;
                warning("kiln serve has ended: see %s/serve.log; machines that are up stay so, and none boots",
                        supervisor->place->path);
        } else if (pid == supervisor->watcher) {
                supervisor->watcher = 0;
                warning("the rack's watcher has ended: how far machines are is no longer known");
        }
}

// Whoever has lost its parent is this process's child, too.
static void reap_children(struct supervisor *supervisor) {
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                take_end(supervisor, pid, status);
}

// ---- how far they are ----

static void take_look(struct supervisor *supervisor, const char *line, size_t size) {
        json_t *known = json_loadb(line, size, 0, NULL);
        for (size_t i = 0; i < supervisor->machines.count; i++) {
                struct rack_machine *machine = &supervisor->machines.items[i];
                if (!rack_machine_learn(machine, json_object_get(known, machine->node->name)))
                        continue;
                if (*machine->text)
                        notice("%s: %s: %s", machine->node->name, machine->stage, machine->text);
                else
                        notice("%s: %s", machine->node->name, machine->stage);
        }
        json_decref(known);
}

static void read_watcher(struct supervisor *supervisor) {
        char block[16384];
        ssize_t size;
        struct buf *pending = &supervisor->watcher_line;
        while ((size = read(supervisor->watcher_output, block, sizeof block)) > 0) {
                for (ssize_t i = 0; i < size; i++) {
                        if (block[i] != '\n') {
                                buf_append_char(pending, block[i]);
                                continue;
                        }
                        if (!pending->overflow)
                                take_look(supervisor, buf_text(pending), pending->size);
                        buf_release(pending);
                        *pending = (struct buf){ .max = LINE_MAX_BYTES };
                }
        }
}

// ---- running ----

static void wait_for_something(const struct supervisor *supervisor) {
        struct pollfd polled[] = { { .fd = supervisor->control, .events = POLLIN },
                                   { .fd = supervisor->watcher_output, .events = POLLIN } };
        nfds_t count = lengthof(polled);
        if (supervisor->watcher == 0)
                count = 1; // its end would be news for ever
        (void)poll(polled, count, TICK_MS);
}

static void run_rack(struct supervisor *supervisor) {
        while (!supervisor->is_ending && !interrupt_requested() && keeper_lives(supervisor)) {
                wait_for_something(supervisor);
                reap_children(supervisor);
                read_watcher(supervisor);
                supervisor_answer(supervisor);
                supervisor_start_next(supervisor);
        }
}

_Noreturn void supervisor_main(struct supervisor *supervisor, int ready) {
        auto_err err = { 0 };
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setsid(); // Ctrl-C is the keeper's to handle
        supervisor->watcher_line.max = LINE_MAX_BYTES;
        bool ok = keeper_lives(supervisor) && supervisor_start(supervisor, &err);
        if (!ok)
                (void)message_send(ready, message_of_error(&err), NULL, 0);
        else if (message_send(ready, json_pack("{sb}", "ok", 1), NULL, 0)) {
                close(ready);
                run_rack(supervisor);
        }
        rack_journal_note(&supervisor->journal, "end", "", NULL);
        _exit(!ok); // and the kernel ends whoever is left in here
}
