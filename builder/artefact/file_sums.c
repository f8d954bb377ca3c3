// SPDX-License-Identifier: MIT
#include "artefact/file_sums.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <search.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

enum { SHA256_DIGITS = 64 };

// A file whose digest is known. The change time tells one that was written again from one that was not.
struct known {
        dev_t device;
        ino_t inode;
        struct timespec changed;
        char sha256[DIGEST_HEX_SIZE];
};

// A digest that was noted under a name. What inode and change time belong to it is looked up when files are listed,
// because every further hard link changes the time.
struct noted {
        int dir;
        char *name;
        char sha256[DIGEST_HEX_SIZE];
};

struct file_sums {
        void *known; // of struct known, by tsearch(3): an inventory of thousands of nodes has several files for each
        pthread_mutex_t lock; // over the two below
        struct noted *noted;
        size_t noted_count;
};

struct file_sums *file_sums_new(void) {
        struct file_sums *sums = xcalloc(1, sizeof *sums);
        pthread_mutex_init(&sums->lock, NULL);
        return sums;
}

void file_sums_free(struct file_sums *sums) {
        if (!sums)
                return;
        tdestroy(sums->known, free);
        for (size_t i = 0; i < sums->noted_count; i++)
                free(sums->noted[i].name);
        free(sums->noted);
        pthread_mutex_destroy(&sums->lock);
        free(sums);
}

void file_sums_note(struct file_sums *sums, int dir, const char *name, const char *sha256) {
        assert(sums && strlen(sha256) == SHA256_DIGITS);
        pthread_mutex_lock(&sums->lock);
        struct noted *noted = array_append(&sums->noted, &sums->noted_count);
        noted->dir = dir;
        noted->name = xstrdup(name);
        memcpy(noted->sha256, sha256, SHA256_DIGITS + 1);
        pthread_mutex_unlock(&sums->lock);
}

static int compare_numbers(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

static int compare_known(const void *left, const void *right) {
        const struct known *a = left, *b = right;
        const int orders[] = { compare_numbers(a->inode, b->inode), compare_numbers(a->device, b->device),
                               compare_numbers((uint64_t)a->changed.tv_sec, (uint64_t)b->changed.tv_sec),
                               compare_numbers((uint64_t)a->changed.tv_nsec, (uint64_t)b->changed.tv_nsec) };
        for (size_t i = 0; i < lengthof(orders); i++)
                if (orders[i])
                        return orders[i];
        return 0;
}

static struct known key_of(const struct stat *stat) {
        return (struct known){ .device = stat->st_dev, .inode = stat->st_ino, .changed = stat->st_ctim };
}

static const struct known *find_known(const struct file_sums *sums, const struct stat *stat) {
        const struct known key = key_of(stat);
        const struct known *const *found = tfind(&key, &sums->known, compare_known);
        if (!found)
                return NULL;
        return *found;
}

// Returns what the file is known by: an entry that is there already is not replaced.
static const struct known *remember(struct file_sums *sums, const struct stat *stat, const char *sha256) {
        struct known *known = xmalloc(sizeof *known);
        *known = key_of(stat);
        memcpy(known->sha256, sha256, strlen(sha256) + 1);
        const struct known *const *there = tsearch(known, &sums->known, compare_known);
        if (!there)
                abort(); // out of memory
        if (*there != known)
                free(known);
        return *there;
}

static void remember_noted(struct file_sums *sums) {
        for (size_t i = 0; i < sums->noted_count; i++) {
                const struct noted *noted = &sums->noted[i];
                struct stat stat;
                if (fstatat(noted->dir, noted->name, &stat, AT_SYMLINK_NOFOLLOW) == 0)
                        remember(sums, &stat, noted->sha256);
        }
}

struct listing {
        struct file_sums *sums;
        struct published_list *list;
};

static bool list_file(const struct fs_entry *entry, void *context, struct err *err) {
        struct listing *listing = context;
        if (!S_ISREG(entry->stat->st_mode))
                return true;
        const struct known *known = find_known(listing->sums, entry->stat);
        if (!known) {
                char sha256[DIGEST_HEX_SIZE];
                if (!digest_file("sha256", entry->parent, entry->name, sha256, err))
                        return false;
                known = remember(listing->sums, entry->stat, sha256);
        }
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
        remember_noted(build->sums);
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
