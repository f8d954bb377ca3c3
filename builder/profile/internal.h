// SPDX-License-Identifier: MIT
// What the files of builder/profile share. The readers of files are in reader/, the checks in checks/.
#ifndef KILN_PROFILE_INTERNAL_H
#define KILN_PROFILE_INTERNAL_H

#include "profile/profile.h"
#include "profile/profile_files.h"
#include "profile/reader/loader.h"

extern const struct schema cluster_schema, release_schema, role_schema, defaults_schema, state_disk_table,
    rollout_table;

// ---- folders ----

// Fills in `folders`. False after a report.
bool profile_folders_read(struct loader *loader, const char *path, struct cluster_file *file);
// profile_folder_path() for what belongs to a role file, the overlay that is called like it and such: an own role does
// not take the installed one's.
const char *profile_folder_path_of(struct loader *loader, const struct profile_folder *folder, const char *name,
                                   const struct role_file *role);

// ---- roles ----

// Every role file that was asked for, by name.
struct role_library {
        struct role_file **files; // heap array
        size_t count;
        const struct profile_folders *folders;
        const struct strings *fragments;   // what each role of the cluster inherits beside its own parents; or NULL
        const struct value *fragment_list; // as written
        const struct role_file *youngest;  // whose lineage is collected
};

// NULL after a report (at `from`, what asked for it).
struct role_file *role_file_get(struct loader *loader, struct role_library *library, const char *name,
                                const struct place *from);
// The role with everything that it inherits, in the release's names.
void role_join(struct loader *loader, struct role_library *library, const struct release *release,
               struct role_file *file, struct role *ret);
// Reports what roles of a lineage (ancestors first, the role itself last) say differently of one thing without one of
// them being the other's ancestor.
void check_parents(struct loader *loader, const struct role_library *library, struct role_file *const *files,
                   size_t count);

// If the file with this tree has a `state_disk`, it is what holds, whole.
void state_disk_join(const struct value *tree, const struct state_disk *written, struct state_disk *into);

// The same of a role file's `rollout`. A role of which none is written is taken in the middle, node by node.
enum { ROLLOUT_ORDER = 50 };
void rollout_join(const struct value *tree, const struct rollout_keys *written, struct rollout_keys *into);

// Appends to an arena array, or replaces the file of the same path.
void file_put(struct arena *arena, struct file **files, size_t *count, const struct file *file);
// An overlay folder appended to `files`, files of the same path replaced. False if there is no such folder. One that is
// not to be read is reported at `from`.
bool overlay_add(struct loader *loader, const char *folder, const struct place *from, struct file **files,
                 size_t *count);
// Tells of each file of an overlay whose mode neither overlays keep nor the role's `attributes` set.
void check_lost_modes(struct loader *loader, const struct role *role);
// Reports a script whose first line ends in CR LF. `name` is below `dir`, `shown` is what the user calls it.
void check_script_lines(struct loader *loader, int dir, const char *name, const char *shown);

// Whom the rules of a role name, as templates see it. Needs the joined cluster.
struct value *firewall_value(struct arena *arena, const struct cluster *cluster, const struct role *role);

// `special` over `general`, in new maps where both say something; either may be NULL.
const struct value *variables_merge(struct arena *arena, const struct value *general, const struct value *special);

// ---- the release, --set ----

// A release file into `ret`; false after a report that leaves nothing to go on with.
bool release_read(struct loader *loader, const char *path, const struct place *from, struct release *ret);

// "KEY.KEY=VALUE" put into the tree; VALUE is YAML. Lists take an index or the `name` of an item.
void override_apply(struct loader *loader, struct value *tree, const char *assignment);

// ---- templates ----

// Makes what the roles' scopes share, once: its size is the inventory's. Needs the joined cluster.
void scope_prepare(struct cluster *cluster);
// Scope that kiln-node gives the templates that were left for it: { node: { name, ip, ... } }.
struct value *node_scope(struct arena *arena, const struct cluster *cluster, const struct node *node);
// node.others of that scope, which is made where a template asks for it, because its size is the inventory's: for each
// role of the cluster's scope its nodes but this one. NULL: a machine that the inventory does not know.
struct value *others_value(struct arena *arena, const struct cluster *cluster, const struct node *self);
// The same of a machine that the inventory does not know, and that the role takes.
struct value *stranger_scope(struct arena *arena, const struct cluster *cluster, const struct role *role);
// What messages call a template: the file, as seen from the working directory; of a text in a role file "PATH (PLACE)".
const char *template_name(struct arena *arena, const struct file *file);
// Renders every template of every role, for the build and then for each node and for a stranger, and fills in the
// targets of links.
void templates_try(struct loader *loader, struct cluster *cluster);

// ---- who gets in ----

// What the roles' files say of it so far.
struct access {
        bool has_way_in;           // a key, a password, or a file of something that knows some
        const char *path;          // an authorized_keys file without a key
        const char *variable;      // what fills it, "variables.ssh_authorized_keys"; NULL: not known
        const struct place *place; // of either
};
// Looks at one role's files, as they will be in the image: reports what is no key, or a private one. `scope` is the
// role's, and every template renders.
void access_of_role(struct loader *loader, const struct role *role, const struct value *scope, struct access *access);
// Warns if no role lets anybody in.
void access_finish(struct loader *loader, const struct cluster *cluster, const struct access *access);

#endif
