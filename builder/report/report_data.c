// SPDX-License-Identifier: MIT
// What a report tells of, read from the build, the one before it and the notes.
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "diff/build_diff.h"
#include "report/internal.h"

enum { SIZE_MAX_BYTES_LOG2 = 60 };

int64_t report_size(const json_t *object, const char *key) {
        json_int_t size = member_number(object, key);
        bool is_size = size >= 0 && size <= (json_int_t)1 << SIZE_MAX_BYTES_LOG2;
        if (!is_size)
                return 0;
        return size;
}

// ---- packages ----

static const json_t *roles_of(const struct report_data *data) { return json_object_get(data->build.manifest, "roles"); }

static char *key_of(const char *name, const char *arch) { return xasprintf("%s %s", name, arch); }

// Of all roles of the older build: the digest of each NEVRA, and null for each name and architecture. A package that
// comes to one more role is not new.
static json_t *list_former(const struct diffed_build *before) {
        json_t *former = json_object(), *object, *package;
        const char *role;
        size_t i;
        json_object_foreach(json_object_get(before->manifest, "roles"), role, object) {
                json_array_foreach(json_object_get(object, "packages"), i, package) {
                        auto_free char *key = key_of(member_text(package, "name"), member_text(package, "arch"));
                        (void)!json_object_set_new(former, key, json_null());
                        (void)!json_object_set_new(former, member_text(package, "nevra"),
                                                   json_string(member_text(package, "sha256")));
                }
        }
        return former;
}

static void mark_change(struct report_package *package, const json_t *former) {
        auto_free char *key = key_of(package->name, package->arch);
        const char *nevra = member_text(package->package, "nevra");
        bool is_former = json_object_get(former, nevra) &&
                         strcmp(member_text(former, nevra), member_text(package->package, "sha256")) == 0;
        package->is_new = !json_object_get(former, key);
        package->is_changed = !package->is_new && !is_former;
}

static void add_report_package(struct report_data *data, json_t *seen, const json_t *object, const char *role) {
        const char *nevra = member_text(object, "nevra");
        json_t *known = json_object_get(seen, nevra);
        if (known) {
                struct report_package *package = &data->packages[json_integer_value(known)];
                package->roles = arena_printf(&data->arena, "%s, %s", package->roles, role);
                package->role_count++;
                return;
        }
        (void)!json_object_set_new(seen, nevra, json_integer((json_int_t)data->package_count));
        *array_append(&data->packages, &data->package_count) = (struct report_package){
                .package = object,
                .name = member_text(object, "name"),
                .arch = member_text(object, "arch"),
                .roles = arena_strdup(&data->arena, role),
                .role_count = 1,
                .size_bytes = report_size(object, "installed_size"),
        };
}

// Those that all roles have stand together, then those of a set of roles; in each set the largest first.
static int order_of_packages(const void *left, const void *right) {
        const struct report_package *a = left, *b = right;
        if (a->size_bytes != b->size_bytes)
                return (a->size_bytes < b->size_bytes) - (a->size_bytes > b->size_bytes);
        return strcmp(a->name, b->name);
}

static void mark_changes(struct report_data *data, const struct diffed_build *before) {
        json_t *former = list_former(before);
        for (size_t i = 0; i < data->package_count; i++)
                mark_change(&data->packages[i], former);
        json_decref(former);
}

static void collect_packages(struct report_data *data) {
        json_t *seen = json_object(), *object, *package;
        const char *role;
        size_t i;
        json_object_foreach((json_t *)roles_of(data), role, object) {
                data->role_count++;
                json_array_foreach(json_object_get(object, "packages"), i, package)
                    add_report_package(data, seen, package, role);
        }
        if (data->package_count > 0)
                qsort(data->packages, data->package_count, sizeof *data->packages, order_of_packages);
        json_decref(seen);
}

// ---- the inventory ----

// Every role's configuration layer has all of it: the first one that is there is read.
static bool read_report_inventory(struct report_data *data, struct err *err) {
        const char *role;
        json_t *object;
        json_object_foreach((json_t *)roles_of(data), role, object) {
                struct config_layer layer;
                bool ok = config_layer_open(&data->build, role, &layer, err);
                if (ok)
                        data->node_json = json_incref(layer.node_json);
                config_layer_close(&layer);
                if (!ok || data->node_json)
                        return ok;
        }
        return true;
}

bool report_data_open(const struct report_source *source, struct report_data *ret, struct err *err) {
        *ret = (struct report_data){ .source = source };
        if (!diffed_build_open(source->path, &ret->build, err) || !read_report_inventory(ret, err))
                return false;
        auto_err incomparable = { 0 };
        if (source->before && !build_diff(source->before, source->path, &ret->diff, &incomparable)) {
                if (incomparable.kind == ERR_INTERRUPTED)
                        return fail(err, ERR_INTERRUPTED, 0, "%s", incomparable.text);
                ret->why_no_diff = arena_strdup(&ret->arena, incomparable.text);
        }
        collect_packages(ret);
        if (!ret->diff)
                return true;
        struct diffed_build before;
        bool ok = diffed_build_open(source->before, &before, err);
        if (ok)
                mark_changes(ret, &before);
        diffed_build_close(&before);
        return ok;
}

void report_data_close(struct report_data *data) {
        free(data->packages);
        json_decref(data->diff);
        json_decref(data->node_json);
        diffed_build_close(&data->build);
        arena_release(&data->arena);
}
