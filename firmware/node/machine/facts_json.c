// SPDX-License-Identifier: MIT
#include "firmware/node/machine/facts_json.h"

#include <jansson.h>
#include <string.h>

#include "firmware/node/dhcp/dhcp_options.h"
#include "firmware/node/facts/json_field.h"
#include "firmware/node/secrets/secret_source.h"
#include "firmware/node/state/state.h"

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

static bool copy_fact_text(const json_t *object, const char *key, char *ret, size_t size, struct err *err) {
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
        if (!copy_fact_text(object, key, ret, HOSTNAME_SIZE, err))
                return false;
        return !*ret || hostname_is_valid(ret) || json_field_wrong(err, key, "a host name");
}

static bool copy_mac(const json_t *object, struct mac *ret, struct err *err) {
        const char *text = json_string_value(json_object_get(object, "mac"));
        return (text && mac_parse(text, ret)) || json_field_wrong(err, "mac", "an Ethernet address");
}

static bool read_card(const json_t *json, struct facts *facts, struct err *err) {
        static const char *const known[] = { "name", "mac", "carrier", "driver", NULL };
        struct interface interface = { .index = (int)facts->interface_count + 2, .carrier = true };
        if (facts->interface_count == INTERFACES_MAX)
                return fail(err, ERR_SCHEMA, 0, "more than %d interfaces", INTERFACES_MAX);
        if (!check_keys(json, known, err) ||
            !copy_fact_text(json, "name", interface.name, sizeof interface.name, err) ||
            !copy_mac(json, &interface.mac, err) || !json_field_bool(json, "carrier", &interface.carrier, err) ||
            !copy_fact_text(json, "driver", interface.driver, sizeof interface.driver, err))
                return false;
        if (!*interface.name)
                return json_field_wrong(err, "name", "given");
        facts->interfaces[facts->interface_count++] = interface;
        return true;
}

// ---- leases ----

// The items of a list; `take` gets each with its number.
static bool read_lease_list(const json_t *object, const char *key, size_t max, struct lease *lease,
                            bool (*take)(const json_t *item, struct lease *lease, struct err *err), struct err *err) {
        const json_t *list = json_object_get(object, key);
        if (list && !json_is_array(list))
                return json_field_wrong(err, key, "a list");
        if (json_array_size(list) > max)
                return fail(err, ERR_SCHEMA, 0, "\"%s\" has more than %zu items", key, max);
        for (size_t i = 0; i < json_array_size(list); i++)
                if (!take(json_array_get(list, i), lease, err))
                        return wrap(err, "%s[%zu]", key, i);
        return true;
}

static bool take_dns(const json_t *item, struct lease *lease, struct err *err) {
        const char *text = json_string_value(item);
        if (!text || !address_parse(text, &lease->dns[lease->dns_count]))
                return fail(err, ERR_SCHEMA, 0, "must be an IPv4 address");
        lease->dns_count++;
        return true;
}

static bool take_search(const json_t *item, struct lease *lease, struct err *err) {
        const char *text = json_string_value(item);
        if (!text || !*text || strlen(text) >= DOMAIN_SIZE)
                return fail(err, ERR_SCHEMA, 0, "must be a domain of less than %d bytes", DOMAIN_SIZE);
        char *domain = lease->search[lease->search_count];
        memcpy(domain, text, strlen(text) + 1);
        if (dhcp_is_domain(domain))
                lease->search_count++;
        return true;
}

// {"to": "10.0.0.0/8", "gateway": "192.168.2.1"}; without a gateway: on the link
static bool take_route(const json_t *item, struct lease *lease, struct err *err) {
        static const char *const known[] = { "to", "gateway", NULL };
        struct lease_route route = { 0 };
        char to[ADDRESS_TEXT_SIZE + 3] = "";
        if (!check_keys(item, known, err) || !copy_fact_text(item, "to", to, sizeof to, err) ||
            !json_field_address(item, "gateway", &route.gateway, err))
                return false;
        char *slash = strchr(to, '/');
        if (slash)
                *slash++ = '\0';
        if (!slash || !address_parse(to, &route.to))
                return json_field_wrong(err, "to", "ADDRESS/PREFIX");
        bool is_default = strcmp(slash, "0") == 0;
        if (!is_default && !prefix_parse(slash, &route.prefix))
                return json_field_wrong(err, "to", "ADDRESS/PREFIX");
        lease->routes[lease->route_count++] = route;
        return true;
}

