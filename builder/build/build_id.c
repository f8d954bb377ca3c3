// SPDX-License-Identifier: MIT
#include "build/build_id.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/version.h"
#include "configure/configure.h"

#ifndef KILN_CODE_DIGEST // the Makefile gives it: other code makes other images
#define KILN_CODE_DIGEST ""
#endif

// Every field goes in with its length, so that no two lists of fields give the same bytes.
static void add_field(struct digest *digest, const void *data, size_t size) {
        uint64_t length = size;
        digest_update(digest, &length, sizeof length);
        digest_update(digest, data, size);
}

// NULL is an empty text.
static void add_text_field(struct digest *digest, const char *text) {
        if (!text)
                text = "";
        add_field(digest, text, strlen(text));
}

// ---- inputs ----

struct inputs {
        json_t *files;      // name to sha256
        const char *prefix; // of names, with its slash: "kiln/initramfs/"
};

static bool put_file(json_t *files, const char *name, int dir, const char *path, struct err *err) {
        char hex[DIGEST_HEX_SIZE];
        if (!digest_file("sha256", dir, path, hex, err))
                return false;
        if (json_object_set_new(files, name, json_string(hex)) < 0)
                return fail(err, ERR_REFERENCE, 0, "%s: a file name that is not UTF-8", path);
        return true;
}

static bool put_entry(const struct fs_entry *entry, void *context, struct err *err) {
        const struct inputs *inputs = context;
        auto_free char *name = xasprintf("%s%s", inputs->prefix, entry->path);
        return !S_ISREG(entry->stat->st_mode) || put_file(inputs->files, name, entry->parent, entry->name, err);
}

static bool put_tree(json_t *files, const char *prefix, const char *path, struct err *err) {
        struct inputs inputs = { files, prefix };
        auto_close int dir = -1;
        return fs_open_dir(AT_FDCWD, path, &dir, err) && fs_walk(dir, put_entry, &inputs, err);
}

// Where a checkout lies, and what it is called, must not matter: inputs, whose paths are absolute, are named as seen
// from the cluster file's directory, or with "../" from the one above.
static const char *name_nearby(struct arena *arena, const struct cluster *cluster, const char *path) {
        char directory[PATH_MAX];
        if (!realpath(cluster->path, directory))
                return NULL;
        static const char *const ways[] = { "", "../" };
        for (size_t up = 0; up < lengthof(ways); up++) {
                char *slash = strrchr(directory, '/');
                if (!slash)
                        return NULL;
                size_t length = (size_t)(slash - directory);
                if (strncmp(path, directory, length + 1) == 0)
                        return arena_printf(arena, "%s%s", ways[up], path + length + 1);
                *slash = '\0';
        }
        return NULL;
}

// A file elsewhere has as much of its path's end as sets it apart.
static const char *name_elsewhere(json_t *files, const char *path) {
        const char *name = path + strlen(path);
        do {
                name--;
                while (name > path && name[-1] != '/')
                        name--;
        } while (name > path && json_object_get(files, name));
        return name;
}

// Nor where kiln is installed, whose roles and overlays a cluster may take.
static const char *name_of_example(struct arena *arena, const struct locations *locations, const char *path) {
        size_t length = strlen(locations->examples);
        if (strncmp(path, locations->examples, length) != 0 || path[length] != '/')
                return NULL;
        return arena_printf(arena, "kiln%s", path + length);
}

static bool put_inputs(json_t *files, const struct cluster *cluster, const struct locations *locations,
                       struct err *err) {
        struct arena arena = { 0 };
        bool ok = true;
        for (size_t i = 0; ok && i < cluster->inputs.count; i++) {
                const char *path = cluster->inputs.items[i];
                const char *name = name_nearby(&arena, cluster, path);
                if (!name)
                        name = name_of_example(&arena, locations, path);
                if (!name)
                        name = name_elsewhere(files, path);
                ok = put_file(files, name, AT_FDCWD, path, err);
        }
        arena_release(&arena);
        return ok;
}

