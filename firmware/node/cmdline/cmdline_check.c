// SPDX-License-Identifier: MIT
// Whether what the command line (and the config drive) says fits together. Needs no fact of the machine.
#include <stdio.h>
#include <string.h>

#include "firmware/node/cmdline/cmdline_internal.h"

static bool is_same_card(const struct cmdline_ip *a, const struct cmdline_ip *b) {
        return strcmp(a->interface, b->interface) == 0 && a->has_mac == b->has_mac &&
               (!a->has_mac || mac_equal(&a->mac, &b->mac));
}

static bool differ(long a, long b, long none) { return a != none && b != none && a != b; }

// Two ip= may give a card several addresses, but one address one meaning.
static bool check_pair(const struct cmdline_ip *a, const struct cmdline_ip *b, struct err *err) {
        char text[ADDRESS_ANY_TEXT_SIZE];
        if (a->address && a->address == b->address) {
                address_format(a->address, text);
                if (!is_same_card(a, b) || differ(a->prefix, b->prefix, -1) || differ(a->gateway, b->gateway, 0))
                        return fail(err, ERR_IDENTITY, 0, "contradiction: two ip= give %s differently (%s, %s)", text,
                                    cmdline_source(a->from), cmdline_source(b->from));
        }
        if (a->address6.family && address_equal(&a->address6, &b->address6) &&
            (!is_same_card(a, b) || differ(a->prefix6, b->prefix6, -1))) {
                address_format_any(&a->address6, text);
                return fail(err, ERR_IDENTITY, 0, "contradiction: two ip= give %s differently", text);
        }
        if (is_same_card(a, b) && differ(a->mtu, b->mtu, 0))
                return fail(err, ERR_IDENTITY, 0, "contradiction: two ip= give MTU %d and %d for one card", a->mtu,
                            b->mtu);
        return true;
}

static bool check_hostnames(const struct cmdline *cmdline, const struct cmdline_ip *a, const struct cmdline_ip *b,
                            struct err *err) {
        bool named = *cmdline->hostname || *cmdline->node;
        if (named || !*a->hostname || !*b->hostname || strcmp(a->hostname, b->hostname) == 0)
                return true;
        fail(err, ERR_IDENTITY, 0, "contradiction: ip= gives the host names %s and %s", a->hostname, b->hostname);
        return hint(err, "say which one with kiln.hostname=");
}

// kiln.ip= is the machine's address; where ip= gives addresses it is one of them.
static bool check_kiln_ip(const struct cmdline *cmdline, struct err *err) {
        char text[ADDRESS_TEXT_SIZE], first[ADDRESS_TEXT_SIZE] = "";
        address_format(cmdline->address, text);
        bool found = false;
        for (size_t i = 0; i < cmdline->ip_count && !found; i++) {
                const struct cmdline_ip *ip = &cmdline->ips[i];
                found = ip->address == cmdline->address;
                if (found && differ(ip->prefix, cmdline->prefix, -1))
                        return fail(err, ERR_IDENTITY, 0, "contradiction: kiln.ip=%s/%d, but ip= gives it prefix %d",
                                    text, cmdline->prefix, ip->prefix);
                if (ip->address && !*first)
                        address_format(ip->address, first);
        }
        return found || !*first ||
               fail(err, ERR_IDENTITY, 0, "contradiction: kiln.ip=%s, but ip= gives %s", text, first);
}

static bool check_address_parameters(const struct cmdline *cmdline, struct err *err) {
        for (size_t i = 0; i < cmdline->ip_count; i++)
                for (size_t j = i + 1; j < cmdline->ip_count; j++)
                        if (!check_pair(&cmdline->ips[i], &cmdline->ips[j], err) ||
                            !check_hostnames(cmdline, &cmdline->ips[i], &cmdline->ips[j], err))
                                return false;
        return !cmdline->address || check_kiln_ip(cmdline, err);
}

// ---- links ----

static bool is_unmade(const struct cmdline *cmdline, const char *name) {
        for (size_t i = 0; i < cmdline->unmade_count; i++)
                if (*name && strcmp(cmdline->unmade[i], name) == 0)
                        return true;
        return false;
}

static bool check_use(const struct cmdline *cmdline, const char *parameter, const char *name, struct err *err) {
        return !is_unmade(cmdline, name) ||
               fail(err, ERR_IDENTITY, 0, "%s= names %s, a bridge or team, and kiln makes none", parameter, name);
}

