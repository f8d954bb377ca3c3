// SPDX-License-Identifier: MIT
#include "firmware/node/machine/facts_json.h"

#include <jansson.h>
#include <string.h>

#include "firmware/node/dhcp/dhcp_options.h"
#include "firmware/node/state/state.h"

static bool wrong(struct err *err, const char *key, const char *want) {
        return fail(err, ERR_SCHEMA, 0, "\"%s\" must be %s", key, want);
}

// A key that is not one of `known` (NULL at the end) would be silently without effect.
static bool check_keys(const json_t *object, const char *const *known, struct err *err) {
        if (!json_is_object(object))
                return fail(err, ERR_SCHEMA, 0, "must be an object");
        for (void *at = json_object_iter((json_t *)object); at; at = json_object_iter_next((json_t *)object, at)) {
                size_t i = 0;
                while (known[i] && strcmp(known[i], json_object_iter_key(at)) != 0)
                        i++;
                if (!known[i])
                        return fail(err, ERR_SCHEMA, 0, "unknown key \"%s\"", json_object_iter_key(at));
        }
        return true;
}

static bool copy_text(const json_t *object, const char *key, char *ret, size_t size, struct err *err) {
        const json_t *item = json_object_get(object, key);
        if (!item)
                return true;
        const char *text = json_string_value(item);
        if (!text || strlen(text) >= size)
                return fail(err, ERR_SCHEMA, 0, "\"%s\" must be a string of less than %zu bytes", key, size);
        memcpy(ret, text, strlen(text) + 1);
        return true;
}

// A host name, or "".
static bool copy_name(const json_t *object, const char *key, char ret[static HOSTNAME_SIZE], struct err *err) {
        if (!copy_text(object, key, ret, HOSTNAME_SIZE, err))
                return false;
        return !*ret || hostname_is_valid(ret) || wrong(err, key, "a host name");
}

static bool copy_number(const json_t *object, const char *key, json_int_t min, json_int_t max, json_int_t *ret,
                        struct err *err) {
        const json_t *item = json_object_get(object, key);
        if (!item)
                return true;
        if (!json_is_integer(item) || json_integer_value(item) < min || json_integer_value(item) > max)
                return fail(err, ERR_SCHEMA, 0, "\"%s\" must be a whole number of %lld to %lld", key, (long long)min,
                            (long long)max);
        *ret = json_integer_value(item);
        return true;
}

static bool copy_bool(const json_t *object, const char *key, bool *ret, struct err *err) {
        const json_t *item = json_object_get(object, key);
        if (item && !json_is_boolean(item))
                return wrong(err, key, "true or false");
        *ret = item ? json_is_true(item) : *ret;
        return true;
}

static bool copy_mac(const json_t *object, struct mac *ret, struct err *err) {
        const char *text = json_string_value(json_object_get(object, "mac"));
        return (text && mac_parse(text, ret)) || wrong(err, "mac", "an Ethernet address");
}

static bool copy_address(const json_t *object, const char *key, uint32_t *ret, struct err *err) {
        const json_t *item = json_object_get(object, key);
        const char *text = json_string_value(item);
        return !item || (text && (!*text || address_parse(text, ret))) || wrong(err, key, "an IPv4 address");
}

static bool read_interface(const json_t *json, struct facts *facts, struct err *err) {
        static const char *const known[] = { "name", "mac", "carrier", "driver", NULL };
        struct interface interface = { .index = (int)facts->interface_count + 2, .carrier = true };
        if (facts->interface_count == INTERFACES_MAX)
                return fail(err, ERR_SCHEMA, 0, "more than %d interfaces", INTERFACES_MAX);
        if (!check_keys(json, known, err) || !copy_text(json, "name", interface.name, sizeof interface.name, err) ||
            !copy_mac(json, &interface.mac, err) || !copy_bool(json, "carrier", &interface.carrier, err) ||
            !copy_text(json, "driver", interface.driver, sizeof interface.driver, err))
                return false;
        if (!*interface.name)
                return wrong(err, "name", "given");
        facts->interfaces[facts->interface_count++] = interface;
        return true;
}

// ---- leases ----

