// SPDX-License-Identifier: MIT
// Links that the command line makes or names, routes and name servers: dracut.cmdline(7).
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/node/cmdline/cmdline_internal.h"

enum { VLAN_ID_MAX = 4094 };

// ---- nameserver= ----

bool cmdline_take_nameserver(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        struct address address;
        auto_free char *copy = xstrdup(value);
        if (!address_parse_any(cmdline_unbracket(copy), &address))
                return cmdline_refuse(reader, err, name, value, "an address");
        cmdline_add_dns(reader, name, &address);
        return true;
}

// ---- ifname= ----

bool cmdline_take_ifname(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        struct cmdline *out = reader->out;
        struct cmdline_ifname ifname = { 0 };
        auto_free char *copy = xstrdup(value);
        char *colon = strchr(copy, ':');
        if (colon)
                *colon = '\0';
        if (!colon || !interface_name_is_valid(copy) || !mac_parse(colon + 1, &ifname.mac))
                return cmdline_refuse(reader, err, name, value, "NAME:MAC");
        memcpy(ifname.name, copy, strlen(copy) + 1);
        for (size_t i = 0; i < out->ifname_count; i++) {
                const struct cmdline_ifname *other = &out->ifnames[i];
                bool same_name = strcmp(other->name, ifname.name) == 0, same_mac = mac_equal(&other->mac, &ifname.mac);
                char mac[MAC_TEXT_SIZE];
                mac_format(&other->mac, mac);
                auto_free char *first = xasprintf("%s:%s", other->name, mac);
                if (same_name != same_mac)
                        return cmdline_contradiction(reader, err, name, first, reader->from, value);
                if (same_name)
                        return true;
        }
        if (out->ifname_count == CMDLINE_LINKS_MAX)
                return cmdline_too_many(reader, err, name, CMDLINE_LINKS_MAX);
        out->ifnames[out->ifname_count++] = ifname;
        return true;
}

// ---- vlan= ----

static bool vlan_id_of_name(const char *name, int *ret) {
        size_t size = strlen(name), start = size;
        while (start > 0 && isdigit((unsigned char)name[start - 1]))
                start--;
        while (start < size && name[start] == '0') // vlan0005 is 5, not octal
                start++;
        size_t digits = size - start;
        if (digits < 1 || digits > 4 || start == 0)
                return false;
        *ret = atoi(name + start);
        return *ret >= 1 && *ret <= VLAN_ID_MAX;
}

bool cmdline_take_vlan(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        struct cmdline *out = reader->out;
        struct cmdline_vlan vlan = { 0 };
        auto_free char *copy = xstrdup(value);
        char *fields[3];
        if (cmdline_split(copy, ':', fields, 2) != 2 || !interface_name_is_valid(fields[0]) ||
            !interface_name_is_valid(fields[1]) || strcmp(fields[0], fields[1]) == 0 ||
            !vlan_id_of_name(fields[0], &vlan.id))
                return cmdline_refuse(reader, err, name, value, "NAME:CARD, with an id of 1 to 4094 at the name's end");
        memcpy(vlan.name, fields[0], strlen(fields[0]) + 1);
        memcpy(vlan.parent, fields[1], strlen(fields[1]) + 1);
        for (size_t i = 0; i < out->vlan_count; i++) {
                const struct cmdline_vlan *other = &out->vlans[i];
                auto_free char *first = xasprintf("%s:%s", other->name, other->parent);
                if (strcmp(first, value) == 0)
                        return true;
                if (strcmp(other->name, vlan.name) == 0 ||
                    (other->id == vlan.id && strcmp(other->parent, vlan.parent) == 0))
                        return cmdline_contradiction(reader, err, name, first, reader->from, value);
        }
        if (out->vlan_count == CMDLINE_LINKS_MAX)
                return cmdline_too_many(reader, err, name, CMDLINE_LINKS_MAX);
        out->vlans[out->vlan_count++] = vlan;
        return true;
}

// ---- bond= ----

static bool take_members(struct cmdline_bond *bond, char *text) {
        for (char *save = NULL, *member = strtok_r(text, ",", &save); member; member = strtok_r(NULL, ",", &save)) {
                if (!interface_name_is_valid(member) || bond->member_count == CMDLINE_MEMBERS_MAX ||
                    strcmp(member, bond->name) == 0)
                        return false;
                for (size_t i = 0; i < bond->member_count; i++)
                        if (strcmp(bond->members[i], member) == 0)
                                return false;
                memcpy(bond->members[bond->member_count++], member, strlen(member) + 1);
        }
        return true;
}

// NAME=VALUE joined by commas. They go into files that a shell reads.
static bool options_are_valid(const char *text) {
        static const char bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=,;:._+-[]/";
        if (text[strspn(text, bytes)])
                return false;
        while (*text) {
                size_t size = strcspn(text, ","), name = strcspn(text, "=");
                if (name == 0 || name + 1 >= size)
                        return false;
                text += size + (text[size] == ',');
        }
        return true;
}

static bool take_bond_fields(struct cmdline_bond *bond, char *fields[], size_t count) {
        const char *name = "bond0", *options = "", *listed = "eth0,eth1"; // dracut's, where nothing is given
        if (*fields[0])
                name = fields[0];
        if (count > 1)
                listed = fields[1];
        if (count > 2)
                options = fields[2];
        if (!interface_name_is_valid(name) || strlen(options) >= sizeof bond->options || !options_are_valid(options))
                return false;
        memcpy(bond->name, name, strlen(name) + 1);
        memcpy(bond->options, options, strlen(options) + 1);
        auto_free char *members = xstrdup(listed);
        return take_members(bond, members) && (count < 4 || cmdline_parse_mtu(fields[3], &bond->mtu));
}

