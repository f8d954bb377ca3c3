// SPDX-License-Identifier: MIT
// What a verb is, and the one table of them: usage, --help, the man page, completion and main() read it. A new verb is
// a file verb_NAME.c, a line here, a line of the table, and a page builder/manual/kiln-NAME.1.md.
#ifndef KILN_VERBS_VERB_H
#define KILN_VERBS_VERB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct options;

struct verb {
        const char *name, *arguments, *summary;
        char letter; // the column of the option table
        size_t least_arguments, most_arguments;
        bool (*run)(const struct options *options, struct err *err);
        const char *(*arguments_of)(const char *sub_verb); // those behind the first, or NULL; NULL: as `arguments` says
};

// The cluster file where a verb can do without the name of one.
#define USUAL_CLUSTER "profiles/cluster.yaml"

extern const struct verb verb_table[];
extern const size_t verb_table_count;

const struct verb *verb_find(const char *name); // NULL: there is none

// Each a thin reading of its options; the work is done in the directories.
bool verb_boot(const struct options *options, struct err *err);
bool verb_builds(const struct options *options, struct err *err);
bool verb_build(const struct options *options, struct err *err);
bool verb_cache(const struct options *options, struct err *err);
bool verb_check(const struct options *options, struct err *err);
bool verb_diff(const struct options *options, struct err *err);
bool verb_fetch(const struct options *options, struct err *err);
bool verb_init(const struct options *options, struct err *err);
bool verb_iso(const struct options *options, struct err *err);
bool verb_lock(const struct options *options, struct err *err);
bool verb_plan(const struct options *options, struct err *err);
bool verb_publish(const struct options *options, struct err *err);
bool verb_pull(const struct options *options, struct err *err);
bool verb_push(const struct options *options, struct err *err);
bool verb_rack(const struct options *options, struct err *err);
bool verb_resolve(const struct options *options, struct err *err);
bool verb_rollout(const struct options *options, struct err *err);
bool verb_secret(const struct options *options, struct err *err);
bool verb_schema(const struct options *options, struct err *err);
bool verb_serve(const struct options *options, struct err *err);
bool verb_shell(const struct options *options, struct err *err);
bool verb_show(const struct options *options, struct err *err);
bool verb_status(const struct options *options, struct err *err);
bool verb_verify(const struct options *options, struct err *err);
bool verb_write(const struct options *options, struct err *err);

const char *verb_rack_arguments(const char *sub_verb);
const char *verb_secret_arguments(const char *sub_verb);

#endif
