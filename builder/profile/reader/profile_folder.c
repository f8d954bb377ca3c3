// SPDX-License-Identifier: MIT
#include "profile/reader/profile_folder.h"

#include <fcntl.h>

#include "base/fs.h"

const char *profile_folder_path(struct loader *loader, const struct profile_folder *folder, const char *name) {
        const char *own = arena_printf(loader->arena, "%s/%s", folder->own, name);
        if (!folder->example || fs_exists(AT_FDCWD, own))
                return own;
        const char *example = arena_printf(loader->arena, "%s/%s", folder->example, name);
        if (!fs_exists(AT_FDCWD, example))
                return own;
        return example;
}

struct strings profile_folder_names(struct loader *loader, const struct profile_folder *folder, const char *suffix) {
        struct strings names = loader_names(loader, folder->own, suffix);
        struct strings more = { 0 };
        if (folder->example)
                more = loader_names(loader, folder->example, suffix);
        for (size_t i = 0; i < more.count; i++)
                strings_add_once(loader->arena, &names, more.items[i]);
        strings_sort(&names);
        return names;
}
