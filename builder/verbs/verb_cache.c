// SPDX-License-Identifier: MIT
// kiln cache.
#include <unistd.h>

#include "cache/cache.h"
#include "sandbox/sandbox.h"
#include "verbs/verbs.h"

enum { KEEP_DEFAULT = 3 };

// A plain user's layers hold files of his subordinate ids: only inside the build's user namespace can they be read and
// removed.
static bool reach_layers(struct err *err) { return geteuid() == 0 || sandbox_enter(err); }

bool verb_cache(const struct options *options, struct err *err) {
        struct arena arena = { 0 };
        const char *cache = verbs_cache_dir(&arena, options);
        bool ok = true;
        if (options->keep.given && !options->prune)
                ok = fail(err, ERR_USAGE, 0, "--keep says how much --prune keeps: --prune is missing");
        ok = ok && reach_layers(err);
        if (ok && options->prune)
                ok = cache_prune(cache, options->keep.given ? options->keep.value : KEEP_DEFAULT, err);
        ok = ok && cache_print(cache, err);
        arena_release(&arena);
        return ok;
}
