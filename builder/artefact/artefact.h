// SPDX-License-Identifier: MIT
// Artefacts: what a build publishes. Each kind is one const struct in the table of artefact.c; `check` runs for all
// kinds before any work starts, `write` in the order of the table. A new kind is one file and one line.
#ifndef KILN_ARTEFACT_ARTEFACT_H
#define KILN_ARTEFACT_ARTEFACT_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "cache/cache.h"
#include "packages/packages.h"
#include "profile/profile.h"

// One role, ready to be packed.
struct artefact_role {
        const struct role *role;
        const struct package_set *packages;
        int root;                   // the mounted package root, read-only
        int config;                 // the configuration layer's directory (upper)
        int bootloader;             // unpacked boot loader packages of the release
        const char *kernel_version; // "3.10.0-327.el7.x86_64": directory below /lib/modules
        const char *kernel_path;    // in root: "boot/vmlinuz-..."
        const char *root_key;       // hash that decides rootfs.squashfs (layer key, compressor, level, block size)
        int out;                    // <build>/<role>/
        char root_sha256[65];       // set by the squashfs kind
        uint64_t root_size_bytes;   // set by the squashfs kind
        char initrd_sha256[65];     // set by the initrd kind
};

struct artefact_build {
        struct cluster *cluster;
        struct artefact_role *roles;
        size_t role_count;
        const char *build_id;
        struct cache *cache;
        const char *maker;                          // digest of artefact_maker (cache/maker.h)
        const char *kiln_node;                      // path of the static helper on the build host
        const char *initramfs_dir, *bootloader_dir; // templates and init of firmware/
        const char *busybox;                        // path of a static busybox on the build host; NULL: /bin/busybox
        int64_t source_date_epoch;
        int out; // <build>/, not yet published
        const char
            *http_base; // URL that serves <build>/'s parent for iPXE, or NULL: relative to where boot.ipxe came from
        const struct strings *only; // the kinds asked for, for the manifest
        const json_t *inputs;       // what decides the build, for the manifest
        const char *lock;           // text of a lock file with the packages of this build
        unsigned jobs;
        struct file_sums *sums;     // digests of what is published, found so far; artefacts_write()'s own
        struct block_cache *blocks; // blocks that the roles' images share; set by artefacts_write()
};

struct artefact_kind {
        const char
            *name; // "kernel", "squashfs", "initrd", "config", "iso", "pxe", "kickstart", "manifest", "sbom", "sums"
        const char *description;
        const char *const *needs; // kinds that it builds on, NULL-terminated, written with it; NULL: none
        bool per_role;            // write is called for every role; else once with role NULL
        bool (*check)(const struct artefact_build *build, struct err *err); // may be NULL
        bool (*write)(struct artefact_build *build, struct artefact_role *role, struct err *err);
};

extern const struct artefact_kind *const artefact_kinds[];
extern const size_t artefact_kind_count;

// Runs every kind's check, then every write; `wanted` (NULL or empty: all) limits the kinds by name.
must_check bool artefacts_check(const struct artefact_build *build, const struct strings *wanted, struct err *err);
// Whether a kind that boots is among them: a role then needs a kernel.
bool artefacts_boot(const struct strings *wanted);
// Whether the cache has the packed root whole, so that nothing needs to be read to have it.
bool artefacts_have_root(struct cache *cache, const char *root_key);
must_check bool artefacts_write(struct artefact_build *build, const struct strings *wanted, struct err *err);

#endif
