// SPDX-License-Identifier: MIT
// The build's own namespaces: mount_namespaces(7), and a plain user's user namespace.
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sandbox/overlay.h"
#include "sandbox/user_namespace.h"

// Root of a container or of `unshare -r` may own a handful of ids only; rpm's chown would fail in the middle.
static bool check_mapped_ids(struct err *err) {
        auto_fclose FILE *file = fopen("/proc/self/uid_map", "re");
        unsigned long inside, outside, count, total = 0;
        while (file && fscanf(file, "%lu %lu %lu", &inside, &outside, &count) == 3)
                total += count;
        if (!file || total >= USER_NAMESPACE_IDS_NEEDED - 1)
                return true;
        fail(err, ERR_SANDBOX, 0, "this user namespace holds %lu user ids; the owners of an image need %d", total,
             USER_NAMESPACE_IDS_NEEDED);
        return hint(err, "start kiln outside of it: it makes a namespace of its own");
}

static bool unshare_mounts(struct err *err) {
        bool limited;
        if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
                return true;
        (void)namespace_fail("mount", "user.max_mnt_namespaces", &limited, err);
        if (!limited)
                (void)hint(err, "a container that runs kiln needs CAP_SYS_ADMIN (docker run --privileged)");
        return false;
}

// ---- whether overlayfs works ----

// Errors that say nothing of what the kernel can do, only of what there is at the moment.
static bool is_shortage(int number) {
        return number == ENOMEM || number == EMFILE || number == ENFILE || number == ENOSPC || number == EDQUOT;
}

static bool make_open_dir(int dir, const char *name, int *ret_fd, struct err *err) {
        return fs_mkdirs(dir, name, 0755, err) && fs_open_dir(dir, name, ret_fd, err);
}

static bool mount_trial_overlay(int dir, struct err *err) {
        auto_close int lower = -1, upper = -1, work = -1, merged = -1;
        return make_open_dir(dir, "lower", &lower, err) && make_open_dir(dir, "upper", &upper, err) &&
               make_open_dir(dir, "work", &work, err) && overlay_open(&lower, 1, upper, work, &merged, err);
}

// `scratch` is only ever mounted on; the tmpfs and its overlay vanish with their descriptors.
static bool try_overlay(const char *scratch, struct err *err) {
        if (mount("kiln", scratch, "tmpfs", MS_NODEV | MS_NOSUID, "mode=0700") < 0)
                return fail(err, ERR_SANDBOX, errno, "mount a tmpfs");
        auto_close int dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool ok = dir >= 0 || fail(err, ERR_SANDBOX, errno, "open a tmpfs");
        ok = ok && mount_trial_overlay(dir, err);
        umount2(scratch, MNT_DETACH);
        return ok;
}

static bool check_overlay(struct err *err) {
        char scratch[] = "/tmp/kiln-check-XXXXXX";
        if (!mkdtemp(scratch))
                return fail(err, ERR_SYSTEM, errno, "make a directory in /tmp");
        bool ok = try_overlay(scratch, err);
        rmdir(scratch);
        if (ok)
                return true;
        if (is_shortage(err->number))
                return wrap(err, "trying whether this kernel mounts an overlayfs");
        const char *where = user_namespace_is_mapped() ? " in a user namespace" : "";
        err->kind = ERR_SANDBOX;
        wrap(err, "this kernel mounts no overlayfs%s", where);
        return hint(
            err, "load the module overlay (modprobe overlay); plain users need Linux 5.11 or newer, or build as root");
}

bool sandbox_enter(struct err *err) {
        static bool entered;
        if (entered)
                return true;
        if (geteuid() != 0 && !user_namespace_enter(err))
                return false;
        if (!check_mapped_ids(err) || !unshare_mounts(err) || !check_overlay(err))
                return false;
        umask(022);
        entered = true;
        return true;
}
