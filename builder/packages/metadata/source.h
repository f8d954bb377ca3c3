// SPDX-License-Identifier: MIT
// One repository of a release: its URLs, its directory in the cache, and what its repomd.xml says.
#ifndef KILN_PACKAGES_METADATA_SOURCE_H
#define KILN_PACKAGES_METADATA_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "packages/metadata/metalink.h"
#include "packages/packages.h"

struct keyring;
struct transfer;

// A file that repomd.xml names.
struct metadata_file {
        const char *location, *checksum_type, *checksum; // location NULL: the repository has none
        uint64_t size_bytes;
};

struct source {
        const struct repository *repository;
        const struct release *release;
        const struct packages_options *options;
        struct arena *arena;
        struct strings urls;      // base URLs, replacement and lists of mirrors applied
        struct metalink metalink; // without digests: there is none
        const char *metalink_url; // where that came from, or NULL
        const char *name;         // of its entry in the cache: a hash of the first URL
        const char *dir;          // the entry
        struct metadata_file primary, filelists, group, modules;
        struct buf repomd, signature; // as they were verified; the latter empty unless it was demanded
        int64_t published;            // when the metadata was made, as repomd.xml says; 0: it does not
        struct keyring *keyring;
        bool is_local;      // repomd.xml was read where it lies: the cache has none of it
        bool is_absent;     // it was passed over: only what is locked to it, and in the cache, is to be had
        bool replaced_told; // replaced_warn() said what there is to say of it
        int writer;         // process that writes a .solv file, or 0
};

// Learns the URLs of a repository, from its mirror list where it has one, and makes its directory in the cache. What
// the repository publishes is read by repomd_fetch().
// Everything that is passed must outlive the source. After a failure it can only be closed.
must_check bool source_open(struct source *source, const struct repository *repository, const struct release *release,
                            const struct packages_options *options, struct arena *arena, struct err *err);
void source_close(struct source *source);
// Whether the release does without the repository (skip_if_unavailable): it has directories of this machine alone, none
// is there, and with --offline the cache has nothing of it either. Sets is_absent.
bool source_look_if_absent(struct source *source);
// What the cache has of a repository's lists, repomd.xml and its signature changes together: no other kiln may look at
// it meanwhile.
must_check bool source_lock(const struct source *source, int *ret_fd, struct err *err);
// The keyring of the repository, loaded on first use.
must_check bool source_keys(struct source *source, const struct keyring **ret, struct err *err);
// Fetches a small file without a known checksum. `urls` are tried in turn; `ret` says which had it.
must_check bool source_fetch_small(const struct source *source, const struct strings *urls, const char *file,
                                   const char *path, bool missing_ok, struct transfer *ret, struct err *err);
// The file of the first base URL on this machine that holds it; heap; NULL: none does. `ret_any_local`: whether there
// is such a base URL at all.
char *source_find_local(const struct source *source, const char *location, bool *ret_any_local);
// The URLs of a location in the network; heap, with elements on the arena.
struct strings source_remote_urls(const struct source *source, const char *location);
bool source_unreachable(const struct source *source,
                        struct err *err); // adds the repository and a remedy to an error; false

#endif
