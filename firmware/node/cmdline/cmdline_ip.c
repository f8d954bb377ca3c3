// SPDX-License-Identifier: MIT
// ip=: dracut.cmdline(7), with what systemd-network-generator(8) and the kernel (nfsroot.rst) add to it.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "firmware/node/cmdline/cmdline_internal.h"

// The fields of the long form; those after METHOD are the tail.
enum { IP_CLIENT, IP_PEER, IP_GATEWAY, IP_MASK, IP_HOSTNAME, IP_INTERFACE, IP_METHOD, IP_TAIL };

// pxelinux's `ipappend 1` ends with the mask.
enum { LONG_FORM_MIN = IP_MASK + 1 };

static const struct method {
        const char *name;
        bool dhcp, dhcp6, auto6, nothing;
        const char *note;
} methods[] = {
        { "dhcp", .dhcp = true },
        { "on", .dhcp = true },
        { "any", .dhcp = true },
        { "both", .dhcp = true },
        { "single-dhcp", .dhcp = true },
        { "dhcp4", .dhcp = true },
        { "dhcp6", .dhcp6 = true },
        { "auto", .dhcp = true, .auto6 = true },
        { "auto6", .auto6 = true },
        { "either6", .dhcp6 = true, .auto6 = true },
        { "link6" }, // an address that every card has
        { "link-local", .note = "kiln gives no IPv4 link-local address" },
        { "ibft", .note = "kiln does not read the firmware's iBFT" },
        { "none", .nothing = true },
        { "off", .nothing = true },
        { "static", .nothing = true },
};

static const struct method *find_method(const char *name, size_t size) {
        for (size_t i = 0; i < lengthof(methods); i++)
                if (strlen(methods[i].name) == size && strncmp(methods[i].name, name, size) == 0)
                        return &methods[i];
        return NULL;
}

static bool is_method(const char *text) { return find_method(text, strcspn(text, ",")) != NULL; }

// Several are joined by commas: "dhcp,dhcp6". One that turns all off stands alone.
static bool take_methods(struct cmdline_reader *reader, struct cmdline_ip *ip, const char *whole, const char *text) {
        bool nothing = false;
        size_t count = 0;
        for (const char *at = text;; at++, count++) {
                size_t size = strcspn(at, ",");
                const struct method *method = find_method(at, size);
                if (!method)
                        return false;
                ip->dhcp |= method->dhcp;
                ip->dhcp6 |= method->dhcp6;
                ip->auto6 |= method->auto6;
                nothing |= method->nothing;
                if (method->note)
                        cmdline_note(reader, "ip", whole, method->note);
                at += size;
                if (!*at)
                        return !nothing || count == 0;
        }
}

static bool set_interface(struct cmdline_ip *ip, const char *text) {
        if (!*text)
                return true;
        if (mac_parse(text, &ip->mac)) {
                ip->has_mac = true;
                return true;
        }
        if (!interface_name_is_valid(text))
                return false;
        memcpy(ip->interface, text, strlen(text) + 1);
        return true;
}

// A MAC that is written with ':' has become six fields; they are joined again.
static size_t join_mac(char *fields[], size_t count, size_t at) {
        if (at + 6 > count || strlen(fields[at]) != 2)
                return count;
        struct mac mac;
        char joined[MAC_TEXT_SIZE];
        snprintf(joined, sizeof joined, "%.2s:%.2s:%.2s:%.2s:%.2s:%.2s", fields[at], fields[at + 1], fields[at + 2],
                 fields[at + 3], fields[at + 4], fields[at + 5]);
        if (!mac_parse(joined, &mac))
                return count;
        memcpy(fields[at], joined, sizeof joined); // the six fields lie one after the other
        memmove(fields + at + 1, fields + at + 6, (count - at - 6) * sizeof *fields);
        return count - 5;
}

// [MTU][:MAC]
static bool take_mtu_and_mac(struct cmdline_reader *reader, struct cmdline_ip *ip, const char *whole, char *fields[],
                             size_t count) {
        struct mac mac;
        if (!cmdline_parse_mtu(fields[0], &ip->mtu) || count > 2 || (count == 2 && !mac_parse(fields[1], &mac)))
                return false;
        if (count == 2)
                cmdline_note(reader, "ip", whole, "kiln gives no card another MAC");
        return true;
}

// DNS[:DNS[:NTP]]; each is an address of either family.
static bool take_servers(struct cmdline_reader *reader, struct cmdline_ip *ip, const char *whole, char *fields[],
                         size_t count) {
        enum { SERVERS_MAX = 3 };
        if (count > SERVERS_MAX)
                return false;
        for (size_t i = 0; i < count; i++) {
                struct address address;
                uint32_t ipv4;
                char *text = cmdline_unbracket(fields[i]);
                if (!address_parse_any(text, &address))
                        return false;
                if (i == SERVERS_MAX - 1)
                        cmdline_note(reader, "ip", whole, "the time server is the role's to configure");
                else if (address_parse(text, &ipv4))
                        ip->dns[ip->dns_count++] = ipv4;
                else
                        cmdline_add_dns(reader, "ip", &address);
        }
        return true;
}

