// SPDX-License-Identifier: MIT
// What the links carry: addresses, routes, name servers and MTUs.
#include <assert.h>
#include <stdio.h>

#include "firmware/node/inventory/inventory_find.h"
#include "firmware/node/network/network_internal.h"

enum { MTU_STANDARD = 1500, PREFIX6_STANDARD = 64 };

static struct net_link *primary(const struct composer *composer) {
        return &composer->network->links[composer->network->primary];
}

// ---- adding, once ----

static bool add_address(struct composer *composer, struct net_link *link, const struct address *address, int prefix,
                        const char *source, struct err *err) {
        const struct network *network = composer->network;
        char text[ADDRESS_ANY_TEXT_SIZE];
        address_format_any(address, text);
        if (address->family == 4 && !address_is_host_of(ipv4_of_address(address), prefix))
                return fail(err, ERR_IDENTITY, 0, "%s gives %s %s/%d, which is no host's address", source, link->name,
                            text, prefix);
        for (size_t i = 0; i < network->link_count; i++) {
                const struct net_link *other = &network->links[i];
                for (size_t j = 0; j < other->address_count; j++) {
                        const struct net_address *known = &other->addresses[j];
                        if (!address_equal(&known->address, address))
                                continue;
                        if (other == link && known->prefix == prefix)
                                return true;
                        return fail(err, ERR_IDENTITY, 0, "contradiction: %s is %s/%d on %s (%s) and %s/%d on %s (%s)",
                                    text, text, known->prefix, other->name, known->source, text, prefix, link->name,
                                    source);
                }
        }
        if (link->address_count == NET_ADDRESSES_MAX)
                return fail(err, ERR_IDENTITY, 0, "%s has more than %d addresses", link->name, NET_ADDRESSES_MAX);
        link->addresses[link->address_count++] = (struct net_address){ *address, prefix, source };
        return true;
}

static bool same_route(const struct net_route *a, const struct net_route *b) {
        return a->prefix == b->prefix && address_equal(&a->to, &b->to) && address_equal(&a->gateway, &b->gateway);
}

static bool compose_route(struct net_link *link, const struct net_route *route, struct err *err) {
        for (size_t i = 0; i < link->route_count; i++)
                if (same_route(&link->routes[i], route))
                        return true;
        if (link->route_count == NET_ROUTES_MAX)
                return fail(err, ERR_IDENTITY, 0, "%s has more than %d routes", link->name, NET_ROUTES_MAX);
        link->routes[link->route_count++] = *route;
        return true;
}

static bool compose_gateway(struct net_link *link, const struct address *gateway, struct err *err) {
        struct net_route route = { .to.family = gateway->family, .gateway = *gateway };
        return gateway->family == 0 || compose_route(link, &route, err);
}

static void add_search(struct net_link *link, const char *domain) {
        if (link->search_count == NET_SEARCH_MAX)
                return;
        for (size_t i = 0; i < link->search_count; i++)
                if (strcmp(link->search[i], domain) == 0)
                        return;
        memcpy(link->search[link->search_count++], domain, strlen(domain) + 1);
}

static bool set_mtu(struct net_link *link, int mtu, const char *source, struct err *err) {
        if (mtu && link->mtu && mtu != link->mtu)
                return fail(err, ERR_IDENTITY, 0, "contradiction: the MTU of %s is %d, and %d (%s)", link->name,
                            link->mtu, mtu, source);
        if (mtu)
                link->mtu = mtu;
        return true;
}

static bool has_default(const struct net_link *link, int family) {
        for (size_t i = 0; i < link->route_count; i++)
                if (route_is_default(&link->routes[i]) && link->routes[i].to.family == family)
                        return true;
        return false;
}

// ---- from the inventory ----

static bool compose_network_routes(struct net_link *link, const struct inventory_network *from, int family,
                                   struct err *err) {
        for (size_t i = 0; i < from->route_count; i++) {
                const struct inventory_route *route = &from->routes[i];
                struct net_route made = { route->to, route->prefix, route->gateway };
                if (route->to.family == family && !compose_route(link, &made, err))
                        return false;
        }
        return true;
}

static bool compose_inventory_network(struct net_link *link, const struct inventory_network *from, struct err *err) {
        if (!compose_network_routes(link, from, 4, err))
                return false;
        for (size_t i = 0; i < from->search_count; i++)
                add_search(link, from->search[i]);
        return true;
}

