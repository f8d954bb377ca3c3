// SPDX-License-Identifier: MIT
// One run of reading a cluster file and all that it names: what every reader and every check needs.
#ifndef KILN_PROFILE_READER_LOADER_H
#define KILN_PROFILE_READER_LOADER_H

#include <sys/stat.h>

#include "base/mem.h"
#include "base/strings.h"
#include "profile/reader/diagnostics.h"
#include "profile/reader/profile_tree.h"
#include "profile/reader/schema.h"
#include "shared/value.h"

struct loader {
        struct arena *arena;
        struct diagnostics *diagnostics;
        struct schema_reader reader;
        const struct profile_tree *tree; // NULL: files may lie anywhere
        struct strings inputs;           // files that were read or will be rendered; a heap array
        struct strings told;             // warnings about files that several checks read; on the arena
};

// `path` is absolute, on the arena.
void loader_add_input(struct loader *loader, const char *path);

// Looks for something that a profile names. FOUND_REFUSED: it is not to be used, which was reported at `from`.
enum found { FOUND_NOTHING, FOUND, FOUND_REFUSED };
enum found loader_find_file(struct loader *loader, const char *path, const struct place *from, const char **ret_real);
enum found loader_find_folder(struct loader *loader, const char *path, const struct place *from, const char **ret_real);
// False after a report: the file is larger than an image's configuration may hold.
bool loader_check_size(struct loader *loader, const struct stat *stat, const char *path, const struct place *from);
// path_names() of a folder of the tree; of any other nothing.
struct strings loader_names(struct loader *loader, const char *folder, const char *suffix);

// Reads a file, remembers it as an input. `from` is what asked for it, or NULL. NULL after a report.
struct value *loader_read(struct loader *loader, const char *path, const struct place *from);

#endif
