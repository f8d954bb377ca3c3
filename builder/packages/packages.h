// SPDX-License-Identifier: MIT
// Packages: repositories, metadata, solving, download, verification. The only public header of this
// directory; nothing outside packages/ and rootfs/ sees libsolv or librpm.
#ifndef KILN_PACKAGES_PACKAGES_H
#define KILN_PACKAGES_PACKAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "cache/cache.h"
#include "profile/profile.h"

// One object for each package, owned by the `struct packages` that it comes from, however many sets name it.
struct package {
        const char *name, *version, *release, *arch;
        uint64_t epoch;
        const char *nevra; // name-[epoch:]version-release.arch, epoch only if not 0
        const struct repository *repository;
        const char *location;                 // href of primary.xml, relative to the base URL
        const char *checksum_type, *checksum; // "sha256", lower-case hex
        uint64_t size_bytes, installed_bytes;
        const char *licence, *vendor; // the package's own words; "": it has none
        const char *path; // verified file in the cache; NULL until a packages_fetch() of any set that has the package,
                          // or a packages_look() that found it there
        int solvable;     // packages/'s own: the package in libsolv's pool
};

// The array is the set's own, on the heap; what it points to is not.
struct package_set {
        const struct package **items; // sorted by name, then nevra
        size_t count;
};
static inline void package_set_release(struct package_set *set) {
        free(set->items);
        *set = (struct package_set){ 0 };
}

struct packages_options {
        struct cache *cache;        // metadata, .solv files and packages are its entries
        bool offline;               // never touch the network (file:// is no network)
        const char *const *replace; // NULL-terminated "NAME=URL": another base URL for a repository
        // Where a profile makes a request, for messages: heap text, or NULL. May be absent.
        char *(*place_of)(const void *context, const char *request);
        const void *place_context;
        bool allow_downgrade; // an older repomd.xml than the newest that the cache has seen is no error
        bool locked;          // every package's digest is known from a lock: a missing repomd.xml.asc is no error
};

// The repositories of a release with their metadata loaded: repomd checksum (and signature) verified, pool
// cached as .solv. Errors: NETWORK (which URL, what to do), CHECKSUM, SIGNATURE, CORRUPT.
struct packages;
must_check bool packages_open(const struct release *release, const struct packages_options *options,
                              struct packages **ret, struct err *err);
void packages_close(struct packages *packages);

// Everything that must be installed for the requests ("bash", "@core", "java >= 1:1.8.0", "/usr/bin/awk") in an empty
// root, as dnf would choose it; without weak dependencies unless the release wants them. PACKAGE names the nearest
// known name; SOLVE explains by libsolv's problem rules. The caller releases the set.
must_check bool packages_solve(struct packages *packages, const char *const *requests, size_t request_count,
                               struct package_set *ret, struct err *err);

// Compares two "[epoch:]version[-release]" as rpm does: below, equal to or above 0.
int package_compare_evr(const char *left, const char *right);

// ---- locked packages ----

// A package as a lock file names it.
struct locked_package {
        const char *name, *nevra, *repository;
        const char *checksum_type, *checksum;
        uint64_t size_bytes;
};

// Finds the very packages that a lock names, each in its repository by NEVRA and checksum. One that the repository does
// not have any more is taken from the cache, by its checksum. `ret` has `count` elements, in the order of `locked`.
// Strict: LOCK_FILE lists what is gone, CHECKSUM what was replaced under the same name. Otherwise the element of such a
// package is NULL, and nothing is said. Ends a limit.
must_check bool packages_find_locked(struct packages *packages, const struct locked_package *locked, size_t count,
                                     bool strict, const struct package **ret, struct err *err);

// What packages_solve() may take from now on. SET: nothing but these. NAMES: of every name among them, nothing but
// these; a name that makes the answer impossible is released, and only that. Elements that are NULL are passed over.
enum limit { LIMIT_NONE, LIMIT_SET, LIMIT_NAMES };
void packages_limit(struct packages *packages, enum limit limit, const struct package *const *items, size_t count);
// How many names were released since packages_limit(). If it grew, earlier answers may be out of step with later ones.
size_t packages_released(const struct packages *packages);

// ---- files ----

// Downloads what the cache lacks, in parallel with resume and retries (what a file:// repository has is copied), and
// verifies every file (size, checksum, header against
// metadata, signature unless the repository's trust is DIGEST); sets each package's `path`. The set is one of these
// `packages`. Errors: NETWORK, CHECKSUM, CORRUPT, SIGNATURE, DISK_FULL.
must_check bool packages_fetch(struct packages *packages, const struct package_set *set, struct err *err);

// Where packages_fetch() would have a package from.
enum package_source { PACKAGE_CACHED, PACKAGE_LOCAL /* a repository of this machine */, PACKAGE_REMOTE };
struct package_whereabouts {
        const struct package *package;
        enum package_source source;
        bool is_damaged; // the cache has a file of it, which is not what it should be
};

// Says so of each package of a set, in its order, and fetches, verifies and removes nothing. Of those that the cache
// has `path` is set. `ret` has an element for each.
must_check bool packages_look(struct packages *packages, const struct package_set *set, struct package_whereabouts *ret,
                              struct err *err);

// Puts everything that repositories publish about themselves (repomd.xml, primary, comps, keys, and file lists where
// they are to be had) into the cache, so that a later packages_open() needs no network. Errors as packages_open().
must_check bool packages_keep_metadata(struct packages *packages, struct err *err);

// Writes fetched packages as a yum repository: <dir>/Packages/, <dir>/repodata/ by createrepo_c, comps, and the
// release's keys. An earlier export is replaced; a directory that holds anything else is REFERENCE. Errors: TOOL,
// DISK_FULL.
must_check bool packages_export(struct packages *packages, const struct package_set *set, const char *dir,
                                struct err *err);

// Unpacks the payload of a verified package below a directory, without scriptlets and without leaving it: for boot
// loader files.
must_check bool package_extract(const struct package *package, int dir, struct err *err);

// Where the payload of an RPM file begins: behind its headers, which are read for that. CORRUPT.
must_check bool package_find_payload(int fd, uint64_t *ret_offset, struct err *err);

// Adds the users and groups that the package gives its files to, but root, to the names, which are the arena's.
// CORRUPT: the file was changed since it was verified.
must_check bool package_add_owners(const struct package *package, struct arena *arena, struct strings *names,
                                   struct err *err);

// SHA-256 over the sorted nevras and checksums: the identity of a set.
void package_set_digest(const struct package_set *set, char ret_hex[static 65]);

#endif
