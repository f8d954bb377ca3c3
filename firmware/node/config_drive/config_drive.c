// SPDX-License-Identifier: MIT
#include "firmware/node/config_drive/config_drive.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "firmware/node/cmdline/cmdline.h"
#include "firmware/node/config_drive/config_drive_mount.h"
#include "firmware/node/devices/block_devices.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/secrets/secret_source.h"
#include "shared/node_config.h"

#define USUAL_LABEL "KILN"

enum { POLL_MS = 100 };

struct volumes {
        struct volume items[VOLUMES_MAX];
        size_t count;
};

// ---- looking at block devices ----

// An empty floppy drive takes seconds to say so.
static const char *const never_config_drives[] = { "fd", NULL };

static void copy_value(blkid_probe probe, const char *key, char *ret, size_t size) {
        const char *value;
        if (blkid_probe_lookup_value(probe, key, &value, NULL) == 0)
                snprintf(ret, size, "%s", value);
}

// Non-blocking, so that an empty CD drive is left as it is.
static void probe_volume(const char *path, struct volume *volume) {
        static char types[][8] = { "vfat", "iso9660", "ext2", "ext3", "ext4" };
        char *filter[] = { types[0], types[1], types[2], types[3], types[4], NULL };
        auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return;
        blkid_probe blkid = blkid_new_probe();
        if (blkid && blkid_probe_set_device(blkid, fd, 0, 0) == 0) {
                blkid_probe_enable_superblocks(blkid, 1);
                blkid_probe_set_superblocks_flags(blkid, BLKID_SUBLKS_LABEL | BLKID_SUBLKS_TYPE);
                blkid_probe_filter_superblocks_type(blkid, BLKID_FLTR_ONLYIN, filter);
                if (blkid_do_fullprobe(blkid) == 0) {
                        copy_value(blkid, "LABEL", volume->label, sizeof volume->label);
                        copy_value(blkid, "TYPE", volume->type, sizeof volume->type);
                }
        }
        if (blkid)
                blkid_free_probe(blkid);
}

// FAT keeps labels in capitals.
static bool volume_has_label(const struct volume *volume, const char *label) {
        if (strcmp(volume->type, "vfat") == 0)
                return strcasecmp(volume->label, label) == 0;
        return *volume->type && strcmp(volume->label, label) == 0;
}

static void look_at(const struct disk_host *host, const char *sys_name, const char *label, struct volumes *ret) {
        char path[PATH_MAX], name[sizeof((struct volume *)0)->device - sizeof "/dev/"];
        struct volume volume = { 0 };
        if (strlen(sys_name) >= sizeof name || ret->count == VOLUMES_MAX)
                return;
        disk_device_name(sys_name, name, sizeof name);
        snprintf(path, sizeof path, "%s/%s", host->dev, name);
        snprintf(volume.device, sizeof volume.device, "/dev/%s", name);
        probe_volume(path, &volume);
        if (volume_has_label(&volume, label))
                ret->items[ret->count++] = volume;
}

static void find_volumes(const struct disk_host *host, const char *label, struct volumes *ret) {
        auto_block_devices struct block_devices devices;
        auto_err unreadable = { 0 }; // as if there were none
        ret->count = 0;
        if (!block_devices_list(host->sys, never_config_drives, &devices, &unreadable))
                return;
        for (size_t i = 0; i < devices.count; i++)
                look_at(host, devices.names[i], label, ret);
}

// ---- reading ----

static bool check_drive_text(const struct buf *text, const char *device, struct err *err) {
        const char *bytes = buf_text(text);
        for (size_t i = 0, line = 1; i < text->size; i++) {
                line += bytes[i] == '\n';
                bool control = (unsigned char)bytes[i] < ' ' && !strchr("\t\r\n", bytes[i]);
                if (control || bytes[i] == '\0' || bytes[i] == '\x7f')
                        return fail(err, ERR_IDENTITY, 0,
                                    "line %zu of kiln.conf on %s: a byte 0x%02x, which is no text", line, device,
                                    (unsigned char)bytes[i]);
        }
        return true;
}

// A medium that boots carries a file system on the whole disk and on its partition: the same text is no contradiction.
static bool take_drive_text(struct facts *facts, const struct volume *volume, struct buf *text, struct arena *arena,
                            struct err *err) {
        if (!check_drive_text(text, volume->device, err))
                return false;
        if (facts->config_drive && strcmp(facts->config_drive, buf_text(text)) != 0)
                return fail(err, ERR_IDENTITY, 0,
                            "contradiction: %s and %s are both labelled %s, and their kiln.conf differ",
                            facts->config_device, volume->device, volume->label);
        if (facts->config_drive)
                return true;
        facts->config_drive = arena_strdup(arena, buf_text(text));
        facts->config_device = arena_strdup(arena, volume->device);
        return true;
}

