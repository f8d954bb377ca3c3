// SPDX-License-Identifier: MIT
// State that outlives reboots: what the initrd did about the state disk, and what that disk says. Whether it is this
// machine's is state_plan.h.
//
// The initrd finds (or claims and formats) the disk, mounts it at /run/kiln/state and binds the role's state paths from
// it (state_initrd.h); it never fails a boot. It leaves a record, /run/kiln/state.json:
//     { "format": 1, "status": "mounted" | "absent" | "refused", "device": "/dev/vdb", "filesystem": "ext4",
//       "claimed": false, "reason": "" (of absent and refused), "notes": [...], "elapsed_ms": 120,
//       "overlay": false (the root's writable layer lies on it, state_overlay.h) }
// `apply` reads it: "refused" refuses the machine, "absent" only says that state is lost at the next reboot, and a disk
// that belongs to another machine refuses this one.
//
// On the disk:
//     kiln/identity.json   { "format": 1, "cluster", "node", "id" (0: none) }, written by the first `apply` that knows
//     kiln/serial          the highest serial of a signed build that came up here (state_serial.h)
//     kiln/keep/           machine-id, random-seed, ssh_host_* (state_keep.h)
//     kiln/overlay/        the root's writable layer, if the profile wants it here: scratch (state_overlay.h)
//     paths/PATH           one directory for each state path
//     kiln-roots/          the last two roots (roots/kept_roots.h, state_root.h)
#ifndef KILN_NODE_STATE_STATE_H
#define KILN_NODE_STATE_STATE_H

#include <jansson.h>

#include "base/buf.h"
#include "firmware/node/facts/facts.h"
#include "firmware/node/inventory/inventory.h"
#include "firmware/node/root/root.h"

#define STATE_MOUNT ROOT_STATE_DISK
#define STATE_RECORD "/run/kiln/state.json"

enum state_status { STATE_MOUNTED, STATE_ABSENT, STATE_REFUSED };

// Strings are never NULL.
struct state_record {
        enum state_status status;
        const char *device, *filesystem, *reason;
        bool claimed; // formatted at this boot
        const char **notes;
        size_t note_count;
        int64_t elapsed_ms;
        bool overlay; // the root's writable layer lies on it
};

struct state_facts {
        struct state_record record;
        const char *identity;  // kiln/identity.json; NULL: none yet
        const char **id_texts; // of each of the inventory's state paths, what its id_file says; NULL: none
};

void state_record_json(const struct state_record *record, struct buf *ret_text);
// ERR_SYNTAX or ERR_SCHEMA. Strings are the arena's.
must_check bool state_record_read(const char *text, struct arena *arena, struct state_record *ret, struct err *err);

// NULL if the profile wants no state disk, or if the machine was not booted by kiln's initrd (an installed one keeps
// state on its root). A record that is missing or unreadable is a refusal, not an error.
must_check bool state_read(int root, const struct state_settings *settings, struct arena *arena,
                           const struct state_facts **ret, struct err *err);

// The "state" of `kiln-node plan --facts FILE`: {"record": what the initrd recorded, "identity": text of identity.json,
// "ids": {STATE PATH: text of its id_file}}. Without one facts->state stays as it is. ERR_SCHEMA.
must_check bool state_facts_read(const json_t *root, struct arena *arena, struct facts *facts, struct err *err);

#endif
