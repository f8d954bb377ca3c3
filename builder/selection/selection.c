// SPDX-License-Identifier: MIT
#include "selection/selection.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mistake.h"
#include "base/progress.h"

static void strings_add(struct strings *list, const char *text) {
        if (!strings_have(list, text))
                *array_append(&list->items, &list->count) = text;
}

static bool set_has(const struct package_set *set, const char *nevra) {
        for (size_t i = 0; i < set->count; i++)
                if (!strcmp(set->items[i].nevra, nevra))
                        return true;
        return false;
}

bool package_set_holds(const struct package_set *set, const struct package_set *part) {
        for (size_t i = 0; i < part->count; i++)
                if (!set_has(set, part->items[i].nevra))
                        return false;
        return true;
}

// ---- requests ----

static void request_kernel(const struct cluster *cluster, struct strings *ret) {
        if (*cluster->release.kernel_package)
                strings_add(ret, cluster->release.kernel_package);
}

static void role_requests(const struct cluster *cluster, const struct role *role, struct strings *ret) {
        for (size_t i = 0; i < role->packages.count; i++)
                strings_add(ret, role->packages.items[i]);
        request_kernel(cluster, ret);
}

// What every role of the cluster asks for, whichever of them are built now, so that the base layer stays the same.
static void common_requests(const struct cluster *cluster, struct strings *ret) {
        const struct role *first = &cluster->roles[0];
        for (size_t i = 0; i < first->packages.count; i++) {
                bool common = true;
                for (size_t j = 1; j < cluster->role_count; j++)
                        common = common && strings_have(&cluster->roles[j].packages, first->packages.items[i]);
                if (common)
                        strings_add(ret, first->packages.items[i]);
        }
        request_kernel(cluster, ret);
}

char *selection_place_of(const void *context, const char *request) {
        const struct cluster *cluster = context;
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct place *place = role_place(&cluster->roles[i], request);
                if (place && place->file)
                        return xasprintf("%s:%d:%d", place->file, place->line, place->column);
        }
        return cluster->release.path ? xstrdup(cluster->release.path) : NULL;
}

// ---- solving ----

// A request that nothing answers has its place already; what cannot be installed together needs to say where.
static bool wrap_solve(struct err *err, const char *what, const char *name) {
        return err->kind == ERR_SOLVE ? wrap(err, "%s%s", what, name) : false;
}

static bool solve_base(struct packages *packages, const struct cluster *cluster, struct package_set *ret,
                       struct err *err) {
        struct strings requests = { 0 };
        common_requests(cluster, &requests);
        bool ok = packages_solve(packages, requests.items, requests.count, ret, err) ||
                  wrap_solve(err, "packages that all roles share", "");
        free(requests.items);
        return ok;
}

static bool solve_role(struct packages *packages, const struct cluster *cluster, const struct role *role,
                       struct package_set *ret, struct err *err) {
        struct strings requests = { 0 };
        role_requests(cluster, role, &requests);
        bool ok = packages_solve(packages, requests.items, requests.count, ret, err) ||
                  wrap_solve(err, "packages of role ", role->name);
        free(requests.items);
        return ok;
}

// Boot loader packages are taken for their files: what they require is of no use here.
static bool solve_bootloader(struct packages *packages, const struct cluster *cluster, struct package_set *ret,
                             struct err *err) {
        const struct strings *wanted = &cluster->release.bootloader.packages;
        struct package_set all;
        if (!wanted->count)
                return true;
        if (!packages_solve(packages, wanted->items, wanted->count, &all, err))
                return wrap_solve(err, "boot loader packages of release ", cluster->release.name);
        for (size_t i = 0; i < all.count; i++)
                if (strings_have(wanted, all.items[i].name))
                        *array_append(&ret->items, &ret->count) = all.items[i];
        return true;
}

static void begin(struct selection *selection, const struct role *const *roles, size_t role_count) {
        *selection = (struct selection){ .role_count = role_count, .asked = roles };
        selection->roles = xcalloc(role_count + 1, sizeof *selection->roles);
}

