// SPDX-License-Identifier: MIT
#include "profile/reader/loader.h"

#include "profile/reader/paths.h"
#include "profile/reader/yaml.h"

enum { SOURCE_MAX_BYTES = 1 << 30 }; // of a file for the configuration layer, which every node holds in memory

void loader_add_input(struct loader *loader, const char *path) {
        *array_append(&loader->inputs.items, &loader->inputs.count) = path;
}

static enum found refuse_outside(struct loader *loader, const char *path, const struct place *from) {
        report(loader->diagnostics, ERR_REFERENCE, from, "`%s` lies outside of the profile tree", path);
        report_hint(loader->diagnostics,
                    "the tree is %s, with `overlays` and `kickstart` beside it, but no .git; --allow-outside DIR opens "
                    "one more place",
                    loader->tree->places.items[0]);
        return FOUND_REFUSED;
}

static enum found find_anything(struct loader *loader, const char *path, const struct place *from,
                                const char **ret_real, struct stat *ret_stat) {
        switch (profile_tree_find(loader->tree, loader->arena, path, ret_real)) {
        case TREE_OUTSIDE:
                return refuse_outside(loader, path, from);
        case TREE_INSIDE:
                if (stat(*ret_real, ret_stat) < 0)
                        return FOUND_NOTHING;
                return FOUND;
        default:
                return FOUND_NOTHING;
        }
}

bool loader_check_size(struct loader *loader, const struct stat *stat, const char *path, const struct place *from) {
        if (stat->st_size <= SOURCE_MAX_BYTES)
                return true;
        report(loader->diagnostics, ERR_SCHEMA, from, "`%s` is larger than 1 GiB", path);
        report_hint(loader->diagnostics, "nodes hold the configuration in memory; large files belong into a package");
        return false;
}

enum found loader_find_file(struct loader *loader, const char *path, const struct place *from, const char **ret_real) {
        struct stat stat;
        const char *real = NULL;
        enum found found = find_anything(loader, path, from, &real, &stat);
        if (found != FOUND)
                return found;
        if (S_ISDIR(stat.st_mode))
                return FOUND_NOTHING;
        if (!S_ISREG(stat.st_mode)) {
                report(loader->diagnostics, ERR_SCHEMA, from, "`%s` is a named pipe, a socket or a device, not a file",
                       path);
                return FOUND_REFUSED;
        }
        if (!loader_check_size(loader, &stat, path, from))
                return FOUND_REFUSED;
        *ret_real = real;
        return FOUND;
}

enum found loader_find_folder(struct loader *loader, const char *path, const struct place *from,
                              const char **ret_real) {
        struct stat stat;
        const char *real = NULL;
        enum found found = find_anything(loader, path, from, &real, &stat);
        if (found != FOUND)
                return found;
        if (!S_ISDIR(stat.st_mode))
                return FOUND_NOTHING;
        *ret_real = real;
        return FOUND;
}

struct strings loader_names(struct loader *loader, const char *folder, const char *suffix) {
        const char *real = NULL;
        if (profile_tree_find(loader->tree, loader->arena, folder, &real) != TREE_INSIDE)
                return (struct strings){ 0 };
        return path_names(loader->arena, real, suffix);
}

// What is absent or a directory is left to the reader of YAML, which has the words for it.
struct value *loader_read(struct loader *loader, const char *path, const struct place *from) {
        const char *real = path;
        enum found found = loader_find_file(loader, path, from, &real);
        if (found == FOUND_REFUSED)
                return NULL;
        struct value *tree = yaml_load(path, real, from, loader->arena, loader->diagnostics);
        if (tree)
                loader_add_input(loader, real);
        return tree;
}
