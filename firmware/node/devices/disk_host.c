// SPDX-License-Identifier: MIT
#include "firmware/node/devices/disk_host.h"

#include <stdio.h>
#include <string.h>

void disk_device_name(const char *sys_name, char *ret, size_t size) {
        snprintf(ret, size, "%s", sys_name);
        for (char *bang = ret; (bang = strchr(bang, '!'));)
                *bang = '/';
}