bool selection_solve(struct packages *packages, const struct cluster *cluster, const struct role *const *roles,
                     size_t role_count, struct selection *ret, struct err *err) {
        struct selection selection;
        begin(&selection, roles, role_count);
        bool ok = solve_base(packages, cluster, &selection.base, err);
        for (size_t i = 0; ok && i < role_count; i++)
                ok = solve_role(packages, cluster, roles[i], &selection.roles[i], err);
        if (!ok || !solve_bootloader(packages, cluster, &selection.bootloader, err)) {
                selection_release(&selection);
                return false;
        }
        *ret = selection;
        return true;
}

// ---- obeying ----

// The locked packages that a role, @base or @bootloader takes, as a set on the heap.
static struct package_set take(const struct lock_file *lock, const struct package *found, const char *user) {
        struct package_set set = { 0 };
        for (size_t i = 0; i < lock->count; i++)
                if (lock_file_takes(lock, i, user))
                        *array_append(&set.items, &set.count) = found[i];
        return set;
}

// "role slave: without a, b; with c"; empty if both are the same.
static void describe_difference(struct buf *text, const char *who, const struct package_set *before,
                                const struct package_set *after) {
        enum { NAMED_MAX = 10 };
        const struct package_set *sides[] = { before, after };
        static const char *const words[] = { "without", "with" };
        bool begun = false;
        for (size_t side = 0; side < lengthof(sides); side++) {
                size_t count = 0;
                for (size_t i = 0; i < sides[side]->count; i++) {
                        const char *nevra = sides[side]->items[i].nevra;
                        if (set_has(sides[!side], nevra) || ++count > NAMED_MAX)
                                continue;
                        if (count == 1)
                                buf_printf(text, "%s%s%s ", begun ? "; " : "\n  ", begun ? "" : who, words[side]);
                        buf_printf(text, "%s%s", count > 1 ? ", " : "", nevra);
                        begun = true;
                }
                if (count > NAMED_MAX)
                        buf_printf(text, " and %zu more", count - NAMED_MAX);
        }
}

static bool is_made_for(const struct lock_file *lock, const struct cluster *cluster) {
        for (size_t i = 0; i < cluster->role_count; i++)
                if (!strings_have(&lock->roles, cluster->roles[i].name))
                        return false;
        char release[LOCK_HEX_SIZE], profile[LOCK_HEX_SIZE];
        lock_hash_release(&cluster->release, release);
        lock_hash_profile(cluster, profile);
        return !strcmp(lock->release_hash, release) && !strcmp(lock->profile_hash, profile);
}

static void tell_differences(const struct cluster *cluster, const struct lock_file *lock, const struct package *found,
                             const struct selection *selection) {
        auto_buf text = { 0 };
        for (size_t i = 0; i < selection->role_count; i++) {
                struct package_set locked = take(lock, found, selection->asked[i]->name);
                auto_free char *who = xasprintf("role %s is built ", selection->asked[i]->name);
                describe_difference(&text, who, &locked, &selection->roles[i]);
                free(locked.items);
        }
        if (text.size)
                warning("%s %s; its packages suffice, but `kiln lock` should note this:%s", lock->path,
                        is_made_for(lock, cluster) ? "was edited" : "was made for other profiles", buf_text(&text));
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
static bool solve_locked(struct packages *packages, const struct cluster *cluster, const struct lock_file *lock,
                         const struct package *found, struct selection *ret, struct err *err) {
        const struct role *const *roles = ret->asked;
        size_t role_count = ret->role_count;
        packages_limit(packages, LIMIT_SET, found, lock->count);
        bool ok = selection_solve(packages, cluster, roles, role_count, ret, err);
        packages_limit(packages, LIMIT_NONE, NULL, 0);
        if (!ok)
                return explain_misfit(lock, err);
        tell_differences(cluster, lock, found, ret);
        return true;
}

static bool check_head(const struct cluster *cluster, const struct lock_file *lock, struct err *err) {
        if (!strcmp(lock->release, cluster->release.name) && !strcmp(lock->cluster, cluster->name))
                return true;
        fail(err, ERR_LOCK_FILE, 0, "%s locks cluster %s with release %s, not cluster %s with release %s", lock->path,
             lock->cluster, lock->release, cluster->name, cluster->release.name);
        return hint(err, "--lock FILE names another lock file");
}

bool selection_obey(struct packages *packages, const struct cluster *cluster, const struct role *const *roles,
                    size_t role_count, const struct lock_file *lock, struct selection *ret, struct err *err) {
        if (!check_head(cluster, lock, err))
                return false;
        struct selection selection;
        struct package *found = xcalloc(lock->count + 1, sizeof *found);
        bool ok = packages_find(packages, lock->packages, lock->count, true, found, err);
        if (!ok && (err->kind == ERR_LOCK_FILE || err->kind == ERR_CHECKSUM)) {
                wrap(err, "%s", lock->path);
                hint(err, "`kiln lock --update` with the packages' names takes what there is now");
        }
        begin(&selection, roles, role_count);
        free(take_ptr(selection.roles)); // the solver makes its own
        ok = ok && solve_locked(packages, cluster, lock, found, &selection, err);
        free(found);
        if (!ok) {
                selection_release(&selection);
                return false;
        }
        *ret = selection;
        return true;
}

// ---- updating ----

static bool matches_any(const struct strings *patterns, const char *name) {
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
                return nearest.best ? hint(err, "did you mean %s?", nearest.best) : false;
        }
        return true;
}

