// SPDX-License-Identifier: MIT
// Fuzz target: profiles. The first byte chooses the kind of file (c, r, other: role); the rest is YAML. Whatever it
// holds, reading and checking must end, in reported mistakes or in structs without wild pointers.
//     clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ibuilder -I. tests/fuzz/profile.c
//         builder/profile/*.c builder/base/*.c -lyaml -lcrypto -ljansson -lm && ./a.out tests/fuzz/profile.corpus
// tests/unit/profile_fuzz.c replays the corpus on every run.
#include <stdint.h>
#include <string.h>

#include "profile/checks/checks.h"
#include "profile/internal.h"
#include "profile/reader/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_kind(struct loader *loader, char kind, struct value *tree) {
        if (kind == 'c') {
                struct cluster_file file = { .tree = tree };
                schema_read(&loader->reader, &cluster_schema, tree, &file);
                if (tree->type != VALUE_MAP)
                        return;
                override_apply(loader, tree, "nodes.0.name=x");
                check_inventory_names(loader, &file);
                check_networks(loader, &file);
        } else if (kind == 'r') {
                struct release release = { 0 };
                schema_read(&loader->reader, &release_schema, tree, &release);
        } else {
                struct role_file role = { .tree = tree };
                schema_read(&loader->reader, &role_schema, tree, &role);
                if (tree->type == VALUE_MAP)
                        check_role_file(loader, &role);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        if (size == 0)
                return 0;
        struct arena arena = { 0 };
        struct diagnostics diagnostics = { .arena = &arena };
        struct loader loader = { &arena, &diagnostics, { &arena, &diagnostics }, NULL, { 0 } };
        struct value *tree = yaml_parse("f", (const char *)data + 1, size - 1, &arena, &diagnostics);
        if (tree)
                read_kind(&loader, (char)data[0], tree);
        struct err err = { 0 };
        if (diagnostics_finish(&diagnostics, &err) != (diagnostics.mistake_count == 0) || (!tree && !err.text))
                abort();
        err_release(&err);
        diagnostics_release(&diagnostics);
        arena_release(&arena);
        return 0;
}
