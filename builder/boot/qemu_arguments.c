// SPDX-License-Identifier: MIT
// QEMU's argv for a machine.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "boot/internal.h"

// Where distributions keep OVMF: code, and a template of the variables that go with it.
static const struct ovmf {
        const char *code, *variables;
} ovmfs[] = {
        { "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd" },
        { "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd" },
        { "/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd" },
        { "/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd" },
};

static const struct ovmf *find_ovmf(void) {
        for (size_t i = 0; i < lengthof(ovmfs); i++)
                if (fs_exists(AT_FDCWD, ovmfs[i].code) && fs_exists(AT_FDCWD, ovmfs[i].variables))
                        return &ovmfs[i];
        return NULL;
}

// The machine writes its UEFI variables to memory that ends with it.
static bool add_uefi(struct machine *machine, struct arguments *arguments, struct err *err) {
        const struct ovmf *ovmf = find_ovmf();
        if (!ovmf) {
                fail(err, ERR_TOOL, 0, "no UEFI firmware for virtual machines was found");
                return hint(err, "the Debian package ovmf has it");
        }
        auto_close int from = -1;
        if (!fs_open(AT_FDCWD, ovmf->variables, O_RDONLY, 0, &from, err))
                return false;
        machine->variables = memfd_create("uefi-variables", MFD_CLOEXEC);
        if (machine->variables < 0)
                return fail(err, ERR_SYSTEM, errno, "memory for UEFI variables");
        if (!fs_copy_bytes(from, machine->variables, UINT64_MAX, err))
                return false;
        arguments_printf(arguments, &machine->arena, "-drive", "if=pflash,format=raw,readonly=on,file=%s", ovmf->code);
        arguments_printf(arguments, &machine->arena, "-drive", "if=pflash,format=raw,file=/proc/self/fd/%d",
                         machine->variables);
        return true;
}

static void add_drive(struct machine *machine, struct arguments *arguments, const char *media) {
        arguments_printf(arguments, &machine->arena, "-drive",
                         "if=none,id=medium,format=raw,readonly=on,media=%s,file=%s", media,
                         quote_commas(&machine->arena, machine->image));
}

static void add_medium(struct machine *machine, struct arguments *arguments) {
        struct arena *arena = &machine->arena;
        switch (machine->medium) {
        case MEDIUM_PXE:
                break;
        case MEDIUM_ISO:
                add_drive(machine, arguments, "cdrom");
                arguments_printf(arguments, arena, "-device", "ide-cd,drive=medium,bootindex=1");
                break;
        case MEDIUM_USB:
                add_drive(machine, arguments, "disk");
                arguments_printf(arguments, arena, "-device", "qemu-xhci,id=usb");
                arguments_printf(arguments, arena, "-device",
                                 "usb-storage,bus=usb.0,drive=medium,removable=on,bootindex=1");
                break;
        }
}

static void add_config_drive(struct machine *machine, struct arguments *arguments) {
        struct arena *arena = &machine->arena;
        if (!machine->options->config_drive)
                return;
        arguments_printf(arguments, arena, "-drive", "if=none,id=config,format=raw,readonly=on,file=%s",
                         quote_commas(arena, machine->options->config_drive));
        arguments_printf(arguments, arena, "-device", "virtio-blk-pci,drive=config");
}

static void attach_state_disk(struct machine *machine, struct arguments *arguments) {
        struct arena *arena = &machine->arena;
        if (!machine->options->state_disk)
                return;
        arguments_printf(arguments, arena, "-drive", "if=none,id=state,format=raw,file=%s",
                         quote_commas(arena, machine->options->state_disk));
        arguments_printf(arguments, arena, "-device", "virtio-blk-pci,drive=state");
}

// The descriptor is the same file in QEMU, even of a file that has no name.
static void add_disks(struct machine *machine, struct arguments *arguments) {
        struct arena *arena = &machine->arena;
        for (size_t i = 0; i < machine->options->disk_count; i++) {
                const struct boot_disk *disk = &machine->options->disks[i];
                arguments_printf(arguments, arena, "-blockdev",
                                 "driver=file,node-name=disk%zu-file,filename=/proc/self/fd/%d,discard=unmap%s", i,
                                 disk->fd, disk->is_scratch ? ",cache.no-flush=on" : "");
                arguments_printf(arguments, arena, "-blockdev",
                                 "driver=raw,node-name=disk%zu,file=disk%zu-file,discard=unmap", i, i);
                // An error is the machine's to see; else QEMU would stop it.
                arguments_printf(arguments, arena, "-device",
                                 "virtio-blk-pci,id=state%zu,drive=disk%zu,serial=%s,werror=report,rerror=report", i, i,
                                 quote_commas(arena, disk->serial));
        }
}

