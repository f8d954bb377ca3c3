#include "artefact/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/progress.h"

#define INFO_NAME "info.json"

static int64_t mtime_ns(const struct stat *stat) {
        return (int64_t)stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec;
}

// Digests the file and writes down what it is.
static bool seal(int dir, const char *name, struct err *err) {
        char sha256[DIGEST_HEX_SIZE];
        auto_close int fd = -1;
        struct stat stat;
        if (!fs_open(dir, name, O_RDONLY, 0, &fd, err) || !digest_fd("sha256", fd, sha256, err))
                return false;
        if (fsync(fd) < 0 || fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "write %s", name);
        json_t *info = json_pack("{ss sI sI}", "sha256", sha256, "size", (json_int_t)stat.st_size, "mtime_ns",
                                 (json_int_t)mtime_ns(&stat));
        auto_free char *text = json_dumps(info, JSON_COMPACT | JSON_SORT_KEYS);
        json_decref(info);
        return fs_write_atomic(dir, INFO_NAME, text, strlen(text), 0644, err);
}

static bool read_info(int dir, struct kept *ret, int64_t *ret_mtime_ns) {
        auto_buf text = { 0 };
        auto_err absent = { 0 };
        json_error_t error;
        const char *sha256 = NULL;
        json_int_t size = 0, mtime = 0;
        if (!fs_read(dir, INFO_NAME, &text, &absent))
                return false;
        json_t *info = json_loadb(buf_text(&text), text.size, 0, &error);
        bool ok = info && json_unpack(info, "{ss sI sI}", "sha256", &sha256, "size", &size, "mtime_ns", &mtime) == 0 &&
                  strlen(sha256) == sizeof ret->sha256 - 1;
        if (ok) {
                memcpy(ret->sha256, sha256, sizeof ret->sha256);
                ret->size_bytes = (uint64_t)size;
                *ret_mtime_ns = mtime;
        }
        json_decref(info);
        return ok;
}

// The cache may have been copied; then the digest decides, and the new time is written down.
static bool is_still_good(int dir, const char *name, const struct kept *kept) {
        char sha256[DIGEST_HEX_SIZE];
        auto_err ignored = { 0 };
        bool good = digest_file("sha256", dir, name, sha256, &ignored) && strcmp(sha256, kept->sha256) == 0;
        return good && seal(dir, name, &ignored);
}

// False, without an error, for anything but a complete entry: it is then made anew.
static bool find(const char *path, const char *name, struct kept *ret) {
        auto_err absent = { 0 };
        auto_close int dir = -1;
        struct stat stat;
        int64_t sealed_ns;
        if (!fs_open_dir(AT_FDCWD, path, &dir, &absent) || !read_info(dir, ret, &sealed_ns) ||
            fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(stat.st_mode))
                return false;
        if ((uint64_t)stat.st_size == ret->size_bytes &&
            (mtime_ns(&stat) == sealed_ns || is_still_good(dir, name, ret)))
                return true;
        notice("%s/%s is not what was put there; it is made again", path, name);
        return false;
}

static bool make_entry(const char *path, const char *name, kept_make *make, void *context, struct err *err) {
        auto_free char *temporary = NULL;
        auto_close int dir = -1;
        if (!fs_make_temporary_dir(AT_FDCWD, path, &temporary, err))
                return false;
        bool ok = fs_open_dir(AT_FDCWD, temporary, &dir, err) && make(dir, context, err) && seal(dir, name, err);
        if (ok && rename(temporary, path) < 0)
                ok = fail(err, ERR_SYSTEM, errno, "rename %s", temporary);
        if (!ok) {
                auto_err ignored = { 0 };
                (void)!fs_remove_tree(AT_FDCWD, temporary, &ignored); // the first error is the one to tell
        }
        return ok;
}

bool kept_obtain(const char *path, const char *name, kept_make *make, void *context, struct kept *ret,
                 struct err *err) {
        auto_free char *lock_path = xasprintf("%s.lock", path);
        auto_close int lock = -1; // closing unlocks
        if (!fs_mkdirs_for(AT_FDCWD, path, 0755, err) || !lock_take(AT_FDCWD, lock_path, &lock, err))
                return false;
        if (find(path, name, ret))
                return true;
        if (!fs_remove_tree(AT_FDCWD, path, err) || !lock_remove_leftovers(AT_FDCWD, path, err) ||
            !make_entry(path, name, make, context, err))
                return false;
        return find(path, name, ret) || fail(err, ERR_INTERNAL, 0, "%s is not complete", path);
}
