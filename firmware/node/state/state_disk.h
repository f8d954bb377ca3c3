// SPDX-License-Identifier: MIT
// The disks of a machine, and which of them holds the state or may be made to. Reads sysfs and the disks themselves
// (libblkid), without udev. Never writes.
#ifndef KILN_NODE_STATE_STATE_DISK_H
#define KILN_NODE_STATE_STATE_DISK_H

#include "base/buf.h"
#include "firmware/node/devices/disk_host.h"
#include "firmware/node/inventory/state_settings.h"

struct disk {
        char name[64];       // below /dev: "sda", "sda1", "nvme0n1", "cciss/c0d0"
        char label[64];      // of the file system on it; ""
        char type[32];       // "ext4", "linux_raid_member", ...; "": none, or several
        char model[128];     // vendor and model, blanks between them; ""
        const char *path;    // in /sys/devices, which tells where it is plugged in
        uint64_t size_bytes; // 0: no medium
        bool is_partition, is_removable, is_read_only, has_holder, has_partition;
};

struct disks {
        struct disk *items; // by name
        size_t count;
};

// Every block device that may be a disk or a partition of one (no loop, memory, CD or device-mapper devices).
// Strings are the arena's.
must_check bool disks_scan(const struct disk_host *host, struct arena *arena, struct disks *ret, struct err *err);

// Whether the rule takes the disk: whole, writable, fixed, unused, of the right size, model and place, and blank.
// False: `ret_reason` has why not.
bool disk_may_be_claimed(const struct disk_host *host, const struct disk *disk, const struct state_claim *claim,
                         struct buf *ret_reason);

// A disk is blank that has no signature that libblkid knows (wrong checksums included) and no partition table, and
// whose first and last MiB, and samples between them, are all zeros, or all ones as erased flash is. False with the
// reason, also for a disk that cannot be read. `fd` is left open.
bool disk_is_blank(int fd, uint64_t size_bytes, struct buf *ret_reason);

#endif
