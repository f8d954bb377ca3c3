#include "base/touched.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"

static bool settle(const struct fs_entry *entry, void *context, struct err *err) {
        const struct timespec *times = context;
        return !S_ISREG(entry->stat->st_mode) ||
               utimensat(entry->parent, entry->name, times, AT_SYMLINK_NOFOLLOW) == 0 ||
               fail(err, ERR_SYSTEM, errno, "set the time of %s", entry->path);
}

bool tree_settle(int dir, int64_t seconds, struct err *err) {
        struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };
        return fs_walk(dir, settle, times, err);
}

static bool find(const struct fs_entry *entry, void *context, struct err *err) {
        char **path = context;
        (void)err;
        if (!*path && S_ISREG(entry->stat->st_mode) && entry->stat->st_mtim.tv_nsec != 0)
                *path = xstrdup(entry->path);
        return true;
}

bool tree_touched(int dir, char **ret_path, struct err *err) {
        *ret_path = NULL;
        return fs_walk(dir, find, ret_path, err);
}
