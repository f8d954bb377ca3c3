// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "firmware/node/identity/identity_internal.h"
#include "firmware/node/inventory/inventory_find.h"

// ---- what the command line adds to, and must not contradict ----

static bool check_booted_role(const struct situation *at, const struct inventory_node *node, struct err *err) {
        const struct inventory *inventory = at->facts->inventory;
        if (node && strcmp(node->role, inventory->role) != 0)
                return fail(err, ERR_IDENTITY, 0, "this machine is %s, role %s, but booted the %s image", node->name,
                            node->role, inventory->role);
        if (*at->cmdline->role && strcmp(at->cmdline->role, inventory->role) != 0)
                return fail(err, ERR_IDENTITY, 0, "kiln.role=%s, but this is the %s image", at->cmdline->role,
                            inventory->role);
        return true;
}

static bool check_prefix(const struct inventory_node *node, const char *what, uint32_t address, int prefix,
                         struct err *err) {
        if (address != node->ip || prefix <= 0 || prefix == node->network->prefix)
                return true;
        char text[ADDRESS_TEXT_SIZE];
        address_format(address, text);
        return fail(err, ERR_IDENTITY, 0, "contradiction: %s%s/%d, but network %s has prefix %d", what, text, prefix,
                    node->network->name, node->network->prefix);
}

// Whether an ip= does not contradict the inventory's address of the node. One that names no card, or is in the node's
// own network, is meant to be the node's address, and so must be one that the inventory gives it; one for a named card
// in another network is an address more.
static bool is_compatible_address(const struct inventory_node *node, const struct cmdline_ip *ip) {
        if (!ip->address || inventory_node_has_address(node, ip->address))
                return true;
        bool names_card = ip->has_mac || *ip->interface;
        return names_card && !address_in_subnet(ip->address, node->network->address, node->network->prefix);
}

static bool refuse_address(const struct inventory_node *node, uint32_t address, enum cmdline_from from,
                           struct err *err) {
        char given[ADDRESS_TEXT_SIZE], known[ADDRESS_TEXT_SIZE];
        address_format(address, given);
        address_format(node->ip, known);
        return fail(err, ERR_IDENTITY, 0, "contradiction: the %s gives %s, but the inventory's address of %s is %s",
                    cmdline_source(from), given, node->name, known);
}

static bool check_node_addresses(const struct cmdline *cmdline, const struct inventory_node *node, struct err *err) {
        bool own_is_given = false;
        for (size_t i = 0; i < cmdline->ip_count; i++)
                own_is_given |= cmdline->ips[i].address == node->ip;
        if (cmdline->address && cmdline->address != node->ip)
                return refuse_address(node, cmdline->address, cmdline->address_from, err);
        for (size_t i = 0; i < cmdline->ip_count; i++) {
                const struct cmdline_ip *ip = &cmdline->ips[i];
                if (!own_is_given && !is_compatible_address(node, ip))
                        return refuse_address(node, ip->address, ip->from, err);
                if (!check_prefix(node, "ip=", ip->address, ip->prefix, err))
                        return false;
        }
        return check_prefix(node, "kiln.ip=", cmdline->address, cmdline->prefix, err);
}

// What the site's DHCP option says, 0: nothing.
static int leased_id(const struct facts *facts) {
        int id = 0;
        for (size_t i = 0; i < facts->lease_count && !id; i++)
                id = facts->leases[i].id;
        return id;
}

static bool check_id(const struct situation *at, const struct inventory_node *node, struct err *err) {
        int given = at->cmdline->id, leased = leased_id(at->facts);
        if (given && node->id && given != node->id)
                return fail(err, ERR_IDENTITY, 0, "contradiction: kiln.id=%d, but the inventory's id of %s is %d",
                            given, node->name, node->id);
        int known = node->id;
        if (!known)
                known = given;
        if (leased && known && leased != known)
                return fail(err, ERR_IDENTITY, 0, "contradiction: DHCP says id %d, but the id of %s is %d", leased,
                            node->name, known);
        if (at->facts->inventory->ensemble && !known && !leased)
                return fail(err, ERR_IDENTITY, 0, "%s has no id, and role %s is an ensemble: an id is never guessed",
                            node->name, node->role);
        return true;
}

