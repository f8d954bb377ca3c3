// SPDX-License-Identifier: MIT
#include "base/own_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static bool refuse_link(int dir, const char *path, const char *shown, int number, struct err *err) {
        struct stat stat;
        if (fstatat(dir, path, &stat, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISLNK(stat.st_mode))
                return fail(err, ERR_SYSTEM, number, "open directory %s", shown);
        fail(err, ERR_SYSTEM, 0, "%s is a link, where kiln keeps a directory of its own", shown);
        return hint(err, "remove it; to keep this data elsewhere, name the place with --cache or --out");
}

static bool group_is_private(const struct stat *stat) { return stat->st_gid == stat->st_uid; }

static bool others_may_write(const struct stat *stat) {
        bool by_group = (stat->st_mode & S_IWGRP) && !group_is_private(stat);
        return by_group || (stat->st_mode & S_IWOTH);
}

static bool check_owner(const struct stat *stat, enum own_dir_kind kind, const char *shown, struct err *err) {
        bool own = stat->st_uid == geteuid() || stat->st_uid == 0;
        if (!own) {
                fail(err, ERR_SYSTEM, 0, "%s belongs to another user (id %u), who decides what is in it", shown,
                     stat->st_uid);
                return hint(err, "name another place with --cache or --out, or chown it to the user that builds");
        }
        bool sticky_place = kind == OWN_DIR_SHARED && (stat->st_mode & S_ISVTX);
        if (sticky_place || !others_may_write(stat))
                return true;
        fail(err, ERR_SYSTEM, 0, "%s may be written by other users (mode %04o), who could decide what is in it", shown,
             stat->st_mode & 07777);
        return hint(err, "chmod go-w %s, if nobody else has written there until now", shown);
}

bool own_dir_open(int dir, const char *path, enum own_dir_kind kind, const char *shown, int *ret_fd, struct err *err) {
        int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
        struct stat stat;
        if (kind == OWN_DIR)
                flags |= O_NOFOLLOW;
        auto_close int fd = openat(dir, path, flags);
        if (fd < 0)
                return refuse_link(dir, path, shown, errno, err);
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", shown);
        if (!check_owner(&stat, kind, shown, err))
                return false;
        *ret_fd = take_fd(fd);
        return true;
}
