// SPDX-License-Identifier: MIT
// A root put together: chunks that kept roots have are copied, and what is missing becomes ranges to fetch.
#ifndef KILN_NODE_ROOTS_ROOT_PARTS_H
#define KILN_NODE_ROOTS_ROOT_PARTS_H

#include "firmware/node/http/fetch.h"
#include "firmware/node/roots/kept_roots.h"
#include "shared/chunk_index.h"

// Copies into `to`, each to its place, the chunks that the kept roots have by their own indexes, and sets `there[i]` of
// each (index->n of them, all false before). The digest of what is copied is checked; a root that cannot be read, and
// an index that is none, have no chunks, and a root of which several are damaged is read no further. `*ret_bytes`: of
// the root that are there. Fails only if `to` cannot be written.
must_check bool root_parts_copy(const struct kept_roots *roots, const struct chunk_index *index, int to, bool *there,
                                uint64_t *ret_bytes, struct err *err);

// What is not there, as ranges in their order. Where they are more than `most`, those with the smallest gaps between
// them become one, and what was in the gap comes again. `ret` is the caller's to free.
void root_parts_plan(const struct chunk_index *index, const bool *there, size_t most, struct chunk_range **ret,
                     size_t *ret_count);

#endif
