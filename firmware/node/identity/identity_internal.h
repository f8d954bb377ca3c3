// SPDX-License-Identifier: MIT
// What the files that decide an identity share.
#ifndef KILN_NODE_IDENTITY_IDENTITY_INTERNAL_H
#define KILN_NODE_IDENTITY_IDENTITY_INTERNAL_H

#include "firmware/node/identity/identity.h"

// A source says that this machine is a node of the inventory, and by what.
struct match {
        const struct inventory_node *node;
        const char *source;
        char how[96];
};

enum { MATCHES_MAX = 128 };

struct matches {
        struct match items[MATCHES_MAX];
        size_t count;
};

// All that decides: what is known of the machine, what it was told, and which nodes that matches.
struct situation {
        const struct facts *facts;
        const struct cmdline *cmdline;
        struct matches matches; // in the order of the sources
};

// ---- identity_sources.c ----

// Asks every source. ERR_IDENTITY if two name different nodes, or if one names a node that there is not.
must_check bool identity_match_sources(struct situation *at, struct err *err);

// There is a match. A member of an ensemble that the inventory knows by its hardware is not taken on the word of DHCP.
must_check bool identity_check_trust(const struct situation *at, const struct inventory_node *node, struct err *err);

// What the inventory knows of the node's hardware and this machine does not have: a note, "" if there is nothing.
void identity_note_hardware(const struct facts *facts, const struct inventory_node *node, char *ret, size_t size);

// ---- identity_card.c ----

// The lease that belongs to the node; for a stranger (NULL) the one of the card that the command line names, or the
// first. NULL: none.
const struct lease *lease_for(const struct situation *at, const struct inventory_node *node);

// The card that an ip= names, or the one below the link that it names. NULL: it names none, or it is not there.
const struct interface *card_of_ip(const struct situation *at, const struct inventory_node *node,
                                   const struct cmdline_ip *ip);

// The card that ip= or bootdev= asks for is there. DHCP would not bring it.
must_check bool card_check_asked(const struct situation *at, const struct inventory_node *node, uint32_t address,
                                 struct err *err);

// Sets identity->interface, for the node and address that it holds already.
must_check bool choose_card(const struct situation *at, struct identity *identity, struct err *err);

// ERR_IDENTITY: there is no card at all. Always false.
bool card_refuse_absent(struct err *err);

#endif
