// SPDX-License-Identifier: MIT
#include "firmware/node/dhcp/dhcp_options.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "firmware/node/dhcp/big_endian.h"

enum { LABEL_MAX = 63, DOMAIN_MAX = 253, POINTER_BITS = 0xc0, MTU_MIN = 68, ID_MAX = 255 };

// A value, joined.
struct option_value {
        uint8_t bytes[DHCP_FRAME_MAX];
        size_t size;
};

// ---- finding ----

// The next option of an area that was checked, or NULL at its end.
static const uint8_t *next_option(const uint8_t **at, const uint8_t *end) {
        while (*at < end && **at == OPTION_PAD)
                (*at)++;
        if (*at >= end || **at == OPTION_END || end - *at < 2 || end - *at - 2 < (*at)[1])
                return NULL;
        const uint8_t *option = *at;
        *at += 2 + option[1];
        return option;
}

bool dhcp_options_add(struct dhcp_options *options, const uint8_t *data, size_t size) {
        const uint8_t *at = data, *end = data + size;
        while (next_option(&at, end))
                ;
        if ((at < end && *at != OPTION_END) || options->count == lengthof(options->areas))
                return false;
        options->areas[options->count].data = data;
        options->areas[options->count].size = (size_t)(at - data);
        options->count++;
        return true;
}

int dhcp_options_get(const struct dhcp_options *options, uint8_t code, uint8_t ret[static DHCP_FRAME_MAX]) {
        size_t size = 0;
        bool found = false;
        for (size_t i = 0; i < options->count; i++) {
                const uint8_t *at = options->areas[i].data, *end = at + options->areas[i].size;
                for (const uint8_t *option; (option = next_option(&at, end));) {
                        if (option[0] != code || size + option[1] > DHCP_FRAME_MAX)
                                continue;
                        memcpy(ret + size, option + 2, option[1]);
                        size += option[1];
                        found = true;
                }
        }
        if (!found)
                return -1;
        return (int)size;
}

static bool get_value(const struct dhcp_options *options, uint8_t code, struct option_value *ret) {
        int size = dhcp_options_get(options, code, ret->bytes);
        ret->size = 0;
        if (size < 0)
                return false;
        ret->size = (size_t)size;
        return true;
}

bool dhcp_options_number(const struct dhcp_options *options, uint8_t code, size_t width, uint32_t *ret) {
        assert(width == 1 || width == 2 || width == 4);
        struct option_value value;
        if (!get_value(options, code, &value) || value.size < width || value.size % width != 0)
                return false;
        for (size_t i = width; i < value.size; i++)
                if (value.bytes[i] != value.bytes[i - width])
                        return false;
        *ret = read_be(value.bytes, width);
        return true;
}

// ---- names ----

// Text as servers send it: perhaps with NULs at the end (RFC 2132, 2). False if it is empty, too long or holds any
// other byte than a printable one.
static bool copy_printable(const uint8_t *data, size_t size, char *ret, size_t ret_size) {
        while (size > 0 && data[size - 1] == '\0')
                size--;
        if (size == 0 || size >= ret_size)
                return false;
        for (size_t i = 0; i < size; i++)
                if (data[i] <= ' ' || data[i] >= 127)
                        return false;
        memcpy(ret, data, size);
        ret[size] = '\0';
        return true;
}

bool dhcp_is_domain(char *text) {
        size_t size = strlen(text);
        if (size > 0 && text[size - 1] == '.')
                text[--size] = '\0';
        if (size == 0 || size > DOMAIN_MAX)
                return false;
        for (const char *label = text;;) {
                char copy[LABEL_MAX + 1];
                size_t length = strcspn(label, ".");
                if (length > LABEL_MAX)
                        return false;
                memcpy(copy, label, length);
                copy[length] = '\0';
                if (!hostname_is_valid(copy))
                        return false;
                if (!label[length])
                        return true;
                label += length + 1;
        }
}

// One name of RFC 1035, 4.1.4. Pointers count from the start of `value` and each leads further back, so that all ends.
// False if it is malformed; "" for one that is no domain (RFC 1123).
static bool read_dns_name(const struct option_value *value, size_t *at, char ret[static DOMAIN_SIZE]) {
        size_t from = *at, start = from, used = 0;
        bool jumped = false;
        for (;;) {
                if (from >= value->size)
                        return false;
                size_t length = value->bytes[from++];
                if (length >= POINTER_BITS) {
                        if (from >= value->size)
                                return false;
                        size_t target = (length & ~POINTER_BITS) << 8 | value->bytes[from++];
                        if (!jumped)
                                *at = from;
                        jumped = true;
                        if (target >= start)
                                return false;
                        from = start = target;
                        continue;
                }
                if (length == 0)
                        break;
                if (length > LABEL_MAX || length > value->size - from || used + length + 2 > DOMAIN_SIZE)
                        return false;
                if (used > 0)
                        ret[used++] = '.';
                for (size_t i = 0; i < length; i++) {
                        char byte = (char)value->bytes[from++];
                        if (byte == '\0' || byte == '.')
                                byte = ' '; // which no domain holds: the name is left out, and not read as another
                        ret[used++] = byte;
                }
        }
        if (!jumped)
                *at = from;
        ret[used] = '\0';
        if (!dhcp_is_domain(ret))
                ret[0] = '\0';
        return true;
}

