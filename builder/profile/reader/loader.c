// SPDX-License-Identifier: MIT
#include "profile/reader/loader.h"

#include "profile/reader/paths.h"
#include "profile/reader/yaml.h"

void loader_add_input(struct loader *loader, const char *path) {
        *array_append(&loader->inputs.items, &loader->inputs.count) = path_absolute_here(loader->arena, path);
}

struct value *loader_read(struct loader *loader, const char *path, const struct place *from) {
        struct value *tree = yaml_load(path, from, loader->arena, loader->diagnostics);
        if (tree)
                loader_add_input(loader, path);
        return tree;
}
