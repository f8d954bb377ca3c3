// SPDX-License-Identifier: MIT
// Published builds that are open because somebody loads them. An open build holds a shared flock(2) on its directory,
// which `kiln builds --prune` honours; the lock goes with the process, however that ends. Not safe for several threads:
// callers hold the server's lock. A build is counted: each served_builds_get() and served_build_hold() needs one
// release.
#ifndef KILN_SERVE_SERVED_BUILDS_H
#define KILN_SERVE_SERVED_BUILDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "serve/dnsmasq_config.h"

enum { SERVED_ID_SIZE = 32 };

struct served_build {
        char id[SERVED_ID_SIZE];
        int dir;
        unsigned users;
        struct buf sums;    // SHA256SUMS, each line and digest ended by a NUL
        const char **files; // paths in it, sorted; the digest stands SERVED_PATH_OFFSET before each
        size_t file_count;
};

struct served_builds {
        int dir;    // <out>/<cluster>
        char *path; // absolute
        struct served_build **items;
        size_t count;
};

// <out>/<cluster> must be there: REFERENCE.
must_check bool served_builds_open(const char *out, const char *cluster, struct served_builds *ret, struct err *err);
void served_builds_close(struct served_builds *builds);

// What `current` names. False with REFERENCE if it names no build.
must_check bool served_builds_current(const struct served_builds *builds, char ret_id[static SERVED_ID_SIZE],
                                      struct err *err);

// The build of an id, opened if it is not yet. `*ret` NULL: there is none.
must_check bool served_builds_get(struct served_builds *builds, const char *id, struct served_build **ret,
                                  struct err *err);
struct served_build *served_build_hold(struct served_build *build);
void served_builds_release(struct served_builds *builds, struct served_build *build); // NULL is fine

// The path of a build relative to `builds->dir`: ID, or partial/ID; heap. NULL: there is none.
char *served_builds_path(const struct served_builds *builds, const char *id);

// What has a digest, as ID/PATH: where the builds' link leads to (build/digest_links.h); heap. NULL: no build has it.
char *served_builds_by_digest(const struct served_builds *builds, const char *digest);

// The digest that SHA256SUMS has for a path, 64 hexadecimal digits; NULL: it does not name it.
const char *served_build_digest(const struct served_build *build, const char *path);

// Which loaders the build has.
void served_build_files(const struct served_build *build, struct boot_files *ret);

#endif