static void read_search(const struct dhcp_options *options, struct lease *lease) {
        struct option_value value;
        if (get_value(options, OPTION_SEARCH, &value))
                lease->search_count = 0; // the search list counts, and not the domains of option 15
        for (size_t at = 0; at < value.size;) {
                char name[DOMAIN_SIZE];
                if (!read_dns_name(&value, &at, name)) {
                        lease->search_count = 0;
                        return;
                }
                if (*name && lease->search_count < LEASE_SEARCH_MAX)
                        memcpy(lease->search[lease->search_count++], name, sizeof name);
        }
}

// RFC 4702, 2: flags, two bytes of no meaning, and the name as text or, if the E bit is set, in RFC 1035's form.
static bool read_fqdn(const struct dhcp_options *options, char ret[static DOMAIN_SIZE]) {
        enum { HEAD = 3, FLAG_E = 4 };
        struct option_value value;
        if (!get_value(options, OPTION_FQDN, &value) || value.size <= HEAD)
                return false;
        if (!(value.bytes[0] & FLAG_E))
                return copy_printable(value.bytes + HEAD, value.size - HEAD, ret, DOMAIN_SIZE) && dhcp_is_domain(ret);
        size_t at = 0;
        value.size -= HEAD;
        memmove(value.bytes, value.bytes + HEAD, value.size);
        if (value.size < sizeof value.bytes && value.bytes[value.size - 1] != '\0')
                value.bytes[value.size++] = '\0'; // a name without its domain has no end of its own (RFC 4702, 2.3.1)
        return read_dns_name(&value, &at, ret) && *ret;
}

// Some servers send the full name here, perhaps with the root's dot; of one that no kernel takes, the first label.
static void read_hostname(const struct dhcp_options *options, struct lease *lease) {
        struct option_value value;
        char name[DOMAIN_SIZE];
        if (!get_value(options, OPTION_HOSTNAME, &value) ||
            !copy_printable(value.bytes, value.size, name, sizeof name) || !dhcp_is_domain(name))
                return;
        size_t size = strlen(name);
        if (size >= sizeof lease->hostname)
                size = strcspn(name, ".");
        memcpy(lease->hostname, name, size);
        lease->hostname[size] = '\0';
}

// One domain, or by a custom of servers' administrators several with blanks between them: a search list.
static void read_domains(const struct dhcp_options *options, struct lease *lease) {
        struct option_value value;
        get_value(options, OPTION_DOMAIN, &value);
        for (size_t at = 0; at < value.size && lease->search_count < LEASE_SEARCH_MAX; at++) {
                size_t start = at;
                char *name = lease->search[lease->search_count];
                while (at < value.size && value.bytes[at] != ' ')
                        at++;
                if (copy_printable(value.bytes + start, at - start, name, DOMAIN_SIZE) && dhcp_is_domain(name))
                        lease->search_count++;
        }
        if (lease->search_count > 0)
                memcpy(lease->domain, lease->search[0], sizeof lease->domain);
        if (lease->search_count == 1)
                lease->search_count = 0;
}

static void read_names(const struct dhcp_options *options, struct lease *lease) {
        char fqdn[DOMAIN_SIZE] = "";
        read_hostname(options, lease);
        read_domains(options, lease);
        if (!read_fqdn(options, fqdn))
                return;
        size_t label = strcspn(fqdn, ".");
        if (!*lease->hostname) {
                memcpy(lease->hostname, fqdn, label);
                lease->hostname[label] = '\0';
        }
        if (fqdn[label])
                memcpy(lease->fqdn, fqdn, sizeof lease->fqdn);
        if (!*lease->domain && fqdn[label])
                memcpy(lease->domain, fqdn + label + 1, strlen(fqdn + label + 1) + 1);
}

// ---- addresses and routes ----

static bool is_on_link(const struct lease *lease, uint32_t address) {
        return address_is_host(address) && address != lease->address &&
               (lease->prefix < 0 || address_in_subnet(address, lease->address, lease->prefix));
}

static bool lease_reaches_gateway(const struct lease *lease, uint32_t gateway) {
        if (is_on_link(lease, gateway))
                return true;
        for (size_t i = 0; i < lease->route_count; i++) {
                const struct lease_route *route = &lease->routes[i];
                if (!route->gateway && address_is_host(gateway) && gateway != lease->address &&
                    address_in_subnet(gateway, route->to, route->prefix))
                        return true;
        }
        return false;
}

