// SPDX-License-Identifier: MIT
// The root file system, as layers of installed packages: what the other folders see of it, with tree.h. Nothing here
// knows what a role is for.
#ifndef KILN_ROOTFS_ROOTFS_H
#define KILN_ROOTFS_ROOTFS_H

#include <stdint.h>

#include "base/err.h"
#include "cache/cache.h"
#include "packages/packages.h"
#include "profile/profile.h"

// First in main(): the inner side of a transaction's container is this program, executed anew, and does not return from
// here.
void transaction_init_main(int argc, char **argv);

// Users that a role declares and that packages of a layer give files to. They are made while the layer is, unless a
// package makes them itself before its files are unpacked.
struct layer_users {
        const struct user **items; // the arena's
        size_t count;
        bool is_partial; // a package that is not in the cache may have files of more of them
};

// A layer: a directory in the cache that holds a root file system, or the overlay upper directory over its parent.
struct layer {
        const char *path;           // absolute directory of the tree (root, or upper)
        const char *name;           // what progress calls it: the role that asks for it, or "base"; NULL: nothing
        const struct layer *parent; // NULL: complete by itself
        char key[65];               // hash of everything that decides it
        const char *inputs;         // that: a line each, "WORD VALUE"
        bool fresh;                 // made in this run
        struct layer_users users;
};

struct rootfs_options {
        struct cache *cache;
        const struct release *release;
        int64_t source_date_epoch; // every time stamp in the image
        const char *maker;         // digest of layer_maker (cache/maker.h), or NULL
};

// Adds those of the users that own files of the packages of `set` that are not in `parent_set` (or NULL); one of a name
// that is there already is not added. Of packages without a path nobody knows.
must_check bool layer_users_add(const struct package_set *set, const struct package_set *parent_set,
                                const struct user *users, size_t user_count, struct arena *arena,
                                struct layer_users *to, struct err *err);
// The layer of `set` over `parent` (or NULL), which may not be there yet. Its key does not depend on who asks. `users`
// may be NULL.
void layer_find(const struct rootfs_options *options, const struct package_set *set, const struct layer *parent,
                const struct layer_users *users, struct arena *arena, struct layer **ret);
// Makes the layer if it is not in the cache, or not as it was made (cache/seal.h; a warning says so): packages of `set`
// that are not in `parent_set`, which the parent holds, are installed by librpm in the sandbox, and the tree is
// normalised. Made beside its place and moved there by one rename. `thorough`: also look through a layer that still
// lies where it was made; for one that will be read. The parent must have been obtained, thoroughly if this layer is
// absent. Errors: SCRIPTLET (with its output), TRANSACTION, DISK_FULL, INTERRUPTED.
must_check bool layer_obtain(const struct rootfs_options *options, struct layer *layer, bool thorough,
                             const struct package_set *set, const struct package_set *parent_set, struct err *err);

// Whether the layer is in the cache as it was made; says and makes nothing. `thorough` as above.
must_check bool layer_is_whole(const struct rootfs_options *options, const struct layer *layer, bool thorough,
                               bool *ret_whole, struct err *err);

// Mounts a layer (parents below it) read-only at a new temporary directory and opens it. In the build's
// mount namespace only.
struct mounted {
        int fd; // the root directory
        char *path;
};
must_check bool layer_mount(const struct rootfs_options *options, const struct layer *layer, struct mounted *ret,
                            struct err *err);
void layer_unmount(struct mounted *mounted);

#endif
