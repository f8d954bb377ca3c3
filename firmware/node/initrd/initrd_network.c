// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_vlan.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "firmware/node/cmdline/cmdline.h"
#include "firmware/node/devices/module_load.h"
#include "firmware/node/dhcp/dhcp_client.h"
#include "firmware/node/dhcp/dhcp_io.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/facts/hardware.h"
#include "firmware/node/initrd/initrd.h"
#include "firmware/node/inventory/inventory_find.h"

enum {
        OTHER_LINK_WAIT_MS = 10000, // for the identity's card, while another one has a link: the boot came over that
        POLL_MS = 50,
        CARDS_SETTLE_MS = 500,
        NOTES_MAX = 65536,
        PREFIX_GUESSED = 24 // of a lease that has no subnet mask
};

// What is needed to fetch a file; the real configuration comes later, from the booted system.
struct setup {
        const struct facts *facts;
        const struct interface *interface;
        uint32_t address, gateway;
        struct name_servers name_servers;
        int prefix;
        const char *source;
};

static void put_sockaddr(struct sockaddr *where, uint32_t address) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };
        memcpy(where, &in, sizeof *where);
}

static bool set_address(int fd, struct ifreq *request, unsigned long call, uint32_t address, struct err *err) {
        put_sockaddr(&request->ifr_addr, address);
        return ioctl(fd, call, request) == 0 || fail(err, ERR_SYSTEM, errno, "configure %s", request->ifr_name);
}

static bool another_card_has_link(const struct facts *facts, const struct interface *card) {
        for (size_t i = 0; i < facts->interface_count; i++)
                if (&facts->interfaces[i] != card && dhcp_io_carrier(&facts->interfaces[i]))
                        return true;
        return false;
}

static bool wait_for_link(int fd, struct ifreq *request, const struct setup *setup, struct err *err) {
        const struct facts *facts = setup->facts;
        int64_t waited_ms, start = clock_now_ms();
        do {
                if (ioctl(fd, SIOCGIFFLAGS, request) < 0)
                        return fail(err, ERR_SYSTEM, errno, "read the flags of %s", request->ifr_name);
                if (request->ifr_flags & IFF_RUNNING)
                        return true;
                usleep(POLL_MS * 1000);
                waited_ms = clock_now_ms() - start;
                if (waited_ms >= OTHER_LINK_WAIT_MS && another_card_has_link(facts, setup->interface))
                        break;
        } while (waited_ms < facts->inventory->dhcp.carrier_timeout_ms);
        return fail(err, ERR_NETWORK, 0, "%s has had no link for %lld s", request->ifr_name,
                    (long long)waited_ms / 1000);
}

static bool add_kernel_route(int fd, struct rtentry *route, uint32_t to, uint32_t mask, struct err *err) {
        put_sockaddr(&route->rt_dst, to);
        put_sockaddr(&route->rt_genmask, mask);
        if (ioctl(fd, SIOCADDRT, route) < 0 && errno != EEXIST)
                return fail(err, ERR_SYSTEM, errno, "add a route");
        return true;
}

// A gateway outside the subnet (DHCP's option 121 can give one) is reached by a route of its own.
static bool route_to_gateway(int fd, const struct setup *setup, struct ifreq *request, struct err *err) {
        struct rtentry link = { .rt_flags = RTF_UP | RTF_HOST, .rt_dev = request->ifr_name };
        struct rtentry all = { .rt_flags = RTF_UP | RTF_GATEWAY, .rt_dev = request->ifr_name };
        put_sockaddr(&link.rt_gateway, 0);
        put_sockaddr(&all.rt_gateway, setup->gateway);
        bool is_in_subnet = address_in_subnet(setup->gateway, setup->address, setup->prefix);
        if (!is_in_subnet && !add_kernel_route(fd, &link, setup->gateway, UINT32_MAX, err))
                return false;
        return add_kernel_route(fd, &all, 0, 0, err);
}

static bool bring_up(const struct setup *setup, struct err *err) {
        auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open a socket");
        struct ifreq request = { 0 };
        memcpy(request.ifr_name, setup->interface->name, sizeof setup->interface->name);
        if (!set_address(fd, &request, SIOCSIFADDR, setup->address, err) ||
            !set_address(fd, &request, SIOCSIFNETMASK, mask_of_prefix(setup->prefix), err))
                return false;
        if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
                return fail(err, ERR_SYSTEM, errno, "read the flags of %s", request.ifr_name);
        request.ifr_flags |= IFF_UP;
        if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
                return fail(err, ERR_SYSTEM, errno, "set %s up", request.ifr_name);
        if (!wait_for_link(fd, &request, setup, err))
                return false;
        return !setup->gateway || route_to_gateway(fd, setup, &request, err);
}

