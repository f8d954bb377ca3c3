// SPDX-License-Identifier: MIT
#include "secrets/drive_image.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "shared/secrets.h"

// The primary volume descriptor (ECMA-119, 8.4) is in sector 16: "CD001" at byte 1, the volume identifier at 40.
enum { DESCRIPTOR = 16 * 2048, LABEL_OFFSET = 40, LABEL_BYTES = 32 };

#define USUAL_LABEL "KILN"

static bool fail_archive(struct archive *archive, const char *doing, struct err *err) {
        return fail(err, ERR_CORRUPT, 0, "%s: %s", doing, text_or(archive_error_string(archive), "unknown problem"));
}

static bool read_label(const struct buf *bytes, struct drive_image *image, struct err *err) {
        const char *descriptor = buf_text(bytes) + DESCRIPTOR;
        if (bytes->size < DESCRIPTOR + 2048 || memcmp(descriptor + 1, "CD001", 5) != 0) {
                (void)fail(err, ERR_CORRUPT, 0, "this is no ISO 9660 image");
                return hint(err, "of another file system: mount it, and change the file " SECRETS_FILE " in it");
        }
        memcpy(image->label, descriptor + LABEL_OFFSET, LABEL_BYTES);
        for (size_t i = LABEL_BYTES; i > 0 && strchr(" ", image->label[i - 1]); i--)
                image->label[i - 1] = '\0';
        return true;
}

static bool read_data(struct archive *archive, struct archive_entry *entry, struct drive_image *image,
                      struct err *err) {
        struct buf *data = drive_image_file(image, archive_entry_pathname(entry));
        size_t size = (size_t)archive_entry_size(entry);
        if (size > DRIVE_IMAGE_MAX_BYTES)
                return fail(err, ERR_CORRUPT, 0, "%s in it is too large", archive_entry_pathname(entry));
        char *room = buf_reserve(data, size);
        if (archive_read_data(archive, room, size) != (la_ssize_t)size)
                return fail_archive(archive, "read a file of it", err);
        data->size = size;
        data->data[size] = '\0';
        return true;
}

static bool read_entries(struct archive *archive, struct drive_image *image, struct err *err) {
        struct archive_entry *entry;
        int status;
        while ((status = archive_read_next_header(archive, &entry)) == ARCHIVE_OK) {
                const char *path = archive_entry_pathname(entry);
                if (archive_entry_filetype(entry) == AE_IFDIR && strcmp(path, ".") == 0)
                        continue;
                if (archive_entry_filetype(entry) != AE_IFREG || strchr(path, '/')) {
                        (void)fail(err, ERR_CORRUPT, 0, "%s in it is no file of its top directory", path);
                        return hint(err, "kiln writes such images anew, with plain files alone: make another one");
                }
                if (!read_data(archive, entry, image, err))
                        return false;
        }
        return status == ARCHIVE_EOF || fail_archive(archive, "read it", err);
}

bool drive_image_read(const struct buf *bytes, struct drive_image *ret, struct err *err) {
        if (!read_label(bytes, ret, err))
                return false;
        struct archive *archive = archive_read_new();
        archive_read_support_format_iso9660(archive);
        bool ok = archive_read_open_memory(archive, buf_text(bytes), bytes->size) == ARCHIVE_OK ||
                  fail_archive(archive, "read it", err);
        ok = ok && read_entries(archive, ret, err);
        archive_read_free(archive);
        return ok;
}

// ---- writing ----

static la_ssize_t append_to_image(struct archive *archive, void *context, const void *data, size_t size) {
        (void)archive;
        buf_append(context, data, size);
        return (la_ssize_t)size;
}

static bool write_drive_file(struct archive *archive, const struct drive_file *file, struct err *err) {
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, file->path);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0600);
        archive_entry_set_size(entry, (la_int64_t)file->data.size);
        bool ok = archive_write_header(archive, entry) == ARCHIVE_OK &&
                  archive_write_data(archive, buf_text(&file->data), file->data.size) == (la_ssize_t)file->data.size;
        archive_entry_free(entry);
        return ok || fail_archive(archive, "write the image", err);
}

static bool open_writer(struct archive *archive, const struct drive_image *image, struct buf *ret, struct err *err) {
        const char *label = USUAL_LABEL;
        if (image->label[0])
                label = image->label;
        bool ok = archive_write_set_format_iso9660(archive) == ARCHIVE_OK &&
                  archive_write_set_format_option(archive, "iso9660", "volume-id", label) == ARCHIVE_OK &&
                  archive_write_set_format_option(archive, "iso9660", "pad", NULL) == ARCHIVE_OK &&
                  archive_write_open(archive, ret, NULL, append_to_image, NULL) == ARCHIVE_OK;
        return ok || fail_archive(archive, "write the image", err);
}

bool drive_image_write(const struct drive_image *image, struct buf *ret, struct err *err) {
        struct archive *archive = archive_write_new();
        bool ok = open_writer(archive, image, ret, err);
        for (size_t i = 0; ok && i < image->count; i++)
                ok = write_drive_file(archive, &image->files[i], err);
        ok = ok && (archive_write_close(archive) == ARCHIVE_OK || fail_archive(archive, "write the image", err));
        archive_write_free(archive);
        return ok;
}

void drive_image_release(struct drive_image *image) {
        for (size_t i = 0; i < image->count; i++) {
                free(image->files[i].path);
                buf_wipe(&image->files[i].data);
        }
        free(image->files);
        *image = (struct drive_image){ 0 };
}

struct buf *drive_image_file(struct drive_image *image, const char *path) {
        for (size_t i = 0; i < image->count; i++)
                if (strcmp(image->files[i].path, path) == 0)
                        return &image->files[i].data;
        struct drive_file *file = array_append(&image->files, &image->count);
        file->path = xstrdup(path);
        file->data.max = DRIVE_IMAGE_MAX_BYTES;
        return &file->data;
}
