// SPDX-License-Identifier: MIT
#include "artefact/initrd/cpio.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <errno.h>

#include "base/mem.h"

struct cpio {
        struct archive *archive;
        struct buf *output;
        int64_t mtime;
        uint32_t inode;
};

static la_ssize_t append_block(struct archive *archive, void *context, const void *data, size_t size) {
        struct cpio *cpio = context;
        buf_append(cpio->output, data, size);
        if (!cpio->output->overflow)
                return (la_ssize_t)size;
        archive_set_error(archive, EFBIG, "the archive is too large");
        return -1;
}

struct cpio *cpio_new(int64_t mtime, struct buf *output) {
        struct cpio *cpio = xmalloc(sizeof *cpio);
        *cpio = (struct cpio){ archive_write_new(), output, mtime, 0 };
        if (!cpio->archive)
                abort(); // out of memory
        archive_write_set_format_cpio_newc(cpio->archive);
        archive_write_set_bytes_in_last_block(cpio->archive, 1);
        archive_write_open(cpio->archive, cpio, NULL, append_block, NULL);
        return cpio;
}

static uint32_t inode_of(struct cpio *cpio, const struct cpio_entry *entry) {
        if (entry->inode)
                return entry->inode;
        cpio->inode++;
        return cpio->inode;
}

static unsigned links_of(const struct cpio_entry *entry) {
        if (entry->links)
                return entry->links;
        if (S_ISDIR(entry->mode))
                return 2;
        return 1;
}

static size_t data_bytes_of(const struct cpio_entry *entry) {
        if (S_ISREG(entry->mode))
                return entry->size;
        return 0;
}

static void describe_entry(struct cpio *cpio, const struct cpio_entry *from, struct archive_entry *to) {
        archive_entry_copy_pathname(to, from->path + (from->path[0] == '/'));
        archive_entry_set_mode(to, from->mode);
        archive_entry_set_uid(to, from->uid);
        archive_entry_set_gid(to, from->gid);
        archive_entry_set_rdev(to, from->device);
        archive_entry_set_mtime(to, cpio->mtime, 0);
        archive_entry_set_ino64(to, inode_of(cpio, from));
        archive_entry_set_nlink(to, links_of(from));
        archive_entry_set_size(to, (la_int64_t)data_bytes_of(from));
        if (S_ISLNK(from->mode))
                archive_entry_copy_symlink(to, from->target);
}

bool cpio_add(struct cpio *cpio, const struct cpio_entry *entry, struct err *err) {
        assert(entry->path && entry->path[0] != '\0');
        assert(!S_ISLNK(entry->mode) || entry->target);
        if (data_bytes_of(entry) > UINT32_MAX)
                return fail(err, ERR_SYSTEM, EFBIG, "archive %s", entry->path);
        struct archive_entry *described = archive_entry_new();
        describe_entry(cpio, entry, described);
        size_t size = data_bytes_of(entry);
        bool ok = archive_write_header(cpio->archive, described) == ARCHIVE_OK;
        if (ok && size > 0)
                ok = archive_write_data(cpio->archive, entry->data, size) == (la_ssize_t)size;
        if (ok)
                ok = archive_write_finish_entry(cpio->archive) == ARCHIVE_OK;
        archive_entry_free(described);
        return ok || fail(err, ERR_SYSTEM, 0, "archive %s: %s", entry->path, archive_error_string(cpio->archive));
}

bool cpio_finish(struct cpio *cpio, struct err *err) {
        return archive_write_close(cpio->archive) == ARCHIVE_OK ||
               fail(err, ERR_SYSTEM, 0, "archive: %s", archive_error_string(cpio->archive));
}

void cpio_free(struct cpio *cpio) {
        if (cpio)
                archive_write_free(cpio->archive);
        free(cpio);
}
