// SPDX-License-Identifier: MIT
// DHCP as firmware, iPXE and kiln-node ask it (RFC 2131, PXE 2.1, RFC 4578), in whole Ethernet frames.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "tests/paper/paper.h"

enum {
        ETHERNET_SIZE = 14,
        IP_SIZE = 20,
        UDP_SIZE = 8,
        BOOTP_AT = ETHERNET_SIZE + IP_SIZE + UDP_SIZE,
        OPTIONS_AT = BOOTP_AT + 240,
        FRAME_MAX = 1514,
        FRAME_LEAST = BOOTP_AT + 300,
        RECEIVE_BYTES = 32 << 20,
};

static const uint8_t cookie[] = { 0x63, 0x82, 0x53, 0x63 };

int packet_open(const char *interface) {
        const int bytes = RECEIVE_BYTES, on = 1;
        struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                       .sll_protocol = htons(ETH_P_IP),
                                       .sll_ifindex = (int)if_nametoindex(interface) };
        int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP));
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
                die("open %s for packets: %s", interface, strerror(errno));
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
        (void)setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
        return fd;
}

static void put16(uint8_t *at, unsigned value) {
        at[0] = (uint8_t)(value >> 8);
        at[1] = (uint8_t)value;
}

static uint8_t *put_option(uint8_t *at, uint8_t code, const void *data, size_t size) {
        *at++ = code;
        *at++ = (uint8_t)size;
        memcpy(at, data, size);
        return at + size;
}

static uint8_t *put_firmware_options(uint8_t *at, const struct question *question) {
        static const uint8_t asked[] = { 1, 3, 6, 12, 15, 28, 43, 60, 66, 67, 97, 128, 129, 150, 175 };
        static const uint8_t undi[] = { 1, 3, 16 }, ipxe[] = { 1, 1, 2 };
        uint8_t arch[2], uuid[17] = { 0 };
        const char *class = "PXEClient";
        char text[NAME_ROOM];
        if (question->arch == ARCH_EFI_HTTP && question->client == CLIENT_FIRMWARE)
                class = "HTTPClient";
        int size = snprintf(text, sizeof text, "%s:Arch:%05u:UNDI:003016", class, question->arch);
        put16(arch, question->arch);
        memcpy(uuid + 11, question->mac, MAC_SIZE);
        at = put_option(at, 55, asked, sizeof asked);
        at = put_option(at, 60, text, (size_t)size);
        at = put_option(at, 93, arch, sizeof arch);
        at = put_option(at, 94, undi, sizeof undi);
        at = put_option(at, 97, uuid, sizeof uuid);
        if (question->client != CLIENT_IPXE)
                return at;
        at = put_option(at, 77, "iPXE", 4);
        return put_option(at, 175, ipxe, sizeof ipxe);
}

static uint8_t *put_options(uint8_t *at, const struct question *question) {
        static const uint8_t asked[] = { 1, 121, 3, 6, 12, 15, 26, 51, 58, 59, 119 };
        uint8_t type = (uint8_t)question->type, id[7] = { 1 };
        at = put_option(at, 53, &type, 1);
        if (question->type == DHCP_REQUEST) {
                at = put_option(at, 50, &question->wanted, 4);
                at = put_option(at, 54, &question->server, 4);
        }
        if (question->client == CLIENT_NODE) {
                memcpy(id + 1, question->mac, MAC_SIZE);
                at = put_option(at, 61, id, sizeof id);
                at = put_option(at, 60, "kiln", 4);
                at = put_option(at, 55, asked, sizeof asked);
        } else {
                at = put_firmware_options(at, question);
        }
        *at++ = 255;
        return at;
}

static void put_bootp(uint8_t *bootp, const struct question *question) {
        bootp[0] = 1; // BOOTREQUEST
        bootp[1] = 1; // Ethernet
        bootp[2] = MAC_SIZE;
        memcpy(bootp + 4, &question->xid, 4);
        put16(bootp + 10, 0x8000); // answer by broadcast: there is no address yet
        memcpy(bootp + 28, question->mac, MAC_SIZE);
        memcpy(bootp + 236, cookie, sizeof cookie);
}

