// SPDX-License-Identifier: MIT
// systemd's units in an image, and the links below /etc/systemd/system that `systemctl enable` makes for them:
// systemd.unit(5), sections "Unit File Load Path" and "[Install] Section Options". `root` is the image, opened for
// writing; every path is one of the image.
#ifndef KILN_CONFIGURE_UNIT_H
#define KILN_CONFIGURE_UNIT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

#define UNIT_CONFIG_DIR "/etc/systemd/system"

enum { UNIT_BYTES_MAX = 1 << 20 };

// A unit as its [Install] section describes it. An alias is followed: the unit is the one that the link leads to.
struct unit {
        char *name; // "getty@tty1.service"
        char *file; // absolute: "/usr/lib/systemd/system/getty@.service"; NULL when there is no such unit
        bool masked, has_install;
        struct buf wanted_by, required_by, alias, also, default_instance; // words between single spaces
};

// Finds a unit by its name and reads it. False only for a file that cannot be read. To be released in any case.
must_check bool unit_load(int root, const char *name, struct unit *ret, struct err *err);
void unit_release(struct unit *unit);

// The unit of the image whose name is most like `name`, for a message: heap, or NULL if none is near.
must_check bool unit_nearest(int root, const char *name, char **ret_name, struct err *err);

// Makes the links that [Install] asks for, those of the units in Also= too, and removes the unit's own mask. The unit
// must have a file. REFERENCE for a template that has no default instance.
must_check bool unit_enable(int root, const struct unit *unit, struct err *err);

// Removes every link that starts the unit, and what its Also= names. A unit that does not exist is none to be started.
must_check bool unit_disable(int root, const char *name, struct err *err);

// ---- what the files about units share ----

// The part of a path behind its last slash.
const char *unit_base_name(const char *path);
// "getty@.service" is a template.
bool unit_is_template(const char *name);
// "getty@tty1.service" -> "getty@.service", heap; NULL for a name without an instance.
char *unit_template_of(const char *name);
// Takes the next of words between spaces off a list; heap, NULL at its end.
char *unit_next_word(const char **words);

// Reads the [Install] section of a unit's file or of one of its drop-ins into the unit.
void unit_parse_install(struct unit *unit, const char *text);

#endif
