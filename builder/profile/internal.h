// SPDX-License-Identifier: MIT
// What the files of builder/profile share: the structs that the tables fill before they are joined into a cluster.
#ifndef KILN_PROFILE_INTERNAL_H
#define KILN_PROFILE_INTERNAL_H

#include "profile/diagnostics.h"
#include "profile/profile.h"
#include "profile/schema.h"

// One run of reading: everything that the readers need.
struct loader {
        struct arena *arena;
        struct diagnostics *diagnostics;
        struct schema_reader reader;
        struct strings inputs; // files that were read or will be rendered; a heap array
};

void loader_add_input(struct loader *loader, const char *path);
// Reads a file, remembers it as an input. NULL after a report.
struct value *loader_read(struct loader *loader, const char *path, const struct place *from);

// ---- paths ----

// `path` as seen from the directory of `file`; absolute ones stay.
const char *path_beside(struct arena *arena, const char *file, const char *path);
// Absolute, links of the file's directory resolved, "." and ".." gone.
const char *path_absolute(struct arena *arena, const char *file, const char *path);
// The names in a directory that end in `suffix` (which is taken off), sorted; empty if there is no such directory.
struct strings path_names(struct arena *arena, const char *directory, const char *suffix);
const char *path_stem(struct arena *arena, const char *path); // "profiles/roles/base.yaml" -> "base"
bool path_is_directory(const char *path);
bool path_is_file(const char *path);

// Hints "did you mean NEAREST?", or else what there is.
void report_known(struct diagnostics *diagnostics, const char *wanted, const struct strings *known);

// ---- lists of texts ----

bool strings_have(const struct strings *strings, const char *text);
// On the arena; an equal text is not added again.
void strings_add_once(struct arena *arena, struct strings *strings, const char *text);
void strings_remove(struct strings *strings, const char *text);

// ---- the files ----

struct cluster_paths {
        const char *roles, *releases, *overlays, *kickstart; // as seen from the working directory
};

struct node_row {
        struct node node;
        const char *role;
};

struct cluster_file {
        struct place place;
        const char *name, *release, *report_url;
        struct cluster_paths paths;
        struct strings roles;
        struct network *networks;
        size_t network_count;
        struct vip *vips;
        size_t vip_count;
        struct node_row *nodes;
        size_t node_count;
        const struct value *variables;
        struct dhcp_profile dhcp;
        struct state_disk state_disk;
        const struct value *tree; // for the places of single values
};

struct attributes {
        struct place place;
        const char *path, *owner, *group;
        int mode;
};

// A role file as written; what a row does not give is NULL, -1 or empty.
struct role_file {
        struct place place;
        const char *name, *path, *description;
        struct strings inherits, packages, overlays;
        int ensemble, strangers;
        struct strings services_enable, services_disable, services_cluster;
        const char *default_target, *overlay_size, *on_failure;
        int64_t reboot_delay_s;
        const struct value *sysctl;
        struct user *users;
        size_t user_count;
        struct file *files;
        size_t file_count;
        struct attributes *attributes;
        size_t attribute_count;
        struct strings remove, kernel_arguments;
        struct state_path *state;
        size_t state_count;
        struct state_disk state_disk;        // as written: `wanted` is state_disk_join()'s
        int reserve_memory_mb, reserve_cpus; // -1: not given
        struct health_check *health;
        size_t health_count;
        const char *kickstart;
        const struct value *tree;
        bool usable;   // it was read; otherwise that was reported
        bool visiting; // inheritance: on the way from the role to its ancestors
};

// Every role file that was asked for, by name.
struct role_library {
        struct role_file **files; // heap array
        size_t count;
        const struct cluster_paths *paths;
};

extern const struct schema cluster_schema, release_schema, role_schema, state_disk_table;

// If the file with this tree has a `state_disk`, it is what holds, whole.
void state_disk_join(const struct value *tree, const struct state_disk *written, struct state_disk *into);

// NULL after a report (at `from`, what asked for it).
struct role_file *role_file_get(struct loader *loader, struct role_library *library, const char *name,
                                const struct place *from);

// A unit with its suffix: "sshd" is "sshd.service".
const char *unit_name(struct arena *arena, const char *name);

// The overlay folder NAME appended to `files`, files of the same path replaced. False if there is no such folder.
bool overlay_add(struct loader *loader, const char *overlays, const char *name, struct file **files, size_t *count);
// Appends to an arena array, or replaces the file of the same path.
void file_put(struct arena *arena, struct file **files, size_t *count, const struct file *file);

// The role with everything that it inherits, in the release's names.
void role_join(struct loader *loader, struct role_library *library, const struct release *release,
               struct role_file *file, struct role *ret);

// A release file into `ret`; false after a report that leaves nothing to go on with.
bool release_read(struct loader *loader, const char *path, const struct place *from, struct release *ret);

// "KEY.KEY=VALUE" put into the tree; VALUE is YAML. Lists take an index or the `name` of an item.
void override_apply(struct loader *loader, struct value *tree, const char *assignment);

// ---- checks ----

// Something that may be said once only. `key` is in the form that is compared.
struct once {
        const char *key;
        const struct place *place;
};
// Reports the later ones of equal keys as "duplicate WHAT `KEY`"; empty keys are let through. Sorts the array.
void check_once(struct loader *loader, const char *what, struct once *entries, size_t count);

void check_role_file(struct loader *loader, const struct role_file *file);
void check_state_disk(struct loader *loader, const struct value *tree, const struct state_disk *disk);
void check_state_paths(struct loader *loader, const struct role *role);
void check_networks(struct loader *loader, const struct cluster_file *file);
void check_names(struct loader *loader, const struct cluster_file *file);
const char *lower_text(struct arena *arena, const char *text); // "" for NULL
// Needs the joined cluster: ensembles, ids, references to networks.
void check_cluster(struct loader *loader, const struct cluster_file *file, struct cluster *cluster);
// Renders every template of every role, for the build and then for each node.
void check_templates(struct loader *loader, struct cluster *cluster);

// Makes what the roles' scopes share, once: its size is the inventory's. Needs the joined cluster.
void scope_prepare(struct cluster *cluster);
// Scope that kiln-node gives the templates that were left for it: { node: { name, ip, ... } }.
struct value *node_scope(struct arena *arena, const struct cluster *cluster, const struct node *node);

// What is wrong with a host name (RFC 1123, and short enough for Linux), or NULL.
const char *hostname_problem(const char *name);
bool network_holds(const struct network *network, struct in_addr address);
// A host's or VIP's address must be a usable one of some network; returns that network, or NULL after a report.
const struct network *check_address(struct loader *loader, const struct cluster_file *file, struct in_addr address,
                                    const struct place *place, const char *what);
// Routes, MTUs, further addresses, bonds and names of cards.
void check_links(struct loader *loader, const struct cluster_file *file);

// checks_hardware.c
void check_hardware(struct loader *loader, const struct cluster_file *file);
bool mac_read(const char *text, unsigned char ret[static 6]);          // six hexadecimal pairs joined by ':' or '-'
const char *address_text(struct arena *arena, struct in_addr address); // "" for 0

#endif
