// SPDX-License-Identifier: MIT
#include "firmware/node/inventory/inventory.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "firmware/node/inventory/inventory_links.h"
#include "shared/smbios.h"

enum {
        FORMAT = 1,
        NESTING_MAX = 32,
        DHCP_TIMEOUT_DEFAULT_MS = 75000,
        CARRIER_TIMEOUT_DEFAULT_MS = 60000,
        TIMEOUT_MAX_MS = 3600000
};

static bool wrong(struct err *err, const char *key, const char *want) {
        return fail(err, ERR_SCHEMA, 0, "\"%s\" must be %s", key, want);
}

static bool get_text(const json_t *object, const char *key, struct arena *arena, const char **ret, struct err *err) {
        const json_t *item = json_object_get(object, key);
        if (item && !json_is_string(item))
                return wrong(err, key, "a string");
        *ret = arena_strdup(arena, item ? json_string_value(item) : "");
        return true;
}

static bool need_text(const json_t *object, const char *key, struct arena *arena, const char **ret, struct err *err) {
        const char *text;
        if (!get_text(object, key, arena, &text, err))
                return false;
        if (!*text)
                return wrong(err, key, "given");
        *ret = text;
        return true;
}

static bool get_number(const json_t *object, const char *key, json_int_t min, json_int_t max, json_int_t standard,
                       json_int_t *ret, struct err *err) {
        const json_t *item = json_object_get(object, key);
        json_int_t number = item ? json_integer_value(item) : standard;
        if (item && (!json_is_integer(item) || number < min || number > max))
                return fail(err, ERR_SCHEMA, 0, "\"%s\" must be a whole number of %lld to %lld", key, (long long)min,
                            (long long)max);
        *ret = number;
        return true;
}

// `*ret` is what it is when the key is absent.
static bool get_bool(const json_t *object, const char *key, bool *ret, struct err *err) {
        const json_t *item = json_object_get(object, key);
        if (item && !json_is_boolean(item))
                return wrong(err, key, "true or false");
        if (item)
                *ret = json_is_true(item);
        return true;
}

static bool get_address(const json_t *object, const char *key, uint32_t *ret, struct err *err) {
        const json_t *item = json_object_get(object, key);
        const char *text = json_string_value(item);
        *ret = 0;
        if (!item || (text && !*text))
                return true;
        return (text && address_parse(text, ret)) || wrong(err, key, "an IPv4 address");
}

static bool get_list(const json_t *object, const char *key, const json_t **ret, struct err *err) {
        const json_t *item = json_object_get(object, key);
        if (item && !json_is_array(item))
                return wrong(err, key, "a list");
        *ret = item;
        return true;
}

static struct value *value_of_json(const json_t *json, struct arena *arena, int depth) {
        struct value *value;
        if (json_is_object(json) && depth < NESTING_MAX) {
                value = value_map(arena);
                json_t *object = (json_t *)json; // jansson's iterators take no const
                for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at))
                        value_set(arena, value, arena_strdup(arena, json_object_iter_key(at)),
                                  value_of_json(json_object_iter_value(at), arena, depth + 1));
                return value;
        }
        if (json_is_array(json) && depth < NESTING_MAX) {
                value = value_list(arena);
                for (size_t i = 0; i < json_array_size(json); i++)
                        value_append(arena, value, value_of_json(json_array_get(json, i), arena, depth + 1));
                return value;
        }
        if (json_is_boolean(json))
                return value_bool(arena, json_is_true(json));
        if (json_is_string(json)) {
                value = value_scalar(arena, arena_strdup(arena, json_string_value(json)));
                value->quoted = true;
                return value;
        }
        if (json_is_number(json)) {
                auto_free char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
                return value_scalar(arena, arena_strdup(arena, text ? text : ""));
        }
        return arena_alloc(arena, sizeof *value); // VALUE_NULL
}

