// SPDX-License-Identifier: MIT
// The cache of layers. <cache>/layers/<name>/{root,upper} and, where it is not the image's, librpm's database, sealed
// (cache/seal.h) and made as every entry is (cache/entry.h).
#include <assert.h>
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
#include "cache/cache.h"
#include "cache/entry.h"
#include "cache/seal.h"
#include "packages/packages.h"
#include "profile/profile.h"
#include "rootfs/acl.h"
#include "rootfs/normalise.h"
#include "rootfs/rootfs.h"
#include "rootfs/rpmdb.h"
#include "rootfs/rpmdb_place.h"
#include "rootfs/transaction.h"
#include "sandbox/overlay.h"
#include "sandbox/user_namespace.h"

enum { DEPTH_MAX = 8 };

// Whether a pattern of names matches a package of the set.
static bool concerns(const char *pattern, const struct package_set *set) {
        for (size_t i = 0; i < set->count; i++)
                if (fnmatch(pattern, set->items[i]->name, 0) == 0)
                        return true;
        return false;
}

// What accounts_add() makes lines of.
static void append_layer_users(struct buf *text, const struct layer_users *users) {
        for (size_t i = 0; i < users->count; i++) {
                const struct user *user = users->items[i];
                buf_printf(text, "user %s:%lld:%d:%s:%s:%s\n", user->name, (long long)user->uid, user->system,
                           text_or(user->comment, ""), text_or(user->home, ""), text_or(user->shell, ""));
        }
}

// Everything that decides the layer, and nothing else: of the packages that may fail, those that are in it.
static void layer_key(const struct rootfs_options *options, const struct package_set *set, const struct layer *parent,
                      const struct layer_users *users, struct buf *ret_inputs, char ret_key[static 65]) {
        const struct release *release = options->release;
        const char *parent_key = parent ? parent->key : "-";
        char packages[65], key[DIGEST_HEX_SIZE];
        package_set_digest(set, packages);
        buf_printf(ret_inputs, "kiln layer\nmaker %s\nparent %s\npackages %s\narch %s\nrpmdb %s %s\ntime %lld\n",
                   text_or(options->maker, ""), parent_key, packages, release->arch, release->rpmdb,
                   text_or(release->rpmdb_path, ""), (long long)options->source_date_epoch);
        for (size_t i = 0; i < release->may_fail.count; i++)
                if (concerns(release->may_fail.items[i], set))
                        buf_printf(ret_inputs, "may_fail %s\n", release->may_fail.items[i]);
        append_layer_users(ret_inputs, users);
        digest_bytes("sha256", ret_inputs->data, ret_inputs->size, key);
        memcpy(ret_key, key, 64);
        ret_key[64] = '\0';
}

// Files made in a user namespace have other owners on disk: such layers have a place of their own. The key, which
// decides what is published, is the same.
static char *layer_name(const char *key) {
        auto_free char *mapping = user_namespace_mapping();
        char hex[DIGEST_HEX_SIZE];
        if (!*mapping)
                return xstrdup(key);
        digest_bytes("sha256", mapping, strlen(mapping), hex);
        return xasprintf("%s-%.8s", key, hex);
}

// ---- making one ----