static bool put_units(json_t *files, const struct locations *locations, struct err *err) {
        const char *unit;
        for (size_t i = 0; (unit = configure_own_unit(i)); i++) {
                auto_free char *path = xasprintf("%s/node/%s", locations->firmware, unit);
                auto_free char *name = xasprintf("kiln/node/%s", unit);
                if (!put_file(files, name, AT_FDCWD, path, err))
                        return false;
        }
        return true;
}

static bool put_stub(json_t *files, const char *path, struct err *err) {
        return !path || put_file(files, "systemd/linuxx64.efi.stub", AT_FDCWD, path, err);
}

bool build_inputs(const struct cluster *cluster, const struct locations *locations, const char *uki_stub, json_t **ret,
                  struct err *err) {
        json_t *files = json_object();
        if (!put_inputs(files, cluster, locations, err) ||
            !put_tree(files, "kiln/initramfs/", locations->initramfs, err) ||
            !put_tree(files, "kiln/bootloader/", locations->bootloader, err) || !put_units(files, locations, err) ||
            !put_file(files, "kiln/kiln-node", AT_FDCWD, locations->kiln_node, err) ||
            !put_stub(files, uki_stub, err)) {
                json_decref(files);
                return wrap(err, "identifying the build");
        }
        *ret = json_pack("{ss ss so}", "version", KILN_VERSION, "code", KILN_CODE_DIGEST, "files", files);
        return true;
}

// ---- the id ----

// What the inputs' bytes do not tell of a role's files: where they go, and whether a source is executable.
static void add_file_places(struct digest *digest, const struct role *role) {
        for (size_t i = 0; i < role->file_count; i++) {
                const struct file *file = &role->files[i];
                struct stat status = { 0 };
                bool executable =
                    file->source && !file->is_directory && stat(file->source, &status) == 0 && (status.st_mode & 0111);
                auto_free char *text =
                    xasprintf("%s %s %o %d %d %d", file->path, file->link ? file->link : "", (unsigned)file->mode,
                              executable, file->is_template, file->is_directory);
                add_text_field(digest, text);
        }
}

static void add_package_set(struct digest *digest, const struct package_set *set) {
        char hex[65];
        package_set_digest(set, hex);
        add_text_field(digest, hex);
}

static void add_role_fields(struct digest *digest, const struct build_facts *facts) {
        add_package_set(digest, facts->base);
        add_package_set(digest, facts->bootloader);
        for (size_t i = 0; i < facts->role_count; i++) {
                add_text_field(digest, facts->roles[i]->name);
                add_package_set(digest, &facts->sets[i]);
                add_file_places(digest, facts->roles[i]);
        }
        for (size_t i = 0; i < facts->only->count; i++)
                add_text_field(digest, facts->only->items[i]);
}

static void add_input_digests(struct digest *digest, const json_t *inputs) {
        auto_free char *text = json_dumps(inputs, JSON_COMPACT | JSON_SORT_KEYS);
        add_text_field(digest, text);
}

void build_id_make(const struct build_facts *facts, char ret_id[static BUILD_ID_SIZE]) {
        struct digest *digest = digest_new("sha256");
        add_input_digests(digest, facts->inputs);
        add_field(digest, &facts->source_date_epoch, sizeof facts->source_date_epoch);
        add_text_field(digest, facts->http_base);
        add_field(digest, &facts->serial, sizeof facts->serial);
        add_role_fields(digest, facts);
        for (size_t i = 0; i < facts->cluster->set.count; i++)
                add_text_field(digest, facts->cluster->set.items[i]);
        char hex[DIGEST_HEX_SIZE];
        digest_final(digest, hex);
        snprintf(ret_id, BUILD_ID_SIZE, "%.*s", BUILD_ID_SIZE - 1, hex);
}
