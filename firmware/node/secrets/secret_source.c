// SPDX-License-Identifier: MIT
#include "firmware/node/secrets/secret_source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "firmware/node/root/beneath.h"

enum { READ_ROOM_BYTES = 16 << 10 }; // so that buf_read_fd() sees the end of the largest file

void secret_source_release(struct secret_source *source) {
        secrets_release(&source->values);
        *source = (struct secret_source){ 0 };
}

static void name_place(struct secret_source *source, const char *place) {
        secret_source_release(source);
        snprintf(source->place, sizeof source->place, "%s", place);
}

void secret_source_fail(struct secret_source *source, const char *place, const char *problem) {
        name_place(source, place);
        snprintf(source->problem, sizeof source->problem, "%s", problem);
}

void secret_source_parse(struct secret_source *source, const char *place, const char *text, size_t size) {
        auto_err problem = { 0 };
        name_place(source, place);
        if (!secrets_parse(text, size, &source->values, &problem))
                secret_source_fail(source, place, problem.text);
}

// ---- of a disk ----

static bool directory_is_private(int directory, struct err *err) {
        struct stat stat;
        if (fstat(directory, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "look at its directory");
        if (stat.st_uid != geteuid() || (stat.st_mode & 022) != 0)
                return fail(err, ERR_CORRUPT, 0, "others may write to its directory: chown root and chmod 700 it");
        return true;
}

static bool file_is_private(const struct stat *stat, struct err *err) {
        if (!S_ISREG(stat->st_mode))
                return fail(err, ERR_CORRUPT, 0, "it is no regular file");
        if (stat->st_nlink != 1)
                return fail(err, ERR_CORRUPT, 0, "it has another name, too");
        if (stat->st_uid != geteuid())
                return fail(err, ERR_CORRUPT, 0, "it belongs to user %u: chown root it", (unsigned)stat->st_uid);
        if ((stat->st_mode & 077) != 0)
                return fail(err, ERR_CORRUPT, 0, "mode %04o lets others read it: chmod 600 it",
                            (unsigned)stat->st_mode & 07777);
        if (stat->st_size > SECRETS_FILE_MAX_BYTES)
                return fail(err, ERR_CORRUPT, 0, "it has %lld bytes, and at most %d are read", (long long)stat->st_size,
                            SECRETS_FILE_MAX_BYTES);
        return true;
}

// `*ret_found` false: there is no such file or directory.
static bool read_private_file(int top, const char *path, struct buf *ret, bool *ret_found, struct err *err) {
        auto_close int directory = -1;
        struct stat stat;
        *ret_found = false;
        if (!beneath_open_directory(top, path, false, &directory, err))
                return err->number == ENOENT;
        // Looked at first: opening a device may do something.
        if (fstatat(directory, SECRETS_FILE, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT || fail(err, ERR_SYSTEM, errno, "look at it");
        *ret_found = true;
        if (!directory_is_private(directory, err) || !file_is_private(&stat, err))
                return false;
        auto_close int fd = openat(directory, SECRETS_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "open it");
        return file_is_private(&stat, err) && buf_read_fd(ret, fd, err);
}

void secret_source_read(struct secret_source *source, int top, const char *directory, const char *place) {
        auto_wiped text = { .max = SECRETS_FILE_MAX_BYTES + READ_ROOM_BYTES };
        auto_err problem = { 0 };
        bool found = false;
        assert(top >= 0);
        secret_source_release(source);
        buf_reserve(&text, text.max); // so that no copy stays behind where it was before it grew
        if (!read_private_file(top, directory, &text, &found, &problem))
                secret_source_fail(source, place, problem.text);
        else if (found)
                secret_source_parse(source, place, buf_text(&text), text.size);
}

const char *secret_sources_find(const struct secret_source *sources, size_t count, const char *name,
                                const struct secret_source **ret_source) {
        for (size_t i = 0; i < count; i++) {
                const char *value = secrets_value(&sources[i].values, name);
                if (!value)
                        continue;
                *ret_source = &sources[i];
                return value;
        }
        return NULL;
}
