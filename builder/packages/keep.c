// What makes the cache enough for a build without a network: copies of what repositories publish about themselves.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "packages/internal.h"

static bool copy_to(const char *from, const char *temporary, struct err *err) {
        auto_close int in = -1;
        auto_close int out = -1;
        if (!fs_open(AT_FDCWD, from, O_RDONLY, 0, &in, err) ||
            !fs_open(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644, &out, err))
                return false;
        return fs_copy_bytes(in, out, UINT64_MAX, err);
}

bool file_copy(const char *from, const char *to, struct err *err) {
        auto_free char *temporary = xasprintf("%s.part.%d", to, (int)getpid());
        bool ok = copy_to(from, temporary, err);
        if (ok && rename(temporary, to) < 0)
                ok = fail(err, ERR_SYSTEM, errno, "rename %s", temporary);
        if (!ok)
                unlink(temporary);
        return ok;
}

// A file that is in the cache already stays as it is.
static bool keep_file(const char *path, const char *cached, struct err *err) {
        return strcmp(path, cached) == 0 || file_copy(path, cached, err);
}

static bool keep_small(const struct source *source, const char *path, const char *name, struct err *err) {
        auto_free char *cached = xasprintf("%s/%s", source->dir, name);
        return !path || keep_file(path, cached, err);
}

static bool keep_metadata(struct source *source, const char *what, const struct metadata_file *file, struct err *err) {
        const char *path = NULL;
        return !file->location ||
               (source_metadata(source, what, file, &path, err) && keep_file(path, source_cached(source, file), err));
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
               keep_small(source, source->signature_path, "repomd.xml.asc", err) &&
               keep_small(source, source->repomd_path, "repomd.xml", err) &&
               (!signed_ || source_keys(source, &keyring, err));
}

bool packages_keep_metadata(struct packages *packages, struct err *err) {
        for (size_t i = 0; i < packages->source_count; i++)
                if (!keep_source(&packages->sources[i], err))
                        return false;
        return true;
}
