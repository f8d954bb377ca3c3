// SPDX-License-Identifier: MIT
// Which links there are: cards, what they are called, bonds and VLANs; from the command line and from the inventory.
#include <assert.h>
#include <stdio.h>

#include "firmware/node/network/network_internal.h"

// ---- names that are given to cards ----

struct pin {
        char name[INTERFACE_NAME_SIZE];
        struct mac mac;
        const char *source;
        const struct interface *interface; // NULL: no card has the MAC
};

struct pins {
        struct pin items[CMDLINE_LINKS_MAX + 1 + INVENTORY_LINKS_MAX];
        size_t count;
};

const struct interface *composer_interface(const struct composer *composer, const struct mac *mac) {
        const struct facts *facts = composer->facts;
        for (size_t i = 0; i < facts->interface_count; i++)
                if (mac_equal(&facts->interfaces[i].mac, mac))
                        return &facts->interfaces[i];
        return NULL;
}

static bool add_pin(const struct composer *composer, struct pins *pins, const char *name, const struct mac *mac,
                    const char *source, struct err *err) {
        char text[MAC_TEXT_SIZE];
        mac_format(mac, text);
        for (size_t i = 0; i < pins->count; i++) {
                const struct pin *other = &pins->items[i];
                bool same_name = strcmp(other->name, name) == 0, same_mac = mac_equal(&other->mac, mac);
                if (same_name && same_mac)
                        return true;
                if (same_name)
                        return fail(err, ERR_IDENTITY, 0,
                                    "contradiction: %s and %s call two different cards %s; one has MAC %s",
                                    other->source, source, name, text);
                if (same_mac)
                        return fail(err, ERR_IDENTITY, 0, "contradiction: card %s is %s (%s) and %s (%s)", text,
                                    other->name, other->source, name, source);
        }
        struct pin *pin = &pins->items[pins->count++];
        *pin = (struct pin){ .mac = *mac, .source = source, .interface = composer_interface(composer, mac) };
        memcpy(pin->name, name, strlen(name) + 1);
        if (!pin->interface)
                network_note(composer->network, "%s: no card has MAC %s, so none is called %s", source, text, name);
        return true;
}

static bool collect_pins(const struct composer *composer, struct pins *pins, struct err *err) {
        const struct cmdline *cmdline = composer->cmdline;
        const struct inventory_node *node = composer->identity->node;
        for (size_t i = 0; i < cmdline->ifname_count; i++)
                if (!add_pin(composer, pins, cmdline->ifnames[i].name, &cmdline->ifnames[i].mac, "ifname=", err))
                        return false;
        for (size_t i = 0; node && i < node->link_count; i++)
                if (*node->links[i].interface &&
                    !add_pin(composer, pins, node->links[i].interface, &node->links[i].mac, "inventory", err))
                        return false;
        if (!node || !*node->interface)
                return true;
        const struct mac *mac = &composer->identity->interface->mac;
        if (node->has_mac)
                mac = &node->mac;
        return add_pin(composer, pins, node->interface, mac, "inventory", err);
}

static const struct pin *pin_of(const struct pins *pins, const struct interface *interface) {
        for (size_t i = 0; i < pins->count; i++)
                if (pins->items[i].interface == interface)
                        return &pins->items[i];
        return NULL;
}

static const struct pin *pin_named(const struct pins *pins, const char *name) {
        for (size_t i = 0; i < pins->count; i++)
                if (pins->items[i].interface && strcmp(pins->items[i].name, name) == 0)
                        return &pins->items[i];
        return NULL;
}

// A card whose name another one is given takes the one that becomes free: two eth0 and eth1 that the kernel found in
// the other order change places. A name leads to a pinned card, and that card's name to the next: each pinned card
// comes up once at most, so that the loop ends.
static const char *final_name(const struct pins *pins, const struct interface *interface) {
        const struct pin *own = pin_of(pins, interface);
        if (own)
                return own->name;
        const char *name = interface->name;
        const struct pin *pin;
        for (size_t i = 0; i < pins->count && (pin = pin_named(pins, name)); i++)
                name = pin->interface->name;
        return name;
}

// ---- links ----

