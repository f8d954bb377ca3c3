// SPDX-License-Identifier: MIT
// One run of reading a cluster file and all that it names: what every reader and every check needs.
#ifndef KILN_PROFILE_READER_LOADER_H
#define KILN_PROFILE_READER_LOADER_H

#include "base/mem.h"
#include "base/strings.h"
#include "profile/reader/diagnostics.h"
#include "profile/reader/schema.h"
#include "shared/value.h"

struct loader {
        struct arena *arena;
        struct diagnostics *diagnostics;
        struct schema_reader reader;
        struct strings inputs; // files that were read or will be rendered; a heap array
};

void loader_add_input(struct loader *loader, const char *path);
// Reads a file, remembers it as an input. `from` is what asked for it, or NULL. NULL after a report.
struct value *loader_read(struct loader *loader, const char *path, const struct place *from);

#endif