// RFC 791; the checksum of UDP may be 0.
static void put_headers(uint8_t *frame, const uint8_t *mac, size_t size) {
        uint8_t *ip = frame + ETHERNET_SIZE, *udp = ip + IP_SIZE;
        uint32_t sum = 0;
        memset(frame, 0xff, MAC_SIZE);
        memcpy(frame + MAC_SIZE, mac, MAC_SIZE);
        put16(frame + 12, ETH_P_IP);
        ip[0] = 0x45;
        put16(ip + 2, (unsigned)(size - ETHERNET_SIZE));
        ip[8] = 64;
        ip[9] = IPPROTO_UDP;
        memset(ip + 16, 0xff, 4);
        for (size_t i = 0; i < IP_SIZE; i += 2)
                sum += (uint32_t)ip[i] << 8 | ip[i + 1];
        sum = (sum & 0xffff) + (sum >> 16);
        put16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
        put16(udp, 68);
        put16(udp + 2, 67);
        put16(udp + 4, (unsigned)(size - ETHERNET_SIZE - IP_SIZE));
}

void packet_send(int fd, const struct question *question) {
        uint8_t frame[FRAME_MAX] = { 0 };
        put_bootp(frame + BOOTP_AT, question);
        size_t size = (size_t)(put_options(frame + OPTIONS_AT, question) - frame);
        size = size_max(size, FRAME_LEAST);
        put_headers(frame, question->mac, size);
        if (question->is_never_lost || !is_chance(options.loss_percent))
                (void)!send(fd, frame, size, MSG_NOSIGNAL); // what is lost is sent again
}

// ---- answers ----

static void take_text(char *to, size_t room, const uint8_t *from, size_t size) {
        size = size_min(size, room - 1);
        memcpy(to, from, size);
        to[size] = '\0';
}

static void take_option(struct answer *answer, uint8_t code, const uint8_t *data, size_t size) {
        if (code == 53 && size == 1)
                answer->type = data[0];
        else if (code == 54 && size == 4)
                memcpy(&answer->server, data, 4);
        else if (code == 12)
                take_text(answer->host_name, sizeof answer->host_name, data, size);
        else if (code == 67)
                take_text(answer->boot_file, sizeof answer->boot_file, data, size);
}

static bool parse_answer(const uint8_t *frame, size_t size, struct answer *ret) {
        struct answer answer = { 0 };
        const uint8_t *bootp = frame + BOOTP_AT;
        bool is_ours = size > OPTIONS_AT && frame[ETHERNET_SIZE] == 0x45 && frame[ETHERNET_SIZE + 9] == IPPROTO_UDP &&
                       frame[ETHERNET_SIZE + IP_SIZE + 3] == 68 && bootp[0] == 2 &&
                       memcmp(bootp + 236, cookie, sizeof cookie) == 0;
        if (!is_ours)
                return false;
        memcpy(&answer.xid, bootp + 4, 4);
        memcpy(&answer.ip, bootp + 16, 4);
        take_text(answer.boot_file, sizeof answer.boot_file, bootp + 108, strnlen((const char *)bootp + 108, 128));
        for (size_t at = OPTIONS_AT; at + 1 < size && frame[at] != 255;) {
                if (frame[at] == 0) {
                        at++;
                        continue;
                }
                size_t length = frame[at + 1];
                if (at + 2 + length > size)
                        return false;
                take_option(&answer, frame[at], frame + at + 2, length);
                at += 2 + length;
        }
        *ret = answer;
        return true;
}

bool packet_receive(int fd, struct answer *ret, bool *ret_is_answer) {
        uint8_t frame[FRAME_MAX];
        ssize_t size = recv(fd, frame, sizeof frame, 0);
        if (size < 0)
                return false;
        *ret_is_answer = parse_answer(frame, (size_t)size, ret) && !is_chance(options.loss_percent);
        return true;
}