struct net_link *composer_find(const struct composer *composer, const char *name) {
        struct network *network = composer->network;
        for (size_t i = 0; i < network->link_count; i++)
                if (strcmp(network->links[i].name, name) == 0)
                        return &network->links[i];
        for (size_t i = 0; i < network->link_count; i++)
                if (strcmp(network->links[i].now, name) == 0)
                        return &network->links[i];
        return NULL;
}

struct net_link *composer_find_mac(const struct composer *composer, const struct mac *mac) {
        struct network *network = composer->network;
        for (size_t i = 0; i < network->link_count; i++)
                if (network->links[i].kind == NET_CARD && mac_equal(&network->links[i].mac, mac))
                        return &network->links[i];
        return NULL;
}

static struct net_link *append_link(struct network *network, enum net_kind kind, const char *name, struct err *err) {
        if (network->link_count == NET_LINKS_MAX) {
                (void)fail(err, ERR_IDENTITY, 0, "more than %d network links", NET_LINKS_MAX);
                return NULL;
        }
        if (!interface_name_is_valid(name)) {
                (void)fail(err, ERR_IDENTITY, 0, "\"%.40s\" cannot be the name of a network interface here", name);
                return NULL;
        }
        struct net_link *link = &network->links[network->link_count++];
        *link = (struct net_link){ .kind = kind };
        memcpy(link->name, name, strlen(name) + 1);
        return link;
}

// All cards become links first, because a bond or an address may name any of them; drop_unused() removes the rest.
static bool add_cards(struct composer *composer, const struct pins *pins, struct err *err) {
        const struct facts *facts = composer->facts;
        for (size_t i = 0; i < facts->interface_count; i++) {
                const struct interface *interface = &facts->interfaces[i];
                if (!interface_is_writable(interface) && interface != composer->identity->interface)
                        continue;
                if (composer->network->link_count == NET_LINKS_MAX / 2 && interface != composer->identity->interface &&
                    !pin_of(pins, interface))
                        continue; // room for bonds and VLANs
                const char *name = final_name(pins, interface);
                struct net_link *link = append_link(composer->network, NET_CARD, name, err);
                if (!link)
                        return false;
                link->mac = interface->mac;
                memcpy(link->now, interface->name, sizeof link->now);
                link->pin_name = pin_of(pins, interface) || strcmp(name, interface->name) != 0;
        }
        return true;
}

// ---- bonds ----

// A bond as its source describes it; members are links.
struct bond_wish {
        const char *name, *options, *source;
        const struct net_link *members[NET_MEMBERS_MAX];
        size_t member_count;
        int mtu;
};

static bool same_members(const struct net_link *bond, const struct bond_wish *wish) {
        bool same = bond->member_count == wish->member_count;
        for (size_t i = 0; same && i < wish->member_count; i++) {
                bool found = false;
                for (size_t j = 0; j < bond->member_count; j++)
                        found |= strcmp(bond->members[j], wish->members[i]->name) == 0;
                same = found;
        }
        return same;
}

static bool check_wish(const struct composer *composer, const struct bond_wish *wish, struct err *err) {
        if (wish->member_count == 0)
                return fail(err, ERR_IDENTITY, 0, "bond %s (%s): this machine has none of its members", wish->name,
                            wish->source);
        if (composer_find(composer, wish->name))
                return fail(err, ERR_IDENTITY, 0,
                            "contradiction: %s makes a bond %s, which is another link with other members", wish->source,
                            wish->name);
        for (size_t i = 0; i < wish->member_count; i++) {
                const struct net_link *member = wish->members[i], *other = network_bond_of(composer->network, member);
                if (other)
                        return fail(err, ERR_IDENTITY, 0,
                                    "contradiction: %s is a member of bond %s and (%s) of bond %s", member->name,
                                    other->name, wish->source, wish->name);
                for (size_t j = 0; j < i; j++)
                        if (wish->members[j] == member)
                                return fail(err, ERR_IDENTITY, 0, "%s is a member of bond %s twice (%s)", member->name,
                                            wish->name, wish->source);
        }
        return true;
}