static struct net_link *link_of_network(const struct composer *composer, const struct inventory_network *network) {
        assert(network);
        struct net_link *first = primary(composer), *base = composer_base(composer, first);
        for (size_t i = 0; network->vlan && i < composer->network->link_count; i++) {
                struct net_link *link = &composer->network->links[i];
                if (link->vlan_id == network->vlan && strcmp(link->parent, base->name) == 0)
                        return link;
        }
        if (network == composer->identity->network)
                return first;
        return base;
}

static bool add_node_addresses(struct composer *composer, struct err *err) {
        const struct inventory_node *node = composer->identity->node;
        for (size_t i = 0; node && i < node->address_count; i++) {
                const struct inventory_network *network = node->addresses[i].network;
                struct net_link *link = link_of_network(composer, network);
                struct address address = address_of_ipv4(node->addresses[i].ip);
                if (!add_address(composer, link, &address, network->prefix, "inventory", err))
                        return false;
                if (network == composer->identity->network)
                        continue; // it was added with the identity's own address
                if (!set_mtu(link, network->mtu, "inventory", err) || !compose_inventory_network(link, network, err))
                        return false;
        }
        return true;
}

// ---- IPv6 of the inventory ----

// An address, and the routes of its network, which nobody without such an address takes.
static bool add_address6(struct composer *composer, struct net_link *link, const struct inventory_address6 *from,
                         bool is_default, struct err *err) {
        struct address gateway = from->network->gateway6;
        if (!is_default)
                gateway.family = 0;
        return add_address(composer, link, &from->ip, from->network->prefix6, "inventory", err) &&
               compose_network_routes(link, from->network, 6, err) && compose_gateway(link, &gateway, err);
}

static bool has_default_link(const struct composer *composer);

// The default route is of the network with the node's `ip`.
static bool add_node_addresses6(struct composer *composer, struct err *err) {
        const struct inventory_node *node = composer->identity->node;
        for (size_t i = 0; node && i < node->address6_count; i++) {
                const struct inventory_address6 *from = &node->addresses6[i];
                bool is_default = from->network == composer->identity->network && !has_default_link(composer);
                if (!add_address6(composer, link_of_network(composer, from->network), from, is_default, err))
                        return false;
        }
        return true;
}

// ---- further links of the inventory ----

static bool has_default_link(const struct composer *composer) {
        const struct inventory_node *node = composer->identity->node;
        for (size_t i = 0; node && i < node->link_count; i++)
                if (node->links[i].default_route)
                        return true;
        return false;
}

static bool add_link_address(struct composer *composer, const struct inventory_link *from, size_t index,
                             struct err *err) {
        const struct inventory_network *network = from->addresses[index].network;
        struct net_link *link = composer_inventory_link(composer, from, network);
        struct address address = address_of_ipv4(from->addresses[index].ip);
        struct address gateway = address_of_ipv4(network->gateway);
        bool is_default = from->default_route && index == 0 && network->gateway;
        int mtu = from->mtu;
        if (!mtu)
                mtu = network->mtu;
        if (!is_default)
                gateway.family = 0;
        return add_address(composer, link, &address, network->prefix, "inventory", err) &&
               set_mtu(link, mtu, "inventory", err) && compose_inventory_network(link, network, err) &&
               compose_gateway(link, &gateway, err);
}

static bool add_link_routes(struct net_link *link, const struct inventory_link *from, struct err *err) {
        for (size_t i = 0; i < from->route_count; i++) {
                const struct inventory_route *route = &from->routes[i];
                struct net_route made = { route->to, route->prefix, route->gateway };
                if (!compose_route(link, &made, err))
                        return false;
        }
        return true;
}

static bool ask_dhcp_on_link(struct net_link *link, const struct inventory_link *from, struct err *err) {
        int mtu = from->mtu;
        if (!mtu && from->network)
                mtu = from->network->mtu;
        link->dhcp4 = true;
        link->no_default4 = !from->default_route;
        return set_mtu(link, mtu, "inventory", err) &&
               (!from->network || compose_inventory_network(link, from->network, err));
}

