// SPDX-License-Identifier: MIT
#include "artefact/kickstart_network.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/strings.h"

enum { MTU_ETHERNET = 1500, LINK_NAME_MAX = 15, MAC_TEXT_MAX = 18 };

// An address and the network that it is in.
struct placed {
        struct in_addr ip;
        const struct network *network;
};

// A node's links are the card or bond (VLAN 0) and the VLANs on it.
struct ks_node {
        const struct node *node;
        struct placed *addresses; // heap array, the node's own first
        size_t address_count;
        char device[MAC_TEXT_MAX]; // of the card or bond, as --device takes it
};

static const struct network *network_of_address(const struct cluster *cluster, struct in_addr address) {
        for (size_t i = 0; i < cluster->network_count; i++) {
                const struct network *network = &cluster->networks[i];
                uint32_t mask = 0;
                if (network->prefix > 0)
                        mask = htonl(UINT32_MAX << (32 - network->prefix));
                if ((address.s_addr & mask) == network->address.s_addr)
                        return network;
        }
        return NULL;
}

static void ks_node_init(const struct cluster *cluster, const struct node *node, struct ks_node *ret) {
        *ret = (struct ks_node){ .node = node };
        ret->addresses = xcalloc(node->addresses.count + 1, sizeof *ret->addresses);
        ret->addresses[ret->address_count++] = (struct placed){ node->ip, &cluster->networks[node->network] };
        for (size_t i = 0; i < node->addresses.count; i++) {
                struct placed further = { 0 };
                bool is_address = inet_pton(AF_INET, node->addresses.items[i], &further.ip) == 1;
                further.network = network_of_address(cluster, further.ip);
                if (is_address && further.network) // the checks have seen to it
                        ret->addresses[ret->address_count++] = further;
        }
        if (node->bond.members.count > 0)
                snprintf(ret->device, sizeof ret->device, "%s", node->bond.name);
        else if (node->has_mac)
                snprintf(ret->device, sizeof ret->device, "%02x:%02x:%02x:%02x:%02x:%02x", node->mac[0], node->mac[1],
                         node->mac[2], node->mac[3], node->mac[4], node->mac[5]);
        else
                snprintf(ret->device, sizeof ret->device, "link"); // the first card whose link is up
}

static const struct placed *first_on_vlan(const struct ks_node *of, int vlan) {
        for (size_t i = 0; i < of->address_count; i++)
                if (of->addresses[i].network->vlan == vlan)
                        return &of->addresses[i];
        return NULL;
}

// What goes to a VLAN goes through its card, whose packets are as large at least.
static int card_mtu(const struct ks_node *of) {
        int mtu = 0;
        for (size_t i = 0; i < of->address_count; i++) {
                const struct network *network = of->addresses[i].network;
                bool is_its_own = network->vlan == 0;
                if (network->mtu > mtu && (is_its_own || network->mtu > MTU_ETHERNET))
                        mtu = network->mtu;
        }
        return mtu;
}

// ---- `network` commands ----

static void put_list(struct buf *to, const char *option, const struct strings *items) {
        for (size_t i = 0; i < items->count; i++) {
                if (i == 0)
                        buf_printf(to, " %s=%s", option, items->items[i]);
                else
                        buf_printf(to, ",%s", items->items[i]);
        }
}

static void put_static(struct buf *to, const struct ks_node *of, const struct placed *address) {
        char ip[INET_ADDRSTRLEN], mask_text[INET_ADDRSTRLEN], gateway[INET_ADDRSTRLEN];
        const struct network *network = address->network;
        bool is_own = address == &of->addresses[0];
        struct in_addr mask = { 0 };
        if (network->prefix > 0)
                mask.s_addr = htonl(UINT32_MAX << (32 - network->prefix));
        inet_ntop(AF_INET, &address->ip, ip, sizeof ip);
        inet_ntop(AF_INET, &mask, mask_text, sizeof mask_text);
        buf_printf(to, " --bootproto=static --ip=%s --netmask=%s", ip, mask_text);
        if (is_own && network->gateway.s_addr)
                buf_printf(to, " --gateway=%s", inet_ntop(AF_INET, &network->gateway, gateway, sizeof gateway));
        if (!is_own)
                buf_append_text(to, " --nodefroute");
        if (is_own)
                put_list(to, "--nameserver", &network->dns);
        buf_append_text(to, " --noipv6");
        if (is_own)
                buf_printf(to, " --hostname=%s", of->node->name);
}