static bool add_bond(struct composer *composer, const struct bond_wish *wish, struct err *err) {
        const struct net_link *known = composer_find(composer, wish->name);
        if (known && known->kind == NET_BOND && same_members(known, wish))
                return true; // the command line and the inventory agree; the first one's options stay
        if (!check_wish(composer, wish, err))
                return false;
        struct net_link *bond = append_link(composer->network, NET_BOND, wish->name, err);
        if (!bond)
                return false;
        bond->mtu = wish->mtu;
        assert(wish->member_count > 0 && wish->members[0]); // who wished it found them
        bond->mac = wish->members[0]->mac;
        bond->member_count = wish->member_count;
        for (size_t i = 0; i < wish->member_count; i++) {
                memcpy(bond->members[i], wish->members[i]->name, sizeof bond->members[i]);
                if (mac_equal(&wish->members[i]->mac, &composer->identity->interface->mac))
                        bond->mac = wish->members[i]->mac; // the one that DHCP servers and switches know
        }
        return bond_options_normalise(wish->options, bond->name, bond->bond_options, err);
}

static bool add_cmdline_bonds(struct composer *composer, struct err *err) {
        const struct cmdline *cmdline = composer->cmdline;
        for (size_t i = 0; i < cmdline->bond_count; i++) {
                const struct cmdline_bond *from = &cmdline->bonds[i];
                struct bond_wish wish = {
                        .name = from->name, .options = from->options, .source = "bond=", .mtu = from->mtu
                };
                for (size_t j = 0; j < from->member_count; j++) {
                        const struct net_link *member = composer_find(composer, from->members[j]);
                        if (member && member->kind == NET_CARD)
                                wish.members[wish.member_count++] = member;
                        else
                                network_note(composer->network, "bond=%s: this machine has no card %s", from->name,
                                             from->members[j]);
                }
                if (!add_bond(composer, &wish, err))
                        return false;
        }
        return true;
}

// `is_needed`: without any of its members there is no link for the identity.
static bool add_inventory_bond(struct composer *composer, const char *name, const char *options,
                               const struct mac *members, size_t member_count, bool is_needed, struct err *err) {
        struct bond_wish wish = { .name = name, .options = options, .source = "inventory" };
        if (member_count > NET_MEMBERS_MAX)
                return fail(err, ERR_IDENTITY, 0, "bond %s has %zu members, but there may be %d", name, member_count,
                            NET_MEMBERS_MAX);
        for (size_t i = 0; i < member_count; i++) {
                char text[MAC_TEXT_SIZE];
                mac_format(&members[i], text);
                const struct net_link *member = composer_find_mac(composer, &members[i]);
                if (member)
                        wish.members[wish.member_count++] = member;
                else // a card that broke is what the bond is for
                        network_note(composer->network, "bond %s: this machine has no card %s", name, text);
        }
        return (wish.member_count == 0 && !is_needed) || add_bond(composer, &wish, err);
}

static bool add_inventory_bonds(struct composer *composer, struct err *err) {
        const struct inventory_node *node = composer->identity->node;
        if (node && node->bond_member_count > 0 &&
            !add_inventory_bond(composer, node->bond, node->bond_options, node->bond_members, node->bond_member_count,
                                true, err))
                return false;
        for (size_t i = 0; node && i < node->link_count; i++) {
                const struct inventory_link *link = &node->links[i];
                if (link->bond_member_count > 0 &&
                    !add_inventory_bond(composer, link->bond, link->bond_options, link->bond_members,
                                        link->bond_member_count, false, err))
                        return false;
        }
        return true;
}

// ---- VLANs ----

static bool add_vlan(struct composer *composer, const char *name, const char *parent_name, int id, const char *source,
                     struct err *err) {
        const struct net_link *parent = composer_find(composer, parent_name);
        if (!parent)
                return fail(err, ERR_IDENTITY, 0, "VLAN %s (%s) is on %s, which is no card or bond of this machine",
                            name, source, parent_name);
        const struct net_link *bond = network_bond_of(composer->network, parent);
        if (bond)
                return fail(err, ERR_IDENTITY, 0, "contradiction: VLAN %s (%s) is on %s, a member of bond %s", name,
                            source, parent->name, bond->name);
        for (size_t i = 0; i < composer->network->link_count; i++) {
                const struct net_link *other = &composer->network->links[i];
                bool same_name = strcmp(other->name, name) == 0;
                bool same_vlan =
                    other->kind == NET_VLAN && other->vlan_id == id && strcmp(other->parent, parent->name) == 0;
                if (same_name && same_vlan)
                        return true;
                if (same_name || same_vlan)
                        return fail(err, ERR_IDENTITY, 0,
                                    "contradiction: VLAN %s (%s, id %d on %s) and %s are both there", name, source, id,
                                    parent->name, other->name);
        }
        struct net_link *link = append_link(composer->network, NET_VLAN, name, err);
        if (!link)
                return false;
        memcpy(link->parent, parent->name, sizeof link->parent);
        link->vlan_id = id;
        return true;
}

