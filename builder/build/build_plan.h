// SPDX-License-Identifier: MIT
// What a build would do, said before it does: the same phases choose packages and compute keys, in a cache that is only
// looked into. Nothing below the cache or the output directory is written.
#ifndef KILN_BUILD_BUILD_PLAN_H
#define KILN_BUILD_BUILD_PLAN_H

#include <jansson.h>

#include "base/err.h"
#include "build/build.h"
#include "profile/profile.h"

// Makes a new object with the members of plan_members (verbs/verb_answer_schemas.c) but "format". `options->remote` is
// NULL: a remote is not asked. Errors: as build_cluster() has them, as far as a build would get without downloading
// packages.
must_check bool build_plan_make(struct cluster *cluster, const struct build_options *options, json_t **ret,
                                struct err *err);

#endif
