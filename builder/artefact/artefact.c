// SPDX-License-Identifier: MIT
#include "artefact/artefact.h"

#include <assert.h>
#include <string.h>

#include "artefact/file_sums.h"
#include "artefact/image/block_cache.h"
#include "artefact/internal.h"
#include "artefact/packed_blocks.h"
#include "base/buf.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/progress.h"

// The order matters: config names the root's digest, iso and pxe take up what came before them, and manifest and sums
// list all that is published by then. Signatures come last.
const struct artefact_kind *const artefact_kinds[] = {
        &kernel_kind,     // ROLE/vmlinuz
        &squashfs_kind,   // ROLE/rootfs.squashfs, with rootfs.chunks, rootfs.head and rootfs.tail
        &initrd_kind,     // ROLE/initrd.img
        &config_kind,     // ROLE/config.cpio, ROLE/boot.sums
        &uki_kind,        // ROLE/kiln.efi
        &iso_kind,        // ROLE/CLUSTER-ROLE.iso
        &pxe_kind,        // pxe/
        &kickstart_kind,  // kickstart/
        &lock_kind,       // packages.lock
        &manifest_kind,   // manifest.json
        &sbom_kind,       // sbom.spdx.json, sbom.cdx.json
        &sums_kind,       // SHA256SUMS
        &signatures_kind, // *.sig
};
const size_t artefact_kind_count = lengthof(artefact_kinds);

static bool is_asked_for(const struct cluster *cluster, const struct artefact_kind *kind,
                         const struct strings *wanted) {
        if (!wanted || wanted->count == 0)
                return !kind->by_name || !kind->by_name(cluster);
        for (size_t i = 0; i < wanted->count; i++)
                if (strcmp(wanted->items[i], kind->name) == 0)
                        return true;
        return false;
}

static bool names_kind(const char *const *names, const char *name) {
        for (; names && *names; names++)
                if (strcmp(*names, name) == 0)
                        return true;
        return false;
}

// A kind is written if it is named, or if a later kind that is written needs it.
static bool is_wanted(const struct cluster *cluster, const struct artefact_kind *kind, const struct strings *wanted) {
        if (is_asked_for(cluster, kind, wanted))
                return true;
        for (size_t i = 0; i < artefact_kind_count; i++)
                if (names_kind(artefact_kinds[i]->needs, kind->name) && is_wanted(cluster, artefact_kinds[i], wanted))
                        return true;
        return false;
}

bool artefacts_want(const struct cluster *cluster, const struct artefact_kind *kind, const struct strings *wanted) {
        return is_wanted(cluster, kind, wanted);
}

bool artefacts_boot(const struct cluster *cluster, const struct strings *wanted) {
        return is_wanted(cluster, &kernel_kind, wanted) || is_wanted(cluster, &initrd_kind, wanted);
}

const char *artefacts_uki_stub(const struct cluster *cluster, const struct strings *wanted, const char *stub) {
        if (!is_wanted(cluster, &uki_kind, wanted))
                return NULL;
        return text_or(stub, UKI_STUB);
}

bool artefacts_configure(const struct cluster *cluster, const struct strings *wanted) {
        return is_wanted(cluster, &config_kind, wanted) || is_wanted(cluster, &manifest_kind, wanted);
}

static bool is_kind(const char *name) {
        for (size_t i = 0; i < artefact_kind_count; i++)
                if (strcmp(artefact_kinds[i]->name, name) == 0)
                        return true;
        return false;
}

static bool refuse_kind(const char *name, struct err *err) {
        auto_buf names = { 0 };
        for (size_t i = 0; i < artefact_kind_count; i++) {
                if (i > 0)
                        buf_append_text(&names, ", ");
                buf_append_text(&names, artefact_kinds[i]->name);
        }
        fail(err, ERR_USAGE, 0, "--only %s: there is no such kind of artefact", name);
        return hint(err, "there are %s", buf_text(&names));
}

static bool check_kinds(const struct strings *wanted, struct err *err) {
        if (!wanted)
                return true;
        for (size_t i = 0; i < wanted->count; i++)
                if (!is_kind(wanted->items[i]))
                        return refuse_kind(wanted->items[i], err);
        return true;
}

