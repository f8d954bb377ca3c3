// SPDX-License-Identifier: MIT
// What the parts of the network's code share: composing (network_links.c, network_compose.c, network_bond.c), and the
// writers (network_networkd.c, network_ifcfg.c, network_manager.c) with what they have in common (network_text.c).
#ifndef KILN_NODE_NETWORK_NETWORK_INTERNAL_H
#define KILN_NODE_NETWORK_NETWORK_INTERNAL_H

#include <string.h>

#include "firmware/node/inventory/inventory.h"
#include "firmware/node/network/network_compose.h"
#include "firmware/node/network/network_writer.h"

extern const struct network_writer network_writer_networkd, network_writer_ifcfg, network_writer_manager;

// ---- composing ----

struct composer {
        const struct facts *facts;
        const struct cmdline *cmdline;
        const struct identity *identity;
        struct network *network;
};

// Every link that the command line, the inventory and the identity ask for, without addresses; network->primary is set.
must_check bool network_add_links(struct composer *composer, struct err *err);

// A link by its name; a card also by the name that it still has, where no link has that name. NULL: no such link.
struct net_link *composer_find(const struct composer *composer, const char *name);
struct net_link *composer_find_mac(const struct composer *composer, const struct mac *mac);
const struct interface *composer_interface(const struct composer *composer, const struct mac *mac); // NULL: absent
// The card or bond below a VLAN, or else the link itself.
struct net_link *composer_base(const struct composer *composer, struct net_link *link);
// The link of one of the networks that a further link of the inventory is in: its card or bond, or a VLAN on that.
// NULL: the machine has no such card.
struct net_link *composer_inventory_link(const struct composer *composer, const struct inventory_link *link,
                                         const struct inventory_network *network);
void network_note(struct network *network, const char *format, ...) __attribute__((format(printf, 2, 3)));

// ip= says the identity's own address, so that its interface is the primary link.
bool composer_ip_is_primary(const struct composer *composer, const struct cmdline_ip *ip);

// Options as bond= has them, into `ret`: checked, numbers as names, with a link monitor if they name none. `what` says
// in messages whose they are.
must_check bool bond_options_normalise(const char *options, const char *what, char ret[static BOND_OPTIONS_SIZE],
                                       struct err *err);

// ERR_IDENTITY: an address on a bond's member, a router out of reach, two default routes, an MTU too small for IPv6.
must_check bool network_check(const struct network *network, struct err *err);

// ---- reading a network ----

bool address_is_link_local6(const struct address *address); // fe80::/10
// Of the same family, and equal in the first `prefix` bits.
bool address_is_in(const struct address *address, const struct address *subnet, int prefix);

const struct net_link *network_bond_of(const struct network *network, const struct net_link *member); // NULL: none
bool network_is_parent(const struct network *network, const struct net_link *link);
bool link_has_addresses(const struct net_link *link); // or asks for some
// Whether anything is to be configured on it: a card may be there only for its name.
bool link_is_used(const struct network *network, const struct net_link *link);
bool route_is_default(const struct net_route *route);

// ---- writing ----

// "192.168.2.71/24"
enum { NET_PREFIX_TEXT_SIZE = ADDRESS_ANY_TEXT_SIZE + 4 };
void net_prefix_format(const struct address *address, int prefix, char ret_text[static NET_PREFIX_TEXT_SIZE]);
void put_any(struct buf *text, const char *before, const struct address *address, const char *after);

// "BEFORE example.org SEPARATOR lab.example.org AFTER", without the blanks; nothing if the link has no search domains.
void put_search_domains(struct buf *text, const struct net_link *link, const char *before, const char *separator,
                        const char *after);
bool link_has_family(const struct net_link *link, int family); // an address of it, written down

// As RFC 4361 has it: an IAID and a DUID, not the MAC.
bool client_id_is_duid(const struct dhcp_client_id *id);
void put_hex(struct buf *text, const uint8_t *bytes, size_t size); // "01:52:54"

// systemd.link(5): udev gives the card its name at each later boot, whoever configures the network.
void plan_add_link_files(struct plan *plan, const struct network *network);
// Whether a card's name can stand in a file's name and content.
bool interface_is_writable(const struct interface *interface);

#endif
