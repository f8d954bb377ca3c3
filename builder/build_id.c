#include "build_id.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/fs.h"
#include "verbs.h"

#ifndef KILN_CODE_DIGEST // the Makefile gives it: other code makes other images
#define KILN_CODE_DIGEST ""
#endif

// Every field goes in with its length, so that no two lists of fields give the same bytes.
static void add_field(struct digest *digest, const void *data, size_t size) {
        uint64_t length = size;
        digest_update(digest, &length, sizeof length);
        digest_update(digest, data, size);
}

static void add_text(struct digest *digest, const char *text) { add_field(digest, text, strlen(text)); }

static bool add_file(struct digest *digest, int dir, const char *path, const char *name, struct err *err) {
        char hex[DIGEST_HEX_SIZE];
        if (!digest_file("sha256", dir, path, hex, err))
                return false;
        add_text(digest, name);
        add_text(digest, hex);
        return true;
}

static bool add_entry(const struct fs_entry *entry, void *context, struct err *err) {
        return !S_ISREG(entry->stat->st_mode) || add_file(context, entry->parent, entry->name, entry->path, err);
}

static bool add_tree(struct digest *digest, const char *path, struct err *err) {
        auto_close int dir = -1;
        return fs_open_dir(AT_FDCWD, path, &dir, err) && fs_walk(dir, add_entry, digest, err);
}

// Where a checkout lies must not matter: inputs, whose paths are absolute, are named from the directory above the
// cluster file's.
static void find_prefix(const struct cluster *cluster, char ret_prefix[static PATH_MAX]) {
        if (!realpath(cluster->path, ret_prefix))
                *ret_prefix = '\0';
        for (int i = 0; i < 2; i++) {
                char *slash = strrchr(ret_prefix, '/');
                if (slash)
                        *slash = '\0';
        }
}

static bool add_inputs(struct digest *digest, const struct cluster *cluster, struct err *err) {
        char prefix[PATH_MAX];
        find_prefix(cluster, prefix);
        size_t length = strlen(prefix);
        for (size_t i = 0; i < cluster->inputs.count; i++) {
                const char *path = cluster->inputs.items[i];
                const char *name = strncmp(path, prefix, length) == 0 ? path + length : path;
                if (!add_file(digest, AT_FDCWD, path, name, err))
                        return false;
        }
        for (size_t i = 0; i < cluster->set.count; i++)
                add_text(digest, cluster->set.items[i]);
        return true;
}

// What the inputs' bytes do not tell of a role's files: where they go, and whether a source is executable.
static void add_files(struct digest *digest, const struct role *role) {
        for (size_t i = 0; i < role->file_count; i++) {
                const struct file *file = &role->files[i];
                struct stat status = { 0 };
                bool executable = file->source && stat(file->source, &status) == 0 && (status.st_mode & 0111);
                auto_free char *text = xasprintf("%s %s %o %d %d", file->path, file->link ? file->link : "",
                                                 (unsigned)file->mode, executable, file->is_template);
                add_text(digest, text);
        }
}

static void add_set(struct digest *digest, const struct package_set *set) {
        char hex[65];
        package_set_digest(set, hex);
        add_text(digest, hex);
}

static void add_roles(struct digest *digest, const struct build_facts *facts) {
        add_set(digest, facts->base);
        add_set(digest, facts->bootloader);
        for (size_t i = 0; i < facts->role_count; i++) {
                add_text(digest, facts->roles[i]->name);
                add_set(digest, &facts->sets[i]);
                add_files(digest, facts->roles[i]);
        }
        for (size_t i = 0; i < facts->only->count; i++)
                add_text(digest, facts->only->items[i]);
}

static bool add_units(struct digest *digest, const struct locations *locations, struct err *err) {
        static const char *const units[] = { "kiln-node.service", "kiln-keep.service", "kiln-report.service" };
        for (size_t i = 0; i < lengthof(units); i++) {
                auto_free char *path = xasprintf("%s/node/%s", locations->firmware, units[i]);
                if (!add_file(digest, AT_FDCWD, path, units[i], err))
                        return false;
        }
        return true;
}

static bool add_all(struct digest *digest, const struct build_facts *facts, struct err *err) {
        add_text(digest, KILN_VERSION);
        add_text(digest, KILN_CODE_DIGEST);
        add_field(digest, &facts->source_date_epoch, sizeof facts->source_date_epoch);
        add_text(digest, facts->http_base ? facts->http_base : "");
        add_roles(digest, facts);
        return add_inputs(digest, facts->cluster, err) && add_tree(digest, facts->locations->initramfs, err) &&
               add_tree(digest, facts->locations->bootloader, err) && add_units(digest, facts->locations, err) &&
               add_file(digest, AT_FDCWD, facts->locations->kiln_node, "kiln-node", err);
}

bool build_id_make(const struct build_facts *facts, char ret_id[static BUILD_ID_SIZE], struct err *err) {
        struct digest *digest = digest_new("sha256");
        if (!add_all(digest, facts, err)) {
                digest_free(digest);
                return wrap(err, "identifying the build");
        }
        char hex[DIGEST_HEX_SIZE];
        digest_final(digest, hex);
        snprintf(ret_id, BUILD_ID_SIZE, "%.*s", BUILD_ID_SIZE - 1, hex);
        return true;
}
