// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fs.h"
#include "boot/internal.h"

enum { MEMORY_MIN_MIB = 256, MEMORY_MAX_MIB = 1 << 20 };

// Where distributions keep OVMF: code, and a template of the variables that go with it.
static const struct {
        const char *code, *variables;
} ovmf[] = {
        { "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd" },
        { "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd" },
        { "/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd" },
        { "/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd" },
};

void arguments_add(struct arguments *arguments, const char *argument) {
        *array_append(&arguments->items, &arguments->count) = argument;
}

void arguments_release(struct arguments *arguments) { free(arguments->items); }

const char *quote_commas(struct arena *arena, const char *text) {
        auto_buf quoted = { 0 };
        for (; *text; text++) {
                buf_append_char(&quoted, *text);
                if (*text == ',')
                        buf_append_char(&quoted, ',');
        }
        return arena_strdup(arena, buf_text(&quoted));
}

// ---- options ----

// The index of `text` in a list of names, or the first if it is NULL.
static bool choose(const char *what, const char *text, const char *const *names, size_t count, int *ret,
                   struct err *err) {
        auto_buf all = { 0 };
        for (size_t i = 0; i < count; i++) {
                if (!text || strcmp(text, names[i]) == 0) {
                        *ret = (int)i;
                        return true;
                }
                buf_printf(&all, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " and ", names[i]);
        }
        return fail(err, ERR_USAGE, 0, "%s `%s`: there are %s", what, text, buf_text(&all));
}

static bool settle_memory(const char *text, unsigned *ret, struct err *err) {
        char *end = NULL;
        unsigned long mib = text ? strtoul(text, &end, 10) : 2048;
        if (text && (end == text || *end || !isdigit((unsigned char)*text)))
                return fail(err, ERR_USAGE, 0, "memory `%s` is not a number of MiB", text);
        if (mib < MEMORY_MIN_MIB || mib > MEMORY_MAX_MIB)
                return fail(err, ERR_USAGE, 0, "memory of %lu MiB: between %d and %d", mib, MEMORY_MIN_MIB,
                            MEMORY_MAX_MIB);
        *ret = (unsigned)mib;
        return true;
}

static bool settle_mac(struct machine *machine, struct err *err) {
        const char *text = machine->options->mac;
        const unsigned char *known = machine->node->mac, *ip = (const unsigned char *)&machine->node->ip.s_addr;
        const unsigned char made[6] = { 0x52, 0x54, 0x00, ip[1], ip[2], ip[3] };
        const unsigned char *bytes = machine->node->has_mac ? known : made;
        unsigned char given[6];
        int used = 0;
        if (text) {
                if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &given[0], &given[1], &given[2], &given[3],
                           &given[4], &given[5], &used) != 6 ||
                    used != 17 || text[17])
                        return fail(err, ERR_USAGE, 0, "`%s` is not a MAC address", text);
                if (given[0] & 1)
                        return fail(err, ERR_USAGE, 0, "`%s` is a multicast address, no machine has it", text);
                bytes = given;
        }
        snprintf(machine->mac, sizeof(machine->mac), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
                 bytes[3], bytes[4], bytes[5]);
        return true;
}

static bool need_file(const char *path, const struct machine *machine, struct err *err) {
        if (fs_exists(AT_FDCWD, path))
                return true;
        fail(err, ERR_REFERENCE, 0, "%s is not there", path);
        return hint(err, "kiln build %s makes it", machine->options->cluster->path);
}

static bool settle_files(struct machine *machine, struct err *err) {
        const char *build = machine->options->artefacts, *role = machine->role->name;
        const char *cluster = machine->options->cluster->name;
        machine->kernel = arena_printf(&machine->arena, "%s/%s/vmlinuz", build, role);
        if (!need_file(machine->kernel, machine, err))
                return false;
        if (machine->medium == MEDIUM_PXE)
                return need_file(arena_printf(&machine->arena, "%s/pxe/boot.ipxe", build), machine, err);
        machine->image = arena_printf(&machine->arena, "%s/%s/%s-%s.iso", build, role, cluster, role);
        return need_file(machine->image, machine, err);
}

static bool no_node(const struct boot_options *options, struct err *err) {
        auto_buf names = { 0 };
        for (size_t i = 0; i < options->cluster->node_count; i++)
                buf_printf(&names, "%s%s", i ? ", " : "", options->cluster->nodes[i].name);
        fail(err, ERR_REFERENCE, 0, "%s: no node is called `%s`", options->cluster->path, options->node);
        return hint(err, "its nodes are: %s", buf_text(&names));
}

bool machine_settle(const struct boot_options *options, struct machine *ret, struct err *err) {
        static const char *const media[] = { "pxe", "iso", "usb" }, *const firmwares[] = { "bios", "uefi" };
        int medium, firmware;
        *ret = (struct machine){ .options = options, .variables = -1 };
        ret->node = cluster_find_node(options->cluster, options->node);
        if (!ret->node)
                return no_node(options, err);
        ret->role = &options->cluster->roles[ret->node->role];
        if (!choose("medium", options->medium, media, lengthof(media), &medium, err) ||
            !choose("firmware", options->firmware, firmwares, lengthof(firmwares), &firmware, err) ||
            !settle_memory(options->memory, &ret->memory_mib, err) || !settle_mac(ret, err))
                return false;
        ret->medium = (enum medium)medium;
        ret->firmware = (enum firmware)firmware;
        return settle_files(ret, err);
}