// The link of a network whose hosts are on a VLAN: the one that the command line made, or one named after its parent.
static struct net_link *vlan_for(struct composer *composer, const struct net_link *base, int id, struct err *err) {
        struct network *network = composer->network;
        for (size_t i = 0; i < network->link_count; i++)
                if (network->links[i].vlan_id == id && strcmp(network->links[i].parent, base->name) == 0)
                        return &network->links[i];
        char name[2 * INTERFACE_NAME_SIZE];
        int size = snprintf(name, sizeof name, "%s.%d", base->name, id);
        if (size >= INTERFACE_NAME_SIZE)
                snprintf(name, sizeof name, "vlan%d", id);
        if (!add_vlan(composer, name, base->name, id, "inventory", err))
                return NULL;
        return composer_find(composer, name);
}

// A VLAN may be on another one, which is made first; cmdline_check() has seen that none is on itself.
static bool add_cmdline_vlan(struct composer *composer, const struct cmdline_vlan *vlan, int depth, struct err *err) {
        const struct cmdline *cmdline = composer->cmdline;
        size_t i = 0;
        while (i < cmdline->vlan_count && strcmp(cmdline->vlans[i].name, vlan->parent) != 0)
                i++;
        if (i < cmdline->vlan_count && depth < CMDLINE_LINKS_MAX &&
            !add_cmdline_vlan(composer, &cmdline->vlans[i], depth + 1, err))
                return false;
        return add_vlan(composer, vlan->name, vlan->parent, vlan->id, "vlan=", err);
}

static bool add_vlans(struct composer *composer, const struct net_link *base, struct err *err) {
        const struct identity *identity = composer->identity;
        const struct inventory_node *node = identity->node;
        const struct cmdline *cmdline = composer->cmdline;
        for (size_t i = 0; i < cmdline->vlan_count; i++)
                if (!add_cmdline_vlan(composer, &cmdline->vlans[i], 0, err))
                        return false;
        // DHCP answered on the card itself, so that a stranger's network is not behind a VLAN.
        int id = 0;
        if (identity->network && !identity->dhcp)
                id = identity->network->vlan;
        if (id && !vlan_for(composer, base, id, err))
                return false;
        for (size_t i = 0; node && i < node->address_count; i++)
                if (node->addresses[i].network->vlan &&
                    !vlan_for(composer, base, node->addresses[i].network->vlan, err))
                        return false;
        for (size_t i = 0; node && i < node->address6_count; i++)
                if (node->addresses6[i].network->vlan &&
                    !vlan_for(composer, base, node->addresses6[i].network->vlan, err))
                        return false;
        return true;
}

// ---- further links of the inventory ----

static struct net_link *base_of_inventory_link(const struct composer *composer, const struct inventory_link *link) {
        if (link->bond_member_count > 0)
                return composer_find(composer, link->bond);
        return composer_find_mac(composer, &link->mac);
}

// The VLAN that an address of the link is on: its network's, or the one that the link gives.
static int vlan_of_inventory_link(const struct inventory_link *link, const struct inventory_network *network) {
        if (link->vlan || !network)
                return link->vlan;
        return network->vlan;
}

struct net_link *composer_inventory_link(const struct composer *composer, const struct inventory_link *link,
                                         const struct inventory_network *network) {
        struct net_link *base = base_of_inventory_link(composer, link);
        int vlan = vlan_of_inventory_link(link, network);
        for (size_t i = 0; base && vlan && i < composer->network->link_count; i++) {
                struct net_link *other = &composer->network->links[i];
                if (other->vlan_id == vlan && strcmp(other->parent, base->name) == 0)
                        return other;
        }
        return base;
}

