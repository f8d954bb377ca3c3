// SPDX-License-Identifier: MIT
// systemd-networkd: systemd.network(5), systemd.netdev(5), systemd.link(5).
#include <stdio.h>

#include "firmware/node/network/network_internal.h"

#define DIRECTORY "/etc/systemd/network/10-kiln-"
// Its name sorts before the others, so that it wins over files of an earlier boot on a machine that keeps its root. In
// /run, so that the next boot does not have it.
#define REFUSED_FILE "/run/systemd/network/00-kiln-refused.network"

static void networkd_add_file(struct plan *plan, const struct net_link *link, const char *suffix,
                              const struct buf *text) {
        char path[sizeof DIRECTORY + INTERFACE_NAME_SIZE + 16];
        snprintf(path, sizeof path, DIRECTORY "%s%s", link->name, suffix);
        plan_add_file(plan, path, 0644, text);
}

// ---- [Match] and [Link] ----

// A card is found by its MAC. A member of a bond shows the bond's MAC, so that only its name tells it from the other
// members. Type=ether, because a bridge or VLAN on the card has the same MAC.
static void put_match(struct buf *text, const struct network *network, const struct net_link *link) {
        char mac[MAC_TEXT_SIZE];
        mac_format(&link->mac, mac);
        if (link->kind != NET_CARD)
                buf_printf(text, "[Match]\nName=%s\n", link->name);
        else if (network_bond_of(network, link))
                buf_printf(text, "[Match]\nName=%s\nType=ether\n", link->name);
        else
                buf_printf(text, "[Match]\nMACAddress=%s\nType=ether\n", mac);
}

static void networkd_put_link(struct buf *text, const struct network *network, const struct net_link *link) {
        bool silent = !link_has_addresses(link) && !network_bond_of(network, link);
        if (link->mtu || silent)
                buf_append_text(text, "\n[Link]\n");
        if (link->mtu)
                buf_printf(text, "MTUBytes=%d\n", link->mtu);
        if (silent) // it never gets further, and network-online.target would wait for it
                buf_append_text(text, "RequiredForOnline=carrier\n");
}

// ---- [Network] ----

static void networkd_put_dhcp(struct buf *text, const struct net_link *link) {
        if (link->dhcp4 && link->dhcp6)
                buf_append_text(text, "DHCP=yes\n");
        else if (link->dhcp4)
                buf_append_text(text, "DHCP=ipv4\n");
        else if (link->dhcp6)
                buf_append_text(text, "DHCP=ipv6\n");
        if (link->auto6 || link->dhcp6)
                buf_append_text(text, "IPv6AcceptRA=yes\n");
        else if (link_has_family(link, 6)) // what is written down is all that it has
                buf_append_text(text, "IPv6AcceptRA=no\n");
}

static void put_membership(struct buf *text, const struct net_link *bond, const struct net_link *member) {
        struct bond_option option;
        buf_printf(text, "Bond=%s\n", bond->name);
        for (const char *at = bond->bond_options; bond_option_next(&at, &option);)
                if (strcmp(option.name, "primary") == 0 && strcmp(option.value, member->name) == 0)
                        buf_append_text(text, "PrimarySlave=yes\n");
}

static void networkd_put_relations(struct buf *text, const struct network *network, const struct net_link *link) {
        const struct net_link *bond = network_bond_of(network, link);
        if (bond)
                put_membership(text, bond, link);
        for (size_t i = 0; i < network->link_count; i++)
                if (strcmp(network->links[i].parent, link->name) == 0)
                        buf_printf(text, "VLAN=%s\n", network->links[i].name);
        if (!link_has_addresses(link))
                buf_append_text(text, "LinkLocalAddressing=no\nIPv6AcceptRA=no\n");
}

static void networkd_put_network(struct buf *text, const struct network *network, const struct net_link *link) {
        char prefix[NET_PREFIX_TEXT_SIZE];
        buf_append_text(text, "\n[Network]\n");
        networkd_put_relations(text, network, link);
        networkd_put_dhcp(text, link);
        for (size_t i = 0; i < link->address_count; i++) {
                net_prefix_format(&link->addresses[i].address, link->addresses[i].prefix, prefix);
                buf_printf(text, "Address=%s\n", prefix);
        }
        for (size_t i = 0; i < link->route_count; i++)
                if (route_is_default(&link->routes[i]) && link->routes[i].gateway.family)
                        put_any(text, "Gateway=", &link->routes[i].gateway, "\n");
        for (size_t i = 0; i < link->dns_count; i++)
                put_any(text, "DNS=", &link->dns[i], "\n");
        put_search_domains(text, link, "Domains=", " ", "\n");
}

static void put_client_id(struct buf *text, const struct dhcp_client_id *id) {
        enum { IAID = 1, DUID = 5, DUID_LL = 3 };
        const uint8_t *b = id->bytes;
        if (!client_id_is_duid(id)) {
                buf_append_text(text, "ClientIdentifier=mac\n");
                return;
        }
        uint32_t iaid =
            (uint32_t)b[IAID] << 24 | (uint32_t)b[IAID + 1] << 16 | (uint32_t)b[IAID + 2] << 8 | b[IAID + 3];
        buf_printf(text, "ClientIdentifier=duid\nIAID=%u\nDUIDType=%s\nDUIDRawData=", iaid,
                   b[DUID + 1] == DUID_LL ? "link-layer" : "uuid");
        put_hex(text, b + DUID + 2, id->size - DUID - 2);
        buf_append_char(text, '\n');
}

