// SPDX-License-Identifier: MIT
// /etc/kiln/node.json, which the image carries: who the nodes are and what this image is for. The format is
// builder/shared/node_config.h. Validated on reading; strings are the arena's and never NULL. Who has what is found by
// inventory_find.h.
#ifndef KILN_NODE_INVENTORY_INVENTORY_H
#define KILN_NODE_INVENTORY_INVENTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strings.h"
#include "firmware/node/facts/address.h"
#include "firmware/node/inventory/dhcp_settings.h"
#include "firmware/node/inventory/state_settings.h"
#include "shared/value.h"

enum { INVENTORY_LINKS_MAX = 8 }; // of a node, beside its own

struct inventory_route {
        struct address to, gateway; // of one family; `to` without host bits
        int prefix;
};

struct inventory_network {
        const char *name;
        uint32_t address, gateway;
        int prefix, prefix6; // of IPv6, 0: the network has none
        struct address gateway6;
        uint32_t *dns;
        size_t dns_count;
        int mtu, vlan; // 0: the card's own; no VLAN
        struct inventory_route *routes;
        size_t route_count;
        const char **search; // host names
        size_t search_count;
};

struct inventory_address {
        uint32_t ip;
        const struct inventory_network *network; // never NULL
};

struct inventory_address6 {
        struct address ip;
        const struct inventory_network *network; // never NULL, with a prefix6
};

// A further link of a node, on cards of its own.
struct inventory_link {
        struct mac mac;           // of its card, or of the bond's first member
        const char *interface;    // what the card is called; "": what the kernel calls it
        const char *bond;         // name; "": none
        struct mac *bond_members; // with `mac` among them
        size_t bond_member_count;
        const char *bond_options;
        const struct inventory_network *network; // of its first address, or that DHCP answers in; NULL: not known
        struct inventory_address *addresses;
        size_t address_count;
        struct inventory_address6 *addresses6;
        size_t address6_count;
        bool dhcp, default_route;
        int mtu, vlan; // 0: the card's own; no VLAN
        struct inventory_route *routes;
        size_t route_count;
};

struct inventory_node {
        const char *name, *role;
        struct strings aliases; // further names, for /etc/hosts
        struct mac mac;
        bool has_mac;
        uint32_t ip;
        int id;                                  // 0: none
        int index;                               // among the nodes of its role
        const struct inventory_network *network; // never NULL
        struct inventory_address *addresses;     // further ones
        size_t address_count;
        struct inventory_address6 *addresses6;
        size_t address6_count;
        const char *interface;    // what the card with `mac` is called; "": what the kernel calls it
        const char *bond;         // name; "": none
        struct mac *bond_members; // with `mac` among them
        size_t bond_member_count;
        const char *bond_options;     // "mode=802.3ad,lacp_rate=fast"
        struct inventory_link *links; // beside the one with `ip`
        size_t link_count;
        const char *serial, *uuid, *asset_tag; // SMBIOS (shared/smbios.h); "": not known
        struct value *variables;
};

// A role of the cluster.
struct inventory_role {
        const char *name;
        struct strings ancestors; // the roles that it inherits
};

struct inventory_vip {
        const char *name;
        uint32_t ip;
};

struct inventory_template {
        const char *path, *source;
        unsigned mode, uid, gid;
        struct strings secrets;  // without a value for each of these it is not rendered,
        struct strings services; // and these units stay down
};

struct inventory {
        const char *cluster, *role, *build, *release, *network_writer, *hosts, *report_url;
        bool ensemble, strangers;
        struct value *stranger_variables; // a map
        struct inventory_network *networks;
        size_t network_count;
        struct inventory_node *nodes;
        size_t node_count;
        struct inventory_role *roles; // none in an image of an older builder
        size_t role_count;
        struct inventory_vip *vips;
        size_t vip_count;
        struct inventory_template *templates;
        size_t template_count;
        struct strings secrets; // names of all that the templates speak of
        struct state_settings state;
        struct dhcp_settings dhcp;
};

// ERR_SYNTAX for text that is no JSON, ERR_SCHEMA for anything else that is wrong, with the place in the tree.
must_check bool inventory_read(const char *text, size_t size, struct arena *arena, struct inventory *ret,
                               struct err *err);

#endif
