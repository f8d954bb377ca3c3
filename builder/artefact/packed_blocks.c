// SPDX-License-Identifier: MIT
#include "artefact/packed_blocks.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"

enum {
        IMAGES_MAX = 16,           // more hardly have what these lack, and each index takes milliseconds
        INDEX_BYTES_MAX = 64 << 20 // of 64 GB of files
};

struct found_index {
        char *name; // of the entry
        struct timespec modified;
};

struct found_indexes {
        struct found_index *items;
        size_t count;
};

static bool is_newer(const struct found_index *index, const struct found_index *than) {
        if (index->modified.tv_sec != than->modified.tv_sec)
                return index->modified.tv_sec > than->modified.tv_sec;
        return index->modified.tv_nsec > than->modified.tv_nsec;
}

static int by_age_of_index(const void *left, const void *right) {
        const struct found_index *a = left, *b = right;
        if (is_newer(a, b))
                return -1;
        if (is_newer(b, a))
                return 1;
        return strcmp(a->name, b->name);
}

static void list_indexes(int kind, struct found_indexes *ret) {
        auto_closedir DIR *stream = NULL;
        auto_err ignored = { 0 };
        struct dirent *entry;
        if (!fs_open_listing(kind, &stream, &ignored))
                return;
        while (fs_next_entry(stream, &entry, &ignored) && entry) {
                struct stat stat;
                bool is_entry = !strchr(entry->d_name, '.'); // neither a lock nor one that is being made
                auto_free char *path = xasprintf("%s/" ROOT_BLOCKS_NAME, entry->d_name);
                if (is_entry && fstatat(kind, path, &stat, AT_SYMLINK_NOFOLLOW) == 0)
                        *array_append(&ret->items, &ret->count) =
                            (struct found_index){ xstrdup(entry->d_name), stat.st_mtim };
        }
        if (ret->count > 0)
                qsort(ret->items, ret->count, sizeof *ret->items, by_age_of_index);
}

static bool add_image_of(struct block_cache *blocks, int kind, const char *name) {
        auto_free char *image = xasprintf("%s/" ROOT_IMAGE_NAME, name);
        auto_free char *index = xasprintf("%s/" ROOT_BLOCKS_NAME, name);
        auto_buf text = { .max = INDEX_BYTES_MAX };
        auto_err ignored = { 0 };
        auto_close int fd = -1;
        if (!fs_read(kind, index, &text, &ignored) ||
            !fs_open(kind, image, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, &ignored) ||
            !block_cache_add_image(blocks, &text, fd))
                return false;
        (void)take_fd(fd);
        return true;
}

static void add_images(struct block_cache *blocks, int kind) {
        struct found_indexes found = { 0 };
        size_t added = 0;
        list_indexes(kind, &found);
        for (size_t i = 0; i < found.count; i++) {
                if (added < IMAGES_MAX && add_image_of(blocks, kind, found.items[i].name))
                        added++;
                free(found.items[i].name);
        }
        free(found.items);
}

struct block_cache *packed_blocks_open(const struct artefact_build *build) {
        auto_free char *path = cache_kind_path(build->cache, CACHE_SQUASHFS);
        auto_close int kind = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct block_cache *blocks = block_cache_new(build->maker);
        if (kind >= 0)
                add_images(blocks, kind);
        return blocks;
}

bool packed_blocks_keep(const struct artefact_build *build, int dir, struct err *err) {
        auto_buf index = { 0 };
        int fd;
        if (!build->blocks)
                return true;
        if (!fs_open(dir, ROOT_IMAGE_NAME, O_RDONLY | O_NOFOLLOW, 0, &fd, err))
                return false;
        block_cache_finish(build->blocks, fd, &index);
        return fs_write(dir, ROOT_BLOCKS_NAME, index.data, index.size, 0644, err);
}
