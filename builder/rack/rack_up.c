// SPDX-License-Identifier: MIT
// Making a rack, and keeping it.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/run.h"
#include "rack/internal.h"
#include "rack/rack_namespace.h"
#include "rack/rack_network.h"
#include "release/build_list.h"

enum { POLL_MS = 200, GRACE_MS = 3000 };

// ---- what can be wrong before anything is started ----

static bool find_artefacts(const struct virtual_rack_options *options, char **ret, struct err *err) {
        const char *cluster = options->cluster->name;
        struct build_list list = { 0 };
        const struct listed_build *build = NULL;
        if (!options->build) {
                *ret = xasprintf("%s/%s/current", options->out, cluster);
                return true;
        }
        bool ok =
            build_list_read(options->out, cluster, &list, err) && build_list_find(&list, options->build, &build, err);
        if (ok)
                *ret = listed_build_path(options->out, build);
        build_list_release(&list);
        return ok;
}

static bool check_nodes(const struct supervisor *supervisor, struct err *err) {
        const struct strings *nodes = &supervisor->options->nodes;
        const struct node *named = NULL;
        for (size_t i = 0; i < nodes->count; i++)
                if (!cluster_need_node(supervisor->options->cluster, nodes->items[i], &named, err))
                        return false;
        for (size_t i = 0; i < supervisor->machines.count; i++) {
                const struct rack_machine *machine = &supervisor->machines.items[i];
                bool is_meant = nodes->count == 0 || strings_have(nodes, machine->node->name);
                if (is_meant && !rack_machine_check(&supervisor->machines, machine, err))
                        return false;
        }
        return true;
}

// The machine whose kernel tries KVM: the first that is meant.
static bool choose_accelerator(struct supervisor *supervisor, struct err *err) {
        const struct strings *nodes = &supervisor->options->nodes;
        const char *accelerator;
        struct rack_machine *machine = &supervisor->machines.items[0];
        if (nodes->count > 0)
                machine = rack_machine_find(&supervisor->machines, nodes->items[0]);
        assert(machine);
        if (!rack_machine_accelerator(&supervisor->machines, machine, supervisor->options->accelerator, &accelerator,
                                      err))
                return false;
        supervisor->machines.accelerator = accelerator;
        return true;
}

static bool check_programs(struct err *err) {
        static const struct {
                const char *program, *package;
        } needed[] = { { "qemu-system-x86_64", "qemu-system-x86" }, { "dnsmasq", "dnsmasq-base" } };
        auto_buf programs = { 0 }, packages = { 0 };
        for (size_t i = 0; i < lengthof(needed); i++)
                if (!run_finds(needed[i].program)) {
                        buf_printf(&programs, " %s", needed[i].program);
                        buf_printf(&packages, " %s", needed[i].package);
                }
        if (programs.size == 0)
                return true;
        fail(err, ERR_TOOL, 0, "the rack's programs are missing:%s", buf_text(&programs));
        return hint(err, "install the Debian packages%s, or run `make deps GROUP=rack` in kiln's source",
                    buf_text(&packages));
}

static bool find_program(struct supervisor *supervisor, struct err *err) {
        ssize_t size = readlink("/proc/self/exe", supervisor->program, sizeof supervisor->program - 1);
        return size > 0 || fail(err, ERR_SYSTEM, errno, "find kiln's own program");
}

static bool prepare(struct supervisor *supervisor, const char *artefacts, struct err *err) {
        const struct virtual_rack_options *options = supervisor->options;
        struct rack_machines *machines = &supervisor->machines;
        machines->cluster = options->cluster;
        machines->artefacts = artefacts;
        machines->place = supervisor->place;
        machines->processors = options->processors;
        supervisor->at_once = options->at_once;
        if (options->at_once == 0)
                supervisor->at_once = options->processors;
        if (options->cluster->node_count == 0)
                return fail(err, ERR_REFERENCE, 0, "%s: there are no nodes", options->cluster_path);
        if (!check_programs(err))
                return false;
        machines->outside_proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return find_program(supervisor, err) && rack_network_address(options->cluster, &supervisor->address, err) &&
               rack_machines_open(machines, &options->memory, options->disks, err) && check_nodes(supervisor, err) &&
               choose_accelerator(supervisor, err) &&
               rack_journal_open(&supervisor->journal, supervisor->place->dir, options->seed, err);
}

// ---- the keeper ----

// Waits until the supervisor says that it is up.
static bool await_ready(int ready, struct err *err) {
        struct pollfd polled = { .fd = ready, .events = POLLIN };
        while (poll(&polled, 1, POLL_MS) <= 0)
                if (!interrupt_check(err))
                        return false;
        json_t *message = message_receive(ready, NULL, 0);
        bool ok = message_check(message, "the rack's supervisor", err);
        json_decref(message);
        return ok;
}