// The items of a list; `take` gets each with its number.
static bool read_items(const json_t *object, const char *key, size_t max, struct lease *lease,
                       bool (*take)(const json_t *item, struct lease *lease, struct err *err), struct err *err) {
        const json_t *list = json_object_get(object, key);
        if (list && !json_is_array(list))
                return wrong(err, key, "a list");
        if (json_array_size(list) > max)
                return fail(err, ERR_SCHEMA, 0, "\"%s\" has more than %zu items", key, max);
        for (size_t i = 0; i < json_array_size(list); i++)
                if (!take(json_array_get(list, i), lease, err))
                        return wrap(err, "%s[%zu]", key, i);
        return true;
}

static bool take_dns(const json_t *item, struct lease *lease, struct err *err) {
        const char *text = json_string_value(item);
        return (text && address_parse(text, &lease->dns[lease->dns_count++])) ||
               fail(err, ERR_SCHEMA, 0, "must be an IPv4 address");
}

static bool take_search(const json_t *item, struct lease *lease, struct err *err) {
        const char *text = json_string_value(item);
        if (!text || !*text || strlen(text) >= DOMAIN_SIZE)
                return fail(err, ERR_SCHEMA, 0, "must be a domain of less than %d bytes", DOMAIN_SIZE);
        memcpy(lease->search[lease->search_count], text, strlen(text) + 1);
        lease->search_count += dhcp_is_domain(lease->search[lease->search_count]);
        return true;
}

// {"to": "10.0.0.0/8", "gateway": "192.168.2.1"}; without a gateway: on the link
static bool take_route(const json_t *item, struct lease *lease, struct err *err) {
        static const char *const known[] = { "to", "gateway", NULL };
        struct lease_route route = { 0 };
        char to[ADDRESS_TEXT_SIZE + 3] = "";
        if (!check_keys(item, known, err) || !copy_text(item, "to", to, sizeof to, err) ||
            !copy_address(item, "gateway", &route.gateway, err))
                return false;
        char *slash = strchr(to, '/');
        if (slash)
                *slash++ = '\0';
        bool is_default = slash && strcmp(slash, "0") == 0;
        if (!slash || !address_parse(to, &route.to) || (!is_default && !prefix_parse(slash, &route.prefix)))
                return wrong(err, "to", "ADDRESS/PREFIX");
        lease->routes[lease->route_count++] = route;
        return true;
}

static bool read_lease_lists(const json_t *json, struct lease *lease, struct err *err) {
        return read_items(json, "dns", DNS_MAX, lease, take_dns, err) &&
               read_items(json, "search", LEASE_SEARCH_MAX, lease, take_search, err) &&
               read_items(json, "routes", LEASE_ROUTES_MAX, lease, take_route, err);
}

static bool read_lease_numbers(const json_t *json, struct lease *lease, struct err *err) {
        json_int_t prefix = -1, lease_s = 0, mtu = 0, id = 0;
        if (!copy_number(json, "prefix", -1, 32, &prefix, err) ||
            !copy_number(json, "lease_s", 0, UINT32_MAX, &lease_s, err) ||
            !copy_number(json, "mtu", 0, 65535, &mtu, err) || !copy_number(json, "id", 0, 255, &id, err))
                return false;
        lease->prefix = prefix > 0 ? (int)prefix : -1;
        lease->lease_s = (uint32_t)lease_s;
        lease->mtu = (int)mtu;
        lease->id = (int)id;
        return true;
}

// An interface that is among the facts tells its MAC.
static bool read_lease_mac(const json_t *json, const struct facts *facts, struct lease *lease, struct err *err) {
        for (size_t i = 0; i < facts->interface_count && !json_object_get(json, "mac"); i++)
                if (strcmp(facts->interfaces[i].name, lease->interface) == 0) {
                        lease->mac = facts->interfaces[i].mac;
                        return true;
                }
        return copy_mac(json, &lease->mac, err);
}

