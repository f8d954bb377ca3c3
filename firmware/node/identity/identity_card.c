// SPDX-License-Identifier: MIT
// Which Ethernet card carries the identity's address. It is said by somebody, or there is no other; never guessed.
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "firmware/node/identity/identity_internal.h"
#include "firmware/node/inventory/inventory_find.h"

static const struct interface *card_by_mac(const struct facts *facts, const struct mac *mac) {
        for (size_t i = 0; i < facts->interface_count; i++)
                if (mac_equal(&facts->interfaces[i].mac, mac))
                        return &facts->interfaces[i];
        return NULL;
}

static const struct interface *card_by_name(const struct facts *facts, const char *name) {
        for (size_t i = 0; i < facts->interface_count; i++)
                if (strcmp(facts->interfaces[i].name, name) == 0)
                        return &facts->interfaces[i];
        return NULL;
}

// A name that is given to a card is its name, whatever the kernel calls another one now.
static const struct interface *card_renamed(const struct situation *at, const struct inventory_node *node,
                                            const char *name) {
        for (size_t i = 0; i < at->cmdline->ifname_count; i++)
                if (strcmp(at->cmdline->ifnames[i].name, name) == 0)
                        return card_by_mac(at->facts, &at->cmdline->ifnames[i].mac);
        if (node && node->has_mac && strcmp(node->interface, name) == 0)
                return card_by_mac(at->facts, &node->mac);
        return NULL;
}

static const struct interface *card_of_macs(const struct facts *facts, const struct inventory_node *node) {
        const struct interface *own = NULL;
        if (node->has_mac)
                own = card_by_mac(facts, &node->mac);
        for (size_t i = 0; i < node->bond_member_count && !own; i++)
                own = card_by_mac(facts, &node->bond_members[i]);
        return own;
}

static const struct interface *first_member(const struct situation *at, const struct inventory_node *node,
                                            const struct cmdline_bond *bond) {
        const struct interface *card = NULL;
        for (size_t i = 0; i < bond->member_count && !card; i++) {
                card = card_renamed(at, node, bond->members[i]);
                if (!card)
                        card = card_by_name(at->facts, bond->members[i]);
        }
        return card;
}

static const struct interface *card_of_bond(const struct situation *at, const struct inventory_node *node,
                                            const char *name) {
        const struct cmdline *cmdline = at->cmdline;
        if (node && node->bond_member_count && strcmp(node->bond, name) == 0)
                return card_of_macs(at->facts, node);
        for (size_t i = 0; i < cmdline->bond_count; i++) {
                const struct cmdline_bond *bond = &cmdline->bonds[i];
                if (strcmp(bond->name, name) != 0)
                        continue;
                const struct interface *card = first_member(at, node, bond);
                if (card)
                        return card;
        }
        return NULL;
}

// What the VLANs of that name stand on; cmdline_check() has seen that none stands on itself.
static const char *below_vlans(const struct cmdline *cmdline, const char *name) {
        for (size_t i = 0; i < cmdline->vlan_count; i++)
                if (strcmp(cmdline->vlans[i].name, name) == 0)
                        return below_vlans(cmdline, cmdline->vlans[i].parent);
        return name;
}

// The card below what a name on the command line stands for: a card, the name that ifname= or the inventory gives to
// one, a VLAN's parent, a bond's first member that is there. NULL: none.
static const struct interface *card_under(const struct situation *at, const struct inventory_node *node,
                                          const char *name) {
        const char *bottom = below_vlans(at->cmdline, name);
        const struct interface *card = card_renamed(at, node, bottom);
        if (!card)
                card = card_of_bond(at, node, bottom);
        if (!card)
                card = card_by_name(at->facts, bottom);
        return card;
}

const struct interface *card_of_ip(const struct situation *at, const struct inventory_node *node,
                                   const struct cmdline_ip *ip) {
        if (ip->has_mac)
                return card_by_mac(at->facts, &ip->mac);
        if (*ip->interface)
                return card_under(at, node, ip->interface);
        return NULL;
}

// ---- what the command line asks for ----

// The ip= that decides: the one with the identity's address; else the only card that is to ask DHCP.
static const struct cmdline_ip *deciding_ip(const struct situation *at, uint32_t address) {
        const struct cmdline_ip *found = NULL;
        size_t count = 0;
        for (size_t i = 0; i < at->cmdline->ip_count; i++) {
                const struct cmdline_ip *ip = &at->cmdline->ips[i];
                bool names_card = ip->has_mac || *ip->interface;
                if (names_card && address && ip->address == address)
                        return ip;
                if (!names_card || !ip->dhcp || ip->address)
                        continue;
                found = ip;
                count++;
        }
        if (count != 1)
                return NULL; // several cards that ask DHCP do not say which is the machine's
        return found;
}

static bool refuse_no_card(const struct situation *at, const char *what, const char *name, struct err *err) {
        auto_buf names = { .max = 1024 };
        const char *separator = "";
        for (size_t i = 0; i < at->facts->interface_count; i++) {
                buf_printf(&names, "%s%s", separator, at->facts->interfaces[i].name);
                separator = ", ";
        }
        if (names.size == 0)
                buf_append_text(&names, "none");
        return fail(err, ERR_IDENTITY, 0, "%s names %s, but this machine has no such card (it has %s)", what, name,
                    buf_text(&names));
}

