// SPDX-License-Identifier: MIT
// From what the command line and the inventory say of a machine to its links, addresses and routes.
#ifndef KILN_NODE_NETWORK_NETWORK_COMPOSE_H
#define KILN_NODE_NETWORK_NETWORK_COMPOSE_H

#include "firmware/node/identity/identity.h"
#include "firmware/node/network/network.h"

// Every value of `ret` is safe in the files of every writer: names are of letters, digits, '.', '_' and '-', domains
// are host names. ERR_IDENTITY for a command line or inventory that contradicts itself or this machine, both sides
// named.
must_check bool network_compose(const struct facts *facts, const struct cmdline *cmdline,
                                const struct identity *identity, struct network *ret, struct err *err);

#endif
