#include "firmware/node/identity.h"

#include <stdio.h>
#include <string.h>

#define ONLY_ONE "the only one"

// A source names a node (found in the inventory), and says how.
struct claim {
        const struct inventory_node *node;
        const char *source;
        char how[96];
};

enum { CLAIMS_MAX = 128 };

struct claims {
        struct claim items[CLAIMS_MAX];
        size_t count;
};

struct situation {
        const struct facts *facts;
        const struct cmdline *cmdline;
        struct claims claims;
};

static void claim(struct situation *at, const struct inventory_node *node, const char *source, const char *key,
                  const char *value) {
        if (!node || at->claims.count == CLAIMS_MAX)
                return;
        struct claim *item = &at->claims.items[at->claims.count++];
        item->node = node;
        item->source = source;
        snprintf(item->how, sizeof item->how, "%s%.80s", key, value);
}

static void claim_address(struct situation *at, uint32_t address, const char *source, const char *key) {
        char text[ADDRESS_TEXT_SIZE];
        address_format(address, text);
        claim(at, inventory_by_address(at->facts->inventory, address), source, key, text);
}

static void claim_name(struct situation *at, const char *name, const char *source, const char *key) {
        if (*name)
                claim(at, inventory_by_name(at->facts->inventory, name), source, key, name);
}

static bool from_command_line(struct situation *at, const char *source, struct err *err) {
        const struct cmdline *cmdline = at->cmdline;
        if (*cmdline->node && !inventory_by_name(at->facts->inventory, cmdline->node))
                return fail(err, ERR_IDENTITY, 0, "kiln.node=%s: the inventory of cluster %s has no such node",
                            cmdline->node, at->facts->inventory->cluster);
        claim_name(at, cmdline->node, source, "kiln.node=");
        claim_name(at, cmdline->hostname, source, "kiln.hostname=");
        claim_address(at, cmdline->address, source, "kiln.ip=");
        for (size_t i = 0; i < cmdline->ip_count; i++) {
                claim_name(at, cmdline->ips[i].hostname, source, "ip= with host name ");
                claim_address(at, cmdline->ips[i].address, source, "ip=");
        }
        return true;
}

static bool from_mac_table(struct situation *at, const char *source, struct err *err) {
        (void)err;
        for (size_t i = 0; i < at->facts->interface_count; i++) {
                char text[MAC_TEXT_SIZE];
                mac_format(&at->facts->interfaces[i].mac, text);
                claim(at, inventory_by_mac(at->facts->inventory, &at->facts->interfaces[i].mac), source, "MAC ", text);
        }
        return true;
}

static bool from_dhcp(struct situation *at, const char *source, struct err *err) {
        (void)err;
        for (size_t i = 0; i < at->facts->lease_count; i++) {
                claim_name(at, at->facts->leases[i].hostname, source, "DHCP host name ");
                claim_address(at, at->facts->leases[i].address, source, "DHCP address ");
        }
        return true;
}

// In the order in which they are believed: the first that names a node gives its name to the report.
static const struct identity_source {
        const char *name;
        bool (*claims)(struct situation *at, const char *source, struct err *err);
} identity_sources[] = {
        { "command line", from_command_line },
        { "mac table", from_mac_table },
        { "dhcp", from_dhcp },
};

static bool collect(struct situation *at, struct err *err) {
        for (size_t i = 0; i < lengthof(identity_sources); i++)
                if (!identity_sources[i].claims(at, identity_sources[i].name, err))
                        return false;
        const struct claim *first = &at->claims.items[0];
        for (size_t i = 1; i < at->claims.count; i++) {
                const struct claim *other = &at->claims.items[i];
                if (other->node != first->node)
                        return fail(err, ERR_IDENTITY, 0, "contradiction: %s is %s (%s), but %s is %s (%s)", first->how,
                                    first->node->name, first->source, other->how, other->node->name, other->source);
        }
        return true;
}

// ---- what the command line adds to, and must not contradict ----

static bool check_role(const struct situation *at, const struct inventory_node *node, struct err *err) {
        const struct inventory *inventory = at->facts->inventory;
        if (node && strcmp(node->role, inventory->role) != 0)
                return fail(err, ERR_IDENTITY, 0, "this machine is %s, role %s, but booted the %s image", node->name,
                            node->role, inventory->role);
        if (*at->cmdline->role && strcmp(at->cmdline->role, inventory->role) != 0)
                return fail(err, ERR_IDENTITY, 0, "kiln.role=%s, but this is the %s image", at->cmdline->role,
                            inventory->role);
        return true;
}

