// SPDX-License-Identifier: MIT
#include "artefact/file_sums.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

// The change time tells a file that was written again from one that was not.
struct known {
        dev_t device;
        ino_t inode;
        struct timespec changed;
        char sha256[DIGEST_HEX_SIZE];
};

// An inventory of thousands of nodes has several files for each.
struct file_sums {
        void *tree; // of struct known: tsearch(3)
};

struct file_sums *file_sums_new(void) {
        return xcalloc(1, sizeof(struct file_sums));
}

void file_sums_free(struct file_sums *sums) {
        if (sums)
                tdestroy(sums->tree, free);
        free(sums);
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
        const struct known *const *found = tfind(&key, &sums->tree, compare_known);
        if (!found)
                return NULL;
        return *found;
}

// Returns what the file is known by: an entry that is there already is not replaced.
static const struct known *remember(struct file_sums *sums, const struct stat *stat, const char *sha256) {
        struct known *known = xmalloc(sizeof *known);
        *known = key_of(stat);
        memcpy(known->sha256, sha256, strlen(sha256) + 1);
        const struct known *const *there = tsearch(known, &sums->tree, compare_known);
        if (!there)
                abort(); // out of memory
        if (*there != known)
                free(known);
        return *there;
}

static void remember_file(const struct artefact_build *build, const struct artefact_role *role, const char *name,
                          const char *sha256) {
        struct stat stat;
        if (*sha256 && fstatat(role->out, name, &stat, AT_SYMLINK_NOFOLLOW) == 0)
                remember(build->sums, &stat, sha256);
}

// The large files were digested when they were made, perhaps in an earlier build.
static void remember_roles(const struct artefact_build *build) {
        for (size_t i = 0; i < build->role_count; i++) {
                const struct artefact_role *role = &build->roles[i];
                auto_free char *iso = xasprintf("%s-%s.iso", build->cluster->name, role->role->name);
                remember_file(build, role, "vmlinuz", role->kernel_sha256);
                remember_file(build, role, "rootfs.squashfs", role->root_sha256);
                remember_file(build, role, "initrd.img", role->initrd_sha256);
                remember_file(build, role, iso, role->iso_sha256);
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
        remember_roles(build);
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
