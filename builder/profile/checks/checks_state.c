// SPDX-License-Identifier: MIT
// Checks of the state disk and of the paths on it.
#include <string.h>

#include "profile/checks/checks.h"

void check_state_disk(struct loader *loader, const struct value *tree, const struct state_disk *disk) {
        const struct value *map = schema_given(tree, "state_disk");
        if (!map)
                return;
        // The medium and the config drive are found by label too.
        if (strcmp(disk->label, "KILN") == 0)
                report(loader->diagnostics, ERR_SCHEMA, schema_place(map, "label"),
                       "`label` must not be KILN, the label of boot media and config drives");
        const struct state_claim *claim = &disk->claim;
        if (claim->max_gb > 0 && claim->max_gb < claim->min_gb)
                report(loader->diagnostics, ERR_SCHEMA, schema_place(schema_given(map, "claim"), "max_gb"),
                       "`max_gb` (%d) is smaller than `min_gb` (%d): no disk can match", claim->max_gb, claim->min_gb);
}

bool role_fetches_root(const struct role *role) { return role->state_disk.wanted && role->state_disk.root_cache; }

static bool is_inside(const char *path, const char *other) {
        size_t size = strlen(other);
        return strncmp(path, other, size) == 0 && path[size] == '/';
}

void check_state_paths(struct loader *loader, const struct role *role) {
        for (size_t i = 0; i < role->state_count; i++)
                for (size_t j = 0; j < role->state_count; j++) {
                        if (!is_inside(role->state[i].path, role->state[j].path))
                                continue;
                        report(loader->diagnostics, ERR_SCHEMA, &role->state[i].place,
                               "role `%s`: state path `%s` lies inside state path `%s`", role->name,
                               role->state[i].path, role->state[j].path);
                        report_hint(loader->diagnostics, "what lies inside outlives reboots already: remove this one");
                }
}
