// SPDX-License-Identifier: MIT
#include <string.h>

#include "diff/internal.h"
#include "packages/packages.h"

// "epoch:version-release" of name-[epoch:]version-release.arch; heap.
static char *evr_of(const json_t *package) {
        const char *nevra = member_text(package, "nevra");
        size_t name = strlen(member_text(package, "name")), arch = strlen(member_text(package, "arch"));
        size_t length = strlen(nevra);
        if (length < name + arch + 2)
                return xstrdup(nevra);
        return xstrndup(nevra + name + 1, length - name - arch - 2);
}

// Several versions of one name may be there: each NEVRA is a key.
static json_t *by_nevra(const json_t *packages) {
        json_t *found = json_object(), *package;
        size_t i;
        json_array_foreach(packages, i, package)(void) !json_object_set(found, member_text(package, "nevra"), package);
        return found;
}

static void insert_version(json_t *found, const char *key, json_t *package) {
        json_t *versions = json_object_get(found, key);
        auto_free char *evr = evr_of(package);
        size_t at = 0;
        if (!versions) {
                versions = json_array();
                (void)!json_object_set_new(found, key, versions);
        }
        for (; at < json_array_size(versions); at++) {
                auto_free char *other = evr_of(json_array_get(versions, at));
                if (package_compare_evr(evr, other) < 0)
                        break;
        }
        (void)!json_array_insert(versions, at, package);
}

// What stands in `packages` and not in `others`, as NAME.ARCH -> its packages, the oldest version first.
static json_t *only_here(const json_t *packages, const json_t *others) {
        json_t *found = json_object(), *package;
        size_t i;
        json_array_foreach(packages, i, package) {
                auto_free char *key = xasprintf("%s.%s", member_text(package, "name"), member_text(package, "arch"));
                if (!json_object_get(others, member_text(package, "nevra")))
                        insert_version(found, key, package);
        }
        return found;
}

static void add_package_change(json_t *list, const json_t *package, const char *change, const char *from,
                               const char *to) {
        json_array_append_new(list, json_pack("{ss ss ss ss ss}", "name", member_text(package, "name"), "arch",
                                              member_text(package, "arch"), "change", change, "from", from, "to", to));
}

static void add_other_version(json_t *list, const json_t *from, const json_t *to) {
        auto_free char *old = evr_of(from), *new = evr_of(to);
        const char *change = "up";
        if (package_compare_evr(old, new) > 0)
                change = "down";
        add_package_change(list, to, change, old, new);
}

// Of a name with several versions the newest ones are each other's successors; of what is left the older ones went, or
// came.
static void add_versions_of(json_t *list, const json_t *gone, const json_t *new) {
        size_t old_count = json_array_size(gone), new_count = json_array_size(new);
        size_t pairs = size_min(old_count, new_count);
        for (size_t i = 0; i < pairs; i++)
                add_other_version(list, json_array_get(gone, old_count - pairs + i),
                                  json_array_get(new, new_count - pairs + i));
        for (size_t i = 0; i < new_count - pairs; i++) {
                auto_free char *evr = evr_of(json_array_get(new, i));
                add_package_change(list, json_array_get(new, i), "new", "", evr);
        }
        for (size_t i = 0; i < old_count - pairs; i++) {
                auto_free char *evr = evr_of(json_array_get(gone, i));
                add_package_change(list, json_array_get(gone, i), "gone", evr, "");
        }
}

static void add_versions(json_t *list, const json_t *gone, const json_t *new) {
        const char *key;
        json_t *versions;
        json_object_foreach((json_t *)new, key, versions) add_versions_of(list, json_object_get(gone, key), versions);
        json_object_foreach((json_t *)gone, key, versions) if (!json_object_get(new, key))
            add_versions_of(list, versions, NULL);
}

// Packages of one name, version and release that are other bytes, or come from elsewhere.
static void add_replaced(json_t *list, const json_t *before, const json_t *after) {
        size_t i;
        json_t *package;
        json_array_foreach(after, i, package) {
                const json_t *old = json_object_get(before, member_text(package, "nevra"));
                auto_free char *evr = evr_of(package);
                if (!old)
                        continue;
                const char *from = member_text(old, "repository"), *to = member_text(package, "repository");
                if (strcmp(member_text(old, "sha256"), member_text(package, "sha256")) != 0)
                        add_package_change(list, package, "rebuilt", evr, evr);
                else if (strcmp(from, to) != 0)
                        add_package_change(list, package, "moved", from, to);
        }
}

json_t *diff_packages(const json_t *from, const json_t *to) {
        json_t *list = json_array();
        const json_t *before = json_object_get(from, "packages"), *after = json_object_get(to, "packages");
        json_t *old = by_nevra(before), *current = by_nevra(after);
        json_t *gone = only_here(before, current), *new = only_here(after, old);
        add_versions(list, gone, new);
        add_replaced(list, old, after);
        json_decref(old);
        json_decref(current);
        json_decref(gone);
        json_decref(new);
        return list;
}
