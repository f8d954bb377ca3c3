// SPDX-License-Identifier: MIT
// The builds of an output directory as things: what there is, since when, how large, and what `current` names.
//
//     <out>/<cluster>/.mark-<build id>     the user wants to keep it: kiln builds --mark
//
// What a build is stands in its manifest.json; one without is listed all the same.
#ifndef KILN_RELEASE_BUILD_LIST_H
#define KILN_RELEASE_BUILD_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define MARK_PREFIX ".mark-"

// A published build. Texts are heap.
struct listed_build {
        char *cluster, *id;
        char *release;        // "": its manifest is absent or does not say it
        struct buf roles;     // names in the order of bytes, a blank between two
        uint64_t serial;      // 0: it has none
        int64_t made_s;       // when it was published, since 1970
        uint64_t size_bytes;  // on the disk, a file with several names once
        uint64_t alone_bytes; // of them what no other build and no cache holds, too
        size_t running;       // machines that run it, where the caller has found out; pruning keeps it then
        bool is_partial, is_current, is_marked;
};

struct build_list {
        struct listed_build *items; // by cluster; whole builds before partial ones; the newest first
        size_t count;
};

// Lists the builds of one cluster, or of all of them (NULL). An absent directory has none. REFERENCE: `cluster` is
// given and absent.
must_check bool build_list_read(const char *out, const char *cluster, struct build_list *ret, struct err *err);
void build_list_release(struct build_list *list);

// The build that the user names, by its id, the beginning of one, or a path that ends with it. REFERENCE if none or
// several fit.
must_check bool build_list_find(const struct build_list *list, const char *name, const struct listed_build **ret,
                                struct err *err);

// <out>/<cluster>/[partial/]<id>; heap.
char *listed_build_path(const char *out, const struct listed_build *build);

#endif
