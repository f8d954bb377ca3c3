// SPDX-License-Identifier: MIT
#include "artefact/initrd/initrd_archive.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"

enum { PARENT_MODE = 0755 };

void initrd_archive_begin(struct initrd_archive *archive, int64_t mtime, struct buf *output) {
        *archive = (struct initrd_archive){ .cpio = cpio_new(mtime, output) };
}

void initrd_archive_release(struct initrd_archive *archive) {
        cpio_free(archive->cpio);
        free(archive->paths);
        arena_release(&archive->arena);
}

bool initrd_archive_has(const struct initrd_archive *archive, const char *path) {
        for (size_t i = 0; i < archive->path_count; i++)
                if (strcmp(archive->paths[i], path) == 0)
                        return true;
        return false;
}

static bool add_to_archive(struct initrd_archive *archive, const struct cpio_entry *entry, struct err *err) {
        *array_append(&archive->paths, &archive->path_count) = arena_strdup(&archive->arena, entry->path);
        return cpio_add(archive->cpio, entry, err);
}

static bool add_missing_directory(struct initrd_archive *archive, const char *path, mode_t mode, struct err *err) {
        if (initrd_archive_has(archive, path))
                return true;
        return add_to_archive(archive, &(struct cpio_entry){ .path = path, .mode = S_IFDIR | mode }, err);
}

static bool add_parents(struct initrd_archive *archive, const char *path, struct err *err) {
        assert(path[0] == '/');
        for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                auto_free char *parent = xstrndup(path, (size_t)(slash - path));
                if (!add_missing_directory(archive, parent, PARENT_MODE, err))
                        return false;
        }
        return true;
}

bool initrd_archive_add_directory(struct initrd_archive *archive, const char *path, mode_t mode, struct err *err) {
        assert((mode & S_IFMT) == 0);
        return add_parents(archive, path, err) && add_missing_directory(archive, path, mode, err);
}

bool initrd_archive_add_device(struct initrd_archive *archive, const char *path, mode_t mode, dev_t device,
                               struct err *err) {
        assert(S_ISBLK(mode) || S_ISCHR(mode));
        struct cpio_entry entry = { .path = path, .mode = mode, .device = device };
        return add_parents(archive, path, err) && add_to_archive(archive, &entry, err);
}

bool initrd_archive_add_link(struct initrd_archive *archive, const char *path, const char *target, struct err *err) {
        struct cpio_entry entry = { .path = path, .mode = S_IFLNK | 0777, .target = target };
        return add_parents(archive, path, err) && add_to_archive(archive, &entry, err);
}

bool initrd_archive_add_bytes(struct initrd_archive *archive, const char *path, mode_t mode, const struct buf *bytes,
                              struct err *err) {
        assert((mode & S_IFMT) == 0);
        struct cpio_entry entry = {
                .path = path, .mode = S_IFREG | mode, .data = buf_text(bytes), .size = bytes->size
        };
        return add_parents(archive, path, err) && add_to_archive(archive, &entry, err);
}

bool initrd_archive_add_file(struct initrd_archive *archive, const char *path, mode_t mode, const char *source,
                             struct err *err) {
        auto_buf bytes = { 0 };
        return fs_read(AT_FDCWD, source, &bytes, err) && initrd_archive_add_bytes(archive, path, mode, &bytes, err);
}

bool initrd_archive_finish(struct initrd_archive *archive, struct err *err) { return cpio_finish(archive->cpio, err); }
