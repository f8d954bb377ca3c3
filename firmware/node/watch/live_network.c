// SPDX-License-Identifier: MIT
#include "firmware/node/watch/live_network.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

// ---- reading ----

static int prefix_of_bits(const uint8_t *mask, size_t size) {
        int prefix = 0;
        for (size_t i = 0; i < size; i++)
                prefix += __builtin_popcount(mask[i]);
        return prefix;
}

static void live_take_ipv4(const struct ifaddrs *entry, struct live_address *ret) {
        const struct sockaddr_in *address = (const void *)entry->ifa_addr, *mask = (const void *)entry->ifa_netmask;
        ret->address = address_of_ipv4(ntohl(address->sin_addr.s_addr));
        if (mask)
                ret->prefix = prefix_of_bits((const void *)&mask->sin_addr, sizeof mask->sin_addr);
}

static void live_take_ipv6(const struct ifaddrs *entry, struct live_address *ret) {
        const struct sockaddr_in6 *address = (const void *)entry->ifa_addr, *mask = (const void *)entry->ifa_netmask;
        ret->address.family = 6;
        memcpy(ret->address.bytes, &address->sin6_addr, sizeof ret->address.bytes);
        if (mask)
                ret->prefix = prefix_of_bits((const void *)&mask->sin6_addr, sizeof mask->sin6_addr);
}

static void take_address(struct live_network *live, const struct ifaddrs *entry) {
        if (live->address_count == lengthof(live->addresses))
                return;
        struct live_address *address = &live->addresses[live->address_count++];
        snprintf(address->link, sizeof address->link, "%.15s", entry->ifa_name);
        address->link[strcspn(address->link, ":")] = '\0'; // a label, as ifcfg's aliases have: "eth0:1"
        if (entry->ifa_addr->sa_family == AF_INET)
                live_take_ipv4(entry, address);
        else
                live_take_ipv6(entry, address);
}

static void take_link(struct live_network *live, const struct ifaddrs *entry) {
        if (live->link_count == lengthof(live->links))
                return;
        const struct sockaddr_ll *address = (const void *)entry->ifa_addr;
        struct live_link *link = &live->links[live->link_count++];
        snprintf(link->name, sizeof link->name, "%.15s", entry->ifa_name);
        if (address->sll_halen == sizeof link->mac.bytes)
                memcpy(link->mac.bytes, address->sll_addr, sizeof link->mac.bytes);
        link->is_up = entry->ifa_flags & IFF_UP;
        link->has_carrier = entry->ifa_flags & IFF_RUNNING;
}

static void take_entry(struct live_network *live, const struct ifaddrs *entry) {
        if (!entry->ifa_addr)
                return;
        if (entry->ifa_addr->sa_family == AF_PACKET)
                take_link(live, entry);
        else if (entry->ifa_addr->sa_family == AF_INET || entry->ifa_addr->sa_family == AF_INET6)
                take_address(live, entry);
}

// Lines of /proc/net/route: interface, destination, gateway, flags, three counts, mask; addresses as hexadecimal words
// in network order.
static bool live_read_routes(struct live_network *live, struct err *err) {
        auto_fclose FILE *file = fopen("/proc/net/route", "re");
        char line[256], link[INTERFACE_NAME_SIZE];
        unsigned to, gateway, mask;
        if (!file)
                return fail(err, ERR_SYSTEM, errno, "open /proc/net/route");
        while (live->route_count < lengthof(live->routes) && fgets(line, sizeof line, file)) {
                if (sscanf(line, "%15s %8x %8x %*x %*d %*d %*d %8x", link, &to, &gateway, &mask) != 4 || to || mask)
                        continue;
                struct live_route *route = &live->routes[live->route_count++];
                memcpy(route->link, link, sizeof link);
                route->gateway = ntohl(gateway);
        }
        return true;
}

