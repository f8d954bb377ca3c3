// SPDX-License-Identifier: MIT
// The list of what a configuration layer's archive holds (shared/signed_layer.h), made of the very entries that go into
// the archive.
#ifndef KILN_ARTEFACT_LAYER_LIST_H
#define KILN_ARTEFACT_LAYER_LIST_H

#include "artefact/artefact.h"
#include "artefact/initrd/cpio.h"
#include "base/buf.h"
#include "base/mem.h"
#include "shared/signed_layer.h"

struct layer_list {
        struct signed_layer layer; // its entries are a heap array, the names the arena's
        uint32_t *inodes;          // of each entry: that of its cpio_entry; heap
        size_t inode_count;
        struct arena arena;
};

// `entry` has a path below "kiln/". Of several names of a file only the last has the data, and it gives them to all.
void layer_list_add(struct layer_list *list, const struct cpio_entry *entry);
// The text for /kiln/layer. Nothing may be added afterwards.
void layer_list_format(struct layer_list *list, const struct artefact_build *build, const struct artefact_role *role,
                       struct buf *ret);
void layer_list_release(struct layer_list *list);

#endif
