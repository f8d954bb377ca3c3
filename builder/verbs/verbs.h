// SPDX-License-Identifier: MIT
// The verbs of main.c's table, each a thin reading of its options; the work is in build.h and the directories.
#ifndef KILN_VERBS_VERBS_H
#define KILN_VERBS_VERBS_H

#include "base/mem.h"
#include "base/version.h"
#include "selection/lock_file.h"
#include "verbs/options.h"

// What several verbs read from their options.
must_check bool verbs_load_cluster(const struct options *options, struct cluster **ret, struct err *err);
// --repo values as the NULL-terminated list that packages_open() takes.
const char *const *verbs_repositories(struct arena *arena, const struct options *options);
const char *verbs_cache_dir(struct arena *arena, const struct options *options);
// The lock file of --lock or beside the cluster file, if there is one; one that was named must exist.
must_check bool verbs_read_lock(const struct options *options, const struct cluster *cluster, struct lock_file **ret,
                                struct err *err);

unsigned verbs_jobs(void); // as many as there are processors
// What `kiln verify` will ask about a build, as text; heap.
char *verbs_origin(struct arena *arena, const struct options *options);

bool verb_build(const struct options *options, struct err *err);
bool verb_lock(const struct options *options, struct err *err);
bool verb_fetch(const struct options *options, struct err *err);
bool verb_cache(const struct options *options, struct err *err);
bool verb_verify(const struct options *options, struct err *err);
bool verb_check(const struct options *options, struct err *err);
bool verb_resolve(const struct options *options, struct err *err);
bool verb_boot(const struct options *options, struct err *err);
bool verb_schema(const struct options *options, struct err *err);

#endif
