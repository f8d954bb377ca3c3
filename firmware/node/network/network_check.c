// SPDX-License-Identifier: MIT
// Whether what a network says can all be true at once. Each refusal names both sides of a contradiction.
#include <stdio.h>

#include "firmware/node/network/network_internal.h"

enum { MTU_IPV6_MIN = 1280 }; // RFC 8200, section 5

// Only the lease or the router's advertisement will tell whether a gateway of this family is on the link.
static bool link_hears_routers(const struct net_link *link, int family) {
        if (family == 4)
                return link->dhcp4;
        return link->dhcp6 || link->auto6;
}

static bool link_reaches(const struct net_link *link, const struct address *gateway) {
        if (link_hears_routers(link, gateway->family) || address_is_link_local6(gateway))
                return true;
        for (size_t i = 0; i < link->address_count; i++)
                if (address_is_in(gateway, &link->addresses[i].address, link->addresses[i].prefix))
                        return true;
        for (size_t i = 0; i < link->route_count; i++) {
                const struct net_route *route = &link->routes[i];
                bool is_on_link = route->gateway.family == 0;
                if (is_on_link && address_is_in(gateway, &route->to, route->prefix))
                        return true;
        }
        return false;
}

static bool link_has_this_address(const struct net_link *link, const struct address *address) {
        for (size_t i = 0; i < link->address_count; i++)
                if (address_equal(&link->addresses[i].address, address))
                        return true;
        return false;
}

// How rd.route= says that the gateway is on the link.
static void format_host_route(const struct address *gateway, char *ret, size_t size) {
        char text[ADDRESS_ANY_TEXT_SIZE];
        address_format_any(gateway, text);
        if (gateway->family == 6)
                snprintf(ret, size, "[%s]/128", text);
        else
                snprintf(ret, size, "%s/32", text);
}

static bool check_link_route(const struct net_link *link, const struct net_route *route, struct err *err) {
        char to[ADDRESS_ANY_TEXT_SIZE], gateway[ADDRESS_ANY_TEXT_SIZE], host[ADDRESS_ANY_TEXT_SIZE + 8];
        if (!route->gateway.family)
                return true;
        address_format_any(&route->to, to);
        address_format_any(&route->gateway, gateway);
        format_host_route(&route->gateway, host, sizeof host);
        if (route->gateway.family != route->to.family)
                return fail(err, ERR_IDENTITY, 0, "route to %s/%d: its gateway %s is of the other IP version", to,
                            route->prefix, gateway);
        if (link_has_this_address(link, &route->gateway))
                return fail(err, ERR_IDENTITY, 0,
                            "contradiction: the gateway of the route to %s/%d is %s, %s's own address", to,
                            route->prefix, gateway, link->name);
        if (!link_reaches(link, &route->gateway))
                return fail(
                    err, ERR_IDENTITY, 0,
                    "gateway %s is outside of every subnet of %s, which has the route to %s/%d; if it is on that "
                    "link, say rd.route=%s::%s",
                    gateway, link->name, to, route->prefix, host, link->name);
        return true;
}

static bool check_routes(const struct net_link *link, struct err *err) {
        for (size_t i = 0; i < link->route_count; i++)
                if (!check_link_route(link, &link->routes[i], err))
                        return false;
        return true;
}

static bool check_bond_member(const struct network *network, const struct net_link *link, struct err *err) {
        const struct net_link *bond = network_bond_of(network, link);
        if (!bond || (!link_has_addresses(link) && link->route_count == 0))
                return true;
        return fail(err, ERR_IDENTITY, 0, "contradiction: %s has an address or a route, and is a member of bond %s",
                    link->name, bond->name);
}

static bool check_defaults(const struct network *network, int family, struct err *err) {
        const struct net_link *first = NULL;
        const struct net_route *known = NULL;
        for (size_t i = 0; i < network->link_count; i++) {
                for (size_t j = 0; j < network->links[i].route_count; j++) {
                        const struct net_route *route = &network->links[i].routes[j];
                        if (!route_is_default(route) || route->to.family != family)
                                continue;
                        char other[ADDRESS_ANY_TEXT_SIZE];
                        address_format_any(&route->gateway, other);
                        if (known) {
                                char one[ADDRESS_ANY_TEXT_SIZE];
                                address_format_any(&known->gateway, one);
                                return fail(err, ERR_IDENTITY, 0,
                                            "contradiction: two default gateways, %s on %s and %s on %s", one,
                                            first->name, other, network->links[i].name);
                        }
                        first = &network->links[i];
                        known = route;
                }
        }
        return true;
}

static bool check_mtu(const struct net_link *link, struct err *err) {
        bool has_ipv6 = link->dhcp6 || link->auto6;
        for (size_t i = 0; i < link->address_count; i++)
                has_ipv6 |= link->addresses[i].address.family == 6;
        bool is_too_small = link->mtu > 0 && link->mtu < MTU_IPV6_MIN;
        if (has_ipv6 && is_too_small)
                return fail(err, ERR_IDENTITY, 0, "contradiction: %s has IPv6, which needs an MTU of %d, and MTU %d",
                            link->name, MTU_IPV6_MIN, link->mtu);
        return true;
}

bool network_check(const struct network *network, struct err *err) {
        for (size_t i = 0; i < network->link_count; i++) {
                const struct net_link *link = &network->links[i];
                if (!check_bond_member(network, link, err) || !check_routes(link, err) || !check_mtu(link, err))
                        return false;
        }
        return check_defaults(network, 4, err) && check_defaults(network, 6, err);
}
