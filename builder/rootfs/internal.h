// What the files of rootfs/ share with each other and with nobody else.
#ifndef KILN_ROOTFS_INTERNAL_H
#define KILN_ROOTFS_INTERNAL_H

#include "base/buf.h"
#include "base/progress.h"
#include "rootfs/rootfs.h"

struct container_channel;

// ---- sandbox.c ----

// Whether this process lives in a user namespace that is not the system's first: owners are shifted on disk, and
// overlayfs keeps its marks in user.* attributes.
bool sandbox_is_mapped(void);
// Text that differs between processes that see the same files with other owners; "" outside of user namespaces.
char *sandbox_mapping(void);

// ---- overlay.c ----

// Makes an overlay mount that is attached nowhere; it ends when its descriptors are closed. `lowers` are directories,
// topmost first. `upper` and `work` are -1 for a read-only one (then two lowers at least).
must_check bool overlay_open(const int *lowers, size_t lower_count, int upper, int work, int *ret_fd, struct err *err);
// A detached copy of one directory's mount, `read_only` or not; never its submounts, no devices, no setuid.
must_check bool overlay_bind(int dir, bool read_only, int *ret_fd, struct err *err);
// Removes the attributes that overlayfs left in an upper directory over `lower`. REFERENCE for a directory that
// replaces one of `lower`: a plain archive could not carry the mark that says so.
must_check bool overlay_clean_upper(int upper, int lower, struct err *err);

// ---- syscalls.c ----

// Refuses the caller and its children what syscalls.c lists, and spares them fsync(2). For good.
must_check bool syscalls_filter(struct err *err);

// ---- nodes.c ----

// Whether librpm, in this process, makes stand-ins (base/stand_in.h) where packages hold device nodes and pipes.
void nodes_stand_in(bool on);

// ---- container.c, container_init.c ----

// A process that sees nothing of the host: own pid, ipc, uts, network, cgroup and mount namespaces, few capabilities, a
// fixed environment, and no more of the host's memory than the request.
struct container {
        int root; // becomes "/": a mount that is attached nowhere (overlay.c), used once
        const struct buf *request;
        int64_t source_date_epoch;
        struct progress *progress; // or NULL
        // A task (container_task) that lasts so long is told, and ended. 0: no limit.
        int64_t tell_seconds, limit_seconds;
};
// Ends with work()'s error; on Ctrl-C everything in the container is killed and waited for. SCRIPTLET: too long, or
// too many processes.
must_check bool container_run(const struct container *container, struct err *err);

// What runs there. The program that calls container_run() calls container_init() first in main() when it is executed
// as a container's init.
struct container_job {
        bool (*read)(const struct buf *request, void **ret_context, struct err *err);
        // Sees the host's files still; may be NULL. What it leaves open, scriptlets can reach: no directory, and
        // nothing that may be written to.
        bool (*prepare)(void *context, struct err *err);
        bool (*work)(void *context, struct container_channel *channel, struct err *err);
};
bool container_is_init(int argc, char **argv);
_Noreturn void container_init(const struct container_job *job);

// Called by work(): one more unit of progress; a warning for the user; what begins to run ("": it has ended).
void container_step(struct container_channel *channel);
void container_warn(struct container_channel *channel, const char *text);
void container_task(struct container_channel *channel, const char *text);
// Called by work() where it cannot return: reports the error and ends the child.
_Noreturn void container_abort(struct container_channel *channel, struct err *err);

// ---- transaction.c ----

struct transaction {
        int root; // a mount, as a container's
        const struct package *const *packages;
        size_t package_count;
        const char *rpmdb;              // release->rpmdb
        const struct strings *may_fail; // release->may_fail; NULL: none
        int64_t source_date_epoch;
        struct progress *progress;
};
must_check bool transaction_run(const struct transaction *transaction, struct err *err);

// ---- links.c, volatile.c: inside the container, on a transaction's set ----

struct rpmts_s;
// Makes the links at the top of the tree that the packages to be installed bring, and the directories they lead to.
must_check bool links_make(struct rpmts_s *ts, struct err *err);
// Removes what lies in /run and no installed package owns.
must_check bool volatile_prune(struct rpmts_s *ts, struct err *err);

// ---- boot_tools.c: inside the container ----

// Puts stand-ins in the place of programs that make an initramfs or a boot menu, as far as they are installed by now.
must_check bool boot_tools_set_aside(struct err *err);
must_check bool boot_tools_restore(struct err *err);
// Runs depmod for every kernel whose modules have no index.
must_check bool kernel_modules_index(struct err *err);