static bool check_unmade(const struct cmdline *cmdline, struct err *err) {
        for (size_t i = 0; i < cmdline->ip_count; i++)
                if (!check_use(cmdline, "ip", cmdline->ips[i].interface, err))
                        return false;
        for (size_t i = 0; i < cmdline->vlan_count; i++)
                if (!check_use(cmdline, "vlan", cmdline->vlans[i].parent, err))
                        return false;
        for (size_t i = 0; i < cmdline->bond_count; i++)
                for (size_t j = 0; j < cmdline->bonds[i].member_count; j++)
                        if (!check_use(cmdline, "bond", cmdline->bonds[i].members[j], err))
                                return false;
        return check_use(cmdline, "bootdev", cmdline->bootdev, err);
}

static const struct cmdline_bond *bond_of(const struct cmdline *cmdline, const char *member) {
        for (size_t i = 0; i < cmdline->bond_count; i++)
                for (size_t j = 0; j < cmdline->bonds[i].member_count; j++)
                        if (strcmp(cmdline->bonds[i].members[j], member) == 0)
                                return &cmdline->bonds[i];
        return NULL;
}

// A card in a bond has no address and no other bond.
static bool check_bonded_cards(const struct cmdline *cmdline, struct err *err) {
        for (size_t i = 0; i < cmdline->bond_count; i++)
                for (size_t j = 0; j < cmdline->bonds[i].member_count; j++) {
                        const struct cmdline_bond *bond = bond_of(cmdline, cmdline->bonds[i].members[j]);
                        if (bond != &cmdline->bonds[i])
                                return fail(err, ERR_IDENTITY, 0, "contradiction: %s is in %s and in %s",
                                            cmdline->bonds[i].members[j], bond->name, cmdline->bonds[i].name);
                }
        for (size_t i = 0; i < cmdline->ip_count; i++) {
                const char *name = cmdline->ips[i].interface;
                const struct cmdline_bond *bond = bond_of(cmdline, name); // no member's name is ""
                if (bond)
                        return fail(err, ERR_IDENTITY, 0, "contradiction: ip= configures %s, which is in %s", name,
                                    bond->name);
        }
        return true;
}

static const struct cmdline_vlan *find_vlan(const struct cmdline *cmdline, const char *name) {
        for (size_t i = 0; i < cmdline->vlan_count; i++)
                if (strcmp(cmdline->vlans[i].name, name) == 0)
                        return &cmdline->vlans[i];
        return NULL;
}

// A link is what one parameter makes it, and stands on something else than itself.
static bool check_makers(const struct cmdline *cmdline, struct err *err) {
        for (size_t i = 0; i < cmdline->bond_count; i++)
                if (find_vlan(cmdline, cmdline->bonds[i].name))
                        return fail(err, ERR_IDENTITY, 0, "contradiction: %s is a bond and a VLAN",
                                    cmdline->bonds[i].name);
        for (size_t i = 0; i < cmdline->ifname_count; i++) {
                const char *name = cmdline->ifnames[i].name;
                bool bond = false;
                for (size_t j = 0; j < cmdline->bond_count; j++)
                        bond |= strcmp(cmdline->bonds[j].name, name) == 0;
                if (bond || find_vlan(cmdline, name))
                        return fail(err, ERR_IDENTITY, 0,
                                    "contradiction: ifname= gives a card the name %s, which is %s", name,
                                    bond ? "a bond" : "a VLAN");
        }
        return true;
}

// Bonds of VLANs and bonds of bonds are left out: a bond's members are cards.
static bool check_stack(const struct cmdline *cmdline, struct err *err) {
        for (size_t i = 0; i < cmdline->vlan_count; i++) {
                const struct cmdline_vlan *at = &cmdline->vlans[i];
                for (size_t depth = 0; at; at = find_vlan(cmdline, at->parent))
                        if (depth++ > cmdline->vlan_count)
                                return fail(err, ERR_IDENTITY, 0, "vlan=%s stands on itself", cmdline->vlans[i].name);
        }
        for (size_t i = 0; i < cmdline->bond_count; i++)
                for (size_t j = 0; j < cmdline->bonds[i].member_count; j++) {
                        const char *member = cmdline->bonds[i].members[j];
                        bool is_bond = false;
                        for (size_t k = 0; k < cmdline->bond_count; k++)
                                is_bond |= strcmp(cmdline->bonds[k].name, member) == 0;
                        if (is_bond || find_vlan(cmdline, member))
                                return fail(err, ERR_IDENTITY, 0, "bond=%s: %s is no card", cmdline->bonds[i].name,
                                            member);
                }
        return true;
}

bool cmdline_check(const struct cmdline *cmdline, struct err *err) {
        return check_address_parameters(cmdline, err) && check_unmade(cmdline, err) &&
               check_bonded_cards(cmdline, err) && check_makers(cmdline, err) && check_stack(cmdline, err);
}
