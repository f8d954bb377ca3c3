// SPDX-License-Identifier: MIT
#include "firmware/node/state/state_disk.h"

#include <assert.h>
#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "firmware/node/devices/block_devices.h"
#include "firmware/node/devices/sysfs.h"

enum { EDGE_BYTES = 1 << 20, SAMPLE_BYTES = 64 << 10, SAMPLES = 64, SECTOR = 512 };

// ---- sysfs ----

static uint64_t read_disk_number(const char *directory, const char *attribute) {
        char text[32];
        sysfs_read_line(directory, attribute, text, sizeof text);
        return strtoull(text, NULL, 10);
}

static bool has_file(const char *directory, const char *name) {
        auto_free char *path = xasprintf("%s/%s", directory, name);
        return access(path, F_OK) == 0;
}

static bool has_entries(const char *directory, const char *name) {
        auto_free char *path = xasprintf("%s/%s", directory, name);
        auto_closedir DIR *entries = opendir(path);
        for (struct dirent *entry; entries && (entry = readdir(entries));)
                if (entry->d_name[0] != '.')
                        return true;
        return false;
}

// sysfs shows a disk's partitions as directories in the disk's own, each with a file "partition".
static bool has_partitions(const char *directory) {
        auto_closedir DIR *entries = opendir(directory);
        for (struct dirent *entry; entries && (entry = readdir(entries));) {
                char name[NAME_MAX + 16];
                snprintf(name, sizeof name, "%s/partition", entry->d_name);
                if (entry->d_name[0] != '.' && faccessat(dirfd(entries), name, F_OK, 0) == 0)
                        return true;
        }
        return false;
}

// SCSI disks tell vendor and model, others the model only (virtio disks neither: their serial stands for it).
static void read_model(const char *directory, struct disk *disk) {
        char vendor[32], model[64], serial[32];
        sysfs_read_line(directory, "device/vendor", vendor, sizeof vendor);
        sysfs_read_line(directory, "device/model", model, sizeof model);
        sysfs_read_line(directory, "serial", serial, sizeof serial);
        if (strncmp(vendor, "0x", 2) == 0)
                vendor[0] = '\0'; // a PCI id
        const char *shown = model;
        if (!*model)
                shown = serial;
        if (*vendor && *shown)
                snprintf(disk->model, sizeof disk->model, "%s %s", vendor, shown);
        else
                snprintf(disk->model, sizeof disk->model, "%s%s", vendor, shown);
}

static void read_sysfs(const char *directory, struct arena *arena, struct disk *disk) {
        char real[PATH_MAX];
        disk->size_bytes = read_disk_number(directory, "size") * SECTOR;
        disk->is_partition = has_file(directory, "partition");
        disk->is_removable = read_disk_number(directory, "removable") != 0;
        disk->is_read_only = read_disk_number(directory, "ro") != 0;
        disk->has_holder = has_entries(directory, "holders");
        disk->has_partition = has_partitions(directory);
        // The initrd may have mounted sysfs elsewhere; the profile's globs are about the path that the booted system
        // shows.
        const char *devices = NULL;
        if (realpath(directory, real))
                devices = strstr(real, "/devices/");
        if (devices)
                disk->path = arena_printf(arena, "/sys%s", devices);
        else
                disk->path = arena_strdup(arena, directory);
        read_model(directory, disk);
}

// ---- what is on it ----

static void copy_probe_value(blkid_probe probe, const char *key, char *ret, size_t size) {
        const char *value;
        if (blkid_probe_lookup_value(probe, key, &value, NULL) == 0)
                snprintf(ret, size, "%s", value);
}

// A disk with two signatures (an old one left behind, say) gets no type and no label: there is no telling which is
// true.
static void probe_content(const char *path, struct disk *disk) {
        blkid_probe probe = blkid_new_probe_from_filename(path);
        if (!probe)
                return;
        blkid_probe_enable_superblocks(probe, 1);
        blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_LABEL | BLKID_SUBLKS_TYPE);
        if (blkid_do_safeprobe(probe) == 0) {
                copy_probe_value(probe, "LABEL", disk->label, sizeof disk->label);
                copy_probe_value(probe, "TYPE", disk->type, sizeof disk->type);
        }
        blkid_free_probe(probe);
}

// What no state disk is: CD drives, floppies, and disks of the network.
static const char *const never_state_disks[] = { "sr", "fd", "nbd", NULL };

static void examine_disk(const struct disk_host *host, const char *sys_name, struct arena *arena, struct disk *disk) {
        disk_device_name(sys_name, disk->name, sizeof disk->name);
        auto_free char *sys = xasprintf("%s/%s", host->sys, sys_name), *dev = xasprintf("%s/%s", host->dev, disk->name);
        read_sysfs(sys, arena, disk);
        if (disk->size_bytes > 0)
                probe_content(dev, disk);
}

bool disks_scan(const struct disk_host *host, struct arena *arena, struct disks *ret, struct err *err) {
        auto_block_devices struct block_devices devices;
        if (!block_devices_list(host->sys, never_state_disks, &devices, err))
                return false;
        *ret = (struct disks){ .items = arena_alloc(arena, devices.count * sizeof *ret->items) };
        for (size_t i = 0; i < devices.count; i++)
                if (strlen(devices.names[i]) < sizeof ret->items->name)
                        examine_disk(host, devices.names[i], arena, &ret->items[ret->count++]);
        return true;
}

