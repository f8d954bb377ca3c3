// SPDX-License-Identifier: MIT
// kiln iso.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "release/build_list.h"
#include "release/iso_write.h"
#include "verbs/verb.h"
#include "verbs/verb_common.h"

// A path that is there is taken as it is; an id, or the beginning of one, is looked for in the output directory.
static bool path_of_build(const struct options *options, char **ret, struct err *err) {
        const char *name = options->arguments[0], *out = options_out_dir(options);
        struct build_list list = { 0 };
        const struct listed_build *build = NULL;
        if (strchr(name, '/') && fs_exists(AT_FDCWD, name)) {
                *ret = xstrdup(name);
                return true;
        }
        if (!build_list_read(out, NULL, &list, err))
                return false;
        bool ok = build_list_find(&list, name, &build, err);
        if (ok)
                *ret = listed_build_path(out, build);
        build_list_release(&list);
        return ok;
}

bool verb_iso(const struct options *options, struct err *err) {
        auto_free char *build = NULL;
        auto_free char *written = NULL;
        if (!path_of_build(options, &build, err) ||
            !iso_write_published(build, options->arguments[1], options->output, &written, err))
                return false;
        puts(written);
        return true;
}
