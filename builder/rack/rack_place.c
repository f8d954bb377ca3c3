// SPDX-License-Identifier: MIT
#include "rack/rack_place.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/locations.h"
#include "base/own_dir.h"

#define RACK_LOCK "lock"
#define RACK_JOURNAL "journal"

// The directory that holds one for each rack.
static char *racks_dir(void) {
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        if (runtime && *runtime == '/')
                return xasprintf("%s/kiln/rack", runtime);
        if (geteuid() == 0)
                return xstrdup("/run/kiln/rack");
        return xasprintf("/tmp/kiln-%u/rack", (unsigned)geteuid());
}

static char *place_path(const struct virtual_rack_name *where) {
        struct arena arena = { 0 };
        char *path;
        if (where->state) {
                path = xstrdup(locations_absolute(&arena, where->state));
        } else {
                auto_free char *racks = racks_dir();
                path = xasprintf("%s/%s", racks, where->name);
        }
        arena_release(&arena);
        return path;
}

// A directory with something in it and no lock is somebody else's.
static bool check_is_rack_place(const struct rack_place *place, struct err *err) {
        auto_closedir DIR *stream = NULL;
        struct dirent *entry;
        if (fs_exists(place->dir, RACK_LOCK))
                return true;
        if (!fs_open_listing(place->dir, &stream, err) || !fs_next_entry(stream, &entry, err))
                return false;
        if (!entry)
                return true;
        fail(err, ERR_REFERENCE, 0, "%s is no directory of a rack: there is %s in it", place->path, entry->d_name);
        return hint(err, "--state takes a directory of its own, which need not be there: what lies in it is removed");
}

static bool open_own_place(struct rack_place *place, struct err *err) {
        return own_dir_open(AT_FDCWD, place->path, OWN_DIR, place->path, &place->dir, err);
}

bool rack_place_open(const struct virtual_rack_name *where, struct rack_place *ret, struct err *err) {
        assert(where->state || where->name);
        struct rack_place place = { .path = place_path(where), .dir = -1, .lock = -1 };
        if (fs_mkdirs(AT_FDCWD, place.path, 0700, err) && open_own_place(&place, err) &&
            check_is_rack_place(&place, err)) {
                *ret = place;
                return true;
        }
        rack_place_release(&place);
        return wrap(err, "the rack's directory");
}

static bool try_lock(struct rack_place *place, bool *ret_taken, struct err *err) {
        auto_close int lock = -1;
        if (!fs_open(place->dir, RACK_LOCK, O_RDWR | O_CREAT, 0600, &lock, err))
                return false;
        *ret_taken = flock(lock, LOCK_EX | LOCK_NB) == 0;
        if (!*ret_taken && errno != EWOULDBLOCK)
                return fail(err, ERR_SYSTEM, errno, "lock %s", place->path);
        if (*ret_taken)
                place->lock = take_fd(lock);
        return true;
}

static bool clear_place(const struct rack_place *place, struct err *err) {
        auto_closedir DIR *stream = NULL;
        struct dirent *entry;
        bool ok = fs_open_listing(place->dir, &stream, err);
        while (ok && (ok = fs_next_entry(stream, &entry, err)) && entry) {
                bool stays = strcmp(entry->d_name, RACK_LOCK) == 0 || strcmp(entry->d_name, RACK_JOURNAL) == 0;
                if (!stays)
                        ok = fs_remove_tree(place->dir, entry->d_name, err);
        }
        return ok;
}

bool rack_place_take(struct rack_place *place, struct err *err) {
        bool taken;
        assert(place->dir >= 0);
        if (!try_lock(place, &taken, err))
                return false;
        if (taken)
                return clear_place(place, err);
        fail(err, ERR_LOCKED, 0, "this rack is up already (%s)", place->path);
        return hint(err, "`kiln rack up NODE...` powers machines of it on, `kiln rack down` ends it");
}

// ---- the one that is up ----

// The lock tells: a socket may be what a killed rack has left.
static bool place_is_held(struct rack_place *place, bool *ret, struct err *err) {
        auto_close int lock = -1;
        *ret = false;
        if (!fs_exists(place->dir, RACK_LOCK))
                return true;
        if (!fs_open(place->dir, RACK_LOCK, O_RDWR, 0, &lock, err))
                return false;
        *ret = flock(lock, LOCK_EX | LOCK_NB) < 0;
        return true;
}

// `ret` is to be released if it was found.
static bool look_at_place(const char *path, struct rack_place *ret, bool *ret_found, struct err *err) {
        struct rack_place place = { .path = xstrdup(path), .dir = -1, .lock = -1 };
        bool found = false;
        bool ok = access(path, F_OK) < 0 || (open_own_place(&place, err) && place_is_held(&place, &found, err));
        if (ok && found)
                *ret = place;
        else
                rack_place_release(&place);
        *ret_found = ok && found;
        return ok;
}

static bool refuse_several(const char *one, const char *other, struct err *err) {
        fail(err, ERR_REFERENCE, 0, "more than one rack is up: %s and %s", one, other);
        return hint(err, "--rack NAME says which one, by the name of its cluster");
}

static bool search_places(const char *racks, struct rack_place *ret, bool *ret_found, struct err *err) {
        auto_closedir DIR *stream = NULL;
        auto_close int dir = -1;
        struct dirent *entry;
        *ret_found = false;
        if (access(racks, F_OK) < 0)
                return true;
        bool ok = fs_open_dir(AT_FDCWD, racks, &dir, err) && fs_open_listing(dir, &stream, err);
        while (ok && (ok = fs_next_entry(stream, &entry, err)) && entry) {
                auto_free char *path = xasprintf("%s/%s", racks, entry->d_name);
                struct rack_place place;
                bool found;
                ok = look_at_place(path, &place, &found, err);
                if (found && *ret_found) {
                        ok = refuse_several(ret->path, place.path, err);
                        rack_place_release(&place);
                } else if (found) {
                        *ret = place;
                        *ret_found = true;
                }
        }
        if (!ok && *ret_found)
                rack_place_release(ret);
        return ok;
}

bool rack_place_find(const struct virtual_rack_name *where, struct rack_place *ret, bool *ret_found, struct err *err) {
        if (!where->state && !where->name) {
                auto_free char *racks = racks_dir();
                return search_places(racks, ret, ret_found, err);
        }
        auto_free char *path = place_path(where);
        return look_at_place(path, ret, ret_found, err);
}

void rack_place_release(struct rack_place *place) {
        close_cleanup(&place->dir);
        close_cleanup(&place->lock);
        free(place->path);
        *place = (struct rack_place){ .dir = -1, .lock = -1 };
}
