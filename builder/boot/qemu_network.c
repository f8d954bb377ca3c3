// SPDX-License-Identifier: MIT
// The machine's network. "user" is QEMU's own: a NAT with DHCP and TFTP servers, told to be the node's subnet and to
// hand out the node's address and name, so that what the inventory says holds without root.
#include <arpa/inet.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "boot/internal.h"

static const char *ip_text(struct arena *arena, uint32_t address) {
        char text[INET_ADDRSTRLEN];
        struct in_addr network_order = { htonl(address) };
        return arena_strdup(arena, inet_ntop(AF_INET, &network_order, text, sizeof(text)));
}

static bool is_taken(const struct cluster *cluster, uint32_t address) {
        for (size_t i = 0; i < cluster->node_count; i++)
                if (ntohl(cluster->nodes[i].ip.s_addr) == address)
                        return true;
        for (size_t i = 0; i < cluster->vip_count; i++)
                if (ntohl(cluster->vips[i].ip.s_addr) == address)
                        return true;
        return false;
}

// The highest host address that no node, VIP or `other` has; 0 if the subnet is full, or has no host addresses.
static uint32_t free_address(const struct cluster *cluster, const struct network *network, uint32_t other) {
        if (network->prefix >= 31)
                return 0;
        uint32_t base = ntohl(network->address.s_addr), broadcast = (1u << (32 - network->prefix)) - 1;
        for (uint32_t offset = broadcast - 1; offset > 0; offset--)
                if (base + offset != other && !is_taken(cluster, base + offset))
                        return base + offset;
        return 0;
}

static const char *boot_file(const struct machine *machine, struct arena *arena) {
        const struct boot_options *options = machine->options;
        if (machine->firmware == FIRMWARE_UEFI)
                return "grubx64.efi"; // finds the node in its configuration, by MAC
        if (options->entry)
                return arena_printf(arena, "%s.ipxe", quote_commas(arena, options->entry));
        bool is_found_by_mac = machine->node->has_mac || options->mac;
        if (is_found_by_mac)
                return "boot.ipxe";
        return arena_printf(arena, "node/%s.ipxe", machine->node->name);
}

static bool parse_port(const char *text, char end, unsigned *ret, const char **ret_rest) {
        char *rest;
        unsigned long port = strtoul(text, &rest, 10);
        if (rest == text || *rest != end || port < 1 || port > 65535)
                return false;
        *ret = (unsigned)port;
        *ret_rest = rest + 1;
        return true;
}

static bool add_forwards(struct machine *machine, struct buf *argument, struct err *err) {
        const struct strings *forwards = &machine->options->forwards;
        for (size_t i = 0; i < forwards->count; i++) {
                unsigned host, guest;
                const char *rest;
                if (!parse_port(forwards->items[i], ':', &host, &rest) || !parse_port(rest, '\0', &guest, &rest))
                        return fail(err, ERR_USAGE, 0, "port forward `%s`: expected HOST-PORT:GUEST-PORT",
                                    forwards->items[i]);
                buf_printf(argument, ",hostfwd=tcp:127.0.0.1:%u-:%u", host, guest);
        }
        if (machine->ssh_port != 0)
                buf_printf(argument, ",hostfwd=tcp:127.0.0.1:%u-:22", machine->ssh_port);
        return true;
}

static bool check_boot_entry(const struct machine *machine, struct err *err) {
        const char *entry = machine->options->entry;
        bool is_possible = machine->medium == MEDIUM_PXE && machine->firmware == FIRMWARE_BIOS;
        if (!entry)
                return true;
        if (!is_possible)
                return fail(err, ERR_USAGE, 0, "a boot entry can be named for the medium pxe by BIOS only");
        if (!fs_path_is_safe(entry))
                return fail(err, ERR_USAGE, 0, "boot entry `%s`: expected node/NAME or role/NAME", entry);
        return true;
}

// What QEMU's own network says of itself to the machine: the inventory's subnet, gateway and address.
static bool user_subnet(struct machine *machine, const struct netdev *netdev, struct buf *argument, struct err *err) {
        const struct cluster *cluster = machine->options->cluster;
        const struct network *network = netdev->network;
        struct arena *arena = &machine->arena;
        if (!network) // one of QEMU's own
                return true;
        uint32_t host = ntohl(network->gateway.s_addr);
        if (host == 0)
                host = free_address(cluster, network, 0);
        uint32_t dns = free_address(cluster, network, host);
        if (host == 0 || dns == 0)
                return fail(err, ERR_CLUSTER, 0, "network %s has no free address for QEMU's gateway and name server",
                            network->name);
        buf_printf(argument, ",net=%s/%d,host=%s,dns=%s", ip_text(arena, ntohl(network->address.s_addr)),
                   network->prefix, ip_text(arena, host), ip_text(arena, dns));
        if (netdev->ip.s_addr != 0)
                buf_printf(argument, ",dhcpstart=%s", ip_text(arena, ntohl(netdev->ip.s_addr)));
        return true;
}

static bool user_network(struct machine *machine, const struct netdev *netdev, struct buf *argument, struct err *err) {
        struct arena *arena = &machine->arena;
        buf_printf(argument, "user,id=%s", netdev->id);
        if (!user_subnet(machine, netdev, argument, err))
                return false;
        if (!netdev->boots)
                return true;
        buf_printf(argument, ",hostname=%s", machine->node->name);
        if (!check_boot_entry(machine, err))
                return false;
        if (machine->medium == MEDIUM_PXE)
                buf_printf(argument, ",tftp=%s/pxe,bootfile=%s", quote_commas(arena, machine->options->artefacts),
                           boot_file(machine, arena));
        return add_forwards(machine, argument, err);
}

static bool named_network(struct machine *machine, const struct netdev *netdev, const char *kind, const char *name,
                          struct buf *argument, struct err *err) {
        const char *quoted = quote_commas(&machine->arena, name);
        bool needs_user = machine->options->forwards.count > 0 || machine->options->entry || machine->options->ssh;
        if (!*name)
                return fail(err, ERR_USAGE, 0, "network `%s:`: the name is missing", kind);
        if (netdev->boots && needs_user)
                return fail(err, ERR_USAGE, 0,
                            "port forwards, --ssh and boot entries belong to network `user`, not `%s`", kind);
        if (strcmp(kind, "tap") == 0)
                buf_printf(argument, "tap,id=%s,ifname=%s,script=no,downscript=no", netdev->id, quoted);
        else
                buf_printf(argument, "bridge,id=%s,br=%s", netdev->id, quoted);
        return true;
}

bool network_argument(struct machine *machine, const struct netdev *netdev, const char **ret, struct err *err) {
        const char *text = netdev->kind;
        auto_buf argument = { 0 };
        bool ok;
        if (strcmp(text, "user") == 0)
                ok = user_network(machine, netdev, &argument, err);
        else if (strncmp(text, "tap:", 4) == 0)
                ok = named_network(machine, netdev, "tap", text + 4, &argument, err);
        else if (strncmp(text, "bridge:", 7) == 0)
                ok = named_network(machine, netdev, "bridge", text + 7, &argument, err);
        else
                ok = fail(err, ERR_USAGE, 0, "network `%s`: there are user, tap:INTERFACE and bridge:NAME", text);
        if (ok)
                *ret = arena_strdup(&machine->arena, buf_text(&argument));
        return ok;
}
