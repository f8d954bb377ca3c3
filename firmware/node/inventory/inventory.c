// SPDX-License-Identifier: MIT
#include "firmware/node/inventory/inventory.h"

#include <jansson.h>
#include <string.h>

#include "firmware/node/facts/json_field.h"
#include "firmware/node/inventory/inventory_links.h"
#include "shared/secrets.h"
#include "shared/smbios.h"

enum { FORMAT = 1, NESTING_MAX = 32 };

// "" if it is absent.
static bool get_string(const json_t *object, const char *key, struct arena *arena, const char **ret, struct err *err) {
        const json_t *item = json_object_get(object, key);
        *ret = "";
        if (!item)
                return true;
        if (!json_is_string(item))
                return json_field_wrong(err, key, "a string");
        *ret = arena_strdup(arena, json_string_value(item));
        return true;
}

static bool need_string(const json_t *object, const char *key, struct arena *arena, const char **ret, struct err *err) {
        const char *text;
        if (!get_string(object, key, arena, &text, err))
                return false;
        if (!*text)
                return json_field_wrong(err, key, "given");
        *ret = text;
        return true;
}

// A list of texts; none if it is absent.
static bool get_strings(const json_t *object, const char *key, struct arena *arena, struct strings *ret,
                        struct err *err) {
        const json_t *list;
        if (!json_field_list(object, key, &list, err))
                return false;
        ret->items = arena_alloc(arena, json_array_size(list) * sizeof *ret->items);
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *text = json_string_value(json_array_get(list, i));
                if (!text)
                        return json_field_wrong(err, key, "a list of strings");
                ret->items[ret->count++] = arena_strdup(arena, text);
        }
        return true;
}

// Their names become file names.
static bool get_secrets(const json_t *object, struct arena *arena, struct strings *ret, struct err *err) {
        if (!get_strings(object, "secrets", arena, ret, err))
                return false;
        for (size_t i = 0; i < ret->count; i++)
                if (!secret_name_is_valid(ret->items[i]))
                        return json_field_wrong(err, "secrets", "a list of names");
        return true;
}

static struct value *value_of_object(const json_t *json, struct arena *arena, int depth);
static struct value *value_of_array(const json_t *json, struct arena *arena, int depth);

// Below NESTING_MAX levels everything is null, so that a node's variables cannot use up the stack.
static struct value *value_of_json(const json_t *json, struct arena *arena, int depth) {
        if (json_is_object(json) && depth < NESTING_MAX)
                return value_of_object(json, arena, depth);
        if (json_is_array(json) && depth < NESTING_MAX)
                return value_of_array(json, arena, depth);
        if (json_is_boolean(json))
                return value_bool(arena, json_is_true(json));
        if (json_is_string(json)) {
                struct value *value = value_scalar(arena, arena_strdup(arena, json_string_value(json)));
                value->quoted = true;
                return value;
        }
        if (json_is_number(json)) {
                auto_free char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
                if (text)
                        return value_scalar(arena, arena_strdup(arena, text));
                return value_scalar(arena, "");
        }
        return arena_alloc(arena, sizeof(struct value)); // VALUE_NULL
}

static struct value *value_of_object(const json_t *json, struct arena *arena, int depth) {
        struct value *value = value_map(arena);
        json_t *object = (json_t *)json; // jansson's iterators take no const
        for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at))
                value_set(arena, value, arena_strdup(arena, json_object_iter_key(at)),
                          value_of_json(json_object_iter_value(at), arena, depth + 1));
        return value;
}

static struct value *value_of_array(const json_t *json, struct arena *arena, int depth) {
        struct value *value = value_list(arena);
        for (size_t i = 0; i < json_array_size(json); i++)
                value_append(arena, value, value_of_json(json_array_get(json, i), arena, depth + 1));
        return value;
}

