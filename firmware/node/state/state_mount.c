// SPDX-License-Identifier: MIT
#include "firmware/node/state/state_mount.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/run.h"
#include "firmware/node/root/beneath.h"
#include "firmware/node/state/state.h"

enum {
        ARGUMENTS_MAX = 16,
        SAID_MAX = 300,
        FSCK_REPAIRED = 1, // fsck(8)'s exit status, as bits
        FSCK_REBOOT = 2,   // only means something for a mounted root
        SPACE_MIN_MB = 64,
        SPACE_MIN_PERCENT = 2
};

// Commands in which "LABEL" and "DEVICE" are replaced by the label and the device.
static const struct filesystem {
        const char *type;
        const char *mkfs[ARGUMENTS_MAX], *fsck[ARGUMENTS_MAX];
        const char *mount_data;
} filesystems[] = {
        // The kernel zeroes the inode tables later, since that takes a minute for each terabyte. The journal is zeroed
        // now, because recovery trusts what it finds there. No blocks are discarded: whether the disk is blank was
        // seen from samples only, and what lies between them may still be wanted.
        { "ext4",
          { "mkfs.ext4", "-q", "-F", "-L", "LABEL", "-m", "1", "-E", "lazy_itable_init=1,lazy_journal_init=0,nodiscard",
            "DEVICE", NULL },
          { "e2fsck", "-p", "DEVICE", NULL },
          "errors=remount-ro" },
        // EL7's mkfs.xfs leaves ftype out by default, and overlayfs (docker's too) needs it. There is no fsck: XFS
        // repairs
        // itself from its log when it is mounted, and xfs_repair is the operator's decision.
        { "xfs", { "mkfs.xfs", "-q", "-K", "-L", "LABEL", "-n", "ftype=1", "DEVICE", NULL }, { NULL }, NULL },
};

static const struct filesystem *filesystem_of_type(const char *type) {
        for (size_t i = 0; i < lengthof(filesystems); i++)
                if (strcmp(filesystems[i].type, type) == 0)
                        return &filesystems[i];
        return NULL;
}

bool state_filesystem_is_known(const char *type) { return filesystem_of_type(type) != NULL; }

const char *state_mount_data(const char *type) {
        const struct filesystem *filesystem = filesystem_of_type(type);
        if (!filesystem)
                return NULL;
        return filesystem->mount_data;
}

static bool has_program(const char *name) {
        static const char *const directories[] = { "/usr/sbin", "/sbin", "/usr/bin", "/bin" };
        for (size_t i = 0; i < lengthof(directories); i++) {
                auto_free char *path = xasprintf("%s/%s", directories[i], name);
                if (access(path, X_OK) == 0)
                        return true;
        }
        return false;
}

static void fill_in(const char *const *words, const char *label, const char *device,
                    const char *ret[static ARGUMENTS_MAX]) {
        size_t i = 0;
        for (; words[i]; i++) {
                ret[i] = words[i];
                if (strcmp(words[i], "LABEL") == 0)
                        ret[i] = label;
                if (strcmp(words[i], "DEVICE") == 0)
                        ret[i] = device;
        }
        ret[i] = NULL;
}

bool state_format(const char *device, const char *type, const char *label, struct err *err) {
        assert(device && label);
        const struct filesystem *filesystem = filesystem_of_type(type);
        const char *arguments[ARGUMENTS_MAX];
        if (!filesystem)
                return fail(err, ERR_SCHEMA, 0, "%s: unknown file system %s", device, type);
        if (!has_program(filesystem->mkfs[0]))
                return fail(err, ERR_TOOL, 0, "the image has no %s: add the package that has it to the role",
                            filesystem->mkfs[0]);
        fill_in(filesystem->mkfs, label, device, arguments);
        return run(&(struct run){ .argv = arguments }, err) || wrap(err, "formatting %s", device);
}

