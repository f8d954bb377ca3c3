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

static bool run_machine(struct machine *machine, const struct arguments *arguments, struct err *err) {
        struct process process = { .argv = arguments->items, .keep_fd = machine->variables };
        bool timed_out;
        describe_boot(machine);
        return process_run(&process, &timed_out, err);
}

static bool boot_machine(struct machine *machine, struct err *err) {
        struct arguments arguments = { 0 };
        bool ok = accelerator_choose(machine->options->accelerator, machine->kernel, &machine->accelerator, err) &&
                  qemu_machine_arguments(machine, &arguments, err) && run_machine(machine, &arguments, err);
        arguments_release(&arguments);
        return ok;
}

bool boot_node(const struct boot_options *options, struct err *err) {
        struct machine machine;
        bool ok = qemu_machine_settle(options, &machine, err) && boot_machine(&machine, err);
        qemu_machine_release(&machine);
        return ok;
}
