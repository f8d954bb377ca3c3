// Network configuration, in the style of the image's distribution. A new style is one entry of the table in network.c.
#ifndef KILN_NODE_NETWORK_H
#define KILN_NODE_NETWORK_H

#include "firmware/node/plan.h"

struct network_writer {
        const char *name; // release file's `network:`
        void (*node)(const struct identity *identity, struct plan *plan);
        // A refused machine: every interface by DHCP, so that an operator can log in.
        void (*refused)(const struct facts *facts, struct plan *plan);
};

const struct network_writer *network_writer_find(const char *name); // NULL: unknown

#endif