static bool read_lease(const json_t *json, struct facts *facts, struct err *err) {
        static const char *const known[] = { "interface", "mac",    "address", "prefix", "server", "router",
                                             "dns",       "search", "routes",  "domain", "mtu",    "lease_s",
                                             "hostname",  "node",   "role",    "id",     NULL };
        struct lease lease = { .prefix = -1 };
        if (facts->lease_count == LEASES_MAX)
                return fail(err, ERR_SCHEMA, 0, "more than %d leases", LEASES_MAX);
        if (!check_keys(json, known, err) ||
            !copy_text(json, "interface", lease.interface, sizeof lease.interface, err) ||
            !read_lease_mac(json, facts, &lease, err) || !copy_address(json, "address", &lease.address, err) ||
            !copy_address(json, "server", &lease.server, err) || !copy_address(json, "router", &lease.router, err) ||
            !copy_text(json, "hostname", lease.hostname, sizeof lease.hostname, err) ||
            !copy_text(json, "domain", lease.domain, sizeof lease.domain, err) ||
            !copy_name(json, "node", lease.node, err) || !copy_name(json, "role", lease.role, err) ||
            !read_lease_numbers(json, &lease, err) || !read_lease_lists(json, &lease, err))
                return false;
        // As dhcp_options.c takes them from a server.
        if (*lease.hostname && !hostname_is_valid(lease.hostname))
                lease.hostname[0] = '\0';
        if (!dhcp_is_domain(lease.domain))
                lease.domain[0] = '\0';
        facts->leases[facts->lease_count++] = lease;
        return true;
}

// ---- all ----

static bool read_list(const json_t *root, const char *key, bool (*read)(const json_t *, struct facts *, struct err *),
                      size_t *count, struct facts *facts, struct err *err) {
        const json_t *list = json_object_get(root, key);
        if (!list)
                return true;
        if (!json_is_array(list))
                return fail(err, ERR_SCHEMA, 0, "\"%s\" must be a list", key);
        *count = 0;
        for (size_t i = 0; i < json_array_size(list); i++)
                if (!read(json_array_get(list, i), facts, err))
                        return wrap(err, "%s[%zu]", key, i);
        return true;
}

static bool read_size(const json_t *root, struct facts *facts, struct err *err) {
        json_int_t memory_kb = (json_int_t)facts->memory_kb, cpus = facts->cpus;
        if (!copy_number(root, "memory_kb", 0, INT64_MAX, &memory_kb, err) ||
            !copy_number(root, "cpus", 0, INT32_MAX, &cpus, err))
                return false;
        facts->memory_kb = (uint64_t)memory_kb;
        facts->cpus = (unsigned)cpus;
        return true;
}

// A text of any length, or null for none.
static bool read_text(const json_t *root, const char *key, struct arena *arena, const char **ret, struct err *err) {
        const json_t *item = json_object_get(root, key);
        if (!item)
                return true;
        if (!json_is_string(item) && !json_is_null(item))
                return wrong(err, key, "a string");
        *ret = json_is_null(item) ? NULL : arena_strdup(arena, json_string_value(item));
        return true;
}

static bool read_words(const json_t *root, struct arena *arena, struct facts *facts, struct err *err) {
        if (json_is_null(json_object_get(root, "command_line")))
                return wrong(err, "command_line", "a string");
        return read_text(root, "command_line", arena, &facts->command_line, err) &&
               read_text(root, "config_drive", arena, &facts->config_drive, err) &&
               read_text(root, "config_device", arena, &facts->config_device, err);
}

static bool read_all(const json_t *root, struct arena *arena, struct facts *facts, struct err *err) {
        static const char *const known[] = {
                "command_line", "config_drive", "config_device", "dhcp_asked", "interfaces", "leases", "serial",
                "uuid",         "asset_tag",    "memory_kb",     "cpus",       "state",      NULL
        };
        // Leases in the file, even none, are DHCP's answer.
        bool asked = json_object_get(root, "leases") != NULL;
        if (!check_keys(root, known, err) || !read_words(root, arena, facts, err) ||
            !read_list(root, "interfaces", read_interface, &facts->interface_count, facts, err) ||
            !read_list(root, "leases", read_lease, &facts->lease_count, facts, err) ||
            !copy_bool(root, "dhcp_asked", &asked, err) || !read_size(root, facts, err) ||
            !state_facts_read(root, arena, facts, err) ||
            !copy_text(root, "serial", facts->serial, sizeof facts->serial, err) ||
            !copy_text(root, "uuid", facts->uuid, sizeof facts->uuid, err) ||
            !copy_text(root, "asset_tag", facts->asset_tag, sizeof facts->asset_tag, err))
                return false;
        facts->dhcp_asked = asked;
        return true;
}

bool facts_read_json(const char *text, size_t size, struct arena *arena, struct facts *facts, struct err *err) {
        json_error_t error;
        json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
        if (!root)
                return fail(err, ERR_SYNTAX, 0, "line %d: %s", error.line, error.text);
        bool ok = read_all(root, arena, facts, err);
        json_decref(root);
        return ok;
}
