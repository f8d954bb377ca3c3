// SPDX-License-Identifier: MIT
// Keeping a root.
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "firmware/node/root/beneath.h"
#include "firmware/node/roots/kept_names.h"
#include "firmware/node/roots/kept_roots.h"

enum { COPY_BLOCK_BYTES = 256 << 10, RESERVE_PART = 4 };
#define RESERVE_MAX_BYTES (4ULL << 30)

// ---- the directory ----

// A link, a device or a file in its place is nobody's work: it goes.
static bool remove_impostor(int disk, struct err *err) {
        struct stat stat;
        bool is_other = fstatat(disk, KEPT_ROOTS, &stat, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(stat.st_mode);
        return !is_other || unlinkat(disk, KEPT_ROOTS, 0) == 0 || fail(err, ERR_SYSTEM, errno, "remove " KEPT_ROOTS);
}

static bool open_kept_for_writing(int disk, struct kept_roots *ret, struct err *err) {
        auto_close int dir = -1;
        if (!remove_impostor(disk, err) || !beneath_open_directory(disk, KEPT_ROOTS, true, &dir, err))
                return false;
        if (fchown(dir, geteuid(), getegid()) < 0 || fchmod(dir, 0700) < 0)
                return fail(err, ERR_SYSTEM, errno, "make " KEPT_ROOTS " root's own");
        return kept_roots_open(disk, ret, err);
}

static void unlink_kept(const struct kept_roots *roots, const char *sha256, const char *end) {
        char name[KEPT_NAME_SIZE];
        kept_root_name(sha256, end, name);
        (void)unlinkat(roots->dir, name, 0);
}

static void remove_kept_root(struct kept_roots *roots, size_t at) {
        unlink_kept(roots, roots->items[at].sha256, KEPT_ROOT_END);
        unlink_kept(roots, roots->items[at].sha256, KEPT_INDEX_END);
        roots->count--;
        memmove(roots->items + at, roots->items + at + 1, (roots->count - at) * sizeof *roots->items);
}

static bool belongs_to_kept(const struct kept_roots *roots, const char *name) {
        char own[KEPT_NAME_SIZE];
        for (size_t i = 0; i < roots->count; i++) {
                kept_root_name(roots->items[i].sha256, KEPT_ROOT_END, own);
                if (strcmp(name, own) == 0)
                        return true;
                kept_root_name(roots->items[i].sha256, KEPT_INDEX_END, own);
                if (strcmp(name, own) == 0)
                        return true;
        }
        return false;
}

// What a power cut has left half, indexes without their roots, and what others have put there. Directories stay, unless
// they are empty.
static void remove_strays(const struct kept_roots *roots) {
        auto_closedir DIR *entries = kept_root_entries(roots->dir);
        for (const struct dirent *entry; entries && (entry = readdir(entries));) {
                bool is_dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
                if (is_dots || belongs_to_kept(roots, entry->d_name))
                        continue;
                if (unlinkat(roots->dir, entry->d_name, 0) < 0)
                        (void)unlinkat(roots->dir, entry->d_name, AT_REMOVEDIR);
        }
}

// ---- room ----

// The place of the root in the list; `count`: it is not in it.
static size_t place_of_kept(const struct kept_roots *roots, const char *sha256) {
        size_t at = 0;
        while (at < roots->count && strcmp(roots->items[at].sha256, sha256) != 0)
                at++;
        return at;
}

// Of the others only the one that was used last may stay.
static void remove_older(struct kept_roots *roots, const char *sha256) {
        size_t others = 0;
        for (size_t i = 0; i < roots->count;) {
                bool is_other = strcmp(roots->items[i].sha256, sha256) != 0;
                others += is_other;
                if (is_other && others >= KEPT_ROOTS_MAX)
                        remove_kept_root(roots, i);
                else
                        i++;
        }
}

static bool has_room(const struct kept_roots *roots, uint64_t needed, uint64_t *ret_free, uint64_t *ret_reserve,
                     struct err *err) {
        struct statvfs space;
        if (fstatvfs(roots->dir, &space) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat " KEPT_ROOTS);
        uint64_t all = (uint64_t)space.f_blocks * space.f_frsize;
        *ret_free = (uint64_t)space.f_bavail * space.f_frsize;
        *ret_reserve = all / RESERVE_PART;
        if (*ret_reserve > RESERVE_MAX_BYTES)
                *ret_reserve = RESERVE_MAX_BYTES;
        return *ret_free >= *ret_reserve && *ret_free - *ret_reserve >= needed;
}

static uint64_t bytes_kept(const struct kept_roots *roots) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < roots->count; i++)
                bytes += roots->items[i].size_bytes;
        return bytes;
}

// The next root to go: the one that was not used for the longest time, but `sha256` at last.
static size_t next_to_go(const struct kept_roots *roots, const char *sha256) {
        assert(roots->count > 0);
        size_t last = roots->count - 1;
        if (last > 0 && strcmp(roots->items[last].sha256, sha256) == 0)
                last--;
        return last;
}

// Roots give way to the state, and older ones to a new one if that helps.
static bool give_way(struct kept_roots *roots, const char *sha256, uint64_t needed, struct err *err) {
        uint64_t free_bytes = 0, reserve = 0;
        while (!has_room(roots, needed, &free_bytes, &reserve, err)) {
                bool state_lacks_room = free_bytes < reserve;
                bool helps = free_bytes + bytes_kept(roots) >= reserve + needed;
                if (err->kind != ERR_NONE)
                        return false;
                if (roots->count == 0 || !(state_lacks_room || helps))
                        return fail(err, ERR_DISK_FULL, 0,
                                    "%llu MB of the state disk are free, and %llu MB must stay so",
                                    (unsigned long long)free_bytes / 1000000, (unsigned long long)reserve / 1000000);
                remove_kept_root(roots, next_to_go(roots, sha256));
        }
        return true;
}