static bool write_resolver(const struct setup *setup, const char *path, struct err *err) {
        auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "create %s", path);
        auto_buf text = { 0 };
        name_servers_list_first(&setup->name_servers, &text);
        if (write(fd, buf_text(&text), text.size) != (ssize_t)text.size)
                return fail(err, ERR_SYSTEM, errno, "write %s", path);
        return true;
}

static const struct interface *find_interface(const struct facts *facts, const char *name) {
        for (size_t i = 0; i < facts->interface_count; i++)
                if (strcmp(facts->interfaces[i].name, name) == 0)
                        return &facts->interfaces[i];
        return NULL;
}

// The card that the firmware booted over, if the command line says which (BOOTIF=) and it is there.
static const struct interface *boot_card(const struct facts *facts) {
        auto_free struct cmdline *cmdline = xcalloc(1, sizeof *cmdline);
        auto_err ignored = { 0 }; // a malformed word has refused the machine already
        if (!cmdline_read(facts, cmdline, &ignored) || !cmdline->has_bootif)
                return NULL;
        for (size_t i = 0; i < facts->interface_count; i++)
                if (mac_equal(&facts->interfaces[i].mac, &cmdline->bootif))
                        return &facts->interfaces[i];
        return NULL;
}

// The server that the firmware booted from is behind the card that it booted over.
static const struct lease *lease_to_fetch(const struct facts *facts) {
        const struct interface *boot = boot_card(facts);
        for (size_t i = 0; boot && i < facts->lease_count; i++)
                if (mac_equal(&facts->leases[i].mac, &boot->mac))
                        return &facts->leases[i];
        if (facts->lease_count == 0)
                return NULL;
        return &facts->leases[0];
}

static bool setup_from_lease(struct facts *facts, struct setup *ret, struct err *err) {
        auto_buf notes = { .max = NOTES_MAX };
        if (!facts->dhcp_asked && !dhcp_ask(facts, &notes, err))
                return false;
        const struct lease *lease = lease_to_fetch(facts);
        const struct interface *interface = NULL;
        if (lease)
                interface = find_interface(facts, lease->interface);
        if (!interface)
                return fail(err, ERR_NETWORK, 0, "DHCP gave no address on any of %zu interfaces",
                            facts->interface_count);
        *ret = (struct setup){ .facts = facts,
                               .interface = interface,
                               .address = lease->address,
                               .gateway = lease->router,
                               .prefix = lease->prefix,
                               .source = "dhcp" };
        if (ret->prefix <= 0)
                ret->prefix = PREFIX_GUESSED;
        name_servers_of_lease(lease, &ret->name_servers);
        return true;
}

static void setup_from_identity(const struct identity *identity, const struct facts *facts, struct setup *ret) {
        *ret = (struct setup){ .facts = facts,
                               .interface = identity->interface,
                               .address = identity->address,
                               .gateway = identity->gateway,
                               .name_servers = identity->name_servers,
                               .prefix = identity->prefix,
                               .source = identity->address_source };
}

// A card shows whether it has a link only when it is up.
static void set_all_up(const struct facts *facts) {
        auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        for (size_t i = 0; i < facts->interface_count; i++) {
                struct ifreq request = { 0 };
                memcpy(request.ifr_name, facts->interfaces[i].name, sizeof facts->interfaces[i].name);
                if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
                        continue;
                request.ifr_flags |= IFF_UP;
                (void)ioctl(fd, SIOCSIFFLAGS, &request);
        }
}

// Takes the address back, so that answers do not go to a card without a link.
static void take_down(const struct interface *interface) {
        struct ifreq request = { 0 };
        auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        auto_err ignored = { 0 };
        memcpy(request.ifr_name, interface->name, sizeof interface->name);
        (void)!set_address(fd, &request, SIOCSIFADDR, 0, &ignored);
}

static bool bring_up_leased(struct facts *facts, struct setup *ret, struct err *err) {
        return setup_from_lease(facts, ret, err) && bring_up(ret, err);
}

// Without an address where it fails, so that no answer goes to a card without a link.
static bool bring_up_or_leave(const struct setup *setup, struct err *err) {
        if (bring_up(setup, err))
                return true;
        take_down(setup->interface);
        return false;
}

// Of a bond's members the one that the firmware booted over, or else one with a link: without the bond a machine has
// one card at a time.
static const struct interface *member_to_use(const struct identity *identity, const struct facts *facts) {
        const struct inventory_node *node = identity->node;
        const struct interface *boot = boot_card(facts), *best = identity->interface;
        for (size_t i = 0; node && i < node->bond_member_count; i++)
                for (size_t j = 0; j < facts->interface_count; j++) {
                        const struct interface *card = &facts->interfaces[j];
                        if (!mac_equal(&card->mac, &node->bond_members[i]))
                                continue;
                        if (card == boot)
                                return card;
                        if (!dhcp_io_carrier(best) && dhcp_io_carrier(card))
                                best = card;
                }
        return best;
}