static bool add_inventory_link(struct composer *composer, const struct inventory_link *from, struct err *err) {
        struct net_link *link = composer_inventory_link(composer, from, from->network);
        char mac[MAC_TEXT_SIZE];
        mac_format(&from->mac, mac);
        if (!link) {
                network_note(composer->network, "a link of the inventory is left out: no card has MAC %s", mac);
                return true;
        }
        if (from->dhcp && !ask_dhcp_on_link(link, from, err))
                return false;
        for (size_t i = 0; i < from->address_count; i++)
                if (!add_link_address(composer, from, i, err))
                        return false;
        for (size_t i = 0; i < from->address6_count; i++) {
                struct net_link *of = composer_inventory_link(composer, from, from->addresses6[i].network);
                if (!add_address6(composer, of, &from->addresses6[i], from->default_route, err))
                        return false;
        }
        return add_link_routes(link, from, err);
}

static bool add_inventory_links(struct composer *composer, struct err *err) {
        const struct inventory_node *node = composer->identity->node;
        for (size_t i = 0; node && i < node->link_count; i++)
                if (!add_inventory_link(composer, &node->links[i], err))
                        return false;
        return true;
}

// ---- the identity ----

// What the ip= with the identity's own address gives is its own, whoever else is given it.
static bool gateway_is_of_another_link(const struct composer *composer, uint32_t gateway) {
        const struct cmdline *cmdline = composer->cmdline;
        for (size_t i = 0; i < cmdline->ip_count; i++)
                if (cmdline->ips[i].gateway == gateway && composer_ip_is_primary(composer, &cmdline->ips[i]))
                        return false;
        for (size_t i = 0; i < cmdline->ip_count; i++)
                if (cmdline->ips[i].gateway == gateway && cmdline->ips[i].address &&
                    !composer_ip_is_primary(composer, &cmdline->ips[i]))
                        return true;
        return false;
}

static bool add_identity_address(struct composer *composer, struct net_link *link, struct err *err) {
        const struct identity *identity = composer->identity;
        link->dhcp4 = identity->dhcp;
        if (identity->dhcp)
                return true;
        struct address address = address_of_ipv4(identity->address), gateway = address_of_ipv4(identity->gateway);
        if (!identity->gateway || has_default_link(composer) || gateway_is_of_another_link(composer, identity->gateway))
                gateway.family = 0;
        return add_address(composer, link, &address, identity->prefix, identity->address_source, err) &&
               compose_gateway(link, &gateway, err);
}

static void add_name_servers(struct net_link *link, const struct name_servers *servers) {
        static_assert(NET_DNS_MAX >= (int)NAME_SERVERS_MAX, "a link has room for all");
        memcpy(link->dns, servers->configured, sizeof servers->configured);
        link->dns_count = servers->configured_count;
}

static bool compose_identity(struct composer *composer, struct err *err) {
        const struct identity *identity = composer->identity;
        struct net_link *link = primary(composer);
        int mtu = identity->mtu;
        if (!mtu && identity->network)
                mtu = identity->network->mtu;
        if (!add_identity_address(composer, link, err) || !set_mtu(link, mtu, identity->address_source, err))
                return false;
        add_name_servers(link, &identity->name_servers);
        return !identity->network || compose_inventory_network(link, identity->network, err);
}

// ---- the command line ----

static struct net_link *link_of_ip(const struct composer *composer, const struct cmdline_ip *ip, struct err *err) {
        if (!ip->has_mac && !*ip->interface)
                return primary(composer);
        char name[MAC_TEXT_SIZE + INTERFACE_NAME_SIZE];
        struct net_link *link;
        if (ip->has_mac) {
                link = composer_find_mac(composer, &ip->mac);
                mac_format(&ip->mac, name);
        } else {
                link = composer_find(composer, ip->interface);
                snprintf(name, sizeof name, "%s", ip->interface);
        }
        if (!link)
                (void)fail(err, ERR_IDENTITY, 0, "ip= names %s, which is no card, bond or VLAN of this machine", name);
        return link;
}

static bool prefix_of_ip(const struct composer *composer, const struct cmdline_ip *ip, int *ret, struct err *err) {
        const struct inventory_network *network = inventory_network_of(composer->facts->inventory, ip->address);
        if (ip->prefix <= 0 && !network) {
                char text[ADDRESS_TEXT_SIZE];
                address_format(ip->address, text);
                return fail(err, ERR_IDENTITY, 0, "ip=%s has no prefix, and no network of the cluster holds it", text);
        }
        *ret = ip->prefix;
        if (*ret <= 0)
                *ret = network->prefix;
        return true;
}

