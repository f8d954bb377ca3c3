// SPDX-License-Identifier: MIT
#include "firmware/node/state/state_overlay.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OLD_MAX = 1000 };

static bool is_occupied(int error) { return error == ENOTEMPTY || error == EEXIST; }

// Where an older layer is still being removed, this one goes into the same directory, and is removed with it.
static bool add_to_old(struct err *err) {
        for (int i = 0; i < OLD_MAX; i++) {
                char path[sizeof STATE_OVERLAY_OLD + 16];
                snprintf(path, sizeof path, STATE_OVERLAY_OLD "/%d", i);
                if (rename(STATE_OVERLAY, path) == 0)
                        return true;
                if (!is_occupied(errno))
                        return fail(err, ERR_SYSTEM, errno, "rename " STATE_OVERLAY " to %s", path);
        }
        return fail(err, ERR_SYSTEM, 0, STATE_OVERLAY_OLD " holds %d layers: remove it", OLD_MAX);
}

// A link, a FIFO or a file in the place of a layer is nobody's work: it goes. The directory kiln is none of these,
// see state_check_layout().
static bool remove_other_kind(const char *path, struct err *err) {
        struct stat stat;
        bool is_other = lstat(path, &stat) == 0 && !S_ISDIR(stat.st_mode);
        return !is_other || unlink(path) == 0 || fail(err, ERR_SYSTEM, errno, "remove %s", path);
}

bool state_overlay_discard(struct err *err) {
        if (!remove_other_kind(STATE_OVERLAY, err) || !remove_other_kind(STATE_OVERLAY_OLD, err))
                return false;
        if (rename(STATE_OVERLAY, STATE_OVERLAY_OLD) == 0 || errno == ENOENT)
                return true;
        if (is_occupied(errno))
                return add_to_old(err);
        return fail(err, ERR_SYSTEM, errno, "rename " STATE_OVERLAY " to " STATE_OVERLAY_OLD);
}

// Whether the file system tells the types of files in its directories (readdir(3), d_type). On one that does not,
// overlayfs only warns, and then shows files that were removed.
static bool check_types(struct err *err) {
        DIR *directory = opendir(STATE_MOUNT "/kiln");
        const struct dirent *entry;
        bool known = false;
        if (!directory)
                return fail(err, ERR_SYSTEM, errno, "open " STATE_MOUNT "/kiln");
        while ((entry = readdir(directory)))
                known |= strcmp(entry->d_name, "overlay") == 0 && entry->d_type == DT_DIR;
        closedir(directory);
        return known ||
               fail(err, ERR_REFERENCE, 0,
                    "overlayfs cannot use the file system on the state disk, whose directories do not tell the "
                    "types of files (XFS needs ftype=1, ext4 filetype): make it anew");
}

bool state_overlay_make(struct err *err) {
        if (mkdir(STATE_MOUNT "/kiln", 0755) < 0 && errno != EEXIST)
                return fail(err, ERR_SYSTEM, errno, "make directory " STATE_MOUNT "/kiln");
        if (mkdir(STATE_OVERLAY, 0700) < 0)
                return fail(err, ERR_SYSTEM, errno, "make directory " STATE_OVERLAY);
        return check_types(err);
}
