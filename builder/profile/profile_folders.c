// SPDX-License-Identifier: MIT
// The folders of roles, releases, overlays and kickstart templates: the cluster's own, and behind them those that are
// installed with kiln, so that a cluster of one's own is one file until it needs more.
#include <stddef.h>

#include "base/locations.h"
#include "profile/internal.h"
#include "profile/reader/paths.h"

static const struct {
        const char *key, *example; // in `paths`; below locations.examples
        size_t path, folder;       // in struct cluster_paths; in struct profile_folders
} folder_table[] = {
#define FOLDER(name, example)                                                                                          \
        { #name, example, offsetof(struct cluster_paths, name), offsetof(struct profile_folders, name) }
        FOLDER(roles, "profiles/roles"),
        FOLDER(releases, "profiles/releases"),
        FOLDER(overlays, "overlays"),
        FOLDER(kickstart, "kickstart"),
#undef FOLDER
};

bool profile_folders_read(struct loader *loader, const char *path, struct cluster_file *file) {
        const struct value *paths = value_get(file->tree, "paths");
        struct locations locations;
        auto_err absent = { 0 };
        bool ok = true, is_installed = locations_find(loader->arena, &locations, &absent);
        for (size_t i = 0; i < lengthof(folder_table); i++) {
                struct profile_folder *folder = (void *)((char *)&file->folders + folder_table[i].folder);
                const char *written = *(const char **)((char *)&file->paths + folder_table[i].path), *real = NULL;
                const struct place *from = &file->place;
                bool is_said = paths && value_get(paths, folder_table[i].key);
                if (is_said)
                        from = schema_place(paths, folder_table[i].key);
                folder->own = path_beside(loader->arena, path, text_or(written, ""));
                // One that leads elsewhere is told of once, and not again for each file in it.
                if (loader_find_folder(loader, folder->own, from, &real) == FOUND_REFUSED)
                        ok = false;
                if (is_installed && !is_said)
                        folder->example =
                            arena_printf(loader->arena, "%s/%s", locations.examples, folder_table[i].example);
        }
        return ok;
}

const char *profile_folder_path_of(struct loader *loader, const struct profile_folder *folder, const char *name,
                                   const struct role_file *role) {
        struct profile_folder alone = { .own = folder->own };
        if (role->is_example)
                alone.example = folder->example;
        return profile_folder_path(loader, &alone, name);
}