static bool check_node_values(const struct situation *at, const struct inventory_node *node, struct err *err) {
        const struct cmdline *cmdline = at->cmdline;
        char given[ADDRESS_TEXT_SIZE], known[ADDRESS_TEXT_SIZE];
        address_format(node->ip, known);
        uint32_t address = cmdline->address;
        for (size_t i = 0; i < cmdline->ip_count && !address; i++)
                address = cmdline->ips[i].address;
        address_format(address, given);
        if (address && address != node->ip)
                return fail(err, ERR_IDENTITY, 0,
                            "contradiction: the command line gives %s, but the inventory's address of %s is %s", given,
                            node->name, known);
        if (address && cmdline->address && cmdline->prefix > 0 && cmdline->prefix != node->network->prefix)
                return fail(err, ERR_IDENTITY, 0, "contradiction: kiln.ip=%s/%d, but network %s has prefix %d", given,
                            cmdline->prefix, node->network->name, node->network->prefix);
        if (*cmdline->hostname && !hostname_names(cmdline->hostname, node->name))
                return fail(err, ERR_IDENTITY, 0, "contradiction: kiln.hostname=%s, but this machine is %s",
                            cmdline->hostname, node->name);
        if (cmdline->id && node->id && cmdline->id != node->id)
                return fail(err, ERR_IDENTITY, 0, "contradiction: kiln.id=%d, but the inventory's id of %s is %d",
                            cmdline->id, node->name, node->id);
        if (at->facts->inventory->ensemble && !node->id && !cmdline->id)
                return fail(err, ERR_IDENTITY, 0, "%s has no id, and role %s is an ensemble: an id is never guessed",
                            node->name, node->role);
        return true;
}

// ---- which card ----

static const struct interface *interface_by_mac(const struct facts *facts, const struct mac *mac) {
        for (size_t i = 0; i < facts->interface_count; i++)
                if (mac_equal(&facts->interfaces[i].mac, mac))
                        return &facts->interfaces[i];
        return NULL;
}

static const struct interface *interface_by_name(const struct facts *facts, const char *name) {
        for (size_t i = 0; i < facts->interface_count; i++)
                if (strcmp(facts->interfaces[i].name, name) == 0)
                        return &facts->interfaces[i];
        return NULL;
}

static const struct interface *interface_of_ip(const struct situation *at) {
        for (size_t i = 0; i < at->cmdline->ip_count; i++) {
                const struct cmdline_ip *ip = &at->cmdline->ips[i];
                const struct interface *found = ip->has_mac      ? interface_by_mac(at->facts, &ip->mac)
                                                : *ip->interface ? interface_by_name(at->facts, ip->interface)
                                                                 : NULL;
                if (found)
                        return found;
        }
        return NULL;
}

// The lease that belongs to the node (or, for a stranger, the first: interfaces come in the order of their index).
static const struct lease *lease_for(const struct situation *at, const struct inventory_node *node) {
        const struct facts *facts = at->facts;
        for (size_t i = 0; i < facts->lease_count; i++) {
                const struct lease *lease = &facts->leases[i];
                bool in_network =
                    node && address_in_subnet(lease->address, node->network->address, node->network->prefix);
                if (!node || in_network || (*lease->hostname && hostname_names(lease->hostname, node->name)))
                        return lease;
        }
        return NULL;
}

static const struct interface *only_one(const struct facts *facts, bool with_carrier) {
        const struct interface *found = NULL;
        for (size_t i = 0; i < facts->interface_count; i++) {
                if (with_carrier && !facts->interfaces[i].carrier)
                        continue;
                if (found)
                        return NULL;
                found = &facts->interfaces[i];
        }
        return found;
}

static bool choose_interface(const struct situation *at, struct identity *identity, struct err *err) {
        const struct facts *facts = at->facts;
        const struct inventory_node *node = identity->node;
        const struct lease *lease = lease_for(at, node);
        const struct {
                const struct interface *interface;
                const char *source;
        } candidates[] = {
                { node && node->has_mac ? interface_by_mac(facts, &node->mac) : NULL, "mac table" },
                { interface_of_ip(at), "command line" },
                { at->cmdline->has_bootif ? interface_by_mac(facts, &at->cmdline->bootif) : NULL, "BOOTIF" },
                { lease ? interface_by_mac(facts, &lease->mac) : NULL, "dhcp" },
                { only_one(facts, false), ONLY_ONE },
                { only_one(facts, true), ONLY_ONE " with a link" },
        };
        for (size_t i = 0; i < lengthof(candidates); i++) {
                if (!candidates[i].interface)
                        continue;
                identity->interface = candidates[i].interface;
                identity->interface_source = candidates[i].source;
                return true;
        }
        if (facts->interface_count == 0)
                return fail(err, ERR_IDENTITY, 0,
                            "the machine has no Ethernet interface (is its driver in the image?)");
        return fail(err, ERR_IDENTITY, 0,
                    "%zu interfaces, and nothing says which one to use: give its mac in the inventory, or BOOTIF=",
                    facts->interface_count);
}