static bool read_lease_lists(const json_t *json, struct lease *lease, struct err *err) {
        return read_lease_list(json, "dns", DNS_MAX, lease, take_dns, err) &&
               read_lease_list(json, "search", LEASE_SEARCH_MAX, lease, take_search, err) &&
               read_lease_list(json, "routes", LEASE_ROUTES_MAX, lease, take_route, err);
}

static bool read_lease_numbers(const json_t *json, struct lease *lease, struct err *err) {
        json_int_t prefix = -1, lease_s = 0, mtu = 0, id = 0;
        if (!json_field_number(json, "prefix", -1, 32, &prefix, err) ||
            !json_field_number(json, "lease_s", 0, UINT32_MAX, &lease_s, err) ||
            !json_field_number(json, "mtu", 0, 65535, &mtu, err) || !json_field_number(json, "id", 0, 255, &id, err))
                return false;
        if (prefix > 0)
                lease->prefix = (int)prefix;
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

static bool read_lease_names(const json_t *json, struct lease *lease, struct err *err) {
        if (!copy_fact_text(json, "hostname", lease->hostname, sizeof lease->hostname, err) ||
            !copy_fact_text(json, "domain", lease->domain, sizeof lease->domain, err) ||
            !copy_fact_text(json, "fqdn", lease->fqdn, sizeof lease->fqdn, err))
                return false;
        // As dhcp_options.c takes them from a server.
        if (*lease->hostname && !hostname_is_valid(lease->hostname))
                lease->hostname[0] = '\0';
        if (!dhcp_is_domain(lease->domain))
                lease->domain[0] = '\0';
        if (!dhcp_is_domain(lease->fqdn))
                lease->fqdn[0] = '\0';
        return copy_name(json, "node", lease->node, err) && copy_name(json, "role", lease->role, err);
}

static bool read_lease_addresses(const json_t *json, struct lease *lease, struct err *err) {
        return json_field_address(json, "address", &lease->address, err) &&
               json_field_address(json, "server", &lease->server, err) &&
               json_field_address(json, "router", &lease->router, err);
}

static bool read_lease(const json_t *json, struct facts *facts, struct err *err) {
        static const char *const known[] = { "interface", "mac",    "address", "prefix", "server", "router",
                                             "dns",       "search", "routes",  "domain", "mtu",    "lease_s",
                                             "hostname",  "node",   "role",    "id",     "fqdn",   NULL };
        struct lease lease = { .prefix = -1 };
        if (facts->lease_count == LEASES_MAX)
                return fail(err, ERR_SCHEMA, 0, "more than %d leases", LEASES_MAX);
        if (!check_keys(json, known, err) ||
            !copy_fact_text(json, "interface", lease.interface, sizeof lease.interface, err) ||
            !read_lease_mac(json, facts, &lease, err))
                return false;
        if (!read_lease_addresses(json, &lease, err) || !read_lease_names(json, &lease, err) ||
            !read_lease_numbers(json, &lease, err) || !read_lease_lists(json, &lease, err))
                return false;
        facts->leases[facts->lease_count++] = lease;
        return true;
}

// ---- all ----

static bool read_fact_list(const json_t *root, const char *key,
                           bool (*read)(const json_t *, struct facts *, struct err *), size_t *count,
                           struct facts *facts, struct err *err) {
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

static bool read_capacity(const json_t *root, struct facts *facts, struct err *err) {
        json_int_t memory_kb = (json_int_t)facts->memory_kb, cpus = facts->cpus;
        if (!json_field_number(root, "memory_kb", 0, INT64_MAX, &memory_kb, err) ||
            !json_field_number(root, "cpus", 0, INT32_MAX, &cpus, err))
                return false;
        facts->memory_kb = (uint64_t)memory_kb;
        facts->cpus = (unsigned)cpus;
        return true;
}

// A text of any length, or null for none.
static bool read_string(const json_t *root, const char *key, struct arena *arena, const char **ret, struct err *err) {
        const json_t *item = json_object_get(root, key);
        if (!item)
                return true;
        if (!json_is_string(item) && !json_is_null(item))
                return json_field_wrong(err, key, "a string");
        *ret = NULL;
        if (json_is_string(item))
                *ret = arena_strdup(arena, json_string_value(item));
        return true;
}

static bool read_words(const json_t *root, struct arena *arena, struct facts *facts, struct err *err) {
        if (json_is_null(json_object_get(root, "command_line")))
                return json_field_wrong(err, "command_line", "a string");
        return read_string(root, "command_line", arena, &facts->command_line, err) &&
               read_string(root, "config_drive", arena, &facts->config_drive, err) &&
               read_string(root, "config_device", arena, &facts->config_device, err);
}

static bool read_smbios_facts(const json_t *root, struct facts *facts, struct err *err) {
        return copy_fact_text(root, "serial", facts->serial, sizeof facts->serial, err) &&
               copy_fact_text(root, "uuid", facts->uuid, sizeof facts->uuid, err) &&
               copy_fact_text(root, "asset_tag", facts->asset_tag, sizeof facts->asset_tag, err);
}

// Leases in the file, even none, are DHCP's answer, unless "dhcp_asked" says otherwise.
static bool read_answer_of_dhcp(const json_t *root, struct facts *facts, struct err *err) {
        bool asked = json_object_get(root, "leases") != NULL;
        if (!read_fact_list(root, "leases", read_lease, &facts->lease_count, facts, err) ||
            !json_field_bool(root, "dhcp_asked", &asked, err))
                return false;
        facts->dhcp_asked = asked;
        return true;
}

// Names alone: no value belongs into a file of facts.
static bool read_secret_names(const json_t *root, struct arena *arena, struct facts *facts, struct err *err) {
        const json_t *list = json_object_get(root, "secrets");
        auto_buf text = { 0 };
        if (!list)
                return true;
        if (!json_is_array(list))
                return json_field_wrong(err, "secrets", "a list");
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *name = json_string_value(json_array_get(list, i));
                if (!name || !secret_name_is_valid(name))
                        return json_field_wrong(err, "secrets", "a list of names");
                secret_format(name, "given", &text);
        }
        facts->secret_sources = arena_alloc(arena, sizeof *facts->secret_sources);
        facts->secret_source_count = 1;
        secret_source_parse(facts->secret_sources, "the file of facts", buf_text(&text), text.size);
        return true;
}

static bool read_all_facts(const json_t *root, struct arena *arena, struct facts *facts, struct err *err) {
        static const char *const known[] = {
                "command_line", "config_drive", "config_device", "dhcp_asked", "interfaces", "leases",  "serial",
                "uuid",         "asset_tag",    "memory_kb",     "cpus",       "state",      "secrets", NULL
        };
        if (!check_keys(root, known, err) || !read_words(root, arena, facts, err) ||
            !read_fact_list(root, "interfaces", read_card, &facts->interface_count, facts, err))
                return false;
        return read_answer_of_dhcp(root, facts, err) && read_capacity(root, facts, err) &&
               state_facts_read(root, arena, facts, err) && read_secret_names(root, arena, facts, err) &&
               read_smbios_facts(root, facts, err);
}

bool facts_read_json(const char *text, size_t size, struct arena *arena, struct facts *facts, struct err *err) {
        json_error_t error;
        json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
        if (!root)
                return fail(err, ERR_SYNTAX, 0, "line %d: %s", error.line, error.text);
        bool ok = read_all_facts(root, arena, facts, err);
        json_decref(root);
        return ok;
}
