// SPDX-License-Identifier: MIT
// ifcfg files, which EL7's initscripts (sysconfig.txt) and its NetworkManager both read. They are shell, and nothing is
// quoted here: network_compose.h says what the values may hold.
#include <stdio.h>

#include "firmware/node/network/network_internal.h"

#define DIRECTORY "/etc/sysconfig/network-scripts/"

static void ifcfg_add_file(struct plan *plan, const char *kind, const char *name, const struct buf *text) {
        char path[sizeof DIRECTORY + 16 + 2 * INTERFACE_NAME_SIZE];
        snprintf(path, sizeof path, DIRECTORY "%s-%s", kind, name);
        plan_add_file(plan, path, 0644, text);
}

static void ifcfg_put_card(struct buf *text, const char *name, const struct mac *mac) {
        char shown[MAC_TEXT_SIZE];
        mac_format(mac, shown);
        buf_printf(text, "DEVICE=\"%s\"\nHWADDR=%s\nTYPE=Ethernet\nONBOOT=yes\n", name, shown);
}

static void ifcfg_put_bond(struct buf *text, const struct net_link *link) {
        char shown[MAC_TEXT_SIZE], value[128];
        struct bond_option option;
        const char *separator = "";
        mac_format(&link->mac, shown);
        buf_printf(text, "DEVICE=\"%s\"\nTYPE=Bond\nBONDING_MASTER=yes\nONBOOT=yes\nBONDING_OPTS=\"", link->name);
        bool shows_own_mac = true;
        for (const char *at = link->bond_options; bond_option_next(&at, &option); separator = " ") {
                bond_value_join(option.value, ',', value);
                buf_printf(text, "%s%s=%s", separator, option.name, value);
                shows_own_mac &= strcmp(option.name, "fail_over_mac") != 0 || strcmp(option.value, "none") == 0;
        }
        buf_append_text(text, "\"\n");
        if (shows_own_mac)
                buf_printf(text, "MACADDR=%s\n", shown);
}

static void ifcfg_put_kind(struct buf *text, const struct network *network, const struct net_link *link) {
        const struct net_link *bond = network_bond_of(network, link);
        if (link->kind == NET_CARD)
                ifcfg_put_card(text, link->name, &link->mac);
        else if (link->kind == NET_BOND)
                ifcfg_put_bond(text, link);
        else
                buf_printf(text, "DEVICE=\"%s\"\nVLAN=yes\nTYPE=Vlan\nPHYSDEV=%s\nVLAN_ID=%d\nONBOOT=yes\n", link->name,
                           link->parent, link->vlan_id);
        if (bond) // initscripts look for MASTER=NAME with grep
                buf_printf(text, "MASTER=%s\nSLAVE=yes\n", bond->name);
        if (link->mtu)
                buf_printf(text, "MTU=%d\n", link->mtu);
}

// ---- addresses ----

static bool in_first_subnet(const struct net_link *link, const struct address *gateway) {
        for (size_t i = 0; i < link->address_count; i++) {
                const struct net_address *first = &link->addresses[i];
                if (first->address.family != 4)
                        continue;
                return address_is_in(gateway, &first->address, first->prefix);
        }
        return false;
}

// initscripts take GATEWAY only for a router in the first address's subnet; the rest goes to the route file.
static bool is_gateway(const struct net_link *link, const struct net_route *route) {
        return route_is_default(route) && route->gateway.family == 4 && in_first_subnet(link, &route->gateway);
}

// The first address has no number: IPADDR, IPADDR1, IPADDR2. With DHCP initscripts take further ones from aliases only.
static void put_addresses4(struct buf *text, const struct net_link *link) {
        size_t count = 0;
        for (size_t i = 0; i < link->address_count && !link->dhcp4; i++) {
                if (link->addresses[i].address.family != 4)
                        continue;
                char number[24] = "";
                if (count++)
                        snprintf(number, sizeof number, "%zu", count - 1);
                buf_printf(text, "IPADDR%s=", number);
                put_any(text, "", &link->addresses[i].address, "\n");
                buf_printf(text, "PREFIX%s=%d\n", number, link->addresses[i].prefix);
        }
}

