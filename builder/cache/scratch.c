// SPDX-License-Identifier: MIT
#include "cache/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cache/lock.h"

static bool make_alone(const struct cache *cache, struct scratch *scratch, struct err *err) {
        auto_free char *stem = cache_place(cache, CACHE_SCRATCH);
        auto_free char *lock_path = cache_place(cache, CACHE_SCRATCH_LOCK);
        return lock_take(AT_FDCWD, lock_path, &scratch->lock, err) && lock_remove_leftovers(AT_FDCWD, stem, err) &&
               fs_make_temporary_dir(AT_FDCWD, stem, &scratch->path, err);
}

static bool share_kind(const struct cache *cache, enum cache_kind kind, const struct scratch *scratch,
                       struct err *err) {
        auto_free char *target = xasprintf("../%s", cache_kinds[kind].name);
        auto_free char *link = layout_kind(scratch->path, kind);
        auto_close int dir = -1;
        if (!cache_open_kind(cache, kind, &dir, err))
                return false;
        return symlink(target, link) == 0 || fail(err, ERR_SYSTEM, errno, "link %s", link);
}

bool scratch_make(const struct cache *cache, struct scratch *ret, struct err *err) {
        *ret = (struct scratch){ .lock = -1 };
        if (!make_alone(cache, ret, err))
                return wrap(err, "preparing the cache");
        for (int kind = 0; kind < CACHE_KIND_COUNT; kind++)
                if (cache_kinds[kind].downloaded && !share_kind(cache, kind, ret, err))
                        return false;
        return true;
}

void scratch_remove(struct scratch *scratch) {
        auto_err err = { 0 };
        if (scratch->path) {
                auto_free char *mounts = layout_place(scratch->path, CACHE_MOUNTS);
                umount2(mounts, MNT_DETACH); // where this process mounted layers, if it came so far
                if (!fs_remove_tree(AT_FDCWD, scratch->path, &err))
                        warning("%s stays behind: %s", scratch->path, err.text);
        }
        free(scratch->path);
        close_cleanup(&scratch->lock);
        *scratch = (struct scratch){ .lock = -1 };
}
