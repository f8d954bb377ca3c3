// SPDX-License-Identifier: MIT
#include "verify/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "verify/internal.h"

void verify_note(struct published_build *build, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        buf_append_text(&build->findings, "\n  ");
        buf_vprintf(&build->findings, format, arguments);
        va_end(arguments);
        build->finding_count++;
}

// ---- the build ----

static bool holds_sums(const char *path) {
        auto_free char *sums = xasprintf("%s/" SUMS_NAME, path);
        return fs_exists(AT_FDCWD, sums);
}

static bool open_resolved(const char *path, struct published_build *build, struct err *err) {
        char resolved[PATH_MAX];
        if (!realpath(path, resolved))
                return fail(err, ERR_REFERENCE, errno, "%s", path);
        build->path = xstrdup(resolved);
        return fs_open_dir(AT_FDCWD, resolved, &build->dir, err);
}

bool published_open(const char *path, struct published_build *ret, struct err *err) {
        *ret = (struct published_build){ .dir = -1 };
        auto_free char *current = xasprintf("%s/current", path);
        if (holds_sums(path))
                return open_resolved(path, ret, err);
        if (holds_sums(current))
                return open_resolved(current, ret, err);
        fail(err, ERR_REFERENCE, 0, "%s is no published build: there is no %s in it", path, SUMS_NAME);
        return hint(err,
                    "name out/CLUSTER/current or out/CLUSTER/BUILD; a build with --only has the file if it is also "
                    "given --only manifest --only sums");
}

void published_close(struct published_build *build) {
        for (size_t i = 0; i < build->count; i++)
                free(build->files[i].path);
        free(build->files);
        for (size_t i = 0; i < build->directory_count; i++)
                free(build->directories[i]);
        free(build->directories);
        free(build->path);
        json_decref(build->manifest);
        buf_release(&build->findings);
        close_cleanup(&build->dir);
}

static int by_path(const void *key, const void *element) {
        const struct published_file *file = element;
        return strcmp(key, file->path);
}

struct published_file *verify_find(const struct published_build *build, const char *path) {
        return build->count ? bsearch(path, build->files, build->count, sizeof *build->files, by_path) : NULL;
}

// ---- the verdict ----

// What stopped the work is one finding more where there are others: both have to be said.
static bool add_obstacle(struct published_build *build, struct err *err) {
        if (build->finding_count == 0 || err->kind == ERR_INTERRUPTED)
                return false;
        verify_note(build, "it was not compared any further: %s", err->text);
        return true;
}

static bool conclude(const struct published_build *build, bool rebuilt, char **ret_summary, struct err *err) {
        if (build->finding_count > 0)
                return fail(err, ERR_DIFFERENT, 0, "%s is not as it should be:%s", build->path,
                            buf_text(&build->findings));
        *ret_summary = xasprintf("%s: %zu files are as published%s", build->path, build->count,
                                 rebuilt ? ", and the same when built again" : "");
        return true;
}

bool verify_build(const struct verify_options *options, char **ret_summary, struct err *err) {
        struct published_build build;
        bool ok = published_open(options->build, &build, err);
        if (ok) {
                ok = verify_sums(&build, options->jobs, err) && verify_inner(&build, err) &&
                     (!options->rebuild || verify_again(&build, options, err));
                if (ok || add_obstacle(&build, err))
                        ok = conclude(&build, options->rebuild, ret_summary, err);
        }
        published_close(&build);
        return ok;
}