static void add_aliases(struct plan *plan, const struct net_link *link) {
        size_t count = 0;
        for (size_t i = 0; i < link->address_count && link->dhcp4; i++) {
                auto_buf text = { 0 };
                char name[INTERFACE_NAME_SIZE + 24];
                if (link->addresses[i].address.family != 4)
                        continue;
                snprintf(name, sizeof name, "%s:%zu", link->name, ++count);
                buf_printf(&text, "DEVICE=\"%s\"\nONPARENT=yes\n", name);
                put_any(&text, "IPADDR=", &link->addresses[i].address, "\n");
                buf_printf(&text, "PREFIX=%d\n", link->addresses[i].prefix);
                ifcfg_add_file(plan, "ifcfg", name, &text);
        }
}

static const char *yes_or_no(bool value) {
        if (value)
                return "yes";
        return "no";
}

static void put_ipv4(struct buf *text, const struct net_link *link) {
        if (link->dhcp4)
                buf_append_text(text, "BOOTPROTO=dhcp\nPERSISTENT_DHCLIENT=yes\n");
        else
                buf_append_text(text, "BOOTPROTO=none\n");
        put_addresses4(text, link);
        if (link_has_addresses(link))
                buf_printf(text, "DEFROUTE=%s\n", yes_or_no(!link->no_default4));
        if (link_has_family(link, 4) && link->is_probed) // ifup gives no address if anybody answers
                buf_append_text(text, "ARPCHECK=no\n");
        for (size_t i = 0; i < link->route_count; i++)
                if (is_gateway(link, &link->routes[i]))
                        put_any(text, "GATEWAY=", &link->routes[i].gateway, "\n");
}

// A link-local address is on every link: a router that has one is known only together with its link.
static void put_gateway6(struct buf *text, const struct net_link *link, const struct address *gateway) {
        put_any(text, "IPV6_DEFAULTGW=", gateway, "");
        if (address_is_link_local6(gateway))
                buf_printf(text, "%%%s", link->name);
        buf_append_char(text, '\n');
}

// initscripts take the first address from IPV6ADDR and all others from one list.
static void put_addresses6(struct buf *text, const struct net_link *link) {
        char prefix[NET_PREFIX_TEXT_SIZE];
        size_t count = 0;
        for (size_t i = 0; i < link->address_count; i++) {
                if (link->addresses[i].address.family != 6)
                        continue;
                net_prefix_format(&link->addresses[i].address, link->addresses[i].prefix, prefix);
                count++;
                if (count == 1)
                        buf_printf(text, "IPV6ADDR=%s\n", prefix);
                else if (count == 2)
                        buf_printf(text, "IPV6ADDR_SECONDARIES=\"%s", prefix);
                else
                        buf_printf(text, " %s", prefix);
        }
        if (count > 1)
                buf_append_text(text, "\"\n");
}

static void put_ipv6(struct buf *text, const struct net_link *link) {
        bool asks = link->auto6 || link->dhcp6;
        if (!asks && !link_has_family(link, 6))
                return;
        buf_printf(text, "IPV6INIT=yes\nIPV6_AUTOCONF=%s\n", yes_or_no(asks));
        if (link->dhcp6)
                buf_append_text(text, "DHCPV6C=yes\n");
        put_addresses6(text, link);
        if (link->no_default6)
                buf_append_text(text, "IPV6_DEFROUTE=no\n");
        for (size_t i = 0; i < link->route_count; i++)
                if (route_is_default(&link->routes[i]) && link->routes[i].gateway.family == 6)
                        put_gateway6(text, link, &link->routes[i].gateway);
}

static void ifcfg_put_name_servers(struct buf *text, const struct net_link *link) {
        for (size_t i = 0; i < link->dns_count; i++) {
                buf_printf(text, "DNS%zu=", i + 1);
                put_any(text, "", &link->dns[i], "\n");
        }
        put_search_domains(text, link, "DOMAIN=\"", " ", "\"\n");
}

// ---- routes: a line is ip-route(8)'s ----

// GATEWAY and IPV6_DEFAULTGW stand there.
static bool is_in_ifcfg_file(const struct net_link *link, const struct net_route *route) {
        return is_gateway(link, route) || (route_is_default(route) && route->gateway.family == 6);
}

