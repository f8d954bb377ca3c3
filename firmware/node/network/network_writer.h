// SPDX-License-Identifier: MIT
// Writers put a network down in the style of the image's distribution. A new style is one file, and one entry of the
// table in network_writer.c.
#ifndef KILN_NODE_NETWORK_NETWORK_WRITER_H
#define KILN_NODE_NETWORK_NETWORK_WRITER_H

#include "firmware/node/network/network.h"
#include "firmware/node/plan/plan.h"

struct network_writer {
        const char *name;    // release file's `network:`
        const char *service; // the unit that reads the files
        void (*node)(const struct network *network, struct plan *plan);
        // A refused machine: every interface by DHCP, so that an operator can log in.
        void (*refused)(const struct facts *facts, struct plan *plan);
};

const struct network_writer *network_writer_find(const char *name); // NULL: unknown

#endif
