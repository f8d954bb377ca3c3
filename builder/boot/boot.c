// SPDX-License-Identifier: MIT
#include "boot/boot.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "boot/internal.h"

static void describe_boot(const struct machine *machine) {
        static const char *const media[] = { "over the network", "from its ISO", "from its ISO as a USB stick" };
        static const char *const firmwares[] = { "BIOS", "UEFI" };
        char address[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &machine->node->ip, address, sizeof(address));
        notice("%s: %s, %s, MAC %s; boots %s by %s; %u MiB, %s", machine->node->name, machine->role->name, address,
               machine->mac, media[machine->medium], firmwares[machine->firmware], machine->memory_mib,
               machine->accelerator);
        if (machine->ssh_port != 0)
                notice("once it is up: ssh -p %u -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
                       "root@127.0.0.1",
                       machine->ssh_port);
        const char *serial = text_or(machine->options->serial, "stdio");
        if (strcmp(serial, "stdio") == 0)
                notice("its serial console follows; Ctrl-A X switches it off, Ctrl-A H helps");
}

static void keep_files(const struct machine *machine, struct process *process) {
        const struct boot_options *options = machine->options;
        if (machine->variables >= 0)
                process->keep[process->keep_count++] = machine->variables;
        for (size_t i = 0; i < options->disk_count && process->keep_count < PROCESS_KEEP_MAX; i++)
                process->keep[process->keep_count++] = options->disks[i].fd;
}

static bool run_machine(struct machine *machine, const struct arguments *arguments, struct err *err) {
        struct process process = { .argv = arguments->items, .output_fd = -1, .dir = -1 };
        bool timed_out;
        keep_files(machine, &process);
        describe_boot(machine);
        return process_run(&process, &timed_out, err);
}

// What becomes of a machine that has its arguments.
typedef bool machine_start(struct machine *machine, const struct arguments *arguments, void *context, struct err *err);

static bool with_machine(const struct boot_options *options, machine_start *start, void *context, struct err *err) {
        struct machine machine;
        struct arguments arguments = { 0 };
        bool ok = qemu_machine_settle(options, &machine, err) &&
                  accelerator_choose(options->accelerator, machine.kernel, &machine.accelerator, err) &&
                  qemu_machine_arguments(&machine, &arguments, err) && start(&machine, &arguments, context, err);
        arguments_release(&arguments);
        qemu_machine_release(&machine);
        return ok;
}

static bool run_to_its_end(struct machine *machine, const struct arguments *arguments, void *context, struct err *err) {
        (void)context;
        return run_machine(machine, arguments, err);
}

bool boot_node(const struct boot_options *options, struct err *err) {
        return with_machine(options, run_to_its_end, NULL, err);
}

// ---- for those who have several ----

bool boot_node_check(const struct boot_options *options, struct err *err) {
        struct machine machine;
        bool ok = qemu_machine_settle(options, &machine, err);
        qemu_machine_release(&machine);
        return ok;
}

bool boot_node_accelerator(const struct boot_options *options, const char **ret, struct err *err) {
        struct machine machine;
        bool ok = qemu_machine_settle(options, &machine, err) &&
                  accelerator_choose(options->accelerator, machine.kernel, ret, err);
        qemu_machine_release(&machine);
        return ok;
}

struct start {
        int dir, output;
        pid_t pid;
};

static bool start_machine(struct machine *machine, const struct arguments *arguments, void *context, struct err *err) {
        struct start *start = context;
        struct process process = { .argv = arguments->items, .output_fd = start->output, .dir = start->dir };
        keep_files(machine, &process);
        return process_start(&process, &start->pid, err);
}

bool boot_node_start(const struct boot_options *options, int dir, int output, pid_t *ret_pid, struct err *err) {
        struct start start = { .dir = dir, .output = output };
        if (!with_machine(options, start_machine, &start, err))
                return false;
        *ret_pid = start.pid;
        return true;
}
