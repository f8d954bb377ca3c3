// SPDX-License-Identifier: MIT
#include "packages/fetch/partial.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "packages/fetch/transfer.h"

// Opens the partial file and takes its lock. The file may have been renamed by whoever held the lock before, so
// the name is looked at again.
static bool open_locked(struct partial *partial, bool *ret_locked, struct err *err) {
        for (;;) {
                auto_close int fd = -1;
                struct stat here;
                struct stat named;
                if (!fs_open(AT_FDCWD, partial->path, O_RDWR | O_CREAT, 0644, &fd, err))
                        return false;
                if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                        *ret_locked = false;
                        return true;
                }
                if (fstat(fd, &here) == 0 && stat(partial->path, &named) == 0 && here.st_ino == named.st_ino) {
                        partial->fd = take_fd(fd);
                        *ret_locked = true;
                        return true;
                }
        }
}

// What an earlier, interrupted kiln left is worth keeping only if a checksum will tell whether it fits.
static bool adopt_part(struct partial *partial, struct err *err) {
        struct stat stat;
        uint64_t wanted = partial->transfer->size_bytes;
        if (fstat(partial->fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", partial->path);
        partial->size = (uint64_t)stat.st_size;
        bool useless = !partial->transfer->checksum || (wanted && partial->size > wanted);
        if (useless && !partial_restart(partial, err))
                return false;
        if (lseek(partial->fd, (off_t)partial->size, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "seek in %s", partial->path);
        // Space that is allocated in one piece is written to in half the time. It is no error if there is none: the
        // write that does not fit says that the disk is full.
        if (wanted > partial->size)
                (void)!fallocate(partial->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)wanted);
        return true;
}

bool partial_open(struct partial *partial, const struct transfer *transfer, struct err *err) {
        assert(transfer->path);
        bool locked = false;
        *partial = (struct partial){ .transfer = transfer, .fd = -1, .path = xasprintf("%s.part", transfer->path) };
        if (!fs_mkdirs_for(AT_FDCWD, partial->path, 0755, err) || !open_locked(partial, &locked, err))
                return false;
        if (!locked) { // another kiln fetches the same file
                free(partial->path);
                partial->path = xasprintf("%s.part.%d", transfer->path, (int)getpid());
                if (!open_locked(partial, &locked, err))
                        return false;
        }
        if (!locked)
                return fail(err, ERR_LOCKED, 0, "%s is in use", partial->path);
        return adopt_part(partial, err);
}

bool partial_restart(struct partial *partial, struct err *err) {
        digest_free(take_ptr(partial->digest));
        partial->size = 0;
        partial->hashed = 0;
        if (ftruncate(partial->fd, 0) < 0 || lseek(partial->fd, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "truncate %s", partial->path);
        return true;
}

// Hashes what the file holds and the digest does not yet cover: what an earlier kiln left.
static bool catch_up(struct partial *partial, struct err *err) {
        enum { BLOCK = 256 << 10 };
        if (!partial->digest)
                partial->digest = digest_new(partial->transfer->checksum_type);
        if (!partial->digest)
                return fail(err, ERR_CHECKSUM, 0, "unknown digest algorithm %s", partial->transfer->checksum_type);
        if (partial->hashed == partial->size)
                return true;
        auto_free char *block = xmalloc(BLOCK);
        while (partial->hashed < partial->size) {
                ssize_t got = pread(partial->fd, block, BLOCK, (off_t)partial->hashed);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read %s", partial->path);
                if (got == 0)
                        return fail(err, ERR_SYSTEM, EIO, "read %s", partial->path);
                digest_update(partial->digest, block, (size_t)got);
                partial->hashed += (uint64_t)got;
        }
        return true;
}

bool partial_append(struct partial *partial, const char *data, size_t size, struct err *err) {
        assert(partial->fd >= 0 && !partial->published);
        if (partial->transfer->checksum) {
                if (!catch_up(partial, err))
                        return false;
                digest_update(partial->digest, data, size);
                partial->hashed += size;
        }
        partial->size += size;
        return fs_write_all(partial->fd, data, size, err);
}

bool partial_digest(struct partial *partial, char ret_hex[static DIGEST_HEX_SIZE], struct err *err) {
        if (!catch_up(partial, err))
                return false;
        digest_final(take_ptr(partial->digest), ret_hex);
        partial->hashed = 0;
        return true;
}

bool partial_check(struct partial *partial, struct err *err) {
        const struct transfer *transfer = partial->transfer;
        char hex[DIGEST_HEX_SIZE];
        if (transfer->size_bytes && partial->size < transfer->size_bytes)
                return fail(err, ERR_CORRUPT, 0, "truncated: %" PRIu64 " of %" PRIu64 " bytes", partial->size,
                            transfer->size_bytes);
        if (!transfer->checksum)
                return true;
        if (!partial_digest(partial, hex, err))
                return false;
        if (strcmp(hex, transfer->checksum) != 0)
                return fail(err, ERR_CHECKSUM, 0, "%s is %s, the metadata says %s", transfer->checksum_type, hex,
                            transfer->checksum);
        return true;
}

bool partial_publish(struct partial *partial, struct err *err) {
        assert(!partial->published);
        struct stat stat;
        uint64_t expected = partial->transfer->size_bytes;
        if (fstat(partial->fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", partial->path);
        // Another process may have written to it since, whatever its lock says.
        if (expected && (uint64_t)stat.st_size != expected)
                return fail(err, ERR_CORRUPT, 0, "%s changed while it was fetched", partial->path);
        if (fchmod(partial->fd, 0644) < 0 || rename(partial->path, partial->transfer->path) < 0)
                return fail(err, ERR_SYSTEM, errno, "rename %s", partial->path);
        partial->published = true;
        return true;
}

// A partial file that no kiln holds and none would go on with.
static bool is_stale(int dir, const char *name, const char *part) {
        auto_free char *whole = xstrndup(name, (size_t)(part - name));
        bool has_process_id = strcmp(part, ".part") != 0; // nobody will go on with it
        if (!has_process_id && !fs_exists(dir, whole))
                return false;
        auto_close int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

void partial_sweep(const char *path) {
        auto_closedir DIR *stream = opendir(path);
        if (!stream)
                return;
        for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
                const char *part = strstr(entry->d_name, ".part");
                if (part && is_stale(dirfd(stream), entry->d_name, part))
                        unlinkat(dirfd(stream), entry->d_name, 0);
        }
}

void partial_forget(struct partial *partial) { partial->size = 0; }

void partial_close(struct partial *partial) {
        bool resumable = partial->size > 0 && partial->transfer->checksum;
        if (partial->fd >= 0 && !partial->published && !resumable)
                unlink(partial->path);
        if (partial->fd >= 0)
                close(partial->fd);
        digest_free(partial->digest);
        free(partial->path);
        *partial = (struct partial){ .fd = -1 };
}
