// SPDX-License-Identifier: MIT
#include "serve/vip_watch.h"

#include <assert.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "serve/boot_event.h"

enum { ROUND_MS = 5000, LISTEN_MS = 1000, ETHERNET_SIZE = 14, ARP_SIZE = 28, ANSWERS_MAX = 1000 };
enum { AT_OPERATION = 20, AT_SENDER_MAC = 22, AT_SENDER_IP = 28, AT_TARGET_IP = 38 };

static const unsigned char ipv4_over_ethernet[] = { 0, 1, 8, 0, VIP_MAC_SIZE, 4 };

void vip_watch_open(struct vip_watch *watch, const struct serve_place *place) {
        assert(watch && place);
        struct ifreq request = { 0 };
        watch->fd = -1;
        auto_close int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETHERTYPE_ARP));
        if (fd < 0)
                return;
        struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                       .sll_protocol = htons(ETHERTYPE_ARP),
                                       .sll_ifindex = (int)if_nametoindex(place->interface) };
        memcpy(request.ifr_name, place->interface, sizeof request.ifr_name);
        if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0 ||
            request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
                return;
        memcpy(watch->mac, request.ifr_hwaddr.sa_data, sizeof watch->mac);
        watch->address = place->address;
        watch->fd = take_fd(fd);
}

void vip_watch_close(struct vip_watch *watch) {
        close_cleanup(&watch->fd);
        watch->fd = -1;
        free(watch->vips);
        watch->vips = NULL;
        watch->count = 0;
}

void vip_watch_take(struct vip_watch *watch, const struct cluster *cluster) {
        assert(watch && cluster);
        struct watched_vip *vips = xcalloc(cluster->vip_count + 1, sizeof *vips);
        for (size_t i = 0; i < cluster->vip_count; i++) {
                for (size_t j = 0; j < watch->count; j++)
                        if (watch->vips[j].ip.s_addr == cluster->vips[i].ip.s_addr)
                                vips[i] = watch->vips[j];
                vips[i].ip = cluster->vips[i].ip;
        }
        free(watch->vips);
        watch->vips = vips;
        watch->count = cluster->vip_count;
}

// ---- ARP ----

static void ask_arp(const struct vip_watch *watch, struct in_addr ip) {
        unsigned char frame[ETHERNET_SIZE + ARP_SIZE] = { 0 };
        memset(frame, 0xff, VIP_MAC_SIZE);
        memcpy(frame + VIP_MAC_SIZE, watch->mac, VIP_MAC_SIZE);
        frame[12] = ETHERTYPE_ARP >> 8;
        frame[13] = ETHERTYPE_ARP & 0xff;
        memcpy(frame + ETHERNET_SIZE, ipv4_over_ethernet, sizeof ipv4_over_ethernet);
        frame[AT_OPERATION + 1] = ARPOP_REQUEST;
        memcpy(frame + AT_SENDER_MAC, watch->mac, VIP_MAC_SIZE);
        memcpy(frame + AT_SENDER_IP, &watch->address, sizeof watch->address);
        memcpy(frame + AT_TARGET_IP, &ip, sizeof ip);
        (void)!send(watch->fd, frame, sizeof frame, 0);
}

bool arp_answer(const unsigned char *frame, size_t size, struct in_addr *ret_ip, uint8_t ret_mac[static VIP_MAC_SIZE]) {
        assert(frame && ret_ip);
        if (size < ETHERNET_SIZE + ARP_SIZE || frame[AT_OPERATION] != 0 || frame[AT_OPERATION + 1] != ARPOP_REPLY ||
            memcmp(frame + ETHERNET_SIZE, ipv4_over_ethernet, sizeof ipv4_over_ethernet) != 0)
                return false;
        memcpy(ret_mac, frame + AT_SENDER_MAC, VIP_MAC_SIZE);
        memcpy(ret_ip, frame + AT_SENDER_IP, sizeof *ret_ip);
        return true;
}

static void note_owner(struct watched_vip *vip, const uint8_t mac[static VIP_MAC_SIZE]) {
        for (size_t i = 0; i < vip->heard_count; i++)
                if (memcmp(vip->heard[i], mac, VIP_MAC_SIZE) == 0)
                        return;
        if (vip->heard_count < VIP_OWNERS_MAX)
                memcpy(vip->heard[vip->heard_count++], mac, VIP_MAC_SIZE);
}

// What comes outside of a round is read, too, and dropped: the socket holds no old answers for the next one.
static void hear_answers(struct vip_watch *watch) {
        unsigned char frame[128];
        ssize_t size;
        for (int i = 0; i < ANSWERS_MAX && (size = recv(watch->fd, frame, sizeof frame, MSG_DONTWAIT)) > 0; i++) {
                struct in_addr ip;
                uint8_t mac[VIP_MAC_SIZE];
                if (!watch->is_round || !arp_answer(frame, (size_t)size, &ip, mac))
                        continue;
                for (size_t j = 0; j < watch->count; j++)
                        if (watch->vips[j].ip.s_addr == ip.s_addr)
                                note_owner(&watch->vips[j], mac);
        }
}

// ---- rounds ----

static int compare_macs(const void *left, const void *right) { return memcmp(left, right, VIP_MAC_SIZE); }

static bool end_round(struct vip_watch *watch) {
        bool changed = false;
        for (size_t i = 0; i < watch->count; i++) {
                struct watched_vip *vip = &watch->vips[i];
                qsort(vip->heard, vip->heard_count, VIP_MAC_SIZE, compare_macs);
                bool is_same = vip->owner_count == vip->heard_count &&
                               memcmp(vip->owners, vip->heard, vip->heard_count * VIP_MAC_SIZE) == 0;
                changed |= !is_same;
                memcpy(vip->owners, vip->heard, sizeof vip->owners);
                vip->owner_count = vip->heard_count;
        }
        watch->is_round = false;
        return changed;
}

static bool begin_round(struct vip_watch *watch, const struct cluster *cluster) {
        bool is_first = false;
        for (size_t i = 0; i < watch->count; i++) {
                struct watched_vip *vip = &watch->vips[i];
                const struct network *network = serve_place_network(cluster, vip->ip);
                vip->heard_count = 0;
                if (!network || network != serve_place_network(cluster, watch->address))
                        continue;
                is_first |= vip->asked_ms == 0;
                vip->asked_ms = boot_now_ms();
                ask_arp(watch, vip->ip);
        }
        watch->is_round = true;
        return is_first;
}

bool vip_watch_tick(struct vip_watch *watch, const struct cluster *cluster, int64_t now_ms) {
        assert(watch && cluster);
        bool changed = false;
        if (watch->fd < 0 || watch->count == 0)
                return false;
        hear_answers(watch);
        if (watch->is_round && now_ms - watch->round_ms >= LISTEN_MS)
                changed = end_round(watch);
        if (!watch->is_round && (watch->round_ms == 0 || now_ms - watch->round_ms >= ROUND_MS)) {
                changed |= begin_round(watch, cluster);
                watch->round_ms = now_ms;
        }
        return changed;
}
