// SPDX-License-Identifier: MIT
#include "artefact/cached_artefact.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "artefact/file_sums.h"
#include "base/digest.h"
#include "base/file_place.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"

static bool check_published(const struct artefact_role *role, const char *name, const struct cached_file *cached,
                            struct err *err) {
        char sha256[DIGEST_HEX_SIZE];
        if (!digest_file("sha256", role->out, name, sha256, err))
                return false;
        if (strcmp(sha256, cached->sha256) == 0)
                return true;
        fail(err, ERR_CORRUPT, 0, "%s is not what the cache had a moment before", name);
        return hint(err, "build again; if it happens again, look for what writes there, and at the disk and the memory "
                         "of this machine");
}

// What was linked at the place where its digest was known needs no further look. A copy does, and so does a file that
// was touched in between, if only by another kiln that linked it as well.
static bool link_cached(const struct artefact_role *role, const char *file, const char *name,
                        const struct cached_file *cached, struct err *err) {
        struct file_place before, after;
        bool is_untouched = file_place_find(AT_FDCWD, file, &before) && file_place_equal(&before, &cached->place);
        if (!fs_link_or_copy(AT_FDCWD, file, role->out, name, err))
                return false;
        bool is_link = file_place_find(role->out, name, &after) && after.inode == cached->place.inode;
        return (is_untouched && is_link) || check_published(role, name, cached, err);
}

// At once, so that another role with the same file need not read it. For links that are made later there is
// file_sums_settle().
static void note_link(const struct artefact_build *build, const struct artefact_role *role,
                      const struct cached_artefact *artefact) {
        struct file_place place;
        auto_err err = { 0 };
        if (file_place_find(role->out, artefact->name, &place) &&
            !cached_file_note_place(build->cache, artefact->kind, artefact->key, artefact->name, &place, &err))
                notice("%s will be read again by the next build: %s", artefact->name, err.text);
}

bool cached_artefact_publish(const struct artefact_build *build, const struct artefact_role *role,
                             const struct cached_artefact *artefact, struct cached_file *ret, struct err *err) {
        assert(artefact->key && *artefact->key && artefact->name && artefact->make);
        struct cached_file cached;
        if (!cached_file_obtain(build->cache, artefact->kind, artefact->key, artefact->name, artefact->make,
                                artefact->context, &cached, err))
                return false;
        auto_free char *entry = cache_entry(build->cache, artefact->kind, artefact->key);
        auto_free char *file = xasprintf("%s/%s", entry, artefact->name);
        if (!link_cached(role, file, artefact->name, &cached, err))
                return false;
        note_link(build, role, artefact);
        file_sums_note_cached(build->sums, role->out, artefact->name, artefact->kind, artefact->key, cached.sha256);
        *ret = cached;
        return true;
}
