// SPDX-License-Identifier: MIT
#include "release/stick_device.h"

#include <blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

enum { FACT_BYTES = 65536, SECTOR_BYTES = 512 };

// ---- what /sys says ----

// The text of a file below the disk's directory, without the blanks around it; heap, "" if there is none.
static char *sys_fact(const char *disk, const char *name) {
        auto_free char *path = xasprintf("%s/%s", disk, name);
        auto_buf text = { .max = FACT_BYTES };
        auto_err absent = { 0 };
        if (!fs_read(AT_FDCWD, path, &text, &absent))
                return xstrdup("");
        const char *start = buf_text(&text);
        start += strspn(start, " \n");
        size_t length = strlen(start);
        while (length > 0 && strchr(" \n", start[length - 1]))
                length--;
        return xstrndup(start, length);
}

static char *sys_directory(dev_t device) { return xasprintf("/sys/dev/block/%u:%u", major(device), minor(device)); }

static bool has_fact(const char *disk, const char *name) {
        auto_free char *path = xasprintf("%s/%s", disk, name);
        return fs_exists(AT_FDCWD, path);
}

static bool fact_is(const char *disk, const char *name, const char *value) {
        auto_free char *text = sys_fact(disk, name);
        return strcmp(text, value) == 0;
}

// Sticks and card readers say "removable"; a disk in a case behind USB, and a card in a slot of the board, do not. What
// is soldered to the board (eMMC) is behind the same kind of host as the slot, and is of the type "MMC".
static bool is_movable(const char *disk) {
        char resolved[PATH_MAX] = "";
        if (fact_is(disk, "removable", "1"))
                return true;
        if (!realpath(disk, resolved))
                return false;
        return strstr(resolved, "/usb") || (strstr(resolved, "/mmc_host/") && fact_is(disk, "device/type", "SD"));
}

// Calls back for the disk and each of its partitions, until one says true.
static bool any_part(const char *disk, bool (*is_it)(const char *directory, void *context), void *context) {
        auto_closedir DIR *stream = opendir(disk);
        struct dirent *entry;
        if (is_it(disk, context))
                return true;
        while (stream && (entry = readdir(stream))) {
                auto_free char *directory = xasprintf("%s/%s", disk, entry->d_name);
                if (entry->d_name[0] != '.' && has_fact(directory, "partition") && is_it(directory, context))
                        return true;
        }
        return false;
}

// ---- who uses it ----

struct use {
        const char *path;
        struct err *err;
};

// Names what is built upon it: md, LVM, dm-crypt.
static bool is_built_upon(const char *directory, void *context) {
        struct use *use = context;
        auto_free char *path = xasprintf("%s/holders", directory);
        auto_closedir DIR *stream = opendir(path);
        struct dirent *entry;
        while (stream && (entry = readdir(stream))) {
                if (entry->d_name[0] == '.')
                        continue;
                fail(use->err, ERR_USAGE, 0, "%s is in use: it is part of %s (RAID, LVM or the like)", use->path,
                     entry->d_name);
                return true;
        }
        return false;
}

// Whether a line of a list of the kernel's names the device, a "MAJOR:MINOR"; if so, it says what that is.
typedef bool names_device(const char *line, const char *device, struct use *use);

static bool any_line(const char *list, const char *directory, names_device *names, struct use *use) {
        auto_free char *device = sys_fact(directory, "dev");
        auto_free char *line = NULL;
        size_t capacity = 0;
        auto_fclose FILE *lines = fopen(list, "re");
        while (lines && getline(&line, &capacity, lines) > 0)
                if (names(line, device, use))
                        return true;
        return false;
}

// "MAJOR:MINOR" in the third column of mountinfo, and the mount point in the fifth.
static bool is_mount_of(const char *line, const char *device, struct use *use) {
        char found[32], place[PATH_MAX];
        if (sscanf(line, "%*s %*s %31s %*s %4095s", found, place) != 2 || strcmp(found, device) != 0)
                return false;
        fail(use->err, ERR_USAGE, 0, "%s is in use: it is mounted at %s", use->path, place);
        hint(use->err, "umount %s, if it is the right disk", place);
        return true;
}

// The first column is the name of a device or of a file.
static bool is_swap_of(const char *line, const char *device, struct use *use) {
        char name[PATH_MAX], found[32];
        struct stat swap;
        bool is_device =
            sscanf(line, "%4095s", name) == 1 && name[0] == '/' && stat(name, &swap) == 0 && S_ISBLK(swap.st_mode);
        if (!is_device)
                return false;
        (void)snprintf(found, sizeof found, "%u:%u", major(swap.st_rdev), minor(swap.st_rdev));
        if (strcmp(found, device) != 0)
                return false;
        fail(use->err, ERR_USAGE, 0, "%s is in use: %s is swap", use->path, name);
        hint(use->err, "swapoff %s, if it is the right disk", name);
        return true;
}

