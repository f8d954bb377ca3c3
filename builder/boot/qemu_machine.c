// SPDX-License-Identifier: MIT
// The user's options, checked against the inventory and the build.
#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "boot/internal.h"

enum { MEMORY_MIN_MIB = 256, MEMORY_MAX_MIB = 1 << 20, MEMORY_DEFAULT_MIB = 2048 };

// "pxe, iso and usb".
static void list_choices(const char *const *names, size_t count, struct buf *ret) {
        for (size_t i = 0; i < count; i++) {
                if (i > 0 && i + 1 == count)
                        buf_append_text(ret, " and ");
                else if (i > 0)
                        buf_append_text(ret, ", ");
                buf_append_text(ret, names[i]);
        }
}

// The index of `text` in a list of names, or the first if it is NULL.
static bool choose_name(const char *what, const char *text, const char *const *names, size_t count, int *ret,
                        struct err *err) {
        for (size_t i = 0; i < count; i++)
                if (!text || strcmp(text, names[i]) == 0) {
                        *ret = (int)i;
                        return true;
                }
        auto_buf all = { 0 };
        list_choices(names, count, &all);
        return fail(err, ERR_USAGE, 0, "%s `%s`: there are %s", what, text, buf_text(&all));
}

static bool parse_memory(const char *text, unsigned *ret_mib, struct err *err) {
        char *end;
        if (!text) {
                *ret_mib = MEMORY_DEFAULT_MIB;
                return true;
        }
        unsigned long mib = strtoul(text, &end, 10);
        if (*end || !isdigit((unsigned char)*text))
                return fail(err, ERR_USAGE, 0, "memory `%s` is not a number of MiB", text);
        if (mib < MEMORY_MIN_MIB || mib > MEMORY_MAX_MIB)
                return fail(err, ERR_USAGE, 0, "memory of %lu MiB: between %d and %d", mib, MEMORY_MIN_MIB,
                            MEMORY_MAX_MIB);
        *ret_mib = (unsigned)mib;
        return true;
}

static bool parse_mac(const char *text, unsigned char ret[static 6], struct err *err) {
        int used = 0;
        int fields = sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &ret[0], &ret[1], &ret[2], &ret[3], &ret[4],
                            &ret[5], &used);
        bool is_whole = fields == 6 && used == MAC_SIZE - 1 && !text[used];
        if (!is_whole)
                return fail(err, ERR_USAGE, 0, "`%s` is not a MAC address", text);
        if (ret[0] & 1)
                return fail(err, ERR_USAGE, 0, "`%s` is a multicast address, no machine has it", text);
        return true;
}

// The user's, the inventory's, or one of QEMU's with the end of the address.
static bool choose_mac(struct machine *machine, struct err *err) {
        const struct node *node = machine->node;
        const unsigned char *ip = (const unsigned char *)&node->ip.s_addr;
        unsigned char mac[6] = { 0x52, 0x54, 0x00, ip[1], ip[2], ip[3] };
        if (node->has_mac)
                memcpy(mac, node->mac, sizeof(mac));
        if (machine->options->mac && !parse_mac(machine->options->mac, mac, err))
                return false;
        snprintf(machine->mac, sizeof(machine->mac), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                 mac[4], mac[5]);
        return true;
}

static bool need_file(const char *path, const struct machine *machine, struct err *err) {
        if (fs_exists(AT_FDCWD, path))
                return true;
        fail(err, ERR_REFERENCE, 0, "%s is not there", path);
        return hint(err, "kiln build %s makes it", machine->options->cluster->path);
}

