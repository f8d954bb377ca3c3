// SPDX-License-Identifier: MIT
// What the image says about state that outlives reboots: `state`, `state_disk` and `reserve` of /etc/kiln/node.json
// (builder/shared/node_config.h).
#ifndef KILN_NODE_INVENTORY_STATE_SETTINGS_H
#define KILN_NODE_INVENTORY_STATE_SETTINGS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

struct state_path {
        const char *path;    // absolute, in the image
        const char *id_file; // below it, says the node's id; "": none does
        unsigned mode, uid, gid;
};

// The one blank disk that may be formatted.
struct state_claim {
        bool wanted;                   // false: never format anything
        uint64_t min_bytes, max_bytes; // max 0: any
        const char *model, *path;      // globs
};

struct state_settings {
        bool wanted; // false: no state disk is looked for
        const char *label, *filesystem;
        bool required;
        bool overlay;    // the root's writable layer lies on it too
        bool root_cache; // the last two roots are kept on it
        int timeout_ms;
        struct state_claim claim;
        struct state_path *paths;
        size_t path_count;
        unsigned reserve_memory_mb, reserve_cpus;
};

// ERR_SCHEMA with the key that is wrong. Strings are the arena's.
must_check bool state_settings_read(const json_t *root, struct arena *arena, struct state_settings *ret,
                                    struct err *err);

#endif
