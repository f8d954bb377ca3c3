// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "firmware/node/dhcp/dhcp_client.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/initrd/initrd.h"
#include "firmware/node/network/network_compose.h"

enum { LINK_WAIT_MS = 30000, POLL_MS = 50, NOTES_MAX = 65536 };

// What is needed to fetch a file; the real configuration comes later, from the booted system.
struct setup {
        const struct interface *interface;
        uint32_t address, gateway, dns[DNS_MAX];
        size_t dns_count;
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

static bool wait_for_link(int fd, struct ifreq *request, struct err *err) {
        int64_t deadline = clock_now_ms() + LINK_WAIT_MS;
        do {
                if (ioctl(fd, SIOCGIFFLAGS, request) < 0)
                        return fail(err, ERR_SYSTEM, errno, "read the flags of %s", request->ifr_name);
                if (request->ifr_flags & IFF_RUNNING)
                        return true;
                usleep(POLL_MS * 1000);
        } while (clock_now_ms() < deadline);
        return fail(err, ERR_NETWORK, 0, "%s has no link", request->ifr_name);
}

static bool add_route(int fd, struct rtentry *route, uint32_t to, uint32_t mask, struct err *err) {
        put_sockaddr(&route->rt_dst, to);
        put_sockaddr(&route->rt_genmask, mask);
        return ioctl(fd, SIOCADDRT, route) == 0 || errno == EEXIST || fail(err, ERR_SYSTEM, errno, "add a route");
}

// A gateway outside the subnet (DHCP's option 121 can give one) is reached by a route of its own.
static bool add_gateway(int fd, const struct setup *setup, struct ifreq *request, struct err *err) {
        struct rtentry link = { .rt_flags = RTF_UP | RTF_HOST, .rt_dev = request->ifr_name };
        struct rtentry all = { .rt_flags = RTF_UP | RTF_GATEWAY };
        put_sockaddr(&link.rt_gateway, 0);
        put_sockaddr(&all.rt_gateway, setup->gateway);
        return (address_in_subnet(setup->gateway, setup->address, setup->prefix) ||
                add_route(fd, &link, setup->gateway, UINT32_MAX, err)) &&
               add_route(fd, &all, 0, 0, err);
}

static bool set_up(const struct setup *setup, struct err *err) {
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
        return wait_for_link(fd, &request, err) && (!setup->gateway || add_gateway(fd, setup, &request, err));
}

static bool write_resolver(const struct setup *setup, const char *path, struct err *err) {
        auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "create %s", path);
        for (size_t i = 0; i < setup->dns_count; i++) {
                char address[ADDRESS_TEXT_SIZE];
                address_format(setup->dns[i], address);
                if (dprintf(fd, "nameserver %s\n", address) < 0)
                        return fail(err, ERR_SYSTEM, errno, "write %s", path);
        }
        return true;
}

static const struct interface *find_interface(const struct facts *facts, const char *name) {
        for (size_t i = 0; i < facts->interface_count; i++)
                if (strcmp(facts->interfaces[i].name, name) == 0)
                        return &facts->interfaces[i];
        return NULL;
}

static bool setup_from_lease(struct machine *machine, struct setup *ret, struct err *err) {
        struct facts *facts = &machine->facts;
        auto_buf notes = { .max = NOTES_MAX };
        if (!facts->dhcp_asked && !dhcp_ask(facts, &notes, err))
                return false;
        const struct lease *lease = facts->lease_count ? &facts->leases[0] : NULL;
        if (!lease || !find_interface(facts, lease->interface))
                return fail(err, ERR_NETWORK, 0, "DHCP gave no address on any of %zu interfaces",
                            facts->interface_count);
        *ret = (struct setup){ .interface = find_interface(facts, lease->interface),
                               .address = lease->address,
                               .gateway = lease->router,
                               .dns_count = lease->dns_count,
                               .prefix = lease->prefix > 0 ? lease->prefix : 24,
                               .source = "dhcp" };
        memcpy(ret->dns, lease->dns, sizeof ret->dns);
        return true;
}

static bool setup_from_identity(const struct facts *facts, const struct identity *identity, struct setup *ret) {
        *ret = (struct setup){ .interface = identity->interface,
                               .address = identity->address,
                               .gateway = identity->gateway,
                               .dns_count = identity->dns_count,
                               .prefix = identity->prefix,
                               .source = identity->address_source };
        memcpy(ret->dns, identity->dns, sizeof ret->dns);
        return facts->interface_count > 0;
}

// The firmware fetched its part without a tag, and so does the initrd: an address that is on a VLAN is not for it.
static bool is_on_vlan(const struct facts *facts, const struct cmdline *cmdline, const struct identity *identity) {
        auto_free struct network *network = xcalloc(1, sizeof *network);
        auto_err ignored = { 0 };
        return network_compose(facts, cmdline, identity, network, &ignored) &&
               network->links[network->primary].kind == NET_VLAN;
}

bool initrd_network(struct machine *machine, const char *resolver, struct buf *ret, struct err *err) {
        struct decision decision;
        bool planned = decide(machine, &decision, err);
        bool refused = planned && decision.plan.refusal;
        decision_release(&decision);
        if (!planned)
                return false;
        struct facts *facts = &machine->facts;
        auto_free struct cmdline *cmdline = xcalloc(1, sizeof *cmdline);
        auto_free struct identity *identity = xcalloc(1, sizeof *identity);
        enum identity_need need;
        struct setup setup = { 0 };
        // A machine that is going to be refused still boots, to say so.
        bool known = !refused && cmdline_read(facts, cmdline, err) &&
                     identity_decide(facts, cmdline, identity, &need, err) && !is_on_vlan(facts, cmdline, identity) &&
                     setup_from_identity(facts, identity, &setup);
        if (!known && !setup_from_lease(machine, &setup, err))
                return false;
        err_release(err);
        char address[ADDRESS_TEXT_SIZE];
        address_format(setup.address, address);
        buf_printf(ret, "%s %s/%d (%s)\n", setup.interface->name, address, setup.prefix, setup.source);
        return set_up(&setup, err) && write_resolver(&setup, resolver, err);
}
