// SPDX-License-Identifier: MIT
#include "firmware/node/devices/console.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

static void console_write(const char *name, const char *text) {
        char path[300];
        snprintf(path, sizeof path, "/dev/%s", name);
        auto_close int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0)
                (void)!write(fd, text, strlen(text));
}

void console_show_on_others(const char *text) {
        assert(text);
        char active[256] = "";
        auto_close int list = open("/sys/class/tty/console/active", O_RDONLY | O_CLOEXEC);
        if (list < 0 || read(list, active, sizeof active - 1) <= 0)
                return;
        // The last one is /dev/console.
        char *last = strrchr(active, ' ');
        if (!last)
                return;
        *last = '\0';
        char *save = NULL;
        for (char *name = strtok_r(active, " \n", &save); name; name = strtok_r(NULL, " \n", &save))
                console_write(name, text);
}