static bool check_node_values(const struct situation *at, const struct inventory_node *node, struct err *err) {
        const struct cmdline *cmdline = at->cmdline;
        bool is_its_name =
            hostname_names(cmdline->hostname, node->name) || hostname_names(node->name, cmdline->hostname);
        if (*cmdline->hostname && !is_its_name)
                return fail(err, ERR_IDENTITY, 0, "contradiction: kiln.hostname=%s, but this machine is %s",
                            cmdline->hostname, node->name);
        return identity_check_trust(at, node, err) && check_node_addresses(cmdline, node, err) &&
               check_id(at, node, err);
}

// ---- a node of the inventory ----

// Whether what an ip= says beside its address is for the identity's link.
static bool is_for_identity(const struct cmdline_ip *ip, const struct identity *identity) {
        if (ip->address)
                return ip->address == identity->address;
        bool names_card = ip->has_mac || *ip->interface;
        return !names_card;
}

// The command line's, or where it says none the network's.
static void decide_gateway(const struct situation *at, struct identity *identity) {
        const struct cmdline *cmdline = at->cmdline;
        for (size_t i = 0; i < cmdline->ip_count && !identity->gateway; i++)
                if (is_for_identity(&cmdline->ips[i], identity))
                        identity->gateway = cmdline->ips[i].gateway;
        if (!identity->gateway && identity->network)
                identity->gateway = identity->network->gateway;
}

// What the command line calls the link with the identity's address; NULL: nothing.
static const char *link_of_address(const struct cmdline *cmdline, uint32_t address) {
        for (size_t i = 0; i < cmdline->ip_count; i++)
                if (cmdline->ips[i].address == address && *cmdline->ips[i].interface)
                        return cmdline->ips[i].interface;
        return NULL;
}

// The command line's MTU of the link with the address: by its name where an ip= gives one, else by its card.
static void decide_mtu(const struct situation *at, struct identity *identity) {
        const struct cmdline *cmdline = at->cmdline;
        const char *link = link_of_address(cmdline, identity->address);
        int mtu = 0;
        for (size_t i = 0; i < cmdline->ip_count && !mtu; i++) {
                const struct cmdline_ip *ip = &cmdline->ips[i];
                bool same_link = false;
                if (link)
                        same_link = strcmp(ip->interface, link) == 0;
                else
                        same_link = card_of_ip(at, identity->node, ip) == identity->interface;
                if (same_link || is_for_identity(ip, identity))
                        mtu = ip->mtu;
        }
        if (mtu)
                identity->mtu = mtu;
}

static void decide_id(const struct situation *at, struct identity *identity, int known, const char *known_source) {
        const struct {
                int id;
                const char *source;
        } ids[] = { { known, known_source },
                    { at->cmdline->id, cmdline_source(at->cmdline->id_from) },
                    { leased_id(at->facts), "dhcp" } };
        for (size_t i = 0; i < lengthof(ids) && !identity->id; i++) {
                identity->id = ids[i].id;
                identity->id_source = ids[i].source;
        }
}

static bool decide_node(const struct situation *at, const struct match *by, struct identity *identity,
                        struct err *err) {
        const struct inventory_node *node = by->node;
        const struct cmdline *cmdline = at->cmdline;
        if (!check_node_values(at, node, err) ||
            (at->facts->interface_count > 0 && !card_check_asked(at, node, node->ip, err)))
                return false;
        identity->node = node;
        identity->network = node->network;
        const char *hostname = node->name;
        identity->hostname_source = by->source;
        if (*cmdline->hostname) {
                hostname = cmdline->hostname;
                identity->hostname_source = cmdline_source(cmdline->hostname_from);
        }
        memcpy(identity->hostname, hostname, strlen(hostname) + 1);
        identity->address = node->ip;
        identity->address_source = by->source;
        identity->prefix = node->network->prefix;
        decide_id(at, identity, node->id, by->source);
        decide_gateway(at, identity);
        identity_note_hardware(at->facts, node, identity->note, sizeof identity->note);
        if (!choose_card(at, identity, err))
                return false;
        decide_mtu(at, identity);
        return true;
}

// ---- a machine that the inventory does not know ----

static bool refuse_stranger(const struct situation *at, struct err *err) {
        const struct inventory *inventory = at->facts->inventory;
        const char *why = "";
        if (at->facts->interface_count == 0) // most sources need one: nobody can tell yet whether the machine is known
                return card_refuse_absent(err);
        if (inventory->ensemble && inventory->strangers)
                why = ", and an ensemble takes no strangers";
        return fail(err, ERR_IDENTITY, 0, "no node of cluster %s matches this machine%s", inventory->cluster, why);
}

