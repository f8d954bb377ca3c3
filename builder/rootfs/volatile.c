// SPDX-License-Identifier: MIT
// /run of an image. A node's own /run is a tmpfs over it, but packages own directories there, which the image's rpm -V
// looks for wherever the tree is entered; what scriptlets leave there (locks, sockets, utmp) belongs to nobody.
#include "rootfs/volatile.h"

#include <errno.h>
#include <fcntl.h>
#include <rpm/rpmdb.h>
#include <rpm/rpmts.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"

struct volatile_place {
        rpmts ts;
        const char *path; // absolute
};

// rpm finds an owner by any path that leads there: a package may say /var/run/console.
static bool is_owned(rpmts ts, const char *path) {
        rpmdbMatchIterator owners = rpmtsInitIterator(ts, RPMDBI_INSTFILENAMES, path, 0);
        bool owned = rpmdbGetIteratorCount(owners) > 0;
        rpmdbFreeIterator(owners);
        return owned;
}

static bool remove_unowned(const struct fs_entry *entry, void *context, struct err *err) {
        const struct volatile_place *place = context;
        auto_free char *path = xasprintf("%s/%s", place->path, entry->path);
        if (S_ISDIR(entry->stat->st_mode) && is_owned(place->ts, path))
                return true;
        *entry->descend = false;
        return fs_remove_tree(entry->parent, entry->name, err);
}

bool volatile_prune(rpmts ts, struct err *err) {
        static const char *const places[] = { "/run", "/var/run" };
        for (size_t i = 0; i < lengthof(places); i++) {
                struct volatile_place place = { ts, places[i] };
                auto_close int dir = open(places[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (dir >= 0 && !fs_walk(dir, remove_unowned, &place, err))
                        return wrap(err, "cleaning %s", places[i]);
        }
        return true;
}