static bool start_supervisor(struct supervisor *supervisor, pid_t *ret_pid, struct err *err) {
        int ready[2], keeper[2];
        if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(keeper, O_CLOEXEC) < 0)
                return fail(err, ERR_SYSTEM, errno, "pipe");
        pid_t pid = -1;
        bool ok = rack_namespace_fork(&pid, err);
        if (pid == 0) {
                close(keeper[1]);
                supervisor->keeper = keeper[0];
                if (!ok) {
                        (void)message_send(ready[1], message_of_error(err), NULL, 0);
                        _exit(1);
                }
                supervisor_main(supervisor, ready[1]);
        }
        close(ready[1]);
        close(keeper[0]);
        ok = ok && await_ready(ready[0], err);
        close(ready[0]);
        if (!ok && pid > 0) {
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
        }
        *ret_pid = pid;
        return ok; // keeper[1] stays open as long as this process is there
}

static bool keep_supervisor(pid_t pid, struct err *err) {
        auto_close int handle = (int)syscall(SYS_pidfd_open, pid, 0);
        struct pollfd polled = { .fd = handle, .events = POLLIN };
        int64_t asked_ms = 0;
        if (handle < 0)
                return fail(err, ERR_SYSTEM, errno, "pidfd_open");
        while (poll(&polled, 1, POLL_MS) <= 0) {
                int64_t now_ms = monotonic_ms();
                if (asked_ms == 0 && interrupt_requested()) {
                        kill(pid, SIGTERM);
                        asked_ms = now_ms;
                } else if (asked_ms > 0 && now_ms - asked_ms > GRACE_MS) {
                        kill(pid, SIGKILL);
                }
        }
        return run_wait(pid, "the rack's supervisor", NULL, err) || interrupt_requested();
}

static void tell_rack(const struct supervisor *supervisor) {
        notice("rack %s: %s; `kiln rack ps` shows it, `kiln rack down` ends it", supervisor->options->cluster->name,
               supervisor->machines.accelerator);
}

static bool run_here(struct supervisor *supervisor, struct err *err) {
        pid_t pid;
        if (!start_supervisor(supervisor, &pid, err))
                return false;
        tell_rack(supervisor);
        return keep_supervisor(pid, err);
}

// ---- in the background ----

static void leave_terminal(int log) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        setsid();
        dup2(null, STDIN_FILENO);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        progress_setup(PROGRESS_PLAIN);
}

static _Noreturn void become_keeper(struct supervisor *supervisor, int log, int ready) {
        auto_err err = { 0 };
        pid_t pid;
        leave_terminal(log);
        if (!start_supervisor(supervisor, &pid, &err)) {
                (void)message_send(ready, message_of_error(&err), NULL, 0);
                _exit(1);
        }
        (void)message_send(ready, json_pack("{sb}", "ok", 1), NULL, 0);
        close(ready);
        bool ok = keep_supervisor(pid, &err);
        if (!ok)
                warning("%s", text_or(err.text, ""));
        _exit(!ok);
}

static bool run_detached(struct supervisor *supervisor, struct err *err) {
        int ready[2];
        auto_close int log = -1;
        if (!fs_open(supervisor->place->dir, "log", O_WRONLY | O_CREAT | O_APPEND, 0600, &log, err))
                return false;
        if (pipe2(ready, O_CLOEXEC) < 0)
                return fail(err, ERR_SYSTEM, errno, "pipe");
        pid_t pid = fork();
        if (pid == 0) {
                close(ready[0]);
                become_keeper(supervisor, log, ready[1]);
        }
        int number = errno;
        close(ready[1]);
        bool ok = pid > 0 ? await_ready(ready[0], err) : fail(err, ERR_SYSTEM, number, "fork");
        close(ready[0]);
        if (!ok && pid > 0) {
                kill(pid, SIGTERM);
                waitpid(pid, NULL, 0);
        }
        if (ok)
                tell_rack(supervisor);
        return ok;
}

bool virtual_rack_up(const struct virtual_rack_options *options, struct err *err) {
        assert(options->cluster && options->cluster_path && options->out && options->processors > 0);
        struct rack_place place = { .dir = -1, .lock = -1 };
        struct virtual_rack_name where = { .state = options->where.state, .name = options->cluster->name };
        struct supervisor supervisor = { .options = options, .place = &place, .control = -1, .watcher_output = -1 };
        auto_free char *artefacts = NULL;
        supervisor.journal.fd = supervisor.machines.outside_proc = -1;
        bool ok = find_artefacts(options, &artefacts, err) && rack_place_open(&where, &place, err) &&
                  rack_place_take(&place, err) && prepare(&supervisor, artefacts, err);
        if (ok && options->detach)
                ok = run_detached(&supervisor, err);
        else if (ok)
                ok = run_here(&supervisor, err);
        rack_machines_release(&supervisor.machines);
        rack_journal_close(&supervisor.journal);
        close_cleanup(&supervisor.machines.outside_proc);
        rack_place_release(&place);
        return ok;
}
