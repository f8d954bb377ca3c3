// SPDX-License-Identifier: MIT
// The archive of an initrd while it is put together. Whatever is added, its missing parents are added before it,
// because the kernel's unpacker makes none. Owners are root; paths begin with "/".
#ifndef KILN_ARTEFACT_INITRD_INITRD_ARCHIVE_H
#define KILN_ARTEFACT_INITRD_INITRD_ARCHIVE_H

#include <stdint.h>
#include <sys/types.h>

#include "artefact/initrd/cpio.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

struct initrd_archive {
        struct cpio *cpio;
        struct arena arena;
        const char **paths; // everything that was added
        size_t path_count;
};

// Appends to `output`, which must live as long. Every entry gets the time `mtime`, in seconds.
void initrd_archive_begin(struct initrd_archive *archive, int64_t mtime, struct buf *output);
void initrd_archive_release(struct initrd_archive *archive);

bool initrd_archive_has(const struct initrd_archive *archive, const char *path);

// Adds a directory with `mode` (permissions only), unless it is there.
must_check bool initrd_archive_add_directory(struct initrd_archive *archive, const char *path, mode_t mode,
                                             struct err *err);
// `mode` says whether it is a block or a character device.
must_check bool initrd_archive_add_device(struct initrd_archive *archive, const char *path, mode_t mode, dev_t device,
                                          struct err *err);
must_check bool initrd_archive_add_link(struct initrd_archive *archive, const char *path, const char *target,
                                        struct err *err);
must_check bool initrd_archive_add_bytes(struct initrd_archive *archive, const char *path, mode_t mode,
                                         const struct buf *bytes, struct err *err);
// Adds a regular file with the content of `source`, a path on the build host.
must_check bool initrd_archive_add_file(struct initrd_archive *archive, const char *path, mode_t mode,
                                        const char *source, struct err *err);

// Writes the trailer; nothing may be added afterwards.
must_check bool initrd_archive_finish(struct initrd_archive *archive, struct err *err);

#endif
