// SPDX-License-Identifier: MIT
#include "firmware/node/network/network.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "firmware/node/network/network_internal.h"

void network_note(struct network *network, const char *format, ...) {
        if (network->note_count == NET_NOTES_MAX)
                return;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(network->notes[network->note_count++], sizeof network->notes[0], format, arguments);
        va_end(arguments);
}

bool address_is_in(const struct address *address, const struct address *subnet, int prefix) {
        assert(prefix >= 0 && prefix <= 128);
        if (address->family != subnet->family)
                return false;
        for (int i = 0; i < prefix; i++)
                if ((address->bytes[i / 8] ^ subnet->bytes[i / 8]) & 0x80 >> i % 8)
                        return false;
        return true;
}

bool address_is_link_local6(const struct address *address) {
        return address->family == 6 && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

bool route_is_default(const struct net_route *route) { return route->prefix == 0; }

bool link_has_addresses(const struct net_link *link) {
        return link->address_count > 0 || link->dhcp4 || link->dhcp6 || link->auto6;
}

bool network_is_parent(const struct network *network, const struct net_link *link) {
        for (size_t i = 0; i < network->link_count; i++)
                if (strcmp(network->links[i].parent, link->name) == 0)
                        return true;
        return false;
}

bool link_is_used(const struct network *network, const struct net_link *link) {
        return link->kind != NET_CARD || link_has_addresses(link) || link->mtu || network_is_parent(network, link) ||
               network_bond_of(network, link);
}

const struct net_link *network_find(const struct network *network, const char *name) {
        for (size_t i = 0; i < network->link_count; i++)
                if (strcmp(network->links[i].name, name) == 0)
                        return &network->links[i];
        return NULL;
}

const struct net_link *network_bond_of(const struct network *network, const struct net_link *member) {
        for (size_t i = 0; i < network->link_count; i++)
                for (size_t j = 0; j < network->links[i].member_count; j++)
                        if (strcmp(network->links[i].members[j], member->name) == 0)
                                return &network->links[i];
        return NULL;
}
