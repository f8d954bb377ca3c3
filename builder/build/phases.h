// SPDX-License-Identifier: MIT
// The phases of a build, for build.c alone: each takes the build as the one before left it.
#ifndef KILN_BUILD_PHASES_H
#define KILN_BUILD_PHASES_H

#include <jansson.h>
#include <stddef.h>

#include "artefact/artefact.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/locations.h"
#include "base/mem.h"
#include "build/bootloader_tree.h"
#include "build/build.h"
#include "build/build_id.h"
#include "build/publish.h"
#include "cache/cache.h"
#include "packages/packages.h"
#include "profile/profile.h"
#include "rootfs/rootfs.h"
#include "selection/selection.h"

// One role on its way through the phases.
struct role_build {
        const struct role *role;
        struct arena arena; // a role's own: roles are worked on by several threads
        bool over_base;     // the base layer's packages are all among this role's
        struct layer *layer;
        bool reads_layer;        // to pack it, or to make it
        const char *root_key;    // decides the bits of the packed root; NULL: not known, see phase_find_layers()
        const char *root_inputs; // what it is the digest of: a line each, "WORD VALUE"
        bool is_packed;          // the cache has the packed root whole
        struct mounted root;
        int config;
};

struct build {
        struct cluster *cluster;
        const struct build_options *options;
        struct arena arena;
        struct locations locations;
        struct rootfs_options rootfs;
        struct packages *packages;
        struct selection selection;
        struct role_build *roles;
        const struct role **role_pointers;
        size_t role_count;
        struct layer *base;
        int bootloader;
        struct publication publication;
        struct cache *cache;
        char layer_maker[DIGEST_HEX_SIZE], artefact_maker[DIGEST_HEX_SIZE];
        json_t *inputs;
        char id[BUILD_ID_SIZE];
        char *config_dir; // holds the configuration layers, below the publication's directory
};

// ---- build.c: what a build and a plan of one have in common ----

struct build build_new(struct cluster *cluster, const struct build_options *options);
// Chooses the roles, checks all that can be checked at once, and enters the sandbox. `ret_artefacts` refers to the
// build and lacks cache and roles.
must_check bool build_begin(struct build *build, struct artefact_build *ret_artefacts, struct err *err);
bool build_is_partial(const struct build *build);
// The id, from what was selected.
must_check bool build_identify(struct build *build, struct err *err);
must_check bool build_identify_makers(struct build *build, struct err *err);
// Whether it is there, signed as it is wanted, and whole.
must_check bool build_is_published(struct build *build, bool *ret, struct err *err);
char *build_published_path(const struct build *build); // heap
void build_release(struct build *build);

// ---- the phases ----

// Chooses the packages of every role, as the lock says or as the solver does.
must_check bool phase_select(struct build *build, struct err *err);
// Finds out which layers the roles need, and which of them are read, from packages that are in the cache. A package
// that is not, of a role with users of its own, leaves the role's `layer` and `root_key` open.
must_check bool phase_find_layers(struct build *build, struct err *err);
// Whether the base layer is read, as role_build.reads_layer says of the others.
bool phase_reads_base(const struct build *build);
// Installs the packages: a layer that roles share, and a layer for each role.
must_check bool phase_install(struct build *build, struct err *err);
// Finds the role's kernel in its root. REFERENCE: it has none, and needs one.
must_check bool phase_find_kernel(struct role_build *role, const struct cluster *cluster, const struct strings *only,
                                  struct artefact_role *ret, struct err *err);
// The boot loaders' entry of the cache; borrows from the build.
struct bootloader_tree phase_bootloader_tree(const struct build *build);
// Mounts the layers and writes the configuration layer of each role.
must_check bool phase_configure(struct build *build, struct err *err);
// Writes what is published to the staging directory. `artefacts` has all that is known without the roles.
must_check bool phase_write(struct build *build, struct artefact_build *artefacts, struct err *err);

#endif