static bool read_network(const json_t *json, struct arena *arena, void *element, struct inventory *inventory,
                         struct err *err) {
        (void)inventory;
        struct inventory_network *network = element;
        const char *subnet = "";
        const json_t *dns;
        if (!need_string(json, "name", arena, &network->name, err) ||
            !need_string(json, "subnet", arena, &subnet, err) ||
            !json_field_address(json, "gateway", &network->gateway, err) || !json_field_list(json, "dns", &dns, err))
                return false;
        const char *slash = strchr(subnet, '/');
        if (!slash || !address_parse(arena_strndup(arena, subnet, (size_t)(slash - subnet)), &network->address) ||
            !prefix_parse(slash + 1, &network->prefix))
                return json_field_wrong(err, "subnet", "ADDRESS/PREFIX");
        network->dns_count = json_array_size(dns);
        network->dns = arena_alloc(arena, network->dns_count * sizeof *network->dns);
        for (size_t i = 0; i < network->dns_count; i++) {
                const char *text = json_string_value(json_array_get(dns, i));
                if (!text || !address_parse(text, &network->dns[i]))
                        return json_field_wrong(err, "dns", "a list of IPv4 addresses");
        }
        return inventory_read_links_of_network(json, arena, network, err);
}

static bool read_smbios(const json_t *json, struct arena *arena, struct inventory_node *node, struct err *err) {
        uint8_t uuid[16];
        if (!get_string(json, "serial", arena, &node->serial, err) ||
            !get_string(json, "uuid", arena, &node->uuid, err) ||
            !get_string(json, "asset_tag", arena, &node->asset_tag, err))
                return false;
        return !*node->uuid || smbios_uuid_parse(node->uuid, uuid) || json_field_wrong(err, "uuid", "a UUID");
}

static bool read_node_mac(const json_t *json, struct arena *arena, struct inventory_node *node, struct err *err) {
        const char *mac;
        if (!get_string(json, "mac", arena, &mac, err))
                return false;
        node->has_mac = *mac != '\0';
        return !node->has_mac || mac_parse(mac, &node->mac) || json_field_wrong(err, "mac", "an Ethernet address");
}

// The address, and the network that it must be in.
static bool read_place(const json_t *json, struct arena *arena, const struct inventory *inventory,
                       struct inventory_node *node, struct err *err) {
        const char *name;
        if (!get_string(json, "network", arena, &name, err) || !json_field_address(json, "ip", &node->ip, err))
                return false;
        for (size_t i = 0; i < inventory->network_count && !node->network; i++)
                if (strcmp(inventory->networks[i].name, name) == 0)
                        node->network = &inventory->networks[i];
        if (!node->network || !node->ip || !address_in_subnet(node->ip, node->network->address, node->network->prefix))
                return json_field_wrong(err, "ip", "an address inside the node's network");
        return true;
}

static bool read_node_numbers(const json_t *json, struct inventory_node *node, struct err *err) {
        enum { ID_MAX = 255, INDEX_MAX = 1 << 20 };
        json_int_t id = 0, index = 0;
        if (!json_field_number(json, "id", 0, ID_MAX, &id, err) ||
            !json_field_number(json, "index", 0, INDEX_MAX, &index, err))
                return false;
        node->id = (int)id;
        node->index = (int)index;
        return true;
}

static struct value *read_variables(const json_t *json, const char *key, struct arena *arena) {
        const json_t *variables = json_object_get(json, key);
        if (json_is_object(variables))
                return value_of_json(variables, arena, 0);
        return value_map(arena);
}

static bool read_node(const json_t *json, struct arena *arena, void *element, struct inventory *inventory,
                      struct err *err) {
        struct inventory_node *node = element;
        if (!need_string(json, "name", arena, &node->name, err) || !need_string(json, "role", arena, &node->role, err))
                return false;
        if (!hostname_is_valid(node->name))
                return json_field_wrong(err, "name", "a host name");
        if (!get_strings(json, "aliases", arena, &node->aliases, err))
                return false;
        if (!read_node_mac(json, arena, node, err) || !read_place(json, arena, inventory, node, err) ||
            !read_node_numbers(json, node, err))
                return false;
        node->variables = read_variables(json, "variables", arena);
        return inventory_read_links_of_node(json, arena, inventory, node, err) && read_smbios(json, arena, node, err);
}

static bool read_roles(const json_t *root, struct arena *arena, struct inventory *inventory, struct err *err) {
        json_t *roles = json_object_get(root, "roles");
        if (roles && !json_is_object(roles))
                return json_field_wrong(err, "roles", "an object");
        inventory->roles = arena_alloc(arena, json_object_size(roles) * sizeof *inventory->roles);
        for (void *at = json_object_iter(roles); at; at = json_object_iter_next(roles, at)) {
                const char *name = json_object_iter_key(at);
                struct inventory_role *role = &inventory->roles[inventory->role_count++];
                role->name = arena_strdup(arena, name);
                if (!get_strings(roles, name, arena, &role->ancestors, err))
                        return wrap(err, "roles");
        }
        return true;
}

