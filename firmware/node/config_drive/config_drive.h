// SPDX-License-Identifier: MIT
// The config drive: a volume labelled KILN (or as kiln.config= says; kiln.config=none: there is none) that holds
// kiln.conf, words as on the command line, and kiln.secrets (shared/secrets.h), or one of them. FAT, ISO 9660 or
// ext2/3/4. Only read: mounted without write access, devices, programs or set-user-id files, in a mount namespace of
// its own, so that nothing stays behind, whatever happens.
#ifndef KILN_NODE_CONFIG_DRIVE_CONFIG_DRIVE_H
#define KILN_NODE_CONFIG_DRIVE_CONFIG_DRIVE_H

#include "base/buf.h"
#include "firmware/node/devices/disk_host.h"
#include "firmware/node/facts/facts.h"

enum { CONFIG_DRIVE_MAX = 65536, CONFIG_DRIVE_WAIT_MS = 10000, VOLUMES_MAX = 64 };

struct volume {
        char device[80]; // "/dev/sr0"
        char label[64], type[16];
};

enum drive_file { DRIVE_CONF, DRIVE_SECRETS }; // kiln.conf, kiln.secrets

// How a file of a volume is read; tests give another.
typedef bool volume_read(const struct volume *volume, enum drive_file file, struct buf *ret, bool *ret_found,
                         struct err *err);

struct config_drive_host {
        struct disk_host disks;
        volume_read *read;
        int wait_ms; // for a drive that the command line asks for
};

extern const struct config_drive_host config_drive_machine;

// Sets facts->config_drive and config_device, or config_problem, by facts->command_line; of facts->secret_sources, if
// the inventory wants secrets, the drive's. Does not wait, unless
// kiln.config= names a label. Strings are the arena's.
void config_drive_find(const struct config_drive_host *host, struct facts *facts, struct arena *arena);

#endif
