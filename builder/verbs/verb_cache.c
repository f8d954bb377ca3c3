// SPDX-License-Identifier: MIT
// kiln cache.
#include <unistd.h>

#include "cache/cache_prune.h"
#include "cache/cache_size.h"
#include "sandbox/sandbox.h"
#include "verbs/verb.h"
#include "verbs/verb_common.h"

enum { KEEP_DEFAULT = 3 };

// A plain user's layers hold files of his subordinate ids: only inside the build's user namespace can they be read and
// removed.
static bool reach_layers(struct err *err) { return geteuid() == 0 || sandbox_enter(err); }

static bool prune_or_print(const struct options *options, const char *cache, struct err *err) {
        if (options->keep.given && !options->prune)
                return fail(err, ERR_USAGE, 0, "--keep says how much --prune keeps: --prune is missing");
        if (!reach_layers(err))
                return false;
        if (options->prune && !cache_prune(cache, number_or(options->keep, KEEP_DEFAULT), err))
                return false;
        return cache_print(cache, err);
}

bool verb_cache(const struct options *options, struct err *err) {
        struct arena arena = { 0 };
        bool ok = prune_or_print(options, options_cache_dir(&arena, options), err);
        arena_release(&arena);
        return ok;
}
