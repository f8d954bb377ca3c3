// SPDX-License-Identifier: MIT
#include "cache/cache_size.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"

enum { BLOCK_BYTES = 512 }; // the unit of st_blocks: stat(2)

// Files with several names, of one entry: layers have some.
struct inode {
        dev_t device;
        ino_t number;
};

struct inodes {
        struct inode *items;
        size_t count;
};

static bool was_counted(struct inodes *inodes, const struct stat *stat) {
        if (S_ISDIR(stat->st_mode) || stat->st_nlink < 2)
                return false;
        for (size_t i = 0; i < inodes->count; i++)
                if (inodes->items[i].number == stat->st_ino && inodes->items[i].device == stat->st_dev)
                        return true;
        *array_append(&inodes->items, &inodes->count) = (struct inode){ stat->st_dev, stat->st_ino };
        return false;
}

// What vanishes meanwhile is not there: other kilns may be at work.
static void add_tree(int dir, const char *name, struct inodes *inodes, uint64_t *bytes) {
        struct stat stat;
        if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return;
        if (!was_counted(inodes, &stat))
                *bytes += (uint64_t)stat.st_blocks * BLOCK_BYTES;
        if (!S_ISDIR(stat.st_mode))
                return;
        int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        auto_closedir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
        for (struct dirent *entry; stream && (entry = readdir(stream));)
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        add_tree(dirfd(stream), entry->d_name, inodes, bytes);
}

void cache_add_size(int dir, const char *name, uint64_t *bytes) {
        struct inodes inodes = { 0 };
        add_tree(dir, name, &inodes, bytes);
        free(inodes.items);
}

bool cache_each(const char *path, cache_visit *visit, void *context, struct err *err) {
        auto_closedir DIR *stream = opendir(path);
        if (!stream)
                return errno == ENOENT || fail(err, ERR_SYSTEM, errno, "list %s", path);
        struct dirent *entry;
        bool ok;
        while ((ok = fs_next_entry(stream, &entry, err)) && entry)
                if (!visit(dirfd(stream), entry->d_name, context, err))
                        return wrap(err, "%s", path);
        return ok;
}

bool cache_is_lock(const char *name) {
        size_t length = strlen(name), end = strlen(".lock");
        return length >= end && strcmp(name + length - end, ".lock") == 0;
}

static bool count_entry(int dir, const char *name, void *context, struct err *err) {
        struct cache_total *total = context;
        if (cache_is_lock(name))
                return true;
        total->count++;
        cache_add_size(dir, name, &total->bytes);
        return interrupt_check(err);
}

void cache_print_total(const char *name, const struct cache_total *total, const char *description) {
        printf("%-11s %6zu %10.1f MB", name, total->count, (double)total->bytes / 1e6);
        if (*description)
                printf("  %s", description);
        putchar('\n');
}

bool cache_measure(const char *cache, struct cache_totals *ret, struct err *err) {
        struct cache_totals totals = { 0 };
        for (int kind = 0; kind < CACHE_KIND_COUNT; kind++) {
                struct cache_total *total = &totals.kinds[kind];
                auto_free char *path = layout_kind(cache, kind);
                if (!cache_each(path, count_entry, total, err))
                        return false;
                totals.all.count += total->count;
                totals.all.bytes += total->bytes;
        }
        *ret = totals;
        return true;
}

bool cache_print(const char *cache, struct err *err) {
        struct cache_totals totals;
        if (!cache_measure(cache, &totals, err))
                return false;
        for (int kind = 0; kind < CACHE_KIND_COUNT; kind++)
                cache_print_total(cache_kinds[kind].name, &totals.kinds[kind], cache_kinds[kind].description);
        cache_print_total("all", &totals.all, cache);
        return true;
}
