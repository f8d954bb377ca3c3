// SPDX-License-Identifier: MIT
#include "firmware/node/plan_templates.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "firmware/node/facts/capacity.h"
#include "firmware/node/inventory/inventory.h"
#include "firmware/node/inventory/inventory_find.h"
#include "firmware/node/secrets/secret_source.h"
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

// ---- the other nodes ----

static void scope_ipv6(struct arena *arena, struct value *map, const struct inventory_node *node) {
        char address[ADDRESS_ANY_TEXT_SIZE] = "", gateway[ADDRESS_ANY_TEXT_SIZE] = "";
        bool has_any = node && node->address6_count > 0;
        int prefix = 0;
        if (has_any) {
                address_format_any(&node->addresses6[0].ip, address);
                address_format_any(&node->addresses6[0].network->gateway6, gateway);
                prefix = node->addresses6[0].network->prefix6;
        }
        scope_text(arena, map, "ip6", address);
        scope_number(arena, map, "prefix6", prefix, has_any);
        scope_text(arena, map, "gateway6", gateway);
}

static struct value *other_scope(struct arena *arena, const struct inventory_node *other) {
        struct value *map = value_map(arena);
        char mac[MAC_TEXT_SIZE] = "";
        if (other->has_mac)
                mac_format(&other->mac, mac);
        scope_text(arena, map, "name", other->name);
        scope_text(arena, map, "role", other->role);
        scope_address(arena, map, "ip", other->ip);
        scope_text(arena, map, "mac", mac);
        scope_number(arena, map, "id", other->id, other->id > 0);
        scope_number(arena, map, "index", other->index, true);
        scope_number(arena, map, "prefix", other->network->prefix, true);
        scope_address(arena, map, "netmask", mask_of_prefix(other->network->prefix));
        scope_address(arena, map, "gateway", other->network->gateway);
        scope_ipv6(arena, map, other);
        return map;
}

static void scope_others_of_role(struct arena *arena, struct value *others, const struct inventory *inventory,
                                 const struct inventory_node *self, const char *role) {
        struct value *list = value_list(arena);
        if (value_get(others, role))
                return;
        for (size_t i = 0; i < inventory->node_count; i++) {
                const struct inventory_node *node = &inventory->nodes[i];
                if (node != self && inventory_node_is(inventory, node, role))
                        value_append(arena, list, other_scope(arena, node));
        }
        value_set(arena, others, role, list);
}

static struct value *others_scope(struct arena *arena, const struct inventory *inventory,
                                  const struct inventory_node *self) {
        struct value *others = value_map(arena);
        for (size_t i = 0; i < inventory->role_count; i++) {
                const struct inventory_role *role = &inventory->roles[i];
                scope_others_of_role(arena, others, inventory, self, role->name);
                for (size_t j = 0; j < role->ancestors.count; j++)
                        scope_others_of_role(arena, others, inventory, self, role->ancestors.items[j]);
        }
        return others;
}

