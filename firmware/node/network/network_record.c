// SPDX-License-Identifier: MIT
#include "firmware/node/network/network_record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "firmware/node/facts/json_field.h"
#include "firmware/node/network/network_internal.h"
#include "firmware/node/root/root.h"

enum { RECORD_MAX = 1 << 18 };

static uint32_t default_gateway(const struct net_link *link) {
        for (size_t i = 0; i < link->route_count; i++) {
                const struct net_route *route = &link->routes[i];
                const uint8_t *b = route->gateway.bytes;
                if (route_is_default(route) && route->gateway.family == 4)
                        return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        }
        return 0;
}

static void record_append_address(json_t *list, const struct address *address, int prefix) {
        char text[NET_PREFIX_TEXT_SIZE];
        net_prefix_format(address, prefix, text);
        json_array_append_new(list, json_string(text));
}

static bool link_has_address(const struct net_link *link, const struct address *address) {
        for (size_t i = 0; i < link->address_count; i++)
                if (address_equal(&link->addresses[i].address, address))
                        return true;
        return false;
}

// `own`: the identity's address, on its link, which DHCP may be asked for again; NULL for other links.
static json_t *link_json(const struct net_link *link, const struct address *own, int own_prefix) {
        char text[MAC_TEXT_SIZE];
        json_t *json = json_object(), *addresses = json_array();
        json_object_set_new(json, "name", json_string(link->name));
        if (link->kind == NET_CARD) {
                mac_format(&link->mac, text);
                json_object_set_new(json, "mac", json_string(text));
        }
        for (size_t i = 0; i < link->address_count; i++)
                record_append_address(addresses, &link->addresses[i].address, link->addresses[i].prefix);
        if (own && !link_has_address(link, own))
                record_append_address(addresses, own, own_prefix);
        json_object_set_new(json, "addresses", addresses);
        address_format(default_gateway(link), text);
        json_object_set_new(json, "gateway", json_string(default_gateway(link) ? text : ""));
        return json;
}

void network_record_add(struct plan *plan, const struct network *network, const struct identity *identity,
                        const char *writer) {
        assert(identity && writer);
        const struct address own = address_of_ipv4(identity->address);
        json_t *links = json_array(), *root = json_object();
        for (size_t i = 0; i < network->link_count; i++) {
                const struct net_link *link = &network->links[i];
                bool is_primary = i == network->primary;
                if (link_is_used(network, link))
                        json_array_append_new(links, link_json(link, is_primary ? &own : NULL, identity->prefix));
        }
        json_object_set_new(root, "writer", json_string(writer));
        json_object_set_new(root, "links", links);
        auto_free char *json = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        auto_buf text = { 0 };
        buf_printf(&text, "%s\n", json);
        plan_add_file(plan, NETWORK_RECORD_PATH, 0644, &text);
        json_decref(root);
}

// ---- reading ----

static bool read_text(const json_t *object, const char *key, char *ret, size_t size, struct err *err) {
        const char *text = json_string_value(json_object_get(object, key));
        if (!text || strlen(text) >= size)
                return json_field_wrong(err, key, "a text");
        memcpy(ret, text, strlen(text) + 1);
        return true;
}

static bool record_read_address(const json_t *item, struct net_address *ret, struct err *err) {
        char text[NET_PREFIX_TEXT_SIZE];
        snprintf(text, sizeof text, "%s", json_string_value(item) ? json_string_value(item) : "");
        char *slash = strchr(text, '/');
        if (!slash)
                return json_field_wrong(err, "addresses", "addresses with their prefix");
        *slash = '\0';
        ret->prefix = atoi(slash + 1);
        return address_parse_any(text, &ret->address) || json_field_wrong(err, "addresses", "addresses");
}

static bool read_link(const json_t *json, struct record_link *ret, struct err *err) {
        const json_t *addresses;
        const char *mac = json_string_value(json_object_get(json, "mac"));
        ret->is_card = mac && mac_parse(mac, &ret->mac);
        if (!read_text(json, "name", ret->name, sizeof ret->name, err) ||
            !json_field_address(json, "gateway", &ret->gateway, err) ||
            !json_field_list(json, "addresses", &addresses, err))
                return false;
        if (json_array_size(addresses) > lengthof(ret->addresses))
                return json_field_wrong(err, "addresses", "a list of fewer");
        for (size_t i = 0; i < json_array_size(addresses); i++)
                if (!record_read_address(json_array_get(addresses, i), &ret->addresses[ret->address_count++], err))
                        return false;
        return true;
}

static bool read_links(const json_t *root, struct network_record *ret, struct err *err) {
        const json_t *links;
        if (!read_text(root, "writer", ret->writer, sizeof ret->writer, err) ||
            !json_field_list(root, "links", &links, err))
                return false;
        if (json_array_size(links) > lengthof(ret->links))
                return json_field_wrong(err, "links", "a list of fewer");
        for (size_t i = 0; i < json_array_size(links); i++)
                if (!read_link(json_array_get(links, i), &ret->links[ret->link_count++], err))
                        return false;
        return true;
}

bool network_record_read(int root, struct network_record *ret, struct err *err) {
        assert(root >= 0);
        auto_buf text = { .max = RECORD_MAX };
        bool found;
        *ret = (struct network_record){ 0 };
        if (!root_read(root, NETWORK_RECORD_PATH, &text, &found, err))
                return false;
        if (!found)
                return fail(err, ERR_REFERENCE, 0, "there is no " NETWORK_RECORD_PATH ": did kiln-node apply run?");
        json_t *json = json_loadb(buf_text(&text), text.size, 0, NULL);
        bool ok = read_links(json, ret, err) || wrap(err, NETWORK_RECORD_PATH);
        json_decref(json);
        return ok;
}