// ---- rpmdb.c ----

// How a release's rpm keeps its database. `finish` runs inside the container when librpm has closed it.
struct rpmdb_backend {
        const char *name, *macro; // release->rpmdb, %_db_backend
        bool aside;               // librpm's own database is not the image's
        bool (*finish)(int64_t source_date_epoch, struct err *err);
};
// Inside the container, before librpm opens its database: how many packages it holds. And when librpm has closed it,
// whether it holds as many as it must, and everything that was written to it.
must_check bool rpmdb_begin(size_t *ret_count, struct err *err);
must_check bool rpmdb_check(size_t package_count, struct err *err);
must_check bool rpmdb_find(const char *name, const struct rpmdb_backend **ret, struct err *err);
// Where it is not the image's: librpm's database from directory `kept` into the tree, before a transaction; and out of
// the tree again, after one.
must_check bool rpmdb_restore(const struct rpmdb_backend *backend, int kept, int root, struct err *err);
must_check bool rpmdb_keep(const struct rpmdb_backend *backend, int root, int kept, struct err *err);

// ---- normalise.c ----

// Removes what must not survive from a freshly installed tree (a root or an overlay upper) and settles its time stamps:
// what the installation wrote gets `source_date_epoch`, and so do passwords changed since `started` (seconds since
// 1970); packages' own times are kept, also later ones.
must_check bool normalise_tree(int dir, int64_t started, int64_t source_date_epoch, struct err *err);

// ---- java_keystore.c ----

// Gives every entry of a JKS store the same time. Another kind of file is left alone. Errors: SYSTEM.
must_check bool java_keystore_settle(int parent, const char *name, int64_t seconds, struct err *err);

// ---- the configuration layer: config_layer.c, accounts.c, services.c, units.c, node_json.c ----

struct config {
        const struct cluster *cluster;
        const struct role *role;
        int root; // the writable merged tree
        int64_t source_date_epoch;
        const char *build_id;
        struct value *scope;
        struct kept_template {
                const char *path, *source;
                unsigned mode, uid, gid;
        } * kept;
        size_t kept_count;
        struct arena arena;
};

// "file:line:column: " before the message, as everywhere that a user's text is wrong.
bool fail_at(struct err *err, enum err_kind kind, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// Files inside the merged tree. Links of the image are followed as if it were "/".
must_check bool tree_open_parent(int root, const char *path, bool create, int *ret_fd, const char **ret_name,
                                 struct err *err);
must_check bool tree_write(int root, const char *path, const void *data, size_t size, unsigned mode, unsigned uid,
                           unsigned gid, struct err *err);
must_check bool tree_link(int root, const char *path, const char *target, struct err *err);
must_check bool tree_mkdir(int root, const char *path, unsigned mode, unsigned uid, unsigned gid, struct err *err);
must_check bool tree_remove(int root, const char *path, struct err *err);
// An absent file is empty text.
must_check bool tree_read(int root, const char *path, struct buf *ret_text, struct err *err);
bool tree_exists(int root, const char *path); // the last link is not followed

// Numeric ids of names in the image ("root", "zk", "480"). False with ERR_REFERENCE and the nearest name.
must_check bool accounts_resolve(int root, const char *owner, const char *group, const struct place *place,
                                 unsigned *ret_uid, unsigned *ret_gid, struct err *err);
must_check bool accounts_write(struct config *config, struct err *err);

// A unit as systemd's [Install] section sees it.
struct unit {
        char *name; // "getty@tty1.service"
        char *file; // path in the image, absolute: "/usr/lib/systemd/system/getty@.service"
        bool masked, has_install;
        struct buf wanted_by, required_by, alias, also, default_instance; // words between single spaces
};
// False only on I/O errors; `ret->file` is NULL when there is no such unit.
must_check bool unit_load(int root, const char *name, struct unit *ret, struct err *err);
void unit_release(struct unit *unit);
must_check bool unit_nearest(int root, const char *name, char **ret_name, struct err *err);
must_check bool unit_enable(int root, const struct unit *unit, struct err *err);
must_check bool unit_disable(int root, const char *name, struct err *err);
must_check bool services_write(struct config *config, struct err *err);

char *hosts_lines(const struct cluster *cluster); // heap: the inventory and the VIPs as hosts(5) lines
must_check bool node_json_write(struct config *config, struct err *err);

#endif