// The end of what a program said, as one line.
static void append_said(struct buf *note, const struct buf *output) {
        const char *text = buf_text(output);
        size_t size = strlen(text);
        if (size > SAID_MAX)
                text += size - SAID_MAX;
        for (; *text; text++) {
                char shown = *text;
                if (shown == '\n')
                        shown = ' ';
                buf_append_char(note, shown);
        }
}

bool state_check(const char *device, const char *type, struct buf *ret_note, struct err *err) {
        const struct filesystem *filesystem = filesystem_of_type(type);
        const char *arguments[ARGUMENTS_MAX];
        if (!filesystem || !filesystem->fsck[0])
                return true;
        if (!has_program(filesystem->fsck[0])) {
                buf_printf(ret_note, "the image has no %s: %s is mounted unchecked", filesystem->fsck[0], device);
                return true;
        }
        auto_buf output = { .max = 1 << 20 }, said = { 0 };
        int status = 0;
        fill_in(filesystem->fsck, "", device, arguments);
        if (!run(&(struct run){ .argv = arguments, .output = &output, .ret_status = &status }, err))
                return wrap(err, "checking %s", device);
        append_said(&said, &output);
        if (status & ~(FSCK_REPAIRED | FSCK_REBOOT))
                return fail(err, ERR_CORRUPT, 0,
                            "the file system on %s is damaged (%s: exit status %d: %s); repair it by hand, or put in "
                            "another disk: it is never formatted again",
                            device, filesystem->fsck[0], status, buf_text(&said));
        if (status & FSCK_REPAIRED)
                buf_printf(ret_note, "the file system on %s was repaired: %s", device, buf_text(&said));
        return true;
}

static bool make_parent_directories(const char *path, struct err *err) {
        auto_free char *copy = xstrdup(path);
        for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(copy, 0755) < 0 && errno != EEXIST)
                        return fail(err, ERR_SYSTEM, errno, "make directory %s", copy);
                *slash = '/';
        }
        return true;
}

static bool open_disk(int *ret, struct err *err) {
        *ret = open(STATE_MOUNT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return *ret >= 0 || fail(err, ERR_SYSTEM, errno, "open " STATE_MOUNT);
}

// What only root changes from now on, so that nothing of it becomes a link later. No directory: true.
static bool own_directory(int disk, const char *path, struct err *err) {
        auto_close int fd = -1;
        struct stat stat;
        if (!beneath_open_directory(disk, path, false, &fd, err)) {
                if (err->number != ENOENT)
                        return false;
                err_release(err);
                return true;
        }
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, STATE_MOUNT "/%s", path);
        bool is_roots = stat.st_uid == 0 && (stat.st_mode & 0022) == 0;
        if (is_roots || (fchown(fd, 0, 0) == 0 && fchmod(fd, stat.st_mode & 07755) == 0))
                return true;
        return fail(err, ERR_SYSTEM, errno, "make " STATE_MOUNT "/%s root's own", path);
}

bool state_check_layout(struct err *err) {
        static const char *const directories[] = { "", "kiln", "kiln/keep", "paths" };
        auto_close int disk = -1;
        if (!open_disk(&disk, err))
                return false;
        for (size_t i = 0; i < lengthof(directories); i++)
                if (!own_directory(disk, directories[i], err))
                        return false;
        return true;
}

bool state_mount(const char *device, const char *type, struct err *err) {
        const struct filesystem *filesystem = filesystem_of_type(type);
        if (!filesystem)
                return fail(err, ERR_SCHEMA, 0, "%s: unknown file system %s", device, type);
        if (!make_parent_directories(STATE_MOUNT "/", err))
                return false;
        if (mount(device, STATE_MOUNT, type, MS_NOSUID | MS_NODEV, filesystem->mount_data) < 0) {
                const char *advice = "";
                if (errno == ENODEV || errno == ENOENT)
                        advice = " (are the file system's modules in the release's initrd.modules?)";
                return fail(err, ERR_CORRUPT, errno, "%s (%s) cannot be mounted%s", device, type, advice);
        }
        struct statvfs space;
        if (statvfs(STATE_MOUNT, &space) < 0 || (space.f_flag & ST_RDONLY))
                return fail(err, ERR_CORRUPT, 0, "%s (%s) can only be read", device, type);
        if (state_check_layout(err))
                return true;
        umount2(STATE_MOUNT, MNT_DETACH); // services of the booted system would go through it
        return false;
}

