// SPDX-License-Identifier: MIT
#include "diff/build_diff.h"

#include <assert.h>
#include <string.h>

#include "base/parallel.h"
#include "diff/internal.h"

// ---- what the two builds were made of ----

static json_t *describe_build(const struct diffed_build *build) {
        const json_t *options = json_object_get(build->manifest, "options");
        return json_pack("{ss ss ss sI ss}", "build", member_text(build->manifest, "build"), "cluster",
                         member_text(build->manifest, "cluster"), "release", member_text(build->manifest, "release"),
                         "serial", member_number(options, "serial"), "path", build->path);
}

// A value as it is shown: texts without quotes, nothing for null and what is absent.
static void append_value(const json_t *value, struct buf *ret) {
        size_t i;
        json_t *item;
        if (json_is_string(value))
                buf_append_text(ret, json_string_value(value));
        else if (json_is_integer(value))
                buf_printf(ret, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        json_array_foreach(value, i, item) {
                if (i > 0)
                        buf_append_char(ret, ' ');
                append_value(item, ret);
        }
}

static void add_option(json_t *list, const char *name, const json_t *from, const json_t *to) {
        auto_buf before = { 0 }, after = { 0 };
        append_value(from, &before);
        append_value(to, &after);
        if (strcmp(buf_text(&before), buf_text(&after)) != 0)
                json_array_append_new(
                    list, json_pack("{ss ss ss}", "name", name, "from", buf_text(&before), "to", buf_text(&after)));
}

static json_t *diff_options(const json_t *from, const json_t *to) {
        static const char *const of_manifest[] = { "cluster", "release", "signed_by", "source_date_epoch" };
        static const char *const of_options[] = { "http_base", "serial", "set", "only" };
        json_t *list = json_array();
        for (size_t i = 0; i < lengthof(of_manifest); i++)
                add_option(list, of_manifest[i], json_object_get(from, of_manifest[i]),
                           json_object_get(to, of_manifest[i]));
        const json_t *before = json_object_get(from, "options"), *after = json_object_get(to, "options");
        for (size_t i = 0; i < lengthof(of_options); i++)
                add_option(list, of_options[i], json_object_get(before, of_options[i]),
                           json_object_get(after, of_options[i]));
        return list;
}

// ---- roles ----

struct comparison {
        struct build_pair builds;
        json_t *roles, *nodes, *artefacts;
        json_t *former_roles; // of each node of the older build
};

static void add_size(const struct comparison *comparison, const char *role, const char *name, json_t *list) {
        const json_t *from = diffed_build_artefact(&comparison->builds.from, role, name);
        const json_t *to = diffed_build_artefact(&comparison->builds.to, role, name);
        if (strcmp(member_text(from, "sha256"), member_text(to, "sha256")) != 0)
                json_array_append_new(list, json_pack("{ss sI sI}", "artefact", name, "from",
                                                      member_number(from, "size"), "to", member_number(to, "size")));
}

// The artefacts of a role, as either build has them: ROLE/NAME.
static json_t *diff_sizes(const struct comparison *comparison, const char *role) {
        json_t *list = json_array(), *names = json_object(), *artefact;
        const json_t *sums[] = { comparison->builds.from.sums, comparison->builds.to.sums };
        const char *path, *name;
        size_t length = strlen(role);
        for (size_t i = 0; i < lengthof(sums); i++)
                json_object_foreach((json_t *)sums[i], path, artefact) {
                        bool is_of_role = strncmp(path, role, length) == 0 && path[length] == '/';
                        if (is_of_role)
                                (void)!json_object_set_new(names, path + length + 1, json_null());
                }
        json_object_foreach(names, name, artefact) add_size(comparison, role, name, list);
        json_decref(names);
        return list;
}

// NULL where nothing differs, which json_pack() makes null.
static json_t *diff_member(const json_t *from, const json_t *to, const char *key) {
        auto_buf before = { 0 }, after = { 0 };
        append_value(json_object_get(from, key), &before);
        append_value(json_object_get(to, key), &after);
        if (strcmp(buf_text(&before), buf_text(&after)) == 0)
                return NULL;
        return json_pack("{ss ss}", "from", buf_text(&before), "to", buf_text(&after));
}

static const char *change_of_role(const struct role_pair *roles, const json_t *diff) {
        static const char *const lists[] = { "packages", "files", "sizes" };
        if (!roles->from)
                return "new";
        if (!roles->to)
                return "gone";
        for (size_t i = 0; i < lengthof(lists); i++)
                if (json_array_size(json_object_get(diff, lists[i])) > 0)
                        return "changed";
        if (json_is_object(json_object_get(diff, "kernel")) || json_is_object(json_object_get(diff, "arguments")))
                return "changed";
        return "same";
}

static void remember_roles(const struct role_pair *roles, json_t *ret) {
        const char *name;
        json_t *entry;
        json_object_foreach(roles->from_layer.nodes, name,
                            entry) if (strcmp(member_text(entry, "role"), roles->name) ==
                                       0)(void) !json_object_set_new(ret, name, json_string(roles->name));
}

static bool diff_opened_role(struct comparison *comparison, const struct role_pair *roles, struct err *err) {
        json_t *files = diff_files(roles), *accounts = json_array();
        const json_t *old_kernel = json_object_get(roles->from, "kernel");
        const json_t *new_kernel = json_object_get(roles->to, "kernel");
        json_t *diff = json_pack("{so so? so? so so so so}", "packages", diff_packages(roles->from, roles->to),
                                 "kernel", diff_member(old_kernel, new_kernel, "version"), "arguments",
                                 diff_member(old_kernel, new_kernel, "arguments"), "files", files, "units",
                                 diff_units(files), "users", accounts, "sizes", diff_sizes(comparison, roles->name));
        (void)!json_object_set_new(comparison->roles, roles->name, diff);
        json_object_set_new(diff, "change", json_string(change_of_role(roles, diff)));
        remember_roles(roles, comparison->former_roles);
        bool is_known = !roles->from || roles->from_layer.exists == roles->to_layer.exists;
        if (roles->to && is_known)
                diff_nodes(&comparison->builds, roles, diff, comparison->artefacts, comparison->nodes);
        else if (roles->to)
                diff_unknown_nodes(&comparison->builds, roles, comparison->nodes);
        return diff_accounts(&comparison->builds.from, &comparison->builds.to, roles, accounts, err);
}

static bool diff_role(struct comparison *comparison, const char *name, struct err *err) {
        struct role_pair roles = { .name = name,
                                   .from = diffed_build_role(&comparison->builds.from, name),
                                   .to = diffed_build_role(&comparison->builds.to, name) };
        bool ok = config_layer_open(&comparison->builds.from, name, &roles.from_layer, err) &&
                  config_layer_open(&comparison->builds.to, name, &roles.to_layer, err) &&
                  diff_opened_role(comparison, &roles, err);
        config_layer_close(&roles.from_layer);
        config_layer_close(&roles.to_layer);
        return ok;
}

static bool diff_roles(struct comparison *comparison, struct err *err) {
        const json_t *before = json_object_get(comparison->builds.from.manifest, "roles");
        const json_t *after = json_object_get(comparison->builds.to.manifest, "roles");
        const char *name;
        json_t *role;
        json_object_foreach((json_t *)after, name, role) if (!diff_role(comparison, name, err)) return false;
        json_object_foreach((json_t *)before, name,
                            role) if (!json_object_get(after, name) && !diff_role(comparison, name, err)) return false;
        return true;
}

// ---- both ----

// Builds made with --only may have no artefacts to tell them apart.
static bool same_contents(const struct comparison *comparison) {
        static const char *const members[] = { "artefacts", "roles" };
        for (size_t i = 0; i < lengthof(members); i++)
                if (!json_equal(json_object_get(comparison->builds.from.manifest, members[i]),
                                json_object_get(comparison->builds.to.manifest, members[i])))
                        return false;
        return true;
}

static bool compare_opened(struct comparison *comparison, json_t **ret, struct err *err) {
        comparison->roles = json_object();
        comparison->nodes = json_object();
        comparison->former_roles = json_object();
        comparison->artefacts = diff_artefacts(&comparison->builds);
        bool ok = diff_roles(comparison, err);
        finish_nodes(&comparison->builds, comparison->former_roles, comparison->nodes);
        json_decref(comparison->former_roles);
        json_t *options = diff_options(comparison->builds.from.manifest, comparison->builds.to.manifest);
        bool same = json_array_size(options) == 0 && same_contents(comparison);
        json_t *diff = json_pack("{si sb so so so so so so}", "format", 1, "same", same, "from",
                                 describe_build(&comparison->builds.from), "to", describe_build(&comparison->builds.to),
                                 "options", options, "artefacts", comparison->artefacts, "roles", comparison->roles,
                                 "nodes", comparison->nodes);
        if (ok)
                *ret = diff;
        else
                json_decref(diff);
        return ok;
}

// Reading a manifest of 10 MB is most of the work.
struct opening {
        const char *path;
        struct diffed_build *build;
};

static bool open_one(size_t index, void *context, struct err *err) {
        const struct opening *openings = context;
        return diffed_build_open(openings[index].path, openings[index].build, err);
}

bool build_diff(const char *from, const char *to, json_t **ret, struct err *err) {
        assert(from && to && ret);
        struct comparison comparison = { .builds = { .from.dir = -1, .to.dir = -1 } };
        struct opening openings[] = { { from, &comparison.builds.from }, { to, &comparison.builds.to } };
        bool ok = parallel_for(lengthof(openings), lengthof(openings), open_one, openings, err) &&
                  compare_opened(&comparison, ret, err);
        diffed_build_close(&comparison.builds.from);
        diffed_build_close(&comparison.builds.to);
        return ok;
}
