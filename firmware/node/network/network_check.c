// SPDX-License-Identifier: MIT
// Whether a composed network can be true at once; each refusal names both sides.
#include <stdio.h>

#include "firmware/node/network/network_internal.h"

enum { MTU_IPV6_MIN = 1280 }; // RFC 8200, section 5

static bool gateway_is_reachable(const struct net_link *link, const struct address *gateway) {
        // Only the lease or the router's advertisement will tell.
        if (gateway->family == 4 ? link->dhcp4 : link->dhcp6 || link->auto6 || address_is_link_local6(gateway))
                return true;
        for (size_t i = 0; i < link->address_count; i++)
                if (address_is_in(gateway, &link->addresses[i].address, link->addresses[i].prefix))
                        return true;
        for (size_t i = 0; i < link->route_count; i++)
                if (link->routes[i].gateway.family == 0 &&
                    address_is_in(gateway, &link->routes[i].to, link->routes[i].prefix))
                        return true;
        return false;
}

static bool link_has_this_address(const struct net_link *link, const struct address *address) {
        for (size_t i = 0; i < link->address_count; i++)
                if (address_equal(&link->addresses[i].address, address))
                        return true;
        return false;
}

static bool check_routes(const struct net_link *link, struct err *err) {
        for (size_t i = 0; i < link->route_count; i++) {
                const struct net_route *route = &link->routes[i];
                char to[ADDRESS_ANY_TEXT_SIZE], gateway[ADDRESS_ANY_TEXT_SIZE], host[ADDRESS_ANY_TEXT_SIZE + 8];
                address_format_any(&route->to, to);
                address_format_any(&route->gateway, gateway);
                snprintf(host, sizeof host, route->gateway.family == 6 ? "[%s]/128" : "%s/32", gateway);
                if (route->gateway.family && route->gateway.family != route->to.family)
                        return fail(err, ERR_IDENTITY, 0, "route to %s/%d: its gateway %s is of the other IP version",
                                    to, route->prefix, gateway);
                if (route->gateway.family && link_has_this_address(link, &route->gateway))
                        return fail(err, ERR_IDENTITY, 0,
                                    "contradiction: the gateway of the route to %s/%d is %s, %s's own address", to,
                                    route->prefix, gateway, link->name);
                if (route->gateway.family && !gateway_is_reachable(link, &route->gateway))
                        return fail(err, ERR_IDENTITY, 0,
                                    "gateway %s is outside of every subnet of %s, which has the route to %s/%d; if it "
                                    "is on that link, say rd.route=%s::%s",
                                    gateway, link->name, to, route->prefix, host, link->name);
        }
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
        return !has_ipv6 || !link->mtu || link->mtu >= MTU_IPV6_MIN ||
               fail(err, ERR_IDENTITY, 0, "contradiction: %s has IPv6, which needs an MTU of %d, and MTU %d",
                    link->name, MTU_IPV6_MIN, link->mtu);
}

bool network_check(const struct network *network, struct err *err) {
        for (size_t i = 0; i < network->link_count; i++) {
                const struct net_link *link = &network->links[i];
                if (!check_bond_member(network, link, err) || !check_routes(link, err) || !check_mtu(link, err))
                        return false;
        }
        return check_defaults(network, 4, err) && check_defaults(network, 6, err);
}