// A number that a node of the role has is that node's.
static bool check_stranger_id(const struct inventory *inventory, const struct identity *identity, struct err *err) {
        for (size_t i = 0; i < inventory->node_count; i++) {
                const struct inventory_node *node = &inventory->nodes[i];
                if (identity->id && node->id == identity->id && strcmp(node->role, inventory->role) == 0)
                        return fail(err, ERR_IDENTITY, 0, "%s gives this machine id %d, which is %s's",
                                    identity->id_source, identity->id, node->name);
        }
        return true;
}

static bool check_stranger_address(const struct inventory *inventory, const struct identity *identity,
                                   struct err *err) {
        char text[ADDRESS_TEXT_SIZE];
        address_format(identity->address, text);
        for (size_t i = 0; i < inventory->vip_count; i++)
                if (inventory->vips[i].ip == identity->address)
                        return fail(err, ERR_IDENTITY, 0, "%s gives this machine the address of VIP %s",
                                    identity->address_source, inventory->vips[i].name);
        for (size_t i = 0; i < inventory->network_count; i++)
                if (inventory->networks[i].gateway == identity->address)
                        return fail(err, ERR_IDENTITY, 0, "%s gives this machine %s, the gateway of network %s",
                                    identity->address_source, text, inventory->networks[i].name);
        return address_is_host_of(identity->address, identity->prefix) ||
               fail(err, ERR_IDENTITY, 0, "%s gives this machine %s/%d, which is no host's address",
                    identity->address_source, text, identity->prefix);
}

// Of several ip= with addresses the one on bootdev= is the machine's.
static const struct cmdline_ip *ip_on_bootdev(const struct cmdline *cmdline) {
        for (size_t i = 0; *cmdline->bootdev && i < cmdline->ip_count; i++)
                if (cmdline->ips[i].address && strcmp(cmdline->ips[i].interface, cmdline->bootdev) == 0)
                        return &cmdline->ips[i];
        return NULL;
}

static void stranger_address_of_cmdline(const struct cmdline *cmdline, struct identity *identity) {
        const struct cmdline_ip *boot = ip_on_bootdev(cmdline);
        identity->address = cmdline->address;
        identity->address_source = cmdline_source(cmdline->address_from);
        identity->prefix = -1;
        if (cmdline->address)
                identity->prefix = cmdline->prefix;
        if (!identity->address && boot) {
                identity->address = boot->address;
                identity->address_source = cmdline_source(boot->from);
        }
        for (size_t i = 0; i < cmdline->ip_count; i++) {
                const struct cmdline_ip *ip = &cmdline->ips[i];
                if (!identity->address && ip->address) {
                        identity->address = ip->address;
                        identity->address_source = cmdline_source(ip->from);
                }
                if (ip->address && ip->address == identity->address && identity->prefix < 0)
                        identity->prefix = ip->prefix;
        }
}

static void stranger_address_of_lease(const struct lease *lease, struct identity *identity) {
        identity->address = lease->address;
        identity->prefix = lease->prefix;
        identity->address_source = "dhcp";
        identity->dhcp = true;
        identity->gateway = lease->router;
        identity->mtu = lease->mtu;
        identity->lease = lease;
}

static bool stranger_address(const struct situation *at, struct identity *identity) {
        const struct lease *lease = lease_for(at, NULL);
        stranger_address_of_cmdline(at->cmdline, identity);
        if (!identity->address && lease)
                stranger_address_of_lease(lease, identity);
        return identity->address != 0;
}

// dracut would leave such a machine without a network. Here somebody must be able to look at it.
static void note_lease_in_spite(const struct situation *at, struct identity *identity) {
        if (at->cmdline->off && identity->lease)
                snprintf(identity->note, sizeof identity->note,
                         "ip=off (or none) does not keep DHCP from it: a machine that is no node of the inventory and "
                         "has no other address is asked for one");
}

static void note_other_leases(const struct situation *at, struct identity *identity) {
        auto_buf others = { .max = sizeof identity->note / 2 };
        const char *separator = "";
        for (size_t i = 0; i < at->facts->lease_count && identity->lease; i++) {
                if (mac_equal(&at->facts->leases[i].mac, &identity->lease->mac))
                        continue;
                buf_printf(&others, "%s%s", separator, at->facts->leases[i].interface);
                separator = ", ";
        }
        if (others.size > 0)
                snprintf(identity->note, sizeof identity->note,
                         "DHCP answered on %s too: the address is that of %s (bootdev= chooses another)",
                         buf_text(&others), identity->lease->interface);
}