static bool read_vip(const json_t *json, struct arena *arena, void *element, struct inventory *inventory,
                     struct err *err) {
        (void)inventory;
        struct inventory_vip *vip = element;
        return need_string(json, "name", arena, &vip->name, err) && json_field_address(json, "ip", &vip->ip, err) &&
               (vip->ip || json_field_wrong(err, "ip", "given"));
}

static bool read_template(const json_t *json, struct arena *arena, void *element, struct inventory *inventory,
                          struct err *err) {
        (void)inventory;
        struct inventory_template *template = element;
        json_int_t mode = 0644, uid = 0, gid = 0;
        if (!need_string(json, "path", arena, &template->path, err) ||
            !need_string(json, "source", arena, &template->source, err) ||
            !json_field_number(json, "mode", 0, 07777, &mode, err) ||
            !json_field_number(json, "uid", 0, UINT32_MAX - 1, &uid, err) ||
            !json_field_number(json, "gid", 0, UINT32_MAX - 1, &gid, err))
                return false;
        if (template->path[0] != '/' || template->source[0] != '/')
                return json_field_wrong(err, "path", "absolute");
        template->mode = (unsigned)mode;
        template->uid = (unsigned)uid;
        template->gid = (unsigned)gid;
        return get_secrets(json, arena, &template->secrets, err) &&
               get_strings(json, "services", arena, &template->services, err);
}

typedef bool read_element(const json_t *json, struct arena *arena, void *element, struct inventory *inventory,
                          struct err *err);

static bool read_elements(const json_t *root, const char *key, size_t element_size, read_element *read,
                          struct arena *arena, struct inventory *inventory, void **ret, size_t *ret_count,
                          struct err *err) {
        const json_t *list;
        if (!json_field_list(root, key, &list, err))
                return false;
        size_t count = json_array_size(list);
        *ret = arena_alloc(arena, count * element_size);
        for (size_t i = 0; i < count; i++) {
                const json_t *json = json_array_get(list, i);
                if (!json_is_object(json))
                        return json_field_wrong(err, key, "a list of objects");
                if (!read(json, arena, (char *)*ret + i * element_size, inventory, err))
                        return wrap(err, "%s[%zu]", key, i);
        }
        *ret_count = count;
        return true;
}

static bool read_image(const json_t *root, struct arena *arena, struct inventory *inventory, struct err *err) {
        const struct {
                const char *key, **ret;
        } needed[] = { { "cluster", &inventory->cluster },
                       { "role", &inventory->role },
                       { "network_writer", &inventory->network_writer } },
          optional[] = { { "build", &inventory->build },
                         { "release", &inventory->release },
                         { "hosts", &inventory->hosts },
                         { "report_url", &inventory->report_url } };
        for (size_t i = 0; i < lengthof(needed); i++)
                if (!need_string(root, needed[i].key, arena, needed[i].ret, err))
                        return false;
        for (size_t i = 0; i < lengthof(optional); i++)
                if (!get_string(root, optional[i].key, arena, optional[i].ret, err))
                        return false;
        return get_secrets(root, arena, &inventory->secrets, err) &&
               json_field_bool(root, "ensemble", &inventory->ensemble, err) &&
               json_field_bool(root, "strangers", &inventory->strangers, err);
}

static bool read_inventory(const json_t *root, struct arena *arena, struct inventory *inventory, struct err *err) {
        json_int_t format = 0;
        if (!json_is_object(root))
                return fail(err, ERR_SCHEMA, 0, "the document must be an object");
        if (!json_field_number(root, "format", FORMAT, FORMAT, &format, err))
                return false;
        if (format != FORMAT)
                return json_field_wrong(err, "format", "1");
        if (!read_image(root, arena, inventory, err) || !dhcp_settings_read(root, &inventory->dhcp, err) ||
            !state_settings_read(root, arena, &inventory->state, err))
                return false;
        inventory->stranger_variables = read_variables(root, "default", arena);
        return read_roles(root, arena, inventory, err) &&
               read_elements(root, "networks", sizeof *inventory->networks, read_network, arena, inventory,
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
        bool ok = read_inventory(root, arena, &inventory, err);
        json_decref(root);
        if (ok)
                *ret = inventory;
        return ok;
}
