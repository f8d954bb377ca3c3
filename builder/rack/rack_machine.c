// SPDX-License-Identifier: MIT
#include "rack/rack_machine.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "rack/rack_network.h"

// A machine that takes longer than BOOT_MOST_MS no longer keeps the next one waiting.
enum { BOOT_MOST_MS = 300000, FEW_PROCESSORS = 4, CODE_MIB = 128 };

int64_t rack_now_ms(void) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct rack_machine *rack_machine_find(const struct rack_machines *machines, const char *name) {
        for (size_t i = 0; i < machines->count; i++)
                if (strcmp(machines->items[i].node->name, name) == 0)
                        return &machines->items[i];
        return NULL;
}

struct rack_machine *rack_machine_of_pid(const struct rack_machines *machines, pid_t pid) {
        for (size_t i = 0; i < machines->count; i++)
                if (machines->items[i].pid == pid)
                        return &machines->items[i];
        return NULL;
}

// ---- cables ----

static bool plug_all_cards(struct rack_machine *machine, unsigned short number, struct err *err) {
        snprintf(machine->tap, sizeof machine->tap, "n%hu", number);
        if (!rack_network_add_tap(machine->tap, err))
                return false;
        for (size_t i = 0; i < machine->card_count; i++) {
                snprintf(machine->cards[i], sizeof machine->cards[i], "n%hu.%hu", number, (unsigned short)(i + 1));
                if (!rack_network_add_tap(machine->cards[i], err))
                        return false;
        }
        return true;
}

// At its first start, since a bridge has 1,024 ports and an inventory may have more nodes.
static bool plug_machine(const struct rack_machines *machines, struct rack_machine *machine, struct err *err) {
        if (machine->tap[0] || plug_all_cards(machine, (unsigned short)(machine - machines->items), err))
                return true;
        machine->tap[0] = '\0'; // so that the next start tries it again
        return false;
}

// ---- QEMU ----

// What boot/ makes a machine of, with room for what the options point to.
struct settings {
        struct boot_options options;
        struct boot_disk disk;
        const char *cards[RACK_CARDS_MAX], *qemu[2];
        struct arena arena;
};

// It ends with the rack. ZooKeeper flushes each change, and the disk of this machine has those of all of them.
static bool is_scratch_disk(int disk) {
        struct stat stat;
        return disk >= 0 && fstat(disk, &stat) == 0 && stat.st_nlink == 0;
}

static void settle_options(const struct rack_machines *machines, const struct rack_machine *machine,
                           struct settings *ret) {
        struct arena *arena = &ret->arena;
        const char *name = machine->node->name;
        *ret = (struct settings){ .disk = { machine->disk, "kiln-state", is_scratch_disk(machine->disk) } };
        ret->options = (struct boot_options){
                .cluster = machines->cluster,
                .node = name,
                .artefacts = machines->artefacts,
                .network = arena_printf(arena, "tap:%s", machine->tap),
                .serial = arena_printf(arena, "unix:%s.console", name),
                .serial_log = arena_printf(arena, "%s.log", name),
                .control = arena_printf(arena, "%s.control", name),
                .memory = arena_printf(arena, "%u", machine->memory_mib),
                .accelerator = machines->accelerator,
                .processors = 1 + (machines->processors > FEW_PROCESSORS),
                .code_mib = CODE_MIB,
                .disks = &ret->disk,
                .disk_count = machine->disk >= 0,
                .cards = { ret->cards, machine->card_count },
                .qemu = { ret->qemu, lengthof(ret->qemu) },
        };
        // What the machine frees, the root that the boot loader has loaded above all, this side gets back.
        ret->qemu[0] = "-device";
        ret->qemu[1] = "virtio-balloon-pci,free-page-reporting=on";
        if (machine->mac[0])
                ret->options.mac = machine->mac;
        if (machine->clock[0])
                ret->options.clock = machine->clock;
        for (size_t i = 0; i < machine->card_count; i++)
                ret->cards[i] = arena_printf(arena, "tap:%s", machine->cards[i]);
}

bool rack_machine_check(const struct rack_machines *machines, const struct rack_machine *machine, struct err *err) {
        struct settings settings;
        settle_options(machines, machine, &settings);
        bool ok = boot_node_check(&settings.options, err);
        arena_release(&settings.arena);
        return ok;
}

bool rack_machine_accelerator(const struct rack_machines *machines, const struct rack_machine *machine,
                              const char *wanted, const char **ret, struct err *err) {
        struct settings settings;
        settle_options(machines, machine, &settings);
        settings.options.accelerator = wanted;
        bool ok = boot_node_accelerator(&settings.options, ret, err);
        arena_release(&settings.arena);
        return ok;
}

static void set_stage(struct rack_machine *machine, const char *stage, const char *text, int64_t since_ms) {
        snprintf(machine->stage, sizeof machine->stage, "%s", stage);
        snprintf(machine->text, sizeof machine->text, "%s", text);
        machine->since_ms = since_ms;
        machine->percent = -1;
}

// The number of a process where people are who read it: what that /proc says of a descriptor of the process
// (pidfd_open(2)). 0: it is not known.
static pid_t pid_outside(int outside_proc, pid_t pid) {
        auto_close int handle = (int)syscall(SYS_pidfd_open, pid, 0);
        auto_free char *path = xasprintf("self/fdinfo/%d", handle);
        auto_buf text = { 0 };
        auto_err ignored = { 0 };
        auto_close int info = openat(outside_proc, path, O_RDONLY | O_CLOEXEC);
        if (handle < 0 || info < 0 || !buf_read_fd(&text, info, &ignored))
                return 0;
        const char *line = strstr(buf_text(&text), "\nPid:");
        if (!line)
                return 0;
        return (pid_t)strtol(line + strlen("\nPid:"), NULL, 10);
}