bool artefacts_check(const struct artefact_build *build, const struct strings *wanted, struct err *err) {
        if (!check_kinds(wanted, err))
                return false;
        for (size_t i = 0; i < artefact_kind_count; i++) {
                const struct artefact_kind *kind = artefact_kinds[i];
                if (is_wanted(build->cluster, kind, wanted) && kind->check && !kind->check(build, err))
                        return wrap(err, "artefact %s", kind->name);
        }
        return true;
}

// `role` is NULL for a kind that is written once for the whole build.
static bool write_kind(struct artefact_build *build, const struct artefact_kind *kind, struct artefact_role *role,
                       struct err *err) {
        struct progress progress;
        const char *name = build->cluster->name;
        if (role)
                name = role->role->name;
        auto_free char *step = xasprintf("%s %s", kind->name, name);
        if (!interrupt_check(err))
                return false;
        progress_begin(&progress, step, "bytes", 0);
        bool ok = kind->write(build, role, err);
        progress_end(&progress, ok);
        if (!ok && err->kind == ERR_DISK_FULL)
                (void)hint(err, "make room on the disks of the cache, %s, and of the output directory",
                           cache_path(build->cache));
        return ok || wrap(err, "artefact %s of %s", kind->name, name);
}

// Kinds in a row that are written for each role, and none of which builds on another of them.
struct stage {
        struct artefact_build *build;
        const struct strings *wanted;
        size_t first, end;
};

static bool builds_on_one_of(const struct artefact_kind *kind, size_t first, size_t end) {
        for (size_t i = first; i < end; i++)
                if (names_kind(kind->needs, artefact_kinds[i]->name) ||
                    names_kind(kind->after, artefact_kinds[i]->name))
                        return true;
        return false;
}

static size_t stage_end(size_t first) {
        size_t end = first;
        while (end < artefact_kind_count && artefact_kinds[end]->per_role &&
               !builds_on_one_of(artefact_kinds[end], first, end))
                end++;
        return end;
}

// One kind of one role. The items are numbered so that the kinds of a role follow each other.
static bool write_stage_item(size_t index, void *context, struct err *err) {
        const struct stage *stage = context;
        size_t kinds = stage->end - stage->first;
        const struct artefact_kind *kind = artefact_kinds[stage->first + index % kinds];
        if (!is_wanted(stage->build->cluster, kind, stage->wanted))
                return true;
        return write_kind(stage->build, kind, &stage->build->roles[index / kinds], err);
}

// One thread more than there are cores: packing has threads of its own and is done for one role at a time, so a thread
// that waits for its turn must not keep the initrd, which one core makes for long, from being made meanwhile.
static bool write_stage(const struct stage *stage, struct err *err) {
        unsigned threads = 1;
        if (stage->build->jobs > 1)
                threads = stage->build->jobs + 1;
        size_t items = (stage->end - stage->first) * stage->build->role_count;
        return parallel_for(items, threads, write_stage_item, (void *)stage, err);
}

static bool write_wanted(struct artefact_build *build, const struct strings *wanted, struct err *err) {
        size_t next = 0;
        while (next < artefact_kind_count) {
                const struct artefact_kind *kind = artefact_kinds[next];
                if (kind->per_role) {
                        const struct stage stage = { build, wanted, next, stage_end(next) };
                        if (!write_stage(&stage, err))
                                return false;
                        next = stage.end;
                } else {
                        if (is_wanted(build->cluster, kind, wanted) && !write_kind(build, kind, NULL, err))
                                return false;
                        next++;
                }
        }
        return true;
}

static bool packs_any(const struct artefact_build *build) {
        for (size_t i = 0; i < build->role_count; i++)
                if (!squashfs_is_cached(build, &build->roles[i]))
                        return true;
        return false;
}

bool artefacts_write(struct artefact_build *build, const struct strings *wanted, struct err *err) {
        if (!check_kinds(wanted, err))
                return false;
        assert(!build->sums && !build->blocks); // they are this function's own
        build->sums = file_sums_new();
        if (packs_any(build))
                build->blocks = packed_blocks_open(build);
        bool lacks_sums = build->ret_sums && !is_wanted(build->cluster, &sums_kind, wanted);
        bool ok = write_wanted(build, wanted, err) && (!lacks_sums || sums_format(build, build->ret_sums, err));
        if (ok)
                file_sums_settle(build->sums, build->cache);
        block_cache_free(take_ptr(build->blocks));
        file_sums_free(take_ptr(build->sums));
        return ok;
}
