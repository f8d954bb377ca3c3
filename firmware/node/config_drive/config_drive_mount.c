// SPDX-License-Identifier: MIT
#include "firmware/node/config_drive/config_drive_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "firmware/node/devices/module_load.h"
#include "shared/node_config.h"
#include "shared/secrets.h"

#define MOUNT_POINT "/run/kiln/config-drive"

// The first byte that the child writes; then the text, or the error's kind and message.
enum { SAYS_NOTHING = '0', SAYS_TEXT = '1', SAYS_ERROR = 'E', SAYS_REFUSAL = 'R' };

enum { MESSAGE_MAX = 1024 };

static const struct filesystem {
        const char *type, *data;
        char modules[3][16]; // for an initrd, whose kernel finds no modprobe
} filesystems[] = {
        { "vfat", NULL, { "vfat", "nls_cp437", "nls_ascii" } },
        { "iso9660", NULL, { "isofs" } },
        { "ext2", "noload", { "ext4" } }, // the journal of a file system that was not unmounted stays as it is
        { "ext3", "noload", { "ext4" } },
        { "ext4", "noload", { "ext4" } },
};

static const struct filesystem *find_filesystem(const char *type) {
        for (size_t i = 0; i < lengthof(filesystems); i++)
                if (strcmp(filesystems[i].type, type) == 0)
                        return &filesystems[i];
        return NULL;
}

static bool try_mount(const struct volume *volume, const struct filesystem *filesystem) {
        const char *type = filesystem->type;
        if (filesystem->data)
                type = "ext4"; // which serves the older ones too
        return mount(volume->device, MOUNT_POINT, type, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                     filesystem->data) == 0;
}

static bool mount_volume(const struct volume *volume, struct err *err) {
        const struct filesystem *filesystem = find_filesystem(volume->type);
        if (!filesystem)
                return fail(err, ERR_SYSTEM, 0, "%s is no file system of a config drive", volume->type);
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return fail(err, ERR_SYSTEM, errno, "make a mount namespace");
        if (try_mount(volume, filesystem))
                return true;
        int number = errno;
        for (size_t i = 0; i < lengthof(filesystem->modules) && *filesystem->modules[i]; i++) {
                char name[16];
                char *names[] = { memcpy(name, filesystem->modules[i], sizeof name) };
                auto_err ignored = { 0 }; // built in, or the mount says why
                (void)!modules_load(names, 1, &ignored);
        }
        return try_mount(volume, filesystem) || fail(err, ERR_SYSTEM, number, "mount");
}

// An ISO without long names calls them KILN.CON and KILN.SEC.
static const char *const drive_file_names[][4] = {
        [DRIVE_CONF] = { "kiln.conf", "KILN.CONF", "kiln.con", "KILN.CON" },
        [DRIVE_SECRETS] = { SECRETS_FILE, "KILN.SECRETS", "kiln.sec", "KILN.SEC" },
};

static int open_drive_file(int directory, enum drive_file file) {
        int fd = -1;
        for (size_t i = 0; i < lengthof(drive_file_names[file]) && fd < 0; i++) {
                fd = openat(directory, drive_file_names[file][i], O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
                if (fd < 0 && errno != ENOENT)
                        return -1;
        }
        return fd;
}

static bool read_drive_file(enum drive_file file, struct buf *ret, bool *ret_found, struct err *err) {
        const char *name = drive_file_names[file][0];
        auto_close int directory = open(MOUNT_POINT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return fail(err, ERR_SYSTEM, errno, "open its root");
        auto_close int fd = open_drive_file(directory, file);
        struct stat stat;
        *ret_found = fd >= 0;
        if (fd < 0)
                return errno == ENOENT || fail(err, ERR_SYSTEM, errno, "open %s", name);
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "read %s", name);
        if (!S_ISREG(stat.st_mode))
                return fail(err, ERR_IDENTITY, 0, "%s is no regular file", name);
        if (stat.st_size > CONFIG_DRIVE_MAX)
                return fail(err, ERR_IDENTITY, 0, "%s has %lld bytes, and at most %d are read", name,
                            (long long)stat.st_size, CONFIG_DRIVE_MAX);
        return buf_read_fd(ret, fd, err) || wrap(err, "%s", name);
}

static bool write_all(int fd, const char *bytes, size_t size) {
        while (size > 0) {
                ssize_t done = write(fd, bytes, size);
                if (done < 0 && errno == EINTR)
                        continue;
                if (done <= 0)
                        return false;
                bytes += done;
                size -= (size_t)done;
        }
        return true;
}

static char answer_mark(bool ok, bool found, enum err_kind kind) {
        if (!ok && kind == ERR_IDENTITY)
                return SAYS_REFUSAL;
        if (!ok)
                return SAYS_ERROR;
        if (found)
                return SAYS_TEXT;
        return SAYS_NOTHING;
}

static int child(const struct volume *volume, enum drive_file file, int fd) {
        auto_wiped text = { .max = CONFIG_DRIVE_MAX + NODE_READ_ROOM_BYTES }, answer = { 0 };
        auto_err err = { 0 };
        bool found = false, ok = mount_volume(volume, &err) && read_drive_file(file, &text, &found, &err);
        buf_append_char(&answer, answer_mark(ok, found, err.kind));
        if (!ok)
                buf_printf(&answer, "%.*s", MESSAGE_MAX, err.text);
        else if (found)
                buf_append(&answer, buf_text(&text), text.size);
        return write_all(fd, buf_text(&answer), answer.size) ? 0 : 1;
}

static bool understand(const struct buf *answer, struct buf *ret, bool *ret_found, struct err *err) {
        const char *text = buf_text(answer);
        switch (*text) {
        case SAYS_NOTHING:
        case SAYS_TEXT:
                *ret_found = *text == SAYS_TEXT;
                buf_append(ret, text + 1, answer->size - 1);
                return true;
        case SAYS_ERROR:
                return fail(err, ERR_SYSTEM, 0, "%s", text + 1);
        case SAYS_REFUSAL:
                return fail(err, ERR_IDENTITY, 0, "%s", text + 1);
        default:
                return fail(err, ERR_SYSTEM, 0, "the process that reads it ended early");
        }
}

static pid_t start_child(const struct volume *volume, enum drive_file file, const int pipe_fds[2]) {
        pid_t pid = fork();
        if (pid == 0) {
                close(pipe_fds[0]);
                _exit(child(volume, file, pipe_fds[1]));
        }
        return pid;
}

bool config_drive_read_volume(const struct volume *volume, enum drive_file file, struct buf *ret, bool *ret_found,
                              struct err *err) {
        int pipe_fds[2];
        if ((mkdir("/run/kiln", 0755) < 0 && errno != EEXIST) || (mkdir(MOUNT_POINT, 0700) < 0 && errno != EEXIST))
                return fail(err, ERR_SYSTEM, errno, "make directory %s", MOUNT_POINT);
        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return fail(err, ERR_SYSTEM, errno, "make a pipe");
        pid_t pid = start_child(volume, file, pipe_fds);
        auto_close int out = pipe_fds[0];
        close(pipe_fds[1]);
        if (pid < 0)
                return fail(err, ERR_SYSTEM, errno, "start a process");
        auto_wiped answer = { .max = CONFIG_DRIVE_MAX + MESSAGE_MAX + NODE_READ_ROOM_BYTES };
        bool ok = buf_read_fd(&answer, out, err);
        int status;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        rmdir(MOUNT_POINT);
        return ok && understand(&answer, ret, ret_found, err);
}
