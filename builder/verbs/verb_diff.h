// SPDX-License-Identifier: MIT
// The two halves of kiln diff.
#ifndef KILN_VERBS_VERB_DIFF_H
#define KILN_VERBS_VERB_DIFF_H

#include "release/build_list.h"
#include "verbs/options.h"

// Prints what becomes of the machines that run when the build at `path` is what they boot. `*ret_same`: of none
// anything.
must_check bool diff_running(const struct options *options, const struct build_list *list, const char *path,
                             bool *ret_same, struct err *err);

#endif
