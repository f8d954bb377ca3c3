// SPDX-License-Identifier: MIT
#include "firmware/node/dhcp/dhcp_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "firmware/node/dhcp/dhcp_packet.h"

enum { SOCKETS_MAX = 2 * INTERFACES_MAX };

// Everything but unfragmented UDP to port 68 stays in the kernel. The IP header is at offset 0 (SOCK_DGRAM).
static struct sock_filter filter_code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 6),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP_CLIENT_PORT, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
};

static void request_of(const struct interface *interface, struct ifreq *ret) {
        *ret = (struct ifreq){ 0 };
        memcpy(ret->ifr_name, interface->name, sizeof interface->name);
}

static bool set_interface_up(const struct interface *interface, int fd, struct err *err) {
        struct ifreq request;
        request_of(interface, &request);
        if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
                return fail(err, ERR_SYSTEM, errno, "read the flags of %s", interface->name);
        if (request.ifr_flags & IFF_UP)
                return true;
        request.ifr_flags |= IFF_UP;
        if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
                return fail(err, ERR_SYSTEM, errno, "set %s up", interface->name);
        return true;
}

static uint16_t protocol_of(enum dhcp_io_kind kind) {
        if (kind == DHCP_IO_ARP)
                return htons(ETH_P_ARP);
        return htons(ETH_P_IP);
}

bool dhcp_io_open(enum dhcp_io_kind kind, const struct interface *interface, int *ret_fd, struct err *err) {
        auto_close int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open a packet socket");
        struct sock_fprog filter = { lengthof(filter_code), filter_code };
        int one = 1;
        bool filtered =
            kind != DHCP_IO_UDP || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
        if (!filtered || setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof one) < 0)
                return fail(err, ERR_SYSTEM, errno, "set up a packet socket");
        if (!set_interface_up(interface, fd, err))
                return false;
        struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                       .sll_protocol = protocol_of(kind),
                                       .sll_ifindex = interface->index };
        if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
                return fail(err, ERR_SYSTEM, errno, "listen on %s", interface->name);
        *ret_fd = take_fd(fd);
        return true;
}

bool dhcp_io_send(enum dhcp_io_kind kind, int fd, const struct interface *interface, const void *packet, size_t size,
                  struct err *err) {
        struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                       .sll_protocol = protocol_of(kind),
                                       .sll_ifindex = interface->index,
                                       .sll_halen = 6 };
        memset(address.sll_addr, 0xff, 6);
        if (sendto(fd, packet, size, 0, (struct sockaddr *)&address, sizeof address) < 0)
                return fail(err, ERR_NETWORK, errno, "send on %s", interface->name);
        return true;
}

// The kernel calls a frame of a VLAN that has no interface PACKET_OTHERHOST, like one to another station.
static bool is_for_this_station(const struct sockaddr_ll *from) {
        return from->sll_pkttype == PACKET_HOST || from->sll_pkttype == PACKET_BROADCAST;
}

size_t dhcp_io_receive(int fd, void *packet, size_t size, bool *ret_checksum_pending) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
        } control = { 0 };
        struct sockaddr_ll from = { 0 };
        struct iovec vector = { packet, size };
        struct tpacket_auxdata data;
        ssize_t got;
        do {
                struct msghdr message = { .msg_name = &from,
                                          .msg_namelen = sizeof from,
                                          .msg_iov = &vector,
                                          .msg_iovlen = 1,
                                          .msg_control = &control,
                                          .msg_controllen = sizeof control };
                got = recvmsg(fd, &message, MSG_DONTWAIT);
                data = (struct tpacket_auxdata){ 0 };
                struct cmsghdr *item = NULL;
                if (got > 0)
                        item = CMSG_FIRSTHDR(&message);
                if (item && item->cmsg_level == SOL_PACKET && item->cmsg_type == PACKET_AUXDATA)
                        memcpy(&data, CMSG_DATA(item), sizeof data);
        } while (got > 0 && !is_for_this_station(&from));
        *ret_checksum_pending = (data.tp_status & TP_STATUS_CSUMNOTREADY) != 0;
        if (got < 0)
                return 0;
        return (size_t)got;
}

bool dhcp_io_carrier(const struct interface *interface) {
        auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request;
        request_of(interface, &request);
        return fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING);
}

void dhcp_io_wait(const int *fds, size_t count, int timeout_ms) {
        struct pollfd polls[SOCKETS_MAX];
        count = size_min(count, SOCKETS_MAX);
        for (size_t i = 0; i < count; i++)
                polls[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
        poll(polls, count, timeout_ms);
}

int64_t dhcp_io_now_ms(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// getrandom(2) is younger than EL7's kernel.
uint32_t dhcp_io_random(void) {
        uint32_t number = 0;
        auto_close int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, &number, sizeof number) != sizeof number)
                number = (uint32_t)dhcp_io_now_ms() * 2654435761u ^ (uint32_t)getpid();
        return number;
}
