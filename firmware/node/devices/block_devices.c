// SPDX-License-Identifier: MIT
#include "firmware/node/devices/block_devices.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const char *const never_stored_on[] = { ".", "loop", "ram", "zram", "dm-", NULL };

static bool has_prefix_of(const char *name, const char *const *prefixes) {
        for (; *prefixes; prefixes++)
                if (strncmp(name, *prefixes, strlen(*prefixes)) == 0)
                        return true;
        return false;
}

static int compare_device_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

bool block_devices_list(const char *sys, const char *const *skipped, struct block_devices *ret, struct err *err) {
        assert(sys && skipped);
        *ret = (struct block_devices){ 0 };
        auto_closedir DIR *directory = opendir(sys);
        if (!directory)
                return fail(err, ERR_SYSTEM, errno, "list the disks in %s", sys);
        for (struct dirent *entry; (entry = readdir(directory));) {
                if (has_prefix_of(entry->d_name, never_stored_on) || has_prefix_of(entry->d_name, skipped))
                        continue;
                char **name = array_append(&ret->names, &ret->count);
                *name = xstrdup(entry->d_name);
        }
        if (ret->count > 0)
                qsort(ret->names, ret->count, sizeof *ret->names, compare_device_names);
        return true;
}

void block_devices_release(struct block_devices *devices) {
        for (size_t i = 0; i < devices->count; i++)
                free(devices->names[i]);
        free(devices->names);
        *devices = (struct block_devices){ 0 };
}
