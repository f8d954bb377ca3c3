// SPDX-License-Identifier: MIT
// The cache of layers. <cache>/layers/<name>/{root,upper} and, where it is not the image's, librpm's database, sealed
// (cache/seal.h), made as <name>.tmp.XXXXXXXX and renamed; <name>.lock is held (flock) by whoever makes it. A temporary
// directory whose lock nobody holds belongs to a build that was killed.
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cache/lock.h"
#include "cache/seal.h"
#include "packages/packages.h"
#include "profile/profile.h"
#include "rootfs/normalise.h"
#include "rootfs/rootfs.h"
#include "rootfs/rpmdb.h"
#include "rootfs/transaction.h"
#include "sandbox/overlay.h"
#include "sandbox/sandbox.h"

enum { DEPTH_MAX = 8 };

static bool concerns(const char *pattern, const struct package_set *set) {
        for (size_t i = 0; i < set->count; i++)
                if (fnmatch(pattern, set->items[i].name, 0) == 0)
                        return true;
        return false;
}

// Everything that decides the layer, and nothing else: of the packages that may fail, those that are in it.
static void layer_key(const struct rootfs_options *options, const struct package_set *set, const struct layer *parent,
                      char ret_key[static 65]) {
        const struct release *release = options->release;
        char packages[65], key[DIGEST_HEX_SIZE];
        auto_buf text = { 0 };
        package_set_digest(set, packages);
        buf_printf(&text, "kiln layer\nmaker %s\nparent %s\npackages %s\narch %s\nrpmdb %s\ntime %lld\n",
                   options->maker ? options->maker : "", parent ? parent->key : "-", packages, release->arch,
                   release->rpmdb, (long long)options->source_date_epoch);
        for (size_t i = 0; i < release->may_fail.count; i++)
                if (concerns(release->may_fail.items[i], set))
                        buf_printf(&text, "may fail %s\n", release->may_fail.items[i]);
        digest_bytes("sha256", text.data, text.size, key);
        memcpy(ret_key, key, 64);
        ret_key[64] = '\0';
}

// Files made in a user namespace have other owners on disk: such layers have a place of their own. The key, which
// decides what is published, is the same.
static char *layer_name(const char *key) {
        auto_free char *mapping = sandbox_mapping();
        char hex[DIGEST_HEX_SIZE];
        if (!*mapping)
                return xstrdup(key);
        digest_bytes("sha256", mapping, strlen(mapping), hex);
        return xasprintf("%s-%.8s", key, hex);
}

static bool is_abandoned(int layers, const char *entry, const char *held) {
        const char *mark = strstr(entry, ".tmp.");
        if (!mark)
                return false;
        size_t length = (size_t)(mark - entry);
        if (strlen(held) == length && strncmp(entry, held, length) == 0)
                return true;
        auto_free char *path = xasprintf("%.*s.lock", (int)length, entry);
        auto_close int fd = openat(layers, path, O_RDWR | O_CLOEXEC);
        return fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0;
}

