// SPDX-License-Identifier: MIT
// What a kernel's scriptlets do beyond the image: EL7's %post and %posttrans run new-kernel-pkg, and that dracut and
// grubby, which look at the machine they run on, cost minutes and write an initramfs and a boot menu. kiln's own initrd
// and boot loader files replace both. For the time of a transaction these programs are set aside, and a script that
// succeeds stands in their place: whoever tests for them, or calls them by path, goes on. weak-modules stays: it links
// other kernels' modules into the new one's tree.
//
// One thing that new-kernel-pkg does is wanted: modules.dep and its kin, which udev and modprobe read. EL7's kernel
// ships none, so depmod runs when the scriptlets are through.
#include "rootfs/boot_tools.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"

static const char *const tools[] = {
        "/sbin/new-kernel-pkg", "/usr/sbin/new-kernel-pkg", "/sbin/dracut",
        "/usr/sbin/dracut",     "/usr/bin/dracut",          "/sbin/mkinitrd",
        "/usr/sbin/mkinitrd",   "/usr/bin/mkinitrd",        "/sbin/grubby",
        "/usr/sbin/grubby",     "/sbin/grub2-mkconfig",     "/usr/sbin/grub2-mkconfig",
        "/bin/kernel-install",  "/usr/bin/kernel-install",  "/usr/sbin/kernel-install",
};
static const char stand_in[] = "#!/bin/sh\nexit 0\n";
static const char module_trees[] = "/lib/modules";

static char *aside_name(const char *tool) { return xasprintf("%s.kiln-aside", tool); }

static bool write_stand_in(const char *path, struct err *err) {
        auto_close int fd = -1;
        return fs_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0755, &fd, err) &&
               fs_write_all(fd, stand_in, sizeof stand_in - 1, err);
}

// /sbin may be a link to /usr/sbin: a tool under two names is set aside once.
static bool set_aside(const char *tool, struct err *err) {
        struct stat stat;
        auto_free char *aside = aside_name(tool);
        if (fstatat(AT_FDCWD, tool, &stat, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(stat.st_mode))
                return true;
        if (fs_exists(AT_FDCWD, aside))
                return true;
        if (rename(tool, aside) < 0)
                return fail(err, ERR_SYSTEM, errno, "set %s aside", tool);
        return write_stand_in(tool, err);
}

bool boot_tools_set_aside(struct err *err) {
        for (size_t i = 0; i < lengthof(tools); i++)
                if (!set_aside(tools[i], err))
                        return false;
        return true;
}

bool boot_tools_restore(struct err *err) {
        for (size_t i = 0; i < lengthof(tools); i++) {
                auto_free char *aside = aside_name(tools[i]);
                if (rename(aside, tools[i]) < 0 && errno != ENOENT && errno != ENOTDIR)
                        return fail(err, ERR_SYSTEM, errno, "put %s back", tools[i]);
        }
        return true;
}

static const char *find_depmod(void) {
        static const char *const programs[] = { "/usr/sbin/depmod", "/sbin/depmod", "/usr/bin/depmod" };
        for (size_t i = 0; i < lengthof(programs); i++)
                if (access(programs[i], X_OK) == 0)
                        return programs[i];
        return NULL;
}

static bool index_tree(const struct fs_entry *entry, void *context, struct err *err) {
        const char *depmod = context;
        auto_free char *index = xasprintf("%s/modules.dep", entry->name);
        auto_free char *modules = xasprintf("%s/kernel", entry->name);
        bool wanted = *entry->descend && fs_exists(entry->parent, modules) && !fs_exists(entry->parent, index);
        *entry->descend = false;
        if (!wanted)
                return true;
        return run_command(err, depmod, "-a", entry->name, NULL) ||
               wrap(err, "indexing the modules of kernel %s", entry->name);
}

// An image without depmod has no modprobe either, which is the same program.
bool kernel_modules_index(struct err *err) {
        auto_close int dir = open(module_trees, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const char *depmod = find_depmod();
        if (dir < 0 || !depmod)
                return true;
        return fs_walk(dir, index_tree, (void *)(uintptr_t)depmod, err);
}
