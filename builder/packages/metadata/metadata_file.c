// SPDX-License-Identifier: MIT
#include "packages/metadata/metadata_file.h"
#include "cache/layout.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "packages/fetch/file_copy.h"
#include "packages/fetch/transfer.h"
#include "packages/fetch/url.h"
#include "packages/metadata/source.h"
#include "profile/profile.h"

enum { METADATA_MAX = 1 << 30 };

bool memory_file(const void *data, size_t size, int *ret_fd, struct err *err) {
        auto_close int fd = memfd_create("kiln", MFD_CLOEXEC);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "make a file in memory");
        if (!fs_write_all(fd, data, size, err))
                return false;
        *ret_fd = take_fd(fd);
        return true;
}

static bool copy_and_hash(const char *path, int to, struct digest *digest, struct err *err) {
        enum { BLOCK = 256 << 10 };
        auto_free char *block = xmalloc(BLOCK);
        auto_close int from = -1;
        if (!fs_open_regular(AT_FDCWD, path, &from, err))
                return false;
        for (uint64_t total = 0;;) {
                ssize_t got = read(from, block, BLOCK);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read %s", path);
                if (got == 0)
                        return true;
                total += (uint64_t)got;
                if (total > METADATA_MAX)
                        return fail(err, ERR_CORRUPT, 0, "%s is larger than %d bytes", path, METADATA_MAX);
                digest_update(digest, block, (size_t)got);
                if (!interrupt_check(err) || !fs_write_all(to, block, (size_t)got, err))
                        return false;
        }
}

static bool take_copy(const struct source *source, const struct metadata_file *file, const char *path, int *ret_fd,
                      struct err *err) {
        char hex[DIGEST_HEX_SIZE];
        auto_close int fd = -1;
        if (!memory_file("", 0, &fd, err))
                return false;
        struct digest *digest = digest_new(file->checksum_type);
        if (!digest)
                return fail(err, ERR_CHECKSUM, 0, "unknown digest algorithm %s", file->checksum_type);
        if (!copy_and_hash(path, fd, digest, err)) {
                digest_free(digest);
                return false;
        }
        digest_final(digest, hex);
        if (strcmp(hex, file->checksum) != 0)
                return fail(err, ERR_CHECKSUM, 0, "repository %s: %s: %s is %s, repomd.xml says %s",
                            source->repository->name, path, file->checksum_type, hex, file->checksum);
        *ret_fd = take_fd(fd);
        return true;
}

static bool fetch_metadata_file(struct source *source, const char *what, const struct metadata_file *file,
                                const char *path, struct err *err) {
        auto_free char *name = xasprintf("%s of %s", what, source->repository->name);
        struct strings urls = source_remote_urls(source, file->location);
        struct transfer transfer = {
                .name = name,
                .urls = urls.items,
                .url_count = urls.count,
                .path = path,
                .checksum_type = file->checksum_type,
                .checksum = file->checksum,
                .size_bytes = file->size_bytes,
                .max_bytes = METADATA_MAX,
        };
        struct progress progress;
        progress_begin(&progress, name, "bytes", file->size_bytes);
        bool ok = transfers_run(&transfer, 1, &progress, err);
        progress_end(&progress, ok);
        free(urls.items);
        if (!ok && err->kind == ERR_NETWORK)
                return source_unreachable(source, err);
        return ok;
}

// The path that a metadata file has in the cache, whether or not it is there.
static char *cached_metadata_path(const struct source *source, const struct metadata_file *file) {
        const char *name = file->location;
        const char *slash = strrchr(file->location, '/');
        if (slash)
                name = slash + 1;
        return xasprintf("%s/%.*s-%s", source->dir, CACHE_PART_START, file->checksum, name);
}

static bool fail_for_absent_file(const struct source *source, const struct metadata_file *file, bool any_local,
                                 struct err *err) {
        auto_free char *url = url_join(source->urls.items[0], file->location);
        auto_free char *shown = url_shown(url);
        const char *name = source->repository->name;
        if (any_local)
                fail(err, ERR_NETWORK, ENOENT, "repository %s: %s cannot be read", name, shown);
        else
                fail(err, ERR_NETWORK, 0, "repository %s: %s is not in the cache, and --offline forbids to fetch it",
                     name, shown);
        return hint(err, "use a complete copy with --repo %s=URL", source->repository->name);
}

bool metadata_file_open(struct source *source, const char *what, const struct metadata_file *file, int *ret_fd,
                        struct err *err) {
        assert(file->location);
        bool any_local = false;
        auto_free char *local = source_find_local(source, file->location, &any_local);
        if (local)
                return take_copy(source, file, local, ret_fd, err);
        struct strings urls = source_remote_urls(source, file->location);
        size_t remote_count = urls.count;
        free(urls.items);
        auto_free char *cached = cached_metadata_path(source, file);
        auto_err damaged = { 0 };
        if (fs_exists(AT_FDCWD, cached) && take_copy(source, file, cached, ret_fd, &damaged))
                return true;
        if (source->options->offline || remote_count == 0)
                return fail_for_absent_file(source, file, any_local, err);
        return fetch_metadata_file(source, what, file, cached, err) && take_copy(source, file, cached, ret_fd, err);
}

// A file that is in the cache already stays as it is.
bool metadata_file_keep(struct source *source, const char *what, const struct metadata_file *file, struct err *err) {
        assert(file->location);
        auto_free char *cached = cached_metadata_path(source, file);
        auto_close int fd = -1;
        auto_err damaged = { 0 };
        if (fs_exists(AT_FDCWD, cached) && take_copy(source, file, cached, &fd, &damaged))
                return true;
        if (!metadata_file_open(source, what, file, &fd, err))
                return false;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "seek");
        return file_write_whole(fd, cached, err);
}
