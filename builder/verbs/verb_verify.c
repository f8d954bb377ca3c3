// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/locations.h"
#include "base/mem.h"
#include "verbs/verbs.h"
#include "verify/verify.h"

// A release's name stays a name; the path of a release file must hold from anywhere.
static const char *release_of(struct arena *arena, const char *release) {
        bool is_path = release && (strchr(release, '/') || strstr(release, ".yaml"));
        return is_path ? locations_absolute(arena, release) : release;
}

// NAME=PATH, where the path may be relative.
static const char *const *repositories_of(struct arena *arena, const struct options *options) {
        const char *const *given = verbs_repositories(arena, options);
        const char **list = arena_alloc(arena, (options->repositories.count + 1) * sizeof *list);
        for (size_t i = 0; given[i]; i++) {
                const char *value = strchr(given[i], '=');
                list[i] = !value || strstr(value, "://") ? given[i]
                                                         : arena_printf(arena, "%.*s%s", (int)(value + 1 - given[i]),
                                                                        given[i], locations_absolute(arena, value + 1));
        }
        return list;
}

char *verbs_origin(struct arena *arena, const struct options *options) {
        struct build_origin origin = {
                .cluster = locations_absolute(arena, options->arguments[0]),
                .cache = verbs_cache_dir(arena, options),
                .release = release_of(arena, options->release),
                .repositories = repositories_of(arena, options),
        };
        return build_origin_format(&origin);
}

bool verb_verify(const struct options *options, struct err *err) {
        struct arena arena = { 0 };
        struct verify_options verify = {
                .build = options->arguments[0],
                .origin = {
                        .cluster = options->argument_count > 1 ? options->arguments[1] : NULL,
                        .cache = options->cache ? verbs_cache_dir(&arena, options) : NULL,
                        .release = options->release,
                        .repositories = options->repositories.count ? verbs_repositories(&arena, options) : NULL,
                },
                .default_cache = locations_default_cache(&arena),
                .rebuild = !options->no_rebuild,
                .offline = options->offline,
                .jobs = verbs_jobs(),
        };
        auto_free char *summary = NULL;
        bool ok = verify_build(&verify, &summary, err);
        if (ok)
                puts(summary);
        arena_release(&arena);
        return ok;
}
