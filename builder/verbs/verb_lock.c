// SPDX-License-Identifier: MIT
// kiln lock.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/progress.h"
#include "verbs/cluster_packages.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"
#include "verbs/verb_common.h"

// ---- what has changed ----

struct lock_changes {
        json_t *added, *removed; // NEVRAs, for --json
};

static void tell_removed(struct lock_changes *changes, const struct locked_package *package) {
        notice("- %s", package->nevra);
        (void)!json_array_append_new(changes->removed, json_string(package->nevra));
}

static void tell_added(struct lock_changes *changes, const struct locked_package *package) {
        notice("+ %s", package->nevra);
        (void)!json_array_append_new(changes->added, json_string(package->nevra));
}

// The same NEVRA with other bytes is a change too.
static void tell_rebuilt(struct lock_changes *changes, const struct locked_package *before,
                         const struct locked_package *after) {
        if (strcmp(before->checksum, after->checksum) == 0)
                return;
        tell_removed(changes, before);
        tell_added(changes, after);
}

// Both are sorted by NEVRA.
static void tell_changes(struct lock_changes *changes, const struct lock_file *before, const struct lock_file *after) {
        size_t i = 0, j = 0;
        while (i < before->count && j < after->count) {
                const struct locked_package *old = &before->packages[i], *new = &after->packages[j];
                int order = strcmp(old->nevra, new->nevra);
                if (order < 0) {
                        tell_removed(changes, old);
                        i++;
                } else if (order > 0) {
                        tell_added(changes, new);
                        j++;
                } else {
                        tell_rebuilt(changes, old, new);
                        i++;
                        j++;
                }
        }
        for (; i < before->count; i++)
                tell_removed(changes, &before->packages[i]);
        for (; j < after->count; j++)
                tell_added(changes, &after->packages[j]);
}

// ---- the lock file ----

static bool print_locked(const struct options *options, const char *path, size_t count, struct lock_changes *changes,
                         struct err *err) {
        if (options->json)
                return answer_give(json_pack("{ss sI sO sO}", "path", path, "packages", (json_int_t)count, "added",
                                             changes->added, "removed", changes->removed),
                                   err);
        puts(path);
        return true;
}

// What is written must be readable again, or a build would stumble over it later.
static bool write_lock(struct cluster_packages *all, const char *path, struct err *err) {
        struct lock_file lock, read_again;
        selection_lock(&all->selection, all->cluster, &lock);
        auto_free char *text = lock_file_format(&lock);
        lock_file_release(&lock);
        if (!lock_file_parse(path, text, strlen(text), &read_again, err))
                return fail(err, ERR_REFERENCE, 0, "a name here does not fit into a lock file: %s", err->text);
        struct lock_changes changes = { json_array(), json_array() };
        if (all->lock)
                tell_changes(&changes, all->lock, &read_again);
        bool is_dry = all->options->dry_run;
        if (is_dry)
                notice("%zu packages would be locked", read_again.count);
        else
                notice("%zu packages are locked", read_again.count);
        bool ok = (is_dry || fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err)) &&
                  print_locked(all->options, path, read_again.count, &changes, err);
        lock_file_release(&read_again);
        json_decref(changes.added);
        json_decref(changes.removed);
        return ok;
}

static bool choose_packages(struct cluster_packages *all, const struct strings *names, struct err *err) {
        bool all_newest = all->options->update && names->count == 0;
        if (!all->lock || all_newest)
                return cluster_packages_solve(all, err);
        return selection_update(all->packages, all->cluster, all->roles, all->cluster->role_count, all->lock, names,
                                &all->selection, err);
}

// A lock file that cannot be read may be replaced, but only by one that takes nothing from it.
static bool read_earlier_lock(struct cluster_packages *all, const char *path, const struct strings *names,
                              struct err *err) {
        bool all_newest = all->options->update && names->count == 0;
        if (!lock_file_read(path, &all->lock, err) && !(all_newest && err->kind == ERR_SYNTAX))
                return false;
        err_release(err);
        if (names->count > 0 && !all->lock)
                return fail(err, ERR_REFERENCE, 0, "there is no lock file %s to update; `kiln lock` writes one", path);
        return true;
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

static bool lock_cluster(struct cluster_packages *all, struct err *err) {
        const struct options *options = all->options;
        if (options->update)
                put_cluster_first(options);
        const struct strings names = { options->arguments + 1, options->argument_count - 1 };
        if (names.count > 0 && !options->update)
                return fail(err, ERR_USAGE, 0, "kiln lock: %s: packages are named with --update", names.items[0]);
        if (!cluster_packages_load(all, err))
                return false;
        const char *path = options_lock_path(&all->arena, options, all->cluster);
        return read_earlier_lock(all, path, &names, err) && cluster_packages_open(all, false, err) &&
               choose_packages(all, &names, err) && write_lock(all, path, err);
}

bool verb_lock(const struct options *options, struct err *err) {
        struct cluster_packages all = { .options = options };
        bool ok = lock_cluster(&all, err);
        cluster_packages_release(&all);
        return ok;
}