// localhost4 and localhost6 are in the /etc/hosts of EL.
static bool is_own_name_of_all(const char *name) {
        return hostname_names(name, "localhost") || hostname_names(name, "localhost4") ||
               hostname_names(name, "localhost6");
}

// As inet_aton(3), and with it every resolver, takes names for addresses: "1.2.3" and "0x7f.1" are some.
static bool is_address_to_resolvers(const char *name) {
        struct in_addr address;
        return inet_aton(name, &address) != 0;
}

// Whose a host name is that a stranger must not have; NULL: it is free.
static const char *owner_of_name(const struct inventory *inventory, const char *name) {
        if (is_own_name_of_all(name))
                return "every machine's own name";
        if (is_address_to_resolvers(name))
                return "an address";
        const struct inventory_node *nodes[2];
        if (inventory_by_name(inventory, name) || inventory_name_is_ambiguous(inventory, name, nodes))
                return "a node's name";
        for (size_t i = 0; i < inventory->node_count; i++)
                for (size_t j = 0; j < inventory->nodes[i].aliases.count; j++)
                        if (hostname_names(name, inventory->nodes[i].aliases.items[j]))
                                return "a node's alias";
        for (size_t i = 0; i < inventory->vip_count; i++)
                if (hostname_names(name, inventory->vips[i].name))
                        return "a VIP's name";
        return NULL;
}

static const char *name_on_command_line(const struct cmdline *cmdline, const char **ret_source) {
        const char *name = cmdline->hostname;
        *ret_source = cmdline_source(cmdline->hostname_from);
        for (size_t i = 0; i < cmdline->ip_count && !*name; i++) {
                name = cmdline->ips[i].hostname;
                *ret_source = cmdline_source(cmdline->ips[i].from);
        }
        return name;
}

static void name_by_mac(const struct situation *at, struct identity *identity) {
        const uint8_t *b = identity->interface->mac.bytes; // unique on its network, and the same at each boot
        identity->hostname_source = "mac address";
        snprintf(identity->hostname, sizeof identity->hostname, "%.40s-%02x%02x%02x%02x%02x%02x",
                 at->facts->inventory->role, b[0], b[1], b[2], b[3], b[4], b[5]);
}

// What an operator wrote is refused if it cannot be; what a server says is left aside with a note.
static bool stranger_hostname(const struct situation *at, struct identity *identity, struct err *err) {
        const struct inventory *inventory = at->facts->inventory;
        const struct lease *lease = lease_for(at, NULL);
        const char *name = name_on_command_line(at->cmdline, &identity->hostname_source);
        const char *owner = owner_of_name(inventory, name);
        if (owner)
                return fail(err, ERR_IDENTITY, 0, "%s calls this machine %s, but that is %s", identity->hostname_source,
                            name, owner);
        if (!*name && lease && *lease->hostname) {
                name = lease->hostname;
                identity->hostname_source = "dhcp";
                owner = owner_of_name(inventory, name);
        }
        if (owner)
                snprintf(identity->note, sizeof identity->note,
                         "DHCP on %s calls this machine %s, but that is %s: it does not count", lease->interface, name,
                         owner);
        if (*name && !owner)
                memcpy(identity->hostname, name, strlen(name) + 1);
        else
                name_by_mac(at, identity);
        return true;
}

// The prefix that came with the address, else that of the cluster's network that holds it.
static bool stranger_prefix(struct identity *identity, struct err *err) {
        if (identity->prefix < 0 && identity->network)
                identity->prefix = identity->network->prefix;
        if (identity->prefix >= 0)
                return true;
        char text[ADDRESS_TEXT_SIZE];
        address_format(identity->address, text);
        return fail(err, ERR_IDENTITY, 0, "%s (%s) has no prefix, and no network of the cluster holds it", text,
                    identity->address_source);
}

