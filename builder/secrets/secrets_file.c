// SPDX-License-Identifier: MIT
#include "secrets/secrets_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "secrets/drive_image.h"

static bool is_image_name(const char *path) {
        size_t size = strlen(path);
        return size > 4 && (strcmp(path + size - 4, ".iso") == 0 || strcmp(path + size - 4, ".img") == 0);
}

// ---- the file as it is ----

static bool check_own_file(int fd, const char *path, struct err *err) {
        struct stat stat;
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "%s", path);
        if (!S_ISREG(stat.st_mode))
                return fail(err, ERR_USAGE, 0, "%s is no regular file", path);
        if (stat.st_uid != geteuid())
                return fail(err, ERR_USAGE, 0, "%s belongs to another user, who could read what is put there", path);
        if (stat.st_mode & 077)
                warning("%s could be read by others: its mode was %04o", path, (unsigned)stat.st_mode & 07777);
        return true;
}

// `*ret_found` false: there is no such file. A link is not followed: what it leads to would be replaced by a file.
static bool read_own_file(const char *path, struct buf *ret, bool *ret_found, struct err *err) {
        auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        *ret_found = fd >= 0;
        if (fd < 0 && errno == ENOENT)
                return true;
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        return check_own_file(fd, path, err) && (buf_read_fd(ret, fd, err) || wrap(err, "%s", path));
}

// The whole file as the bytes on the disk, and what it says.
struct secrets_place {
        const char *path;
        bool is_image, found;
        struct drive_image image; // of an image: all of it
        struct buf text;          // of kiln.secrets
        struct secrets secrets;
};

static void secrets_place_release(struct secrets_place *place) {
        drive_image_release(&place->image);
        buf_wipe(&place->text);
        secrets_release(&place->secrets);
}
#define auto_secrets_place __attribute__((cleanup(secrets_place_release))) struct secrets_place

static bool read_secrets_place(struct secrets_place *place, struct err *err) {
        auto_wiped bytes = { .max = DRIVE_IMAGE_MAX_BYTES };
        if (!read_own_file(place->path, &bytes, &place->found, err))
                return false;
        const struct buf *text = &bytes;
        if (place->is_image) {
                if (place->found && !drive_image_read(&bytes, &place->image, err))
                        return wrap(err, "%s", place->path);
                text = drive_image_file(&place->image, SECRETS_FILE);
        }
        buf_append(&place->text, buf_text(text), text->size);
        return secrets_parse(buf_text(&place->text), place->text.size, &place->secrets, err) ||
               wrap(err, "%s", place->path);
}

// ---- changing it ----

static const struct secret *find_secret(const struct secrets *secrets, const char *name) {
        for (size_t i = 0; i < secrets->count; i++)
                if (strcmp(secrets->items[i].name, name) == 0)
                        return &secrets->items[i];
        return NULL;
}

static bool change_text(struct secrets_place *place, const char *name, const char *value, struct buf *ret,
                        struct err *err) {
        const struct secret *old = find_secret(&place->secrets, name);
        const char *text = buf_text(&place->text);
        size_t before = place->text.size, after = place->text.size;
        if (!old && !value)
                return fail(err, ERR_REFERENCE, 0, "%s has no secret %s", place->path, name);
        if (old) {
                before = old->start;
                after = old->end;
        }
        buf_append(ret, text, before);
        if (before > 0 && text[before - 1] != '\n')
                buf_append_char(ret, '\n');
        if (value)
                secret_format(name, value, ret);
        buf_append(ret, text + after, place->text.size - after);
        auto_secrets again = { 0 }; // nodes would not read what is too large, or more than they take
        return secrets_parse(buf_text(ret), ret->size, &again, err) || wrap(err, "%s as it would be", place->path);
}

static bool write_secrets_place(struct secrets_place *place, const struct buf *text, struct err *err) {
        auto_wiped bytes = { .max = DRIVE_IMAGE_MAX_BYTES };
        if (!place->is_image)
                return fs_write_atomic(AT_FDCWD, place->path, buf_text(text), text->size, 0600, err);
        struct buf *file = drive_image_file(&place->image, SECRETS_FILE);
        buf_wipe(file);
        buf_append(file, buf_text(text), text->size);
        return drive_image_write(&place->image, &bytes, err) &&
               fs_write_atomic(AT_FDCWD, place->path, buf_text(&bytes), bytes.size, 0600, err);
}

// Two commands at the same time would lose what one of them puts.
static bool lock_folder(const char *path, int *ret_fd, struct err *err) {
        auto_free char *folder = fs_parent(path);
        return fs_open_dir(AT_FDCWD, folder, ret_fd, err) &&
               (flock(*ret_fd, LOCK_EX) == 0 || fail(err, ERR_SYSTEM, errno, "lock %s", folder));
}

bool secrets_file_change(const char *path, const char *name, const char *value, struct err *err) {
        auto_close int lock = -1;
        auto_secrets_place place = { .path = path, .is_image = is_image_name(path) };
        auto_wiped text = { 0 };
        assert(secret_name_is_valid(name));
        buf_reserve(&text, 2 * SECRETS_FILE_MAX_BYTES); // so that no copy stays behind where it was before it grew
        return lock_folder(path, &lock, err) && read_secrets_place(&place, err) &&
               change_text(&place, name, value, &text, err) && write_secrets_place(&place, &text, err);
}

bool secrets_file_read(const char *path, struct secrets *ret, struct err *err) {
        auto_secrets_place place = { .path = path, .is_image = is_image_name(path) };
        if (!read_secrets_place(&place, err))
                return false;
        if (!place.found)
                return fail(err, ERR_REFERENCE, ENOENT, "%s", path);
        *ret = place.secrets;
        place.secrets = (struct secrets){ 0 };
        return true;
}
