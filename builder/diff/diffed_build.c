// SPDX-License-Identifier: MIT
#include "diff/diffed_build.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mistake.h"
#include "compare/unpack.h"

#define MANIFEST "manifest.json"
#define LAYER_ROOT "kiln/config"

enum { MANIFEST_MAX_BYTES = 512 << 20, LAYER_MAX_BYTES = 256 << 20 };

// ---- the manifest ----

static void index_artefacts(struct diffed_build *build) {
        size_t i;
        json_t *artefact;
        build->sums = json_object();
        json_array_foreach(json_object_get(build->manifest, "artefacts"), i,
                           artefact)(void) !json_object_set(build->sums, member_text(artefact, "path"), artefact);
}

// A role is a folder of the build, and a manifest may come from elsewhere.
static bool check_roles(const struct diffed_build *build, struct err *err) {
        const char *name;
        json_t *role;
        json_object_foreach(json_object_get(build->manifest, "roles"), name, role) {
                bool is_folder = fs_path_is_safe(name) && !strchr(name, '/');
                if (is_folder)
                        continue;
                auto_buf shown = { 0 };
                mistake_printable(&shown, name, strlen(name));
                return fail(err, ERR_CORRUPT, 0, "%s/" MANIFEST ": `%s` is no name of a role", build->path,
                            buf_text(&shown));
        }
        return true;
}

static bool read_manifest(struct diffed_build *build, struct err *err) {
        auto_buf text = { .max = MANIFEST_MAX_BYTES };
        json_error_t error;
        if (!fs_read(build->dir, MANIFEST, &text, err))
                return wrap(err, "%s", build->path);
        build->manifest = json_loadb(buf_text(&text), text.size, 0, &error);
        if (!json_is_object(json_object_get(build->manifest, "roles")))
                return fail(err, ERR_CORRUPT, 0, "%s/" MANIFEST ": line %d: %s", build->path, error.line, error.text);
        index_artefacts(build);
        return check_roles(build, err);
}

static bool has_manifest(const char *path) {
        auto_free char *manifest = xasprintf("%s/" MANIFEST, path);
        return fs_exists(AT_FDCWD, manifest);
}

bool diffed_build_open(const char *path, struct diffed_build *ret, struct err *err) {
        assert(path && ret);
        *ret = (struct diffed_build){ .dir = -1 };
        auto_free char *current = xasprintf("%s/current", path);
        if (!has_manifest(path) && has_manifest(current))
                path = current;
        if (!has_manifest(path)) {
                fail(err, ERR_REFERENCE, 0, "%s is no published build: there is no " MANIFEST " in it", path);
                return hint(err, "name out/CLUSTER/BUILD or a build's id (kiln builds lists them); a build made with "
                                 "--only has it if it is also given --only manifest");
        }
        ret->path = realpath(path, NULL);
        if (!ret->path)
                return fail(err, ERR_REFERENCE, 0, "%s went away", path);
        return fs_open_dir(AT_FDCWD, ret->path, &ret->dir, err) && read_manifest(ret, err);
}

void diffed_build_close(struct diffed_build *build) {
        json_decref(build->sums);
        json_decref(build->manifest);
        close_cleanup(&build->dir);
        free(build->path);
}

const json_t *diffed_build_role(const struct diffed_build *build, const char *role) {
        return json_object_get(json_object_get(build->manifest, "roles"), role);
}

const json_t *diffed_build_artefact(const struct diffed_build *build, const char *role, const char *name) {
        auto_free char *path = xasprintf("%s/%s", role, name);
        return json_object_get(build->sums, path);
}

// ---- the configuration layer ----

static int order_of_files(const void *left, const void *right) {
        const struct config_file *a = left, *b = right;
        return strcmp(a->path, b->path);
}

static const char *path_in_layer(const struct newc_entry *entry) {
        const char *rest = strstr(entry->name, LAYER_ROOT "/");
        bool is_below = rest == entry->name && S_ISREG(entry->mode);
        if (!is_below)
                return NULL;
        return rest + strlen(LAYER_ROOT);
}

static bool list_layer(struct config_layer *layer, struct err *err) {
        size_t offset = 0;
        while (offset < layer->archive.size) {
                struct newc_entry entry;
                if (!newc_next(&layer->archive, &offset, &entry, err))
                        return false;
                const char *path = path_in_layer(&entry);
                if (strcmp(entry.name, "kiln/root.conf") == 0)
                        layer->root_conf = (struct text){ entry.data, entry.size };
                if (path)
                        *array_append(&layer->files, &layer->count) =
                            (struct config_file){ path, { entry.data, entry.size } };
        }
        if (layer->count > 0)
                qsort(layer->files, layer->count, sizeof *layer->files, order_of_files);
        return true;
}

static void load_node_json(struct config_layer *layer) {
        const struct config_file *file = config_layer_find(layer, "/etc/kiln/node.json");
        json_error_t error;
        size_t i;
        json_t *node;
        if (file)
                layer->node_json = json_loadb(file->content.data, file->content.size, 0, &error);
        layer->nodes = json_object();
        json_array_foreach(json_object_get(layer->node_json, "nodes"), i,
                           node)(void) !json_object_set(layer->nodes, member_text(node, "name"), node);
}

bool config_layer_open(const struct diffed_build *build, const char *role, struct config_layer *ret, struct err *err) {
        auto_free char *path = xasprintf("%s/config.cpio", role);
        auto_buf packed = { .max = LAYER_MAX_BYTES };
        *ret = (struct config_layer){ .archive.max = LAYER_MAX_BYTES };
        ret->exists = fs_exists(build->dir, path);
        if (!ret->exists)
                return true;
        if (!fs_read(build->dir, path, &packed, err) || !newc_unpack(&packed, &ret->archive, err) ||
            !list_layer(ret, err))
                return wrap(err, "%s/%s", build->path, path);
        load_node_json(ret);
        return true;
}

void config_layer_close(struct config_layer *layer) {
        json_decref(layer->nodes);
        json_decref(layer->node_json);
        free(layer->files);
        buf_release(&layer->archive);
}

const struct config_file *config_layer_find(const struct config_layer *layer, const char *path) {
        const struct config_file key = { .path = path };
        if (layer->count == 0)
                return NULL;
        return bsearch(&key, layer->files, layer->count, sizeof *layer->files, order_of_files);
}
