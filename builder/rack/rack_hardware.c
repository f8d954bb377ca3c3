// SPDX-License-Identifier: MIT
// What the machines of a rack are made of, by their roles: memory, disks, cards.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "rack/rack_machine.h"

// A root is in memory once as what iPXE has loaded and once as the file that the kernel makes of it, and the system
// needs the second of these places again as soon as it runs.
enum { SYSTEM_MIB = 512, MEMORY_STEP_MIB = 64, MEMORY_ANY_MIB = 1536, DISK_LEAST_GB = 4 };

// ---- memory ----

static unsigned memory_of_role(const struct rack_machines *machines, const struct role *role) {
        struct stat stat_of_root;
        auto_free char *root = xasprintf("%s/%s/rootfs.squashfs", machines->artefacts, role->name);
        if (stat(root, &stat_of_root) < 0)
                return MEMORY_ANY_MIB;
        unsigned mib = (unsigned)(stat_of_root.st_size >> 20) * 2 + SYSTEM_MIB;
        return (mib + MEMORY_STEP_MIB - 1) / MEMORY_STEP_MIB * MEMORY_STEP_MIB;
}

static bool memory_fits(const struct rack_machine *machine, const char *name, size_t length) {
        const char *names[] = { machine->node->name, machine->role->name };
        for (size_t i = 0; i < lengthof(names); i++)
                if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0)
                        return true;
        return length == 0;
}

static bool apply_memory(struct rack_machines *machines, const char *text, struct err *err) {
        const char *equals = strchr(text, '='), *number = text;
        size_t length = 0;
        char *end;
        bool is_used = false;
        if (equals) {
                length = (size_t)(equals - text);
                number = equals + 1;
        }
        unsigned long mib = strtoul(number, &end, 10);
        bool is_number = *number >= '0' && *number <= '9' && *end == '\0' && mib <= 1UL << 20;
        if (!is_number)
                return fail(err, ERR_USAGE, 0, "--memory %s: MIB, ROLE=MIB or NODE=MIB is needed", text);
        for (size_t i = 0; i < machines->count; i++) {
                if (!memory_fits(&machines->items[i], text, length))
                        continue;
                machines->items[i].memory_mib = (unsigned)mib;
                is_used = true;
        }
        return is_used || fail(err, ERR_REFERENCE, 0, "--memory %s: no role and no node is called so", text);
}

static bool apply_memories(struct rack_machines *machines, const struct strings *memory, struct err *err) {
        for (size_t i = 0; i < memory->count; i++)
                if (!apply_memory(machines, memory->items[i], err))
                        return false;
        return true;
}

// ---- disks ----

static bool open_nameless(int *ret_fd, struct err *err) {
        const char *directory = getenv("TMPDIR");
        if (!directory || !*directory)
                directory = "/var/tmp"; // /tmp may be memory
        int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
                auto_free char *path = xasprintf("%s/kiln-disk.XXXXXX", directory);
                fd = mkostemp(path, O_CLOEXEC);
                if (fd >= 0)
                        unlink(path);
        }
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "make a disk in %s", directory);
        *ret_fd = fd;
        return true;
}

// A disk that the node may format is blank; else it is there as somebody else would have formatted it.
static bool format_disk(const struct state_disk *wanted, int disk, struct err *err) {
        auto_free char *tool = xasprintf("mkfs.%s", wanted->filesystem),
                       *path = xasprintf("/proc/%d/fd/%d", getpid(), disk);
        if (wanted->claim.wanted)
                return true;
        if (run_command(err, tool, "-q", "-L", wanted->label, path, NULL))
                return true;
        return wrap(err, "a state disk with the label %s", wanted->label);
}

static bool fill_disk(const struct state_disk *wanted, int disk, struct err *err) {
        off_t gb = wanted->claim.min_gb > DISK_LEAST_GB ? wanted->claim.min_gb : DISK_LEAST_GB;
        if (ftruncate(disk, gb * 1000 * 1000 * 1000) < 0)
                return fail(err, ERR_SYSTEM, errno, "make a disk of %jd GB", (intmax_t)gb);
        return format_disk(wanted, disk, err);
}