static bool find_boot_files(struct machine *machine, struct err *err) {
        const char *build = machine->options->artefacts, *role = machine->role->name;
        const char *cluster = machine->options->cluster->name;
        machine->kernel = arena_printf(&machine->arena, "%s/%s/vmlinuz", build, role);
        if (!need_file(machine->kernel, machine, err))
                return false;
        if (machine->medium == MEDIUM_PXE)
                return need_file(arena_printf(&machine->arena, "%s/pxe/boot.ipxe", build), machine, err);
        machine->image = arena_printf(&machine->arena, "%s/%s/%s-%s.iso", build, role, cluster, role);
        auto_free char *parts = xasprintf("%s.parts", machine->image);
        if (fs_exists(AT_FDCWD, parts) && !fs_exists(AT_FDCWD, machine->image)) {
                fail(err, ERR_REFERENCE, 0, "%s is written on demand", machine->image);
                return hint(err, "kiln iso %s %s --output %s", build, role, machine->image);
        }
        return need_file(machine->image, machine, err);
}

// QEMU's own words would follow the description of a machine that never was.
static bool check_config_drive(const char *path, struct err *err) {
        auto_close int fd = -1;
        if (!path)
                return true;
        if (fs_open(AT_FDCWD, path, O_RDONLY, 0, &fd, err))
                return true;
        (void)wrap(err, "config drive");
        return hint(err, "`kiln secret put %s NAME` makes one that holds a secret", path);
}

enum { STATE_DISK_SIZE_GIB = 8 };

// What is there is kept as it is: it may be another boot's.
static bool make_state_disk(const struct machine *machine, struct err *err) {
        const char *path = machine->options->state_disk;
        const struct state_disk *wanted = &machine->role->state_disk;
        auto_close int fd = -1;
        if (!path)
                return true;
        if (fs_exists(AT_FDCWD, path)) {
                if (fs_open(AT_FDCWD, path, O_RDWR, 0, &fd, err))
                        return true;
                return wrap(err, "state disk");
        }
        if (!fs_open(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL, 0600, &fd, err))
                return wrap(err, "state disk");
        if (ftruncate(fd, (off_t)STATE_DISK_SIZE_GIB << 30) < 0) {
                int number = errno;
                unlink(path); // the next boot would take it for a disk
                return fail(err, ERR_SYSTEM, number, "make %s, %d GiB", path, STATE_DISK_SIZE_GIB);
        }
        notice("%s: a new blank disk of %d GiB, which takes room as it is written", path, STATE_DISK_SIZE_GIB);
        if (!wanted->wanted)
                notice("role %s looks for no state disk: nothing will be kept on it", machine->role->name);
        else if (!wanted->claim.wanted)
                notice("role %s claims no blank disk: `mkfs.ext4 -L %s %s` makes it one of its own",
                       machine->role->name, wanted->label, path);
        return true;
}

// A port that nobody listens on now. QEMU binds it a moment later, and says so if somebody was faster.
static bool choose_ssh_port(struct machine *machine, struct err *err) {
        struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(any);
        if (!machine->options->ssh)
                return true;
        auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
            getsockname(fd, (struct sockaddr *)&any, &size) < 0)
                return fail(err, ERR_SYSTEM, errno, "find a free port of 127.0.0.1");
        machine->ssh_port = ntohs(any.sin_port);
        return true;
}

bool qemu_machine_settle(const struct boot_options *options, struct machine *ret, struct err *err) {
        static const char *const media[] = { "pxe", "iso", "usb" }, *const firmwares[] = { "bios", "uefi" };
        int medium, firmware;
        assert(options->cluster && options->node && options->artefacts);
        *ret = (struct machine){ .options = options, .variables = -1 };
        if (!cluster_need_node(options->cluster, options->node, &ret->node, err))
                return false;
        ret->role = &options->cluster->roles[ret->node->role];
        if (!choose_name("medium", options->medium, media, lengthof(media), &medium, err) ||
            !choose_name("firmware", options->firmware, firmwares, lengthof(firmwares), &firmware, err) ||
            !parse_memory(options->memory, &ret->memory_mib, err) || !choose_mac(ret, err))
                return false;
        ret->medium = (enum medium)medium;
        ret->firmware = (enum firmware)firmware;
        return check_config_drive(options->config_drive, err) && find_boot_files(ret, err) &&
               choose_ssh_port(ret, err) && make_state_disk(ret, err);
}

void qemu_machine_release(struct machine *machine) {
        close_cleanup(&machine->variables);
        arena_release(&machine->arena);
}