static bool bond_equal(const struct cmdline_bond *a, const struct cmdline_bond *b) {
        for (size_t i = 0; i < a->member_count && i < b->member_count; i++)
                if (strcmp(a->members[i], b->members[i]) != 0)
                        return false;
        return a->member_count == b->member_count && strcmp(a->options, b->options) == 0 && a->mtu == b->mtu;
}

bool cmdline_take_bond(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        enum { FIELDS_MAX = 4 };
        struct cmdline *out = reader->out;
        struct cmdline_bond bond = { 0 };
        auto_free char *copy = xstrdup(value);
        char *fields[FIELDS_MAX + 1];
        size_t count = cmdline_split(copy, ':', fields, FIELDS_MAX);
        if (count > FIELDS_MAX || !take_bond_fields(&bond, fields, count))
                return cmdline_refuse(reader, err, name, value, "NAME:CARD,CARD:OPTION=VALUE,OPTION=VALUE:MTU");
        for (size_t i = 0; i < out->bond_count; i++) {
                if (strcmp(out->bonds[i].name, bond.name) == 0)
                        return bond_equal(&out->bonds[i], &bond) ||
                               cmdline_contradiction(reader, err, name, bond.name, reader->from, value);
        }
        if (bond.member_count == 0)
                cmdline_note(reader, name, value, "a bond without cards carries nothing");
        if (out->bond_count == CMDLINE_LINKS_MAX)
                return cmdline_too_many(reader, err, name, CMDLINE_LINKS_MAX);
        out->bonds[out->bond_count++] = bond;
        return true;
}

// ---- bridge=, team= ----

bool cmdline_take_unmade(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        struct cmdline *out = reader->out;
        auto_free char *copy = xstrndup(value, strcspn(value, ":"));
        const char *link = copy;
        if (!*copy && strcmp(name, "team") == 0)
                link = "team0"; // dracut's names for what is given none
        else if (!*copy)
                link = "br0";
        if (!interface_name_is_valid(link))
                return cmdline_refuse(reader, err, name, value, "NAME:CARD,CARD");
        if (out->unmade_count == CMDLINE_LINKS_MAX)
                return cmdline_too_many(reader, err, name, CMDLINE_LINKS_MAX);
        memcpy(out->unmade[out->unmade_count++], link, strlen(link) + 1);
        cmdline_note(reader, name, value, "kiln makes none; use a bond, or the card itself");
        return true;
}

// ---- rd.route= ----

static bool parse_prefix_of(const struct address *address, const char *text, int *ret) {
        if (address->family == 4)
                return prefix_parse(text, ret);
        return prefix6_parse(text, ret);
}

// The prefix may stand inside of the brackets, and none is a single host.
static bool take_destination(struct cmdline_route *route, char *text) {
        char *slash;
        if (*text == '[') {
                char *end = strchr(text, ']');
                if (!end || (end[1] && end[1] != '/'))
                        return false;
                memmove(end, end + 1, strlen(end));
                text++;
        }
        slash = strchr(text, '/');
        if (slash)
                *slash++ = '\0';
        if (!address_parse_any(text, &route->to))
                return false;
        route->prefix = 128;
        if (route->to.family == 4)
                route->prefix = 32;
        if (!slash)
                return true;
        if (strcmp(slash, "0") == 0 || strcmp(slash, "0.0.0.0") == 0) {
                route->prefix = 0;
                return true;
        }
        return parse_prefix_of(&route->to, slash, &route->prefix);
}

// The kernel takes no route with host bits.
static void clear_host_bits(struct address *address, int prefix) {
        for (int i = 0; i < 16; i++) {
                int bits = prefix - 8 * i; // of the prefix that reach into this byte
                if (bits <= 0)
                        address->bytes[i] = 0;
                else if (bits < 8)
                        address->bytes[i] &= (uint8_t)(0xff << (8 - bits));
        }
}

static bool take_route_fields(struct cmdline_route *route, char *fields[], size_t count) {
        if (!take_destination(route, fields[0]))
                return false;
        const char *gateway = "", *interface = "";
        if (count > 1)
                gateway = cmdline_unbracket(fields[1]);
        if (count > 2)
                interface = fields[2];
        if (!*gateway && !*interface)
                return false;
        if (*gateway && !(address_parse_any(gateway, &route->gateway) && route->gateway.family == route->to.family))
                return false;
        if (*interface && !interface_name_is_valid(interface))
                return false;
        memcpy(route->interface, interface, strlen(interface) + 1);
        clear_host_bits(&route->to, route->prefix);
        return true;
}

bool cmdline_take_route(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        struct cmdline *out = reader->out;
        struct cmdline_route route = { 0 };
        auto_free char *copy = xstrdup(value);
        char *fields[4];
        size_t count = cmdline_split(copy, ':', fields, 3);
        if (count > 3 || !take_route_fields(&route, fields, count))
                return cmdline_refuse(reader, err, name, value, "NET/PREFIX:[GATEWAY][:CARD]");
        for (size_t i = 0; i < out->route_count; i++) {
                const struct cmdline_route *other = &out->routes[i];
                if (other->prefix != route.prefix || !address_equal(&other->to, &route.to) ||
                    strcmp(other->interface, route.interface) != 0)
                        continue;
                return address_equal(&other->gateway, &route.gateway) ||
                       cmdline_refuse(reader, err, name, value, "the only gateway given for that network");
        }
        if (out->route_count == CMDLINE_ROUTES_MAX)
                return cmdline_too_many(reader, err, name, CMDLINE_ROUTES_MAX);
        out->routes[out->route_count++] = route;
        return true;
}
