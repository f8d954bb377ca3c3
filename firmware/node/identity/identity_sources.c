// SPDX-License-Identifier: MIT
// Which node of the inventory each source of identity matches: the sources, in the order in which they are believed.
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "firmware/node/identity/identity_internal.h"
#include "firmware/node/inventory/inventory_find.h"
#include "shared/smbios.h"

static const char from_dhcp_name[] = "dhcp";

static void add_match(struct situation *at, const struct inventory_node *node, const char *source, const char *key,
                      const char *value) {
        if (!node || at->matches.count == MATCHES_MAX)
                return;
        struct match *item = &at->matches.items[at->matches.count++];
        item->node = node;
        item->source = source;
        snprintf(item->how, sizeof item->how, "%s%.80s", key, value);
}

static void match_address(struct situation *at, uint32_t address, const char *source, const char *key) {
        char text[ADDRESS_TEXT_SIZE];
        address_format(address, text);
        add_match(at, inventory_by_address(at->facts->inventory, address), source, key, text);
}

static bool match_name(struct situation *at, const char *name, const char *source, const char *key, struct err *err) {
        const struct inventory_node *nodes[2];
        if (!*name)
                return true;
        if (inventory_name_is_ambiguous(at->facts->inventory, name, nodes))
                return fail(err, ERR_IDENTITY, 0, "contradiction: %s%s (%s) is %s, and it is %s", key, name, source,
                            nodes[0]->name, nodes[1]->name) ||
                       hint(err, "say the whole name, with its domain");
        add_match(at, inventory_by_name(at->facts->inventory, name), source, key, name);
        return true;
}

static bool refuse_no_such(const struct situation *at, const char *key, const char *name, const char *source,
                           struct err *err) {
        return fail(err, ERR_IDENTITY, 0, "%s%s (%s): the inventory of cluster %s has no such node", key, name, source,
                    at->facts->inventory->cluster);
}

// ---- command line, config drive ----

static bool from_words(struct situation *at, enum cmdline_from from, const char *source, struct err *err) {
        const struct cmdline *cmdline = at->cmdline;
        if (*cmdline->node && cmdline->node_from == from) {
                if (!match_name(at, cmdline->node, source, "kiln.node=", err))
                        return false;
                if (!inventory_by_name(at->facts->inventory, cmdline->node))
                        return refuse_no_such(at, "kiln.node=", cmdline->node, source, err);
        }
        if (cmdline->hostname_from == from && !match_name(at, cmdline->hostname, source, "kiln.hostname=", err))
                return false;
        if (cmdline->address_from == from)
                match_address(at, cmdline->address, source, "kiln.ip=");
        for (size_t i = 0; i < cmdline->ip_count; i++) {
                if (cmdline->ips[i].from != from)
                        continue;
                if (!match_name(at, cmdline->ips[i].hostname, source, "ip= with host name ", err))
                        return false;
                match_address(at, cmdline->ips[i].address, source, "ip=");
        }
        return true;
}

static bool from_command_line(struct situation *at, const char *source, struct err *err) {
        return from_words(at, FROM_COMMAND_LINE, source, err);
}

static bool from_config_drive(struct situation *at, const char *source, struct err *err) {
        return from_words(at, FROM_CONFIG_DRIVE, source, err);
}

// ---- hardware ----

static bool from_mac_table(struct situation *at, const char *source, struct err *err) {
        (void)err;
        for (size_t i = 0; i < at->facts->interface_count; i++) {
                char text[MAC_TEXT_SIZE];
                mac_format(&at->facts->interfaces[i].mac, text);
                add_match(at, inventory_by_mac(at->facts->inventory, &at->facts->interfaces[i].mac), source, "MAC ",
                          text);
        }
        return true;
}

static bool texts_match(const char *wanted, const char *found) {
        return *wanted && !smbios_text_is_placeholder(found) && smbios_text_equal(wanted, found);
}

static bool serial_matches(const struct inventory_node *node, const struct facts *facts) {
        return texts_match(node->serial, facts->serial);
}

static bool asset_tag_matches(const struct inventory_node *node, const struct facts *facts) {
        return texts_match(node->asset_tag, facts->asset_tag);
}

static bool uuid_matches(const struct inventory_node *node, const struct facts *facts) {
        uint8_t wanted[16], found[16];
        return smbios_uuid_parse(node->uuid, wanted) && smbios_uuid_parse(facts->uuid, found) &&
               !smbios_uuid_is_placeholder(found) && smbios_uuid_equal(wanted, found);
}

static void match_hardware(struct situation *at, bool (*matches)(const struct inventory_node *, const struct facts *),
                           const char *source, const char *key, const char *value) {
        const struct inventory *inventory = at->facts->inventory;
        for (size_t i = 0; i < inventory->node_count; i++)
                if (matches(&inventory->nodes[i], at->facts))
                        add_match(at, &inventory->nodes[i], source, key, value);
}

static bool from_serial(struct situation *at, const char *source, struct err *err) {
        (void)err;
        match_hardware(at, serial_matches, source, "serial number ", at->facts->serial);
        return true;
}

static bool from_uuid(struct situation *at, const char *source, struct err *err) {
        (void)err;
        match_hardware(at, uuid_matches, source, "UUID ", at->facts->uuid);
        return true;
}

static bool from_asset_tag(struct situation *at, const char *source, struct err *err) {
        (void)err;
        match_hardware(at, asset_tag_matches, source, "asset tag ", at->facts->asset_tag);
        return true;
}

// ---- DHCP ----

