// SPDX-License-Identifier: MIT
// A machine and all that is known of it before anything is asked: the image's inventory and templates, what the initrd
// left, the kernel command line. Hardware, a config drive and DHCP add to these facts later.
#ifndef KILN_NODE_MACHINE_MACHINE_H
#define KILN_NODE_MACHINE_MACHINE_H

#include "base/err.h"
#include "base/mem.h"
#include "firmware/node/facts/facts.h"
#include "firmware/node/inventory/inventory.h"
#include "firmware/node/secrets/secret_source.h"

// Owns what `facts` points to.
struct machine {
        struct arena arena;
        struct inventory inventory;
        struct facts facts;
        struct secret_source secret_sources[SECRET_PLACES];
        int root; // the opened root directory, -1 before
};

// Opens the root and reads /etc/kiln/node.json and the templates it names. `command_line_file`: NULL for /proc/cmdline.
// machine_close() it in any case.
must_check bool machine_open(const char *root, const char *command_line_file, struct machine *ret, struct err *err);
void machine_close(struct machine *machine);

#endif
