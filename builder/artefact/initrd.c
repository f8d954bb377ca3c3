// SPDX-License-Identifier: MIT
// The initrd: everything that firmware/initramfs/parts lists, in its order. The cache has two kinds of entries for it:
//
//     <archive's digest>.<compressor>/initrd.img    cached_file.h; roles with the same kernel have the same archive
//     <inputs' digest>                              names the former, so that a known initrd is not put together again
//
// The archive's digest covers kiln's own code, too (maker.h), because that decides how the archive is compressed.
#include <fcntl.h>
#include <string.h>

#include "artefact/cached_artefact.h"
#include "artefact/initrd/initrd_list.h"
#include "artefact/initrd/initrd_part.h"
#include "artefact/initrd/static_program.h"
#include "artefact/internal.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cache/entry.h"

#define INITRD_NAME "initrd.img"

enum { SHA256_DIGITS = 64, INITRD_KEY_SIZE = 80, NAME_FILE_MAX_BYTES = 256 << 10 };

static const char *busybox_of(const struct artefact_build *build) {
        if (build->busybox)
                return build->busybox;
        return "/bin/busybox";
}

static bool initrd_check(const struct artefact_build *build, struct err *err) {
        return initrd_part_check(build->cluster->release.initrd_compressor, err) &&
               static_program_check(busybox_of(build), err);
}

struct initrd_making {
        const struct artefact_build *build;
        const struct artefact_role *role;
        struct buf archive; // empty: not put together yet
        struct buf trust;   // TRUST_PATH's text; empty: the initrd asks for no signature
};

void trust_format(const struct cluster *cluster, struct buf *ret) {
        if (cluster->trusted_key_count == 0)
                return;
        buf_printf(ret, "cluster %s\nminimum_serial %llu\n", cluster->name,
                   (unsigned long long)cluster->minimum_serial);
        for (size_t i = 0; i < cluster->trusted_key_count; i++) {
                buf_append_text(ret, "key ");
                ssh_key_format(&cluster->trusted_keys[i], ret);
                buf_append_char(ret, '\n');
        }
}

static bool make_initrd_archive(struct initrd_making *making, struct err *err) {
        if (making->archive.size)
                return true;
        const struct artefact_build *build = making->build;
        const struct initrd_sources sources = {
                .directory = build->initramfs_dir,
                .busybox = busybox_of(build),
                .node_helper = build->kiln_node,
                .root = making->role->root,
                .kernel_version = making->role->kernel_version,
                .modules = &build->cluster->release.initrd_modules,
                .mtime = build->source_date_epoch,
                .trust = &making->trust,
        };
        return initrd_list_read(&sources, &making->archive, err);
}

static bool make_initrd_image(int dir, void *context, struct err *err) {
        struct initrd_making *making = context;
        const char *compressor = making->build->cluster->release.initrd_compressor;
        return make_initrd_archive(making, err) &&
               initrd_part_write(compressor, &making->archive, INITRD_PART_ALIGN_BYTES, dir, INITRD_NAME, err);
}

static bool add_source_digest(const struct fs_entry *entry, void *context, struct err *err) {
        char sha256[DIGEST_HEX_SIZE];
        if (!S_ISREG(entry->stat->st_mode))
                return true;
        if (!digest_file("sha256", entry->parent, entry->name, sha256, err))
                return false;
        buf_printf(context, "source %s %s\n", entry->path, sha256);
        return true;
}

// Everything that decides the archive. The kernel's modules come from the root, so the root's key stands for them.
static bool digest_inputs(const struct initrd_making *making, struct buf *ret_inputs,
                          char ret_hex[static DIGEST_HEX_SIZE], struct err *err) {
        const struct artefact_build *build = making->build;
        const struct strings *modules = &build->cluster->release.initrd_modules;
        const struct {
                const char *word, *path;
        } programs[] = { { "busybox", busybox_of(build) }, { "kiln-node", build->kiln_node } };
        auto_close int sources = -1;
        buf_printf(ret_inputs, "maker %s\nroot %s\nkernel %s\ncompressor %s\ntime %lld\n", build->maker,
                   making->role->root_key, making->role->kernel_version, build->cluster->release.initrd_compressor,
                   (long long)build->source_date_epoch);
        for (size_t i = 0; i < modules->count; i++)
                buf_printf(ret_inputs, "module %s\n", modules->items[i]);
        for (size_t i = 0; i < lengthof(programs); i++) {
                if (!digest_file("sha256", AT_FDCWD, programs[i].path, ret_hex, err))
                        return false;
                buf_printf(ret_inputs, "%s %s\n", programs[i].word, ret_hex);
        }
        if (!fs_open_dir(AT_FDCWD, build->initramfs_dir, &sources, err) ||
            !fs_walk(sources, add_source_digest, ret_inputs, err))
                return false;
        buf_append(ret_inputs, buf_text(&making->trust), making->trust.size); // lines with a word, too
        digest_bytes("sha256", ret_inputs->data, ret_inputs->size, ret_hex);
        return true;
}

