// SPDX-License-Identifier: MIT
// Downloads by HTTP: several files at once, each resumed, retried, and tried from one mirror after the other.
#ifndef KILN_PACKAGES_FETCH_TRANSFER_H
#define KILN_PACKAGES_FETCH_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct progress;

struct transfer {
        const char *name;        // for messages: "repomd.xml of os"
        const char *const *urls; // tried in turn
        size_t url_count;
        const char *path;                     // where the complete and verified file goes, by rename
        const char *checksum_type, *checksum; // NULL: not known
        uint64_t size_bytes, max_bytes;       // 0: not known; no limit. The smaller of the two counts
        bool missing_ok, missing;             // 404 everywhere is no error, but sets `missing`
        size_t used;                          // set: index of the URL that it came from
        // Called on another thread when `path` is there, while other transfers go on. Its error ends them all. NULL:
        // none.
        bool (*arrived)(void *context, struct err *err);
        void *context;
};

// Up to six at once; resumes path + ".part", retries with growing pauses, goes on with the next URL. Errors: NETWORK
// (no URL works), CHECKSUM, CORRUPT (wrong length), DISK_FULL, INTERRUPTED. `progress` may be NULL. For one thread at a
// time.
must_check bool transfers_run(struct transfer *transfers, size_t count, struct progress *progress, struct err *err);
// Closes connections that transfers_run() keeps open for the next time.
void transfers_hang_up(void);

#endif
