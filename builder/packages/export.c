// SPDX-License-Identifier: MIT
// A plain yum repository of fetched packages, for sites without a network: dnf and yum read it, and so does kiln, with
// --repo NAME=DIR for each repository of the release.
//
//     Packages/REPOSITORY/*.rpm     as their repositories published them
//     repodata/                     by createrepo_c, with the groups and modules of all repositories
//     RPM-GPG-KEY-...               the keys that the release names
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/run.h"
#include "packages/comps.h"
#include "packages/fetch/file_copy.h"
#include "packages/metadata/source.h"
#include "packages/packages.h"
#include "packages/solve/groups.h"
#include "packages/solve/module_streams.h"
#include "packages/solve/pool.h"
#include "packages/trust/keyring.h"
#include "profile/profile.h"

// Says that a directory is an export, and may be replaced by the next.
#define MARK ".kiln-export"
#define COMPS "comps.xml"
#define MODULES "modules.yaml" // createrepo_c takes it along

enum { COMPS_MAX = 64 << 20, KEYS_BYTES_MAX = 16 << 20, MODULES_MAX = 64 << 20 };

struct export {
        struct packages *packages;
        const char *dir; // the directory that is being made
        int64_t published;
        bool has_comps;
        struct progress progress;
};

static bool export_package(struct export *export, const struct package *package, struct err *err) {
        assert(package->path); // packages_fetch() comes first
        auto_free char *path = xasprintf("%s/Packages/%s/%s-%s-%s.%s.rpm", export->dir, package->repository->name,
                                         package->name, package->version, package->release, package->arch);
        const struct timespec times[2] = { { .tv_sec = export->published }, { .tv_sec = export->published } };
        if (!fs_mkdirs_for(AT_FDCWD, path, 0755, err) || !file_copy(package->path, path, err))
                return wrap(err, "exporting %s", package->nevra);
        // createrepo notes the time of the file: the same packages shall give the same metadata.
        if (utimensat(AT_FDCWD, path, times, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "set the time of %s", path);
        progress_add(&export->progress, package->size_bytes);
        return interrupt_check(err);
}

static bool export_comps(struct export *export, struct err *err) {
        auto_buf text = { .max = COMPS_MAX };
        auto_free char *comps = xasprintf("%s/" COMPS, export->dir);
        if (!groups_load(export->packages, err))
                return false;
        export->has_comps = comps_format(export->packages->groups, &text);
        if (!export->has_comps)
                return true;
        return fs_write_atomic(AT_FDCWD, comps, buf_text(&text), text.size, 0644, err);
}

// Without them, the packages of every stream would be offered at once.
static bool export_modules(const struct export *export, struct err *err) {
        auto_buf all = { .max = MODULES_MAX };
        auto_free char *path = xasprintf("%s/" MODULES, export->dir);
        for (size_t i = 0; i < export->packages->source_count; i++) {
                auto_buf text = { .max = MODULES_MAX };
                if (!modules_read(&export->packages->sources[i], &text, err))
                        return false;
                bool begins_document = strncmp(buf_text(&text), "---", 3) == 0;
                if (text.size > 0 && !begins_document)
                        buf_append_text(&all, "---\n");
                buf_append(&all, buf_text(&text), text.size);
                if (text.size > 0)
                        buf_append_char(&all, '\n');
        }
        if (all.overflow)
                return fail(err, ERR_CORRUPT, 0, "the modules of all repositories are more than %d bytes", MODULES_MAX);
        return all.size == 0 || fs_write_atomic(AT_FDCWD, path, buf_text(&all), all.size, 0644, err);
}

// Two repositories may call their keys the same: both go into that file. A keyring takes from it what is pinned.
static bool export_key(const char *from, const char *to, struct err *err) {
        auto_buf key = { .max = KEYS_BYTES_MAX }, all = { .max = KEYS_BYTES_MAX };
        if (!fs_read(AT_FDCWD, from, &key, err))
                return false;
        if (fs_exists(AT_FDCWD, to) && !fs_read(AT_FDCWD, to, &all, err))
                return false;
        bool has_key = key.size > 0 && all.size >= key.size && memmem(all.data, all.size, key.data, key.size);
        if (key.size == 0 || has_key)
                return true;
        bool is_text = all.size > 0 && !(all.data[0] & 0x80);
        if (is_text && all.data[all.size - 1] != '\n')
                buf_append_char(&all, '\n');
        buf_append(&all, key.data, key.size);
        return fs_write_atomic(AT_FDCWD, to, all.data, all.size, 0644, err);
}

static bool export_keys(const struct export *export, const struct repository *repository, struct err *err) {
        for (size_t i = 0; i < repository->keys.count; i++) {
                const char *key = repository->keys.items[i];
                auto_free char *from = key_file(&export->packages->options, key), *name = key_export_name(key);
                auto_free char *to = xasprintf("%s/%s", export->dir, name);
                if (fs_exists(AT_FDCWD, from) && !export_key(from, to, err))
                        return wrap(err, "exporting a key of repository %s", repository->name);
        }
        return true;
}

static bool make_export_metadata(const struct export *export, struct err *err) {
        auto_free char *revision = xasprintf("--revision=%lld", (long long)export->published);
        auto_free char *comps = xasprintf("%s/" COMPS, export->dir);
        auto_free char *absolute = NULL;
        auto_free char *mark = xasprintf("%s/" MARK, export->dir);
        const char *argv[10] = { "createrepo_c", "--quiet", "--no-database" };
        size_t count = 3;
        if (export->published > 0) {
                argv[count++] = revision;
                argv[count++] = "--set-timestamp-to-revision";
        }
        if (export->has_comps) {
                absolute = realpath(comps, NULL); // createrepo_c takes another as relative to the repository
                if (!absolute)
                        return fail(err, ERR_SYSTEM, errno, "resolve %s", comps);
                argv[count++] = "--groupfile";
                argv[count++] = absolute;
        }
        argv[count++] = export->dir;
        if (!run(&(struct run){ .argv = argv }, err)) {
                wrap(err, "writing the repository's metadata");
                return hint(err, "the package createrepo_c (createrepo-c on Debian) must be installed");
        }
        auto_free char *modules = xasprintf("%s/" MODULES, export->dir);
        const char *const taken[] = { comps, modules };
        for (size_t i = 0; i < lengthof(taken); i++)
                if (unlink(taken[i]) < 0 && errno != ENOENT)
                        return fail(err, ERR_SYSTEM, errno, "remove %s", taken[i]);
        return fs_write_atomic(AT_FDCWD, mark, "", 0, 0644, err);
}

static bool export_all(struct export *export, const struct package_set *set, struct err *err) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < set->count; i++)
                bytes += set->items[i]->size_bytes;
        progress_begin(&export->progress, "export", "bytes", bytes);
        bool ok = true;
        for (size_t i = 0; ok && i < set->count; i++)
                ok = export_package(export, set->items[i], err);
        progress_end(&export->progress, ok);
        for (size_t i = 0; ok && i < export->packages->source_count; i++)
                ok = export_keys(export, export->packages->sources[i].repository, err);
        return ok && export_comps(export, err) && export_modules(export, err) && make_export_metadata(export, err);
}

