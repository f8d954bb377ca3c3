// SPDX-License-Identifier: MIT
// kiln verify.
#include <stdio.h>

#include "base/locations.h"
#include "base/mem.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"
#include "verbs/verb_common.h"
#include "verify/verify.h"

bool verb_verify(const struct options *options, struct err *err) {
        struct arena arena = { 0 };
        struct verify_options verify = {
                .build = options->arguments[0],
                .origin.release = options->release,
                .default_cache = locations_default_cache(&arena),
                .rebuild = !options->no_rebuild,
                .offline = options->offline,
                .key_file = options->key,
                .jobs = processor_count(),
        };
        // What is not given stays NULL, for what was noted beside the build to take its place.
        if (options->argument_count > 1)
                verify.origin.cluster = options->arguments[1];
        if (options->uki_stub)
                verify.origin.uki_stub = locations_absolute(&arena, options->uki_stub);
        if (options->cache)
                verify.origin.cache = options_cache_dir(&arena, options);
        if (options->repositories.count > 0)
                verify.origin.repositories = options_repositories(&arena, options);
        if (options->allow_outside.count > 0)
                verify.origin.allow_outside = options_outside(&arena, options);
        auto_free char *summary = NULL;
        bool ok = verify_build(&verify, &summary, err);
        if (ok && options->json)
                ok = answer_give(json_pack("{ss sb ss}", "path", options->arguments[0], "rebuilt", verify.rebuild,
                                           "summary", summary),
                                 err);
        else if (ok)
                puts(summary);
        arena_release(&arena);
        return ok;
}
