// SPDX-License-Identifier: MIT
// kiln lock and kiln fetch.
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/locations.h"
#include "base/progress.h"
#include "cache/cache.h"
#include "selection/selection.h"
#include "verbs/verbs.h"

// What both verbs work on: every role of the cluster, whichever are built.
struct work {
        const struct options *options;
        struct arena arena;
        struct cluster *cluster;
        const struct role **roles;
        struct lock_file *lock; // the one that there is, or NULL
        struct packages *packages;
        struct selection selection;
        struct cache_use use;
};

static bool load(struct work *work, struct err *err) {
        if (!verbs_load_cluster(work->options, &work->cluster, err))
                return false;
        size_t count = work->cluster->role_count;
        work->roles = arena_alloc(&work->arena, (count + 1) * sizeof *work->roles);
        for (size_t i = 0; i < count; i++)
                work->roles[i] = &work->cluster->roles[i];
        return true;
}

static bool open_packages(struct work *work, bool pinned, struct err *err) {
        struct packages_options options = {
                .cache = verbs_cache_dir(&work->arena, work->options),
                .offline = work->options->offline,
                .replace = verbs_repositories(&work->arena, work->options),
                .place_of = selection_place_of,
                .place_context = work->cluster,
                .allow_downgrade = work->options->allow_downgrade,
                .pinned = pinned,
        };
        return (cache_use_begin(options.cache, &work->use, err) || wrap(err, "preparing the cache")) &&
               packages_open(&work->cluster->release, &options, &work->packages, err);
}

static void work_release(struct work *work) {
        selection_release(&work->selection);
        packages_close(work->packages);
        cache_use_end(&work->use);
        lock_file_free(work->lock);
        cluster_free(work->cluster);
        arena_release(&work->arena);
}

// ---- lock ----

static void tell_change(const struct locked_package *before, const struct locked_package *after) {
        if (before && after && strcmp(before->checksum, after->checksum) == 0)
                return;
        if (before)
                notice("- %s", before->nevra);
        if (after)
                notice("+ %s", after->nevra);
}

// Both are sorted by NEVRA.
static void tell_changes(const struct lock_file *before, const struct lock_file *after) {
        size_t i = 0, j = 0;
        while (i < before->count || j < after->count) {
                const struct locked_package *left = i < before->count ? &before->packages[i] : NULL;
                const struct locked_package *right = j < after->count ? &after->packages[j] : NULL;
                int order = !left ? 1 : !right ? -1 : strcmp(left->nevra, right->nevra);
                tell_change(order <= 0 ? left : NULL, order >= 0 ? right : NULL);
                i += order <= 0;
                j += order >= 0;
        }
}

// What is written must be readable again, or a build would stumble over it later.
static bool write_lock(struct work *work, const char *path, struct err *err) {
        struct lock_file lock, read_again;
        selection_lock(&work->selection, work->cluster, &lock);
        auto_free char *text = lock_file_format(&lock);
        lock_file_release(&lock);
        if (!lock_file_parse(path, text, strlen(text), &read_again, err))
                return fail(err, ERR_REFERENCE, 0, "a name here does not fit into a lock file: %s", err->text);
        if (work->lock)
                tell_changes(work->lock, &read_again);
        notice("%zu packages are locked", read_again.count);
        lock_file_release(&read_again);
        return fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err);
}

static bool choose(struct work *work, const struct strings *names, struct err *err) {
        const struct cluster *cluster = work->cluster;
        if (!work->lock || (work->options->update && !names->count))
                return selection_solve(work->packages, cluster, work->roles, cluster->role_count, &work->selection,
                                       err);
        return selection_update(work->packages, cluster, work->roles, cluster->role_count, work->lock, names,
                                &work->selection, err);
}

// `kiln lock --update PACKAGE CLUSTER.yaml` means what it seems to: the cluster file comes first.
static void put_cluster_first(const struct options *options) {
        for (size_t i = 1; i < options->argument_count && !strstr(options->arguments[0], ".yaml"); i++) {
                const char *argument = options->arguments[i];
                if (!strstr(argument, ".yaml"))
                        continue;
                memmove(options->arguments + 1, options->arguments, i * sizeof *options->arguments);
                options->arguments[0] = argument;
        }
}

static bool lock(struct work *work, struct err *err) {
        const struct options *options = work->options;
        if (options->update)
                put_cluster_first(options);
        const struct strings names = { options->arguments + 1, options->argument_count - 1 };
        if (names.count && !options->update)
                return fail(err, ERR_USAGE, 0, "kiln lock: %s: packages are named with --update", names.items[0]);
        if (!load(work, err))
                return false;
        const char *path = options->lock ? options->lock : lock_file_path(&work->arena, work->cluster);
        bool anew = options->update && !names.count;
        if (!lock_file_read(path, &work->lock, err) && !(anew && err->kind == ERR_SYNTAX))
                return false;
        err_release(err);
        if (names.count && !work->lock)
                return fail(err, ERR_REFERENCE, 0, "there is no lock file %s to update; `kiln lock` writes one", path);
        if (!open_packages(work, false, err) || !choose(work, &names, err) || !write_lock(work, path, err))
                return false;
        puts(path);
        return true;
}

bool verb_lock(const struct options *options, struct err *err) {
        struct work work = { .options = options };
        bool ok = lock(&work, err);
        work_release(&work);
        return ok;
}

// ---- fetch ----

static bool record(struct work *work, const struct package_set *all, struct err *err) {
        for (size_t i = 0; i < all->count; i++)
                cache_use_note(&work->use, "packages", "%s.rpm", all->items[i].checksum);
        packages_note_cache(work->packages, cache_use_note_entry, &work->use);
        return cache_use_record(&work->use, "fetch", err, "%s-%s", work->cluster->name, work->cluster->release.name);
}

static bool select_packages(struct work *work, struct err *err) {
        const struct cluster *cluster = work->cluster;
        return work->lock
                   ? selection_obey(work->packages, cluster, work->roles, cluster->role_count, work->lock,
                                    &work->selection, err)
                   : selection_solve(work->packages, cluster, work->roles, cluster->role_count, &work->selection, err);
}

static bool fetch(struct work *work, struct err *err) {
        const struct options *options = work->options;
        if (!load(work, err) || !verbs_read_lock(options, work->cluster, &work->lock, err) ||
            !open_packages(work, work->lock != NULL, err) || !select_packages(work, err))
                return false;
        struct package_set all;
        selection_all(&work->selection, &all);
        bool ok = packages_fetch(work->packages, &all, err) && packages_keep_metadata(work->packages, err) &&
                  record(work, &all, err) &&
                  (!options->export || packages_export(work->packages, &all, options->export, err));
        if (ok)
                notice("%zu packages are in the cache", all.count);
        free(all.items);
        return ok;
}

bool verb_fetch(const struct options *options, struct err *err) {
        struct work work = { .options = options };
        bool ok = fetch(&work, err);
        work_release(&work);
        return ok;
}
