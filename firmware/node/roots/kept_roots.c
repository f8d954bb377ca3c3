// SPDX-License-Identifier: MIT
#include "firmware/node/roots/kept_roots.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "firmware/node/root/beneath.h"
#include "firmware/node/roots/kept_names.h"
#include "shared/chunk_index.h"

enum { USED_MAX = 1 << 30 };

// Whether a whole root is called so; which is in `ret_sha256` then.
static bool has_kept_name(const char *name, char ret_sha256[static SHA256_HEX_SIZE]) {
        enum { DIGITS = SHA256_HEX_SIZE - 1 };
        if (strspn(name, "0123456789abcdef") != DIGITS || strcmp(name + DIGITS, KEPT_ROOT_END) != 0)
                return false;
        memcpy(ret_sha256, name, DIGITS);
        ret_sha256[DIGITS] = '\0';
        return true;
}

void kept_root_name(const char *sha256, const char *end, char ret[static KEPT_NAME_SIZE]) {
        (void)snprintf(ret, KEPT_NAME_SIZE, "%.64s%s", sha256, end);
}

DIR *kept_root_entries(int dir) {
        int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return NULL;
        DIR *entries = fdopendir(fd);
        if (!entries)
                close(fd);
        return entries;
}

// ---- listing ----

// A file that another user could change, or that has another name elsewhere, is none that kiln-node has written.
static bool is_own_file(const struct stat *stat) {
        return S_ISREG(stat->st_mode) && stat->st_uid == geteuid() && stat->st_nlink == 1 && stat->st_size > 0;
}

static void list_kept_root(struct kept_roots *roots, const struct kept_root *root) {
        size_t at = roots->count;
        while (at > 0 && roots->items[at - 1].used < root->used)
                at--;
        if (at == KEPT_ROOTS_LISTED_MAX)
                return;
        if (roots->count == KEPT_ROOTS_LISTED_MAX)
                roots->count--;
        memmove(roots->items + at + 1, roots->items + at, (roots->count - at) * sizeof *roots->items);
        roots->items[at] = *root;
        roots->count++;
}

static bool list_kept_roots(struct kept_roots *roots, struct err *err) {
        auto_closedir DIR *entries = kept_root_entries(roots->dir);
        if (!entries)
                return fail(err, ERR_SYSTEM, errno, "list " KEPT_ROOTS);
        for (const struct dirent *entry; (entry = readdir(entries));) {
                struct kept_root root;
                struct stat stat;
                if (!has_kept_name(entry->d_name, root.sha256) ||
                    fstatat(roots->dir, entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0 || !is_own_file(&stat))
                        continue;
                root.size_bytes = (uint64_t)stat.st_size;
                root.used = stat.st_mtim.tv_sec;
                if (root.used < 0 || root.used > USED_MAX)
                        root.used = 0; // somebody else's
                list_kept_root(roots, &root);
        }
        return true;
}

bool kept_roots_open(int disk, struct kept_roots *ret, struct err *err) {
        assert(disk >= 0);
        struct kept_roots roots = { .dir = -1 };
        if (!beneath_open_directory(disk, KEPT_ROOTS, false, &roots.dir, err)) {
                if (err->number != ENOENT)
                        return false;
                err_release(err);
                *err = (struct err){ 0 };
                *ret = roots;
                return true;
        }
        if (!list_kept_roots(&roots, err)) {
                kept_roots_close(&roots);
                return false;
        }
        *ret = roots;
        return true;
}

void kept_roots_close(struct kept_roots *roots) {
        close_cleanup(&roots->dir);
        *roots = (struct kept_roots){ .dir = -1 };
}

// ---- reading ----

// `*ret_fd` -1: it is not there.
static bool open_kept_file(const struct kept_roots *roots, const char *sha256, const char *end, int *ret_fd,
                           struct err *err) {
        char name[KEPT_NAME_SIZE];
        struct stat stat;
        kept_root_name(sha256, end, name);
        *ret_fd = -1;
        auto_close int fd = openat(roots->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT || fail(err, ERR_SYSTEM, errno, "open " KEPT_ROOTS "/%s", name);
        if (fstat(fd, &stat) < 0 || !is_own_file(&stat))
                return fail(err, ERR_CORRUPT, 0, KEPT_ROOTS "/%s is no file of kiln-node", name);
        *ret_fd = take_fd(fd);
        return true;
}

bool kept_root_open(const struct kept_roots *roots, const struct kept_root *root, int *ret_fd, struct err *err) {
        assert(roots->dir >= 0);
        int fd;
        if (!open_kept_file(roots, root->sha256, KEPT_ROOT_END, &fd, err))
                return false;
        if (fd < 0)
                return fail(err, ERR_SYSTEM, ENOENT, "open " KEPT_ROOTS "/%s" KEPT_ROOT_END, root->sha256);
        *ret_fd = fd;
        return true;
}

bool kept_root_index(const struct kept_roots *roots, const struct kept_root *root, struct buf *ret, bool *ret_found,
                     struct err *err) {
        assert(roots->dir >= 0);
        auto_close int fd = -1;
        if (!open_kept_file(roots, root->sha256, KEPT_INDEX_END, &fd, err))
                return false;
        *ret_found = fd >= 0;
        ret->max = CHUNK_INDEX_MAX_BYTES + KEPT_READ_ROOM_BYTES;
        return fd < 0 || buf_read_fd(ret, fd, err);
}

static const struct kept_root *kept_root_of(const struct kept_roots *roots, const char *sha256) {
        for (size_t i = 0; i < roots->count; i++)
                if (strcasecmp(roots->items[i].sha256, sha256) == 0)
                        return &roots->items[i];
        return NULL;
}

bool kept_roots_copy(const struct kept_roots *roots, const char *sha256, uint64_t size_bytes, int to, struct err *err) {
        assert(to >= 0);
        auto_close int fd = -1;
        char found[SHA256_HEX_SIZE];
        const struct kept_root *root = kept_root_of(roots, sha256);
        if (!root)
                return fail(err, ERR_REFERENCE, 0, "the state disk does not keep this root");
        if (root->size_bytes != size_bytes)
                return fail(err, ERR_CHECKSUM, 0, "the root on the state disk has %llu bytes, not %llu",
                            (unsigned long long)root->size_bytes, (unsigned long long)size_bytes);
        if (!kept_root_open(roots, root, &fd, err))
                return false;
        if (!file_sha256(fd, to, size_bytes, found, err))
                return wrap(err, "the root on the state disk");
        return strcasecmp(found, sha256) == 0 ||
               fail(err, ERR_CHECKSUM, 0, "the root on the state disk is damaged: it has SHA-256 %s", found);
}
