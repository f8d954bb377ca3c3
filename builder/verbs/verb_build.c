// SPDX-License-Identifier: MIT
// kiln build.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/locations.h"
#include "base/mem.h"
#include "base/progress.h"
#include "build/build.h"
#include "cache/cache_trim.h"
#include "release/build_list.h"
#include "report/build_report.h"
#include "verbs/build_request.h"
#include "verbs/shared_cache.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"
#include "verbs/verb_common.h"
#include "verify/verify.h"

enum { CACHE_LIMIT_GB = 30 };

// ---- what `kiln verify` will ask about the build ----

// A release's name stays a name; the path of a release file must hold from anywhere.
static const char *origin_release(struct arena *arena, const char *release) {
        bool is_path = release && (strchr(release, '/') || strstr(release, ".yaml"));
        if (!is_path)
                return release;
        return locations_absolute(arena, release);
}

// "NAME=PATH", where the path may be relative, with an absolute one; "NAME=URL" as it is.
static const char *origin_repository(struct arena *arena, const char *given) {
        const char *equals = strchr(given, '=');
        if (!equals || strstr(equals, "://"))
                return given;
        const char *path = equals + 1;
        return arena_printf(arena, "%.*s%s", (int)(path - given), given, locations_absolute(arena, path));
}

static char *origin_text(struct arena *arena, const struct options *options) {
        size_t count = options->repositories.count;
        const char **repositories = arena_alloc(arena, (count + 1) * sizeof *repositories);
        for (size_t i = 0; i < count; i++)
                repositories[i] = origin_repository(arena, options->repositories.items[i]);
        struct build_origin origin = {
                .cluster = locations_absolute(arena, options->arguments[0]),
                .cache = options_cache_dir(arena, options),
                .release = origin_release(arena, options->release),
                .repositories = repositories,
                .allow_outside = options_outside(arena, options),
        };
        if (options->uki_stub)
                origin.uki_stub = locations_absolute(arena, options->uki_stub);
        return build_origin_format(&origin);
}

// ---- the build ----

// What was built is published: a cache that stays too large is no failure.
static void trim_cache(const struct options *options, const char *cache) {
        auto_err err = { 0 };
        uint64_t limit_gb = number_or(options->cache_limit, CACHE_LIMIT_GB);
        if (!cache_trim(cache, limit_gb * 1000000000, &err))
                warning("trimming the cache %s: %s", cache, err.text);
}

// What was built is published: a page that cannot be written is no failure. One that is there tells of the run that
// made the build.
static void report_build(const struct build_options *build, const char *cluster, const struct build_result *result,
                         const json_t *notes) {
        struct build_list list = { 0 };
        const struct listed_build *listed = NULL;
        auto_err err = { 0 };
        auto_free char *id = xstrdup(strrchr(result->path, '/') + 1), *path = NULL;
        auto_free char *name = report_name(id);
        auto_free char *there = xasprintf("%.*s%s", (int)(strlen(result->path) - strlen(id)), result->path, name);
        auto_free char *manifest = xasprintf("%s/manifest.json", result->path);
        bool has_manifest = access(manifest, F_OK) == 0; // a part need not have it
        if (!has_manifest || (!result->is_new && access(there, F_OK) == 0))
                return;
        if (!result->is_new)
                notes = NULL;
        bool ok = build_list_read(build->out, cluster, &list, &err) &&
                  build_list_find(&list, result->path, &listed, &err) &&
                  report_keep(build->out, &list, listed, notes, &path, &err);
        build_list_release(&list);
        if (ok)
                notice("report: %s", path);
        else
                warning("the build has no report: %s", err.text);
}

static void tell_result(const struct build_result *result) {
        if (result->is_partial)
                notice("a part of the roles or artefacts, which `current` never names:");
        if (result->is_new)
                notice("published:");
        else
                notice("nothing has changed; the build is already there:");
}

static bool print_result(const struct options *options, const struct cluster *cluster,
                         const struct build_result *result, struct err *err) {
        const char *id = strrchr(result->path, '/') + 1;
        if (options->json)
                return answer_give(json_pack("{ss ss ss sb sb}", "path", result->path, "cluster", cluster->name,
                                             "build", id, "new", result->is_new, "partial", result->is_partial),
                                   err);
        puts(result->path);
        return true;
}

// The build may be there, and be told to nobody who listens.
static bool build_requested(const struct options *options, struct build_request *request, bool *ret_is_there,
                            struct err *err) {
        const struct build_options *build = &request->build;
        struct build_result result = { 0 };
        *ret_is_there = build_cluster(request->cluster, build, &result, err);
        json_t *notes = report_notes_end();
        if (*ret_is_there)
                report_build(build, request->cluster->name, &result, notes);
        json_decref(notes);
        if (!*ret_is_there)
                return false;
        tell_result(&result);
        bool ok = print_result(options, request->cluster, &result, err);
        fflush(stdout); // whoever reads it need not wait for uploads
        free(result.path);
        return ok;
}

static bool build_with_remote(const struct options *options, struct build_request *request, struct err *err) {
        auto_free char *origin = origin_text(&request->arena, options);
        struct shared_cache shared = { 0 };
        if (!shared_cache_open(options, &shared, err))
                return false;
        request->build.origin = origin;
        request->build.remote = shared.remote;
        bool is_there = false, ok = build_requested(options, request, &is_there, err);
        int64_t wait_ms = 0;
        if (is_there)
                wait_ms = UPLOAD_WAIT_MS;
        (void)shared_cache_close(&shared, wait_ms);
        if (is_there)
                trim_cache(options, request->build.cache); // which uploads keep from being trimmed
        return ok;
}

bool verb_build(const struct options *options, struct err *err) {
        struct build_request request = { 0 };
        if (options->dry_run)
                return verb_plan(options, err);
        bool ok = build_request_load(&request, options, err);
        if (ok) {
                report_notes_begin(options_out_dir(options), request.cluster->name);
                show_warnings(request.cluster);
        }
        ok = ok && build_request_open(&request, options, err) && build_with_remote(options, &request, err);
        build_request_release(&request);
        return ok;
}