// ---- claiming ----

static bool refuse_claim(struct buf *reason, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool refuse_claim(struct buf *reason, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        buf_vprintf(reason, format, arguments);
        va_end(arguments);
        return false;
}

static bool has_no_signature(int fd, struct buf *reason) {
        blkid_probe probe = blkid_new_probe();
        if (!probe || blkid_probe_set_device(probe, fd, 0, 0) < 0) {
                blkid_free_probe(probe);
                return refuse_claim(reason, "cannot be read");
        }
        char type[64] = "";
        blkid_probe_enable_superblocks(probe, 1);
        blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM);
        blkid_probe_enable_partitions(probe, 1);
        blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC | BLKID_PARTS_FORCE_GPT);
        int found = blkid_do_probe(probe);
        copy_probe_value(probe, "PTTYPE", type, sizeof type);
        copy_probe_value(probe, "TYPE", type, sizeof type);
        blkid_free_probe(probe);
        if (found == 1)
                return true;
        if (found != 0)
                return refuse_claim(reason, "cannot be read");
        if (*type)
                return refuse_claim(reason, "holds something: %s", type);
        return refuse_claim(reason, "holds something: a signature");
}

// Whether all bytes from `offset` on are 0x00, or all 0xff as on erased flash.
static bool is_uniform(int fd, uint64_t offset, size_t size, uint8_t *block, struct buf *reason) {
        for (size_t done = 0; done < size;) {
                ssize_t got = pread(fd, block + done, size - done, (off_t)(offset + done));
                if (got < 0 && errno == EINTR)
                        continue;
                unsigned long long at = offset + done;
                if (got < 0)
                        return refuse_claim(reason, "cannot be read at byte %llu: %s", at, strerror(errno));
                if (got == 0)
                        return refuse_claim(reason, "cannot be read at byte %llu: it ends there", at);
                done += (size_t)got;
        }
        if ((block[0] == 0x00 || block[0] == 0xff) && memcmp(block, block + 1, size - 1) == 0)
                return true;
        return refuse_claim(reason, "is not blank: there is data in the %zu bytes from byte %llu", size,
                            (unsigned long long)offset);
}

bool disk_is_blank(int fd, uint64_t size_bytes, struct buf *ret_reason) {
        assert(fd >= 0);
        if (size_bytes < 4 * EDGE_BYTES)
                return refuse_claim(ret_reason, "is too small");
        if (!has_no_signature(fd, ret_reason))
                return false;
        auto_free uint8_t *block = xmalloc(EDGE_BYTES);
        if (!is_uniform(fd, 0, EDGE_BYTES, block, ret_reason) ||
            !is_uniform(fd, size_bytes - EDGE_BYTES, EDGE_BYTES, block, ret_reason))
                return false;
        uint64_t step = (size_bytes - SAMPLE_BYTES) / SAMPLES / SECTOR * SECTOR;
        for (unsigned i = 1; i < SAMPLES; i++)
                if (!is_uniform(fd, i * step, SAMPLE_BYTES, block, ret_reason))
                        return false;
        return true;
}

static bool fits_rule(const struct disk *disk, const struct state_claim *claim, struct buf *reason) {
        if (disk->is_partition)
                return refuse_claim(reason, "is a partition");
        if (disk->size_bytes == 0)
                return refuse_claim(reason, "has no medium");
        if (disk->is_removable)
                return refuse_claim(reason, "is removable");
        if (disk->is_read_only)
                return refuse_claim(reason, "is read-only");
        if (disk->has_holder)
                return refuse_claim(reason, "is in use by another device");
        if (disk->has_partition)
                return refuse_claim(reason, "has partitions");
        if (disk->size_bytes < claim->min_bytes || (claim->max_bytes && disk->size_bytes > claim->max_bytes))
                return refuse_claim(reason, "has %llu bytes, outside of the size that the profile claims",
                                    (unsigned long long)disk->size_bytes);
        if (fnmatch(claim->model, disk->model, 0) != 0)
                return refuse_claim(reason, "is a \"%s\", not a \"%s\"", disk->model, claim->model);
        if (fnmatch(claim->path, disk->name, 0) != 0 && fnmatch(claim->path, disk->path, 0) != 0)
                return refuse_claim(reason, "is at %s, not at %s", disk->path, claim->path);
        return true;
}

bool disk_may_be_claimed(const struct disk_host *host, const struct disk *disk, const struct state_claim *claim,
                         struct buf *ret_reason) {
        assert(claim->wanted);
        if (!fits_rule(disk, claim, ret_reason))
                return false;
        auto_free char *path = xasprintf("%s/%s", host->dev, disk->name);
        // With O_EXCL, open(2) fails for a block device that is mounted or part of another device.
        auto_close int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
        if (fd < 0)
                return refuse_claim(ret_reason, "cannot be opened alone: %s", strerror(errno));
        return disk_is_blank(fd, disk->size_bytes, ret_reason);
}