bool rack_machine_start(const struct rack_machines *machines, struct rack_machine *machine, struct err *err) {
        assert(machine->pid == 0);
        struct settings settings;
        auto_close int output = -1;
        auto_free char *log = xasprintf("%s.qemu", machine->node->name);
        if (!plug_machine(machines, machine, err) ||
            !fs_open(machines->place->dir, log, O_WRONLY | O_CREAT | O_APPEND, 0600, &output, err))
                return wrap(err, "%s", machine->node->name);
        settle_options(machines, machine, &settings);
        bool ok = boot_node_start(&settings.options, machines->place->dir, output, &machine->pid, err);
        arena_release(&settings.arena);
        if (!ok)
                return wrap(err, "%s", machine->node->name);
        machine->outside_pid = pid_outside(machines->outside_proc, machine->pid);
        machine->power = RACK_ON;
        machine->on_ms = rack_now_ms();
        machine->attempt_ms = 0;
        machine->has_full_disk = false;
        set_stage(machine, "on", "", machine->on_ms);
        return true;
}

void rack_machine_ended(struct rack_machine *machine, int status) {
        char text[RACK_TEXT_SIZE] = "it switched itself off";
        if (WIFSIGNALED(status))
                snprintf(text, sizeof text, "QEMU was ended by SIG%s", text_or(sigabbrev_np(WTERMSIG(status)), "?"));
        else if (WEXITSTATUS(status) != 0)
                snprintf(text, sizeof text, "QEMU has ended with status %d: see %.100s.qemu", WEXITSTATUS(status),
                         machine->node->name);
        machine->pid = machine->outside_pid = 0;
        machine->power = RACK_OFF;
        set_stage(machine, "off", text, rack_now_ms());
}

void rack_machine_cut(struct rack_machine *machine) {
        if (machine->pid > 0) {
                kill(machine->pid, SIGKILL);
                (void)waitpid(machine->pid, NULL, 0);
        }
        machine->pid = machine->outside_pid = 0;
        machine->power = RACK_OFF;
        set_stage(machine, "off", "its power was cut", rack_now_ms());
}

// ---- how far it is ----

static bool machine_stage_is(const struct rack_machine *machine, const char *const *stages) {
        for (; *stages; stages++)
                if (strcmp(machine->stage, *stages) == 0)
                        return true;
        return false;
}

static bool machine_is_up(const struct rack_machine *machine) {
        static const char *const up[] = { "services", "healthy", "silent", NULL };
        return machine_stage_is(machine, up);
}

// What serve knows may be of the boot before this one; and a machine that was up may boot anew.
static bool learn_stage(struct rack_machine *machine, const json_t *known) {
        const char *stage = member_text(known, "stage");
        int64_t attempt_ms = member_number(known, "started");
        bool is_new = attempt_ms > machine->attempt_ms, is_same = strcmp(stage, machine->stage) == 0;
        const json_t *percent = json_object_get(known, "percent");
        if (attempt_ms < machine->on_ms || (machine_is_up(machine) && !is_new))
                return false;
        machine->attempt_ms = attempt_ms;
        if (!is_same)
                set_stage(machine, stage, member_text(known, "text"), member_number(known, "since"));
        machine->percent = -1;
        if (json_is_integer(percent))
                machine->percent = (int)json_integer_value(percent);
        return !is_same;
}

// A build without report_url says nothing of its services; their answers do.
static const char *stage_of_answers(const struct rack_machine *machine, const char *answers) {
        if (strcmp(answers, "all") == 0)
                return "healthy";
        if (strcmp(answers, "some") == 0)
                return "services";
        if (machine_is_up(machine) && strcmp(answers, "none") == 0)
                return "silent";
        return machine->stage;
}

bool rack_machine_learn(struct rack_machine *machine, const json_t *known) {
        static const char *const ended[] = { "refused", "failed", NULL };
        if (machine->power != RACK_ON)
                return false;
        if (learn_stage(machine, known))
                return true;
        bool may_be_of_the_boot_before = machine->attempt_ms < machine->on_ms;
        if (may_be_of_the_boot_before)
                return false;
        const char *stage = stage_of_answers(machine, member_text(known, "answers"));
        if (machine_stage_is(machine, ended) || strcmp(machine->stage, stage) == 0)
                return false;
        set_stage(machine, stage, "", rack_now_ms());
        return true;
}

bool rack_machine_is_booting(const struct rack_machine *machine, int64_t now_ms) {
        static const char *const ended[] = { "refused", "failed", NULL };
        bool is_over = machine_is_up(machine) || machine_stage_is(machine, ended);
        return machine->power == RACK_ON && !is_over && now_ms - machine->on_ms < BOOT_MOST_MS;
}

json_t *rack_machine_json(const struct rack_machine *machine) {
        static const char *const powers[] = { "off", "waiting", "on" };
        char ip[INET_ADDRSTRLEN] = "";
        inet_ntop(AF_INET, &machine->node->ip, ip, sizeof ip);
        json_t *json =
            json_pack("{ss ss ss ss ss sI si si}", "name", machine->node->name, "role", machine->role->name, "ip", ip,
                      "power", powers[machine->power], "stage", machine->stage, "since", (json_int_t)machine->since_ms,
                      "pid", (int)machine->outside_pid, "memory", (int)machine->memory_mib);
        json_object_set_new(json, "on", machine->on_ms ? json_integer(machine->on_ms) : json_null());
        json_t *text = json_string(machine->text); // cut texts may be no UTF-8
        if (text)
                json_object_set_new(json, "text", text);
        if (machine->percent >= 0)
                json_object_set_new(json, "percent", json_integer(machine->percent));
        return json;
}
