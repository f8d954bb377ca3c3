// SPDX-License-Identifier: MIT
// Selections and lock files: obeying a lock, updating it, and writing a selection down as one.
#include <assert.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "base/progress.h"
#include "selection/lock_file.h"
#include "selection/selection.h"

// ---- obeying ----

// The locked packages that a role, @base or @bootloader takes.
static struct package_set set_of_lock(const struct lock_file *lock, const struct package *const *found,
                                      const char *user) {
        struct package_set set = { 0 };
        for (size_t i = 0; i < lock->count; i++)
                if (lock_file_takes(lock, i, user))
                        *array_append(&set.items, &set.count) = found[i];
        return set;
}

// ` without a, b and 3 more`: what of `set` is not in `other`. Nothing if there is no such package.
static void describe_missing(struct buf *text, const char *word, const struct package_set *set,
                             const struct package_set *other) {
        enum { NAMED_MAX = 10 };
        size_t count = 0;
        const char *separator = word;
        for (size_t i = 0; i < set->count; i++) {
                const char *nevra = set->items[i]->nevra;
                if (package_set_has(other, nevra) || ++count > NAMED_MAX)
                        continue;
                buf_printf(text, "%s %s", separator, nevra);
                separator = ",";
        }
        if (count > NAMED_MAX)
                buf_printf(text, " and %zu more", count - NAMED_MAX);
}

// A line "role slave is built without a, b; with c"; nothing if both sets are the same.
static void describe_difference(struct buf *text, const char *role, const struct package_set *locked,
                                const struct package_set *built) {
        auto_buf without = { 0 }, with = { 0 };
        describe_missing(&without, "without", locked, built);
        describe_missing(&with, "with", built, locked);
        if (without.size == 0 && with.size == 0)
                return;
        buf_printf(text, "\n  role %s is built ", role);
        buf_append_text(text, buf_text(&without));
        if (without.size > 0 && with.size > 0)
                buf_append_text(text, "; ");
        buf_append_text(text, buf_text(&with));
}

static bool has_every_role(const struct lock_file *lock, const struct cluster *cluster) {
        for (size_t i = 0; i < cluster->role_count; i++)
                if (!lock_file_has_role(lock, cluster->roles[i].name))
                        return false;
        return true;
}

// Whether release and profiles are those that were locked.
static bool is_made_for(const struct lock_file *lock, const struct cluster *cluster) {
        char release[LOCK_HEX_SIZE], profile[LOCK_HEX_SIZE];
        lock_hash_release(&cluster->release, release);
        lock_hash_profile(cluster, profile);
        return has_every_role(lock, cluster) && !strcmp(lock->release_hash, release) &&
               !strcmp(lock->profile_hash, profile);
}

static void tell_differences(const struct cluster *cluster, const struct lock_file *lock,
                             const struct package *const *found, const struct selection *selection) {
        auto_buf text = { 0 };
        for (size_t i = 0; i < selection->role_count; i++) {
                const char *role = selection->asked[i]->name;
                struct package_set locked = set_of_lock(lock, found, role);
                describe_difference(&text, role, &locked, &selection->roles[i]);
                package_set_release(&locked);
        }
        if (text.size == 0)
                return;
        const char *what = "was made for other profiles";
        if (is_made_for(lock, cluster))
                what = "was edited";
        warning("%s %s; its packages suffice, but `kiln lock` should note this:%s", lock->path, what, buf_text(&text));
}

static bool explain_misfit(const struct lock_file *lock, struct err *err) {
        if (err->kind != ERR_PACKAGE && err->kind != ERR_SOLVE)
                return false;
        err->kind = ERR_LOCK_FILE;
        wrap(err, "%s does not fit the profiles any more", lock->path);
        return hint(err, "`kiln lock` adds what is new and leaves the rest as it is");
}

// Solved anew, from the locked packages alone, each time: profiles change after a lock is made, and lines of a lock get
// lost in merges. It takes 7 ms for the article's four roles.
static bool solve_locked(struct packages *packages, const struct cluster *cluster, const struct role *const *roles,
                         size_t role_count, const struct lock_file *lock, const struct package *const *found,
                         struct selection *ret, struct err *err) {
        packages_limit(packages, LIMIT_SET, found, lock->count);
        bool ok = selection_solve(packages, cluster, roles, role_count, ret, err);
        packages_limit(packages, LIMIT_NONE, NULL, 0);
        if (!ok)
                return explain_misfit(lock, err);
        tell_differences(cluster, lock, found, ret);
        return true;
}

static bool is_lock_of(const struct cluster *cluster, const struct lock_file *lock, struct err *err) {
        if (!strcmp(lock->release, cluster->release.name) && !strcmp(lock->cluster, cluster->name))
                return true;
        fail(err, ERR_LOCK_FILE, 0, "%s locks cluster %s with release %s, not cluster %s with release %s", lock->path,
             lock->cluster, lock->release, cluster->name, cluster->release.name);
        return hint(err, "--lock FILE names another lock file");
}

