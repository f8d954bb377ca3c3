// SPDX-License-Identifier: MIT
// What the writers have in common.
#include <assert.h>
#include <stdio.h>

#include "firmware/node/network/network_internal.h"

void net_prefix_format(const struct address *address, int prefix, char ret_text[static NET_PREFIX_TEXT_SIZE]) {
        char text[ADDRESS_ANY_TEXT_SIZE];
        address_format_any(address, text);
        snprintf(ret_text, NET_PREFIX_TEXT_SIZE, "%s/%d", text, prefix);
}

void put_any(struct buf *text, const char *before, const struct address *address, const char *after) {
        char shown[ADDRESS_ANY_TEXT_SIZE];
        address_format_any(address, shown);
        buf_printf(text, "%s%s%s", before, shown, after);
}

void put_search_domains(struct buf *text, const struct net_link *link, const char *before, const char *separator,
                        const char *after) {
        if (link->search_count == 0)
                return;
        buf_printf(text, "%s%s", before, link->search[0]);
        for (size_t i = 1; i < link->search_count; i++)
                buf_printf(text, "%s%s", separator, link->search[i]);
        buf_append_text(text, after);
}

bool link_has_family(const struct net_link *link, int family) {
        for (size_t i = 0; i < link->address_count; i++)
                if (link->addresses[i].address.family == family)
                        return true;
        return false;
}

bool client_id_is_duid(const struct dhcp_client_id *id) { return id->size > 7 && id->bytes[0] == 255; }

void put_hex(struct buf *text, const uint8_t *bytes, size_t size) {
        for (size_t i = 0; i < size; i++) {
                if (i > 0)
                        buf_append_char(text, ':');
                buf_printf(text, "%02x", bytes[i]);
        }
}

bool interface_is_writable(const struct interface *interface) { return interface_name_is_valid(interface->name); }

void plan_add_link_files(struct plan *plan, const struct network *network) {
        assert(plan && network);
        for (size_t i = 0; i < network->link_count; i++) {
                const struct net_link *link = &network->links[i];
                if (!link->pin_name)
                        continue;
                char path[80], mac[MAC_TEXT_SIZE];
                auto_buf text = { 0 };
                mac_format(&link->mac, mac);
                buf_printf(&text, "[Match]\nMACAddress=%s\nType=ether\n\n[Link]\nNamePolicy=\nName=%s\n", mac,
                           link->name);
                snprintf(path, sizeof path, "/etc/systemd/network/10-kiln-%s.link", link->name);
                plan_add_file(plan, path, 0644, &text);
        }
}
