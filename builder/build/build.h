// SPDX-License-Identifier: MIT
// A build: from a checked cluster to published artefacts.
#ifndef KILN_BUILD_BUILD_H
#define KILN_BUILD_BUILD_H

#include "artefact/artefact.h"
#include "base/err.h"
#include "profile/profile.h"
#include "selection/lock_file.h"

struct remote;

struct build_options {
        const char *out, *cache;                   // directories; made if absent
        const char *http_base;                     // or NULL
        const char *source_date_epoch;             // as in the environment; NULL or empty: a fixed date
        const char *const *repositories;           // NULL-terminated NAME=URL
        const struct strings *only;                // kinds of artefacts; empty: all
        const struct lock_file *lock;              // the packages to take; NULL: what the solver chooses
        const struct signer *signer;               // NULL: nothing is signed
        const struct kept_signatures *kept;        // without a signer: what the build to compare with has; or NULL
        uint64_t serial;                           // up to SERIAL_MAX (shared/signed_layer.h); 0: none
        const struct secure_boot_key *secure_boot; // NULL: kiln.efi is not signed, if it is made
        const char *uki_stub;                      // NULL: UKI_STUB (artefact/artefact.h)
        struct remote *remote;                     // a cache that several machines share; NULL: none
        const char *origin;                        // kept beside the build (PUBLICATION_ORIGIN); NULL: nothing is
        bool offline, allow_downgrade;
        unsigned jobs;
};

struct build_result {
        char *path;      // heap
        bool is_new;     // it was not there, whole and signed, already
        bool is_partial; // it lacks roles or kinds of artefacts, so that `current` does not name it
};

// Publishes <out>/<cluster>/<build id>/ by one rename and points `current` there. A partial build, one with `only` or
// of a cluster whose roles are not all selected, gets to <out>/<cluster>/partial/<build id>/, and `current` stays as it
// is. If that build exists already, and the signer has signed it or there is none, nothing is written; one that the
// signer, or the key for Secure Boot, has not signed is made again and replaced. SIGNATURE: a signer that the cluster
// does not trust; CLUSTER: a serial below its minimum. Nothing half done stays behind.
must_check bool build_cluster(struct cluster *cluster, const struct build_options *options, struct build_result *ret,
                              struct err *err);

#endif
