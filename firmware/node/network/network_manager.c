// SPDX-License-Identifier: MIT
// NetworkManager's key files: nm-settings-keyfile(5), nm-settings(5). It takes them only with mode 0600.
#include <nettle/sha1.h>
#include <stdio.h>

#include "firmware/node/network/network_internal.h"

#define DIRECTORY "/etc/NetworkManager/system-connections/10-kiln-"

enum { UUID_TEXT_SIZE = 37, MODE = 0600 };

// The same at each boot: version 5 of RFC 9562 over the link's name and MAC, in a namespace of kiln's own.
static void make_uuid(const char *name, const struct mac *mac, char ret[static UUID_TEXT_SIZE]) {
        static const uint8_t space[16] = { 0x6b, 0x69, 0x6c, 0x6e, 0x2d, 0x6e, 0x50, 0x65,
                                           0x97, 0x74, 0x77, 0x6f, 0x72, 0x6b, 0x2d, 0x31 };
        struct sha1_ctx context;
        uint8_t d[SHA1_DIGEST_SIZE];
        sha1_init(&context);
        sha1_update(&context, sizeof space, space);
        sha1_update(&context, sizeof mac->bytes, mac->bytes);
        sha1_update(&context, strlen(name), (const uint8_t *)name);
        sha1_digest(&context, sizeof d, d);
        d[6] = (uint8_t)((d[6] & 0x0f) | 0x50);
        d[8] = (uint8_t)((d[8] & 0x3f) | 0x80);
        snprintf(ret, UUID_TEXT_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0],
                 d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14], d[15]);
}

static void manager_add_file(struct plan *plan, const char *name, const struct buf *text) {
        char path[sizeof DIRECTORY + INTERFACE_NAME_SIZE + 16];
        snprintf(path, sizeof path, DIRECTORY "%s.nmconnection", name);
        plan_add_file(plan, path, MODE, text);
}

// ---- what it is ----

static void put_connection(struct buf *text, const char *type, const char *name, const struct mac *mac) {
        char uuid[UUID_TEXT_SIZE];
        make_uuid(name, mac, uuid);
        buf_printf(text, "[connection]\nid=kiln-%s\nuuid=%s\ntype=%s\nautoconnect=true\nautoconnect-priority=10\n",
                   name, uuid, type);
}

// A card is known by its own MAC, which it keeps in a bond and under another name.
static void put_ethernet(struct buf *text, const struct net_link *link) {
        char mac[MAC_TEXT_SIZE];
        mac_format(&link->mac, mac);
        if (link->kind != NET_VLAN || link->mtu)
                buf_append_text(text, "\n[ethernet]\n");
        if (link->kind == NET_CARD)
                buf_printf(text, "mac-address=%s\n", mac);
        else if (link->kind == NET_BOND && !strstr(link->bond_options, "fail_over_mac"))
                buf_printf(text, "cloned-mac-address=%s\n", mac);
        if (link->mtu)
                buf_printf(text, "mtu=%d\n", link->mtu);
}

static void manager_put_bond(struct buf *text, const struct net_link *link) {
        struct bond_option option;
        char value[sizeof option.value];
        buf_append_text(text, "\n[bond]\n");
        for (const char *at = link->bond_options; bond_option_next(&at, &option);) {
                bond_value_join(option.value, ',', value);
                buf_printf(text, "%s=%s\n", option.name, value);
        }
}

static void manager_put_kind(struct buf *text, const struct network *network, const struct net_link *link) {
        static const char *const types[] = { [NET_CARD] = "ethernet", [NET_VLAN] = "vlan", [NET_BOND] = "bond" };
        const struct net_link *bond = network_bond_of(network, link);
        put_connection(text, types[link->kind], link->name, &link->mac);
        if (link->kind != NET_CARD)
                buf_printf(text, "interface-name=%s\n", link->name);
        if (bond)
                buf_printf(text, "master=%s\nslave-type=bond\n", bond->name);
        put_ethernet(text, link);
        if (link->kind == NET_BOND)
                manager_put_bond(text, link);
        if (link->kind == NET_VLAN)
                buf_printf(text, "\n[vlan]\nparent=%s\nid=%d\n", link->parent, link->vlan_id);
}

// ---- [ipv4] and [ipv6] ----

static void manager_put_addresses(struct buf *text, const struct net_link *link, int family) {
        char prefix[NET_PREFIX_TEXT_SIZE];
        int count = 0;
        for (size_t i = 0; i < link->address_count; i++) {
                if (link->addresses[i].address.family != family)
                        continue;
                net_prefix_format(&link->addresses[i].address, link->addresses[i].prefix, prefix);
                buf_printf(text, "address%d=%s\n", ++count, prefix);
        }
}