// dracut takes the gateway of bootdev= alone; a gateway that the identity's link has is not another one.
static bool has_the_gateway(const struct composer *composer, const struct cmdline_ip *ip) {
        const char *bootdev = composer->cmdline->bootdev;
        struct net_link *link = primary(composer);
        if (!has_default(link, 4))
                return false;
        bool is_bootdev = strcmp(link->name, bootdev) == 0 || strcmp(composer_base(composer, link)->name, bootdev) == 0;
        return is_bootdev || ip->gateway == composer->identity->gateway;
}

static bool add_ip4(struct composer *composer, const struct cmdline_ip *ip, struct net_link *link, struct err *err) {
        int prefix = -1;
        if (!ip->address || composer_ip_is_primary(composer, ip))
                return true; // the identity has it
        struct address address = address_of_ipv4(ip->address), gateway = address_of_ipv4(ip->gateway);
        bool is_left_out = ip->gateway && link != primary(composer) && has_the_gateway(composer, ip);
        if (is_left_out)
                network_note(composer->network, "the gateway of ip= on %s is left out: %s has the default route",
                             link->name, primary(composer)->name);
        if (!ip->gateway || is_left_out)
                gateway.family = 0;
        return prefix_of_ip(composer, ip, &prefix, err) && add_address(composer, link, &address, prefix, "ip=", err) &&
               compose_gateway(link, &gateway, err);
}

static bool add_ip(struct composer *composer, const struct cmdline_ip *ip, struct err *err) {
        struct net_link *link = link_of_ip(composer, ip, err);
        if (!link)
                return false;
        bool is_primary = link == primary(composer);
        if (ip->dhcp && !is_primary) // of that one the identity decides
                link->dhcp4 = true;
        link->dhcp6 |= ip->dhcp6;
        link->auto6 |= ip->auto6;
        int prefix6 = ip->prefix6;
        if (prefix6 <= 0)
                prefix6 = PREFIX6_STANDARD;
        if (ip->address6.family && !add_address(composer, link, &ip->address6, prefix6, "ip=", err))
                return false;
        if (!compose_gateway(link, &ip->gateway6, err) || !add_ip4(composer, ip, link, err))
                return false;
        return is_primary || set_mtu(link, ip->mtu, "ip=", err);
}

static struct net_link *link_of_gateway(const struct composer *composer, const struct address *gateway) {
        for (size_t i = 0; i < composer->network->link_count; i++) {
                struct net_link *link = &composer->network->links[i];
                for (size_t j = 0; j < link->address_count; j++)
                        if (address_is_in(gateway, &link->addresses[j].address, link->addresses[j].prefix))
                                return link;
        }
        return primary(composer);
}

static struct net_link *link_of_route(const struct composer *composer, const struct cmdline_route *route) {
        if (*route->interface)
                return composer_find(composer, route->interface);
        return link_of_gateway(composer, &route->gateway);
}

static bool add_cmdline_routes(struct composer *composer, struct err *err) {
        const struct cmdline *cmdline = composer->cmdline;
        for (size_t i = 0; i < cmdline->route_count; i++) {
                const struct cmdline_route *from = &cmdline->routes[i];
                struct net_link *link = link_of_route(composer, from);
                if (!link)
                        return fail(err, ERR_IDENTITY, 0,
                                    "rd.route= names %s, which is no card, bond or VLAN of this machine",
                                    from->interface);
                if (!compose_route(link, &(struct net_route){ from->to, from->prefix, from->gateway }, err))
                        return false;
        }
        return true;
}

// ---- what follows from the rest ----

static int mtu_of(const struct net_link *link) {
        if (link->mtu)
                return link->mtu;
        return MTU_STANDARD;
}