static bool read_network(const json_t *json, struct arena *arena, void *element, struct inventory *inventory,
                         struct err *err) {
        (void)inventory;
        struct inventory_network *network = element;
        const char *subnet;
        const json_t *dns = NULL;
        if (!need_text(json, "name", arena, &network->name, err) || !need_text(json, "subnet", arena, &subnet, err) ||
            !get_address(json, "gateway", &network->gateway, err) || !get_list(json, "dns", &dns, err))
                return false;
        const char *slash = strchr(subnet, '/');
        if (!slash || !address_parse(arena_strndup(arena, subnet, (size_t)(slash - subnet)), &network->address) ||
            !prefix_parse(slash + 1, &network->prefix))
                return wrong(err, "subnet", "ADDRESS/PREFIX");
        network->dns_count = json_array_size(dns);
        network->dns = arena_alloc(arena, network->dns_count * sizeof *network->dns);
        for (size_t i = 0; i < network->dns_count; i++) {
                const char *text = json_string_value(json_array_get(dns, i));
                if (!text || !address_parse(text, &network->dns[i]))
                        return wrong(err, "dns", "a list of IPv4 addresses");
        }
        return inventory_read_links_of_network(json, arena, network, err);
}

static bool read_smbios(const json_t *json, struct arena *arena, struct inventory_node *node, struct err *err) {
        uint8_t uuid[16];
        return get_text(json, "serial", arena, &node->serial, err) && get_text(json, "uuid", arena, &node->uuid, err) &&
               get_text(json, "asset_tag", arena, &node->asset_tag, err) &&
               (!*node->uuid || smbios_uuid_parse(node->uuid, uuid) || wrong(err, "uuid", "a UUID"));
}

static bool read_node(const json_t *json, struct arena *arena, void *element, struct inventory *inventory,
                      struct err *err) {
        struct inventory_node *node = element;
        const char *mac, *network;
        json_int_t id, index;
        if (!need_text(json, "name", arena, &node->name, err) || !need_text(json, "role", arena, &node->role, err) ||
            !get_text(json, "mac", arena, &mac, err) || !get_text(json, "network", arena, &network, err) ||
            !get_address(json, "ip", &node->ip, err) || !get_number(json, "id", 0, 255, 0, &id, err) ||
            !get_number(json, "index", 0, 1 << 20, 0, &index, err))
                return false;
        if (!hostname_is_valid(node->name))
                return wrong(err, "name", "a host name");
        node->has_mac = *mac != '\0';
        if (node->has_mac && !mac_parse(mac, &node->mac))
                return wrong(err, "mac", "an Ethernet address");
        for (size_t i = 0; i < inventory->network_count && !node->network; i++)
                if (strcmp(inventory->networks[i].name, network) == 0)
                        node->network = &inventory->networks[i];
        if (!node->network || !node->ip || !address_in_subnet(node->ip, node->network->address, node->network->prefix))
                return wrong(err, "ip", "an address inside the node's network");
        const json_t *variables = json_object_get(json, "variables");
        node->variables = json_is_object(variables) ? value_of_json(variables, arena, 0) : value_map(arena);
        node->id = (int)id;
        node->index = (int)index;
        return inventory_read_links_of_node(json, arena, inventory, node, err) && read_smbios(json, arena, node, err);
}

static bool read_vip(const json_t *json, struct arena *arena, void *element, struct inventory *inventory,
                     struct err *err) {
        (void)inventory;
        struct inventory_vip *vip = element;
        return need_text(json, "name", arena, &vip->name, err) && get_address(json, "ip", &vip->ip, err) &&
               (vip->ip || wrong(err, "ip", "given"));
}

