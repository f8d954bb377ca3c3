// SPDX-License-Identifier: MIT
// What several verbs read from their options in the same way.
#ifndef KILN_VERBS_VERB_COMMON_H
#define KILN_VERBS_VERB_COMMON_H

#include <jansson.h>
#include <signal.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "profile/profile.h"
#include "selection/lock_file.h"
#include "verbs/options.h"

// The cluster of the first argument, checked, with --release, --set and --role applied.
// Shows cluster->warnings: of verbs that people look at before machines boot.
void show_warnings(const struct cluster *cluster);

// How the options have a cluster read.
struct profile_options options_profile(const struct options *options);
must_check bool options_load_cluster(const struct options *options, struct cluster **ret, struct err *err);
// --repo values as the NULL-terminated list that packages_open() takes.
// --allow-outside as absolute paths, NULL-terminated.
const char *const *options_outside(struct arena *arena, const struct options *options);
const char *const *options_repositories(struct arena *arena, const struct options *options);
const char *options_cache_dir(struct arena *arena, const struct options *options); // absolute
const char *options_out_dir(const struct options *options);                        // as written
// The path of a build, heap: `name` itself if that is a path that is there, or else an id of the output directory, or
// the beginning of one. NULL: what `current` of this cluster names.
must_check bool options_find_build(const struct options *options, const char *name, const char *cluster, char **ret,
                                   struct err *err);
// Where the lock file is or would be: as --lock says, or beside the cluster file.
const char *options_lock_path(struct arena *arena, const struct options *options, const struct cluster *cluster);
// The lock file, if there is one; NULL otherwise, which is an error only with --lock.
must_check bool options_read_lock(const struct options *options, const struct cluster *cluster, struct lock_file **ret,
                                  struct err *err);

// --wait: "90", "90s", "10m", "1h".
must_check bool options_read_duration(const char *text, int64_t *ret_s, struct err *err);

// Prints what a verb found out, of which machines wrote parts: `value` as one JSON text with `flags` of json_dumps(3),
// or else what `print` makes of it, as far as a terminal may show it. Fails if standard output does.
must_check bool print_answer(const json_t *value, bool as_json, size_t flags,
                             void (*print)(const json_t *value, struct buf *to), struct err *err);

// Processors that this process may use, as taskset(1) and containers may have limited them.
unsigned processor_count(void);

// All of standard output is written. Somebody who reads no further, as head(1) does, ends kiln without a word and with
// the status of what SIGPIPE ends; ERR_SYSTEM for all else, such as a full disk.
enum { OUTPUT_UNREAD_STATUS = 128 + SIGPIPE };
must_check bool output_finish(struct err *err);

#endif