// ---- a node of the inventory ----

static void take_network(const struct situation *at, struct identity *identity) {
        const struct cmdline *cmdline = at->cmdline;
        const struct inventory_network *network = identity->network;
        for (size_t i = 0; i < cmdline->ip_count; i++) {
                const struct cmdline_ip *ip = &cmdline->ips[i];
                identity->gateway = identity->gateway ? identity->gateway : ip->gateway;
                identity->mtu = identity->mtu ? identity->mtu : ip->mtu;
                for (size_t j = 0; j < ip->dns_count && identity->dns_count < DNS_MAX; j++)
                        identity->dns[identity->dns_count++] = ip->dns[j];
        }
        for (size_t i = 0; i < cmdline->dns_count && identity->dns_count < DNS_MAX; i++)
                identity->dns[identity->dns_count++] = cmdline->dns[i];
        if (!network)
                return;
        identity->gateway = identity->gateway ? identity->gateway : network->gateway;
        for (size_t i = 0; identity->dns_count == 0 && i < network->dns_count && i < DNS_MAX; i++)
                identity->dns[i] = network->dns[i];
        if (identity->dns_count == 0)
                identity->dns_count = network->dns_count < DNS_MAX ? network->dns_count : DNS_MAX;
}

static void note_other_mac(const struct facts *facts, struct identity *identity) {
        const struct inventory_node *node = identity->node;
        if (!node->has_mac || interface_by_mac(facts, &node->mac))
                return;
        char text[MAC_TEXT_SIZE];
        mac_format(&node->mac, text);
        snprintf(identity->note, sizeof identity->note, "the inventory's MAC of %s, %s, is not on this machine",
                 node->name, text);
}

static bool decide_node(const struct situation *at, const struct claim *by, struct identity *identity,
                        struct err *err) {
        const struct inventory_node *node = by->node;
        const struct cmdline *cmdline = at->cmdline;
        if (!check_node_values(at, node, err))
                return false;
        identity->node = node;
        identity->network = node->network;
        const char *hostname = *cmdline->hostname ? cmdline->hostname : node->name;
        memcpy(identity->hostname, hostname, strlen(hostname) + 1);
        identity->hostname_source = identity->address_source = by->source;
        identity->address = node->ip;
        identity->prefix = node->network->prefix;
        identity->id = node->id ? node->id : cmdline->id;
        identity->id_source = node->id ? by->source : "command line";
        take_network(at, identity);
        note_other_mac(at->facts, identity);
        return choose_interface(at, identity, err);
}

// ---- a machine that the inventory does not know ----

static bool refuse_unknown(const struct situation *at, struct err *err) {
        const struct inventory *inventory = at->facts->inventory;
        const char *why = inventory->ensemble && inventory->strangers ? ", and an ensemble takes no strangers" : "";
        return fail(err, ERR_IDENTITY, 0, "no node of cluster %s matches this machine%s", inventory->cluster, why);
}

static bool check_vips(const struct inventory *inventory, const struct identity *identity, struct err *err) {
        for (size_t i = 0; i < inventory->vip_count; i++)
                if (inventory->vips[i].ip == identity->address)
                        return fail(err, ERR_IDENTITY, 0, "%s gives this machine the address of VIP %s",
                                    identity->address_source, inventory->vips[i].name);
        return true;
}

static bool stranger_address(const struct situation *at, struct identity *identity) {
        const struct cmdline *cmdline = at->cmdline;
        const struct lease *lease = lease_for(at, NULL);
        identity->prefix = -1;
        identity->address_source = "command line";
        if (cmdline->address) {
                identity->address = cmdline->address;
                identity->prefix = cmdline->prefix;
        }
        for (size_t i = 0; i < cmdline->ip_count && !identity->address; i++) {
                identity->address = cmdline->ips[i].address;
                identity->prefix = cmdline->ips[i].prefix;
        }
        if (!identity->address && lease) {
                identity->address = lease->address;
                identity->prefix = lease->prefix;
                identity->address_source = "dhcp";
                identity->dhcp = true;
                identity->gateway = lease->router;
                identity->mtu = lease->mtu;
                identity->dns_count = lease->dns_count;
                memcpy(identity->dns, lease->dns, sizeof identity->dns);
                memcpy(identity->domain, lease->domain, sizeof identity->domain);
        }
        return identity->address != 0;
}

