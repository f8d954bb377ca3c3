// SPDX-License-Identifier: MIT
// kiln.yaml, the file beside a cluster file: what the command line would say each time, about the place where the
// cluster is built and not about the cluster, so no bit of an image depends on it. Its keys are options; what is said
// on the command line wins. Whoever runs kiln there trusts it as he trusts a Makefile: it says where kiln writes.
#ifndef KILN_PROFILE_DEFAULTS_H
#define KILN_PROFILE_DEFAULTS_H

#include "base/err.h"
#include "base/mem.h"
#include "profile/profile.h"

#define DEFAULTS_NAME "kiln.yaml"

// What the file says for one option: "out", "cache-limit", "repo".
struct default_value {
        const char *option, *value;
        struct place place;
        bool is_taken; // by whoever reads them: the command line said nothing of it
};

struct defaults {
        const char *path; // NULL: there is no file
        struct default_value *values;
        size_t count;
        const struct value *tree; // as it is written, with places
};

// Reads the kiln.yaml beside `cluster_path`, or in the working directory for NULL. Relative paths in it are as seen
// from its directory, and absolute in what is returned. Memory is the arena's. `options`: who wants to hear of mistakes
// one by one, or NULL. All mistakes are one error, as those of cluster_load().
must_check bool defaults_read(const char *cluster_path, struct arena *arena, const struct profile_options *options,
                              struct defaults *ret, struct err *err);

// The option that a key stands for: "cache_limit" is "cache-limit". On the arena.
const char *defaults_option_name(struct arena *arena, const char *key);
// Calls back for each key there may be.
void defaults_each_key(void (*each)(const char *key, void *context), void *context);

#endif
