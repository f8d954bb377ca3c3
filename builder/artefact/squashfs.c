// SPDX-License-Identifier: MIT
// The package root as squashfs, and the two small files that make an initrd of it (root_archive.h). The cache keeps
// images under their root keys (cached_artefact.h), so an unchanged root is never packed or read again. An entry has
//     rootfs.squashfs     the image
//     rootfs.chunks       where it is cut, and the digests of the pieces (shared/chunk_index.h)
//     files.jsonl         what is in it (file_list.h)
//     blocks              where its blocks lie, for the next image (packed_blocks.h)
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "artefact/cached_artefact.h"
#include "artefact/image/image.h"
#include "artefact/image/image_chunks.h"
#include "artefact/initrd/root_archive.h"
#include "artefact/internal.h"
#include "artefact/packed_blocks.h"
#include "base/fs.h"
#include "base/mem.h"
#include "shared/chunk_index.h"

#define FILES_NAME "files.jsonl"

// One image at a time: it keeps all cores busy by itself, and two would only need twice the memory.
static pthread_mutex_t packing_lock = PTHREAD_MUTEX_INITIALIZER;

static struct image_options options_of(const struct artefact_build *build) {
        const struct release *release = &build->cluster->release;
        return (struct image_options){
                .compressor = release->squashfs_compressor,
                .level = release->squashfs_level,
                .block_bytes = release->squashfs_block_bytes,
                .source_date_epoch = build->source_date_epoch,
                .jobs = build->jobs,
                .blocks = build->blocks,
        };
}

static bool squashfs_check(const struct artefact_build *build, struct err *err) {
        struct image_options options = options_of(build);
        return image_check(&options, err) || wrap(err, "release %s", build->cluster->release.name);
}

static char *root_file(const struct artefact_build *build, const struct artefact_role *role, const char *name) {
        auto_free char *entry = cache_entry(build->cache, CACHE_SQUASHFS, role->root_key);
        return xasprintf("%s/%s", entry, name);
}

bool squashfs_is_cached(const struct artefact_build *build, const struct artefact_role *role) {
        auto_free char *path = root_file(build, role, ROOT_IMAGE_NAME);
        return fs_exists(AT_FDCWD, path);
}

struct packing {
        const struct artefact_build *build;
        const struct artefact_role *role;
};

// Of what was just written, and is in memory. Other threads may pack another root meanwhile.
static bool write_chunks(int dir, int image, struct err *err) {
        auto_buf index = { 0 };
        return image_chunks(image, &index, err) &&
               fs_write_atomic(dir, CHUNK_INDEX_NAME, buf_text(&index), index.size, 0444, err);
}

static bool pack_root(int dir, void *context, struct err *err) {
        const struct packing *packing = context;
        struct progress progress;
        auto_free char *step = xasprintf("pack %s", packing->role->role->name);
        struct image_options options = options_of(packing->build);
        auto_buf files = { 0 };
        auto_close int fd = -1;
        if (!fs_open(dir, ROOT_IMAGE_NAME, O_RDWR | O_CREAT | O_EXCL, 0444, &fd, err))
                return false;
        progress_begin(&progress, step, "bytes", 0);
        options.progress = &progress;
        pthread_mutex_lock(&packing_lock);
        bool ok =
            image_write(&options, packing->role->root, fd, &files, err) && packed_blocks_keep(packing->build, dir, err);
        pthread_mutex_unlock(&packing_lock);
        ok = ok && write_chunks(dir, fd, err);
        progress_end(&progress, ok);
        return ok && fs_write_atomic(dir, FILES_NAME, buf_text(&files), files.size, 0644, err);
}

bool artefacts_have_root(struct cache *cache, const char *root_key) {
        return cached_file_is_whole(cache, CACHE_SQUASHFS, root_key);
}

// `name` is that of the image or of its index.
static bool publish_packed(struct artefact_build *build, struct artefact_role *role, const char *name,
                           struct cached_file *ret, struct err *err) {
        struct packing packing = { build, role };
        const struct cached_artefact packed = {
                .kind = CACHE_SQUASHFS,
                .key = role->root_key,
                .name = name,
                .make = pack_root,
                .context = &packing,
        };
        return cached_artefact_publish(build, role, &packed, ret, err);
}

static bool squashfs_write(struct artefact_build *build, struct artefact_role *role, struct err *err) {
        struct cached_file image, chunks;
        if (!publish_packed(build, role, ROOT_IMAGE_NAME, &image, err) ||
            !publish_packed(build, role, CHUNK_INDEX_NAME, &chunks, err))
                return false;
        memcpy(role->root_sha256, image.sha256, sizeof role->root_sha256);
        role->root_size_bytes = image.size_bytes;
        memcpy(role->chunks_sha256, chunks.sha256, sizeof role->chunks_sha256);
        role->chunks_size_bytes = chunks.size_bytes;
        if (!root_archive_holds(
                role->root_size_bytes)) // for HTTP and media; the kinds that need an initrd of it say so
                return true;
        return root_archive_write(role->out, role->root_size_bytes, err) || wrap(err, "role %s", role->role->name);
}

bool squashfs_read_files(const struct artefact_build *build, const struct artefact_role *role, struct buf *ret,
                         struct err *err) {
        auto_free char *path = root_file(build, role, FILES_NAME);
        return fs_read(AT_FDCWD, path, ret, err);
}

const struct artefact_kind squashfs_kind = {
        .name = "squashfs",
        .description = "the package root as squashfs, the index of its chunks, and what makes an initrd of it",
        .per_role = true,
        .check = squashfs_check,
        .write = squashfs_write,
};
