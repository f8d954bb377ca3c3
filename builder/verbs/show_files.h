// SPDX-License-Identifier: MIT
// Files as a machine will have them, for people and programs.
#ifndef KILN_VERBS_SHOW_FILES_H
#define KILN_VERBS_SHOW_FILES_H

#include "base/err.h"
#include "profile/profile.h"

// What is shown of it: with `json` an object a line for each.
struct shown_machine {
        const struct cluster *cluster;
        const struct role *role; // NULL: nobody said which machine it is
        const struct node *node; // NULL: one that the inventory does not know
        bool json;
};

// The file at an absolute path, or the names of those below a directory. USAGE: no machine; REFERENCE: neither the role
// nor kiln makes it before the machine boots.
must_check bool show_path(const struct shown_machine *machine, const char *path, struct err *err);

// What every template of the role becomes.
must_check bool show_templates(const struct shown_machine *machine, struct err *err);

#endif
