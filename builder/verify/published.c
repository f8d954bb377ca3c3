// SPDX-License-Identifier: MIT
#include "verify/published.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

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
        return hint(
            err,
            "name out/CLUSTER/current or out/CLUSTER/BUILD; a partial build, with --only, has the file if it is also "
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

struct published_file *published_add(struct published_build *build, const char *path) {
        struct published_file *file = array_append(&build->files, &build->count);
        file->path = xstrdup(path);
        return file;
}

static int published_order(const void *left, const void *right) {
        const struct published_file *a = left, *b = right;
        return strcmp(a->path, b->path);
}

void published_sort(struct published_build *build) {
        if (build->count)
                qsort(build->files, build->count, sizeof *build->files, published_order);
}

struct published_file *published_find(const struct published_build *build, const char *path) {
        const struct published_file key = { .path = (char *)path }; // only read
        if (build->count == 0)
                return NULL;
        return bsearch(&key, build->files, build->count, sizeof *build->files, published_order);
}

const struct published_file *published_find_existing(const struct published_build *build, const char *path) {
        const struct published_file *file = published_find(build, path);
        if (!file || !file->exists)
                return NULL;
        return file;
}

bool published_open_file(const struct published_build *build, const char *path, int *ret_fd, struct err *err) {
        return fs_open(build->dir, path, O_RDONLY | O_NOFOLLOW, 0, ret_fd, err);
}

void published_note(struct published_build *build, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        buf_append_text(&build->findings, "\n  ");
        buf_vprintf(&build->findings, format, arguments);
        va_end(arguments);
        build->finding_count++;
}
