// SPDX-License-Identifier: MIT
// kiln fetch.
#include <stdlib.h>

#include "base/progress.h"
#include "verbs/cluster_packages.h"
#include "verbs/shared_cache.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"
#include "verbs/verb_common.h"

// `kiln cache --prune` keeps what the newest fetches needed.
static bool record_use(struct cluster_packages *all, struct err *err) {
        return cache_record(all->cache, "fetch", err, "%s-%s", all->cluster->name, all->cluster->release.name);
}

static bool select_packages(struct cluster_packages *all, struct err *err) {
        if (!all->lock)
                return cluster_packages_solve(all, err);
        return selection_obey(all->packages, all->cluster, all->roles, all->cluster->role_count, all->lock,
                              &all->selection, err);
}

static bool fetch_set(struct cluster_packages *all, struct package_set *set, struct err *err) {
        const char *export_to = all->options->export;
        if (!packages_fetch(all->packages, set, err) || !packages_keep_metadata(all->packages, err) ||
            !record_use(all, err))
                return false;
        return !export_to || packages_export(all->packages, set, export_to, err);
}

static bool fetch_cluster(struct cluster_packages *all, struct remote *remote, struct err *err) {
        if (!cluster_packages_load(all, err) || !options_read_lock(all->options, all->cluster, &all->lock, err))
                return false;
        bool only_locked = all->lock != NULL;
        if (!cluster_packages_open(all, only_locked, err))
                return false;
        cache_use_remote(all->cache, remote);
        if (!select_packages(all, err))
                return false;
        struct package_set set;
        selection_all(&all->selection, &set);
        bool ok = fetch_set(all, &set, err);
        if (ok && all->options->json)
                ok = answer_give(
                    json_pack("{sI ss*}", "packages", (json_int_t)set.count, "export", all->options->export), err);
        else if (ok)
                notice("%zu packages are in the cache", set.count);
        package_set_release(&set);
        return ok;
}

bool verb_fetch(const struct options *options, struct err *err) {
        struct cluster_packages all = { .options = options };
        struct shared_cache shared = { 0 };
        bool ok = shared_cache_open(options, &shared, err) && fetch_cluster(&all, shared.remote, err);
        int64_t wait_ms = 0;
        if (ok)
                wait_ms = UPLOAD_WAIT_MS;
        cluster_packages_release(&all);
        (void)shared_cache_close(&shared, wait_ms);
        return ok;
}