// What follows "KIND:" in a text; NULL for another kind or nothing.
static const char *path_after(const char *text, const char *kind) {
        size_t length = strlen(kind);
        if (strncmp(text, kind, length) != 0 || !text[length])
                return NULL;
        return text + length;
}

static void add_console(struct machine *machine, struct arguments *arguments, const char *socket) {
        struct arena *arena = &machine->arena;
        const char *log = machine->options->serial_log;
        if (!log) {
                arguments_printf(arguments, arena, "-serial", "unix:%s,server=on,wait=off",
                                 quote_commas(arena, socket));
                return;
        }
        arguments_printf(arguments, arena, "-chardev",
                         "socket,id=console,path=%s,server=on,wait=off,logfile=%s,logappend=on",
                         quote_commas(arena, socket), quote_commas(arena, log));
        arguments_printf(arguments, arena, "-serial", "chardev:console");
}

static bool add_serial(struct machine *machine, struct arguments *arguments, struct err *err) {
        struct arena *arena = &machine->arena;
        const char *serial = text_or(machine->options->serial, "stdio");
        const char *socket = path_after(serial, "unix:"), *file = path_after(serial, "file:");
        if (strcmp(serial, "stdio") == 0)
                arguments_printf(arguments, arena, "-serial", "mon:stdio");
        else if (socket)
                add_console(machine, arguments, socket);
        else if (file)
                arguments_printf(arguments, arena, "-serial", "file:%s", quote_commas(arena, file));
        else
                return fail(err, ERR_USAGE, 0, "serial `%s`: there are stdio, unix:PATH and file:PATH", serial);
        return true;
}

static void add_control(struct machine *machine, struct arguments *arguments) {
        struct arena *arena = &machine->arena;
        const struct boot_options *options = machine->options;
        if (options->control)
                arguments_printf(arguments, arena, "-qmp", "unix:%s,server=on,wait=off",
                                 quote_commas(arena, options->control));
        if (options->clock)
                arguments_printf(arguments, arena, "-rtc", "base=%s", options->clock);
}

static void add_accelerator(struct machine *machine, struct arguments *arguments) {
        struct arena *arena = &machine->arena;
        unsigned code_mib = machine->options->code_mib;
        if (code_mib == 0 || strcmp(machine->accelerator, "tcg") != 0) {
                arguments_printf(arguments, arena, "-machine", "q35,accel=%s", machine->accelerator);
                return;
        }
        arguments_printf(arguments, arena, "-machine", "q35");
        arguments_printf(arguments, arena, "-accel", "tcg,tb-size=%u", code_mib);
}

bool qemu_machine_arguments(struct machine *machine, struct arguments *ret, struct err *err) {
        struct arena *arena = &machine->arena;
        assert(machine->accelerator);
        bool has_kvm = strcmp(machine->accelerator, "kvm") == 0;
        unsigned processors = machine->options->processors;
        if (processors == 0)
                processors = 1 + (sysconf(_SC_NPROCESSORS_ONLN) > 1);
        arguments_add(ret, QEMU);
        arguments_printf(ret, arena, "-name", "kiln-%s", machine->node->name);
        add_accelerator(machine, ret);
        arguments_printf(ret, arena, "-cpu", "%s", has_kvm ? "host" : "max,svm=off,la57=off");
        arguments_printf(ret, arena, "-smp", "%u", processors);
        arguments_printf(ret, arena, "-m", "%u", machine->memory_mib);
        arguments_add(ret, "-nodefaults");
        arguments_add(ret, "-no-user-config");
        arguments_printf(ret, arena, "-display", "none");
        arguments_printf(ret, arena, "-device", "VGA"); // firmware and boot loaders expect a screen
        arguments_printf(ret, arena, "-device", "virtio-rng-pci");
        if (machine->firmware == FIRMWARE_UEFI && !add_uefi(machine, ret, err))
                return false;
        add_medium(machine, ret);
        add_config_drive(machine, ret);
        attach_state_disk(machine, ret);
        add_disks(machine, ret);
        add_control(machine, ret);
        if (!plug_cards(machine, ret, err) || !add_serial(machine, ret, err))
                return false;
        for (size_t i = 0; i < machine->options->qemu.count; i++)
                arguments_add(ret, machine->options->qemu.items[i]);
        arguments_add(ret, NULL);
        return true;
}
