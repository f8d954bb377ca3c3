// SPDX-License-Identifier: MIT
// What was decided of the network, for a later look at what came of it: /run/kiln/network.json, which apply writes with
// the network's own files.
#ifndef KILN_NODE_NETWORK_NETWORK_RECORD_H
#define KILN_NODE_NETWORK_NETWORK_RECORD_H

#include "firmware/node/identity/identity.h"
#include "firmware/node/network/network.h"
#include "firmware/node/plan/plan.h"

#define NETWORK_RECORD_PATH "/run/kiln/network.json"

// A link that something is configured on.
struct record_link {
        char name[INTERFACE_NAME_SIZE];
        bool is_card;
        struct mac mac;                                      // of a card
        struct net_address addresses[NET_ADDRESSES_MAX + 1]; // every one that was written down, and the identity's
        size_t address_count;
        uint32_t gateway; // the default route's, IPv4; 0: none
};

struct network_record {
        char writer[32]; // a network_writer's name
        struct record_link links[NET_LINKS_MAX];
        size_t link_count;
};

// Adds the record's file to the plan.
void network_record_add(struct plan *plan, const struct network *network, const struct identity *identity,
                        const char *writer);

// False with ERR_REFERENCE if there is none (apply did not run, or refused), with ERR_SCHEMA if it is not one.
must_check bool network_record_read(int root, struct network_record *ret, struct err *err);

#endif