// Under another name until it is formatted: the next rack takes what has the disk's name as it is.
static bool make_kept_disk(const struct state_disk *wanted, const char *path, int *ret_fd, struct err *err) {
        auto_free char *staging = xasprintf("%s.new", path);
        auto_close int disk = -1;
        if (!fs_open(AT_FDCWD, staging, O_RDWR | O_CREAT | O_TRUNC, 0600, &disk, err))
                return false;
        bool ok = fill_disk(wanted, disk, err);
        if (ok && rename(staging, path) < 0)
                ok = fail(err, ERR_SYSTEM, errno, "rename to %s", path);
        if (ok)
                *ret_fd = take_fd(disk);
        else
                unlink(staging);
        return ok;
}

static bool open_kept_disk(const struct rack_machine *machine, const char *disks, int *ret_fd, struct err *err) {
        auto_free char *path = xasprintf("%s/%s.img", disks, machine->node->name);
        if (!fs_mkdirs(AT_FDCWD, disks, 0700, err))
                return false;
        if (fs_exists(AT_FDCWD, path))
                return fs_open(AT_FDCWD, path, O_RDWR, 0, ret_fd, err);
        return make_kept_disk(&machine->role->state_disk, path, ret_fd, err);
}

static bool make_disk(const struct rack_machine *machine, const char *disks, int *ret_fd, struct err *err) {
        auto_close int disk = -1;
        if (disks)
                return open_kept_disk(machine, disks, ret_fd, err);
        if (!open_nameless(&disk, err) || !fill_disk(&machine->role->state_disk, disk, err))
                return false;
        *ret_fd = take_fd(disk);
        return true;
}

// ---- cards ----

static size_t count_members(const struct bond *bond, const char *other) {
        size_t count = 0;
        for (size_t i = 0; i < bond->members.count; i++)
                count += strcasecmp(bond->members.items[i], other) != 0;
        return count;
}

void rack_format_mac(const unsigned char mac[static 6], char ret[static RACK_MAC_SIZE]) {
        snprintf(ret, RACK_MAC_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

// Those beside the one that boots, as boot/ plugs them: of the node's bond, and of its further links.
static size_t count_cards(const struct node *node) {
        char own[RACK_MAC_SIZE];
        rack_format_mac(node->mac, own);
        size_t count = count_members(&node->bond, own);
        for (size_t i = 0; i < node->link_count; i++) {
                const struct node_link *link = &node->links[i];
                own[0] = '\0';
                if (link->has_mac)
                        rack_format_mac(link->mac, own);
                count += link->has_mac + count_members(&link->bond, own);
        }
        return count;
}

static bool add_cards_of_node(struct rack_machine *machine, struct err *err) {
        machine->card_count = count_cards(machine->node);
        return machine->card_count <= RACK_CARDS_MAX ||
               fail(err, ERR_REFERENCE, 0, "%s has %zu cards; a machine of a rack has at most %d", machine->node->name,
                    machine->card_count + 1, RACK_CARDS_MAX + 1);
}

// ---- all of it ----

bool rack_machines_open(struct rack_machines *machines, const struct strings *memory, const char *disks,
                        struct err *err) {
        const struct cluster *cluster = machines->cluster;
        machines->items = xcalloc(cluster->node_count, sizeof *machines->items);
        machines->count = cluster->node_count;
        for (size_t i = 0; i < machines->count; i++) {
                const struct node *node = &cluster->nodes[i];
                machines->items[i] = (struct rack_machine){
                        .node = node, .role = &cluster->roles[node->role], .stage = "off", .percent = -1, .disk = -1
                };
                machines->items[i].memory_mib = memory_of_role(machines, machines->items[i].role);
                if (!add_cards_of_node(&machines->items[i], err))
                        return false;
        }
        if (!apply_memories(machines, memory, err))
                return false;
        for (size_t i = 0; i < machines->count; i++) {
                struct rack_machine *machine = &machines->items[i];
                if (machine->role->state_disk.wanted && !make_disk(machine, disks, &machine->disk, err))
                        return wrap(err, "%s", machine->node->name);
        }
        return true;
}

void rack_machines_release(struct rack_machines *machines) {
        for (size_t i = 0; i < machines->count; i++)
                close_cleanup(&machines->items[i].disk);
        free(machines->items);
        machines->items = NULL;
        machines->count = 0;
}
