// SPDX-License-Identifier: MIT
// netdevice(7), rtnetlink(7); the kernel's Documentation/networking/tuntap.rst.
#include "rack/rack_network.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

// ---- this side's addresses ----

static uint32_t network_mask(const struct network *network) {
        if (network->prefix == 0)
                return 0;
        return ~0U << (32 - network->prefix);
}

static const struct network *network_with(const struct cluster *cluster, struct in_addr address) {
        for (size_t i = 0; i < cluster->network_count; i++) {
                const struct network *network = &cluster->networks[i];
                if ((ntohl(address.s_addr) & network_mask(network)) == ntohl(network->address.s_addr))
                        return network;
        }
        return NULL;
}

static bool is_machines(const struct cluster *cluster, struct in_addr address) {
        for (size_t i = 0; i < cluster->vip_count; i++)
                if (cluster->vips[i].ip.s_addr == address.s_addr)
                        return true;
        for (size_t i = 0; i < cluster->node_count; i++) {
                const struct node *node = &cluster->nodes[i];
                if (node->ip.s_addr == address.s_addr)
                        return true;
                for (size_t j = 0; j < node->link_count; j++)
                        if (node->links[j].ip.s_addr == address.s_addr)
                                return true;
        }
        return false;
}

// The host of "http://HOST...", if it is an IPv4 address that this side may have.
static bool host_of_url(const struct cluster *cluster, const char *url, struct in_addr *ret) {
        static const char scheme[] = "http://";
        struct in_addr address;
        if (!url || strncmp(url, scheme, sizeof scheme - 1) != 0)
                return false;
        const char *host = url + sizeof scheme - 1;
        auto_free char *text = xstrndup(host, strcspn(host, ":/"));
        if (inet_pton(AF_INET, text, &address) != 1 || is_machines(cluster, address) || !network_with(cluster, address))
                return false;
        *ret = address;
        return true;
}

static bool is_in_pool(const struct network *network, uint32_t address) {
        uint32_t first = ntohl(network->pool_first.s_addr), last = ntohl(network->pool_last.s_addr);
        return first != 0 && address >= first && address <= last;
}

static bool highest_free(const struct cluster *cluster, const struct network *network, struct in_addr *ret) {
        uint32_t base = ntohl(network->address.s_addr), last = base | ~network_mask(network);
        for (uint32_t address = last - 1; network->prefix < 31 && address > base; address--) {
                struct in_addr candidate = { htonl(address) };
                if (is_in_pool(network, address) || is_machines(cluster, candidate))
                        continue;
                *ret = candidate;
                return true;
        }
        return false;
}

bool rack_network_address(const struct cluster *cluster, struct in_addr *ret, struct err *err) {
        assert(cluster->node_count > 0);
        const struct network *network = &cluster->networks[cluster->nodes[0].network];
        if (host_of_url(cluster, cluster->report_url, ret) || host_of_url(cluster, cluster->http_base, ret))
                return true;
        if (network->gateway.s_addr && !is_machines(cluster, network->gateway)) {
                *ret = network->gateway;
                return true;
        }
        if (highest_free(cluster, network, ret))
                return true;
        return fail(err, ERR_CLUSTER, 0, "network %s has no free address for kiln serve", network->name);
}

// ---- links ----

static int open_control(void) { return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }

static struct ifreq request_for(const char *name) {
        struct ifreq request = { 0 };
        assert(strlen(name) < IFNAMSIZ);
        memcpy(request.ifr_name, name, strlen(name));
        return request;
}

static bool link_up(int control, const char *name, struct err *err) {
        struct ifreq request = request_for(name);
        if (ioctl(control, SIOCGIFFLAGS, &request) == 0) {
                request.ifr_flags |= IFF_UP;
                if (ioctl(control, SIOCSIFFLAGS, &request) == 0)
                        return true;
        }
        return fail(err, ERR_SYSTEM, errno, "switch interface %s on", name);
}

// Of its own: a bridge without one has the lowest of its ports', which changes as machines come and go, and whoever
// knows the one before talks to nobody. Locally administered, and of no machine.
static bool fix_bridge_address(int control, struct err *err) {
        static const unsigned char card[ETH_ALEN] = { 0x02, 'k', 'i', 'l', 'n', 0 };
        struct ifreq request = request_for(RACK_BRIDGE);
        request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
        memcpy(request.ifr_hwaddr.sa_data, card, sizeof card);
        return ioctl(control, SIOCSIFHWADDR, &request) == 0 ||
               fail(err, ERR_SYSTEM, errno, "give the network bridge its address");
}

