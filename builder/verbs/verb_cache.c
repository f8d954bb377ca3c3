// SPDX-License-Identifier: MIT
// kiln cache.
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/progress.h"
#include "cache/cache_prune.h"
#include "cache/cache_push.h"
#include "cache/cache_size.h"
#include "cache_server/cache_server.h"
#include "sandbox/sandbox.h"
#include "verbs/shared_cache.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"
#include "verbs/verb_common.h"

enum { KEEP_DEFAULT = 3 };

// A plain user's layers hold files of his subordinate ids: only inside the build's user namespace can they be read and
// removed.
static bool reach_layers(struct err *err) { return geteuid() == 0 || sandbox_enter(err); }

static bool prune_cache(const struct options *options, const char *cache, struct err *err) {
        struct cache_total removed;
        if (!cache_prune(cache, number_or(options->keep, KEEP_DEFAULT), options->dry_run, &removed, err))
                return false;
        const char *what = "removed";
        if (options->dry_run)
                what = "would go";
        if (options->json)
                notice("%s: %zu entries, %.1f MB", what, removed.count, (double)removed.bytes / 1e6);
        else
                cache_print_total(what, &removed, "");
        return true;
}

static bool print_cache_json(const char *cache, struct err *err) {
        struct cache_totals totals;
        if (!cache_measure(cache, &totals, err))
                return false;
        json_t *kinds = json_object();
        for (int kind = 0; kind < CACHE_KIND_COUNT; kind++)
                (void)!json_object_set_new(kinds, cache_kinds[kind].name,
                                           json_pack("{sI sI}", "entries", (json_int_t)totals.kinds[kind].count,
                                                     "bytes", (json_int_t)totals.kinds[kind].bytes));
        return answer_give(json_pack("{ss sI sI so}", "path", cache, "entries", (json_int_t)totals.all.count, "bytes",
                                     (json_int_t)totals.all.bytes, "kinds", kinds),
                           err);
}

static bool prune_or_print(const struct options *options, const char *cache, struct err *err) {
        if (options->keep.given && !options->prune)
                return fail(err, ERR_USAGE, 0, "--keep says how much --prune keeps: --prune is missing");
        if (options->dry_run && !options->prune)
                return fail(err, ERR_USAGE, 0, "--dry-run is about --prune, which is missing");
        if (!reach_layers(err))
                return false;
        if (options->prune && !prune_cache(options, cache, err))
                return false;
        if (options->json)
                return print_cache_json(cache, err);
        return cache_print(cache, err);
}

static bool offer_all(const char *path, struct remote *remote, size_t *ret_changed, struct err *err) {
        struct cache *cache = NULL;
        if (!reach_layers(err) || !cache_open(path, &cache, err))
                return false;
        cache_use_remote(cache, remote);
        bool ok = cache_push(cache, KEEP_DEFAULT, ret_changed, err);
        cache_close(cache);
        return ok;
}

static bool push_cache(const struct options *options, const char *path, struct err *err) {
        struct shared_cache shared = { 0 };
        if (!options->remote || !options->remote_sign) {
                fail(err, ERR_USAGE, 0, "--push uploads the cache to a shared one");
                return hint(err, "say which, and whose it is: --remote URL --remote-sign KEY");
        }
        size_t changed = 0;
        bool ok = shared_cache_open(options, &shared, err) && offer_all(path, shared.remote, &changed, err);
        int64_t wait_ms = 0;
        if (ok)
                wait_ms = -1;
        bool is_all_there = shared_cache_close(&shared, wait_ms);
        if (ok && is_all_there && changed > 0)
                return fail(err, ERR_DIFFERENT, 0, "what was changed in %s since it was made is not uploaded", path);
        if (!ok || is_all_there)
                return ok;
        return interrupt_check(err) && fail(err, ERR_NETWORK, 0, "not all of %s is in the shared cache now", path);
}

static bool push_prune_or_print(const struct options *options, const char *cache, struct err *err) {
        if (options->push && options->prune)
                return fail(err, ERR_USAGE, 0, "--push and --prune are two runs");
        if (options->push)
                return push_cache(options, cache, err);
        return prune_or_print(options, cache, err);
}

// ---- serve ----

static bool refuse_of_cache(const char *option, struct err *err) {
        return fail(err, ERR_USAGE, 0, "--%s is about this machine's own cache, and `serve` serves another one",
                    option);
}

static bool serve_cache(const struct options *options, struct err *err) {
        if (strcmp(options->arguments[0], "serve") != 0) {
                fail(err, ERR_USAGE, 0, "kiln cache %s: `serve` is what there is", options->arguments[0]);
                return hint(err, "without it, kiln cache says what this machine's own cache holds");
        }
        if (options->prune || options->dry_run || options->keep.given)
                return refuse_of_cache("prune", err);
        if (options->push)
                return refuse_of_cache("push", err);
        if (options->json)
                return fail(err, ERR_USAGE, 0, "--json: kiln cache serve has no answer; its numbers are at /metrics");
        const struct cache_server_options serve = {
                .listen = options->listen,
                .dir = options->store_dir,
                .limit = options->limit,
                .token_file = options->token_file,
                .threads = processor_count(),
        };
        return cache_server_run(&serve, err);
}

static bool check_serve_is_missing(const struct options *options, struct err *err) {
        const struct {
                const char *name, *value;
        } given[] = { { "listen", options->listen },
                      { "dir", options->store_dir },
                      { "limit", options->limit },
                      { "token-file", options->token_file } };
        for (size_t i = 0; i < lengthof(given); i++)
                if (given[i].value) {
                        fail(err, ERR_USAGE, 0, "--%s is about kiln cache serve: `serve` is missing", given[i].name);
                        return hint(err, "--cache names this machine's own cache, --remote-token-file a token to send");
                }
        return true;
}

bool verb_cache(const struct options *options, struct err *err) {
        if (options->argument_count > 0)
                return serve_cache(options, err);
        if (!check_serve_is_missing(options, err))
                return false;
        struct arena arena = { 0 };
        bool ok = push_prune_or_print(options, options_cache_dir(&arena, options), err);
        arena_release(&arena);
        return ok;
}