struct making {
        const struct rootfs_options *options;
        const char *name;
        const struct layer *parent;
        struct layer_users users;
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

static bool make_and_open(int dir, const char *name, int *ret_fd, struct err *err) {
        return fs_mkdirs(dir, name, 0755, err) && fs_open_dir(dir, name, ret_fd, err);
}

// The mount points of the sandbox, with the modes that the package filesystem gives them.
static bool make_mount_points(int tree, struct err *err) {
        return fs_mkdirs(tree, "proc", 0555, err) && fs_mkdirs(tree, "sys", 0555, err) &&
               fs_mkdirs(tree, "dev", 0755, err) && fs_mkdirs(tree, "run", 0755, err);
}

static bool make_root(struct making *making, const struct package_set *set, struct err *err) {
        return make_and_open(making->dir, "root", &making->tree, err) && make_mount_points(making->tree, err) &&
               rpmdb_place_make(making->options->release, set, making->dir, making->tree, err) &&
               overlay_bind(making->tree, false, &making->target, err);
}

static bool mount_over_parent(struct making *making, int work, struct err *err) {
        int lowers[DEPTH_MAX];
        size_t count = 0;
        bool ok = open_chain(making->parent, lowers, &count, err) && overlay_copy_top(making->tree, lowers[0], err) &&
                  overlay_open(lowers, count, making->tree, work, &making->target, err);
        close_chain(lowers, count);
        return ok;
}

static bool make_upper(struct making *making, struct err *err) {
        auto_close int work = -1;
        return make_and_open(making->dir, "upper", &making->tree, err) &&
               make_and_open(making->dir, "work", &work, err) && mount_over_parent(making, work, err);
}

static int by_nevra_of_package(const void *left, const void *right) {
        const struct package *a = *(const struct package *const *)left, *b = *(const struct package *const *)right;
        return strcmp(a->nevra, b->nevra);
}

static bool set_holds(const struct package_set *set, const struct package *package) {
        for (size_t i = 0; set && i < set->count; i++)
                if (strcmp(set->items[i]->nevra, package->nevra) == 0)
                        return true;
        return false;
}

// The directory that holds a layer's tree.
static bool open_place(const struct layer *layer, int *ret_fd, struct err *err) {
        auto_free char *place = xasprintf("%s/..", layer->path);
        return fs_open_dir(AT_FDCWD, place, ret_fd, err);
}

static bool restore_database(const struct making *making, const struct rpmdb_backend *backend, struct err *err) {
        auto_close int parent = -1;
        if (!making->parent)
                return true;
        return (open_place(making->parent, &parent, err) && rpmdb_restore(backend, parent, making->target, err)) ||
               wrap(err, "the base layer's rpm database");
}

static bool run_and_keep(struct making *making, const struct transaction *transaction, struct err *err) {
        const struct rpmdb_backend *backend;
        return rpmdb_find(transaction->rpmdb, &backend, err) && restore_database(making, backend, err) &&
               transaction_run(transaction, err) && rpmdb_place_check(making->options->release, making->target, err) &&
               rpmdb_keep(backend, making->target, making->dir, err);
}

// Those of `set` that the parent lacks, in an order that does not depend on where the cache has them: it decides rpm's.
static const struct package **packages_to_install(const struct package_set *set, const struct package_set *parent_set,
                                                  size_t *ret_count) {
        const struct package **packages = NULL;
        *ret_count = 0;
        for (size_t i = 0; i < set->count; i++)
                if (!set_holds(parent_set, set->items[i]))
                        *array_append(&packages, ret_count) = set->items[i];
        if (*ret_count > 0)
                qsort(packages, *ret_count, sizeof *packages, by_nevra_of_package);
        return packages;
}

static bool has_user(const struct layer_users *users, const char *name) {
        for (size_t i = 0; i < users->count; i++)
                if (strcmp(users->items[i]->name, name) == 0)
                        return true;
        return false;
}

bool layer_users_add(const struct package_set *set, const struct package_set *parent_set, const struct user *users,
                     size_t user_count, struct arena *arena, struct layer_users *to, struct err *err) {
        struct strings owners = { 0 };
        if (user_count == 0)
                return true;
        for (size_t i = 0; i < set->count; i++) {
                if (set_holds(parent_set, set->items[i]))
                        continue;
                if (!set->items[i]->path)
                        to->is_partial = true;
                else if (!package_add_owners(set->items[i], arena, &owners, err))
                        return false;
        }
        for (size_t i = 0; i < user_count; i++) {
                if (!strings_have(&owners, users[i].name) || has_user(to, users[i].name))
                        continue;
                to->items = arena_grow(arena, to->items, to->count, sizeof *to->items);
                to->items[to->count++] = &users[i];
        }
        return true;
}

static bool install_packages(struct making *making, const struct package_set *set, const struct package_set *parent_set,
                             struct err *err) {
        auto_free char *step = xasprintf("install %s", text_or(making->name, "packages"));
        size_t count;
        const struct package **packages = packages_to_install(set, parent_set, &count);
        struct progress progress;
        progress_begin(&progress, step, "packages", count);
        struct transaction transaction = {
                .root = making->target,
                .packages = packages,
                .package_count = count,
                .rpmdb = making->options->release->rpmdb,
                .may_fail = &making->options->release->may_fail,
                .users = &making->users,
                .source_date_epoch = making->options->source_date_epoch,
                .progress = &progress,
        };
        bool ok = run_and_keep(making, &transaction, err);
        progress_end(&progress, ok);
        free(packages);
        return ok;
}

static bool make_target(struct making *making, const struct package_set *set, struct err *err) {
        if (making->parent)
                return make_upper(making, err);
        return make_root(making, set, err);
}

static void close_fd(int *fd) {
        close_cleanup(fd);
        *fd = -1;
}

static bool make_tree(struct making *making, const struct package_set *set, const struct package_set *parent_set,
                      struct err *err) {
        making->started = (int64_t)time(NULL) - 1; // the file system's clock may be a tick behind
        bool ok = acl_inherit_nothing(making->dir, err) && make_target(making, set, err) &&
                  install_packages(making, set, parent_set, err);
        close_fd(&making->target); // the overlay ends before its upper directory is touched
        if (!ok || !normalise_tree(making->tree, making->started, making->options->source_date_epoch, err) ||
            !fs_remove_tree(making->dir, "work", err))
                return false;
        close_fd(&making->tree);
        if (!seal_make(making->dir, err))
                return false;
        // The sandbox ignores fsync(2), so the layer is written to disk here, once: one that a power failure cut short
        // would be taken for whole by the next build.
        return syncfs(making->dir) == 0 || fail(err, ERR_SYSTEM, errno, "write the layer to disk");
}

// ---- finding one ----

struct obtaining {
        const struct rootfs_options *options;
        struct layer *layer;
        bool thorough;
        const struct package_set *set, *parent_set;
};

static bool check_cached_layer(int dir, const char *path, void *context, bool *ret_whole, struct err *err) {
        const struct obtaining *obtaining = context;
        auto_free char *difference = NULL;
        if (!seal_check(dir, obtaining->thorough, &difference, err))
                return wrap(err, "looking through layer %s", path);
        if (difference)
                warning("layer %.12s of the cache is not as it was made: %s was written to since, or lost owners, "
                        "capabilities or links when the cache was copied; the layer is made again",
                        obtaining->layer->key, difference);
        *ret_whole = !difference;
        return true;
}

static bool make_layer(int dir, void *context, struct err *err) {
        const struct obtaining *obtaining = context;
        struct making making = { .options = obtaining->options,
                                 .name = obtaining->layer->name,
                                 .parent = obtaining->layer->parent,
                                 .users = obtaining->layer->users,
                                 .dir = dir,
                                 .tree = -1,
                                 .target = -1 };
        bool ok = make_tree(&making, obtaining->set, obtaining->parent_set, err) && interrupt_check(err);
        close_cleanup(&making.tree);
        obtaining->layer->fresh = ok;
        return ok;
}

void layer_find(const struct rootfs_options *options, const struct package_set *set, const struct layer *parent,
                const struct layer_users *users, struct arena *arena, struct layer **ret) {
        struct layer *layer = arena_alloc(arena, sizeof *layer);
        layer->parent = parent;
        if (users)
                layer->users = *users;
        auto_buf inputs = { 0 };
        layer_key(options, set, parent, &layer->users, &inputs, layer->key);
        layer->inputs = arena_strdup(arena, buf_text(&inputs));
        auto_free char *name = layer_name(layer->key);
        auto_free char *entry = cache_entry(options->cache, CACHE_LAYERS, name);
        const char *tree = parent ? "upper" : "root";
        layer->path = arena_printf(arena, "%s/%s", entry, tree);
        *ret = layer;
}

bool layer_obtain(const struct rootfs_options *options, struct layer *layer, bool thorough,
                  const struct package_set *set, const struct package_set *parent_set, struct err *err) {
        assert(layer->path && (!layer->parent || parent_set) && !layer->users.is_partial);
        static const struct entry_maker maker = { check_cached_layer, make_layer };
        struct obtaining obtaining = { options, layer, thorough, set, parent_set };
        const struct rpmdb_backend *backend;
        auto_free char *name = layer_name(layer->key);
        if (!rpmdb_find(options->release->rpmdb, &backend, err))
                return false;
        if (entry_obtain(options->cache, CACHE_LAYERS, name, &maker, &obtaining, err))
                return true;
        if (err->kind == ERR_DISK_FULL)
                (void)hint(err, "make room on the disk of the cache, %s, or name another with --cache",
                           cache_path(options->cache));
        return false;
}

static bool look_at_layer(int dir, const char *path, void *context, bool *ret_whole, struct err *err) {
        const bool *thorough = context;
        auto_free char *difference = NULL;
        if (!seal_look(dir, *thorough, &difference, err))
                return wrap(err, "looking through layer %s", path);
        *ret_whole = !difference;
        return true;
}

bool layer_is_whole(const struct rootfs_options *options, const struct layer *layer, bool thorough, bool *ret_whole,
                    struct err *err) {
        auto_free char *name = layer_name(layer->key);
        return entry_look(options->cache, CACHE_LAYERS, name, look_at_layer, &thorough, ret_whole, err);
}

// ---- mounting ----

static bool mount_mounts(const char *path, struct err *err) {
        if (!fs_mkdirs(AT_FDCWD, path, 0755, err))
                return false;
        if (mount("kiln", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0)
                return fail(err, ERR_SANDBOX, errno, "mount a tmpfs at %s", path);
        return true;
}

// One tmpfs of this mount namespace over <cache>/mounts holds every mount point, so none is left on disk.
static bool open_mounts(const struct cache *cache, char **ret_path, struct err *err) {
        static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        static char *mounted;
        auto_free char *path = cache_place(cache, CACHE_MOUNTS);
        pthread_mutex_lock(&mutex);
        bool there = mounted && strcmp(mounted, path) == 0;
        bool ok = there || mount_mounts(path, err);
        if (ok && !there) {
                free(mounted);
                mounted = xstrdup(path);
        }
        pthread_mutex_unlock(&mutex);
        if (ok)
                *ret_path = take_ptr(path);
        return ok;
}

// One layer is what it is; an overlay shows several as one.
static bool open_merged(const int *fds, size_t count, int *ret_fd, struct err *err) {
        if (count == 1)
                return overlay_bind(fds[0], true, ret_fd, err);
        return overlay_open(fds, count, -1, -1, ret_fd, err);
}

static bool open_layer(const struct layer *layer, int *ret_fd, struct err *err) {
        int fds[DEPTH_MAX];
        size_t count = 0;
        bool ok = open_chain(layer, fds, &count, err) && open_merged(fds, count, ret_fd, err);
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
