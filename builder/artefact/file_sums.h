// SPDX-License-Identifier: MIT
// SHA-256 digests of published files, each computed once: a file with several names, or one that was digested when it
// was made, is not read again.
#ifndef KILN_ARTEFACT_FILE_SUMS_H
#define KILN_ARTEFACT_FILE_SUMS_H

#include "artefact/artefact.h"
#include "base/digest.h"

struct published {
        char *path; // below the build
        uint64_t size_bytes;
        char sha256[DIGEST_HEX_SIZE];
};
struct published_list {
        struct published *items; // in the order of the tree walk
        size_t count;
};

struct file_sums *file_sums_new(void);
void file_sums_free(struct file_sums *sums);

// Notes the digest of a file that was digested when it was made, perhaps by an earlier build. The directory stays open
// until the sums are freed. Safe to use from several threads.
void file_sums_note(struct file_sums *sums, int dir, const char *name, const char *sha256);

// Everything below build->out, with its digest. Called when nothing writes there.
must_check bool file_sums_list(struct artefact_build *build, struct published_list *ret, struct err *err);
void published_list_release(struct published_list *list);

#endif
