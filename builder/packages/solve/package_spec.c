// SPDX-License-Identifier: MIT
#include "packages/solve/package_spec.h"

#include <fnmatch.h>
#include <solv/poolarch.h>
#include <solv/solver.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

// libsolv's headers need pool.h first
#include <solv/evr.h>
#include <solv/selection.h>

// What a text says when it is read as one kind of spec; parts that it does not have are NULL.
struct spec_parts {
        char *name, *epoch, *version, *release, *arch;
};

static void spec_parts_release(struct spec_parts *parts) {
        free(parts->name); // the others point into it
        *parts = (struct spec_parts){ 0 };
}

// Cuts `text` at its last `separator` and sets the part that follows. False: there is none, or a part is empty.
static bool cut_last(char *text, char separator, char **ret_part) {
        char *at = strrchr(text, separator);
        if (!at || at == text || !at[1])
                return false;
        *at = '\0';
        *ret_part = at + 1;
        return true;
}

static bool split_epoch(struct spec_parts *parts) {
        if (!parts->version)
                return true;
        char *colon = strchr(parts->version, ':');
        if (!colon)
                return true;
        *colon = '\0';
        parts->epoch = parts->version;
        parts->version = colon + 1;
        return *parts->epoch && strspn(parts->epoch, "0123456789") == strlen(parts->epoch) && *parts->version;
}

static bool split_arch(struct spec_parts *parts) {
        return cut_last(parts->name, '.', &parts->arch) && !strchr(parts->arch, '-');
}

// From the right: architecture, release, version. What is left is the name.
static bool split_parts(struct spec_parts *parts, enum spec_kind kind) {
        bool has_arch = kind == SPEC_NEVRA || kind == SPEC_NAME_ARCH;
        bool has_release = kind == SPEC_NEVRA || kind == SPEC_NEVR;
        bool has_version = has_release || kind == SPEC_NEV;
        if (has_arch && !split_arch(parts))
                return false;
        if (has_release && !cut_last(parts->name, '-', &parts->release))
                return false;
        if (has_version && !cut_last(parts->name, '-', &parts->version))
                return false;
        return split_epoch(parts) && !strpbrk(parts->name, ":(/=<> ");
}

bool package_spec_is_glob(const char *text) { return strpbrk(text, "*?[") != NULL; }

static bool part_fits(const char *pattern, const char *text) { return !pattern || fnmatch(pattern, text, 0) == 0; }

// 1.0 and 1.00 are one version.
static bool version_fits(Pool *pool, const char *pattern, const char *text) {
        if (!pattern || package_spec_is_glob(pattern))
                return part_fits(pattern, text);
        return pool_evrcmp_str(pool, text, pattern, EVRCMP_COMPARE) == 0;
}

static bool evr_fits(Pool *pool, const struct spec_parts *parts, const char *evr) {
        auto_free char *copy = xstrdup(evr);
        char *version = copy;
        char *release = "";
        unsigned long epoch = 0;
        char *colon = strchr(copy, ':');
        if (colon) {
                epoch = strtoul(copy, NULL, 10);
                version = colon + 1;
        }
        (void)cut_last(version, '-', &release);
        if (parts->epoch && strtoul(parts->epoch, NULL, 10) != epoch)
                return false;
        return version_fits(pool, parts->version, version) && version_fits(pool, parts->release, release);
}

// `name` is 0 where the name is a glob.
static bool parts_fit(Pool *pool, const struct spec_parts *parts, Id name, const Solvable *solvable) {
        if (name && solvable->name != name)
                return false;
        if (!name && !part_fits(parts->name, pool_id2str(pool, solvable->name)))
                return false;
        if (!part_fits(parts->arch, pool_id2str(pool, solvable->arch)))
                return false;
        return !parts->version || evr_fits(pool, parts, pool_id2str(pool, solvable->evr));
}

// Whether a spec may name this package.
static bool can_be_named(const struct packages *packages, Id id, bool installable) {
        Pool *pool = packages->pool;
        Solvable *solvable = pool_id2solvable(pool, id);
        return pool_source(solvable) && (!installable || pool_installable(pool, solvable));
}

static void find_parts(const struct packages *packages, const struct spec_parts *parts, bool installable, Queue *ret) {
        Pool *pool = packages->pool;
        Id name = 0;
        if (!package_spec_is_glob(parts->name)) {
                name = pool_str2id(pool, parts->name, 0);
                if (!name)
                        return; // no package has that name
        }
        for (Id id = 2; id < pool->nsolvables; id++) {
                if (can_be_named(packages, id, installable) && parts_fit(pool, parts, name, pool_id2solvable(pool, id)))
                        queue_push(ret, id);
        }
}

static void find_kind(const struct packages *packages, const char *spec, enum spec_kind kind, bool installable,
                      Queue *ret) {
        struct spec_parts parts = { .name = xstrdup(spec) };
        if (split_parts(&parts, kind))
                find_parts(packages, &parts, installable, ret);
        spec_parts_release(&parts);
}

// "kernel-3*64": a glob that spans parts.
static void find_glob(const struct packages *packages, const char *glob, bool installable, Queue *ret) {
        Pool *pool = packages->pool;
        for (Id id = 2; id < pool->nsolvables; id++)
                if (can_be_named(packages, id, installable) && fnmatch(glob, pool_solvid2str(pool, id), 0) == 0)
                        queue_push(ret, id);
}

enum spec_kind package_spec_find(const struct packages *packages, const char *spec, bool installable, Queue *ret) {
        static const enum spec_kind in_turn[] = { SPEC_NEVRA, SPEC_NAME_ARCH, SPEC_NAME, SPEC_NEVR, SPEC_NEV };
        queue_empty(ret);
        for (size_t i = 0; i < lengthof(in_turn); i++) {
                find_kind(packages, spec, in_turn[i], installable, ret);
                if (ret->count > 0)
                        return in_turn[i];
        }
        if (package_spec_is_glob(spec))
                find_glob(packages, spec, installable, ret);
        if (ret->count > 0)
                return SPEC_GLOB;
        return SPEC_NONE;
}

void package_spec_keep_installable(Pool *pool, Queue *candidates) {
        int kept = 0;
        for (int i = 0; i < candidates->count; i++) {
                Id id = candidates->elements[i];
                if (id != SYSTEMSOLVABLE && pool_installable(pool, pool_id2solvable(pool, id)))
                        candidates->elements[kept++] = id;
        }
        queue_truncate(candidates, kept);
}

// The text as a whole comes first: "font(:lang=de)" looks like a relation and is none.
void package_spec_find_providers(Pool *pool, const char *text, Queue *ret) {
        Id whole = pool_str2id(pool, text, 0);
        Id provider;
        Id offset;
        FOR_PROVIDES(provider, offset, whole)
        queue_push(ret, provider);
        if (ret->count > 0)
                return;
        Queue selection;
        queue_init(&selection);
        if (selection_make(pool, &selection, text, SELECTION_PROVIDES | SELECTION_GLOB | SELECTION_REL))
                selection_solvables(pool, &selection, ret);
        queue_free(&selection);
}

enum spec_kind package_spec_match(const struct packages *packages, const char *text, bool installable, Queue *ret) {
        enum spec_kind kind = package_spec_find(packages, text, installable, ret);
        if (kind != SPEC_NONE)
                return kind;
        package_spec_find_providers(packages->pool, text, ret);
        if (installable)
                package_spec_keep_installable(packages->pool, ret);
        return SPEC_NONE;
}