static bool read_volumes(const struct config_drive_host *host, const struct volumes *volumes, struct facts *facts,
                         struct arena *arena, struct err *err) {
        for (size_t i = 0; i < volumes->count; i++) {
                auto_buf text = { .max = CONFIG_DRIVE_MAX + NODE_READ_ROOM_BYTES };
                bool found = false;
                if (!host->read(&volumes->items[i], DRIVE_CONF, &text, &found, err))
                        return wrap(err, "config drive %s (%s, labelled %s)", volumes->items[i].device,
                                    volumes->items[i].type, volumes->items[i].label);
                if (found && !take_drive_text(facts, &volumes->items[i], &text, arena, err))
                        return false;
        }
        return true;
}

// ---- secrets ----

static struct secret_source *source_of_drive(const struct facts *facts) {
        if (facts->secret_source_count <= SECRETS_OF_DRIVE)
                return NULL;
        return &facts->secret_sources[SECRETS_OF_DRIVE];
}

// The same text twice is one drive that shows twice (take_drive_text()).
static void take_secrets(struct secret_source *source, const char *place, const struct buf *text, struct buf *first) {
        bool is_same = first->size == text->size && memcmp(buf_text(first), buf_text(text), text->size) == 0;
        if (*source->place && !is_same) {
                secret_source_fail(source, place, "another drive with that label has a different one");
                return;
        }
        secret_source_parse(source, place, buf_text(text), text->size);
        buf_clear(first);
        buf_append(first, buf_text(text), text->size);
}

// What cannot be read refuses no machine: it has no secrets from there, and says why.
static void read_drive_secrets(const struct config_drive_host *host, const struct volumes *volumes,
                               struct secret_source *source) {
        auto_wiped first = { 0 };
        secret_source_release(source);
        for (size_t i = 0; i < volumes->count && !*source->problem; i++) {
                const struct volume *volume = &volumes->items[i];
                auto_wiped text = { .max = CONFIG_DRIVE_MAX + NODE_READ_ROOM_BYTES };
                auto_err problem = { 0 };
                bool found = false;
                char place[sizeof source->place];
                snprintf(place, sizeof place, "the config drive %s", volume->device);
                if (!host->read(volume, DRIVE_SECRETS, &text, &found, &problem))
                        secret_source_fail(source, place, problem.text);
                else if (found)
                        take_secrets(source, place, &text, &first);
        }
}

static bool has_secrets(const struct secret_source *source) { return source && *source->place; }

static bool find_drive(const struct config_drive_host *host, const char *asked, struct facts *facts,
                       struct arena *arena, struct err *err) {
        const char *label = USUAL_LABEL;
        int64_t deadline = clock_now_ms();
        if (asked) {
                label = asked;
                deadline += host->wait_ms;
        }
        for (;;) {
                struct volumes volumes;
                find_volumes(&host->disks, label, &volumes);
                if (!read_volumes(host, &volumes, facts, arena, err))
                        return false;
                struct secret_source *source = source_of_drive(facts);
                if (source)
                        read_drive_secrets(host, &volumes, source);
                if (facts->config_drive || has_secrets(source) || !asked)
                        return true;
                const char *missing = "no FAT, ISO 9660 or ext file system has that label";
                if (volumes.count > 0)
                        missing = "the volume with that label has no kiln.conf";
                if (clock_now_ms() >= deadline)
                        return fail(err, ERR_IDENTITY, 0, "kiln.config=%s: %s", label, missing);
                usleep(POLL_MS * 1000);
        }
}

const struct config_drive_host config_drive_machine = { .disks = { "/sys/class/block", "/dev" },
                                                        .read = config_drive_read_volume,
                                                        .wait_ms = CONFIG_DRIVE_WAIT_MS };

void config_drive_find(const struct config_drive_host *host, struct facts *facts, struct arena *arena) {
        char label[HOSTNAME_SIZE];
        bool asked = cmdline_value(facts->command_line, "kiln.config", label, sizeof label) && *label;
        const char *wanted = NULL;
        auto_err err = { 0 };
        facts->config_drive = facts->config_device = facts->config_problem = NULL;
        if (source_of_drive(facts))
                secret_source_release(source_of_drive(facts));
        if (asked && strcmp(label, "none") == 0)
                return;
        if (asked)
                wanted = label;
        if (!find_drive(host, wanted, facts, arena, &err)) {
                facts->config_drive = facts->config_device = NULL;
                facts->config_problem = arena_strdup(arena, err.text);
        }
}
