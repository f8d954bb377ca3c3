// SPDX-License-Identifier: MIT
// Fuzz target: node.json, the inventory in a configuration layer. What is taken is what the rest of kiln-node relies
// on. Build with clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ibuilder -I. and what tests/fuzz/node_facts.c
// names.
#include <string.h>

#include "firmware/node/facts/facts.h"
#include "firmware/node/inventory/inventory.h"
#include "tests/fuzz/cmdline_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_node(const struct inventory_node *node) {
        must(node->name && node->role && node->network && node->serial && node->uuid && node->asset_tag);
        must(node->id >= 0 && node->id <= 255 && hostname_is_valid(node->name) && is_link(node->interface));
        for (size_t i = 0; i < node->address_count; i++)
                must(node->addresses[i].network != NULL);
}

static void check_inventory(const struct inventory *inventory) {
        must(inventory->cluster && inventory->role && inventory->build && inventory->network_writer &&
             inventory->hosts);
        for (size_t i = 0; i < inventory->network_count; i++)
                must(inventory->networks[i].prefix >= 0 && inventory->networks[i].prefix <= 32);
        for (size_t i = 0; i < inventory->node_count; i++)
                check_node(&inventory->nodes[i]);
        for (size_t i = 0; i < inventory->vip_count; i++)
                must(inventory->vips[i].name != NULL);
        for (size_t i = 0; i < inventory->template_count; i++)
                must(inventory->templates[i].path[0] == '/' && inventory->templates[i].source[0] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct arena arena = { 0 };
        struct inventory inventory;
        struct err err = { 0 };
        if (inventory_read((const char *)data, size, &arena, &inventory, &err))
                check_inventory(&inventory);
        else
                must((err.kind == ERR_SYNTAX || err.kind == ERR_SCHEMA) && err.text);
        err_release(&err);
        arena_release(&arena);
        return 0;
}