// ipv6_addr's request of linux/ipv6.h, which cannot stand beside the C library's headers.
struct address6_request {
        struct in6_addr address;
        uint32_t prefix;
        int interface;
};

// The node's IPv6 addresses of the identity's network: the server may be known by such an address alone. Where they
// fail there is IPv4, and what a router advertises.
static void add_addresses6(const struct identity *identity, const struct interface *interface) {
        auto_close int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        for (size_t i = 0; identity->node && i < identity->node->address6_count; i++) {
                const struct inventory_address6 *from = &identity->node->addresses6[i];
                struct address6_request request = { .prefix = (uint32_t)from->network->prefix6,
                                                    .interface = (int)if_nametoindex(interface->name) };
                struct in6_rtmsg route = { .rtmsg_flags = RTF_UP | RTF_GATEWAY,
                                           .rtmsg_metric = 1,
                                           .rtmsg_ifindex = request.interface };
                if (from->network != identity->network)
                        continue;
                memcpy(&request.address, from->ip.bytes, sizeof request.address);
                memcpy(&route.rtmsg_gateway, from->network->gateway6.bytes, sizeof route.rtmsg_gateway);
                if (ioctl(fd, SIOCSIFADDR, &request) == 0 && from->network->gateway6.family == 6)
                        (void)ioctl(fd, SIOCADDRT, &route);
        }
}

static bool bring_up_identity(const struct identity *identity, const struct facts *facts, struct setup *ret,
                              struct err *err) {
        setup_from_identity(identity, facts, ret);
        ret->interface = member_to_use(identity, facts);
        if (!bring_up_or_leave(ret, err))
                return false;
        add_addresses6(identity, ret->interface);
        return true;
}

// A first address of the link that needs no tag. NULL: none.
static const struct inventory_address *untagged_address(const struct inventory_link *link) {
        for (size_t i = 0; i < link->address_count && !link->vlan; i++)
                if (!link->addresses[i].network->vlan)
                        return &link->addresses[i];
        return NULL;
}

// The further link of the node that the firmware booted over. `ret_interface` is NULL for none.
static const struct inventory_address *boot_link_address(const struct plan *plan, const struct facts *facts,
                                                         const struct interface **ret_interface, bool *ret_is_default) {
        const struct interface *boot = boot_card(facts);
        *ret_interface = NULL;
        if (plan->refusal || !plan->identity->node || !boot)
                return NULL;
        const struct inventory_link *link = inventory_link_of_mac(plan->identity->node, &boot->mac);
        if (!link)
                return NULL;
        *ret_interface = boot;
        *ret_is_default = link->default_route;
        return untagged_address(link);
}

// Brings up the further link that the firmware booted over, and the identity's card beside it, if it can be had.
// `ret_done` is false if there is no such link, or it has no address that can be used.
static bool bring_up_boot_link(const struct plan *plan, struct facts *facts, struct setup *ret, bool *ret_done,
                               struct err *err) {
        const struct interface *interface;
        bool is_default = false;
        const struct inventory_address *address = boot_link_address(plan, facts, &interface, &is_default);
        *ret_done = false;
        if (!interface)
                return true;
        struct setup identity = { 0 };
        auto_err ignored = { 0 }, dead = { 0 };
        if (!address) { // DHCP gives it one, without a tag as to the firmware
                *ret_done = bring_up_leased(facts, ret, &ignored) && ret->interface == interface;
                return true;
        }
        *ret = (struct setup){ .facts = facts,
                               .interface = interface,
                               .address = address->ip,
                               .name_servers = plan->identity->name_servers,
                               .prefix = address->network->prefix,
                               .source = "inventory, BOOTIF" };
        if (!bring_up_or_leave(ret, &dead)) {
                if (dead.kind == ERR_NETWORK) // no link: what came before was another card, whatever BOOTIF says
                        return true;
                return fail(err, dead.kind, 0, "%s", dead.text);
        }
        *ret_done = true;
        // The default route is where the inventory has it, or at least somewhere.
        setup_from_identity(plan->identity, facts, &identity);
        if (is_default)
                identity.gateway = 0;
        bool has_identity = plan->vlan_id == 0 && bring_up_or_leave(&identity, &ignored);
        bool has_default = has_identity && identity.gateway && !is_default;
        if (!has_default)
                ret->gateway = address->network->gateway;
        return !ret->gateway || bring_up(ret, err);
}