static bool read_template(const json_t *json, struct arena *arena, void *element, struct inventory *inventory,
                          struct err *err) {
        (void)inventory;
        struct inventory_template *template = element;
        json_int_t mode, uid, gid;
        if (!need_text(json, "path", arena, &template->path, err) ||
            !need_text(json, "source", arena, &template->source, err) ||
            !get_number(json, "mode", 0, 07777, 0644, &mode, err) ||
            !get_number(json, "uid", 0, UINT32_MAX - 1, 0, &uid, err) ||
            !get_number(json, "gid", 0, UINT32_MAX - 1, 0, &gid, err))
                return false;
        if (template->path[0] != '/' || template->source[0] != '/')
                return wrong(err, "path", "absolute");
        template->mode = (unsigned)mode;
        template->uid = (unsigned)uid;
        template->gid = (unsigned)gid;
        return true;
}

typedef bool read_element(const json_t *json, struct arena *arena, void *element, struct inventory *inventory,
                          struct err *err);

static bool read_elements(const json_t *root, const char *key, size_t element_size, read_element *read,
                          struct arena *arena, struct inventory *inventory, void **ret, size_t *ret_count,
                          struct err *err) {
        const json_t *list = NULL;
        if (!get_list(root, key, &list, err))
                return false;
        size_t count = json_array_size(list);
        *ret = arena_alloc(arena, count * element_size);
        for (size_t i = 0; i < count; i++) {
                const json_t *json = json_array_get(list, i);
                if (!json_is_object(json))
                        return wrong(err, key, "a list of objects");
                if (!read(json, arena, (char *)*ret + i * element_size, inventory, err))
                        return wrap(err, "%s[%zu]", key, i);
        }
        *ret_count = count;
        return true;
}

// "224", or "43.1"; "" and absent: none.
static bool get_site_option(const json_t *object, const char *key, struct dhcp_site_option *ret, struct err *err) {
        const json_t *item = json_object_get(object, key);
        const char *text = item ? json_string_value(item) : "";
        unsigned code = 0, sub = 0;
        int end = 0, sub_end = 0;
        if (text && !*text)
                return true;
        bool ok = text && sscanf(text, "%3u%n.%3u%n", &code, &end, &sub, &sub_end) >= 1 &&
                  !text[sub_end ? sub_end : end] &&
                  (sub_end ? code == 43 && sub >= 1 && sub <= 254 : code >= 224 && code <= 254);
        *ret = (struct dhcp_site_option){ (uint8_t)code, (uint8_t)sub };
        return ok || wrong(err, key, "an option's number of 224 to 254, or 43 and a sub-option as in \"43.1\"");
}

static bool read_dhcp(const json_t *root, struct dhcp_settings *dhcp, struct err *err) {
        const json_t *options = json_object_get(root, "dhcp_options"), *id = json_object_get(root, "dhcp_client_id");
        const char *id_kind = id ? json_string_value(id) : "mac";
        json_int_t timeout_ms, carrier_timeout_ms;
        dhcp->arp_check = true;
        if (!get_number(root, "dhcp_timeout_ms", 1, TIMEOUT_MAX_MS, DHCP_TIMEOUT_DEFAULT_MS, &timeout_ms, err) ||
            !get_number(root, "carrier_timeout_ms", 0, TIMEOUT_MAX_MS, CARRIER_TIMEOUT_DEFAULT_MS, &carrier_timeout_ms,
                        err) ||
            !get_bool(root, "arp_check", &dhcp->arp_check, err))
                return false;
        if (options && !json_is_object(options))
                return wrong(err, "dhcp_options", "an object");
        if (!id_kind || (strcmp(id_kind, "mac") != 0 && strcmp(id_kind, "duid") != 0))
                return wrong(err, "dhcp_client_id", "\"mac\" or \"duid\"");
        dhcp->timeout_ms = (int)timeout_ms;
        dhcp->carrier_timeout_ms = (int)carrier_timeout_ms;
        dhcp->id_kind = strcmp(id_kind, "duid") == 0 ? DHCP_ID_DUID : DHCP_ID_MAC;
        return get_site_option(options, "node", &dhcp->node, err) &&
               get_site_option(options, "role", &dhcp->role, err) && get_site_option(options, "id", &dhcp->id, err);
}

