// SPDX-License-Identifier: MIT
// What `kiln build` and `kiln plan` read from their options in the same way.
#ifndef KILN_VERBS_BUILD_REQUEST_H
#define KILN_VERBS_BUILD_REQUEST_H

#include "base/err.h"
#include "base/mem.h"
#include "build/build.h"
#include "profile/profile.h"
#include "selection/lock_file.h"
#include "verbs/options.h"

struct build_request {
        struct arena arena;
        struct cluster *cluster;
        struct signer *signer;
        struct secure_boot_key *secure_boot;
        struct lock_file *lock;
        struct build_options build; // without remote and origin
};

// The two steps, in this order, of a zeroed request. Release it whether they succeeded or not; it borrows from the
// options.
must_check bool build_request_load(struct build_request *request, const struct options *options, struct err *err);
must_check bool build_request_open(struct build_request *request, const struct options *options, struct err *err);
void build_request_release(struct build_request *request);

#endif