// The identity's card with a VLAN on it, where nobody answers without a tag.
static bool bring_up_vlan(const struct plan *plan, const struct facts *facts, struct setup *ret, struct interface *vlan,
                          struct err *err) {
        struct vlan_ioctl_args request = { .cmd = ADD_VLAN_CMD, .u.VID = plan->vlan_id };
        char *module[] = { (char[]){ "8021q" } };
        auto_err ignored = { 0 };
        (void)!modules_load(module, 1, &ignored); // may be built in
        setup_from_identity(plan->identity, facts, ret);
        const struct interface *card = member_to_use(plan->identity, facts);
        auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        memcpy(request.device1, card->name, sizeof card->name);
        if (ioctl(fd, SIOCSIFVLAN, &request) < 0 && errno != EEXIST)
                return fail(err, ERR_NETWORK, errno, "make VLAN %d on %s", plan->vlan_id, card->name);
        *vlan = *card;
        // What the kernel calls it (VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD, the default)
        int length = snprintf(vlan->name, sizeof vlan->name, "%s.%d", card->name, plan->vlan_id);
        if (length >= (int)sizeof vlan->name)
                return fail(err, ERR_NETWORK, 0, "VLAN %d on %s: its name is too long", plan->vlan_id, card->name);
        ret->interface = vlan;
        return bring_up_or_leave(ret, err);
}

static bool bring_up_untagged(const struct plan *plan, struct facts *facts, struct setup *setup, struct err *dead,
                              struct err *err) {
        bool is_up = !plan->refusal && plan->vlan_id == 0 && bring_up_identity(plan->identity, facts, setup, dead);
        if (is_up)
                return true;
        // A dead cable of the identity's card fails no boot that came over another one.
        if (dead->text && dead->kind != ERR_NETWORK)
                return fail(err, dead->kind, 0, "%s", dead->text);
        if (bring_up_leased(facts, setup, err))
                return true;
        if (dead->text)
                return wrap(err, "%s, and on the other cards", dead->text);
        return false;
}

static bool fail_network(struct err *untagged, bool tried_tagged, struct err *err) {
        if (tried_tagged)
                return wrap(err, "%s, and with its tag", untagged->text);
        *err = take_err(untagged);
        return false;
}

bool initrd_network(const struct plan *plan, struct facts *facts, const char *resolver, struct buf *ret,
                    struct err *err) {
        assert(plan->refusal || plan->identity);
        struct setup setup = { 0 };
        struct interface vlan;
        auto_err dead = { 0 }, untagged = { 0 };
        char address[ADDRESS_TEXT_SIZE];
        bool is_up;
        set_all_up(facts);
        if (!bring_up_boot_link(plan, facts, &setup, &is_up, err))
                return false;
        is_up = is_up || bring_up_untagged(plan, facts, &setup, &dead, &untagged);
        bool may_be_tagged = !plan->refusal && plan->vlan_id > 0;
        if (!is_up && (!may_be_tagged || !bring_up_vlan(plan, facts, &setup, &vlan, err)))
                return fail_network(&untagged, may_be_tagged, err);
        address_format(setup.address, address);
        buf_printf(ret, "%s %s/%d (%s)\n", setup.interface->name, address, setup.prefix, setup.source);
        if (dead.text)
                buf_printf(ret, "%s\n", dead.text);
        return write_resolver(&setup, resolver, err);
}

// Cards appear while their drivers load: it waits for a first one, and until no more has come for a moment.
static void wait_for_cards(struct facts *facts) {
        int64_t start = clock_now_ms(), changed = start;
        size_t count = 0;
        for (;;) {
                hardware_read(facts);
                int64_t now = clock_now_ms();
                if (facts->interface_count != count)
                        changed = now;
                count = facts->interface_count;
                bool is_settled = count > 0 && now - changed >= CARDS_SETTLE_MS;
                if (is_settled || now - start >= facts->inventory->dhcp.device_timeout_ms)
                        return;
                usleep(POLL_MS * 1000);
        }
}

bool initrd_network_lease(const char *resolver, struct buf *ret, struct err *err) {
        struct inventory inventory = { .cluster = "", .role = "" };
        json_t *nothing_said = json_object();
        bool ok = dhcp_settings_read(nothing_said, &inventory.dhcp, err);
        json_decref(nothing_said);
        if (!ok)
                return false;
        auto_free struct facts *facts = xcalloc(1, sizeof *facts);
        struct setup setup = { 0 };
        char address[ADDRESS_TEXT_SIZE];
        facts->inventory = &inventory;
        facts->command_line = "";
        wait_for_cards(facts);
        if (!setup_from_lease(facts, &setup, err))
                return false;
        address_format(setup.address, address);
        buf_printf(ret, "%s %s/%d (%s)\n", setup.interface->name, address, setup.prefix, setup.source);
        return bring_up(&setup, err) && write_resolver(&setup, resolver, err);
}
