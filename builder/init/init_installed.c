// SPDX-License-Identifier: MIT
// What a first cluster can be made of: the roles and releases that are installed.
#include "base/locations.h"
#include "init/init.h"
#include "profile/reader/paths.h"
#include "profile/reader/yaml.h"

static bool is_abstract_role(struct arena *arena, const char *path) {
        auto_diagnostics ignored = { .arena = arena };
        const struct value *tree = yaml_load(path, path, NULL, arena, &ignored);
        return !tree || value_truth(value_get(tree, "abstract"));
}

bool init_roles(struct arena *arena, struct strings *ret, struct err *err) {
        struct locations locations;
        if (!locations_find(arena, &locations, err))
                return false;
        const char *folder = arena_printf(arena, "%s/profiles/roles", locations.examples);
        struct strings names = path_names(arena, folder, ".yaml");
        *ret = (struct strings){ 0 };
        for (size_t i = 0; i < names.count; i++)
                if (!is_abstract_role(arena, arena_printf(arena, "%s/%s.yaml", folder, names.items[i])))
                        strings_add_once(arena, ret, names.items[i]);
        if (ret->count > 0)
                return true;
        fail(err, ERR_SYSTEM, 0, "no roles are installed in %s", folder);
        return hint(err, "`make install` puts them there");
}

bool init_releases(struct arena *arena, struct strings *ret, struct err *err) {
        struct locations locations;
        if (!locations_find(arena, &locations, err))
                return false;
        *ret = path_names(arena, arena_printf(arena, "%s/profiles/releases", locations.examples), ".yaml");
        return true;
}
