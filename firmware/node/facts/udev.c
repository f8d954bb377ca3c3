// SPDX-License-Identifier: MIT
#include "firmware/node/facts/udev.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

static bool udev_has(const char *run, const char *name) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", run, name);
        return access(path, F_OK) == 0;
}

static bool udev_is_running(const char *run) { return udev_has(run, "control"); }

bool udev_is_busy(const char *run) {
        assert(run);
        return udev_is_running(run) && udev_has(run, "queue");
}

bool udev_is_done_with_card(const char *run, int index) {
        assert(run && index > 0);
        if (!udev_is_running(run))
                return true;
        char path[PATH_MAX], line[1024];
        snprintf(path, sizeof path, "%s/data/n%d", run, index);
        auto_fclose FILE *entry = fopen(path, "re");
        bool is_initialized = false, is_renaming = false;
        while (entry && fgets(line, sizeof line, entry)) {
                is_initialized |= strncmp(line, "I:", 2) == 0;
                is_renaming |= strcmp(line, "E:ID_RENAMING=1\n") == 0;
        }
        return is_initialized && !is_renaming;
}