bool card_check_asked(const struct situation *at, const struct inventory_node *node, uint32_t address,
                      struct err *err) {
        const struct cmdline_ip *ip = deciding_ip(at, address);
        const char *bootdev = at->cmdline->bootdev;
        const struct interface *boot = NULL, *card = NULL;
        if (*bootdev)
                boot = card_under(at, node, bootdev);
        if (ip)
                card = card_of_ip(at, node, ip);
        if (*bootdev && !boot)
                return refuse_no_card(at, "bootdev=", bootdev, err);
        if (boot && card && boot != card)
                return fail(err, ERR_IDENTITY, 0, "contradiction: bootdev=%s, but ip= puts the address on %s", bootdev,
                            card->name);
        if (!ip || card)
                return true;
        if (!ip->has_mac)
                return refuse_no_card(at, "ip=", ip->interface, err);
        char mac[MAC_TEXT_SIZE];
        mac_format(&ip->mac, mac);
        return refuse_no_card(at, "ip=", mac, err);
}

static const struct interface *card_asked(const struct situation *at, const struct inventory_node *node,
                                          uint32_t address, const char **ret_source) {
        const struct cmdline *cmdline = at->cmdline;
        const struct cmdline_ip *ip = deciding_ip(at, address);
        const struct interface *card = NULL;
        *ret_source = "command line";
        if (ip)
                card = card_of_ip(at, node, ip);
        if (card)
                *ret_source = cmdline_source(ip->from);
        if (!card && *cmdline->bootdev)
                card = card_under(at, node, cmdline->bootdev);
        if (!card && cmdline->has_bootif) {
                card = card_by_mac(at->facts, &cmdline->bootif);
                *ret_source = "BOOTIF";
        }
        return card;
}

// The only bond on the command line, where no ip= names a card: that is why it is there.
static const struct interface *card_of_only_bond(const struct situation *at, const struct inventory_node *node) {
        const struct cmdline *cmdline = at->cmdline;
        for (size_t i = 0; i < cmdline->ip_count; i++)
                if (cmdline->ips[i].has_mac || *cmdline->ips[i].interface)
                        return NULL;
        if (cmdline->bond_count != 1)
                return NULL;
        return card_of_bond(at, node, cmdline->bonds[0].name);
}

// ---- leases ----

static bool lease_is_of(const struct situation *at, const struct lease *lease, const struct inventory_node *node) {
        char name[HOSTNAME_SIZE + DOMAIN_SIZE];
        inventory_full_name(lease->hostname, lease->domain, name, sizeof name);
        const char *const names[] = { lease->node, lease->fqdn, name };
        if (address_in_subnet(lease->address, node->network->address, node->network->prefix))
                return true;
        for (size_t i = 0; i < lengthof(names); i++)
                if (*names[i] && inventory_by_name(at->facts->inventory, names[i]) == node)
                        return true;
        return false;
}

const struct lease *lease_for(const struct situation *at, const struct inventory_node *node) {
        const struct facts *facts = at->facts;
        const char *source;
        const struct interface *asked = card_asked(at, node, 0, &source);
        const struct lease *found = NULL;
        for (size_t i = 0; i < facts->lease_count; i++) {
                const struct lease *lease = &facts->leases[i];
                if (node && !lease_is_of(at, lease, node))
                        continue;
                if (asked && mac_equal(&lease->mac, &asked->mac))
                        return lease;
                if (!found)
                        found = lease;
        }
        return found;
}

// ---- the choice ----

// A card of a further link never has the identity's address.
static bool is_of_further_link(const struct inventory_node *node, const struct interface *card) {
        return node && card && inventory_link_of_mac(node, &card->mac);
}

static const struct interface *only_one(const struct facts *facts, const struct inventory_node *node,
                                        bool with_carrier) {
        const struct interface *found = NULL;
        for (size_t i = 0; i < facts->interface_count; i++) {
                if ((with_carrier && !facts->interfaces[i].carrier) || is_of_further_link(node, &facts->interfaces[i]))
                        continue;
                if (found)
                        return NULL;
                found = &facts->interfaces[i];
        }
        return found;
}

bool card_refuse_absent(struct err *err) {
        return fail(err, ERR_IDENTITY, 0, "the machine has no Ethernet interface (is its driver in the image?)");
}

static bool refuse_choice(const struct facts *facts, struct err *err) {
        if (facts->interface_count == 0)
                return card_refuse_absent(err);
        return fail(err, ERR_IDENTITY, 0,
                    "%zu interfaces, and nothing says which one to use: give its mac in the inventory, or BOOTIF=",
                    facts->interface_count);
}

bool choose_card(const struct situation *at, struct identity *identity, struct err *err) {
        const struct facts *facts = at->facts;
        const struct inventory_node *node = identity->node;
        const struct lease *lease = lease_for(at, node);
        const char *asked_source;
        const struct interface *asked = card_asked(at, node, identity->address, &asked_source);
        const struct interface *leased = NULL, *holds_address = NULL, *known = NULL;
        if (lease)
                leased = card_by_mac(facts, &lease->mac);
        if (identity->dhcp)
                holds_address = leased;
        if (node)
                known = card_of_macs(facts, node);
        const struct {
                const struct interface *interface;
                const char *source;
                bool is_guess;
        } candidates[] = {
                { holds_address, "dhcp", false },
                { known, "mac table", false },
                { asked, asked_source, false },
                { leased, "dhcp", false },
                { card_of_only_bond(at, node), "command line", false },
                { only_one(facts, node, false), "the only one", true },
                { only_one(facts, node, true), "the only one with a link", true },
        };
        for (size_t i = 0; i < lengthof(candidates); i++) {
                if (!candidates[i].interface || is_of_further_link(node, candidates[i].interface))
                        continue;
                identity->interface = candidates[i].interface;
                identity->interface_source = candidates[i].source;
                identity->interface_is_guess = candidates[i].is_guess;
                return true;
        }
        return refuse_choice(facts, err);
}
