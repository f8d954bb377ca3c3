// SPDX-License-Identifier: MIT
// What the builds of a cluster hold, by its digest: <out>/<cluster>/blobs/sha256/HEX, for whoever serves that
// directory. A URL that names the digest never means other bytes, so that caches on the way keep it as long as they
// like, and from one build to the next.
//
// They are relative symbolic links, ../../<build id>/PATH or ../../partial/<build id>/PATH. A hard link would change a
// file's ctime, by which the cache and the seals know it (base/file_place.h), would not say which build it belongs to,
// and would be a second file to rsync without -H; web servers follow links, and so do the tools that copy to an object
// store. Linked is what a build has beside pxe/ and kickstart/, whose small files are many and whose large ones are the
// roles'. Callers have their turn (build/publish.h), for both places share these links.
#ifndef KILN_BUILD_DIGEST_LINKS_H
#define KILN_BUILD_DIGEST_LINKS_H

#include "base/err.h"

#define DIGEST_LINKS_DIR "blobs/sha256"

// Makes the links of a build that there are not yet, or that lead to no file of which its build's SHA256SUMS says this
// digest, and takes away those into it that are not its own any more. `cluster` is <out>/<cluster>, and `path` ID or
// partial/ID below it. A build without SHA256SUMS, made with --only, has none.
must_check bool digest_links_add(int cluster, const char *path, struct err *err);

// Takes away what leads into a build that is about to go, and lets other builds that hold the same have it.
must_check bool digest_links_drop(int cluster, const char *path, struct err *err);

#endif