// Anaconda separates options by semicolons if there is one, and by commas otherwise.
static void put_bond_options(struct buf *to, const struct bond *bond) {
        const struct value *options = bond->options;
        const char *separator = ",";
        bool has_monitor = false;
        for (size_t i = 0; options && i < options->count; i++) {
                if (strpbrk(options->items[i]->text, ",;"))
                        separator = ";";
                if (strcmp(options->keys[i], "miimon") == 0 || strcmp(options->keys[i], "arp_interval") == 0)
                        has_monitor = true;
        }
        buf_printf(to, " --bondopts=\"mode=%s", bond->mode);
        for (size_t i = 0; options && i < options->count; i++) {
                buf_printf(to, "%s%s=", separator, options->keys[i]);
                for (const char *at = options->items[i]->text; *at; at++) {
                        if (*at == ';')
                                buf_append_char(to, ',');
                        else
                                buf_append_char(to, *at);
                }
        }
        if (!has_monitor) // as kiln-node has it: a bond without one never sees a dead link
                buf_printf(to, "%smiimon=100", separator);
        buf_append_char(to, '"');
}

static void put_card(struct buf *to, const struct ks_node *of) {
        const struct bond *bond = &of->node->bond;
        const struct placed *address = first_on_vlan(of, 0);
        int mtu = card_mtu(of);
        bool is_bond = bond->members.count > 0;
        if (!address && !is_bond && !mtu)
                return; // a VLAN brings up its card
        buf_printf(to, "network --activate --device=%s", of->device);
        if (is_bond) {
                buf_append_text(to, " --bondslaves=$members");
                put_bond_options(to, bond);
        }
        if (mtu)
                buf_printf(to, " --mtu=%d", mtu);
        if (address)
                put_static(to, of, address);
        else
                buf_append_text(to, " --noipv4 --noipv6");
        buf_append_char(to, '\n');
}

static void put_vlan(struct buf *to, const struct ks_node *of, int vlan) {
        const struct placed *address = first_on_vlan(of, vlan);
        char name[2 * MAC_TEXT_MAX];
        buf_printf(to, "network --activate --device=%s --vlanid=%d", of->device, vlan);
        int size = snprintf(name, sizeof name, "%s.%d", of->device, vlan);
        if (of->node->bond.members.count > 0 && size > LINK_NAME_MAX) // as kiln-node calls it
                buf_printf(to, " --interfacename=vlan%d", vlan);
        if (address->network->mtu)
                buf_printf(to, " --mtu=%d", address->network->mtu);
        put_static(to, of, address);
        buf_append_char(to, '\n');
}

static void put_commands(struct buf *to, const struct ks_node *of) {
        int own = of->addresses[0].network->vlan;
        put_card(to, of);
        for (size_t i = 1; i < of->address_count; i++) {
                const struct placed *address = &of->addresses[i];
                int vlan = address->network->vlan;
                if (vlan && vlan != own && first_on_vlan(of, vlan) == address)
                        put_vlan(to, of, vlan);
        }
        if (own)
                put_vlan(to, of, own);
}

// The card of a member that is in a bond already, by the kernel command line, shows the bond's address.
static const char find_members[] =
    "%pre --erroronfail --interpreter=/bin/bash\n"
    "# The inventory knows a bond's members by MAC address, and --bondslaves takes names.\n"
    "members=\n"
    "for mac in ";
static const char add_members[] =
    "; do\n"
    "    found=\n"
    "    for card in /sys/class/net/*; do\n"
    "        [ -e \"$card/device\" ] || continue\n"
    "        address=$(cat \"$card/bonding_slave/perm_hwaddr\" 2>/dev/null || cat \"$card/address\")\n"
    "        if [ \"$address\" = \"$mac\" ]; then found=${card##*/}; fi\n"
    "    done\n"
    "    if [ -n \"$found\" ]; then members=$members${members:+,}$found; else echo \"no card $mac\" >&2; fi\n"
    "done\n"
    "if [ -z \"$members\" ]; then echo \"this machine has no card of the bond\" >&2; exit 1; fi\n"
    "cat >/tmp/kiln-network.ks <<KS\n";