static bool add_inventory_vlan(struct composer *composer, const struct inventory_link *link,
                               const struct inventory_network *network, struct err *err) {
        const struct net_link *base = base_of_inventory_link(composer, link);
        int vlan = vlan_of_inventory_link(link, network);
        return !base || !vlan || vlan_for(composer, base, vlan, err);
}

static bool add_inventory_vlans(struct composer *composer, struct err *err) {
        const struct inventory_node *node = composer->identity->node;
        for (size_t i = 0; node && i < node->link_count; i++) {
                const struct inventory_link *link = &node->links[i];
                if (link->dhcp && !add_inventory_vlan(composer, link, link->network, err))
                        return false;
                for (size_t j = 0; j < link->address_count; j++)
                        if (!add_inventory_vlan(composer, link, link->addresses[j].network, err))
                                return false;
                for (size_t j = 0; j < link->address6_count; j++)
                        if (!add_inventory_vlan(composer, link, link->addresses6[j].network, err))
                                return false;
        }
        return true;
}

// ---- the link of the identity ----

bool composer_ip_is_primary(const struct composer *composer, const struct cmdline_ip *ip) {
        const struct identity *identity = composer->identity;
        if (identity->dhcp)
                return ip->dhcp;
        return ip->address && ip->address == identity->address;
}

struct net_link *composer_base(const struct composer *composer, struct net_link *link) {
        while (link && link->kind == NET_VLAN)
                link = composer_find(composer, link->parent);
        return link;
}

// The card's own link, or the bond that the card is a member of.
static struct net_link *base_link(const struct composer *composer) {
        struct net_link *card = composer_find_mac(composer, &composer->identity->interface->mac);
        if (!card)
                return NULL;
        const struct net_link *bond = network_bond_of(composer->network, card);
        if (!bond)
                return card;
        return composer_find(composer, bond->name);
}

// What ip= calls the link of the identity. Several cards may ask DHCP: the one that stands on the card which was
// chosen, wherever it stands in the line.
static const char *primary_wish(const struct composer *composer, const struct net_link *base) {
        const struct cmdline *cmdline = composer->cmdline;
        const char *first = NULL;
        for (size_t i = 0; i < cmdline->ip_count; i++) {
                const char *name = cmdline->ips[i].interface;
                if (!*name || !composer_ip_is_primary(composer, &cmdline->ips[i]))
                        continue;
                if (composer_base(composer, composer_find(composer, name)) == base)
                        return name;
                if (!first)
                        first = name;
        }
        return first;
}

static bool choose_primary(struct composer *composer, struct net_link *base, struct err *err) {
        const struct identity *identity = composer->identity;
        const char *wish = primary_wish(composer, base);
        struct net_link *link = base;
        if (wish) {
                link = composer_find(composer, wish);
                if (!link)
                        return fail(err, ERR_IDENTITY, 0,
                                    "ip= names %s, which is no card, bond or VLAN of this machine", wish);
                if (composer_base(composer, link) != base && identity->dhcp)
                        return fail(err, ERR_IDENTITY, 0, "no DHCP answer on %s, which ip= names: DHCP answered on %s",
                                    link->name, base->name);
                if (composer_base(composer, link) != base)
                        return fail(err, ERR_IDENTITY, 0,
                                    "contradiction: ip= puts the address on %s, but (%s) it is %s's", link->name,
                                    identity->interface_source, base->name);
        } else if (identity->network && identity->network->vlan && !identity->dhcp) {
                link = vlan_for(composer, base, identity->network->vlan, err);
        }
        if (!link)
                return false;
        composer->network->primary = (size_t)(link - composer->network->links);
        return true;
}

bool network_add_links(struct composer *composer, struct err *err) {
        struct pins pins = { 0 };
        if (!collect_pins(composer, &pins, err) || !add_cards(composer, &pins, err) ||
            !add_cmdline_bonds(composer, err) || !add_inventory_bonds(composer, err))
                return false;
        struct net_link *base = base_link(composer);
        if (!base)
                return fail(err, ERR_INTERNAL, 0, "the chosen card is not among the links");
        return add_vlans(composer, base, err) && add_inventory_vlans(composer, err) &&
               choose_primary(composer, base, err);
}
