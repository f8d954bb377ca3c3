// SPDX-License-Identifier: MIT
// What lies in the directory when the server starts, in the order of its last use.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cache_server/internal.h"

#define LOCK_NAME "lock"
#define TEMPORARY_NAME "tmp"

struct found {
        struct store_name name;
        uint64_t size_bytes;
        struct timespec used;
};

struct listing {
        struct found *items;
        size_t count;
};

// Keys before contents where their times are the same, as they are used.
static int compare_found(const void *left, const void *right) {
        const struct found *a = left, *b = right;
        if (a->used.tv_sec != b->used.tv_sec)
                return a->used.tv_sec < b->used.tv_sec ? -1 : 1;
        if (a->used.tv_nsec != b->used.tv_nsec)
                return a->used.tv_nsec < b->used.tv_nsec ? -1 : 1;
        if (a->name.kind != b->name.kind)
                return a->name.kind == STORE_AC ? -1 : 1;
        return strcmp(a->name.hex, b->name.hex);
}

static bool list_kind(const struct store *store, enum store_kind kind, struct listing *listing, struct err *err) {
        auto_closedir DIR *stream = NULL;
        struct dirent *entry;
        struct stat stat;
        bool ok = fs_open_listing(store->kinds[kind], &stream, err);
        while (ok && (ok = fs_next_entry(stream, &entry, err)) && entry) {
                auto_free char *url = xasprintf("/%s/%s", store_kind_names[kind], entry->d_name);
                struct store_name name;
                bool is_entry = store_name_parse(url, &name) &&
                                fstatat(store->kinds[kind], name.hex, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
                                S_ISREG(stat.st_mode);
                if (is_entry)
                        *array_append(&listing->items, &listing->count) =
                            (struct found){ name, (uint64_t)stat.st_size, stat.st_mtim };
        }
        return ok;
}

static bool take_entries(struct store *store, struct err *err) {
        struct listing listing = { 0 };
        bool ok = true;
        for (int kind = 0; ok && kind < STORE_KIND_COUNT; kind++)
                ok = list_kind(store, kind, &listing, err);
        if (ok && listing.count > 0) {
                qsort(listing.items, listing.count, sizeof *listing.items, compare_found);
                for (size_t i = 0; i < listing.count; i++)
                        (void)store_add(store, &listing.items[i].name,
                                        store_bytes_on_disk(listing.items[i].size_bytes));
                store->stamp = listing.items[listing.count - 1].used;
        }
        free(listing.items);
        return ok;
}

static bool open_kinds(struct store *store, struct err *err) {
        for (int kind = 0; kind < STORE_KIND_COUNT; kind++)
                if (!fs_mkdirs(store->dir, store_kind_names[kind], 0755, err) ||
                    !fs_open_dir(store->dir, store_kind_names[kind], &store->kinds[kind], err))
                        return false;
        return fs_remove_tree(store->dir, TEMPORARY_NAME, err) && fs_mkdirs(store->dir, TEMPORARY_NAME, 0755, err) &&
               fs_open_dir(store->dir, TEMPORARY_NAME, &store->temporary, err);
}

static bool is_store_name(const char *name) {
        for (int kind = 0; kind < STORE_KIND_COUNT; kind++)
                if (strcmp(name, store_kind_names[kind]) == 0)
                        return true;
        return strcmp(name, LOCK_NAME) == 0 || strcmp(name, TEMPORARY_NAME) == 0;
}

// Before anything in it is written or removed.
static bool check_is_store(const struct store *store, struct err *err) {
        auto_closedir DIR *stream = NULL;
        struct dirent *entry;
        bool ok = fs_open_listing(store->dir, &stream, err);
        while (ok && (ok = fs_next_entry(stream, &entry, err)) && entry) {
                bool is_ours = is_store_name(entry->d_name) || strcmp(entry->d_name, "lost+found") == 0;
                if (is_ours)
                        continue;
                fail(err, ERR_REFERENCE, 0, "%s is no directory of kiln cache serve: there is %s in it", store->path,
                     entry->d_name);
                return hint(err,
                            "--dir takes a directory of its own, which need not be there; the cache that kiln build "
                            "has here is another thing (kiln cache --push fills this one)");
        }
        return ok;
}

static bool lock_store(struct store *store, struct err *err) {
        store->lock_fd = openat(store->dir, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (store->lock_fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s/" LOCK_NAME, store->path);
        if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0)
                return true;
        fail(err, ERR_LOCKED, 0, "another kiln cache serve has %s", store->path);
        return hint(err, "--dir gives another one");
}

static struct store *store_new(int dir, const char *path, uint64_t limit_bytes) {
        struct store *store = xcalloc(1, sizeof *store);
        *store = (struct store){
                .path = xstrdup(path), .dir = dir, .lock_fd = -1, .temporary = -1, .limit_bytes = limit_bytes
        };
        for (int kind = 0; kind < STORE_KIND_COUNT; kind++)
                store->kinds[kind] = -1;
        store->buckets = xcalloc(STORE_BUCKETS, sizeof *store->buckets);
        pthread_mutex_init(&store->lock, NULL);
        return store;
}

bool store_open(int dir, const char *path, uint64_t limit_bytes, struct store **ret, struct err *err) {
        assert(dir >= 0 && path && ret);
        int own = fcntl(dir, F_DUPFD_CLOEXEC, 0);
        if (own < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        struct store *store = store_new(own, path, limit_bytes);
        bool ok =
            check_is_store(store, err) && lock_store(store, err) && open_kinds(store, err) && take_entries(store, err);
        if (!ok) {
                store_close(store);
                return false;
        }
        (void)store_make_room(store, 0); // the limit may be lower than it was
        *ret = store;
        return true;
}

void store_close(struct store *store) {
        if (!store)
                return;
        for (struct stored *next, *stored = store->oldest; stored; stored = next) {
                next = stored->newer;
                free(stored);
        }
        for (int kind = 0; kind < STORE_KIND_COUNT; kind++)
                close_cleanup(&store->kinds[kind]);
        close_cleanup(&store->temporary);
        close_cleanup(&store->lock_fd);
        close_cleanup(&store->dir);
        pthread_mutex_destroy(&store->lock);
        free(store->buckets);
        free(store->path);
        free(store);
}