// An empty directory or an earlier export may be replaced; anything else belongs to
// somebody.
static bool check_export_dir(const char *dir, struct err *err) {
        auto_free char *mark = xasprintf("%s/" MARK, dir);
        if (!fs_exists(AT_FDCWD, dir) || fs_exists(AT_FDCWD, mark) || rmdir(dir) == 0)
                return true;
        fail(err, ERR_REFERENCE, 0, "%s is not empty, and not an earlier export", dir);
        return hint(err, "--export wants a directory of its own");
}

static bool publish_export(const char *temporary, const char *dir, struct err *err) {
        auto_free char *old = xasprintf("%s.old", temporary);
        bool had = fs_exists(AT_FDCWD, dir);
        if (had && rename(dir, old) < 0)
                return fail(err, ERR_SYSTEM, errno, "rename to %s", old);
        if (rename(temporary, dir) < 0)
                return fail(err, ERR_SYSTEM, errno, "rename to %s", dir);
        return !had || fs_remove_tree(AT_FDCWD, old, err);
}

bool packages_export(struct packages *packages, const struct package_set *set, const char *dir, struct err *err) {
        size_t length = strlen(dir);
        while (length > 1 && dir[length - 1] == '/')
                length--;
        auto_free char *place = xstrndup(dir, length);
        auto_free char *temporary = NULL;
        if (!check_export_dir(place, err) || !fs_mkdirs_for(AT_FDCWD, place, 0755, err) ||
            !fs_make_temporary_dir(AT_FDCWD, place, &temporary, err))
                return false;
        struct export export = { .packages = packages, .dir = temporary };
        for (size_t i = 0; i < packages->source_count; i++)
                if (packages->sources[i].published > export.published)
                        export.published = packages->sources[i].published;
        auto_err ignored = { 0 };
        if (export_all(&export, set, err) && publish_export(temporary, place, err))
                return true;
        (void)!fs_remove_tree(AT_FDCWD, temporary, &ignored); // the first error is the one to tell
        return false;
}