// A VLAN's frames go through its parent, which comes earlier.
static bool raise_parents(struct composer *composer, struct err *err) {
        for (size_t i = composer->network->link_count; i-- > 0;) {
                const struct net_link *link = &composer->network->links[i];
                if (link->kind != NET_VLAN)
                        continue;
                struct net_link *parent = composer_find(composer, link->parent);
                if (!parent || link->mtu <= mtu_of(parent))
                        continue;
                if (parent->mtu && link_has_addresses(parent))
                        return fail(err, ERR_IDENTITY, 0,
                                    "contradiction: the MTU of %s is %d, but that of %s, which it is on, %d",
                                    link->name, link->mtu, parent->name, parent->mtu);
                if (link_has_addresses(parent))
                        network_note(composer->network, "the MTU of %s is %d too, because VLAN %s is on it",
                                     parent->name, link->mtu, link->name);
                parent->mtu = link->mtu;
        }
        return true;
}

static bool asks_for_default(const struct net_link *link, int family) {
        if (family == 4)
                return link->dhcp4;
        return link->dhcp6 || link->auto6;
}

// The link that has the default route: one for which it is written down, else the primary one if it asks for its
// address, else the first that asks. NULL: nobody.
static const struct net_link *default_owner(const struct composer *composer, int family) {
        const struct network *network = composer->network;
        const struct net_link *asks = NULL;
        for (size_t i = 0; i < network->link_count; i++) {
                const struct net_link *link = &network->links[i];
                if (has_default(link, family))
                        return link;
                bool may_ask = family == 6 || !link->no_default4;
                if (!asks && may_ask && asks_for_default(link, family))
                        asks = link;
        }
        if (asks_for_default(primary(composer), family))
                return primary(composer);
        return asks;
}

// A machine has one default route of a family. Other links take none from DHCP or a router.
static void settle_defaults(struct composer *composer) {
        const struct net_link *owner4 = default_owner(composer, 4), *owner6 = default_owner(composer, 6);
        for (size_t i = 0; i < composer->network->link_count; i++) {
                struct net_link *link = &composer->network->links[i];
                link->no_default4 = link->no_default4 || (asks_for_default(link, 4) && link != owner4);
                link->no_default6 = asks_for_default(link, 6) && link != owner6;
        }
}

// The identity's address was asked about when it was decided; further ones were not.
static void settle_probes(struct composer *composer) {
        bool may_ask = composer->facts->inventory->dhcp.arp_check;
        for (size_t i = 0; i < composer->network->link_count; i++) {
                struct net_link *link = &composer->network->links[i];
                link->is_probed = !may_ask || (link == primary(composer) && link->address_count == 1);
        }
}

static void identify_clients(struct composer *composer) {
        const struct facts *facts = composer->facts;
        for (size_t i = 0; i < composer->network->link_count; i++) {
                struct net_link *link = &composer->network->links[i];
                if (link->dhcp4)
                        dhcp_client_id_make(facts->inventory->dhcp.id_kind, facts->uuid, &facts->interfaces[0].mac,
                                            &composer_base(composer, link)->mac, &link->client_id);
        }
}

// Cards that nothing is asked of are left to the distribution. The order of the rest stays, in which links are made.
static void drop_unused(struct network *network) {
        char name[INTERFACE_NAME_SIZE];
        memcpy(name, network->links[network->primary].name, sizeof name);
        size_t kept = 0;
        for (size_t i = 0; i < network->link_count; i++)
                if (network->links[i].pin_name || link_is_used(network, &network->links[i]))
                        network->links[kept++] = network->links[i];
        network->link_count = kept;
        network->primary = (size_t)(network_find(network, name) - network->links);
}

bool network_compose(const struct facts *facts, const struct cmdline *cmdline, const struct identity *identity,
                     struct network *ret, struct err *err) {
        assert(identity->interface && facts->inventory);
        struct composer composer = { facts, cmdline, identity, ret };
        *ret = (struct network){ 0 };
        if (!network_add_links(&composer, err) || !compose_identity(&composer, err) ||
            !add_node_addresses(&composer, err) || !add_node_addresses6(&composer, err) ||
            !add_inventory_links(&composer, err))
                return false;
        for (size_t i = 0; i < cmdline->ip_count; i++)
                if (!add_ip(&composer, &cmdline->ips[i], err))
                        return false;
        if (!add_cmdline_routes(&composer, err) || !raise_parents(&composer, err))
                return false;
        settle_defaults(&composer);
        settle_probes(&composer);
        identify_clients(&composer);
        drop_unused(ret);
        return network_check(ret, err);
}
