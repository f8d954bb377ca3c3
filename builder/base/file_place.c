// SPDX-License-Identifier: MIT
#include "base/file_place.h"

#include <fcntl.h>

enum { NS_PER_S = 1000000000 };

static int64_t ns_of(const struct timespec *time) { return (int64_t)time->tv_sec * NS_PER_S + time->tv_nsec; }

struct file_place file_place_of(const struct stat *stat) {
        return (struct file_place){
                .inode = stat->st_ino,
                .size_bytes = (uint64_t)stat->st_size,
                .modified_ns = ns_of(&stat->st_mtim),
                .changed_ns = ns_of(&stat->st_ctim),
        };
}

bool file_place_equal(const struct file_place *left, const struct file_place *right) {
        return left->inode == right->inode && left->size_bytes == right->size_bytes &&
               left->modified_ns == right->modified_ns && left->changed_ns == right->changed_ns;
}

bool file_place_find(int dir, const char *path, struct file_place *ret) {
        struct stat stat;
        if (fstatat(dir, path, &stat, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(stat.st_mode))
                return false;
        *ret = file_place_of(&stat);
        return true;
}
