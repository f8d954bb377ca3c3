// SPDX-License-Identifier: MIT
#include "firmware/node/plan_templates.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "firmware/node/facts/capacity.h"
#include "firmware/node/inventory/inventory.h"
#include "shared/node_config.h"
#include "shared/template.h"

static void scope_text(struct arena *arena, struct value *map, const char *key, const char *text) {
        value_set(arena, map, key, value_scalar(arena, arena_strdup(arena, text)));
}

static void scope_address(struct arena *arena, struct value *map, const char *key, uint32_t address) {
        char text[ADDRESS_TEXT_SIZE] = "";
        if (address)
                address_format(address, text);
        scope_text(arena, map, key, text);
}

// A number that the machine does not have is null: empty where it is printed, false as a section.
static void scope_number(struct arena *arena, struct value *map, const char *key, int number, bool known) {
        char text[16];
        snprintf(text, sizeof text, "%d", number);
        if (known)
                scope_text(arena, map, key, text);
        else
                value_set(arena, map, key, arena_alloc(arena, sizeof(struct value)));
}

static struct value *machine_scope(struct arena *arena, const struct facts *facts) {
        const struct state_settings *state = &facts->inventory->state;
        const struct capacity capacity = capacity_of(facts, state->reserve_memory_mb, state->reserve_cpus);
        struct value *machine = value_map(arena);
        scope_number(arena, machine, "memory_mb", (int)capacity.memory_mb, capacity.memory_mb > 0);
        scope_number(arena, machine, "cpus", (int)capacity.cpus, capacity.cpus > 0);
        scope_number(arena, machine, "task_memory_mb", (int)capacity.task_memory_mb, capacity.memory_mb > 0);
        scope_number(arena, machine, "task_cpus", (int)capacity.task_cpus, capacity.cpus > 0);
        return machine;
}

// What the inventory says of the machine; of a stranger it says nothing.
static void scope_inventory(struct arena *arena, struct value *node, const struct identity *identity) {
        const struct inventory_node *known = identity->node;
        const char *network = "";
        if (identity->network)
                network = identity->network->name;
        scope_text(arena, node, "network", network);
        if (known) {
                scope_number(arena, node, "index", known->index, true);
                value_set(arena, node, "variables", known->variables);
        } else {
                scope_number(arena, node, "index", 0, false);
                value_set(arena, node, "variables", value_map(arena));
        }
}

static struct value *make_scope(struct arena *arena, const struct facts *facts, const struct identity *identity,
                                const char *interface) {
        struct value *node = value_map(arena), *scope = value_map(arena), *dns = value_list(arena);
        const struct name_servers *servers = &identity->name_servers;
        char mac[MAC_TEXT_SIZE], address[ADDRESS_TEXT_SIZE];
        mac_format(&identity->interface->mac, mac);
        scope_text(arena, node, "name", identity_node_name(identity));
        scope_text(arena, node, "hostname", identity->hostname);
        scope_text(arena, node, "role", facts->inventory->role);
        scope_address(arena, node, "ip", identity->address);
        scope_text(arena, node, "mac", mac);
        scope_number(arena, node, "id", identity->id, identity->id > 0);
        scope_number(arena, node, "prefix", identity->prefix, true);
        scope_address(arena, node, "netmask", mask_of_prefix(identity->prefix));
        scope_address(arena, node, "gateway", identity->gateway);
        scope_text(arena, node, "interface", interface);
        for (size_t i = 0; i < servers->first_count; i++) {
                address_format(servers->first[i], address);
                value_append(arena, dns, value_scalar(arena, arena_strdup(arena, address)));
        }
        value_set(arena, node, "dns", dns);
        value_set(arena, node, "machine", machine_scope(arena, facts));
        scope_inventory(arena, node, identity);
        value_set(arena, scope, "node", node);
        return scope;
}

bool plan_add_templates(struct plan *plan, const struct facts *facts, const struct identity *identity,
                        const char *interface, struct err *err) {
        assert(identity->interface && interface);
        const struct inventory *inventory = facts->inventory;
        const struct value *scope = make_scope(&plan->arena, facts, identity, interface);
        for (size_t i = 0; i < inventory->template_count; i++) {
                const struct inventory_template *template = &inventory->templates[i];
                const char *text = facts->template_texts[i];
                auto_buf output = { .max = NODE_TEMPLATE_MAX_BYTES };
                if (!template_render(template->path, text, strlen(text), scope, NULL, &output, NULL, err))
                        return false;
                if (output.overflow)
                        return fail(err, ERR_TEMPLATE, 0, "%s: longer than %d bytes", template->path,
                                    NODE_TEMPLATE_MAX_BYTES);
                plan_add_file(plan, template->path, template->mode, &output);
                plan->files[plan->file_count - 1].uid = template->uid;
                plan->files[plan->file_count - 1].gid = template->gid;
        }
        return true;
}
