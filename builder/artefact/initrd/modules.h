// SPDX-License-Identifier: MIT
// The kernel modules that an initrd carries: those named, those they need, and their firmware. What a module needs is
// read from the modules themselves, so it does not matter whether depmod ran in the image.
#ifndef KILN_ARTEFACT_INITRD_MODULES_H
#define KILN_ARTEFACT_INITRD_MODULES_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "profile/profile.h"

struct module {
        const char *name;       // with underscores
        const char *source;     // below the module directory, as packaged: "kernel/fs/squashfs/squashfs.ko.xz"
        const char *path;       // the same without the compressor's suffix
        struct strings depends; // names
        struct strings soft_before, soft_after;
        struct strings firmware, aliases;
        struct buf content; // uncompressed
        bool wanted;        // carried
};

struct modules {
        struct arena arena;
        int root;             // the caller's
        int directory;        // lib/modules/VERSION
        struct module *items; // all of the kernel's, sorted by name
        size_t count;
        const char **builtin; // names, sorted
        size_t builtin_count;
};

// Finds every module of a kernel in the package root `root`. ERR_REFERENCE if it has none of that version. Also after a
// failure the caller calls modules_release().
must_check bool modules_index(int root, const char *kernel_version, struct modules *ret, struct err *err);

// Marks what `names` mean: modules, their dependencies, and soft dependencies as far as the kernel has them. A name
// that is neither a module nor built in is skipped with a notice, since one list serves many kernels.
must_check bool modules_want(struct modules *modules, const struct strings *names, struct err *err);

// depmod's files for exactly the wanted modules.
void modules_dep(const struct modules *modules, struct buf *ret);
void modules_alias(const struct modules *modules, struct buf *ret);
void modules_softdep(const struct modules *modules, struct buf *ret);

void modules_release(struct modules *modules);

#endif
