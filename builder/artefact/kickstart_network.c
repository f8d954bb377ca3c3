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

// A card or bond of a node: its links are that itself (VLAN 0) and the VLANs on it.
struct ks_node {
        const struct cluster *cluster;
        const struct node *node;
        const struct node_link *link; // NULL: the one with the node's own address
        const struct bond *bond;
        size_t number; // of the link, from 1; 0: the node's own
        bool is_default, dhcp;
        int own_mtu;              // 0: the network's
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

static void add_placed(const struct cluster *cluster, const struct strings *texts, struct ks_node *to) {
        for (size_t i = 0; i < texts->count; i++) {
                struct placed further = { 0 };
                bool is_address = inet_pton(AF_INET, texts->items[i], &further.ip) == 1;
                further.network = network_of_address(cluster, further.ip);
                if (is_address && further.network) // the checks have seen to it
                        to->addresses[to->address_count++] = further;
        }
}

static void name_device(struct ks_node *to, bool has_mac, const unsigned char *mac) {
        if (to->bond->members.count > 0)
                snprintf(to->device, sizeof to->device, "%s", to->bond->name);
        else if (has_mac)
                snprintf(to->device, sizeof to->device, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                         mac[4], mac[5]);
        else
                snprintf(to->device, sizeof to->device, "link"); // the first card whose link is up
}

static void ks_node_init(const struct cluster *cluster, const struct node *node, struct ks_node *ret) {
        *ret = (struct ks_node){ .cluster = cluster, .node = node, .bond = &node->bond, .is_default = true };
        for (size_t i = 0; i < node->link_count; i++)
                ret->is_default = ret->is_default && !node->links[i].default_route;
        ret->addresses = xcalloc(node->addresses.count + 1, sizeof *ret->addresses);
        ret->addresses[ret->address_count++] = (struct placed){ node->ip, &cluster->networks[node->network] };
        add_placed(cluster, &node->addresses, ret);
        name_device(ret, node->has_mac, node->mac);
}

// Of a further link. One whose `vlan` is not its network's is in a copy of that network.
static void ks_link_init(const struct cluster *cluster, const struct node *node, size_t index, struct ks_node *ret,
                         struct network *copy) {
        const struct node_link *link = &node->links[index];
        *ret = (struct ks_node){ .cluster = cluster,
                                 .node = node,
                                 .link = link,
                                 .bond = &link->bond,
                                 .number = index + 1,
                                 .is_default = link->default_route,
                                 .dhcp = link->dhcp,
                                 .own_mtu = link->mtu };
        *copy = (struct network){ .name = "" };
        if (link->network < cluster->network_count)
                *copy = cluster->networks[link->network];
        if (link->vlan)
                copy->vlan = link->vlan;
        ret->addresses = xcalloc(link->addresses.count + 1, sizeof *ret->addresses);
        ret->addresses[ret->address_count++] = (struct placed){ link->ip, copy };
        add_placed(cluster, &link->addresses, ret);
        name_device(ret, link->has_mac, link->mac);
}

static int ks_mtu(const struct ks_node *of, const struct network *network) {
        if (of->own_mtu)
                return of->own_mtu;
        return network->mtu;
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
                int wanted = ks_mtu(of, network);
                bool is_its_own = network->vlan == 0;
                if (wanted > mtu && (is_its_own || wanted > MTU_ETHERNET))
                        mtu = wanted;
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

// Of one address: the others are kiln-node's, at the first boot.
static void put_ks_ipv6(struct buf *to, const struct ks_node *of, const struct network *network, bool has_default) {
        const struct strings *addresses = &of->node->ip6;
        if (of->link)
                addresses = &of->link->ip6;
        for (size_t i = 0; i < addresses->count; i++) {
                const struct network *holds =
                    network_of_ipv6(of->cluster->networks, of->cluster->network_count, addresses->items[i]);
                if (!holds || strcmp(holds->name, network->name) != 0)
                        continue;
                buf_printf(to, " --ipv6=%s/%d", addresses->items[i], holds->prefix6);
                if (has_default && holds->gateway6)
                        buf_printf(to, " --ipv6gateway=%s", holds->gateway6);
                return;
        }
        buf_append_text(to, " --noipv6");
}

static void put_dhcp(struct buf *to, const struct ks_node *of) {
        buf_append_text(to, " --bootproto=dhcp");
        if (!of->is_default)
                buf_append_text(to, " --nodefroute");
        put_ks_ipv6(to, of, of->addresses[0].network, of->is_default);
}

static void put_static(struct buf *to, const struct ks_node *of, const struct placed *address) {
        char ip[INET_ADDRSTRLEN], mask_text[INET_ADDRSTRLEN], gateway[INET_ADDRSTRLEN];
        const struct network *network = address->network;
        bool is_first = address == &of->addresses[0], is_own = is_first && !of->link;
        bool has_default = is_first && of->is_default;
        if (is_first && of->dhcp) {
                put_dhcp(to, of);
                return;
        }
        struct in_addr mask = { 0 };
        if (network->prefix > 0)
                mask.s_addr = htonl(UINT32_MAX << (32 - network->prefix));
        inet_ntop(AF_INET, &address->ip, ip, sizeof ip);
        inet_ntop(AF_INET, &mask, mask_text, sizeof mask_text);
        buf_printf(to, " --bootproto=static --ip=%s --netmask=%s", ip, mask_text);
        if (has_default && network->gateway.s_addr)
                buf_printf(to, " --gateway=%s", inet_ntop(AF_INET, &network->gateway, gateway, sizeof gateway));
        if (!has_default)
                buf_append_text(to, " --nodefroute");
        if (is_own)
                put_list(to, "--nameserver", &network->dns);
        put_ks_ipv6(to, of, network, has_default);
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
        const struct bond *bond = of->bond;
        const struct placed *address = first_on_vlan(of, 0);
        int mtu = card_mtu(of);
        bool is_bond = bond->members.count > 0;
        if (!address && !is_bond && !mtu)
                return; // a VLAN brings up its card
        buf_printf(to, "network --activate --device=%s", of->device);
        if (is_bond) {
                if (of->number == 0)
                        buf_append_text(to, " --bondslaves=$members");
                else
                        buf_printf(to, " --bondslaves=$members%zu", of->number);
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
        if (of->bond->members.count > 0 && size > LINK_NAME_MAX) // as kiln-node calls it
                buf_printf(to, " --interfacename=vlan%d", vlan);
        if (ks_mtu(of, address->network))
                buf_printf(to, " --mtu=%d", ks_mtu(of, address->network));
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
    "# The inventory knows a bond's members by MAC address, and --bondslaves takes names.\n";
static const char find_each[] =
    "; do\n"
    "    found=\n"
    "    for card in /sys/class/net/*; do\n"
    "        [ -e \"$card/device\" ] || continue\n"
    "        address=$(cat \"$card/bonding_slave/perm_hwaddr\" 2>/dev/null || cat \"$card/address\")\n"
    "        if [ \"$address\" = \"$mac\" ]; then found=${card##*/}; fi\n"
    "    done\n";
static const char end_members[] = "cat >/tmp/kiln-network.ks <<KS\n";

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

static void put_members(struct buf *to, const struct ks_node *of) {
        char name[32] = "members";
        if (of->number > 0)
                snprintf(name, sizeof name, "members%zu", of->number);
        buf_printf(to, "%s=\nfor mac in ", name);
        for (size_t i = 0; i < of->bond->members.count; i++) {
                if (i > 0)
                        buf_append_char(to, ' ');
                put_mac(to, of->bond->members.items[i]);
        }
        buf_append_text(to, find_each);
        buf_printf(to,
                   "    if [ -n \"$found\" ]; then %s=$%s${%s:+,}$found; else echo \"no card $mac\" >&2; fi\n"
                   "done\n"
                   "if [ -z \"$%s\" ]; then echo \"this machine has no card of the bond\" >&2; exit 1; fi\n",
                   name, name, name, name);
}

// Calls `put` for the node's own card or bond, and for each further one.
static void for_each_link(const struct cluster *cluster, const struct node *node,
                          void (*put)(struct buf *to, const struct ks_node *of), struct buf *to) {
        struct ks_node of;
        struct network network;
        ks_node_init(cluster, node, &of);
        put(to, &of);
        free(of.addresses);
        for (size_t i = 0; i < node->link_count; i++) {
                ks_link_init(cluster, node, i, &of, &network);
                put(to, &of);
                free(of.addresses);
        }
}

static void put_members_of_bond(struct buf *to, const struct ks_node *of) {
        if (of->bond->members.count > 0)
                put_members(to, of);
}

void kickstart_network_commands(const struct cluster *cluster, const struct node *node, struct buf *to) {
        assert(cluster && node && to);
        auto_buf members = { 0 };
        for_each_link(cluster, node, put_members_of_bond, &members);
        if (members.size > 0)
                buf_printf(to, "%s%s%s", find_members, buf_text(&members), end_members);
        for_each_link(cluster, node, put_commands, to);
        if (members.size > 0)
                buf_append_text(to, "KS\n%end\n%include /tmp/kiln-network.ks\n");
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

static void put_route(struct buf *to, const char *route) {
        const char *family = "";
        if (strchr(route, ':'))
                family = "6";
        buf_printf(to, "    echo \"%s dev $link\" >>\"$directory/route%s-$link\"\n", route, family);
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
                        put_route(to, routes->items[j]);
        }
        bool has_own_routes = of->link && of->addresses[0].network->vlan == vlan;
        for (size_t i = 0; has_own_routes && i < of->link->routes.count; i++)
                put_route(to, of->link->routes.items[i]);
}

static void put_link_post(struct buf *to, const struct ks_node *of, const struct placed *first) {
        auto_buf further = { 0 };
        char ip[INET_ADDRSTRLEN];
        put_further(&further, of, first->network->vlan);
        if (further.size > 0)
                buf_printf(to, "if link_of %s/%d; then\n%sfi\n", inet_ntop(AF_INET, &first->ip, ip, sizeof ip),
                           first->network->prefix, buf_text(&further));
}

// A link whose address DHCP gives is not known by it.
static void put_link_posts(struct buf *to, const struct ks_node *of) {
        for (size_t i = 0; !of->dhcp && i < of->address_count; i++)
                if (first_on_vlan(of, of->addresses[i].network->vlan) == &of->addresses[i])
                        put_link_post(to, of, &of->addresses[i]);
}

void kickstart_network_post(const struct cluster *cluster, const struct node *node, struct buf *to) {
        assert(cluster && node && to);
        auto_buf links = { 0 };
        if (strcmp(cluster->release.network, "ifcfg") != 0)
                return;
        for_each_link(cluster, node, put_link_posts, &links);
        if (links.size > 0)
                buf_printf(to, "%s%s%%end\n", post_begin, buf_text(&links));
}
