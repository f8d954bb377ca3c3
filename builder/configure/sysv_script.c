// SPDX-License-Identifier: MIT
// SysV init scripts are started by links rcLEVEL.d/SORDERNAME, which chkconfig(8) makes from a line of the script:
// "# chkconfig: LEVELS START STOP".
#include "configure/sysv_script.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "configure/unit.h"
#include "rootfs/tree.h"

const char *const sysv_dirs[SYSV_DIR_COUNT] = { "/etc/rc.d/init.d", "/etc/init.d" };

char *sysv_find(int root, const char *unit_name) {
        const char *dot = strrchr(unit_name, '.');
        if (!dot || strcmp(dot, ".service") != 0)
                return NULL;
        for (size_t i = 0; i < SYSV_DIR_COUNT; i++) {
                auto_free char *path = xasprintf("%s/%.*s", sysv_dirs[i], (int)(dot - unit_name), unit_name);
                if (tree_exists(root, path))
                        return take_ptr(path);
        }
        return NULL;
}

bool sysv_is_script(const char *path) {
        for (size_t i = 0; i < SYSV_DIR_COUNT; i++)
                if (strncmp(path, sysv_dirs[i], strlen(sysv_dirs[i])) == 0)
                        return true;
        return false;
}

// What chkconfig takes where the script says nothing.
struct run_levels {
        char levels[16];
        unsigned start, stop;
};

static bool read_run_levels(int root, const char *path, struct run_levels *ret, struct err *err) {
        auto_buf text = { .max = UNIT_BYTES_MAX };
        *ret = (struct run_levels){ .levels = "2345", .start = 50, .stop = 50 };
        if (!tree_read(root, path, &text, err))
                return false;
        const char *header = strstr(buf_text(&text), "# chkconfig:");
        if (!header)
                return true;
        bool any = sscanf(header, "# chkconfig: %15[0-6] %u %u", ret->levels, &ret->start, &ret->stop) >= 1;
        if (!any)
                ret->levels[0] = '\0'; // "-": on no level
        return true;
}

bool sysv_enable(int root, const char *path, struct err *err) {
        const char *name = unit_base_name(path), *top = "/etc";
        struct run_levels run;
        if (!read_run_levels(root, path, &run, err))
                return false;
        if (tree_exists(root, "/etc/rc.d"))
                top = "/etc/rc.d";
        auto_free char *target = xasprintf("../init.d/%s", name);
        for (const char *level = run.levels; *level; level++) {
                auto_free char *starter = xasprintf("%s/rc%c.d/S%02u%s", top, *level, run.start, name);
                auto_free char *stopper = xasprintf("%s/rc%c.d/K%02u%s", top, *level, run.stop, name);
                if (!tree_remove(root, stopper, err) || !tree_link(root, starter, target, err))
                        return false;
        }
        return true;
}

static bool remove_starters(int root, const char *dir, const char *name, struct err *err) {
        for (unsigned order = 0; order < 100; order++) {
                auto_free char *path = xasprintf("%s/S%02u%s", dir, order, name);
                if (tree_exists(root, path) && !tree_remove(root, path, err))
                        return false;
        }
        return true;
}

bool sysv_disable(int root, const char *path, struct err *err) {
        static const char *const tops[] = { "/etc/rc.d", "/etc" };
        for (size_t i = 0; i < lengthof(tops); i++)
                for (int level = 0; level <= 6; level++) {
                        auto_free char *dir = xasprintf("%s/rc%d.d", tops[i], level);
                        if (!remove_starters(root, dir, unit_base_name(path), err))
                                return false;
                }
        return true;
}
