// SPDX-License-Identifier: MIT
// Links that the command line makes or names, routes and name servers: dracut.cmdline(7).
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/node/cmdline/cmdline_internal.h"

enum { VLAN_ID_MAX = 4094, MTU_MIN = 68, MTU_MAX = 65535 };

size_t cmdline_split(char *text, char separator, char *fields[], size_t max) {
        size_t count = 0;
        bool bracket = false;
        fields[count++] = text;
        for (; *text; text++) {
                bracket = *text == '[' ? true : *text == ']' ? false : bracket;
                if (*text != separator || bracket)
                        continue;
                if (count == max)
                        return max + 1;
                *text = '\0';
                fields[count++] = text + 1;
        }
        return count;
}

char *cmdline_unbracket(char *text) {
        size_t size = strlen(text);
        if (size < 2 || text[0] != '[' || text[size - 1] != ']')
                return text;
        text[size - 1] = '\0';
        return text + 1;
}

bool cmdline_parse_mtu(const char *text, int *ret) {
        int mtu = 0;
        for (const char *at = text; *at; at++) {
                if (!isdigit((unsigned char)*at) || mtu > MTU_MAX)
                        return false;
                mtu = mtu * 10 + (*at - '0');
        }
        if (*text && (mtu < MTU_MIN || mtu > MTU_MAX))
                return false;
        *ret = mtu;
        return true;
}

// ---- nameserver= ----

static void add_dns4(struct cmdline_reader *reader, const char *name, uint32_t address) {
        struct cmdline *out = reader->out;
        for (size_t i = 0; i < out->dns_count; i++)
                if (out->dns[i] == address)
                        return;
        char text[ADDRESS_TEXT_SIZE];
        address_format(address, text);
        if (out->dns_count < DNS_MAX)
                out->dns[out->dns_count++] = address;
        else
                cmdline_note(reader, name, text, "left out: there are others enough");
}

void cmdline_add_dns(struct cmdline_reader *reader, const char *name, const struct address *address) {
        struct cmdline *out = reader->out;
        if (address->family == 4) {
                uint32_t bytes;
                memcpy(&bytes, address->bytes, sizeof bytes);
                add_dns4(reader, name, ntohl(bytes));
                return;
        }
        for (size_t i = 0; i < out->dns6_count; i++)
                if (address_equal(&out->dns6[i], address))
                        return;
        char text[ADDRESS_ANY_TEXT_SIZE];
        address_format_any(address, text);
        if (out->dns6_count < DNS_MAX)
                out->dns6[out->dns6_count++] = *address;
        else
                cmdline_note(reader, name, text, "left out: there are others enough");
}

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
        int id = digits >= 1 && digits <= 4 ? atoi(name + start) : 0;
        *ret = id;
        return id >= 1 && id <= VLAN_ID_MAX && start > 0;
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
        static char usual[] = "eth0,eth1", usual_name[] = "bond0";
        char *name = *fields[0] ? fields[0] : usual_name, *options = count > 2 ? fields[2] : "";
        if (!interface_name_is_valid(name) || strlen(options) >= sizeof bond->options || !options_are_valid(options))
                return false;
        memcpy(bond->name, name, strlen(name) + 1);
        memcpy(bond->options, options, strlen(options) + 1);
        auto_free char *members = xstrdup(count > 1 ? fields[1] : usual);
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
        const char *usual = strcmp(name, "team") == 0 ? "team0" : "br0";
        auto_free char *copy = xstrndup(value, strcspn(value, ":"));
        const char *link = *copy ? copy : usual;
        if (!interface_name_is_valid(link))
                return cmdline_refuse(reader, err, name, value, "NAME:CARD,CARD");
        if (out->unmade_count == CMDLINE_LINKS_MAX)
                return cmdline_too_many(reader, err, name, CMDLINE_LINKS_MAX);
        memcpy(out->unmade[out->unmade_count++], link, strlen(link) + 1);
        cmdline_note(reader, name, value, "kiln makes none; use a bond, or the card itself");
        return true;
}

// ---- rd.route= ----

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
        bool is_ipv4 = route->to.family == 4;
        route->prefix = is_ipv4 ? 32 : 128;
        if (!slash)
                return true;
        if (strcmp(slash, "0") == 0 || strcmp(slash, "0.0.0.0") == 0) {
                route->prefix = 0;
                return true;
        }
        return is_ipv4 ? prefix_parse(slash, &route->prefix) : prefix6_parse(slash, &route->prefix);
}

// The kernel takes no route with host bits.
static void clear_host_bits(struct address *address, int prefix) {
        for (int i = 0; i < 16; i++) {
                int bits = prefix - 8 * i;
                if (bits < 8)
                        address->bytes[i] &= (uint8_t)(bits <= 0 ? 0 : 0xff << (8 - bits));
        }
}

static bool take_route_fields(struct cmdline_route *route, char *fields[], size_t count) {
        if (!take_destination(route, fields[0]))
                return false;
        char *gateway = count > 1 ? cmdline_unbracket(fields[1]) : "";
        const char *interface = count > 2 ? fields[2] : "";
        if ((*gateway && (!address_parse_any(gateway, &route->gateway) || route->gateway.family != route->to.family)) ||
            (*interface && !interface_name_is_valid(interface)) || (!*gateway && !*interface))
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