static bool is_mounted(const char *directory, void *use) {
        return any_line("/proc/self/mountinfo", directory, is_mount_of, use);
}

static bool is_swap(const char *directory, void *use) { return any_line("/proc/swaps", directory, is_swap_of, use); }

// ---- opening ----

static bool check_disk(const char *path, const char *disk, const struct stick_rules *rules, struct err *err) {
        struct use use = { path, err };
        if (has_fact(disk, "partition")) {
                fail(err, ERR_USAGE, 0, "%s is a partition, and the ISO is for a whole disk", path);
                return hint(err, "name the disk that it is on");
        }
        if (any_part(disk, is_mounted, &use) || any_part(disk, is_swap, &use) || any_part(disk, is_built_upon, &use))
                return false;
        if (fact_is(disk, "ro", "1"))
                return fail(err, ERR_USAGE, 0, "%s is read-only", path);
        if (rules->allow_fixed || is_movable(disk))
                return true;
        fail(err, ERR_USAGE, 0, "%s is a fixed disk: neither removable, nor behind USB, nor an SD card", path);
        return hint(err, "lsblk lists the disks of this machine; --fixed writes to this one all the same");
}

static int access_of(const struct stick_rules *rules) {
        if (rules->read_only)
                return O_RDONLY;
        return O_RDWR;
}

// Between stat(2) and open(2) a stick may be pulled, and its name, or a link to it, be another disk's.
static bool check_same(int fd, const char *path, const struct stat *checked, struct err *err) {
        struct stat opened;
        if (fstat(fd, &opened) < 0)
                return fail(err, ERR_SYSTEM, errno, "%s", path);
        bool is_same = (opened.st_mode & S_IFMT) == (checked->st_mode & S_IFMT) && opened.st_rdev == checked->st_rdev;
        bool is_same_file = opened.st_dev == checked->st_dev && opened.st_ino == checked->st_ino;
        if (is_same && (S_ISBLK(opened.st_mode) || is_same_file))
                return true;
        fail(err, ERR_USAGE, 0, "%s has become another while it was checked: nothing is written", path);
        return hint(err, "lsblk lists the disks of this machine; look again which it is");
}

static bool open_whole_disk(const char *path, const struct stat *stat, const struct stick_rules *rules, int *ret_fd,
                            uint64_t *ret_size_bytes, struct err *err) {
        auto_free char *disk = sys_directory(stat->st_rdev);
        if (!check_disk(path, disk, rules, err))
                return false;
        auto_close int fd = open(path, access_of(rules) | O_EXCL | O_CLOEXEC);
        if (fd < 0 && errno == EBUSY)
                return fail(err, ERR_USAGE, 0, "%s is in use: a file system, swap, or another program has it", path);
        if (fd < 0) {
                int number = errno;
                fail(err, ERR_SYSTEM, number, "open %s", path);
                if (number == EACCES)
                        (void)hint(err, "disks are root's, or the group disk's: run it as root");
                return false;
        }
        if (!check_same(fd, path, stat, err))
                return false;
        if (ioctl(fd, BLKGETSIZE64, ret_size_bytes) < 0)
                return fail(err, ERR_SYSTEM, errno, "size of %s", path);
        *ret_fd = take_fd(fd);
        return true;
}

static bool open_file(const char *path, const struct stat *stat, const struct stick_rules *rules, int *ret_fd,
                      uint64_t *ret_size_bytes, struct err *err) {
        if (!rules->allow_file) {
                fail(err, ERR_USAGE, 0, "%s is a file, and no disk", path);
                return hint(err, "kiln iso writes an ISO as a file; --file takes this one for a disk");
        }
        auto_close int fd = -1;
        if (!fs_open(AT_FDCWD, path, access_of(rules), 0, &fd, err) || !check_same(fd, path, stat, err))
                return false;
        *ret_size_bytes = (uint64_t)stat->st_size;
        *ret_fd = take_fd(fd);
        return true;
}