static void manager_put_routes(struct buf *text, const struct net_link *link, int family) {
        char prefix[NET_PREFIX_TEXT_SIZE];
        int count = 0;
        for (size_t i = 0; i < link->route_count; i++) {
                const struct net_route *route = &link->routes[i];
                if (route->to.family != family)
                        continue;
                if (route_is_default(route) && route->gateway.family) {
                        put_any(text, "gateway=", &route->gateway, "\n");
                        continue;
                }
                net_prefix_format(&route->to, route->prefix, prefix);
                buf_printf(text, "route%d=%s", ++count, prefix);
                if (route->gateway.family)
                        put_any(text, ",", &route->gateway, "");
                buf_append_char(text, '\n');
        }
}

static void manager_put_name_servers(struct buf *text, const struct net_link *link, int family) {
        auto_buf servers = { 0 };
        for (size_t i = 0; i < link->dns_count; i++)
                if (link->dns[i].family == family)
                        put_any(&servers, "", &link->dns[i], ";");
        if (servers.size > 0)
                buf_printf(text, "dns=%s\n", buf_text(&servers));
        if (family == 4)
                put_search_domains(text, link, "dns-search=", ";", ";\n");
}

static const char *method4(const struct net_link *link) {
        if (link->dhcp4)
                return "auto";
        if (link_has_family(link, 4))
                return "manual";
        return "disabled";
}

// A link without IPv6 of its own is left as the kernel has it, as the other writers do.
static const char *method6(const struct net_link *link) {
        if (link->auto6)
                return "auto";
        if (link->dhcp6)
                return "dhcp";
        if (link_has_family(link, 6))
                return "manual";
        return "ignore";
}

static void put_family(struct buf *text, const struct net_link *link, int family) {
        manager_put_addresses(text, link, family);
        manager_put_routes(text, link, family);
        manager_put_name_servers(text, link, family);
}

static void manager_put_ip(struct buf *text, const struct network *network, const struct net_link *link) {
        if (network_bond_of(network, link))
                return; // the bond has the addresses
        buf_printf(text, "\n[ipv4]\nmethod=%s\n", method4(link));
        if (link->dhcp4) {
                buf_append_text(text, "dhcp-client-id=");
                put_hex(text, link->client_id.bytes, link->client_id.size);
                buf_append_char(text, '\n');
                if (link->no_default4)
                        buf_append_text(text, "never-default=true\n");
        }
        put_family(text, link, 4);
        buf_printf(text, "\n[ipv6]\nmethod=%s\naddr-gen-mode=eui64\n", method6(link));
        if (link->no_default6)
                buf_append_text(text, "never-default=true\n");
        put_family(text, link, 6);
}

// NetworkManager leaves a card alone that is up and has an address when it starts (keep-configuration,
// NetworkManager.conf(5)). Such are the cards that fetched the root, asked for a lease or heard a router before. They
// must be configured as the files say.
static void add_device_file(struct plan *plan, const char *devices) {
        auto_buf text = { 0 };
        buf_printf(&text, "[device-10-kiln]\nmatch-device=%s\nkeep-configuration=no\n", devices);
        plan_add_file(plan, "/etc/NetworkManager/conf.d/10-kiln.conf", 0644, &text);
}

static void manager_node(const struct network *network, struct plan *plan) {
        auto_buf cards = { 0 };
        plan_add_link_files(plan, network);
        for (size_t i = 0; i < network->link_count; i++) {
                if (network->links[i].kind != NET_CARD)
                        continue;
                if (cards.size > 0)
                        buf_append_char(&cards, ',');
                buf_printf(&cards, "interface-name:=%s", network->links[i].name);
        }
        add_device_file(plan, buf_text(&cards));
        for (size_t i = 0; i < network->link_count; i++) {
                const struct net_link *link = &network->links[i];
                auto_buf text = { 0 };
                if (!link_is_used(network, link))
                        continue;
                manager_put_kind(&text, network, link);
                manager_put_ip(&text, network, link);
                manager_add_file(plan, link->name, &text);
        }
}

// NetworkManager takes DHCP's host name for a machine that has none but localhost (NetworkManager.conf(5), since 1.10).
static void add_hostname_file(struct plan *plan) {
        auto_buf text = { 0 };
        buf_append_text(&text, "[main]\nhostname-mode=none\n");
        plan_add_file(plan, "/etc/NetworkManager/conf.d/11-kiln-refused.conf", 0644, &text);
}

static void manager_refused(const struct facts *facts, struct plan *plan) {
        add_device_file(plan, "*");
        add_hostname_file(plan);
        for (size_t i = 0; i < facts->interface_count; i++) {
                const struct interface *interface = &facts->interfaces[i];
                char mac[MAC_TEXT_SIZE];
                auto_buf text = { 0 };
                if (!interface_is_writable(interface))
                        continue;
                mac_format(&interface->mac, mac);
                put_connection(&text, "ethernet", interface->name, &interface->mac);
                buf_printf(&text, "\n[ethernet]\nmac-address=%s\n\n[ipv4]\nmethod=auto\ndhcp-client-id=mac\n", mac);
                buf_append_text(&text, "\n[ipv6]\nmethod=ignore\n");
                manager_add_file(plan, interface->name, &text);
        }
}

const struct network_writer network_writer_manager = { "NetworkManager", "NetworkManager.service", manager_node,
                                                       manager_refused };