void machine_release(struct machine *machine) {
        close_cleanup(&machine->variables);
        arena_release(&machine->arena);
}

// ---- QEMU's arguments ----

static void add(struct machine *machine, struct arguments *arguments, const char *option, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void add(struct machine *machine, struct arguments *arguments, const char *option, const char *format, ...) {
        va_list values;
        va_start(values, format);
        auto_free char *text = xvasprintf(format, values);
        va_end(values);
        arguments_add(arguments, option);
        arguments_add(arguments, arena_strdup(&machine->arena, text));
}

// The machine writes its UEFI variables to memory that ends with it.
static bool add_uefi(struct machine *machine, struct arguments *arguments, struct err *err) {
        size_t i = 0;
        while (i < lengthof(ovmf) && !(fs_exists(AT_FDCWD, ovmf[i].code) && fs_exists(AT_FDCWD, ovmf[i].variables)))
                i++;
        if (i == lengthof(ovmf)) {
                fail(err, ERR_TOOL, 0, "no UEFI firmware for virtual machines was found");
                return hint(err, "the Debian package ovmf has it");
        }
        auto_close int from = -1;
        if (!fs_open(AT_FDCWD, ovmf[i].variables, O_RDONLY, 0, &from, err))
                return false;
        machine->variables = memfd_create("uefi-variables", MFD_CLOEXEC);
        if (machine->variables < 0)
                return fail(err, ERR_SYSTEM, errno, "memory for UEFI variables");
        if (!fs_copy_bytes(from, machine->variables, UINT64_MAX, err))
                return false;
        add(machine, arguments, "-drive", "if=pflash,format=raw,readonly=on,file=%s", ovmf[i].code);
        add(machine, arguments, "-drive", "if=pflash,format=raw,file=/proc/self/fd/%d", machine->variables);
        return true;
}

static void add_medium(struct machine *machine, struct arguments *arguments) {
        if (machine->medium == MEDIUM_PXE)
                return;
        add(machine, arguments, "-drive", "if=none,id=medium,format=raw,readonly=on,media=%s,file=%s",
            machine->medium == MEDIUM_ISO ? "cdrom" : "disk", quote_commas(&machine->arena, machine->image));
        if (machine->medium == MEDIUM_ISO) {
                add(machine, arguments, "-device", "ide-cd,drive=medium,bootindex=1");
        } else {
                add(machine, arguments, "-device", "qemu-xhci,id=usb");
                add(machine, arguments, "-device", "usb-storage,bus=usb.0,drive=medium,removable=on,bootindex=1");
        }
}

static bool add_network(struct machine *machine, struct arguments *arguments, struct err *err) {
        const char *netdev;
        if (!network_argument(machine, &netdev, err))
                return false;
        add(machine, arguments, "-netdev", "%s", netdev);
        // Without a boot ROM the firmware does not spend time on the network of a machine that has a medium.
        add(machine, arguments, "-device", "virtio-net-pci,netdev=lan,mac=%s,%s", machine->mac,
            machine->medium == MEDIUM_PXE ? "bootindex=1" : "romfile=");
        return true;
}

static bool add_serial(struct machine *machine, struct arguments *arguments, struct err *err) {
        const char *serial = machine->options->serial ? machine->options->serial : "stdio";
        if (strcmp(serial, "stdio") == 0) {
                add(machine, arguments, "-serial", "mon:stdio");
                return true;
        }
        const char *path = strchr(serial, ':');
        if (path && path[1] && strncmp(serial, "unix:", 5) == 0)
                add(machine, arguments, "-serial", "unix:%s,server=on,wait=off",
                    quote_commas(&machine->arena, path + 1));
        else if (path && path[1] && strncmp(serial, "file:", 5) == 0)
                add(machine, arguments, "-serial", "file:%s", quote_commas(&machine->arena, path + 1));
        else
                return fail(err, ERR_USAGE, 0, "serial `%s`: there are stdio, unix:PATH and file:PATH", serial);
        return true;
}

bool machine_arguments(struct machine *machine, struct arguments *ret, struct err *err) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        arguments_add(ret, QEMU);
        add(machine, ret, "-name", "kiln-%s", machine->node->name);
        add(machine, ret, "-machine", "q35,accel=%s", machine->accelerator);
        add(machine, ret, "-cpu", "%s", strcmp(machine->accelerator, "kvm") == 0 ? "host" : "max,svm=off,la57=off");
        add(machine, ret, "-smp", "%d", processors > 1 ? 2 : 1);
        add(machine, ret, "-m", "%u", machine->memory_mib);
        arguments_add(ret, "-nodefaults");
        arguments_add(ret, "-no-user-config");
        add(machine, ret, "-display", "none");
        add(machine, ret, "-device", "VGA"); // firmware and boot loaders expect a screen
        add(machine, ret, "-device", "virtio-rng-pci");
        if (machine->firmware == FIRMWARE_UEFI && !add_uefi(machine, ret, err))
                return false;
        add_medium(machine, ret);
        if (!add_network(machine, ret, err) || !add_serial(machine, ret, err))
                return false;
        arguments_add(ret, NULL);
        return true;
}
