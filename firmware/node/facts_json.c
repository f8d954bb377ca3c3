#include <jansson.h>
#include <string.h>

#include "firmware/node/facts.h"
#include "firmware/node/state.h"

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

static bool copy_mac(const json_t *object, struct mac *ret, struct err *err) {
        const char *text = json_string_value(json_object_get(object, "mac"));
        if (!text || !mac_parse(text, ret))
                return fail(err, ERR_SCHEMA, 0, "\"mac\" must be an Ethernet address");
        return true;
}

static bool copy_address(const json_t *object, const char *key, uint32_t *ret, struct err *err) {
        const json_t *item = json_object_get(object, key);
        const char *text = json_string_value(item);
        if (!item || (text && (!*text || address_parse(text, ret))))
                return true;
        return fail(err, ERR_SCHEMA, 0, "\"%s\" must be an IPv4 address", key);
}

static bool read_interface(const json_t *json, struct facts *facts, struct err *err) {
        struct interface interface = { .index = (int)facts->interface_count + 2 };
        if (facts->interface_count == INTERFACES_MAX)
                return fail(err, ERR_SCHEMA, 0, "more than %d interfaces", INTERFACES_MAX);
        if (!copy_text(json, "name", interface.name, sizeof interface.name, err) ||
            !copy_mac(json, &interface.mac, err) ||
            !copy_text(json, "driver", interface.driver, sizeof interface.driver, err))
                return false;
        const json_t *carrier = json_object_get(json, "carrier");
        interface.carrier = !carrier || json_is_true(carrier);
        facts->interfaces[facts->interface_count++] = interface;
        return true;
}

static bool read_lease(const json_t *json, struct facts *facts, struct err *err) {
        struct lease lease = { .prefix = -1 };
        if (facts->lease_count == LEASES_MAX)
                return fail(err, ERR_SCHEMA, 0, "more than %d leases", LEASES_MAX);
        if (!copy_text(json, "interface", lease.interface, sizeof lease.interface, err) ||
            !copy_mac(json, &lease.mac, err) || !copy_address(json, "address", &lease.address, err) ||
            !copy_address(json, "server", &lease.server, err) || !copy_address(json, "router", &lease.router, err) ||
            !copy_text(json, "hostname", lease.hostname, sizeof lease.hostname, err) ||
            !copy_text(json, "domain", lease.domain, sizeof lease.domain, err))
                return false;
        if (*lease.hostname && !hostname_is_valid(lease.hostname))
                lease.hostname[0] = '\0';
        json_int_t prefix = json_integer_value(json_object_get(json, "prefix"));
        if (prefix > 0 && prefix <= 32)
                lease.prefix = (int)prefix;
        const json_t *dns = json_object_get(json, "dns");
        for (size_t i = 0; i < json_array_size(dns) && lease.dns_count < DNS_MAX; i++) {
                const char *text = json_string_value(json_array_get(dns, i));
                if (!text || !address_parse(text, &lease.dns[lease.dns_count++]))
                        return fail(err, ERR_SCHEMA, 0, "\"dns\" must be a list of IPv4 addresses");
        }
        facts->leases[facts->lease_count++] = lease;
        return true;
}

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
        json_error_t error;
        if (json_unpack_ex((json_t *)root, &error, 0, "{s?I s?I}", "memory_kb", &memory_kb, "cpus", &cpus) < 0)
                return fail(err, ERR_SCHEMA, 0, "%s", error.text);
        if (memory_kb < 0 || cpus < 0 || cpus > INT32_MAX)
                return fail(err, ERR_SCHEMA, 0, "\"memory_kb\" and \"cpus\" must not be negative");
        facts->memory_kb = (uint64_t)memory_kb;
        facts->cpus = (unsigned)cpus;
        return true;
}

static bool read_all(const json_t *root, struct arena *arena, struct facts *facts, struct err *err) {
        const json_t *command_line = json_object_get(root, "command_line"),
                     *asked = json_object_get(root, "dhcp_asked");
        if (command_line && !json_is_string(command_line))
                return fail(err, ERR_SCHEMA, 0, "\"command_line\" must be a string");
        if (command_line)
                facts->command_line = arena_strdup(arena, json_string_value(command_line));
        if (!read_list(root, "interfaces", read_interface, &facts->interface_count, facts, err) ||
            !read_list(root, "leases", read_lease, &facts->lease_count, facts, err) ||
            !read_size(root, facts, err) || !state_facts_read(root, arena, facts, err) ||
            !copy_text(root, "serial", facts->serial, sizeof facts->serial, err) ||
            !copy_text(root, "uuid", facts->uuid, sizeof facts->uuid, err))
                return false;
        // Leases in the file, even none, are DHCP's answer.
        facts->dhcp_asked = asked ? json_is_true(asked) : json_object_get(root, "leases") != NULL;
        return true;
}

bool facts_read_json(const char *text, size_t size, struct arena *arena, struct facts *facts, struct err *err) {
        json_error_t error;
        json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
        if (!root)
                return fail(err, ERR_SYNTAX, 0, "line %d: %s", error.line, error.text);
        bool ok = json_is_object(root) ? read_all(root, arena, facts, err)
                                       : fail(err, ERR_SCHEMA, 0, "the document must be an object");
        json_decref(root);
        return ok;
}
