// SPDX-License-Identifier: MIT
// Finds a medium by the label of its file system.
#include <assert.h>
#include <blkid/blkid.h>
#include <errno.h>
#include <limits.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "firmware/node/devices/block_devices.h"
#include "firmware/node/devices/disk_host.h"
#include "firmware/node/devices/module_load.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/initrd/initrd.h"

// The kernel sends no event when a disc has spun up, so drives are asked again.
enum { ASK_AGAIN_MS = 200, EVENT_MAX = 8192 };

// The label and type of what is on a device, "" where there is none. False if it cannot be read (an empty drive).
static bool probe_device(const char *path, char ret_label[static 64], char ret_type[static 32]) {
        ret_label[0] = ret_type[0] = '\0';
        blkid_probe probe = blkid_new_probe_from_filename(path);
        if (!probe)
                return false;
        blkid_probe_enable_superblocks(probe, 1);
        blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_LABEL | BLKID_SUBLKS_TYPE);
        const char *value;
        if (blkid_do_fullprobe(probe) == 0) {
                if (blkid_probe_lookup_value(probe, "LABEL", &value, NULL) == 0)
                        snprintf(ret_label, 64, "%s", value);
                if (blkid_probe_lookup_value(probe, "TYPE", &value, NULL) == 0)
                        snprintf(ret_type, 32, "%s", value);
        }
        blkid_free_probe(probe);
        return true;
}

// Whether a device has the label: then its name and type are in `ret`. What was seen instead goes to `seen`.
static bool has_label(const char *sys_name, const char *label, struct buf *ret, struct buf *seen) {
        char path[NAME_MAX + 8] = "/dev/", found_label[64], type[32];
        disk_device_name(sys_name, path + strlen(path), sizeof path - strlen(path));
        if (!probe_device(path, found_label, type))
                return false;
        if (seen->size > 0)
                buf_append_text(seen, ", ");
        buf_printf(seen, "%s \"%s\"", path, found_label);
        if (strcmp(found_label, label) != 0)
                return false;
        buf_printf(ret, "%s %s\n", path, type);
        return true;
}

static bool find_medium(const char *label, struct buf *ret, struct buf *seen) {
        static const char *const none_skipped[] = { NULL };
        auto_block_devices struct block_devices devices;
        auto_err unreadable = { 0 }; // as if there were none
        if (!block_devices_list("/sys/class/block", none_skipped, &devices, &unreadable))
                return false;
        for (size_t i = 0; i < devices.count; i++)
                if (has_label(devices.names[i], label, ret, seen))
                        return true;
        return false;
}

// ---- waiting: the kernel says what appears ----

static int open_events(void) {
        struct sockaddr_nl from = { .nl_family = AF_NETLINK, .nl_groups = 1 }; // the kernel's, not udev's
        int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
        if (fd >= 0 && bind(fd, (struct sockaddr *)&from, sizeof from) == 0)
                return fd;
        close_cleanup(&fd);
        return -1;
}

// "add@/devices/...", then KEY=VALUE texts, each with its NUL.
static void take_event(struct modules *modules, const char *event, size_t size) {
        if (strncmp(event, "add@", 4) != 0 || !modules)
                return;
        for (const char *at = event; at < event + size; at += strlen(at) + 1)
                if (strncmp(at, "MODALIAS=", 9) == 0)
                        modules_load_alias(modules, at + 9);
}

// Waits for an event, and takes all that are there.
static void wait_for_events(int fd, struct modules *modules, int timeout_ms) {
        char event[EVENT_MAX];
        struct pollfd poller = { fd, POLLIN, 0 };
        // poll(2) leaves out a negative descriptor, and waits.
        if (poll(&poller, 1, timeout_ms) <= 0)
                return;
        for (;;) {
                struct sockaddr_nl from = { 0 };
                socklen_t length = sizeof from;
                ssize_t size = recvfrom(fd, event, sizeof event - 1, 0, (struct sockaddr *)&from, &length);
                if (size <= 0 && errno != ENOBUFS) // some were lost: a scan finds what they told of
                        return;
                if (size <= 0 || from.nl_pid != 0)
                        continue;
                event[size] = '\0';
                take_event(modules, event, (size_t)size);
        }
}

static bool wait_for_label(const char *label, int timeout_ms, int events, struct modules *modules, struct buf *ret,
                           struct err *err) {
        int64_t deadline = clock_now_ms() + timeout_ms;
        for (;;) {
                auto_buf seen = { 0 };
                if (find_medium(label, ret, &seen))
                        return true;
                int64_t left_ms = deadline - clock_now_ms();
                if (seen.size == 0)
                        buf_append_text(&seen, "no block device");
                if (left_ms <= 0)
                        return fail(err, ERR_REFERENCE, 0, "no medium with label \"%s\" (found: %s)", label,
                                    buf_text(&seen));
                if (left_ms > ASK_AGAIN_MS)
                        left_ms = ASK_AGAIN_MS;
                wait_for_events(events, modules, (int)left_ms);
        }
}

bool initrd_find_label(const char *label, int timeout_ms, struct buf *ret, struct err *err) {
        assert(label);
        auto_close int events = open_events(); // before the drivers: what they find must not be missed
        struct modules *modules = NULL;
        auto_err no_modules = { 0 }; // a kernel that has everything built in
        if (modules_open(MODULES_MEDIUM, &modules, &no_modules))
                modules_load_drivers(modules);
        bool found = wait_for_label(label, timeout_ms, events, modules, ret, err);
        modules_close(modules);
        return found;
}