// A default route in option 121 cannot be told from the lease's other routes. Where another link has the default route,
// the routes of this lease are the last resort.
static const char *gateway_use(bool no_default) {
        if (no_default)
                return "UseGateway=no\nRouteMetric=4096\n";
        return "";
}

static void networkd_put_dhcp_clients(struct buf *text, const struct net_link *link) {
        if (link->dhcp4) {
                buf_append_text(text, "\n[DHCPv4]\n");
                put_client_id(text, &link->client_id);
                buf_printf(text, "UseHostname=no\nUseDomains=yes\n%s", gateway_use(link->no_default4));
        }
        if (link->dhcp6)
                buf_append_text(text, "\n[DHCPv6]\nWithoutRA=solicit\nUseHostname=no\nUseDomains=yes\n");
        if (link->no_default6)
                buf_printf(text, "\n[IPv6AcceptRA]\n%s", gateway_use(true));
}

static void networkd_put_routes(struct buf *text, const struct net_link *link) {
        char prefix[NET_PREFIX_TEXT_SIZE];
        for (size_t i = 0; i < link->route_count; i++) {
                const struct net_route *route = &link->routes[i];
                if (route_is_default(route) && route->gateway.family)
                        continue;
                net_prefix_format(&route->to, route->prefix, prefix);
                buf_printf(text, "\n[Route]\nDestination=%s\n", prefix);
                if (route->gateway.family)
                        put_any(text, "Gateway=", &route->gateway, "\n");
                else
                        buf_append_text(text, "Scope=link\n");
        }
}

static void add_network_file(struct plan *plan, const struct network *network, const struct net_link *link) {
        auto_buf text = { 0 };
        put_match(&text, network, link);
        networkd_put_link(&text, network, link);
        networkd_put_network(&text, network, link);
        networkd_put_dhcp_clients(&text, link);
        networkd_put_routes(&text, link);
        networkd_add_file(plan, link, ".network", &text);
}

// ---- .netdev ----

static void networkd_put_bond(struct plan *plan, struct buf *text, const struct net_link *link) {
        struct bond_option option;
        buf_append_text(text, "\n[Bond]\n");
        for (const char *at = link->bond_options; bond_option_next(&at, &option);) {
                char value[sizeof option.value];
                const char *format, *key = bond_option_networkd(option.name, &format);
                bond_value_join(option.value, ' ', value);
                if (key) {
                        buf_printf(text, "%s=", key);
                        buf_printf(text, format, value);
                        buf_append_char(text, '\n');
                } else if (strcmp(option.name, "primary") != 0) {
                        plan_add_note(plan, "systemd-networkd cannot set the bonding driver's option use_carrier");
                }
        }
}

// With fail_over_mac the bond's MAC follows its members; it must not be set.
static bool shows_own_mac(const struct net_link *bond) {
        return !strstr(bond->bond_options, "fail_over_mac=active") &&
               !strstr(bond->bond_options, "fail_over_mac=follow");
}

static void add_netdev_file(struct plan *plan, const struct net_link *link) {
        auto_buf text = { 0 };
        char mac[MAC_TEXT_SIZE];
        mac_format(&link->mac, mac);
        buf_printf(&text, "[NetDev]\nName=%s\nKind=%s\n", link->name, link->kind == NET_BOND ? "bond" : "vlan");
        if (link->mtu)
                buf_printf(&text, "MTUBytes=%d\n", link->mtu);
        if (link->kind == NET_BOND && shows_own_mac(link))
                buf_printf(&text, "MACAddress=%s\n", mac);
        if (link->kind == NET_BOND)
                networkd_put_bond(plan, &text, link);
        else
                buf_printf(&text, "\n[VLAN]\nId=%d\n", link->vlan_id);
        networkd_add_file(plan, link, ".netdev", &text);
}

static void networkd_node(const struct network *network, struct plan *plan) {
        plan_add_link_files(plan, network);
        for (size_t i = 0; i < network->link_count; i++) {
                const struct net_link *link = &network->links[i];
                if (link->kind != NET_CARD)
                        add_netdev_file(plan, link);
                if (link_is_used(network, link))
                        add_network_file(plan, network, link);
        }
        plan_add_remove(plan, REFUSED_FILE);
}

static void networkd_refused(const struct facts *facts, struct plan *plan) {
        (void)facts;
        auto_buf text = { 0 };
        buf_append_text(&text, "[Match]\nType=ether\n\n[Network]\nDHCP=ipv4\n\n"
                               "[DHCPv4]\nClientIdentifier=mac\nUseHostname=no\n");
        plan_add_file(plan, REFUSED_FILE, 0644, &text);
}

const struct network_writer network_writer_networkd = { "systemd-networkd", "systemd-networkd.service", networkd_node,
                                                        networkd_refused };