static bool find_all_locked(struct packages *packages, const struct lock_file *lock, const struct package **ret,
                            struct err *err) {
        if (packages_find_locked(packages, lock->packages, lock->count, true, ret, err))
                return true;
        if (err->kind == ERR_LOCK_FILE || err->kind == ERR_CHECKSUM) {
                wrap(err, "%s", lock->path);
                hint(err, "`kiln lock --update` with the packages' names takes what there is now");
        }
        return false;
}

bool selection_obey(struct packages *packages, const struct cluster *cluster, const struct role *const *roles,
                    size_t role_count, const struct lock_file *lock, struct selection *ret, struct err *err) {
        assert(lock->path);
        if (!is_lock_of(cluster, lock, err))
                return false;
        auto_free const struct package **found = xcalloc(lock->count + 1, sizeof *found);
        return find_all_locked(packages, lock, found, err) &&
               solve_locked(packages, cluster, roles, role_count, lock, found, ret, err);
}

// ---- updating ----

static bool matches_any_pattern(const struct strings *patterns, const char *name) {
        for (size_t i = 0; i < patterns->count; i++)
                if (fnmatch(patterns->items[i], name, 0) == 0)
                        return true;
        return false;
}

static bool check_patterns(const struct lock_file *lock, const struct strings *patterns, struct err *err) {
        for (size_t i = 0; i < patterns->count; i++) {
                struct nearest nearest = { .wanted = patterns->items[i] };
                bool found = false;
                for (size_t j = 0; j < lock->count && !found; j++) {
                        found = fnmatch(patterns->items[i], lock->packages[j].name, 0) == 0;
                        nearest_offer(&nearest, lock->packages[j].name);
                }
                if (found)
                        continue;
                fail(err, ERR_PACKAGE, 0, "%s has no package named `%s`", lock->path, patterns->items[i]);
                if (nearest.best)
                        hint(err, "did you mean %s?", nearest.best);
                return false;
        }
        return true;
}

// The packages that a solver is held to, as packages_limit() takes them.
struct held_packages {
        const struct package **items;
        size_t count;
};

static void hold_package(struct held_packages *held, const struct package *package) {
        *array_append(&held->items, &held->count) = package;
}

static void hold_matching(struct held_packages *held, const struct package_set *set, const struct strings *names) {
        for (size_t i = 0; i < set->count; i++)
                if (matches_any_pattern(names, set->items[i]->name))
                        hold_package(held, set->items[i]);
}

// What the packages to update would be if nothing were locked: they are held to that.
static bool hold_targets(struct packages *packages, const struct cluster *cluster, const struct role *const *roles,
                         size_t role_count, const struct strings *names, struct held_packages *held, struct err *err) {
        struct selection fresh;
        if (!names->count)
                return true;
        if (!selection_solve(packages, cluster, roles, role_count, &fresh, err))
                return false;
        for (size_t i = 0; i < role_count; i++)
                hold_matching(held, &fresh.roles[i], names);
        hold_matching(held, &fresh.base, names);
        hold_matching(held, &fresh.bootloader, names);
        selection_release(&fresh);
        return true;
}

// Again, until no name had to be released: sets that were solved before a release may hold packages that later sets
// do not.
static bool solve_held(struct packages *packages, const struct cluster *cluster, const struct role *const *roles,
                       size_t role_count, struct selection *ret, struct err *err) {
        for (;;) {
                size_t released = packages_released(packages);
                if (!selection_solve(packages, cluster, roles, role_count, ret, err))
                        return false;
                if (packages_released(packages) == released)
                        return true;
                selection_release(ret);
        }
}

static bool solve_update(struct packages *packages, const struct cluster *cluster, const struct role *const *roles,
                         size_t role_count, const struct lock_file *lock, const struct strings *names,
                         struct held_packages *held, struct selection *ret, struct err *err) {
        auto_free const struct package **found = xcalloc(lock->count + 1, sizeof *found);
        if (!packages_find_locked(packages, lock->packages, lock->count, false, found, err) ||
            !hold_targets(packages, cluster, roles, role_count, names, held, err))
                return false;
        for (size_t i = 0; i < lock->count; i++)
                if (found[i] && !matches_any_pattern(names, lock->packages[i].name))
                        hold_package(held, found[i]);
        packages_limit(packages, LIMIT_NAMES, held->items, held->count);
        bool ok = solve_held(packages, cluster, roles, role_count, ret, err);
        packages_limit(packages, LIMIT_NONE, NULL, 0);
        return ok;
}

bool selection_update(struct packages *packages, const struct cluster *cluster, const struct role *const *roles,
                      size_t role_count, const struct lock_file *lock, const struct strings *names,
                      struct selection *ret, struct err *err) {
        if (!is_lock_of(cluster, lock, err) || !check_patterns(lock, names, err))
                return false;
        struct held_packages held = { 0 };
        bool ok = solve_update(packages, cluster, roles, role_count, lock, names, &held, ret, err);
        free(held.items);
        return ok;
}

