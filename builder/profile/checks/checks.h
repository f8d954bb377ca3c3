// SPDX-License-Identifier: MIT
// What tables cannot say of a profile. Each check reports every mistake that it finds, and changes nothing. A new one
// is a function here, called by cluster.c or role.c.
#ifndef KILN_PROFILE_CHECKS_CHECKS_H
#define KILN_PROFILE_CHECKS_CHECKS_H

#include "profile/profile_files.h"
#include "profile/reader/loader.h"

// Something that may be said once only. `key` is in the form that is compared.
struct once {
        const char *key;
        const struct place *place;
};
// A number as a key; "" for 0, which stands for no number.
const char *number_key(struct arena *arena, int number);
// Reports the later ones of equal keys as "duplicate WHAT `KEY`"; empty keys are let through. Sorts the array.
void check_once(struct loader *loader, const char *what, struct once *entries, size_t count);

// Where an item of `key`, a list or a single text, stands. Malformed items are in the tree and not among what was read,
// so the indices differ: an item is known by its pointer, which is the tree's.
const struct place *place_in_row(const struct value *row, const char *key, const char *item);

// Of a role file, and of a role with what it inherits.
void check_role_file(struct loader *loader, const struct role_file *file);
// Whether there is a role of this name in the folder, used or not; `from` asks for it.
bool has_role_file(struct loader *loader, const struct profile_folder *roles, const char *name,
                   const struct place *from);
// Ports, and names of roles: those that have a file in the folder `roles`.
void check_firewall(struct loader *loader, const struct role_file *file, const struct profile_folder *roles);
// A POSIX extended regular expression, which `row` has at `key`, or NULL.
void check_expression(struct loader *loader, const struct value *row, const char *key, const char *text);
// Expressions, and keys that do not fit the kind.
void check_health(struct loader *loader, const struct role_file *file);
// Of a joined role: values and roles that agreements name.
void check_agreements(struct loader *loader, const struct cluster *cluster, const struct role *role,
                      const struct profile_folder *roles);
// What the rows of `rollout` must have.
void check_rollout(struct loader *loader, const struct role_file *file);
// A node's `bmc` is whole.
void check_bmc(struct loader *loader, const struct cluster_file *file);
// Of a joined role: the values, roles and leads that it names.
void check_rollout_places(struct loader *loader, const struct cluster *cluster, const struct role *role);
void check_state_disk(struct loader *loader, const struct value *tree, const struct state_disk *disk);
void check_state_paths(struct loader *loader, const struct role *role);

// A list of kernel arguments as it is written, or NULL: each reaches the kernel through every boot loader.
void check_arguments(struct loader *loader, const struct value *list);
// All arguments of a joined role together, for each of its nodes.
void check_command_line(struct loader *loader, const struct cluster *cluster, const struct role *role);

// A role of the cluster: its folder is one of the published tree. Reported at `from`.
void check_role_name(struct loader *loader, const char *name, const struct place *from);

// Of a cluster file: its own name is free, names, MACs, addresses and VRRP ids are unique, and host names are host
// names.
void check_inventory_names(struct loader *loader, const struct cluster_file *file);
// Subnets, DHCP pools, and what lies in them.
void check_networks(struct loader *loader, const struct cluster_file *file);
// Routes, MTUs, further addresses, bonds and names of cards.
void check_links(struct loader *loader, const struct cluster_file *file);
// Of those: a node's further links; what a bond is; the routes of a network, or of none that is known
// (NULL), as the row's `routes` has them.
void check_node_links(struct loader *loader, const struct cluster_file *file, const struct node *node,
                      const struct value *row);
void check_bond(struct loader *loader, const struct bond *bond, const struct value *written);
void check_route_list(struct loader *loader, const struct network *network, const struct strings *list,
                      const struct value *row);
void check_route6(struct loader *loader, const struct network *network, const char *text, const struct place *place);
// IPv6 of networks, nodes and links.
void check_ipv6(struct loader *loader, const struct cluster_file *file);
// What tells machines apart by SMBIOS.
void check_hardware(struct loader *loader, const struct cluster_file *file);
// Keys that are no keys, and a lowest serial that nothing would check.
void check_trust(struct loader *loader, const struct cluster_file *file);

// Of a joined cluster: warns of what it hardly means.
void check_doubts(struct loader *loader, const struct cluster_file *file, const struct cluster *cluster);

// Names of secrets, and nothing else: what is a value is reported, and taken out of the tree, so that no other message
// shows it.
void check_secret_values(struct loader *loader, struct value *tree);
void refuse_secret_value(struct loader *loader, const struct place *place);
// Names of secrets are given once.
void check_secret_names(struct loader *loader, const struct cluster_file *file);
// Of a cluster file's or a role file's tree: tags of secrets where no node would fill them in.
void check_secret_places(struct loader *loader, const struct value *tree, bool is_role);
// A joined role brings no values of secrets into its image.
void check_secret_files(struct loader *loader, const struct role *role);

// Needs the joined cluster: values of variables whose name is that of a secret, and that everybody knows. Warnings
// only.
void check_known_passwords(struct loader *loader, const struct cluster *cluster);

// Needs the joined cluster: ensembles, ids, users, VIPs' roles.
void check_cluster(struct loader *loader, const struct cluster_file *file, const struct cluster *cluster);
// Needs the joined cluster: what a kickstart file's `http_base` needs and Anaconda has not. Warnings only.
void check_installer(struct loader *loader, const struct cluster *cluster);

// ---- addresses, for the checks and for whoever joins a cluster ----

bool network_holds(const struct network *network, struct in_addr address);
// A host's or VIP's address must be a usable one of some network; returns that network, or NULL after a report.
const struct network *check_address(struct loader *loader, const struct cluster_file *file, struct in_addr address,
                                    const struct place *place, const char *what);

#endif