// ---- writing ----

static bool write_kept(int fd, const char *data, size_t size, struct err *err) {
        while (size > 0) {
                ssize_t written = write(fd, data, size);
                if (written < 0 && errno == EINTR)
                        continue;
                if (written < 0)
                        return fail(err, ERR_SYSTEM, errno, "write");
                data += written;
                size -= (size_t)written;
        }
        return true;
}

static bool copy_root_in(int fd, const struct kept_addition *addition, struct err *err) {
        auto_free char *block = xmalloc(COPY_BLOCK_BYTES);
        for (uint64_t at = 0; at < addition->size_bytes;) {
                size_t wanted = size_min(COPY_BLOCK_BYTES, addition->size_bytes - at);
                ssize_t got = pread(addition->root, block, wanted, (off_t)at);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return fail(err, ERR_SYSTEM, errno, "read the root that runs");
                if (!write_kept(fd, block, (size_t)got, err))
                        return false;
                at += (uint64_t)got;
        }
        return true;
}

// One flush, after all of it. The pages are not needed any more: the root that runs has its own.
static bool finish_kept(int fd, int64_t used, struct err *err) {
        const struct timespec times[] = { { .tv_sec = used }, { .tv_sec = used } };
        if (futimens(fd, times) < 0 || fsync(fd) < 0)
                return fail(err, ERR_SYSTEM, errno, "flush");
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        return true;
}

struct kept_file {
        const char *end;
        const char *content; // NULL: the root
        size_t size;
};

static bool write_kept_part(const struct kept_roots *roots, const char *part, const struct kept_addition *addition,
                            const struct kept_file *file, int64_t used, struct err *err) {
        auto_close int fd = openat(roots->dir, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "create");
        if (file->content && !write_kept(fd, file->content, file->size, err))
                return false;
        if (!file->content && !copy_root_in(fd, addition, err))
                return false;
        return finish_kept(fd, used, err);
}

static bool write_kept_file(const struct kept_roots *roots, const struct kept_addition *addition,
                            const struct kept_file *file, int64_t used, struct err *err) {
        char name[KEPT_NAME_SIZE], part[KEPT_NAME_SIZE + sizeof KEPT_PART_END];
        kept_root_name(addition->sha256, file->end, name);
        (void)snprintf(part, sizeof part, "%s" KEPT_PART_END, name);
        (void)unlinkat(roots->dir, part, 0);
        bool ok = write_kept_part(roots, part, addition, file, used, err);
        if (ok && renameat(roots->dir, part, roots->dir, name) < 0)
                ok = fail(err, ERR_SYSTEM, errno, "rename");
        if (ok)
                return true;
        (void)unlinkat(roots->dir, part, 0);
        return wrap(err, KEPT_ROOTS "/%s", name);
}

static bool write_both(const struct kept_roots *roots, const struct kept_addition *addition, int64_t used,
                       struct err *err) {
        const struct kept_file root = { .end = KEPT_ROOT_END },
                               index = { KEPT_INDEX_END, addition->index, addition->index_size };
        if (addition->index && !write_kept_file(roots, addition, &index, used, err))
                return false;
        if (!write_kept_file(roots, addition, &root, used, err)) {
                unlink_kept(roots, addition->sha256, KEPT_INDEX_END); // the state needs its room
                return false;
        }
        return fsync(roots->dir) == 0 || fail(err, ERR_SYSTEM, errno, "flush " KEPT_ROOTS);
}

static void note_use(const struct kept_roots *roots, const char *sha256, int64_t used) {
        char name[KEPT_NAME_SIZE];
        const struct timespec times[] = { { .tv_sec = used }, { .tv_sec = used } };
        kept_root_name(sha256, KEPT_ROOT_END, name);
        (void)utimensat(roots->dir, name, times, AT_SYMLINK_NOFOLLOW);
}

static bool add_kept(struct kept_roots *roots, const struct kept_addition *addition, struct err *err) {
        size_t own = place_of_kept(roots, addition->sha256);
        bool is_there = addition->is_from_disk && own < roots->count;
        int64_t used = 1;
        if (roots->count > 0)
                used = roots->items[0].used + 1;
        if (!is_there && own < roots->count)
                remove_kept_root(roots, own); // it is not what its name says
        remove_older(roots, addition->sha256);
        if (is_there) {
                if (own > 0)
                        note_use(roots, addition->sha256, used);
                return give_way(roots, addition->sha256, 0, err) &&
                       (place_of_kept(roots, addition->sha256) < roots->count ||
                        fail(err, ERR_DISK_FULL, 0, "the state needs the room on its disk"));
        }
        return give_way(roots, addition->sha256, addition->size_bytes + addition->index_size, err) &&
               write_both(roots, addition, used, err);
}

bool kept_roots_add(int disk, const struct kept_addition *addition, struct err *err) {
        assert(disk >= 0 && addition->root >= 0 && strlen(addition->sha256) == SHA256_HEX_SIZE - 1);
        auto_kept_roots roots = { .dir = -1 };
        if (!open_kept_for_writing(disk, &roots, err))
                return false;
        remove_strays(&roots);
        return add_kept(&roots, addition, err);
}
