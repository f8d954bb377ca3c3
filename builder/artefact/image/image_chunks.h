// SPDX-License-Identifier: MIT
// The index of an image's chunks (shared/chunk_index.h).
#ifndef KILN_ARTEFACT_IMAGE_IMAGE_CHUNKS_H
#define KILN_ARTEFACT_IMAGE_IMAGE_CHUNKS_H

#include "base/buf.h"
#include "base/err.h"

// Reads the file `fd` from its start to its end, and appends the index to `ret`. ERR_REFERENCE: the file is too large
// for one; ERR_SYSTEM if it cannot be read; ERR_INTERRUPTED.
must_check bool image_chunks(int fd, struct buf *ret, struct err *err);

#endif