static bool read_all(const json_t *root, struct arena *arena, struct inventory *inventory, struct err *err) {
        json_int_t format;
        if (!get_number(root, "format", FORMAT, FORMAT, 0, &format, err))
                return false;
        if (format != FORMAT)
                return wrong(err, "format", "1");
        bool ok = need_text(root, "cluster", arena, &inventory->cluster, err) &&
                  need_text(root, "role", arena, &inventory->role, err) &&
                  get_text(root, "build", arena, &inventory->build, err) &&
                  get_text(root, "release", arena, &inventory->release, err) &&
                  need_text(root, "network_writer", arena, &inventory->network_writer, err) &&
                  get_text(root, "hosts", arena, &inventory->hosts, err) &&
                  get_text(root, "report_url", arena, &inventory->report_url, err) &&
                  get_bool(root, "ensemble", &inventory->ensemble, err) &&
                  get_bool(root, "strangers", &inventory->strangers, err) && read_dhcp(root, &inventory->dhcp, err);
        if (!ok || !state_settings_read(root, arena, &inventory->state, err))
                return false;
        return read_elements(root, "networks", sizeof *inventory->networks, read_network, arena, inventory,
                             (void **)&inventory->networks, &inventory->network_count, err) &&
               read_elements(root, "nodes", sizeof *inventory->nodes, read_node, arena, inventory,
                             (void **)&inventory->nodes, &inventory->node_count, err) &&
               read_elements(root, "vips", sizeof *inventory->vips, read_vip, arena, inventory,
                             (void **)&inventory->vips, &inventory->vip_count, err) &&
               read_elements(root, "templates", sizeof *inventory->templates, read_template, arena, inventory,
                             (void **)&inventory->templates, &inventory->template_count, err);
}

bool inventory_read(const char *text, size_t size, struct arena *arena, struct inventory *ret, struct err *err) {
        json_error_t error;
        json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
        if (!root)
                return fail(err, ERR_SYNTAX, 0, "line %d: %s", error.line, error.text);
        struct inventory inventory = { 0 };
        bool ok = json_is_object(root) ? read_all(root, arena, &inventory, err)
                                       : fail(err, ERR_SCHEMA, 0, "the document must be an object");
        json_decref(root);
        if (ok)
                *ret = inventory;
        return ok;
}

const struct inventory_node *inventory_by_name(const struct inventory *inventory, const char *hostname) {
        for (size_t i = 0; i < inventory->node_count; i++)
                if (strcasecmp(hostname, inventory->nodes[i].name) == 0)
                        return &inventory->nodes[i];
        for (size_t i = 0; i < inventory->node_count; i++)
                if (hostname_names(hostname, inventory->nodes[i].name))
                        return &inventory->nodes[i];
        return NULL;
}

static bool has_address(const struct inventory_node *node, uint32_t address) {
        for (size_t i = 0; i < node->address_count; i++)
                if (node->addresses[i].ip == address)
                        return true;
        return node->ip == address;
}

const struct inventory_node *inventory_by_address(const struct inventory *inventory, uint32_t address) {
        for (size_t i = 0; address && i < inventory->node_count; i++)
                if (has_address(&inventory->nodes[i], address))
                        return &inventory->nodes[i];
        return NULL;
}

const struct inventory_node *inventory_by_mac(const struct inventory *inventory, const struct mac *mac) {
        for (size_t i = 0; i < inventory->node_count; i++)
                if (inventory_node_has_mac(&inventory->nodes[i], mac))
                        return &inventory->nodes[i];
        return NULL;
}

const struct inventory_network *inventory_network_of(const struct inventory *inventory, uint32_t address) {
        for (size_t i = 0; address && i < inventory->network_count; i++)
                if (address_in_subnet(address, inventory->networks[i].address, inventory->networks[i].prefix))
                        return &inventory->networks[i];
        return NULL;
}
