// SPDX-License-Identifier: MIT
#include "artefact/cached_artefact.h"

#include <assert.h>
#include <fcntl.h>

#include "artefact/file_sums.h"
#include "base/fs.h"
#include "base/mem.h"

bool cached_artefact_publish(const struct artefact_build *build, const struct artefact_role *role,
                             const struct cached_artefact *artefact, struct cached_file *ret, struct err *err) {
        assert(artefact->key && *artefact->key && artefact->name && artefact->make);
        struct cached_file cached;
        if (!cached_file_obtain(build->cache, artefact->kind, artefact->key, artefact->name, artefact->make,
                                artefact->context, &cached, err))
                return false;
        auto_free char *entry = cache_entry(build->cache, artefact->kind, artefact->key);
        auto_free char *file = xasprintf("%s/%s", entry, artefact->name);
        if (!fs_link_or_copy(AT_FDCWD, file, role->out, artefact->name, err))
                return false;
        file_sums_note(build->sums, role->out, artefact->name, cached.sha256);
        *ret = cached;
        return true;
}
