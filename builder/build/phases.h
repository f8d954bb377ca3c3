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
        bool reads_layer;     // to pack it, or to make it
        const char *root_key; // decides the bits of the packed root
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

// Chooses the packages of every role, as the lock says or as the solver does.
must_check bool phase_select(struct build *build, struct err *err);
// Installs the packages: a layer that roles share, and a layer for each role.
must_check bool phase_install(struct build *build, struct err *err);
// Mounts the layers and writes the configuration layer of each role.
must_check bool phase_configure(struct build *build, struct err *err);
// Writes what is published to the staging directory. `artefacts` has all that is known without the roles.
must_check bool phase_write(struct build *build, struct artefact_build *artefacts, struct err *err);

#endif
