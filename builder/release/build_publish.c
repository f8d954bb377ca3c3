// SPDX-License-Identifier: MIT
#include "release/build_publish.h"

#include "base/mem.h"
#include "build/publish.h"

static bool refuse_partial(const char *out, const struct listed_build *build, struct err *err) {
        auto_free char *path = listed_build_path(out, build);
        fail(err, ERR_REFERENCE, 0,
             "%s is a part: machines of roles that it lacks, or without its boot loaders, would "
             "have nothing to boot",
             path);
        return hint(err, "build all roles and all artefacts: without --role and --only");
}

static bool publish_whole(struct publication *publication, const struct listed_build *build, unsigned jobs, bool is_dry,
                          struct err *err) {
        auto_free char *difference = NULL;
        if (!publication_examine(publication, build->id, jobs, &difference, err))
                return false;
        if (!difference)
                return is_dry || publication_set_current(publication, build->id, err);
        fail(err, ERR_DIFFERENT, 0, "build %s is not as it was published: %s; `current` stays as it is", build->id,
             difference);
        return hint(err, "kiln build makes it again from its profiles, kiln verify names every file that differs");
}

static bool open_to_publish(const char *out, const char *cluster, bool is_dry, struct publication *ret,
                            struct err *err) {
        if (is_dry)
                return publication_open_to_look(out, cluster, false, ret, err);
        return publication_open_to_change(out, cluster, false, ret, err);
}

bool build_publish(const char *out, const struct listed_build *build, unsigned jobs, bool is_dry, struct err *err) {
        struct publication publication = PUBLICATION_CLOSED;
        if (build->is_partial)
                return refuse_partial(out, build, err);
        if (!publication_check_owners(out, build->cluster, err) ||
            !open_to_publish(out, build->cluster, is_dry, &publication, err))
                return false;
        bool ok = publish_whole(&publication, build, jobs, is_dry, err);
        publication_close(&publication);
        return ok;
}
