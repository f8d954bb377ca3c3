// SPDX-License-Identifier: MIT
// Hosts and groups of an Ansible inventory, whatever it is written in. A host is known by its name in the inventory,
// which is not always the machine's. Zeroed but for `list` is empty; inventory_finish() ends it.
#ifndef KILN_INIT_HOST_INVENTORY_H
#define KILN_INIT_HOST_INVENTORY_H

#include "init/internal.h"

struct inventory_group;

struct inventory {
        struct host_list *list;
        void *groups, *hosts;            // trees of tsearch(3), by name
        struct inventory_host **members; // as list->hosts
};

// Adds it if it is new. NULL for "all" and "ungrouped", which are every inventory's.
struct inventory_group *inventory_group(struct inventory *inventory, const char *name);
// Either may be NULL.
void inventory_group_add_parent(struct inventory *inventory, struct inventory_group *group,
                                struct inventory_group *parent);
// The host, added if it is new, is in the group, too, which may be NULL. NULL: it was reported that a name cannot be.
// The pointer is good until the next host is added.
struct host *inventory_host(struct inventory *inventory, const char *name, struct inventory_group *group,
                            const struct place *place);
// Gives each host the names of its groups: those in which it stands, in their order, then those that hold these.
void inventory_finish(struct inventory *inventory);

#endif