static void ifcfg_put_routes(struct buf *text, const struct net_link *link, int family, bool on_link) {
        char prefix[NET_PREFIX_TEXT_SIZE];
        for (size_t i = 0; i < link->route_count; i++) {
                const struct net_route *route = &link->routes[i];
                bool is_on_link = route->gateway.family == 0;
                if (route->to.family != family || is_on_link != on_link || is_in_ifcfg_file(link, route))
                        continue;
                net_prefix_format(&route->to, route->prefix, prefix);
                buf_append_text(text, prefix);
                if (route->gateway.family)
                        put_any(text, " via ", &route->gateway, "");
                buf_printf(text, " dev %s\n", link->name);
        }
}

// initscripts add them line by line: those on the link come first, as a gateway may be behind one.
static void ifcfg_add_routes(struct plan *plan, const struct net_link *link, int family, const char *kind) {
        auto_buf text = { 0 };
        ifcfg_put_routes(&text, link, family, true);
        ifcfg_put_routes(&text, link, family, false);
        if (text.size)
                ifcfg_add_file(plan, kind, link->name, &text);
}

// What dhclient is told on a card. It sends no client identifier unless it is told to, and without one a server would
// take it for another client than the firmware and kiln-node, and give it another lease.
static void add_dhclient_file(struct plan *plan, const char *link, const struct dhcp_client_id *id, const char *rest) {
        auto_buf text = { 0 };
        char path[sizeof "/etc/dhcp/dhclient-.conf" + INTERFACE_NAME_SIZE];
        buf_append_text(&text, "send dhcp-client-identifier ");
        put_hex(&text, id->bytes, id->size);
        buf_printf(&text, ";\n%s", rest);
        snprintf(path, sizeof path, "/etc/dhcp/dhclient-%s.conf", link);
        plan_add_file(plan, path, 0644, &text);
}

static void ifcfg_add_link(struct plan *plan, const struct network *network, const struct net_link *link) {
        auto_buf text = { 0 };
        ifcfg_put_kind(&text, network, link);
        put_ipv4(&text, link);
        put_ipv6(&text, link);
        ifcfg_put_name_servers(&text, link);
        ifcfg_add_file(plan, "ifcfg", link->name, &text);
        add_aliases(plan, link);
        if (link->dhcp4)
                add_dhclient_file(plan, link->name, &link->client_id, "");
        ifcfg_add_routes(plan, link, 4, "route");
        ifcfg_add_routes(plan, link, 6, "route6");
        if (strchr(link->name, '-')) {
                char note[128];
                snprintf(note, sizeof note, "initscripts take ifcfg-%s for a variant of another file: use no \"-\"",
                         link->name);
                plan_add_note(plan, note);
        }
}

static void ifcfg_node(const struct network *network, struct plan *plan) {
        plan_add_link_files(plan, network);
        for (size_t i = 0; i < network->link_count; i++)
                if (link_is_used(network, &network->links[i]))
                        ifcfg_add_link(plan, network, &network->links[i]);
}

// dhclient-script(8) gives a machine that is called localhost the server's name for it: a node's, perhaps, which a
// machine that was refused must not have. It and ifup expect the resolver's file to be there.
static void ifcfg_refused(const struct facts *facts, struct plan *plan) {
        const struct buf empty = { 0 };
        for (size_t i = 0; i < facts->interface_count; i++) {
                const struct interface *card = &facts->interfaces[i];
                struct dhcp_client_id id;
                auto_buf text = { 0 };
                if (!interface_is_writable(card))
                        continue;
                ifcfg_put_card(&text, card->name, &card->mac);
                buf_append_text(&text, "BOOTPROTO=dhcp\nPERSISTENT_DHCLIENT=yes\n");
                ifcfg_add_file(plan, "ifcfg", card->name, &text);
                dhcp_client_id_make(facts->inventory->dhcp.id_kind, facts->uuid, &facts->interfaces[0].mac, &card->mac,
                                    &id);
                add_dhclient_file(plan, card->name, &id, "supersede host-name \"localhost\";\n");
        }
        plan_add_file(plan, "/etc/resolv.conf", 0644, &empty);
}

const struct network_writer network_writer_ifcfg = { "ifcfg", "network.service", ifcfg_node, ifcfg_refused };
