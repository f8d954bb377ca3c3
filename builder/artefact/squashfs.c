// The package root as squashfs. Packed roots are kept in <cache>/squashfs/<root key>/, so an unchanged root is never
// packed or read again:
//     rootfs.squashfs     the image
//     files.jsonl         what is in it (file_list.h)
//     info.json           {"sha256":…,"size":…}; written last
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <string.h>

#include "artefact/image.h"
#include "artefact/internal.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/lock.h"
#include "base/mem.h"

#define IMAGE_NAME "rootfs.squashfs"
#define FILES_NAME "files.jsonl"
#define INFO_NAME "info.json"

// One image at a time: it keeps all cores busy by itself, and two would only need twice the memory.
static pthread_mutex_t packing = PTHREAD_MUTEX_INITIALIZER;

static struct image_options options_of(const struct artefact_build *build) {
        const struct release *release = &build->cluster->release;
        return (struct image_options){
                .compressor = release->squashfs_compressor,
                .level = release->squashfs_level,
                .block_bytes = release->squashfs_block_bytes,
                .source_date_epoch = build->source_date_epoch,
                .jobs = build->jobs,
                .blocks = build->blocks,
        };
}

static bool squashfs_check(const struct artefact_build *build, struct err *err) {
        struct image_options options = options_of(build);
        return image_check(&options, err) || wrap(err, "release %s", build->cluster->release.name);
}

static char *cache_path(const struct artefact_build *build, const struct artefact_role *role, const char *name) {
        return xasprintf("%s/squashfs/%s%s%s", build->cache, role->root_key, *name ? "/" : "", name);
}

static bool write_info(int dir, const struct buf *files, struct err *err) {
        char sha256[DIGEST_HEX_SIZE];
        auto_close int fd = -1;
        struct stat stat;
        if (!fs_open(dir, IMAGE_NAME, O_RDONLY, 0, &fd, err) || !digest_fd("sha256", fd, sha256, err))
                return false;
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", IMAGE_NAME);
        json_t *info = json_pack("{ss sI}", "sha256", sha256, "size", (json_int_t)stat.st_size);
        auto_free char *text = json_dumps(info, JSON_COMPACT | JSON_SORT_KEYS);
        json_decref(info);
        return fs_write_atomic(dir, FILES_NAME, buf_text(files), files->size, 0644, err) &&
               fs_write_atomic(dir, INFO_NAME, text, strlen(text), 0644, err);
}

static bool pack_into(const struct artefact_build *build, const struct artefact_role *role, int dir, struct err *err) {
        struct progress progress;
        auto_free char *step = xasprintf("pack %s", role->role->name);
        struct image_options options = options_of(build);
        auto_buf files = { 0 };
        auto_close int fd = -1;
        // Read-only: what is published may be a hard link to it.
        if (!fs_open(dir, IMAGE_NAME, O_RDWR | O_CREAT | O_EXCL, 0444, &fd, err))
                return false;
        progress_begin(&progress, step, "bytes", 0);
        options.progress = &progress;
        pthread_mutex_lock(&packing);
        bool ok = image_write(&options, role->root, fd, &files, err);
        pthread_mutex_unlock(&packing);
        progress_end(&progress);
        if (ok && fsync(fd) < 0)
                ok = fail(err, ERR_SYSTEM, errno, "write %s", IMAGE_NAME);
        return ok && write_info(dir, &files, err);
}

static bool pack(const struct artefact_build *build, const struct artefact_role *role, const char *path,
                 struct err *err) {
        auto_free char *temporary = NULL;
        auto_close int dir = -1;
        if (!fs_make_temporary_dir(AT_FDCWD, path, &temporary, err))
                return false;
        bool ok = fs_open_dir(AT_FDCWD, temporary, &dir, err) && pack_into(build, role, dir, err);
        if (ok && rename(temporary, path) < 0)
                ok = fail(err, ERR_SYSTEM, errno, "rename %s", temporary);
        if (!ok) {
                auto_err ignored = { 0 };
                (void)!fs_remove_tree(AT_FDCWD, temporary, &ignored);
        }
        return ok;
}

// False, without an error, for anything but a complete entry: it is then packed anew.
static bool read_info(const char *path, struct artefact_role *role) {
        auto_free char *info_path = xasprintf("%s/" INFO_NAME, path);
        auto_free char *image_path = xasprintf("%s/" IMAGE_NAME, path);
        auto_free char *files_path = xasprintf("%s/" FILES_NAME, path);
        json_error_t error;
        json_t *info = json_load_file(info_path, 0, &error);
        const char *sha256 = NULL;
        json_int_t size = 0;
        struct stat stat;
        bool ok = info && json_unpack(info, "{ss sI}", "sha256", &sha256, "size", &size) == 0 && strlen(sha256) == 64 &&
                  lstat(image_path, &stat) == 0 && stat.st_size == size && fs_exists(AT_FDCWD, files_path);
        if (ok) {
                memcpy(role->root_sha256, sha256, sizeof role->root_sha256);
                role->root_size_bytes = (uint64_t)size;
        }
        json_decref(info);
        return ok;
}

static bool find_or_pack(const struct artefact_build *build, struct artefact_role *role, const char *path,
                         struct err *err) {
        auto_free char *lock_path = xasprintf("%s.lock", path);
        auto_close int lock = -1; // closing unlocks
        if (!fs_mkdirs_for(AT_FDCWD, path, 0755, err) || !lock_take(AT_FDCWD, lock_path, &lock, err))
                return false;
        if (read_info(path, role))
                return true;
        if (!fs_remove_tree(AT_FDCWD, path, err) || !lock_remove_leftovers(AT_FDCWD, path, err) ||
            !pack(build, role, path, err))
                return false;
        return read_info(path, role) || fail(err, ERR_INTERNAL, 0, "%s is not complete", path);
}

static bool squashfs_write(struct artefact_build *build, struct artefact_role *role, struct err *err) {
        auto_free char *path = cache_path(build, role, "");
        auto_free char *image = cache_path(build, role, IMAGE_NAME);
        return find_or_pack(build, role, path, err) && fs_link_or_copy(AT_FDCWD, image, role->out, IMAGE_NAME, err) &&
               carrier_write(role, err);
}

bool squashfs_read_files(const struct artefact_build *build, const struct artefact_role *role, struct buf *ret,
                         struct err *err) {
        auto_free char *path = cache_path(build, role, FILES_NAME);
        return fs_read(AT_FDCWD, path, ret, err);
}

const struct artefact_kind squashfs_kind = {
        .name = "squashfs",
        .description = "the package root as squashfs, and the archive parts that carry it",
        .per_role = true,
        .check = squashfs_check,
        .write = squashfs_write,
};