static void put_mac(struct buf *to, const char *text) {
        for (const char *at = text; *at; at++) {
                char byte = *at;
                if (byte == '-')
                        byte = ':';
                if (byte >= 'A' && byte <= 'F')
                        byte = (char)(byte - 'A' + 'a');
                buf_append_char(to, byte);
        }
}

void kickstart_network_commands(const struct cluster *cluster, const struct node *node, struct buf *to) {
        assert(cluster && node && to);
        struct ks_node of;
        const struct strings *members = &node->bond.members;
        ks_node_init(cluster, node, &of);
        if (members->count == 0) {
                put_commands(to, &of);
        } else {
                buf_append_text(to, find_members);
                for (size_t i = 0; i < members->count; i++) {
                        if (i > 0)
                                buf_append_char(to, ' ');
                        put_mac(to, members->items[i]);
                }
                buf_append_text(to, add_members);
                put_commands(to, &of);
                buf_append_text(to, "KS\n%end\n%include /tmp/kiln-network.ks\n");
        }
        free(of.addresses);
}

// ---- %post ----

// The name of the link is known by the address that Anaconda gave it. Where the installer was told of another network,
// nothing is lost: kiln-node writes all of these files at the first boot.
static const char post_begin[] =
    "%post --interpreter=/bin/bash --log=/root/kiln-network.log\n"
    "# The command `network` takes one address of a link, and no route but the default one.\n"
    "directory=/etc/sysconfig/network-scripts\n"
    "link_of() {\n"
    "    link=$(ip -4 -o address show | while read -r _ name _ address _; do\n"
    "        if [ \"$address\" = \"$1\" ]; then echo \"$name\"; fi\n"
    "    done)\n"
    "    if [ -z \"$link\" ]; then echo \"no link has $1: what follows it is left to the first boot\" >&2; return 1; "
    "fi\n"
    "}\n";

// Whether a static route of this network would be written twice: another address of the link is in it, too.
static bool is_first_in_network(const struct ks_node *of, const struct placed *address) {
        for (const struct placed *other = of->addresses; other < address; other++)
                if (other->network == address->network)
                        return false;
        return true;
}

static void put_further(struct buf *to, const struct ks_node *of, int vlan) {
        char ip[INET_ADDRSTRLEN];
        size_t number = 0;
        for (size_t i = 0; i < of->address_count; i++) {
                const struct placed *address = &of->addresses[i];
                if (address->network->vlan != vlan)
                        continue;
                if (number > 0)
                        buf_printf(to, "    printf 'IPADDR%zu=%s\\nPREFIX%zu=%d\\n' >>\"$directory/ifcfg-$link\"\n",
                                   number, inet_ntop(AF_INET, &address->ip, ip, sizeof ip), number,
                                   address->network->prefix);
                number++;
        }
        for (size_t i = 0; i < of->address_count; i++) {
                const struct placed *address = &of->addresses[i];
                const struct strings *routes = &address->network->routes;
                if (address->network->vlan != vlan || !is_first_in_network(of, address))
                        continue;
                for (size_t j = 0; j < routes->count; j++)
                        buf_printf(to, "    echo \"%s dev $link\" >>\"$directory/route-$link\"\n", routes->items[j]);
        }
}

static void put_link_post(struct buf *to, const struct ks_node *of, const struct placed *first) {
        auto_buf further = { 0 };
        char ip[INET_ADDRSTRLEN];
        put_further(&further, of, first->network->vlan);
        if (further.size > 0)
                buf_printf(to, "if link_of %s/%d; then\n%sfi\n", inet_ntop(AF_INET, &first->ip, ip, sizeof ip),
                           first->network->prefix, buf_text(&further));
}

void kickstart_network_post(const struct cluster *cluster, const struct node *node, struct buf *to) {
        assert(cluster && node && to);
        struct ks_node of;
        auto_buf links = { 0 };
        if (strcmp(cluster->release.network, "ifcfg") != 0)
                return;
        ks_node_init(cluster, node, &of);
        for (size_t i = 0; i < of.address_count; i++)
                if (first_on_vlan(&of, of.addresses[i].network->vlan) == &of.addresses[i])
                        put_link_post(&links, &of, &of.addresses[i]);
        free(of.addresses);
        if (links.size > 0)
                buf_printf(to, "%s%s%%end\n", post_begin, buf_text(&links));
}