static bool take_tail(struct cmdline_reader *reader, struct cmdline_ip *ip, const char *whole, char *fields[],
                      size_t count) {
        while (count > 0 && !*fields[count - 1]) // "none::", as installers write it
                count--;
        if (count == 0)
                return true;
        count = join_mac(fields, count, 1);
        bool is_mtu = fields[0][strspn(fields[0], "0123456789")] == '\0';
        if (is_mtu)
                return take_mtu_and_mac(reader, ip, whole, fields, count);
        return take_servers(reader, ip, whole, fields, count);
}

// 0.0.0.0 is how the kernel and pxelinux write that there is none.
static bool is_empty(const char *text) { return !*text || strcmp(text, "0.0.0.0") == 0; }

// The peer may have a prefix; on Ethernet it has no use, and pxelinux and the kernel put the boot server there.
static bool check_peer(char *text) {
        struct address peer;
        text = cmdline_unbracket(text);
        text[strcspn(text, "/")] = '\0';
        return is_empty(text) || address_parse_any(text, &peer);
}

static bool take_ipv6(struct cmdline_ip *ip, const char *client, const char *gateway, const char *mask) {
        return address6_parse(client, &ip->address6) && (!*gateway || address6_parse(gateway, &ip->gateway6)) &&
               (!*mask || prefix6_parse(mask, &ip->prefix6));
}

static bool parse_host(const char *text, uint32_t *ret) { return address_parse(text, ret) && address_is_host(*ret); }

static bool take_ipv4(struct cmdline_ip *ip, const char *client, const char *gateway, const char *mask) {
        if (!parse_host(client, &ip->address))
                return false;
        if (!is_empty(gateway) && !parse_host(gateway, &ip->gateway))
                return false;
        return !*mask || prefix_parse(mask, &ip->prefix);
}

static bool take_family(struct cmdline_ip *ip, bool is_ipv6, const char *client, const char *gateway,
                        const char *mask) {
        if (is_ipv6)
                return take_ipv6(ip, client, gateway, mask);
        return take_ipv4(ip, client, gateway, mask);
}

// Gateway and mask where there is no address, as pxelinux and the kernel have it: what asks DHCP gets its own ones.
static bool check_lonely(char *gateway, const char *mask) {
        struct address address = { 0 };
        uint32_t ipv4;
        int prefix;
        if (!is_empty(gateway) && !address_parse_any(gateway, &address))
                return false;
        if (address.family == 4 && !parse_host(gateway, &ipv4))
                return false;
        bool may_be_ipv4 = address.family != 6, may_be_ipv6 = address.family != 4;
        return !*mask || (may_be_ipv4 && prefix_parse(mask, &prefix)) || (may_be_ipv6 && prefix6_parse(mask, &prefix));
}

// ADDRESS or ADDRESS/PREFIX, whose prefix must be that of the mask, if both are given.
static bool take_addresses(struct cmdline_ip *ip, char *fields[]) {
        bool is_ipv6 = fields[IP_CLIENT][0] == '[';
        char *client = cmdline_unbracket(fields[IP_CLIENT]), *gateway = cmdline_unbracket(fields[IP_GATEWAY]);
        const char *mask = fields[IP_MASK];
        char *slash = strchr(client, '/');
        if (slash)
                *slash++ = '\0';
        if (is_empty(client))
                return !slash && check_lonely(gateway, mask);
        if (slash && *mask) {
                struct cmdline_ip other = *ip;
                if (!take_family(&other, is_ipv6, client, gateway, slash) ||
                    !take_family(ip, is_ipv6, client, gateway, mask))
                        return false;
                return other.prefix == ip->prefix && other.prefix6 == ip->prefix6;
        }
        if (!slash)
                return take_family(ip, is_ipv6, client, gateway, mask);
        return *slash && take_family(ip, is_ipv6, client, gateway, slash);
}

// What stands beside the address that is not there, and beside a method that asks for one.
static bool weigh_address(struct cmdline_reader *reader, struct cmdline_ip *ip, const char *whole, char *fields[]) {
        // The kernel's way: dracut would forget the address, and systemd would give the card a second one.
        if (ip->address && ip->dhcp) {
                cmdline_note(reader, "ip", whole, "the address stands, and DHCP is not asked for another");
                ip->dhcp = false;
        }
        bool has_address = ip->address || ip->address6.family;
        if (has_address || (is_empty(cmdline_unbracket(fields[IP_GATEWAY])) && !*fields[IP_MASK]))
                return true;
        if (!ip->dhcp && !ip->dhcp6 && !ip->auto6)
                return false; // who has no address has no use for a gateway
        cmdline_note(reader, "ip", whole, "without an address, gateway and mask are DHCP's to say");
        return true;
}

