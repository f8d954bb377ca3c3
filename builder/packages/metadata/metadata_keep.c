// SPDX-License-Identifier: MIT
// What makes the cache enough for a build without a network: copies of what repositories publish about themselves.
#include "packages/metadata/metadata_keep.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "packages/metadata/metadata_file.h"
#include "packages/metadata/source.h"
#include "packages/packages.h"
#include "packages/solve/pool.h"
#include "packages/trust/keyring.h"

static bool write_to(int in, const char *temporary, struct err *err) {
        auto_close int out = -1;
        return fs_open(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644, &out, err) &&
               fs_copy_bytes(in, out, UINT64_MAX, err);
}

bool file_write(int from, const char *to, struct err *err) {
        auto_free char *temporary = xasprintf("%s.part.%d", to, (int)getpid());
        bool ok = write_to(from, temporary, err);
        if (ok && rename(temporary, to) < 0)
                ok = fail(err, ERR_SYSTEM, errno, "rename %s", temporary);
        if (!ok)
                unlink(temporary);
        return ok;
}

bool file_copy(const char *from, const char *to, struct err *err) {
        auto_close int in = -1;
        return fs_open(AT_FDCWD, from, O_RDONLY, 0, &in, err) && file_write(in, to, err);
}

// repomd.xml and its signature, as they were verified.
static bool keep_small(const struct source *source, const struct buf *bytes, const char *name, struct err *err) {
        auto_free char *cached = xasprintf("%s/%s", source->dir, name);
        return bytes->size == 0 || fs_write_atomic(AT_FDCWD, cached, bytes->data, bytes->size, 0644, err);
}

static bool keep_metadata(struct source *source, const char *what, const struct metadata_file *file, struct err *err) {
        return !file->location || source_keep(source, what, file, err);
}

// File lists only help to solve, and some mirrors leave them out.
static bool keep_filelists(struct source *source, struct err *err) {
        auto_err missing = { 0 };
        if (keep_metadata(source, "file lists", &source->filelists, &missing) || missing.kind == ERR_NETWORK)
                return true;
        *err = take_err(&missing);
        return false;
}

static bool keep_source(struct source *source, struct err *err) {
        const struct keyring *keyring = NULL;
        bool signed_ = source->repository->trust == TRUST_SIGNATURE || source->repository->check_metadata_signature;
        return keep_metadata(source, "primary metadata", &source->primary, err) &&
               keep_metadata(source, "package groups", &source->group, err) && keep_filelists(source, err) &&
               keep_small(source, &source->signature, "repomd.xml.asc", err) &&
               keep_small(source, &source->repomd, "repomd.xml", err) &&
               (!signed_ || source_keys(source, &keyring, err));
}

bool packages_keep_metadata(struct packages *packages, struct err *err) {
        for (size_t i = 0; i < packages->source_count; i++)
                if (!keep_source(&packages->sources[i], err))
                        return false;
        return true;
}
