// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "firmware/node/dhcp/dhcp_client.h"
#include "firmware/node/dhcp/dhcp_io.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/facts/hardware.h"
#include "firmware/node/initrd/initrd.h"

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
        struct rtentry all = { .rt_flags = RTF_UP | RTF_GATEWAY };
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

static bool setup_from_lease(struct facts *facts, struct setup *ret, struct err *err) {
        auto_buf notes = { .max = NOTES_MAX };
        if (!facts->dhcp_asked && !dhcp_ask(facts, &notes, err))
                return false;
        const struct lease *lease = facts->lease_count > 0 ? &facts->leases[0] : NULL;
        const struct interface *interface = lease ? find_interface(facts, lease->interface) : NULL;
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

static bool bring_up_identity(const struct identity *identity, const struct facts *facts, struct setup *ret,
                              struct err *err) {
        setup_from_identity(identity, facts, ret);
        set_all_up(facts);
        if (bring_up(ret, err))
                return true;
        take_down(ret->interface);
        return false;
}

static bool bring_up_leased(struct facts *facts, struct setup *ret, struct err *err) {
        return setup_from_lease(facts, ret, err) && bring_up(ret, err);
}

bool initrd_network(const struct plan *plan, struct facts *facts, const char *resolver, struct buf *ret,
                    struct err *err) {
        assert(plan->refusal || plan->identity);
        struct setup setup = { 0 };
        auto_err dead = { 0 };
        char address[ADDRESS_TEXT_SIZE];
        // The firmware fetched its part without a tag, and so does the initrd.
        bool identity_holds = !plan->refusal && !plan->is_on_vlan;
        bool is_up = identity_holds && bring_up_identity(plan->identity, facts, &setup, &dead);
        // A dead cable of the identity's card fails no boot that came over another one.
        if (!is_up && identity_holds && dead.kind != ERR_NETWORK)
                return fail(err, dead.kind, 0, "%s", dead.text);
        if (!is_up && !bring_up_leased(facts, &setup, err)) {
                if (dead.text)
                        return wrap(err, "%s, and on the other cards", dead.text);
                return false;
        }
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
