// SPDX-License-Identifier: MIT
#include "selection/selection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void strings_add(struct strings *list, const char *text) {
        if (!strings_have(list, text))
                *array_append(&list->items, &list->count) = text;
}

bool package_set_has(const struct package_set *set, const char *nevra) {
        for (size_t i = 0; i < set->count; i++)
                if (!strcmp(set->items[i]->nevra, nevra))
                        return true;
        return false;
}

bool package_set_holds(const struct package_set *set, const struct package_set *part) {
        for (size_t i = 0; i < part->count; i++)
                if (!package_set_has(set, part->items[i]->nevra))
                        return false;
        return true;
}

// ---- requests ----

static void add_kernel_request(const struct cluster *cluster, struct strings *ret) {
        if (*cluster->release.kernel_package)
                strings_add(ret, cluster->release.kernel_package);
}

static void add_role_requests(const struct cluster *cluster, const struct role *role, struct strings *ret) {
        for (size_t i = 0; i < role->packages.count; i++)
                strings_add(ret, role->packages.items[i]);
        add_kernel_request(cluster, ret);
}

static bool every_role_requests(const struct cluster *cluster, const char *request) {
        for (size_t i = 0; i < cluster->role_count; i++)
                if (!strings_have(&cluster->roles[i].packages, request))
                        return false;
        return true;
}

// Of every role of the cluster, whichever are built now, so that the base layer stays the same.
static void add_common_requests(const struct cluster *cluster, struct strings *ret) {
        const struct strings *first = &cluster->roles[0].packages;
        for (size_t i = 0; i < first->count; i++)
                if (every_role_requests(cluster, first->items[i]))
                        strings_add(ret, first->items[i]);
        add_kernel_request(cluster, ret);
}

char *selection_place_of(const void *context, const char *request) {
        const struct cluster *cluster = context;
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct place *place = role_place(&cluster->roles[i], request);
                if (place && place->file)
                        return xasprintf("%s:%d:%d", place->file, place->line, place->column);
        }
        if (!cluster->release.path)
                return NULL;
        return xstrdup(cluster->release.path);
}

// ---- solving ----

// Messages about a request name its place already. That packages cannot be installed together is about all of them: the
// message says for what they were solved.
static bool wrap_solve(struct err *err, const char *what, const char *name) {
        if (err->kind == ERR_SOLVE)
                (void)wrap(err, "%s%s", what, name);
        return false;
}

static bool solve_base(struct packages *packages, const struct cluster *cluster, struct package_set *ret,
                       struct err *err) {
        struct strings requests = { 0 };
        add_common_requests(cluster, &requests);
        bool ok = packages_solve(packages, requests.items, requests.count, ret, err) ||
                  wrap_solve(err, "packages that all roles share", "");
        free(requests.items);
        return ok;
}

static bool solve_role(struct packages *packages, const struct cluster *cluster, const struct role *role,
                       struct package_set *ret, struct err *err) {
        struct strings requests = { 0 };
        add_role_requests(cluster, role, &requests);
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
                if (strings_have(wanted, all.items[i]->name))
                        *array_append(&ret->items, &ret->count) = all.items[i];
        package_set_release(&all);
        return true;
}

bool selection_solve(struct packages *packages, const struct cluster *cluster, const struct role *const *roles,
                     size_t role_count, struct selection *ret, struct err *err) {
        assert(cluster->role_count > 0);
        struct selection selection = { .role_count = role_count, .asked = roles };
        selection.roles = xcalloc(role_count + 1, sizeof *selection.roles);
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

// ---- fetching ----

static int compare_package_identity(const void *left, const void *right) {
        const struct package *a = *(const struct package *const *)left, *b = *(const struct package *const *)right;
        int order = strcmp(a->nevra, b->nevra);
        if (order != 0)
                return order;
        return strcmp(a->checksum, b->checksum);
}

static void append_set(struct package_set *to, const struct package_set *from) {
        for (size_t i = 0; i < from->count; i++)
                *array_append(&to->items, &to->count) = from->items[i];
}

static void drop_repeated(struct package_set *set) {
        size_t count = 0;
        for (size_t i = 0; i < set->count; i++)
                if (count == 0 || compare_package_identity(&set->items[count - 1], &set->items[i]) != 0)
                        set->items[count++] = set->items[i];
        set->count = count;
}

void selection_all(const struct selection *selection, struct package_set *ret_set) {
        struct package_set all = { 0 };
        append_set(&all, &selection->base);
        append_set(&all, &selection->bootloader);
        for (size_t i = 0; i < selection->role_count; i++)
                append_set(&all, &selection->roles[i]);
        if (all.count > 0)
                qsort(all.items, all.count, sizeof *all.items, compare_package_identity);
        drop_repeated(&all);
        *ret_set = all;
}

bool selection_fetch(const struct selection *selection, struct packages *packages, struct err *err) {
        struct package_set all;
        selection_all(selection, &all);
        bool ok = packages_fetch(packages, &all, err);
        package_set_release(&all);
        return ok;
}

void selection_release(struct selection *selection) {
        package_set_release(&selection->base);
        package_set_release(&selection->bootloader);
        if (selection->roles)
                for (size_t i = 0; i < selection->role_count; i++)
                        package_set_release(&selection->roles[i]);
        free(selection->roles);
        *selection = (struct selection){ 0 };
}
