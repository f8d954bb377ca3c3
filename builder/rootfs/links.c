// SPDX-License-Identifier: MIT
// Links at the top of the tree, such as EL7's /bin -> usr/bin, before anything is unpacked. On a new root librpm would
// take /bin/awk and /usr/bin/awk for two files while it checks and orders the packages: requirements by the old path
// would be missing, and scriptlets run before the programs that they ask for. What the package's own %pretrans makes,
// or its unpacking, is made a little earlier.
#include "rootfs/links.h"

#include <errno.h>
#include <fcntl.h>
#include <rpm/rpmfiles.h>
#include <rpm/rpmte.h>
#include <rpm/rpmts.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"

static bool has_directory(rpmfiles files, const char *directory) {
        for (int i = 0; i < (int)rpmfilesDC(files); i++)
                if (strcmp(rpmfilesDN(files, i), directory) == 0)
                        return true;
        return false;
}

// Whether packages have files in a directory: only then is a link to it made early ("/vmlinuz -> boot/vmlinuz-1" leads
// to a file).
static bool is_filled(rpmts ts, const char *directory) {
        bool found = false;
        rpmtsi elements = rpmtsiInit(ts);
        for (rpmte element; !found && (element = rpmtsiNext(elements, TR_ADDED));) {
                rpmfiles files = rpmteFiles(element);
                found = has_directory(files, directory);
                rpmfilesFree(files);
        }
        rpmtsiFree(elements);
        return found;
}

static bool make_link(rpmts ts, const char *name, const char *target, struct err *err) {
        auto_free char *directory = xasprintf("/%s/", target);
        bool stays_below = fs_path_is_safe(target) && *target != '/';
        if (!stays_below || fs_exists(AT_FDCWD, name) || !is_filled(ts, directory))
                return true;
        if (!fs_mkdirs(AT_FDCWD, directory, 0755, err))
                return false;
        return symlink(target, name) == 0 || fail(err, ERR_SYSTEM, errno, "make the link %s", name);
}

static bool make_links(rpmts ts, rpmfiles files, struct err *err) {
        bool ok = true;
        for (int i = 0; ok && i < (int)rpmfilesFC(files); i++) {
                const char *target = rpmfilesFLink(files, i);
                if (!target || !*target || strcmp(rpmfilesDN(files, rpmfilesDI(files, i)), "/") != 0)
                        continue;
                auto_free char *name = rpmfilesFN(files, i);
                ok = make_link(ts, name, target, err);
        }
        return ok;
}

bool links_make(rpmts ts, struct err *err) {
        bool ok = true;
        rpmtsi elements = rpmtsiInit(ts);
        for (rpmte element; ok && (element = rpmtsiNext(elements, TR_ADDED));) {
                rpmfiles files = rpmteFiles(element);
                ok = make_links(ts, files, err);
                rpmfilesFree(files);
        }
        rpmtsiFree(elements);
        return ok;
}