bool live_network_read(struct live_network *ret, struct err *err) {
        struct ifaddrs *entries;
        *ret = (struct live_network){ 0 };
        if (getifaddrs(&entries) < 0)
                return fail(err, ERR_SYSTEM, errno, "read the addresses of the network interfaces");
        for (const struct ifaddrs *entry = entries; entry; entry = entry->ifa_next)
                take_entry(ret, entry);
        freeifaddrs(entries);
        return live_read_routes(ret, err);
}

// ---- comparing ----

static const struct live_link *live_link_find(const struct live_network *live, const char *name) {
        for (size_t i = 0; i < live->link_count; i++)
                if (strcmp(live->links[i].name, name) == 0)
                        return &live->links[i];
        return NULL;
}

static const char *name_of_mac(const struct live_network *live, const struct mac *mac) {
        for (size_t i = 0; i < live->link_count; i++)
                if (mac_equal(&live->links[i].mac, mac))
                        return live->links[i].name;
        return NULL;
}

static bool has_address(const struct live_network *live, const char *link, const struct net_address *wanted) {
        for (size_t i = 0; i < live->address_count; i++) {
                const struct live_address *address = &live->addresses[i];
                bool is_prefix_right = wanted->prefix <= 0 || address->prefix == wanted->prefix;
                if (is_prefix_right && strcmp(address->link, link) == 0 &&
                    address_equal(&address->address, &wanted->address))
                        return true;
        }
        return false;
}

static bool has_route(const struct live_network *live, const char *link, uint32_t gateway) {
        for (size_t i = 0; i < live->route_count; i++)
                if (live->routes[i].gateway == gateway && strcmp(live->routes[i].link, link) == 0)
                        return true;
        return false;
}

static enum network_fault tell_absent(const struct record_link *wanted, const struct live_network *live,
                                      struct buf *text) {
        char mac[MAC_TEXT_SIZE];
        const char *other = NULL;
        mac_format(&wanted->mac, mac);
        if (wanted->is_card)
                other = name_of_mac(live, &wanted->mac);
        if (other)
                buf_printf(text, "the card %s is called %s, and not %s", mac, other, wanted->name);
        else
                buf_printf(text, "there is no %s", wanted->name);
        return NETWORK_WRONG;
}

static enum network_fault compare_addresses(const struct record_link *wanted, const struct live_network *live,
                                            struct buf *text) {
        char address[ADDRESS_ANY_TEXT_SIZE];
        for (size_t i = 0; i < wanted->address_count; i++) {
                const struct net_address *one = &wanted->addresses[i];
                if (has_address(live, wanted->name, one))
                        continue;
                address_format_any(&one->address, address);
                buf_printf(text, "%s has no address %s/%d", wanted->name, address, one->prefix);
                return NETWORK_WRONG;
        }
        if (!wanted->gateway || has_route(live, wanted->name, wanted->gateway))
                return NETWORK_RIGHT;
        address_format(wanted->gateway, address);
        buf_printf(text, "there is no default route by %s on %s", address, wanted->name);
        return NETWORK_WRONG;
}

static enum network_fault compare_link(const struct record_link *wanted, const struct live_network *live,
                                       struct buf *text) {
        const struct live_link *link = live_link_find(live, wanted->name);
        if (!link)
                return tell_absent(wanted, live, text);
        if (wanted->address_count == 0)
                return NETWORK_RIGHT; // a bond's member, or what DHCP may leave without one
        if (!link->is_up) {
                buf_printf(text, "%s is down", wanted->name);
                return NETWORK_WRONG;
        }
        if (!link->has_carrier) {
                buf_printf(text, "%s has no link: is its cable plugged in, and its switch's port on?", wanted->name);
                return NETWORK_UNPLUGGED;
        }
        return compare_addresses(wanted, live, text);
}

enum network_fault live_network_compare(const struct network_record *record, const struct live_network *live,
                                        struct buf *ret_text) {
        assert(record && live);
        enum network_fault fault = NETWORK_RIGHT;
        for (size_t i = 0; i < record->link_count && fault == NETWORK_RIGHT; i++)
                fault = compare_link(&record->links[i], live, ret_text);
        return fault;
}