// ---- state paths ----

// The directory of a state path, which a package need not have: made with the profile's mode and owner.
static bool make_in_image(const struct state_path *path, struct err *err) {
        if (access(path->path, F_OK) == 0)
                return true;
        if (!make_parent_directories(path->path, err))
                return false;
        if (mkdir(path->path, 0700) < 0 || chown(path->path, path->uid, path->gid) < 0 ||
            chmod(path->path, path->mode) < 0)
                return fail(err, ERR_SYSTEM, errno, "make directory %s", path->path);
        return true;
}

// Copies the image's directory beside its place on the disk, and renames it. A machine that loses its power half-way
// finds no directory in the place, and starts again.
static bool make_on_disk(int disk, const char *from, const char *store, struct err *err) {
        static const char fresh[] = STATE_MOUNT "/paths.new";
        auto_close int parent = -1;
        const char *name;
        if (!run_command(err, "rm", "-rf", "--one-file-system", fresh, NULL) ||
            !run_command(err, "cp", "-a", "-T", from, fresh, NULL))
                return false;
        if (!beneath_open_parent(disk, store, true, &parent, &name, err))
                return false;
        if (syncfs(disk) < 0)
                return fail(err, ERR_SYSTEM, errno, "write out " STATE_MOUNT);
        if (renameat(disk, "paths.new", parent, name) < 0)
                return fail(err, ERR_SYSTEM, errno, "rename %s to %s", fresh, store);
        return true;
}

// The disk's directory for a state path, which is made at its first use.
static bool open_store(int disk, const char *from, const char *store, int *ret, struct err *err) {
        if (beneath_open_directory(disk, store, false, ret, err))
                return true;
        if (err->number != ENOENT)
                return false;
        err_release(err);
        return make_on_disk(disk, from, store, err) && beneath_open_directory(disk, store, false, ret, err);
}

// Mounts what the descriptor is, whatever its name may lead to.
static bool mount_descriptor(int fd, const char *over, struct err *err) {
        char source[64];
        snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
        return mount(source, over, NULL, MS_BIND, NULL) == 0 || fail(err, ERR_SYSTEM, errno, "mount over %s", over);
}

bool state_bind(const struct state_path *path, struct err *err) {
        assert(path->path[0] == '/');
        char real[PATH_MAX];
        auto_free char *store = xasprintf("paths%s", path->path);
        auto_close int disk = -1, fd = -1;
        if (!make_in_image(path, err) || !open_disk(&disk, err))
                return false;
        if (!realpath(path->path, real))
                return fail(err, ERR_SYSTEM, errno, "%s", path->path);
        if (!open_store(disk, real, store, &fd, err))
                return wrap(err, "%s on the state disk", path->path);
        return mount_descriptor(fd, real, err);
}

bool state_bind_file(int fd, const char *path, struct err *err) {
        assert(fd >= 0 && path[0] == '/');
        return mount_descriptor(fd, path, err);
}

void state_describe_space(const char *device, struct buf *ret_note) {
        struct statvfs space;
        if (statvfs(STATE_MOUNT, &space) < 0)
                return;
        unsigned long long free_mb = (unsigned long long)space.f_bavail * space.f_frsize >> 20,
                           all_mb = (unsigned long long)space.f_blocks * space.f_frsize >> 20;
        bool no_inodes = space.f_files > 0 && space.f_favail == 0;
        if (no_inodes)
                buf_printf(ret_note, "the state disk %s is full: it has no inode left", device);
        else if (free_mb * 100 < all_mb * SPACE_MIN_PERCENT || (free_mb < SPACE_MIN_MB && free_mb * 10 < all_mb))
                buf_printf(ret_note, "the state disk %s is full: %llu of %llu MiB are free", device, free_mb, all_mb);
}
