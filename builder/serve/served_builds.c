// SPDX-License-Identifier: MIT
#include "serve/served_builds.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/fs.h"
#include "base/mem.h"
#include "build/build_id.h"
#include "build/digest_links.h"
#include "build/publish.h"

enum { SHA256_DIGITS = 64, SERVED_PATH_OFFSET = SHA256_DIGITS + 2, SUMS_MAX = 256 << 20 };

bool served_builds_open(const char *out, const char *cluster, struct served_builds *ret, struct err *err) {
        assert(out && cluster && ret);
        auto_free char *path = xasprintf("%s/%s", out, cluster);
        auto_free char *resolved = realpath(path, NULL);
        auto_close int dir = -1;
        if (!resolved) {
                fail(err, ERR_REFERENCE, errno, "there are no builds of %s: %s", cluster, path);
                return hint(err, "kiln build makes one; --out names the directory in which they are");
        }
        if (!fs_open_dir(AT_FDCWD, resolved, &dir, err))
                return false;
        *ret = (struct served_builds){ .dir = take_fd(dir), .path = take_ptr(resolved) };
        return true;
}

static void free_build(struct served_build *build) {
        close(build->dir);
        buf_release(&build->sums);
        free(build->files);
        free(build);
}

void served_builds_close(struct served_builds *builds) {
        for (size_t i = 0; i < builds->count; i++)
                free_build(builds->items[i]);
        free(builds->items);
        free(builds->path);
        close_cleanup(&builds->dir);
        *builds = (struct served_builds){ .dir = -1 };
}

static bool is_served_id(const char *id) {
        return strlen(id) == BUILD_ID_SIZE - 1 && strspn(id, "0123456789abcdef") == BUILD_ID_SIZE - 1;
}

bool served_builds_current(const struct served_builds *builds, char ret_id[static SERVED_ID_SIZE], struct err *err) {
        char target[SERVED_ID_SIZE] = "";
        ssize_t length = readlinkat(builds->dir, "current", target, sizeof target - 1);
        if (length >= 0)
                target[length] = '\0';
        if (length < 0 || !is_served_id(target)) {
                fail(err, ERR_REFERENCE, 0, "%s/current names no build", builds->path);
                return hint(err, "kiln publish BUILD points it at one; kiln builds lists them");
        }
        memcpy(ret_id, target, sizeof target);
        return true;
}

char *served_builds_path(const struct served_builds *builds, const char *id) {
        if (!is_served_id(id))
                return NULL;
        if (fs_exists(builds->dir, id))
                return xstrdup(id);
        auto_free char *part = xasprintf(PARTIAL_DIR "/%s", id);
        if (fs_exists(builds->dir, part))
                return take_ptr(part);
        return NULL;
}

char *served_builds_by_digest(const struct served_builds *builds, const char *digest) {
        static const char up[] = "../../", partial[] = PARTIAL_DIR "/";
        char target[PATH_MAX];
        auto_free char *link = xasprintf(DIGEST_LINKS_DIR "/%s", digest);
        ssize_t length = readlinkat(builds->dir, link, target, sizeof target - 1);
        if (length < 0)
                return NULL;
        target[length] = '\0';
        const char *path = target;
        if (strncmp(path, up, strlen(up)) != 0)
                return NULL;
        path += strlen(up);
        if (strncmp(path, partial, strlen(partial)) == 0)
                path += strlen(partial);
        return xstrdup(path);
}

// ---- SHA256SUMS ----

static int compare_paths(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool is_sums_line(const char *line, size_t size) {
        return size > SERVED_PATH_OFFSET && strspn(line, "0123456789abcdef") == SHA256_DIGITS &&
               line[SHA256_DIGITS] == ' ';
}

static void index_sums(struct served_build *build) {
        char *end = build->sums.data + build->sums.size;
        for (char *line = build->sums.data; line < end;) {
                char *newline = memchr(line, '\n', (size_t)(end - line));
                if (!newline)
                        break;
                *newline = '\0';
                if (is_sums_line(line, (size_t)(newline - line))) {
                        line[SHA256_DIGITS] = '\0';
                        *array_append(&build->files, &build->file_count) = line + SERVED_PATH_OFFSET;
                }
                line = newline + 1;
        }
        if (build->file_count > 0)
                qsort(build->files, build->file_count, sizeof *build->files, compare_paths);
}

const char *served_build_digest(const struct served_build *build, const char *path) {
        assert(build && path);
        if (build->file_count == 0)
                return NULL;
        const char *const *found = bsearch(&path, build->files, build->file_count, sizeof *build->files, compare_paths);
        if (!found)
                return NULL;
        return *found - SERVED_PATH_OFFSET;
}

// ---- opening ----

static bool open_build(struct served_builds *builds, const char *id, const char *path, struct served_build **ret,
                       struct err *err) {
        auto_close int dir = -1;
        auto_buf sums = { .max = SUMS_MAX };
        if (!fs_open_dir(builds->dir, path, &dir, err))
                return false;
        if (flock(dir, LOCK_SH | LOCK_NB) < 0)
                return fail(err, ERR_LOCKED, errno, "build %s is being removed", id);
        if (!fs_read(dir, "SHA256SUMS", &sums, err))
                return wrap(err, "build %s", id);
        struct served_build *build = xcalloc(1, sizeof *build);
        strncpy(build->id, id, sizeof build->id - 1);
        build->dir = take_fd(dir);
        build->sums = sums;
        sums = (struct buf){ 0 };
        index_sums(build);
        *array_append(&builds->items, &builds->count) = build;
        *ret = build;
        return true;
}

bool served_builds_get(struct served_builds *builds, const char *id, struct served_build **ret, struct err *err) {
        assert(builds && id && ret);
        struct served_build *build = NULL;
        for (size_t i = 0; i < builds->count; i++)
                if (strcmp(builds->items[i]->id, id) == 0)
                        build = builds->items[i];
        if (!build) {
                auto_free char *path = served_builds_path(builds, id);
                if (path && !open_build(builds, id, path, &build, err))
                        return false;
        }
        if (build)
                build->users++;
        *ret = build;
        return true;
}

struct served_build *served_build_hold(struct served_build *build) {
        assert(build->users > 0);
        build->users++;
        return build;
}

void served_builds_release(struct served_builds *builds, struct served_build *build) {
        if (!build)
                return;
        assert(build->users > 0);
        if (--build->users > 0)
                return;
        for (size_t i = 0; i < builds->count; i++)
                if (builds->items[i] == build) {
                        builds->items[i] = builds->items[--builds->count];
                        break;
                }
        free_build(build);
}

void served_build_files(const struct served_build *build, struct boot_files *ret) {
        struct boot_files files = {
                .has_pxelinux = fs_exists(build->dir, "pxe/pxelinux.0"),
                .has_undionly = fs_exists(build->dir, "pxe/undionly.kpxe"),
                .has_shim = fs_exists(build->dir, "pxe/shimx64.efi"),
                .has_grub = fs_exists(build->dir, "pxe/grubx64.efi"),
                .has_ipxe_efi = fs_exists(build->dir, "pxe/ipxe.efi"),
        };
        memcpy(files.build, build->id, sizeof build->id);
        *ret = files;
}
