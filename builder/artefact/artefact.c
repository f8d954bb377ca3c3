// SPDX-License-Identifier: MIT
#include "artefact/artefact.h"

#include <string.h>

#include "artefact/file_sums.h"
#include "artefact/image/block_cache.h"
#include "artefact/internal.h"
#include "base/buf.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/progress.h"

// The order matters: config names the root's digest, iso and pxe take up what came before, and the last three list it
// all.
const struct artefact_kind *const artefact_kinds[] = {
        &kernel_kind,    &squashfs_kind, &initrd_kind,   &config_kind, &iso_kind,  &pxe_kind,
        &kickstart_kind, &lock_kind,     &manifest_kind, &sbom_kind,   &sums_kind,
};
const size_t artefact_kind_count = lengthof(artefact_kinds);

static bool is_named(const char *name, const struct strings *wanted) {
        for (size_t i = 0; wanted && i < wanted->count; i++)
                if (strcmp(wanted->items[i], name) == 0)
                        return true;
        return !wanted || wanted->count == 0;
}

static bool needs(const struct artefact_kind *kind, const char *name) {
        for (const char *const *next = kind->needs; next && *next; next++)
                if (strcmp(*next, name) == 0)
                        return true;
        return false;
}

// A kind is written if it is named, or if a later kind that is written needs it.
static bool is_wanted(const struct artefact_kind *kind, const struct strings *wanted) {
        if (is_named(kind->name, wanted))
                return true;
        for (size_t i = 0; i < artefact_kind_count; i++)
                if (needs(artefact_kinds[i], kind->name) && is_wanted(artefact_kinds[i], wanted))
                        return true;
        return false;
}

bool artefacts_boot(const struct strings *wanted) {
        return is_wanted(&kernel_kind, wanted) || is_wanted(&initrd_kind, wanted);
}

static bool check_names(const struct strings *wanted, struct err *err) {
        for (size_t i = 0; wanted && i < wanted->count; i++) {
                bool known = false;
                auto_buf names = { 0 };
                for (size_t j = 0; j < artefact_kind_count; j++) {
                        known = known || strcmp(artefact_kinds[j]->name, wanted->items[i]) == 0;
                        buf_printf(&names, "%s%s", j ? ", " : "", artefact_kinds[j]->name);
                }
                if (known)
                        continue;
                fail(err, ERR_USAGE, 0, "--only %s: there is no such kind of artefact", wanted->items[i]);
                return hint(err, "there are %s", buf_text(&names));
        }
        return true;
}

bool artefacts_check(const struct artefact_build *build, const struct strings *wanted, struct err *err) {
        if (!check_names(wanted, err))
                return false;
        for (size_t i = 0; i < artefact_kind_count; i++) {
                const struct artefact_kind *kind = artefact_kinds[i];
                if (is_wanted(kind, wanted) && kind->check && !kind->check(build, err))
                        return wrap(err, "artefact %s", kind->name);
        }
        return true;
}

static bool write_one(struct artefact_build *build, const struct artefact_kind *kind, struct artefact_role *role,
                      struct err *err) {
        struct progress progress;
        const char *name = role ? role->role->name : build->cluster->name;
        auto_free char *step = xasprintf("%s %s", kind->name, name);
        if (!interrupt_check(err))
                return false;
        progress_begin(&progress, step, "bytes", 0);
        bool ok = kind->write(build, role, err);
        progress_end(&progress);
        if (!ok && err->kind == ERR_DISK_FULL)
                (void)hint(err, "make room on the disks of the cache, %s, and of the output directory", build->cache);
        return ok || wrap(err, "artefact %s of %s", kind->name, name);
}

// Kinds in a row that are written for each role, and none of which builds on another of them.
struct stage {
        struct artefact_build *build;
        const struct strings *wanted;
        size_t first, end;
};

static size_t stage_end(size_t first) {
        size_t end = first;
        for (bool apart = true; apart && end < artefact_kind_count && artefact_kinds[end]->per_role; end += apart)
                for (size_t i = first; i < end; i++)
                        apart = apart && !needs(artefact_kinds[end], artefact_kinds[i]->name);
        return end;
}

// One kind of one role; a role's kinds follow each other.
static bool write_item(size_t index, void *context, struct err *err) {
        const struct stage *stage = context;
        size_t kinds = stage->end - stage->first;
        const struct artefact_kind *kind = artefact_kinds[stage->first + index % kinds];
        return !is_wanted(kind, stage->wanted) ||
               write_one(stage->build, kind, &stage->build->roles[index / kinds], err);
}

// One thread more than there are cores: packing has threads of its own and is done for one role at a time, so a thread
// that waits for its turn must not keep the initrd, which one core makes for long, from being made meanwhile.
static bool write_stage(const struct stage *stage, struct err *err) {
        unsigned jobs = stage->build->jobs;
        return parallel_for((stage->end - stage->first) * stage->build->role_count, jobs > 1 ? jobs + 1 : 1, write_item,
                            (void *)stage, err);
}

static bool write_all(struct artefact_build *build, const struct strings *wanted, struct err *err) {
        for (size_t i = 0; i < artefact_kind_count;) {
                const struct artefact_kind *kind = artefact_kinds[i];
                const struct stage stage = { build, wanted, i, stage_end(i) };
                if (kind->per_role ? !write_stage(&stage, err)
                                   : is_wanted(kind, wanted) && !write_one(build, kind, NULL, err))
                        return false;
                i = kind->per_role ? stage.end : i + 1;
        }
        return true;
}

// Blocks are kept for the roots that come after: a root that is packed alone would only be written twice.
static bool packs_several(const struct artefact_build *build) {
        size_t count = 0;
        for (size_t i = 0; i < build->role_count; i++)
                count += !squashfs_is_kept(build, &build->roles[i]);
        return count > 1;
}

bool artefacts_write(struct artefact_build *build, const struct strings *wanted, struct err *err) {
        if (!check_names(wanted, err))
                return false;
        build->sums = file_sums_new();
        build->blocks = packs_several(build) ? block_cache_new(build->cache) : NULL;
        bool ok = write_all(build, wanted, err);
        block_cache_free(take_ptr(build->blocks));
        file_sums_free(take_ptr(build->sums));
        return ok;
}