// What the inventory says of the machine; of a stranger it knows what holds for all.
static void scope_inventory(struct arena *arena, struct value *node, const struct inventory *inventory,
                            const struct identity *identity) {
        const struct inventory_node *known = identity->node;
        const char *network = "";
        if (identity->network)
                network = identity->network->name;
        scope_text(arena, node, "network", network);
        value_set(arena, node, "others", others_scope(arena, inventory, known));
        if (known) {
                scope_number(arena, node, "index", known->index, true);
                value_set(arena, node, "variables", known->variables);
        } else {
                scope_number(arena, node, "index", 0, false);
                value_set(arena, node, "variables", inventory->stranger_variables);
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
        scope_ipv6(arena, node, identity->node);
        scope_text(arena, node, "interface", interface);
        for (size_t i = 0; i < servers->first_count; i++) {
                address_format(servers->first[i], address);
                value_append(arena, dns, value_scalar(arena, arena_strdup(arena, address)));
        }
        value_set(arena, node, "dns", dns);
        value_set(arena, node, "machine", machine_scope(arena, facts));
        scope_inventory(arena, node, facts->inventory, identity);
        value_set(arena, scope, "node", node);
        return scope;
}

// ---- secrets ----

static struct value *scope_of_secret(struct arena *arena, const struct facts *facts, const char *name, bool shown) {
        const struct secret_source *source;
        const char *value = secret_sources_find(facts->secret_sources, facts->secret_source_count, name, &source);
        if (!value)
                return arena_alloc(arena, sizeof(struct value)); // null: false as a section
        if (shown)
                value = arena_printf(arena, "{{" TEMPLATE_SECRETS ".%s}}", name);
        return value_scalar(arena, value); // which does not copy it
}

// `shown`: their names stand for the values.
static void scope_secrets(struct arena *arena, const struct facts *facts, struct value *scope, bool shown) {
        const struct strings *names = &facts->inventory->secrets;
        struct value *secrets = value_map(arena);
        for (size_t i = 0; i < names->count; i++)
                value_set(arena, secrets, names->items[i], scope_of_secret(arena, facts, names->items[i], shown));
        value_set(arena, scope, TEMPLATE_SECRETS, secrets);
}

static bool lacks_a_secret(const struct facts *facts, const struct inventory_template *template) {
        const struct secret_source *source;
        for (size_t i = 0; i < template->secrets.count; i++)
                if (!secret_sources_find(facts->secret_sources, facts->secret_source_count, template->secrets.items[i],
                                         &source))
                        return true;
        return false;
}

static bool speaks_of_secrets(const struct template *template) {
        struct template_secret secret;
        size_t at = 0;
        return template_next_secret(template, &at, &secret);
}

// ---- files ----

static bool render_bounded(const struct inventory_template *file, const struct template *template,
                           const struct value *scope, struct buf *ret, struct err *err) {
        if (!template_apply(template, scope, NULL, ret, NULL, err))
                return false;
        return !ret->overflow ||
               fail(err, ERR_TEMPLATE, 0, "%s: longer than %d bytes", file->path, NODE_TEMPLATE_MAX_BYTES);
}

static bool add_rendered_file(struct plan *plan, const struct inventory_template *file, const char *text,
                              const struct value *scope, const struct value *shown_scope, struct err *err) {
        auto_wiped output = { .max = NODE_TEMPLATE_MAX_BYTES };
        auto_buf shown = { .max = NODE_TEMPLATE_MAX_BYTES };
        auto_template *template = NULL;
        if (!template_open(file->path, text, strlen(text), &template, err) ||
            !render_bounded(file, template, scope, &output, err))
                return false;
        plan_add_file(plan, file->path, file->mode, &output);
        struct plan_file *added = &plan->files[plan->file_count - 1];
        added->uid = file->uid;
        added->gid = file->gid;
        if (!speaks_of_secrets(template))
                return true;
        if (!render_bounded(file, template, shown_scope, &shown, err))
                return false;
        added->shown = arena_strdup(&plan->arena, buf_text(&shown));
        return true;
}

bool plan_add_templates(struct plan *plan, const struct facts *facts, const struct identity *identity,
                        const char *interface, struct err *err) {
        assert(identity->interface && interface);
        const struct inventory *inventory = facts->inventory;
        struct value *scope = make_scope(&plan->arena, facts, identity, interface);
        struct value *shown_scope = make_scope(&plan->arena, facts, identity, interface);
        scope_secrets(&plan->arena, facts, scope, false);
        scope_secrets(&plan->arena, facts, shown_scope, true);
        for (size_t i = 0; i < inventory->template_count; i++) {
                const struct inventory_template *file = &inventory->templates[i];
                if (lacks_a_secret(facts, file))
                        plan_add_remove(plan, file->path); // of an earlier run
                else if (!add_rendered_file(plan, file, facts->template_texts[i], scope, shown_scope, err))
                        return false;
        }
        return true;
}