// ---- writing down ----

// A package of the lock, and who takes it.
struct lock_entry {
        const struct package *package;
        struct strings users;
};

struct lock_entries {
        struct lock_entry *items; // one for each package and user, until they are joined
        size_t count;
};

static int compare_locked(const struct package *a, const struct package *b) {
        int order = strcmp(a->nevra, b->nevra);
        if (order == 0)
                order = strcmp(a->repository->name, b->repository->name);
        if (order == 0)
                order = strcmp(a->checksum, b->checksum);
        return order;
}

static int compare_lock_entries(const void *left, const void *right) {
        const struct lock_entry *a = left, *b = right;
        int order = compare_locked(a->package, b->package);
        if (order == 0)
                order = strcmp(a->users.items[0], b->users.items[0]);
        return order;
}

static int compare_users(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void sort_users(struct strings *users) {
        if (users->count > 0)
                qsort(users->items, users->count, sizeof *users->items, compare_users);
}

static void add_entries(struct lock_entries *entries, const struct package_set *set, const char *user) {
        for (size_t i = 0; i < set->count; i++) {
                struct lock_entry *entry = array_append(&entries->items, &entries->count);
                entry->package = set->items[i];
                *array_append(&entry->users.items, &entry->users.count) = user;
        }
}

static void add_entry_user(struct lock_entry *entry, const char *user) {
        const struct strings *users = &entry->users;
        if (strcmp(users->items[users->count - 1], user) != 0) // they come sorted
                *array_append(&entry->users.items, &entry->users.count) = user;
}

// Sorts the entries and makes one of all that have the same package.
static void join_entries(struct lock_entries *entries) {
        size_t joined = 0;
        if (entries->count > 0)
                qsort(entries->items, entries->count, sizeof *entries->items, compare_lock_entries);
        for (size_t i = 0; i < entries->count; i++) {
                struct lock_entry *entry = &entries->items[i];
                if (joined > 0 && compare_locked(entries->items[joined - 1].package, entry->package) == 0) {
                        add_entry_user(&entries->items[joined - 1], entry->users.items[0]);
                        free(entry->users.items);
                } else {
                        entries->items[joined++] = *entry;
                }
        }
        entries->count = joined;
}

static bool is_role_user(const char *user) { return user[0] != '@'; }

// "@all" instead of the names of all roles.
static void shorten_users(struct strings *users, size_t role_count) {
        size_t roles = 0, kept = 0;
        for (size_t i = 0; i < users->count; i++)
                if (is_role_user(users->items[i]))
                        roles++;
        if (roles == role_count) {
                for (size_t i = 0; i < users->count; i++)
                        if (!is_role_user(users->items[i]))
                                users->items[kept++] = users->items[i];
                users->items[kept++] = LOCK_ALL;
                users->count = kept;
        }
        sort_users(users);
}

// The entries' lists of users become the lock's.
static void lock_entries_write(struct lock_file *lock, const struct lock_entries *entries) {
        lock->packages = xcalloc(entries->count + 1, sizeof *lock->packages);
        lock->users = xcalloc(entries->count + 1, sizeof *lock->users);
        lock->count = entries->count;
        for (size_t i = 0; i < entries->count; i++) {
                const struct package *package = entries->items[i].package;
                shorten_users(&entries->items[i].users, lock->roles.count);
                lock->users[i] = entries->items[i].users;
                lock->packages[i] = (struct locked_package){
                        .name = package->name,
                        .nevra = package->nevra,
                        .repository = package->repository->name,
                        .checksum_type = package->checksum_type,
                        .checksum = package->checksum,
                        .size_bytes = package->size_bytes,
                };
        }
}

void selection_lock(const struct selection *selection, const struct cluster *cluster, struct lock_file *ret) {
        struct lock_file lock = { .cluster = cluster->name, .release = cluster->release.name };
        char hex[LOCK_HEX_SIZE];
        lock_hash_release(&cluster->release, hex);
        lock.release_hash = arena_strdup(&lock.arena, hex);
        lock_hash_profile(cluster, hex);
        lock.profile_hash = arena_strdup(&lock.arena, hex);
        struct lock_entries entries = { 0 };
        for (size_t i = 0; i < selection->role_count; i++) {
                const char *role = selection->asked[i]->name;
                *array_append(&lock.roles.items, &lock.roles.count) = role;
                add_entries(&entries, &selection->roles[i], role);
        }
        sort_users(&lock.roles);
        add_entries(&entries, &selection->base, LOCK_BASE);
        add_entries(&entries, &selection->bootloader, LOCK_BOOTLOADER);
        join_entries(&entries);
        lock_entries_write(&lock, &entries);
        free(entries.items);
        *ret = lock;
}