// Other builds make and rename entries meanwhile, so what is gone is no error.
static bool remove_abandoned(int layers, const char *held, struct err *err) {
        int copy = openat(layers, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        auto_closedir DIR *stream = copy < 0 ? NULL : fdopendir(copy);
        if (!stream)
                return fail(err, ERR_SYSTEM, errno, "list the cache of layers");
        struct dirent *entry;
        bool ok;
        while ((ok = fs_next_entry(stream, &entry, err)) && entry)
                if (is_abandoned(layers, entry->d_name, held) && !fs_remove_tree(layers, entry->d_name, err))
                        return wrap(err, "removing what a killed build left");
        return ok;
}

// ---- making one ----

struct making {
        const struct rootfs_options *options;
        const struct layer *parent;
        int dir;    // the temporary directory
        int tree;   // its root or upper
        int target; // the mount for the transaction
        int64_t started;
};

static bool open_chain(const struct layer *layer, int *fds, size_t *ret_count, struct err *err) {
        *ret_count = 0;
        for (; layer; layer = layer->parent) {
                if (*ret_count == DEPTH_MAX)
                        return fail(err, ERR_INTERNAL, 0, "too many layers");
                if (!fs_open_dir(AT_FDCWD, layer->path, &fds[*ret_count], err))
                        return false;
                ++*ret_count;
        }
        return true;
}

static void close_chain(const int *fds, size_t count) {
        for (size_t i = 0; i < count; i++)
                close(fds[i]);
}

// The mount points of the sandbox, with the modes that the package filesystem gives them.
static bool make_root(struct making *making, struct err *err) {
        return fs_mkdirs(making->dir, "root", 0755, err) && fs_open_dir(making->dir, "root", &making->tree, err) &&
               fs_mkdirs(making->tree, "proc", 0555, err) && fs_mkdirs(making->tree, "sys", 0555, err) &&
               fs_mkdirs(making->tree, "dev", 0755, err) && fs_mkdirs(making->tree, "run", 0755, err) &&
               overlay_bind(making->tree, false, &making->target, err);
}

static bool make_upper(struct making *making, struct err *err) {
        int lowers[DEPTH_MAX];
        size_t count = 0;
        auto_close int work = -1;
        bool ok = fs_mkdirs(making->dir, "upper", 0755, err) && fs_open_dir(making->dir, "upper", &making->tree, err) &&
                  fs_mkdirs(making->dir, "work", 0755, err) && fs_open_dir(making->dir, "work", &work, err) &&
                  open_chain(making->parent, lowers, &count, err) && overlay_copy_top(making->tree, lowers[0], err) &&
                  overlay_open(lowers, count, making->tree, work, &making->target, err);
        close_chain(lowers, count);
        return ok;
}

static int by_nevra(const void *left, const void *right) {
        const struct package *a = *(const struct package *const *)left, *b = *(const struct package *const *)right;
        return strcmp(a->nevra, b->nevra);
}

static bool holds(const struct package_set *set, const struct package *package) {
        for (size_t i = 0; set && i < set->count; i++)
                if (strcmp(set->items[i].nevra, package->nevra) == 0)
                        return true;
        return false;
}

// The directory that holds a layer's tree.
static bool open_place(const struct layer *layer, int *ret_fd, struct err *err) {
        auto_free char *place = xasprintf("%s/..", layer->path);
        return fs_open_dir(AT_FDCWD, place, ret_fd, err);
}

static bool run_and_keep(struct making *making, const struct transaction *transaction, struct err *err) {
        const struct rpmdb_backend *backend;
        auto_close int parent = -1;
        if (!rpmdb_find(transaction->rpmdb, &backend, err))
                return false;
        if (making->parent &&
            (!open_place(making->parent, &parent, err) || !rpmdb_restore(backend, parent, making->target, err)))
                return wrap(err, "the base layer's rpm database");
        return transaction_run(transaction, err) && rpmdb_keep(backend, making->target, making->dir, err);
}

static bool install(struct making *making, const struct package_set *set, const struct package_set *parent_set,
                    const char *step, struct err *err) {
        const struct package **packages = NULL;
        size_t count = 0;
        for (size_t i = 0; i < set->count; i++)
                if (!holds(parent_set, &set->items[i]))
                        *array_append(&packages, &count) = &set->items[i];
        if (count)
                qsort(packages, count, sizeof *packages, by_nevra); // the order of the cache must not decide rpm's
        struct progress progress;
        progress_begin(&progress, step, "packages", count);
        struct transaction transaction = {
                .root = making->target,
                .packages = packages,
                .package_count = count,
                .rpmdb = making->options->release->rpmdb,
                .may_fail = &making->options->release->may_fail,
                .source_date_epoch = making->options->source_date_epoch,
                .progress = &progress,
        };
        bool ok = run_and_keep(making, &transaction, err);
        progress_end(&progress);
        free(packages);
        return ok;
}

static bool make_tree(struct making *making, const struct package_set *set, const struct package_set *parent_set,
                      struct err *err) {
        making->started = (int64_t)time(NULL) - 1; // the file system's clock may be a tick behind
        bool ok =
            (making->parent ? make_upper(making, err) : make_root(making, err)) &&
            install(making, set, parent_set, making->parent ? "install role packages" : "install base packages", err);
        close_cleanup(&making->target); // the overlay ends before its upper directory is touched
        making->target = -1;
        if (!ok || !normalise_tree(making->tree, making->started, making->options->source_date_epoch, err) ||
            !fs_remove_tree(making->dir, "work", err))
                return false;
        close_cleanup(&making->tree);
        making->tree = -1;
        if (!seal_make(making->dir, err))
                return false;
        // Once for all: a layer that a power failure cut short would be taken for whole by the next build.
        return syncfs(making->dir) == 0 || fail(err, ERR_SYSTEM, errno, "write the layer to disk");
}

static bool make_layer(const struct rootfs_options *options, int layers, const char *name,
                       const struct package_set *set, const struct layer *parent, const struct package_set *parent_set,
                       struct err *err) {
        auto_free char *stem = xasprintf("%s.tmp", name);
        auto_free char *temporary = NULL;
        struct making making = { .options = options, .parent = parent, .dir = -1, .tree = -1, .target = -1 };
        if (!fs_make_temporary_dir(layers, stem, &temporary, err))
                return false;
        bool ok = fs_open_dir(layers, temporary, &making.dir, err) && make_tree(&making, set, parent_set, err) &&
                  interrupt_check(err);
        close_cleanup(&making.tree);
        close_cleanup(&making.dir);
        if (ok && renameat(layers, temporary, layers, name) < 0)
                ok = fail(err, ERR_SYSTEM, errno, "publish layer %s", name);
        auto_err ignored = { 0 };
        if (!ok && err->kind == ERR_DISK_FULL)
                (void)hint(err, "make room on the disk of the cache, %s, or name another with --cache", options->cache);
        if (!ok)
                (void)!fs_remove_tree(layers, temporary, &ignored); // the first error is the one to tell
        return ok;
}

// ---- finding one ----

// Nothing at all, and what is not as it was made, are not there. `ret_difference` as seal_check()'s.
static bool look(int layers, const char *name, bool thorough, bool *ret_there, char **ret_difference, struct err *err) {
        auto_close int dir = -1;
        *ret_difference = NULL;
        *ret_there = fs_exists(layers, name);
        if (!*ret_there)
                return true;
        if (!fs_open_dir(layers, name, &dir, err) || !seal_check(dir, thorough, ret_difference, err))
                return wrap(err, "looking through layer %s", name);
        *ret_there = !*ret_difference;
        return true;
}

// With the lock held.
static bool discard(int layers, const char *name, const char *difference, struct err *err) {
        warning(
            "layer %.12s of the cache is not as it was made: %s was written to since, or lost owners, capabilities or "
            "links when the cache was copied; the layer is made again",
            name, difference);
        return lock_remove_entry(layers, name, err);
}

static bool make_under_lock(const struct rootfs_options *options, struct layer *layer, int layers, const char *name,
                            bool thorough, const struct package_set *set, const struct package_set *parent_set,
                            struct err *err) {
        auto_free char *lock_name = xasprintf("%s.lock", name);
        auto_free char *difference = NULL;
        auto_close int lock = -1;
        bool there = false;
        if (!lock_take(layers, lock_name, &lock, err) || !remove_abandoned(layers, name, err) ||
            !look(layers, name, thorough, &there, &difference, err)) // another kiln may have made it meanwhile
                return false;
        if (difference && !discard(layers, name, difference, err))
                return false;
        layer->fresh = !there;
        return there || make_layer(options, layers, name, set, layer->parent, parent_set, err);
}

// For nobody else's eyes: what packages install setuid, and a scriptlet's own set-id copy of a shell, belongs to
// whoever runs kiln. Other users of the machine must not be able to start it from here.
static bool open_layers(const char *cache, int *ret_fd, struct err *err) {
        auto_free char *path = xasprintf("%s/layers", cache);
        auto_close int layers = -1;
        struct stat stat;
        if (!fs_mkdirs(AT_FDCWD, path, 0755, err) || !fs_open_dir(AT_FDCWD, path, &layers, err))
                return false;
        if (fstat(layers, &stat) < 0 || ((stat.st_mode & 07777) != 0700 && fchmod(layers, 0700) < 0)) {
                fail(err, ERR_SYSTEM, errno, "close %s to other users", path);
                return hint(err, "a cache belongs to one user: name another with --cache");
        }
        *ret_fd = take_fd(layers);
        return true;
}

void layer_find(const struct rootfs_options *options, const struct package_set *set, const struct layer *parent,
                struct arena *arena, struct layer **ret) {
        struct layer *layer = arena_alloc(arena, sizeof *layer);
        layer->parent = parent;
        layer_key(options, set, parent, layer->key);
        auto_free char *name = layer_name(layer->key);
        layer->path = arena_printf(arena, "%s/layers/%s/%s", options->cache, name, parent ? "upper" : "root");
        *ret = layer;
}

bool layer_obtain(const struct rootfs_options *options, struct layer *layer, bool thorough,
                  const struct package_set *set, const struct package_set *parent_set, struct err *err) {
        const struct rpmdb_backend *backend;
        auto_free char *name = layer_name(layer->key);
        auto_free char *difference = NULL;
        auto_close int layers = -1;
        bool there = false;
        if (!rpmdb_find(options->release->rpmdb, &backend, err) || !open_layers(options->cache, &layers, err) ||
            !look(layers, name, thorough, &there, &difference, err))
                return false;
        return there || make_under_lock(options, layer, layers, name, thorough, set, parent_set, err);
}

// ---- mounting ----

// One tmpfs of this mount namespace over <cache>/mounts holds every mount point, so none is left on disk.
static bool open_mounts(const char *cache, char **ret_path, struct err *err) {
        static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        static char *mounted;
        auto_free char *path = xasprintf("%s/mounts", cache);
        pthread_mutex_lock(&mutex);
        bool ok = true;
        if (!mounted || strcmp(mounted, path) != 0) {
                ok = fs_mkdirs(AT_FDCWD, path, 0755, err);
                if (ok && mount("kiln", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0)
                        ok = fail(err, ERR_SANDBOX, errno, "mount a tmpfs at %s", path);
                if (ok) {
                        free(mounted);
                        mounted = xstrdup(path);
                }
        }
        pthread_mutex_unlock(&mutex);
        if (ok)
                *ret_path = take_ptr(path);
        return ok;
}

static bool open_layer(const struct layer *layer, int *ret_fd, struct err *err) {
        int fds[DEPTH_MAX];
        size_t count = 0;
        bool ok = open_chain(layer, fds, &count, err) && (count == 1 ? overlay_bind(fds[0], true, ret_fd, err)
                                                                     : overlay_open(fds, count, -1, -1, ret_fd, err));
        close_chain(fds, count);
        return ok;
}

bool layer_mount(const struct rootfs_options *options, const struct layer *layer, struct mounted *ret,
                 struct err *err) {
        auto_free char *mounts = NULL;
        auto_close int fd = -1;
        auto_close int opened = -1;
        if (!open_mounts(options->cache, &mounts, err) || !open_layer(layer, &fd, err))
                return wrap(err, "mounting a layer");
        auto_free char *stem = xasprintf("%s/%.12s", mounts, layer->key);
        auto_free char *path = NULL;
        if (!fs_make_temporary_dir(AT_FDCWD, stem, &path, err))
                return false;
        if (syscall(SYS_move_mount, fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return fail(err, ERR_SYSTEM, errno, "mount a layer at %s", path);
        if (!fs_open_dir(AT_FDCWD, path, &opened, err))
                return false;
        *ret = (struct mounted){ .fd = take_fd(opened), .path = take_ptr(path) };
        return true;
}

void layer_unmount(struct mounted *mounted) {
        if (!mounted->path)
                return;
        close_cleanup(&mounted->fd);
        umount2(mounted->path, MNT_DETACH);
        rmdir(mounted->path);
        free(mounted->path);
        *mounted = (struct mounted){ .fd = -1 };
}
