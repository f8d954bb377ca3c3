// SPDX-License-Identifier: MIT
// The network of the booted system: its links, in the order in which they are made. network_compose.h fills it, a
// writer (network_writer.h) puts it down.
#ifndef KILN_NODE_NETWORK_NETWORK_H
#define KILN_NODE_NETWORK_NETWORK_H

#include "firmware/node/dhcp/dhcp_packet.h"
#include "shared/bond.h"

enum {
        NET_LINKS_MAX = 32,
        NET_ADDRESSES_MAX = 8,
        NET_ROUTES_MAX = 32,
        NET_DNS_MAX = 8,
        NET_SEARCH_MAX = 8,
        NET_MEMBERS_MAX = BOND_MEMBERS_MAX,
        NET_NOTES_MAX = 8
};

enum net_kind { NET_CARD, NET_VLAN, NET_BOND };

struct net_address {
        struct address address;
        int prefix;
        const char *source; // who gave it: "inventory", "ip="
};

struct net_route {
        struct address to; // with prefix 0: the default route of that family
        int prefix;
        struct address gateway; // family 0: on the link
};

struct net_link {
        enum net_kind kind;
        char name[INTERFACE_NAME_SIZE];  // what the booted system calls it
        char now[INTERFACE_NAME_SIZE];   // NET_CARD: what the running system calls it
        struct mac mac;                  // NET_CARD: which card it is. NET_BOND: the one that it shows
        bool pin_name;                   // NET_CARD: the card is given this name for its MAC, whatever the kernel says
        int mtu;                         // 0: the card's own
        bool dhcp4, dhcp6, auto6;        // ask for an address; take one of a router's advertisement (RFC 4862)
        struct dhcp_client_id client_id; // with dhcp4: as kiln-node's own client shows it, so that both have one lease
        bool no_default4, no_default6;   // what DHCP or a router says is no default route: another link has it
        bool is_probed;                  // its IPv4 addresses need no ARP probe: kiln-node asked, or nobody may ask
        struct net_address addresses[NET_ADDRESSES_MAX];
        size_t address_count;
        struct net_route routes[NET_ROUTES_MAX];
        size_t route_count;
        struct address dns[NET_DNS_MAX];
        size_t dns_count;
        char search[NET_SEARCH_MAX][DOMAIN_SIZE];
        size_t search_count;
        // NET_VLAN: IEEE 802.1Q id 1..4094 on a link that comes earlier
        char parent[INTERFACE_NAME_SIZE];
        int vlan_id;
        // NET_BOND: links that come earlier, and the driver's options, "mode=802.3ad,miimon=100" (bonding.rst); known
        // ones only, numbers of modes and policies as their names, targets separated by ';'
        char members[NET_MEMBERS_MAX][INTERFACE_NAME_SIZE];
        size_t member_count;
        char bond_options[BOND_OPTIONS_SIZE];
};

struct network {
        struct net_link links[NET_LINKS_MAX]; // cards, then bonds, then VLANs
        size_t link_count;
        size_t primary; // the link that holds the identity's address
        char notes[NET_NOTES_MAX][128];
        size_t note_count;
};

const struct net_link *network_find(const struct network *network, const char *name); // NULL: no such link

#endif
