// SPDX-License-Identifier: MIT
// The ways to name packages, as dnf reads them (libdnf's "subjects").
#include <fnmatch.h>
#include <solv/poolarch.h>
#include <solv/repo.h>
#include <solv/solver.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "packages/solve/package_spec.h"
#include "packages/solve/pool.h"

// libsolv's headers need pool.h first
#include <solv/evr.h>

// What a text says in one of the forms; parts that it does not have are NULL.
struct parts {
        char *name, *epoch, *version, *release, *arch;
};

static void parts_release(struct parts *parts) {
        free(parts->name);
        *parts = (struct parts){ 0 };
}

// Cuts `text` at its last `separator`: what follows is returned, unless a part is empty.
static char *cut_last(char *text, char separator) {
        char *at = strrchr(text, separator);
        if (!at || at == text || !at[1])
                return NULL;
        *at = '\0';
        return at + 1;
}

static bool split_epoch(struct parts *parts) {
        char *colon = parts->version ? strchr(parts->version, ':') : NULL;
        if (!colon)
                return true;
        *colon = '\0';
        parts->epoch = parts->version;
        parts->version = colon + 1;
        return *parts->epoch && strspn(parts->epoch, "0123456789") == strlen(parts->epoch) && *parts->version;
}

static bool split(const char *text, enum form form, struct parts *ret) {
        struct parts parts = { .name = xstrdup(text) };
        bool arch = form == FORM_NEVRA || form == FORM_NAME_ARCH;
        bool release = form == FORM_NEVRA || form == FORM_NEVR;
        bool version = release || form == FORM_NEV;
        bool ok = (!arch || (parts.arch = cut_last(parts.name, '.'))) && (!arch || !strchr(parts.arch, '-')) &&
                  (!release || (parts.release = cut_last(parts.name, '-'))) &&
                  (!version || (parts.version = cut_last(parts.name, '-'))) && split_epoch(&parts) &&
                  !strpbrk(parts.name, ":(/=<> ");
        *ret = parts;
        if (!ok)
                parts_release(ret);
        return ok;
}

bool text_is_glob(const char *text) { return strpbrk(text, "*?[") != NULL; }

static bool part_fits(const char *pattern, const char *text) { return !pattern || fnmatch(pattern, text, 0) == 0; }

// 1.0 and 1.00 are one version.
static bool version_fits(Pool *pool, const char *pattern, const char *text) {
        if (!pattern || text_is_glob(pattern))
                return part_fits(pattern, text);
        return pool_evrcmp_str(pool, text, pattern, EVRCMP_COMPARE) == 0;
}

static bool evr_fits(Pool *pool, const struct parts *parts, const char *evr) {
        auto_free char *version = xstrdup(evr);
        char *colon = strchr(version, ':');
        char *bare = colon ? colon + 1 : version;
        char *release = cut_last(bare, '-');
        unsigned long epoch = colon ? strtoul(version, NULL, 10) : 0;
        return (!parts->epoch || strtoul(parts->epoch, NULL, 10) == epoch) &&
               version_fits(pool, parts->version, bare) && version_fits(pool, parts->release, release ? release : "");
}

static bool parts_fit(Pool *pool, const struct parts *parts, Id name, const Solvable *solvable) {
        if (name ? solvable->name != name : !part_fits(parts->name, pool_id2str(pool, solvable->name)))
                return false;
        return part_fits(parts->arch, pool_id2str(pool, solvable->arch)) &&
               (!parts->version || evr_fits(pool, parts, pool_id2str(pool, solvable->evr)));
}

// What is there to be named.
static bool is_there(const struct packages *packages, Id id, bool installable) {
        Pool *pool = packages->pool;
        Solvable *solvable = pool_id2solvable(pool, id);
        return pool_source(solvable) && (!installable || pool_installable(pool, solvable));
}

static bool find_in_form(const struct packages *packages, const char *text, enum form form, bool installable,
                         Queue *ret) {
        Pool *pool = packages->pool;
        struct parts parts;
        if (!split(text, form, &parts))
                return false;
        Id name = text_is_glob(parts.name) ? 0 : pool_str2id(pool, parts.name, 0);
        bool unknown = !name && !text_is_glob(parts.name);
        for (Id id = 2; !unknown && id < pool->nsolvables; id++)
                if (is_there(packages, id, installable) && parts_fit(pool, &parts, name, pool_id2solvable(pool, id)))
                        queue_push(ret, id);
        parts_release(&parts);
        return ret->count > 0;
}

// "kernel-3*64": a glob that spans parts.
static bool find_whole(const struct packages *packages, const char *text, bool installable, Queue *ret) {
        Pool *pool = packages->pool;
        for (Id id = 2; text_is_glob(text) && id < pool->nsolvables; id++)
                if (is_there(packages, id, installable) && fnmatch(text, pool_solvid2str(pool, id), 0) == 0)
                        queue_push(ret, id);
        return ret->count > 0;
}

enum form forms_find(const struct packages *packages, const char *text, bool installable, Queue *ret) {
        static const enum form in_turn[] = { FORM_NEVRA, FORM_NAME_ARCH, FORM_NAME, FORM_NEVR, FORM_NEV };
        queue_empty(ret);
        for (size_t i = 0; i < lengthof(in_turn); i++)
                if (find_in_form(packages, text, in_turn[i], installable, ret))
                        return in_turn[i];
        return find_whole(packages, text, installable, ret) ? FORM_WHOLE : FORM_NONE;
}