static bool check_lease(const struct situation *at, const struct lease *lease, struct err *err) {
        const struct inventory *inventory = at->facts->inventory;
        const struct lease *first = lease;
        for (size_t i = 0; i < at->facts->lease_count && first == lease; i++)
                if (at->facts->leases[i].id)
                        first = &at->facts->leases[i];
        const struct inventory_node *nodes[2];
        if (*lease->node && !inventory_by_name(inventory, lease->node) &&
            !inventory_name_is_ambiguous(inventory, lease->node, nodes))
                return refuse_no_such(at, "DHCP's node option ", lease->node, lease->interface, err);
        if (*lease->role && strcmp(lease->role, inventory->role) != 0)
                return fail(err, ERR_IDENTITY, 0, "DHCP on %s says role %s, but this is the %s image", lease->interface,
                            lease->role, inventory->role);
        if (lease->id && lease->id != first->id)
                return fail(err, ERR_IDENTITY, 0, "contradiction: DHCP says id %d on %s, but id %d on %s", first->id,
                            first->interface, lease->id, lease->interface);
        return true;
}

static bool from_dhcp(struct situation *at, const char *source, struct err *err) {
        for (size_t i = 0; i < at->facts->lease_count; i++) {
                const struct lease *lease = &at->facts->leases[i];
                if (!check_lease(at, lease, err))
                        return false;
                char name[HOSTNAME_SIZE + DOMAIN_SIZE];
                inventory_full_name(lease->hostname, lease->domain, name, sizeof name);
                if (!match_name(at, lease->node, source, "DHCP node option ", err) ||
                    !match_name(at, lease->fqdn, source, "DHCP FQDN ", err) ||
                    !match_name(at, name, source, "DHCP host name ", err))
                        return false;
                match_address(at, lease->address, source, "DHCP address ");
        }
        return true;
}

// The first that names a node gives its name to the report.
static const struct identity_source {
        const char *name;
        bool (*ask)(struct situation *at, const char *source, struct err *err);
} identity_sources[] = {
        { "command line", from_command_line }, { "config drive", from_config_drive },
        { "mac table", from_mac_table },       { "smbios serial", from_serial },
        { "smbios uuid", from_uuid },          { "smbios asset tag", from_asset_tag },
        { from_dhcp_name, from_dhcp },
};

bool identity_match_sources(struct situation *at, struct err *err) {
        for (size_t i = 0; i < lengthof(identity_sources); i++)
                if (!identity_sources[i].ask(at, identity_sources[i].name, err))
                        return false;
        const struct match *first = &at->matches.items[0];
        for (size_t i = 1; i < at->matches.count; i++) {
                const struct match *other = &at->matches.items[i];
                if (other->node != first->node)
                        return fail(err, ERR_IDENTITY, 0, "contradiction: %s is %s (%s), but %s is %s (%s)", first->how,
                                    first->node->name, first->source, other->how, other->node->name, other->source);
        }
        return true;
}

// ---- hardware that is not here ----

static bool has_macs(const struct facts *facts, const struct inventory_node *node) {
        for (size_t i = 0; i < facts->interface_count; i++)
                if (inventory_node_has_mac(node, &facts->interfaces[i].mac))
                        return true;
        return false;
}

// The first thing by which the inventory knows the node and which this machine has not; "" if it has all.
static void missing_hardware(const struct facts *facts, const struct inventory_node *node, char *ret, size_t size) {
        char mac[MAC_TEXT_SIZE] = "";
        ret[0] = '\0';
        if (node->has_mac)
                mac_format(&node->mac, mac);
        if (*mac && !has_macs(facts, node))
                snprintf(ret, size, "MAC %s", mac);
        else if (*node->serial && !serial_matches(node, facts))
                snprintf(ret, size, "serial number %s", node->serial);
        else if (*node->uuid && !uuid_matches(node, facts))
                snprintf(ret, size, "UUID %s", node->uuid);
        else if (*node->asset_tag && !asset_tag_matches(node, facts))
                snprintf(ret, size, "asset tag %s", node->asset_tag);
}

// "MAC A, B", as many as fit; "no card" if there is none.
static void list_macs(const struct facts *facts, char *ret, size_t size) {
        const char *separator = "MAC ";
        snprintf(ret, size, "no card");
        for (size_t i = 0, used = 0; i < facts->interface_count && used + MAC_TEXT_SIZE + 5 < size; i++) {
                char mac[MAC_TEXT_SIZE];
                mac_format(&facts->interfaces[i].mac, mac);
                used += (size_t)snprintf(ret + used, size - used, "%s%s", separator, mac);
                separator = ", ";
        }
}

bool identity_check_trust(const struct situation *at, const struct inventory_node *node, struct err *err) {
        assert(at->matches.count > 0);
        const struct match *first = &at->matches.items[0];
        char missing[160], macs[96];
        missing_hardware(at->facts, node, missing, sizeof missing);
        if (!at->facts->inventory->ensemble || first->source != from_dhcp_name || !*missing)
                return true;
        list_macs(at->facts, macs, sizeof macs);
        fail(err, ERR_IDENTITY, 0,
             "contradiction: %s is %s, but the inventory knows %s by %s, and this machine has %s; a member of an "
             "ensemble is not taken on the word of DHCP",
             first->how, node->name, node->name, missing, macs);
        return hint(err, "correct the inventory, or give kiln.node=%s on the kernel command line", node->name);
}

void identity_note_hardware(const struct facts *facts, const struct inventory_node *node, char *ret, size_t size) {
        char missing[160];
        missing_hardware(facts, node, missing, sizeof missing);
        ret[0] = '\0';
        if (*missing)
                snprintf(ret, size, "the inventory's %s of %s is not on this machine", missing, node->name);
}
