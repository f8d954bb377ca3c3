// SPDX-License-Identifier: MIT
#include "build/build_recipe.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/fs.h"
#include "profile/effective.h"

// What is no UTF-8 is not kept: the plan then says less.
static void recipe_put(json_t *object, const char *key, json_t *value) {
        (void)!json_object_set_new(object, key, value);
}

// ---- packages ----

static json_t *recipe_packages(const struct package_set *set) {
        json_t *packages = json_object();
        for (size_t i = 0; i < set->count; i++) {
                const struct package *package = set->items[i];
                auto_free char *key = xasprintf("%s.%s", package->name, package->arch);
                const char *evr = package->nevra + strlen(package->name) + 1; // with ".ARCH" behind it
                int length = (int)(strlen(evr) - strlen(package->arch) - 1);
                auto_free char *value = xasprintf("%.*s %s", length, evr, package->checksum);
                recipe_put(packages, key, json_string(value));
        }
        return packages;
}

// ---- settings ----

static bool is_list_of_scalars(const struct value *value) {
        for (size_t i = 0; i < value->count; i++)
                if (value->items[i]->type != VALUE_SCALAR)
                        return false;
        return value->type == VALUE_LIST;
}

static json_t *texts_of(const struct value *list) {
        json_t *texts = json_array();
        for (size_t i = 0; i < list->count; i++)
                (void)!json_array_append_new(texts, json_string(list->items[i]->text));
        return texts;
}

static void add_settings(json_t *settings, const char *key, const struct value *value);

// Items that have a name go by it: their number changes with every item before them.
static void add_items(json_t *settings, const char *key, const struct value *list) {
        for (size_t i = 0; i < list->count; i++) {
                const struct value *name = value_get(list->items[i], "name");
                auto_free char *below =
                    name && name->text ? xasprintf("%s.%s", key, name->text) : xasprintf("%s.%zu", key, i);
                add_settings(settings, below, list->items[i]);
        }
}

static void add_settings(json_t *settings, const char *key, const struct value *value) {
        const char *dot = *key ? "." : "";
        if (value->type == VALUE_SCALAR)
                recipe_put(settings, key, json_string(value->text));
        else if (is_list_of_scalars(value))
                recipe_put(settings, key, texts_of(value));
        else if (value->type == VALUE_LIST)
                add_items(settings, key, value);
        for (size_t i = 0; value->type == VALUE_MAP && i < value->count; i++) {
                auto_free char *below = xasprintf("%s%s%s", key, dot, value->keys[i]);
                // Files are told by what is in them.
                bool is_files = strncmp(below, "roles.", strlen("roles.")) == 0 && strcmp(value->keys[i], "files") == 0;
                if (!is_files)
                        add_settings(settings, below, value->items[i]);
        }
}

static json_t *recipe_settings(const struct cluster *cluster) {
        struct arena arena = { 0 };
        json_t *settings = json_object();
        add_settings(settings, "", cluster_effective(&arena, cluster));
        arena_release(&arena);
        return settings;
}

// ---- files ----

static bool add_role_file(json_t *files, const struct file *file, struct err *err) {
        char content[DIGEST_HEX_SIZE] = "", digest[DIGEST_HEX_SIZE];
        bool is_read = file->source && !file->is_directory;
        if (is_read && !digest_file("sha256", AT_FDCWD, file->source, content, err))
                return false;
        auto_free char *text = xasprintf("%s %s %s %o %d %d %s %s", content, text_or(file->content, ""),
                                         text_or(file->link, ""), (unsigned)file->mode, file->is_template,
                                         file->is_directory, text_or(file->owner, ""), text_or(file->group, ""));
        digest_bytes("sha256", text, strlen(text), digest);
        auto_free char *value = xasprintf("%s %s", digest, content);
        recipe_put(files, file->path, json_string(value));
        return true;
}

static bool add_role_files(json_t *roles, const struct role *role, struct err *err) {
        json_t *files = json_object();
        bool ok = true;
        for (size_t i = 0; ok && i < role->file_count; i++)
                ok = add_role_file(files, &role->files[i], err);
        recipe_put(roles, role->name, files);
        return ok;
}

// ---- steps ----

// Takes the packages; both may be NULL.
static void add_recipe_step(json_t *steps, const char *step, const char *inputs, json_t *packages, const char *below) {
        recipe_put(steps, step, json_pack("{ss? so* ss*}", "inputs", inputs, "packages", packages, "below", below));
}

static void add_installation(const struct build *build, json_t *steps) {
        bool has_base = false;
        for (size_t i = 0; i < build->role_count; i++) {
                const struct role_build *role = &build->roles[i];
                auto_free char *install = xasprintf("install %s", role->role->name);
                auto_free char *pack = xasprintf("pack %s", role->role->name);
                const char *below = role->over_base ? RECIPE_BASE : NULL;
                add_recipe_step(steps, install, role->layer ? role->layer->inputs : NULL,
                                recipe_packages(&build->selection.roles[i]), below);
                add_recipe_step(steps, pack, role->root_inputs, NULL, NULL);
                has_base = has_base || role->over_base;
        }
        if (has_base)
                add_recipe_step(steps, RECIPE_BASE, build->base ? build->base->inputs : NULL,
                                recipe_packages(&build->selection.base), NULL);
        const struct bootloader_tree tree = phase_bootloader_tree(build);
        auto_buf inputs = { 0 };
        bootloader_tree_inputs(&tree, &inputs);
        add_recipe_step(steps, RECIPE_BOOTLOADERS, buf_text(&inputs), recipe_packages(&build->selection.bootloader),
                        NULL);
}