static bool decide_stranger(const struct situation *at, struct identity *identity, struct err *err) {
        const struct inventory *inventory = at->facts->inventory;
        if (!inventory->strangers || inventory->ensemble)
                return refuse_stranger(at, err);
        if (!stranger_address(at, identity))
                return fail(err, ERR_IDENTITY, 0,
                            "the inventory does not know this machine, and nothing gives it an address");
        identity->network = inventory_network_of(inventory, identity->address);
        if (!stranger_prefix(identity, err))
                return false;
        int leased = leased_id(at->facts);
        if (at->cmdline->id && leased && at->cmdline->id != leased)
                return fail(err, ERR_IDENTITY, 0, "contradiction: kiln.id=%d, but DHCP says id %d", at->cmdline->id,
                            leased);
        decide_id(at, identity, 0, "");
        if (!identity->dhcp)
                decide_gateway(at, identity);
        if (!check_stranger_address(inventory, identity, err) || !check_stranger_id(inventory, identity, err) ||
            !card_check_asked(at, NULL, identity->address, err) || !choose_card(at, identity, err))
                return false;
        decide_mtu(at, identity);
        note_lease_in_spite(at, identity);
        note_other_leases(at, identity);
        return stranger_hostname(at, identity, err);
}

const char *identity_node_name(const struct identity *identity) {
        if (identity->node)
                return identity->node->name;
        return identity->hostname;
}

void identity_describe(const struct facts *facts, struct buf *ret_text) {
        char mac[MAC_TEXT_SIZE], address[ADDRESS_TEXT_SIZE];
        if (facts->interface_count)
                buf_append_text(ret_text, "interfaces:");
        else
                buf_append_text(ret_text, "no Ethernet interface");
        for (size_t i = 0; i < facts->interface_count; i++) {
                mac_format(&facts->interfaces[i].mac, mac);
                buf_printf(ret_text, " %s %s", facts->interfaces[i].name, mac);
                if (!facts->interfaces[i].carrier)
                        buf_append_text(ret_text, " no link");
        }
        for (size_t i = 0; i < facts->lease_count; i++) {
                address_format(facts->leases[i].address, address);
                buf_printf(ret_text, "; DHCP on %s: %s, host name \"%s\"", facts->leases[i].interface, address,
                           facts->leases[i].hostname);
                if (*facts->leases[i].fqdn)
                        buf_printf(ret_text, " (%s)", facts->leases[i].fqdn);
        }
        if (facts->dhcp_asked && facts->lease_count == 0)
                buf_append_text(ret_text, "; DHCP: no answer");
        if (*facts->serial)
                buf_printf(ret_text, "; serial %s", facts->serial);
        if (*facts->uuid)
                buf_printf(ret_text, "; UUID %s", facts->uuid);
        if (*facts->asset_tag)
                buf_printf(ret_text, "; asset tag %s", facts->asset_tag);
}

// Whether DHCP's answer may still change the decision that came out. A contradiction stays one whatever DHCP says, and
// a node that was found needs nothing but a card.
static bool is_open_to_dhcp(const struct situation *at, const struct identity *identity, bool is_known, bool ok) {
        if (is_known)
                return !ok && identity->node;
        bool has_own_address = at->cmdline->address || !identity->dhcp;
        return !ok || !has_own_address;
}

static enum identity_need needs_of(const struct situation *at, const struct identity *identity, bool is_known,
                                   bool ok) {
        const struct facts *facts = at->facts;
        bool guessed_card = ok && identity->interface_is_guess;
        if (!facts->dhcp_asked && facts->interface_count > 0 && is_open_to_dhcp(at, identity, is_known, ok))
                return NEED_DHCP;
        if (guessed_card || facts->interface_count == 0)
                return NEED_INTERFACES;
        return NEED_NOTHING;
}

bool identity_decide(const struct facts *facts, const struct cmdline *cmdline, struct identity *ret,
                     enum identity_need *ret_need, struct err *err) {
        assert(facts->inventory && facts->interface_count <= INTERFACES_MAX && facts->lease_count <= LEASES_MAX);
        auto_free struct situation *at = xcalloc(1, sizeof *at);
        at->facts = facts;
        at->cmdline = cmdline;
        struct identity identity = { 0 };
        const struct match *by = NULL;
        const struct inventory_node *node = NULL;
        *ret_need = NEED_NOTHING;
        if (!identity_match_sources(at, err))
                return false;
        if (at->matches.count > 0) {
                by = &at->matches.items[0];
                node = by->node;
        }
        if (!check_booted_role(at, node, err))
                return false;
        bool ok = false;
        if (by)
                ok = decide_node(at, by, &identity, err);
        else
                ok = decide_stranger(at, &identity, err);
        *ret_need = needs_of(at, &identity, by != NULL, ok);
        if (!ok)
                return false;
        name_servers_decide(cmdline, identity.lease, identity.network, &identity.name_servers);
        *ret = identity;
        return true;
}