bool stick_open(const char *path, const struct stick_rules *rules, int *ret_fd, uint64_t *ret_size_bytes,
                struct err *err) {
        struct stat found;
        if (stat(path, &found) < 0) {
                int number = errno;
                fail(err, ERR_USAGE, number, "%s", path);
                return hint(err, "lsblk lists the disks of this machine");
        }
        if (S_ISBLK(found.st_mode))
                return open_whole_disk(path, &found, rules, ret_fd, ret_size_bytes, err);
        if (S_ISREG(found.st_mode))
                return open_file(path, &found, rules, ret_fd, ret_size_bytes, err);
        return fail(err, ERR_USAGE, 0, "%s is no disk", path);
}

// ---- what is on it ----

static const char *probed(blkid_probe probe, const char *name) {
        const char *value = NULL;
        if (blkid_probe_lookup_value(probe, name, &value, NULL) < 0 || !value)
                return "";
        return value;
}

static void describe_probe(blkid_probe probe, const char *what, struct buf *ret) {
        const char *type = probed(probe, "TYPE"), *table = probed(probe, "PTTYPE"), *label = probed(probe, "LABEL");
        buf_printf(ret, "\n  %s: ", what);
        if (!*type && !*table) {
                buf_append_text(ret, "nothing that is known");
                return;
        }
        buf_append_text(ret, type);
        if (*type && *table)
                buf_append_text(ret, ", ");
        if (*table)
                buf_printf(ret, "partition table %s", table);
        if (*label)
                buf_printf(ret, ", labelled %s", label);
}

static void describe_range(int fd, uint64_t offset, uint64_t size_bytes, const char *what, struct buf *ret) {
        blkid_probe probe = blkid_new_probe();
        if (!probe)
                return;
        if (blkid_probe_set_device(probe, fd, (blkid_loff_t)offset, (blkid_loff_t)size_bytes) == 0) {
                blkid_probe_enable_superblocks(probe, 1);
                blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL);
                blkid_probe_enable_partitions(probe, 1);
                if (blkid_do_safeprobe(probe) >= 0)
                        describe_probe(probe, what, ret);
                else
                        buf_printf(ret, "\n  %s: something that cannot be told", what);
        }
        blkid_free_probe(probe);
}

static void describe_partitions(int fd, struct buf *ret) {
        blkid_probe probe = blkid_new_probe();
        blkid_partlist list = NULL;
        if (!probe)
                return;
        if (blkid_probe_set_device(probe, fd, 0, 0) == 0 && blkid_probe_enable_partitions(probe, 1) == 0)
                list = blkid_probe_get_partitions(probe);
        for (int i = 0; list && i < blkid_partlist_numof_partitions(list); i++) {
                blkid_partition part = blkid_partlist_get_partition(list, i);
                uint64_t size_bytes = (uint64_t)blkid_partition_get_size(part) * SECTOR_BYTES;
                auto_free char *what =
                    xasprintf("partition %d, %" PRIu64 " MB", blkid_partition_get_partno(part), size_bytes / 1000000);
                describe_range(fd, (uint64_t)blkid_partition_get_start(part) * SECTOR_BYTES, size_bytes, what, ret);
        }
        blkid_free_probe(probe);
}

void stick_describe(const char *path, int fd, uint64_t size_bytes, struct buf *ret) {
        struct stat found;
        buf_printf(ret, "%s: %.1f GB", path, (double)size_bytes / 1e9);
        if (fstat(fd, &found) == 0 && S_ISBLK(found.st_mode)) {
                auto_free char *disk = sys_directory(found.st_rdev);
                auto_free char *vendor = sys_fact(disk, "device/vendor");
                auto_free char *model = sys_fact(disk, "device/model");
                if (*vendor || *model)
                        buf_printf(ret, ", %s %s", vendor, model);
        }
        buf_append_text(ret, ". On it now:");
        describe_range(fd, 0, 0, "the disk", ret);
        describe_partitions(fd, ret);
}

// ---- reading back ----

// Some file systems know no O_DIRECT: there, as on a disk, the page cache is dropped.
bool stick_open_uncached(const char *path, int written, int *ret_fd, struct err *err) {
        auto_free char *same = xasprintf("/proc/self/fd/%d", written); // not what `path` names by now
        (void)ioctl(written, BLKFLSBUF, 0);
        (void)posix_fadvise(written, 0, 0, POSIX_FADV_DONTNEED);
        int fd = open(same, O_RDONLY | O_DIRECT | O_CLOEXEC);
        if (fd < 0)
                fd = open(same, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "read %s back", path);
        *ret_fd = fd;
        return true;
}

void stick_read_partitions(int fd) {
        struct stat found;
        if (fstat(fd, &found) == 0 && S_ISBLK(found.st_mode))
                (void)ioctl(fd, BLKRRPART, 0);
}