static bool add_kept_kind(const struct artefact_build *artefacts, const struct artefact_role *role,
                          const struct artefact_kind *kind, json_t *steps, struct err *err) {
        auto_free char *step = xasprintf("%s %s", kind->name, role->role->name);
        auto_buf inputs = { 0 };
        bool is_known = role->root_key && role->kernel_path;
        if (is_known && !kind->look(artefacts, role, &inputs, NULL, err))
                return false;
        add_recipe_step(steps, step, is_known ? buf_text(&inputs) : NULL, NULL, NULL);
        return true;
}

static bool add_kept_kinds(const struct artefact_build *artefacts, json_t *steps, struct err *err) {
        for (size_t i = 0; i < artefact_kind_count; i++) {
                const struct artefact_kind *kind = artefact_kinds[i];
                if (!kind->look || !artefacts_want(artefacts->cluster, kind, artefacts->only))
                        continue;
                for (size_t j = 0; j < artefacts->role_count; j++)
                        if (!add_kept_kind(artefacts, &artefacts->roles[j], kind, steps, err))
                                return false;
        }
        return true;
}

// ---- the whole ----

static json_t *list_of(const struct strings *strings) {
        json_t *list = json_array();
        for (size_t i = 0; i < strings->count; i++)
                (void)!json_array_append_new(list, json_string(strings->items[i]));
        return list;
}

static json_t *recipe_options(const struct build *build) {
        const struct build_options *options = build->options;
        json_t *object = json_object();
        auto_free char *time = xasprintf("%lld", (long long)build->rootfs.source_date_epoch);
        recipe_put(object, "SOURCE_DATE_EPOCH", json_string(time));
        recipe_put(object, "--only", list_of(options->only));
        recipe_put(object, "--set", list_of(&build->cluster->set));
        if (options->http_base)
                recipe_put(object, "--http-base", json_string(options->http_base));
        if (options->serial) {
                auto_free char *serial = xasprintf("%llu", (unsigned long long)options->serial);
                recipe_put(object, "--serial", json_string(serial));
        }
        return object;
}

bool build_recipe_make(const struct build *build, const struct artefact_build *artefacts, json_t **ret,
                       struct err *err) {
        assert(build->inputs && build->layer_maker[0]);
        json_t *roles = json_object(), *steps = json_object();
        bool ok = true;
        for (size_t i = 0; ok && i < build->role_count; i++)
                ok = add_role_files(roles, build->roles[i].role, err);
        add_installation(build, steps);
        ok = ok && add_kept_kinds(artefacts, steps, err);
        json_t *recipe =
            json_pack("{si s{sO sO} sO so so so so}", "format", RECIPE_FORMAT, "kiln", "version",
                      json_object_get(build->inputs, "version"), "code", json_object_get(build->inputs, "code"),
                      "files", json_object_get(build->inputs, "files"), "options", recipe_options(build), "settings",
                      recipe_settings(build->cluster), "roles", roles, "steps", steps);
        if (ok)
                *ret = recipe;
        else
                json_decref(recipe);
        return ok;
}

json_t *build_recipe_read(int publication_dir, const char *build_id) {
        auto_free char *name = publication_note_name(PUBLICATION_RECIPE, build_id);
        auto_buf text = { .max = RECIPE_MAX_BYTES };
        auto_err absent = { 0 };
        if (publication_dir < 0 || !fs_read(publication_dir, name, &text, &absent))
                return NULL;
        json_t *recipe = json_loadb(buf_text(&text), text.size, 0, NULL);
        bool is_known = json_integer_value(json_object_get(recipe, "format")) == RECIPE_FORMAT;
        if (is_known)
                return recipe;
        json_decref(recipe);
        return NULL;
}

char *build_recipe_newest(int publication_dir) {
        auto_closedir DIR *stream = NULL;
        auto_free char *start = publication_note_name(PUBLICATION_RECIPE, "");
        auto_err unreadable = { 0 };
        struct timespec newest_time = { 0 };
        struct dirent *entry;
        char *newest = NULL;
        if (!fs_open_listing(publication_dir, &stream, &unreadable))
                return NULL;
        while (fs_next_entry(stream, &entry, &unreadable) && entry) {
                struct stat status;
                bool is_recipe = strncmp(entry->d_name, start, strlen(start)) == 0;
                if (!is_recipe || fstatat(publication_dir, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                bool is_newer =
                    status.st_mtim.tv_sec > newest_time.tv_sec ||
                    (status.st_mtim.tv_sec == newest_time.tv_sec && status.st_mtim.tv_nsec > newest_time.tv_nsec);
                if (!is_newer)
                        continue;
                newest_time = status.st_mtim;
                free(newest);
                newest = xstrdup(entry->d_name + strlen(start));
        }
        return newest;
}
