// SPDX-License-Identifier: MIT
// A file on its way: PATH.part until it is whole and known to be good, then PATH by rename. An interrupted kiln leaves
// the partial file, and the next one goes on from there: whatever was in it is hashed again, so that the digest is
// always that of the whole file as it lies there.
//
// No fsync: it would cost more than the download. What a crash of the machine damages is found by the next kiln,
// because the note that a file was verified names its size and times (trust/verified.h), and is fetched again.
#ifndef KILN_PACKAGES_FETCH_PARTIAL_H
#define KILN_PACKAGES_FETCH_PARTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

struct transfer;

struct partial {
        const struct transfer *transfer;
        char *path; // shared with other kilns through a lock: whoever comes second uses a name of its own
        int fd;
        uint64_t size, hashed; // bytes in the file; of these, in the digest
        struct digest *digest; // NULL: not begun
        bool published;
};

// Opens what an earlier kiln left, or a new one.
must_check bool partial_open(struct partial *partial, const struct transfer *transfer, struct err *err);
must_check bool partial_restart(struct partial *partial, struct err *err); // empty again
must_check bool partial_append(struct partial *partial, const char *data, size_t size, struct err *err);
must_check bool partial_digest(struct partial *partial, char ret_hex[static DIGEST_HEX_SIZE], struct err *err);
must_check bool partial_check(struct partial *partial, struct err *err); // CHECKSUM; CORRUPT: too short
must_check bool partial_publish(struct partial *partial, struct err *err);
// Removes from a directory what killed kilns left and no later one can use.
void partial_sweep(const char *path);
void partial_forget(struct partial *partial); // nothing of it is worth keeping
void partial_close(struct partial *partial);  // removes what no later run could go on with

#endif