static bool make_bridge(int control, struct err *err) {
        if (ioctl(control, SIOCBRADDBR, RACK_BRIDGE) == 0)
                return fix_bridge_address(control, err);
        int number = errno;
        fail(err, ERR_SYSTEM, number, "make a network bridge");
        if (number == ENOPKG || number == ENOTTY)
                return hint(err, "the kernel's module `bridge` is needed: as root, `modprobe bridge`");
        return false;
}

// ---- addresses ----

struct address_message {
        struct nlmsghdr head;
        struct ifaddrmsg address;
        struct rtattr local_head;
        struct in_addr local;
        struct rtattr broadcast_head;
        struct in_addr broadcast;
};

struct address_answer {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char more[256];
};

static bool ask_kernel(const struct address_message *message, int *ret_error, struct err *err) {
        struct address_answer answer = { 0 };
        auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        if (fd < 0 || send(fd, message, sizeof *message, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "ask the kernel for an address");
        ssize_t size = recv(fd, &answer, sizeof answer, 0);
        if (size < (ssize_t)(sizeof answer.head + sizeof answer.error.error) || answer.head.nlmsg_type != NLMSG_ERROR)
                return fail(err, ERR_SYSTEM, 0, "the kernel's answer to an address is none");
        *ret_error = -answer.error.error;
        return true;
}

static bool add_bridge_address(const struct network *network, struct in_addr address, struct err *err) {
        int error = 0;
        char text[INET_ADDRSTRLEN];
        struct address_message message = {
                .head = { .nlmsg_len = sizeof message,
                          .nlmsg_type = RTM_NEWADDR,
                          .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE },
                .address = { .ifa_family = AF_INET,
                             .ifa_prefixlen = (unsigned char)network->prefix,
                             .ifa_index = if_nametoindex(RACK_BRIDGE) },
                .local_head = { sizeof(struct rtattr) + sizeof address, IFA_LOCAL },
                .local = address,
                .broadcast_head = { sizeof(struct rtattr) + sizeof address, IFA_BROADCAST },
                .broadcast = { address.s_addr | htonl(~network_mask(network)) },
        };
        if (!ask_kernel(&message, &error, err))
                return false;
        if (error == 0 || error == EEXIST)
                return true;
        inet_ntop(AF_INET, &address, text, sizeof text);
        return fail(err, ERR_SYSTEM, error, "give the bridge the address %s", text);
}

static bool address_bridge(const struct cluster *cluster, struct in_addr address, struct err *err) {
        if (!add_bridge_address(network_with(cluster, address), address, err))
                return false;
        for (size_t i = 0; i < cluster->network_count; i++) {
                const struct network *network = &cluster->networks[i];
                bool is_ours = network->gateway.s_addr && !is_machines(cluster, network->gateway);
                if (is_ours && !add_bridge_address(network, network->gateway, err))
                        return false;
        }
        return true;
}

// Where it cannot be set, machines of different networks do not reach each other; one network needs none.
static void forward_packets(void) {
        auto_close int fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);
        if (fd >= 0)
                (void)!write(fd, "1\n", 2);
}

bool rack_network_make(const struct cluster *cluster, struct in_addr address, struct err *err) {
        auto_close int control = open_control();
        assert(network_with(cluster, address));
        if (control < 0)
                return fail(err, ERR_SYSTEM, errno, "make a socket");
        if (!link_up(control, "lo", err) || !make_bridge(control, err) || !address_bridge(cluster, address, err) ||
            !link_up(control, RACK_BRIDGE, err))
                return false;
        if (cluster->network_count > 1)
                forward_packets();
        return true;
}

// ---- taps ----

static bool make_tap(const char *name, struct err *err) {
        auto_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
        struct ifreq request = request_for(name);
        request.ifr_flags = IFF_TAP | IFF_NO_PI;
        if (fd < 0) {
                fail(err, ERR_SYSTEM, errno, "open /dev/net/tun");
                return hint(err, "machines need taps: the kernel's module `tun` (as root, `modprobe tun`), and in a "
                                 "container the device (docker run --device /dev/net/tun)");
        }
        if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETPERSIST, 1) < 0)
                return fail(err, ERR_SYSTEM, errno, "make the tap %s", name);
        return true;
}

bool rack_network_add_tap(const char *name, struct err *err) {
        auto_close int control = open_control();
        struct ifreq request = request_for(RACK_BRIDGE);
        if (control < 0)
                return fail(err, ERR_SYSTEM, errno, "make a socket");
        if (!make_tap(name, err))
                return false;
        request.ifr_ifindex = (int)if_nametoindex(name);
        bool is_plugged = ioctl(control, SIOCBRADDIF, &request) == 0 || errno == EBUSY; // of a start that failed later
        if (!is_plugged)
                return fail(err, ERR_SYSTEM, errno, "plug %s into the bridge", name);
        return link_up(control, name, err);
}