// RFC 3442: width of the prefix, as many octets of the destination as it covers, the router. False if malformed.
static bool read_classless_route(const struct option_value *value, size_t *at, struct lease_route *ret) {
        size_t width = value->bytes[*at], octets = (width + 7) / 8;
        if (width > 32 || value->size - *at - 1 < octets + 4)
                return false;
        const uint8_t *data = value->bytes + *at + 1;
        uint32_t to = 0;
        if (octets > 0)
                to = read_be(data, octets) << (32 - 8 * octets);
        *ret = (struct lease_route){ .to = to & mask_of_prefix((int)width),
                                     .gateway = read_be(data + octets, 4),
                                     .prefix = (int)width };
        *at += 1 + octets + 4;
        return true;
}

// One of the two passes: routes on the link come first, as those through a gateway may need them.
static bool add_lease_routes(const struct option_value *value, bool on_link, struct lease *lease) {
        struct lease_route route;
        for (size_t at = 0; at < value->size;) {
                if (!read_classless_route(value, &at, &route))
                        return false;
                if (on_link != !route.gateway || lease->route_count == LEASE_ROUTES_MAX ||
                    (!on_link && !lease_reaches_gateway(lease, route.gateway)))
                        continue;
                lease->routes[lease->route_count++] = route;
        }
        return value->size > 0;
}

static bool read_routes(const struct dhcp_options *options, uint8_t code, struct lease *lease) {
        struct option_value value;
        if (!get_value(options, code, &value))
                return false;
        if (!add_lease_routes(&value, true, lease) || !add_lease_routes(&value, false, lease)) {
                lease->route_count = 0;
                return false;
        }
        for (size_t i = 0; i < lease->route_count && !lease->router; i++)
                if (lease->routes[i].prefix == 0)
                        lease->router = lease->routes[i].gateway;
        return true;
}

static void read_routers(const struct dhcp_options *options, struct lease *lease) {
        struct option_value value;
        get_value(options, OPTION_ROUTER, &value);
        for (size_t i = 0; i + 4 <= value.size && !lease->router; i += 4)
                if (is_on_link(lease, read_be(value.bytes + i, 4)))
                        lease->router = read_be(value.bytes + i, 4);
}

static void read_dns(const struct dhcp_options *options, struct lease *lease) {
        struct option_value value;
        get_value(options, OPTION_DNS, &value);
        for (size_t i = 0; i + 4 <= value.size && lease->dns_count < DNS_MAX; i += 4)
                if (address_is_host(read_be(value.bytes + i, 4)))
                        lease->dns[lease->dns_count++] = read_be(value.bytes + i, 4);
}

// ---- the site's options ----

static bool get_site(const struct dhcp_options *options, struct dhcp_site_option which, struct option_value *ret) {
        if (!which.code || !get_value(options, which.code, ret))
                return false;
        if (!which.sub)
                return true;
        struct option_value whole = *ret;
        struct dhcp_options inner = { 0 };
        return dhcp_options_add(&inner, whole.bytes, whole.size) && get_value(&inner, which.sub, ret);
}

static bool is_role(const char *text) {
        for (; *text; text++)
                if (!isalnum((unsigned char)*text) && !strchr("._-", *text))
                        return false;
        return true;
}

static void read_site(const struct dhcp_options *options, const struct dhcp_settings *settings, struct lease *lease) {
        struct option_value value;
        if (get_site(options, settings->node, &value) &&
            !(copy_printable(value.bytes, value.size, lease->node, sizeof lease->node) &&
              hostname_is_valid(lease->node)))
                lease->node[0] = '\0';
        if (get_site(options, settings->role, &value) &&
            !(copy_printable(value.bytes, value.size, lease->role, sizeof lease->role) && is_role(lease->role)))
                lease->role[0] = '\0';
        if (!get_site(options, settings->id, &value) || (value.size != 1 && value.size != 2 && value.size != 4))
                return;
        uint32_t id = read_be(value.bytes, value.size);
        if (id <= ID_MAX)
                lease->id = (int)id;
}

// ---- all ----

bool dhcp_options_lease(const struct dhcp_options *options, uint32_t address, const struct dhcp_settings *settings,
                        struct lease *ret) {
        struct lease lease = { .address = address, .prefix = -1 };
        struct option_value mask;
        uint32_t number = 0;
        if (get_value(options, OPTION_MASK, &mask) &&
            !(dhcp_options_number(options, OPTION_MASK, 4, &number) && prefix_of_mask(number, &lease.prefix)))
                return false;
        if (!address_is_host_of(address, lease.prefix))
                return false;
        if (!read_routes(options, OPTION_ROUTES, &lease) && !read_routes(options, OPTION_ROUTES_MICROSOFT, &lease))
                read_routers(options, &lease);
        read_dns(options, &lease);
        read_names(options, &lease);
        read_search(options, &lease);
        read_site(options, settings, &lease);
        if (dhcp_options_number(options, OPTION_LEASE_TIME, 4, &number))
                lease.lease_s = number;
        if (dhcp_options_number(options, OPTION_MTU, 2, &number) && number >= MTU_MIN)
                lease.mtu = (int)number;
        *ret = lease;
        return true;
}
