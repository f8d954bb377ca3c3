// SPDX-License-Identifier: MIT
#include "artefact/file_sums.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <search.h>
#include <string.h>

#include "base/file_place.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cache/cached_file.h"

enum { SHA256_DIGITS = 64 };

// A file whose digest is known as long as it lies at `place`.
struct known {
        dev_t device;
        ino_t inode;
        struct file_place place;
        char sha256[DIGEST_HEX_SIZE];
        bool is_promised; // it was noted: other files of the build may name the digest
};

// A file of the cache that this build has links to.
struct linked {
        enum cache_kind kind;
        char *key, *name;
        const struct known *known;
};

struct file_sums {
        pthread_mutex_t lock;
        void *known; // of struct known, by tsearch(3): an inventory of thousands of nodes has several files for each
        struct linked *linked;
        size_t linked_count;
};

struct file_sums *file_sums_new(void) {
        struct file_sums *sums = xcalloc(1, sizeof *sums);
        pthread_mutex_init(&sums->lock, NULL);
        return sums;
}

void file_sums_free(struct file_sums *sums) {
        if (!sums)
                return;
        for (size_t i = 0; i < sums->linked_count; i++) {
                free(sums->linked[i].key);
                free(sums->linked[i].name);
        }
        free(sums->linked);
        tdestroy(sums->known, free);
        pthread_mutex_destroy(&sums->lock);
        free(sums);
}

// ---- what is known ----

static int compare_numbers(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

static int compare_known(const void *left, const void *right) {
        const struct known *a = left, *b = right;
        if (a->inode != b->inode)
                return compare_numbers(a->inode, b->inode);
        return compare_numbers(a->device, b->device);
}

static struct known *find_known(const struct file_sums *sums, const struct stat *stat) {
        const struct known key = { .device = stat->st_dev, .inode = stat->st_ino };
        struct known *const *found = tfind(&key, &sums->known, compare_known);
        if (!found)
                return NULL;
        return *found;
}

static bool is_untouched(const struct known *known, const struct stat *stat) {
        const struct file_place place = file_place_of(stat);
        return known && file_place_equal(&known->place, &place);
}

static struct known *remember(struct file_sums *sums, const struct stat *stat, const char *sha256) {
        struct known *known = find_known(sums, stat);
        if (!known) {
                known = xcalloc(1, sizeof *known);
                known->device = stat->st_dev;
                known->inode = stat->st_ino;
                if (!tsearch(known, &sums->known, compare_known))
                        abort(); // out of memory
        }
        known->place = file_place_of(stat);
        memcpy(known->sha256, sha256, SHA256_DIGITS + 1);
        return known;
}

// NULL for a file that is not there: whoever lists the build will not find it either.
static struct known *remember_promised(struct file_sums *sums, int dir, const char *name, const char *sha256) {
        struct stat stat;
        assert(strlen(sha256) == SHA256_DIGITS);
        if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return NULL;
        struct known *known = remember(sums, &stat, sha256);
        known->is_promised = true;
        return known;
}

void file_sums_note(struct file_sums *sums, int dir, const char *name, const char *sha256) {
        assert(sums);
        pthread_mutex_lock(&sums->lock);
        (void)remember_promised(sums, dir, name, sha256);
        pthread_mutex_unlock(&sums->lock);
}

// ---- links ----

void file_sums_note_cached(struct file_sums *sums, int dir, const char *name, enum cache_kind kind, const char *key,
                           const char *sha256) {
        assert(sums);
        pthread_mutex_lock(&sums->lock);
        const struct known *known = remember_promised(sums, dir, name, sha256);
        if (known) {
                struct linked *linked = array_append(&sums->linked, &sums->linked_count);
                *linked = (struct linked){ kind, xstrdup(key), xstrdup(name), known };
        }
        pthread_mutex_unlock(&sums->lock);
}

// The link moved the file from a place where its digest was known.
static void follow_moved(struct known *known, int dir, const char *name) {
        struct stat stat;
        bool is_link = fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && stat.st_ino == known->inode &&
                       stat.st_dev == known->device;
        if (is_link)
                known->place = file_place_of(&stat);
}

static bool link_known(struct file_sums *sums, int from_dir, const char *from, int to_dir, const char *to,
                       struct err *err) {
        struct stat before;
        if (fstatat(from_dir, from, &before, AT_SYMLINK_NOFOLLOW) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", from);
        struct known *known = find_known(sums, &before);
        bool is_known = is_untouched(known, &before);
        if (!fs_link_or_copy(from_dir, from, to_dir, to, err))
                return false;
        if (is_known)
                follow_moved(known, to_dir, to);
        return true;
}

bool file_sums_link(struct file_sums *sums, int from_dir, const char *from, int to_dir, const char *to,
                    struct err *err) {
        assert(sums);
        pthread_mutex_lock(&sums->lock);
        bool ok = link_known(sums, from_dir, from, to_dir, to, err);
        pthread_mutex_unlock(&sums->lock);
        return ok;
}

void file_sums_settle(struct file_sums *sums, struct cache *cache) {
        for (size_t i = 0; i < sums->linked_count; i++) {
                const struct linked *linked = &sums->linked[i];
                auto_err err = { 0 };
                if (!cached_file_note_place(cache, linked->kind, linked->key, linked->name, &linked->known->place,
                                            &err))
                        notice("the cache's %s will be read again by the next build: %s", linked->name, err.text);
        }
}

// ---- listing ----

struct listing {
        struct file_sums *sums;
        struct published_list *list;
};

static bool digest_touched(struct file_sums *sums, const struct fs_entry *entry, const struct known **ret,
                           struct err *err) {
        const struct known *known = find_known(sums, entry->stat);
        char sha256[DIGEST_HEX_SIZE];
        if (!digest_file("sha256", entry->parent, entry->name, sha256, err))
                return false;
        bool became_another = known && known->is_promised && strcmp(known->sha256, sha256) != 0;
        if (!became_another) {
                *ret = remember(sums, entry->stat, sha256);
                return true;
        }
        fail(err, ERR_CORRUPT, 0, "%s changed after it was written: sha256 %s became %s", entry->path, known->sha256,
             sha256);
        return hint(err, "build again; if it happens again, look for what writes there, and at the disk and the memory "
                         "of this machine");
}

static bool list_file(const struct fs_entry *entry, void *context, struct err *err) {
        struct listing *listing = context;
        if (!S_ISREG(entry->stat->st_mode))
                return true;
        const struct known *known = find_known(listing->sums, entry->stat);
        if (!is_untouched(known, entry->stat) && !digest_touched(listing->sums, entry, &known, err))
                return false;
        struct published *published = array_append(&listing->list->items, &listing->list->count);
        published->path = xstrdup(entry->path);
        published->size_bytes = (uint64_t)entry->stat->st_size;
        memcpy(published->sha256, known->sha256, sizeof known->sha256);
        return true;
}

bool file_sums_list(struct artefact_build *build, struct published_list *ret, struct err *err) {
        assert(build->sums);
        struct published_list list = { 0 };
        struct listing listing = { build->sums, &list };
        if (!fs_walk(build->out, list_file, &listing, err)) {
                published_list_release(&list);
                return false;
        }
        *ret = list;
        return true;
}

void published_list_release(struct published_list *list) {
        for (size_t i = 0; i < list->count; i++)
                free(list->items[i].path);
        free(list->items);
}
