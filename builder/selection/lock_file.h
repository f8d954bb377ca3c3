// SPDX-License-Identifier: MIT
// The lock file: the very packages of every role, so that a build next year takes what was reviewed today. Made by
// `kiln lock`, obeyed by `kiln build` and `kiln fetch`, meant to be committed and read as a diff:
//
//     # comments                                 anywhere before the packages
//     kiln-lock 1                                the format's version
//     cluster article
//     release lab sha256:HEX                     what of the release file decides packages
//     profile sha256:HEX                         what the roles ask for
//     roles balancer master registry slave
//                                                an empty line, then one line a package, sorted by NEVRA:
//     bash-4.2.46-19.el7.x86_64 os 1037592 sha256:HEX @all,@base
//
// NEVRA, repository, size in bytes, digest, and who takes it: roles by name, @all for every role of the file, @base for
// the base layer, @bootloader for what is only unpacked for boot loaders. Fields are parted by one space.
#ifndef KILN_SELECTION_LOCK_FILE_H
#define KILN_SELECTION_LOCK_FILE_H

#include "base/err.h"
#include "base/mem.h"
#include "packages/packages.h"
#include "profile/profile.h"

enum { LOCK_HEX_SIZE = 65, LOCK_FORMAT = 1 };

#define LOCK_ALL "@all"
#define LOCK_BASE "@base"
#define LOCK_BOOTLOADER "@bootloader"

struct lock_file {
        struct arena arena;
        const char *path, *cluster, *release;
        const char *release_hash, *profile_hash; // lower-case hex
        struct strings roles;                    // sorted
        struct locked_package *packages;         // sorted by NEVRA, then repository and checksum
        struct strings *users;                   // of each package, as written, sorted
        size_t count;
};

// <directory and stem of the cluster file>.<release>.lock; each release has its own. On the arena.
const char *lock_file_path(struct arena *arena, const struct cluster *cluster);

// ERR_SYNTAX with FILE:LINE:COLUMN for anything but what lock_file_format() writes. `name` is for messages.
must_check bool lock_file_parse(const char *name, const char *text, size_t size, struct lock_file *ret,
                                struct err *err);
// The same from a file. An absent one gives `*ret` NULL and no error.
must_check bool lock_file_read(const char *path, struct lock_file **ret, struct err *err);
char *lock_file_format(const struct lock_file *lock); // heap
void lock_file_free(struct lock_file *lock);
void lock_file_release(struct lock_file *lock); // the contents of one that is not on the heap

bool lock_file_has_role(const struct lock_file *lock, const char *role);
// Whether a role, @base or @bootloader takes a package.
bool lock_file_takes(const struct lock_file *lock, size_t package, const char *user);

// Hashes of what decides packages: of the release (architecture, repositories' names, priorities, excludes and
// includes), and of the profiles (what each role asks for, kernel, boot loaders). Places to download from are no part.
void lock_hash_release(const struct release *release, char ret_hex[static LOCK_HEX_SIZE]);
void lock_hash_profile(const struct cluster *cluster, char ret_hex[static LOCK_HEX_SIZE]);

#endif