static bool take_long_form(struct cmdline_reader *reader, struct cmdline_ip *ip, const char *whole, char *fields[],
                           size_t count) {
        static char none[1];
        count = join_mac(fields, count, IP_INTERFACE);
        size_t given = count;
        for (; count < IP_TAIL; count++)
                fields[count] = none;
        const char *hostname = fields[IP_HOSTNAME], *method = fields[IP_METHOD];
        if (!check_peer(fields[IP_PEER]) || !take_addresses(ip, fields) ||
            (*hostname && !hostname_is_valid(hostname)) || !set_interface(ip, cmdline_unbracket(fields[IP_INTERFACE])))
                return false;
        memcpy(ip->hostname, hostname, strlen(hostname) + 1);
        bool has_address = ip->address || ip->address6.family;
        if (*method && !take_methods(reader, ip, whole, method))
                return false;
        if (!*method && !has_address && !*hostname && !*fields[IP_INTERFACE])
                return false;
        if (!*method && !has_address)
                ip->dhcp = true; // dracut's way to read it
        if (!weigh_address(reader, ip, whole, fields))
                return false;
        return given <= IP_TAIL || take_tail(reader, ip, whole, fields + IP_TAIL, given - IP_TAIL);
}

static bool take_form(struct cmdline_reader *reader, struct cmdline_ip *ip, const char *whole, char *fields[],
                      size_t count) {
        if (count == 1)
                return take_methods(reader, ip, whole, fields[0]);
        count = join_mac(fields, count, 0);
        if (count >= 2 && is_method(fields[1]))
                return set_interface(ip, cmdline_unbracket(fields[0])) && take_methods(reader, ip, whole, fields[1]) &&
                       take_tail(reader, ip, whole, fields + 2, count - 2);
        return count >= LONG_FORM_MIN && take_long_form(reader, ip, whole, fields, count);
}

// Whether it says anything: "none" does not.
static bool has_effect(const struct cmdline_ip *ip) {
        bool has_method = ip->dhcp || ip->dhcp6 || ip->auto6;
        bool has_address = ip->address || ip->address6.family;
        bool names_card = ip->has_mac || *ip->interface;
        return has_method || has_address || names_card || *ip->hostname;
}

static bool mask_is_valid(const char *mask, const char *client) {
        int prefix;
        bool may_be_ipv4 = *client != '[', may_be_ipv6 = *client == '[' || is_empty(client);
        return !*mask || (may_be_ipv4 && prefix_parse(mask, &prefix)) || (may_be_ipv6 && prefix6_parse(mask, &prefix));
}

// What an ip= that was not understood should be: the part that is wrong, if one of the long form's is.
static const char *wanted_of(const char *value) {
        auto_free char *copy = xstrdup(value);
        char *fields[CMDLINE_FIELDS_MAX + 1] = { 0 };
        struct address gateway;
        static char none[1];
        bool is_long = cmdline_split(copy, ':', fields, CMDLINE_FIELDS_MAX) >= LONG_FORM_MIN;
        if (!fields[IP_HOSTNAME])
                fields[IP_HOSTNAME] = none;
        bool is_method_form = is_long && is_method(fields[1]);
        if (is_long && !is_method_form && !mask_is_valid(fields[IP_MASK], fields[IP_CLIENT]))
                return "understood: its mask must be a prefix, or contiguous as 255.255.255.0 is";
        char *router = fields[IP_GATEWAY];
        if (is_long && !is_method_form && !is_empty(router) && *router != '[' && !address_parse_any(router, &gateway))
                return "understood: its gateway must be an address";
        if (is_long && !is_method_form && *fields[IP_HOSTNAME] && !hostname_is_valid(fields[IP_HOSTNAME]))
                return "understood: its host name must be of letters, digits, '-' and '.'";
        return "one of dracut's forms: METHOD, CARD:METHOD[:MTU], or "
               "ADDRESS:[PEER]:[GATEWAY]:MASK:[HOST]:[CARD]:METHOD[:MTU], IPv6 in brackets";
}

bool cmdline_take_ip(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        struct cmdline *out = reader->out;
        auto_free char *copy = xstrdup(value);
        char *fields[CMDLINE_FIELDS_MAX + 1] = { 0 };
        if (!*value)
                return true;
        struct cmdline_ip ip = { .from = reader->from, .prefix = -1, .prefix6 = -1 };
        size_t count = cmdline_split(copy, ':', fields, CMDLINE_FIELDS_MAX);
        if (count > CMDLINE_FIELDS_MAX || !take_form(reader, &ip, value, fields, count))
                return cmdline_refuse(reader, err, name, value, wanted_of(value));
        if (!has_effect(&ip)) {
                out->off = true;
                return true;
        }
        if (out->ip_count == CMDLINE_IP_MAX)
                return cmdline_too_many(reader, err, name, CMDLINE_IP_MAX);
        out->ips[out->ip_count++] = ip;
        return true;
}
