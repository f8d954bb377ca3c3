// SPDX-License-Identifier: MIT
#include "init/host_inventory.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

// What a hostile file could cost: all groups that a host is in, and all that hold one.
enum { GROUPS_MAX = 32 };

// Of a group or a host; first in both, for the trees.
struct inventory_name {
        const char *text;
};

struct group_list {
        struct inventory_group **items; // on the arena
        size_t count;
};

struct inventory_group {
        struct inventory_name name;
        struct group_list parents;
};

struct inventory_host {
        struct inventory_name name;
        bool is_listed;
        size_t index; // in the list
        struct group_list groups;
};

static int compare_inventory_names(const void *left, const void *right) {
        const struct inventory_name *a = left, *b = right;
        return strcmp(a->text, b->text);
}

// What has this name, of `size` bytes, zeroed if it is new.
static void *find_or_add_name(struct arena *arena, void **tree, const char *name, size_t size) {
        struct inventory_name wanted = { name };
        void *const *found = tfind(&wanted, tree, compare_inventory_names);
        if (found)
                return *found;
        struct inventory_name *added = arena_alloc(arena, size);
        added->text = arena_strdup(arena, name);
        if (!tsearch(added, tree, compare_inventory_names))
                abort(); // out of memory
        return added;
}

static void group_list_add(struct arena *arena, struct group_list *list, struct inventory_group *group) {
        if (!group || list->count == GROUPS_MAX)
                return;
        for (size_t i = 0; i < list->count; i++)
                if (list->items[i] == group)
                        return;
        list->items = arena_grow(arena, list->items, list->count, sizeof(struct inventory_group *));
        list->items[list->count++] = group;
}

struct inventory_group *inventory_group(struct inventory *inventory, const char *name) {
        if (strcmp(name, "all") == 0 || strcmp(name, "ungrouped") == 0)
                return NULL;
        return find_or_add_name(inventory->list->arena, &inventory->groups, name, sizeof(struct inventory_group));
}

void inventory_group_add_parent(struct inventory *inventory, struct inventory_group *group,
                                struct inventory_group *parent) {
        if (group)
                group_list_add(inventory->list->arena, &group->parents, parent);
}

struct host *inventory_host(struct inventory *inventory, const char *name, struct inventory_group *group,
                            const struct place *place) {
        struct host_list *list = inventory->list;
        if (strchr(name, '[')) {
                report(list->diagnostics, ERR_SCHEMA, place, "`%s` is a range of hosts: write each with its address",
                       name);
                return NULL;
        }
        struct inventory_host *host = find_or_add_name(list->arena, &inventory->hosts, name, sizeof *host);
        if (!host->is_listed) {
                inventory->members =
                    arena_grow(list->arena, inventory->members, list->hosts.count, sizeof(struct inventory_host *));
                inventory->members[list->hosts.count] = host;
                host->index = list->hosts.count;
                host->is_listed = true;
                host_list_add(list, place)->name = host->name.text;
        }
        group_list_add(list->arena, &host->groups, group);
        return &list->hosts.items[host->index];
}

// The list grows while it is gone through: what holds a group follows all that hold the host.
static void name_groups(struct arena *arena, const struct inventory_host *host, struct host *ret) {
        struct group_list all = { 0 };
        for (size_t i = 0; i < host->groups.count; i++)
                group_list_add(arena, &all, host->groups.items[i]);
        for (size_t i = 0; i < all.count; i++) {
                const struct group_list *parents = &all.items[i]->parents;
                for (size_t j = 0; j < parents->count; j++)
                        group_list_add(arena, &all, parents->items[j]);
        }
        for (size_t i = 0; i < all.count; i++)
                strings_add_once(arena, &ret->groups, all.items[i]->name.text);
}

static void forget_nothing(void *node) { (void)node; } // nodes are the arena's

void inventory_finish(struct inventory *inventory) {
        struct host_list *list = inventory->list;
        for (size_t i = 0; i < list->hosts.count; i++)
                name_groups(list->arena, inventory->members[i], &list->hosts.items[i]);
        tdestroy(inventory->groups, forget_nothing);
        tdestroy(inventory->hosts, forget_nothing);
}
