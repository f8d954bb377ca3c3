// SPDX-License-Identifier: MIT
// SHA-256 digests of published files, each computed once: a file with several names, or one that was digested when it
// was made, is not read again. That is so only while it lies where it did then (base/file_place.h): one that was
// touched since is read again, and the build fails if it became another, for other files of the build name its digest.
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

// Notes the digest of a file that was digested when it was made. Safe to use from several threads.
void file_sums_note(struct file_sums *sums, int dir, const char *name, const char *sha256);

// The same for a hard link to the file of that name in an entry of the cache.
void file_sums_note_cached(struct file_sums *sums, int dir, const char *name, enum cache_kind kind, const char *key,
                           const char *sha256);

// Publishes a file of the build under another name, as a hard link if that is possible: its digest stays known. Safe
// to use from several threads.
must_check bool file_sums_link(struct file_sums *sums, int from_dir, const char *from, int to_dir, const char *to,
                               struct err *err);

// Tells the cache where its files lie, now that all links to them are made. What cannot be told costs time: those files
// are read again by the next build.
void file_sums_settle(struct file_sums *sums, struct cache *cache);

// Everything below build->out, with its digest. Called when nothing writes there. ERR_CORRUPT: a noted file changed.
must_check bool file_sums_list(struct artefact_build *build, struct published_list *ret, struct err *err);
void published_list_release(struct published_list *list);

#endif
