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

#define RACK_JOURNAL "journal"
#define RACKS "rack"

// ---- where it is ----

// The directory that kiln has for racks of this user, and it may not be there.
static char *kiln_dir(void) {
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        if (runtime && *runtime == '/')
                return xasprintf("%s/kiln", runtime);
        if (geteuid() == 0)
                return xstrdup("/run/kiln");
        return xasprintf("/tmp/kiln-%u", (unsigned)geteuid());
}

// The directory that holds one for each rack.
static char *racks_dir(void) {
        auto_free char *kiln = kiln_dir();
        return xasprintf("%s/" RACKS, kiln);
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

// One directory, which is made or may be absent: `*ret_dir` stays -1 then.
static bool open_level(int dir, const char *name, const char *shown, bool make, int *ret_dir, struct err *err) {
        if (make && !fs_mkdirs(dir, name, 0700, err))
                return wrap(err, "%s", shown);
        bool is_absent = !make && !fs_exists(dir, name);
        return is_absent || own_dir_open(dir, name, OWN_DIR, shown, ret_dir, err);
}

// Level by level, from the first that kiln makes: /tmp is everybody's, and whoever was there first could have put a
// link, or a directory of his own, in the place of any of them.
static bool open_racks(bool make, int *ret_dir, struct err *err) {
        auto_free char *kiln = kiln_dir(), *racks = racks_dir();
        auto_close int dir = -1;
        if (!open_level(AT_FDCWD, kiln, kiln, make, &dir, err))
                return false;
        return dir < 0 || open_level(dir, RACKS, racks, make, ret_dir, err);
}

static bool open_rack_place(const struct virtual_rack_name *where, const char *path, bool make, int *ret_dir,
                            struct err *err) {
        auto_close int racks = -1;
        if (where->state)
                return open_level(AT_FDCWD, path, path, make, ret_dir, err);
        if (!open_racks(make, &racks, err))
                return false;
        return racks < 0 || open_level(racks, where->name, path, make, ret_dir, err);
}

// ---- what is in it ----

static bool is_one_of(const char *name, const char *const *names, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (strcmp(name, names[i]) == 0)
                        return true;
        return false;
}

static bool stays_in_place(const char *name) {
        static const char *const names[] = { RACK_LOCK, RACK_JOURNAL };
        return is_one_of(name, names, lengthof(names));
}

// Names that a rack makes; virtual_rack.h says what they are.
static bool is_name_of_rack(const char *name) {
        static const char *const names[] = { RACK_CONTROL, "log", "serve.log", RACK_SERVE };
        static const char *const of_node[] = { ".console", ".log", ".control", ".qemu", ".attached" };
        const char *dot = strrchr(name, '.');
        if (stays_in_place(name) || is_one_of(name, names, lengthof(names)))
                return true;
        return dot && dot > name && is_one_of(dot, of_node, lengthof(of_node));
}

static bool refuse_rack_place(const struct rack_place *place, const char *name, struct err *err) {
        fail(err, ERR_REFERENCE, 0, "%s is no directory of a rack: there is %s in it", place->path, name);
        return hint(err, "--state takes a directory of its own, which need not be there: what lies in it is removed");
}

// A rack makes its lock before anything else, under a name that no other directory of kiln's has. A directory with
// something in it and no such lock is somebody else's, and so is one with names that no rack makes.
static bool check_is_rack_place(const struct rack_place *place, struct err *err) {
        auto_closedir DIR *stream = NULL;
        struct dirent *entry;
        bool ok = fs_open_listing(place->dir, &stream, err), has_lock = fs_exists(place->dir, RACK_LOCK);
        while (ok && (ok = fs_next_entry(stream, &entry, err)) && entry)
                if (!has_lock || !is_name_of_rack(entry->d_name))
                        return refuse_rack_place(place, entry->d_name, err);
        return ok;
}

bool rack_place_open(const struct virtual_rack_name *where, struct rack_place *ret, struct err *err) {
        assert(where->state || where->name);
        struct rack_place place = { .path = place_path(where), .dir = -1, .lock = -1 };
        if (open_rack_place(where, place.path, true, &place.dir, err) && check_is_rack_place(&place, err)) {
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

// A name that came after check_is_rack_place() is not removed either.
static bool remove_of_rack(const struct rack_place *place, const char *name, struct err *err) {
        if (!is_name_of_rack(name))
                return refuse_rack_place(place, name, err);
        return stays_in_place(name) || fs_remove_tree(place->dir, name, err);
}

static bool clear_place(const struct rack_place *place, struct err *err) {
        auto_closedir DIR *stream = NULL;
        struct dirent *entry;
        bool ok = fs_open_listing(place->dir, &stream, err);
        while (ok && (ok = fs_next_entry(stream, &entry, err)) && entry)
                ok = remove_of_rack(place, entry->d_name, err);
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

// Takes `place`, whose directory may be absent (-1). `ret` is to be released if it was found.
static bool take_if_held(struct rack_place *place, struct rack_place *ret, bool *ret_found, struct err *err) {
        bool found = false;
        bool ok = place->dir < 0 || place_is_held(place, &found, err);
        if (ok && found)
                *ret = *place;
        else
                rack_place_release(place);
        *ret_found = ok && found;
        return ok;
}

static bool look_below_racks(int racks, const char *path, const char *name, struct rack_place *ret, bool *ret_found,
                             struct err *err) {
        struct rack_place place = { .path = xasprintf("%s/%s", path, name), .dir = -1, .lock = -1 };
        *ret_found = false;
        if (open_level(racks, name, place.path, false, &place.dir, err))
                return take_if_held(&place, ret, ret_found, err);
        rack_place_release(&place);
        return false;
}

static bool look_at_place(const struct virtual_rack_name *where, struct rack_place *ret, bool *ret_found,
                          struct err *err) {
        struct rack_place place = { .path = place_path(where), .dir = -1, .lock = -1 };
        *ret_found = false;
        if (open_rack_place(where, place.path, false, &place.dir, err))
                return take_if_held(&place, ret, ret_found, err);
        rack_place_release(&place);
        return false;
}

static bool refuse_several(const char *one, const char *other, struct err *err) {
        fail(err, ERR_REFERENCE, 0, "more than one rack is up: %s and %s", one, other);
        return hint(err, "--rack NAME says which one, by the name of its cluster");
}

static bool search_places(struct rack_place *ret, bool *ret_found, struct err *err) {
        auto_free char *path = racks_dir();
        auto_closedir DIR *stream = NULL;
        auto_close int racks = -1;
        struct dirent *entry;
        *ret_found = false;
        if (!open_racks(false, &racks, err))
                return false;
        if (racks < 0)
                return true;
        bool ok = fs_open_listing(racks, &stream, err);
        while (ok && (ok = fs_next_entry(stream, &entry, err)) && entry) {
                struct rack_place place;
                bool found;
                ok = look_below_racks(racks, path, entry->d_name, &place, &found, err);
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
        if (!where->state && !where->name)
                return search_places(ret, ret_found, err);
        return look_at_place(where, ret, ret_found, err);
}

void rack_place_release(struct rack_place *place) {
        close_cleanup(&place->dir);
        close_cleanup(&place->lock);
        free(place->path);
        *place = (struct rack_place){ .dir = -1, .lock = -1 };
}
