// SPDX-License-Identifier: MIT
// Who this machine is: facts in, one identity or a refusal out. Sources of identity are asked in the order of a table
// (identity_sources.c); sources that match different nodes are a contradiction, which is refused and never resolved by
// order or luck.
#ifndef KILN_NODE_IDENTITY_IDENTITY_H
#define KILN_NODE_IDENTITY_IDENTITY_H

#include "base/buf.h"
#include "firmware/node/cmdline/cmdline.h"
#include "firmware/node/facts/facts.h"
#include "firmware/node/identity/name_servers.h"
#include "firmware/node/inventory/inventory.h"

struct identity {
        const struct inventory_node *node; // NULL: a stranger
        char hostname[HOSTNAME_SIZE];
        const char *hostname_source;
        uint32_t address;
        const char *address_source;
        int prefix;
        uint32_t gateway; // 0: none
        struct name_servers name_servers;
        const struct lease *lease;               // whose address it is; NULL: no lease's
        const struct inventory_network *network; // NULL: none holds the address
        int id;                                  // 0: none
        const char *id_source;
        int mtu;                           // 0: the card's
        const struct interface *interface; // never NULL
        const char *interface_source;
        bool interface_is_guess; // it was chosen for being the only one: another that appears changes that
        bool dhcp;               // keep asking for the address (a stranger), instead of writing it down
        char note[256];          // "" or something the operator should know
};

// What may still change the decision: cards that have not appeared yet, or an answer to DHCP.
enum identity_need { NEED_NOTHING, NEED_INTERFACES, NEED_DHCP };

// ERR_IDENTITY with the reason, in words for the console. `ret_need` is set either way. NEED_DHCP is not said once
// facts->dhcp_asked; NEED_INTERFACES also goes with success, if the card was chosen for being the only one.
must_check bool identity_decide(const struct facts *facts, const struct cmdline *cmdline, struct identity *ret,
                                enum identity_need *ret_need, struct err *err);

// What the cluster calls the machine: the inventory's name, or a stranger's host name.
const char *identity_node_name(const struct identity *identity);

// What an operator needs to enter a machine in an inventory: its cards, DHCP's answers, its serial number.
void identity_describe(const struct facts *facts, struct buf *ret_text);

#endif
