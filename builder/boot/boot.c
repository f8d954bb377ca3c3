// SPDX-License-Identifier: MIT
#include "boot/boot.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/progress.h"
#include "boot/internal.h"

static void tell(const struct machine *machine) {
        static const char *const media[] = { "over the network", "from its ISO", "from its ISO as a USB stick" };
        char address[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &machine->node->ip, address, sizeof(address));
        notice("%s: %s, %s, MAC %s; boots %s by %s; %u MiB, %s", machine->node->name, machine->role->name, address,
               machine->mac, media[machine->medium], machine->firmware == FIRMWARE_UEFI ? "UEFI" : "BIOS",
               machine->memory_mib, machine->accelerator);
        const char *serial = machine->options->serial;
        if (!serial || strcmp(serial, "stdio") == 0)
                notice("its serial console follows; Ctrl-A X switches it off, Ctrl-A H helps");
}

static bool boot(struct machine *machine, struct err *err) {
        struct arguments arguments = { 0 };
        bool timed_out;
        bool ok = accelerator_choose(machine->options->accelerator, machine->kernel, &machine->accelerator, err) &&
                  machine_arguments(machine, &arguments, err);
        if (ok) {
                tell(machine);
                struct process process = { .argv = arguments.items, .keep_fd = machine->variables };
                ok = process_run(&process, &timed_out, err);
        }
        arguments_release(&arguments);
        return ok;
}

bool boot_node(const struct boot_options *options, struct err *err) {
        struct machine machine;
        bool ok = machine_settle(options, &machine, err) && boot(&machine, err);
        machine_release(&machine);
        return ok;
}
