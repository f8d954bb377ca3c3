// SPDX-License-Identifier: MIT
// packages_keep_metadata(): copies of what repositories publish about themselves, so that the cache is enough for a
// build without a network.
#include <fcntl.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "packages/metadata/metadata_file.h"
#include "packages/metadata/source.h"
#include "packages/packages.h"
#include "packages/solve/pool.h"
#include "packages/trust/keyring.h"

// repomd.xml and its signature, as they were verified.
static bool keep_small_file(const struct source *source, const struct buf *bytes, const char *name, struct err *err) {
        auto_free char *cached = xasprintf("%s/%s", source->dir, name);
        if (bytes->size == 0)
                return true;
        return fs_write_atomic(AT_FDCWD, cached, bytes->data, bytes->size, 0644, err);
}

static bool keep_metadata(struct source *source, const char *what, const struct metadata_file *file, struct err *err) {
        return !file->location || metadata_file_keep(source, what, file, err);
}

// File lists only help to solve, and some mirrors leave them out.
static bool keep_filelists(struct source *source, struct err *err) {
        auto_err missing = { 0 };
        if (keep_metadata(source, "file lists", &source->filelists, &missing) || missing.kind == ERR_NETWORK)
                return true;
        *err = take_err(&missing);
        return false;
}

static bool keep_keys(struct source *source, struct err *err) {
        const struct keyring *keyring = NULL; // loading it keeps the keys
        const struct repository *repository = source->repository;
        if (repository->trust != TRUST_SIGNATURE && !repository->check_metadata_signature)
                return true;
        return source_keys(source, &keyring, err);
}

// What was fetched is in the cache already, and by now perhaps newer: another kiln may have fetched it again since.
static bool keep_repomd(const struct source *source, struct err *err) {
        auto_close int lock = -1;
        if (!source->is_local)
                return true;
        return source_lock(source, &lock, err) && keep_small_file(source, &source->signature, "repomd.xml.asc", err) &&
               keep_small_file(source, &source->repomd, "repomd.xml", err);
}

static bool keep_source(struct source *source, struct err *err) {
        if (!keep_metadata(source, "primary metadata", &source->primary, err) ||
            !keep_metadata(source, "package groups", &source->group, err) ||
            !keep_metadata(source, "modules", &source->modules, err) || !keep_filelists(source, err))
                return false;
        return keep_repomd(source, err) && keep_keys(source, err);
}

bool packages_keep_metadata(struct packages *packages, struct err *err) {
        for (size_t i = 0; i < packages->source_count; i++)
                if (!keep_source(&packages->sources[i], err))
                        return false;
        return true;
}