static void stranger_hostname(const struct situation *at, struct identity *identity) {
        const struct lease *lease = lease_for(at, NULL);
        const char *name = at->cmdline->hostname;
        identity->hostname_source = "command line";
        for (size_t i = 0; i < at->cmdline->ip_count && !*name; i++)
                name = at->cmdline->ips[i].hostname;
        if (!*name && lease && *lease->hostname) {
                name = lease->hostname;
                identity->hostname_source = "dhcp";
        }
        if (*name) {
                memcpy(identity->hostname, name, strlen(name) + 1);
                return;
        }
        const uint8_t *b = identity->interface->mac.bytes; // unique on its network, and the same at each boot
        identity->hostname_source = "mac address";
        snprintf(identity->hostname, sizeof identity->hostname, "%.40s-%02x%02x%02x%02x%02x%02x",
                 at->facts->inventory->role, b[0], b[1], b[2], b[3], b[4], b[5]);
}

static bool decide_stranger(const struct situation *at, struct identity *identity, struct err *err) {
        const struct inventory *inventory = at->facts->inventory;
        if (!inventory->strangers || inventory->ensemble)
                return refuse_unknown(at, err);
        if (!stranger_address(at, identity))
                return fail(err, ERR_IDENTITY, 0,
                            "the inventory does not know this machine, and nothing gives it an address");
        if (!check_vips(inventory, identity, err))
                return false;
        identity->network = inventory_network_of(inventory, identity->address);
        if (identity->prefix < 0 && identity->network)
                identity->prefix = identity->network->prefix;
        if (identity->prefix < 0) {
                char text[ADDRESS_TEXT_SIZE];
                address_format(identity->address, text);
                return fail(err, ERR_IDENTITY, 0, "%s (%s) has no prefix, and no network of the cluster holds it", text,
                            identity->address_source);
        }
        identity->id = at->cmdline->id;
        identity->id_source = "command line";
        if (!identity->dhcp)
                take_network(at, identity);
        if (!choose_interface(at, identity, err))
                return false;
        stranger_hostname(at, identity);
        return true;
}

void identity_describe(const struct facts *facts, struct buf *ret_text) {
        char mac[MAC_TEXT_SIZE], address[ADDRESS_TEXT_SIZE];
        buf_append_text(ret_text, facts->interface_count ? "interfaces:" : "no Ethernet interface");
        for (size_t i = 0; i < facts->interface_count; i++) {
                mac_format(&facts->interfaces[i].mac, mac);
                buf_printf(ret_text, " %s %s%s", facts->interfaces[i].name, mac,
                           facts->interfaces[i].carrier ? "" : " no link");
        }
        for (size_t i = 0; i < facts->lease_count; i++) {
                address_format(facts->leases[i].address, address);
                buf_printf(ret_text, "; DHCP on %s: %s, host name \"%s\"", facts->leases[i].interface, address,
                           facts->leases[i].hostname);
        }
        if (facts->dhcp_asked && facts->lease_count == 0)
                buf_append_text(ret_text, "; DHCP: no answer");
        if (*facts->serial)
                buf_printf(ret_text, "; serial %s", facts->serial);
}

bool identity_decide(const struct facts *facts, const struct cmdline *cmdline, struct identity *ret,
                     enum identity_need *ret_need, struct err *err) {
        auto_free struct situation *at = xcalloc(1, sizeof *at);
        at->facts = facts;
        at->cmdline = cmdline;
        struct identity identity = { 0 };
        *ret_need = NEED_NOTHING;
        if (!collect(at, err))
                return false;
        const struct claim *by = at->claims.count ? &at->claims.items[0] : NULL;
        if (!check_role(at, by ? by->node : NULL, err))
                return false;
        bool ok = by ? decide_node(at, by, &identity, err) : decide_stranger(at, &identity, err);
        bool stranger_is_complete = ok && !by && (cmdline->address || !identity.dhcp);
        // A contradiction stays one whatever DHCP says, and a node that was found needs nothing but a card.
        bool open = by ? !ok && identity.node : !stranger_is_complete;
        bool guessed_card = ok && strncmp(identity.interface_source, ONLY_ONE, sizeof ONLY_ONE - 1) == 0;
        if (open && !facts->dhcp_asked && facts->interface_count > 0)
                *ret_need = NEED_DHCP;
        else if (guessed_card || facts->interface_count == 0)
                *ret_need = NEED_INTERFACES;
        if (ok)
                *ret = identity;
        return ok;
}
