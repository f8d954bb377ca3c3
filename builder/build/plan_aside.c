// SPDX-License-Identifier: MIT
#include "build/plan_aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cache/layout.h"
#include "sandbox/overlay.h"

#define UPPER "upper"
#define WORK "work"

static bool open_made(const char *parent, const char *part, const char *name, int *ret_fd, struct err *err) {
        auto_free char *path = xasprintf("%s/%s/%s", parent, part, name);
        return fs_mkdirs(AT_FDCWD, path, 0755, err) && fs_open_dir(AT_FDCWD, path, ret_fd, err);
}

// What is written over the cache's own goes to UPPER.
static bool mount_over(const struct plan_aside *aside, const char *name, const char *lower_path, const char *place,
                       struct err *err) {
        auto_close int lower = -1, upper = -1, work = -1, mounted = -1;
        if (!fs_open_dir(AT_FDCWD, lower_path, &lower, err) || !open_made(aside->path, UPPER, name, &upper, err) ||
            !open_made(aside->path, WORK, name, &work, err) || !overlay_open(&lower, 1, upper, work, &mounted, err))
                return false;
        return syscall(SYS_move_mount, mounted, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) == 0 ||
               fail(err, ERR_SYSTEM, errno, "mount an overlay at %s", place);
}

static bool show_kind(const struct plan_aside *aside, const char *cache, enum cache_kind kind, struct err *err) {
        auto_free char *lower = layout_kind(cache, kind);
        auto_free char *place = layout_kind(aside->path, kind);
        if (!fs_mkdirs(AT_FDCWD, place, 0755, err))
                return false;
        return !fs_exists(AT_FDCWD, lower) || mount_over(aside, cache_kinds[kind].name, lower, place, err);
}

static bool show_kinds(const struct plan_aside *aside, const char *cache, struct err *err) {
        if (mount("kiln", aside->path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") < 0)
                return fail(err, ERR_SANDBOX, errno, "mount a tmpfs at %s", aside->path);
        for (int kind = 0; kind < CACHE_KIND_COUNT; kind++)
                if (cache_kinds[kind].refreshed && !show_kind(aside, cache, (enum cache_kind)kind, err))
                        return false;
        return true;
}

static const char *temporary_dir(void) {
        const char *named = getenv("TMPDIR");
        if (named && *named == '/')
                return named;
        return "/tmp";
}

bool plan_aside_open(const char *cache, struct plan_aside *ret, struct err *err) {
        auto_free char *stem = xasprintf("%s/kiln-plan", temporary_dir());
        *ret = (struct plan_aside){ 0 };
        if (!fs_make_temporary_dir(AT_FDCWD, stem, &ret->path, err)) {
                (void)hint(err, "name a directory that may be written to with TMPDIR");
                return wrap(err, "a place for what the plan must not write to the cache");
        }
        return show_kinds(ret, cache, err) || wrap(err, "looking into the cache %s", cache);
}

// Solv files are made of metadata, and the age of what was seen is noted: neither is downloaded.
static bool add_downloaded(const struct fs_entry *entry, void *context, struct err *err) {
        uint64_t *bytes = context;
        size_t length = strlen(entry->name);
        bool is_solv = length > strlen(".solv") && strstr(entry->name, ".solv");
        bool is_made = is_solv || strcmp(entry->name, "newest") == 0;
        (void)err;
        if (S_ISREG(entry->stat->st_mode) && !is_made)
                *bytes += (uint64_t)entry->stat->st_size;
        return true;
}

static void add_downloaded_below(const struct plan_aside *aside, const char *part, uint64_t *bytes) {
        auto_free char *path = xasprintf("%s%s/%s", aside->path, part, cache_kinds[CACHE_REPOS].name);
        auto_close int dir = -1;
        auto_err unknown = { 0 };
        if (fs_exists(AT_FDCWD, path) && fs_open_dir(AT_FDCWD, path, &dir, &unknown))
                (void)!fs_walk(dir, add_downloaded, bytes, &unknown);
}

uint64_t plan_aside_downloaded(const struct plan_aside *aside) {
        auto_free char *upper = xasprintf("%s/" UPPER, aside->path);
        uint64_t bytes = 0;
        const char *part = "";
        if (fs_exists(AT_FDCWD, upper)) // an overlay: only what is new
                part = "/" UPPER;
        add_downloaded_below(aside, part, &bytes);
        return bytes;
}

// A kill leaves an empty directory.
void plan_aside_close(struct plan_aside *aside) {
        if (!aside->path)
                return;
        umount2(aside->path, MNT_DETACH);
        rmdir(aside->path);
        free(take_ptr(aside->path));
}