static void name_archive(const struct initrd_making *making, char ret[static INITRD_KEY_SIZE]) {
        char sha256[DIGEST_HEX_SIZE];
        struct digest *digest = digest_new("sha256");
        digest_update(digest, making->build->maker, strlen(making->build->maker));
        digest_update(digest, making->archive.data, making->archive.size);
        digest_final(digest, sha256);
        snprintf(ret, INITRD_KEY_SIZE, "%.64s.%.8s", sha256, making->build->cluster->release.initrd_compressor);
}

// A file with anything else in it is taken for one that is not there: the initrd is put together again.
static bool is_archive_name(const char *text) {
        bool begins_with_digest = strspn(text, "0123456789abcdef") == SHA256_DIGITS;
        return begins_with_digest && !strchr(text, '/');
}

static bool read_archive_name(struct cache *cache, const char *inputs, char ret[static INITRD_KEY_SIZE]) {
        auto_buf text = { .max = NAME_FILE_MAX_BYTES };
        auto_err absent = { 0 };
        bool is_found = false;
        if (!entry_read_file(cache, CACHE_INITRD, inputs, &text, &is_found, &absent) || !is_found ||
            text.size >= INITRD_KEY_SIZE || !is_archive_name(buf_text(&text)))
                return false;
        memcpy(ret, buf_text(&text), text.size + 1);
        return true;
}

static bool find_or_make_initrd(struct initrd_making *making, struct artefact_role *role, struct err *err) {
        struct cache *cache = making->build->cache;
        auto_buf text = { 0 };
        char inputs[DIGEST_HEX_SIZE], key[INITRD_KEY_SIZE];
        if (!digest_inputs(making, &text, inputs, err))
                return false;
        bool known = read_archive_name(cache, inputs, key);
        if (!known && !make_initrd_archive(making, err))
                return false;
        if (!known)
                name_archive(making, key);
        const struct cached_artefact initrd = {
                .kind = CACHE_INITRD,
                .key = key,
                .name = INITRD_NAME,
                .make = make_initrd_image,
                .context = making,
        };
        struct cached_file cached;
        if (!cached_artefact_publish(making->build, role, &initrd, &cached, err))
                return false;
        memcpy(role->initrd_sha256, cached.sha256, sizeof role->initrd_sha256);
        return known || entry_write_file(cache, CACHE_INITRD, inputs, key, strlen(key), err);
}

static bool initrd_write(struct artefact_build *build, struct artefact_role *role, struct err *err) {
        struct initrd_making making = { .build = build, .role = role };
        trust_format(build->cluster, &making.trust);
        bool ok = find_or_make_initrd(&making, role, err);
        buf_release(&making.trust);
        buf_release(&making.archive);
        return ok;
}

// The archive is put together if that is what it takes, as it would be to write the initrd.
static bool look_for_initrd(struct initrd_making *making, struct buf *ret_inputs, bool *ret_cached, struct err *err) {
        struct cache *cache = making->build->cache;
        char inputs[DIGEST_HEX_SIZE], key[INITRD_KEY_SIZE];
        if (!digest_inputs(making, ret_inputs, inputs, err))
                return false;
        if (!ret_cached)
                return true;
        bool known = read_archive_name(cache, inputs, key);
        bool has_root = making->role->root >= 0;
        *ret_cached = false;
        if (!known && !has_root)
                return true;
        if (!known && !make_initrd_archive(making, err))
                return false;
        if (!known)
                name_archive(making, key);
        *ret_cached = cached_file_is_whole(cache, CACHE_INITRD, key);
        return true;
}

static bool initrd_look(const struct artefact_build *build, const struct artefact_role *role, struct buf *ret_inputs,
                        bool *ret_cached, struct err *err) {
        struct initrd_making making = { .build = build, .role = role };
        trust_format(build->cluster, &making.trust);
        bool ok = look_for_initrd(&making, ret_inputs, ret_cached, err);
        buf_release(&making.trust);
        buf_release(&making.archive);
        return ok;
}

const struct artefact_kind initrd_kind = {
        .name = "initrd",
        .description = "busybox, kiln-node, init and the kernel modules that find the root",
        .per_role = true,
        .check = initrd_check,
        .write = initrd_write,
        .look = initrd_look,
};