struct held {
        struct package *items;
        size_t count;
};

static void hold(struct held *held, const struct package *package) {
        if (package->nevra)
                *array_append(&held->items, &held->count) = *package;
}

static void hold_matching(struct held *held, const struct package_set *set, const struct strings *names) {
        for (size_t i = 0; i < set->count; i++)
                if (matches_any(names, set->items[i].name))
                        hold(held, &set->items[i]);
}

// What the packages to update would be if nothing were locked: they are held to that.
static bool hold_targets(struct packages *packages, const struct cluster *cluster, const struct role *const *roles,
                         size_t role_count, const struct strings *names, struct held *held, struct err *err) {
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

// Again and again, until no name had to be let go: earlier answers must not be out of step with later ones.
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

bool selection_update(struct packages *packages, const struct cluster *cluster, const struct role *const *roles,
                      size_t role_count, const struct lock_file *lock, const struct strings *names,
                      struct selection *ret, struct err *err) {
        struct held held = { 0 };
        struct package *found = xcalloc(lock->count + 1, sizeof *found);
        bool ok = check_head(cluster, lock, err) && check_patterns(lock, names, err) &&
                  packages_find(packages, lock->packages, lock->count, false, found, err) &&
                  hold_targets(packages, cluster, roles, role_count, names, &held, err);
        for (size_t i = 0; ok && i < lock->count; i++)
                if (!matches_any(names, lock->packages[i].name))
                        hold(&held, &found[i]);
        if (ok) {
                packages_limit(packages, LIMIT_NAMES, held.items, held.count);
                ok = solve_held(packages, cluster, roles, role_count, ret, err);
                packages_limit(packages, LIMIT_NONE, NULL, 0);
        }
        free(found);
        free(held.items);
        return ok;
}

// ---- writing down ----

struct entry {
        const struct package *package;
        struct strings users;
};

static int compare_packages(const struct package *a, const struct package *b) {
        int order = strcmp(a->nevra, b->nevra);
        order = order ? order : strcmp(a->repository->name, b->repository->name);
        return order ? order : strcmp(a->checksum, b->checksum);
}

static int by_package(const void *left, const void *right) {
        return compare_packages(((const struct entry *)left)->package, ((const struct entry *)right)->package);
}

static int by_text(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

struct entries {
        struct entry *items; // one a package and user, until they are joined
        size_t count;
};

static void enter(struct entries *entries, const struct package_set *set, const char *user) {
        for (size_t i = 0; i < set->count; i++) {
                struct entry *entry = array_append(&entries->items, &entries->count);
                entry->package = &set->items[i];
                *array_append(&entry->users.items, &entry->users.count) = user;
        }
}

static void join(struct entries *entries) {
        size_t kept = 0;
        for (size_t i = 0; i < entries->count; i++) {
                struct entry *entry = &entries->items[i];
                struct entry *last = kept ? &entries->items[kept - 1] : NULL;
                if (last && compare_packages(last->package, entry->package) == 0) {
                        strings_add(&last->users, entry->users.items[0]);
                        free(entry->users.items);
                } else {
                        entries->items[kept++] = *entry;
                }
        }
        entries->count = kept;
}

// "@all" instead of the names of all roles.
static void shorten(struct strings *users, size_t role_count) {
        size_t roles = 0, kept = 0;
        for (size_t i = 0; i < users->count; i++)
                roles += users->items[i][0] != '@';
        if (roles == role_count) {
                for (size_t i = 0; i < users->count; i++)
                        if (users->items[i][0] == '@')
                                users->items[kept++] = users->items[i];
                users->items[kept++] = LOCK_ALL;
                users->count = kept;
        }
        qsort(users->items, users->count, sizeof *users->items, by_text);
}

static void fill(struct lock_file *lock, struct entries *entries) {
        lock->packages = xcalloc(entries->count + 1, sizeof *lock->packages);
        lock->users = xcalloc(entries->count + 1, sizeof *lock->users);
        lock->count = entries->count;
        for (size_t i = 0; i < entries->count; i++) {
                const struct package *package = entries->items[i].package;
                shorten(&entries->items[i].users, lock->roles.count);
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
        struct entries entries = { 0 };
        for (size_t i = 0; i < selection->role_count; i++) {
                strings_add(&lock.roles, selection->asked[i]->name);
                enter(&entries, &selection->roles[i], selection->asked[i]->name);
        }
        if (lock.roles.count)
                qsort(lock.roles.items, lock.roles.count, sizeof *lock.roles.items, by_text);
        enter(&entries, &selection->base, LOCK_BASE);
        enter(&entries, &selection->bootloader, LOCK_BOOTLOADER);
        if (entries.count)
                qsort(entries.items, entries.count, sizeof *entries.items, by_package);
        join(&entries);
        fill(&lock, &entries);
        free(entries.items);
        *ret = lock;
}

static int by_identity(const void *left, const void *right) {
        const struct package *a = left, *b = right;
        int order = strcmp(a->nevra, b->nevra);
        return order ? order : strcmp(a->checksum, b->checksum);
}

static void add_set(struct package_set *to, const struct package_set *from) {
        for (size_t i = 0; i < from->count; i++)
                *array_append(&to->items, &to->count) = from->items[i];
}

void selection_all(const struct selection *selection, struct package_set *ret_set) {
        struct package_set all = { 0 };
        size_t count = 0;
        add_set(&all, &selection->base);
        add_set(&all, &selection->bootloader);
        for (size_t i = 0; i < selection->role_count; i++)
                add_set(&all, &selection->roles[i]);
        if (all.count)
                qsort(all.items, all.count, sizeof *all.items, by_identity);
        for (size_t i = 0; i < all.count; i++)
                if (count == 0 || by_identity(&all.items[count - 1], &all.items[i]) != 0)
                        all.items[count++] = all.items[i];
        all.count = count;
        *ret_set = all;
}

static void learn_paths(struct package_set *set, const struct package_set *fetched) {
        for (size_t i = 0; i < set->count; i++) {
                const struct package *found =
                    bsearch(&set->items[i], fetched->items, fetched->count, sizeof *fetched->items, by_identity);
                set->items[i].path = found->path; // each set is part of what was fetched
        }
}

bool selection_fetch(struct selection *selection, struct packages *packages, struct err *err) {
        struct package_set all;
        selection_all(selection, &all);
        bool ok = packages_fetch(packages, &all, err);
        if (ok) {
                learn_paths(&selection->base, &all);
                learn_paths(&selection->bootloader, &all);
                for (size_t i = 0; i < selection->role_count; i++)
                        learn_paths(&selection->roles[i], &all);
        }
        free(all.items);
        return ok;
}

void selection_release(struct selection *selection) {
        free(selection->bootloader.items);
        free(selection->roles);
        arena_release(&selection->arena);
        *selection = (struct selection){ 0 };
}
