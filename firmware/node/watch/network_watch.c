// SPDX-License-Identifier: MIT
#include "firmware/node/watch/network_watch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/node/dhcp/dhcp_arp.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/facts/udev.h"
#include "firmware/node/watch/live_network.h"
#include "firmware/node/watch/system_services.h"

enum { LOOK_MS = 250, UDEV_ANSWER_MS = 15000, GATEWAY_PAUSE_MS = 1000 };

// ---- gateways ----

static const struct live_link *live_link_named(const struct live_network *live, const char *name) {
        for (size_t i = 0; i < live->link_count; i++)
                if (strcmp(live->links[i].name, name) == 0)
                        return &live->links[i];
        return NULL;
}

static uint32_t first_ipv4(const struct record_link *link) {
        for (size_t i = 0; i < link->address_count; i++) {
                const uint8_t *b = link->addresses[i].address.bytes;
                if (link->addresses[i].address.family == 4)
                        return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        }
        return 0;
}

static bool gateway_answers(const struct facts *facts, const struct record_link *link, const struct live_link *live) {
        struct interface interface = { .mac = live->mac, .index = (int)if_nametoindex(live->name) };
        memcpy(interface.name, live->name, sizeof interface.name);
        bool answers = false;
        auto_err ignored = { 0 };
        return interface.index > 0 && arp_ask(facts, &interface, first_ipv4(link), link->gateway, &answers, &ignored) &&
               answers;
}

static bool check_gateway(const struct facts *facts, const struct record_link *link, const struct live_network *live,
                          struct err *err) {
        const struct live_link *card = live_link_named(live, link->name);
        int64_t start = clock_now_ms();
        char text[ADDRESS_TEXT_SIZE];
        if (!link->gateway || !card)
                return true;
        while (!gateway_answers(facts, link, card)) {
                if (clock_now_ms() - start >= GATEWAY_WAIT_MS) {
                        address_format(link->gateway, text);
                        return fail(err, ERR_NETWORK, 0, "the gateway %s does not answer ARP on %s", text, link->name);
                }
                usleep(GATEWAY_PAUSE_MS * 1000);
        }
        return true;
}

static bool check_gateways(const struct facts *facts, const struct network_record *record,
                           const struct live_network *live, struct err *err) {
        for (size_t i = 0; i < record->link_count; i++)
                if (!check_gateway(facts, &record->links[i], live, err))
                        return false;
        return true;
}

// ---- repairs ----

static void set_down(const char *name) {
        struct ifreq request = { 0 };
        snprintf(request.ifr_name, sizeof request.ifr_name, "%.15s", name);
        auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
                return;
        request.ifr_flags = (short)(request.ifr_flags & ~IFF_UP);
        (void)ioctl(fd, SIOCSIFFLAGS, &request);
}

// The kernel announces the card once more.
static void announce_card(const char *name) {
        char path[64];
        snprintf(path, sizeof path, "/sys/class/net/%.15s/uevent", name);
        auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0)
                (void)!write(fd, "add", 3);
}

static void wait_for_udev(int index) {
        int64_t start = clock_now_ms();
        do
                usleep(LOOK_MS * 1000);
        while (!udev_is_done_with_card(UDEV_RUN, index) && clock_now_ms() - start < UDEV_ANSWER_MS);
}

// A card that udev could not name, because it was up or the event was lost, is none for networkd. It has no address
// that setting it down could take.
static void give_cards_to_udev(const struct network_record *record, const struct live_network *live) {
        for (size_t i = 0; i < record->link_count; i++)
                for (size_t j = 0; j < live->link_count; j++) {
                        const char *name = live->links[j].name;
                        int index = (int)if_nametoindex(name);
                        bool is_it = record->links[i].is_card && mac_equal(&live->links[j].mac, &record->links[i].mac);
                        if (!is_it || index <= 0 || udev_is_done_with_card(UDEV_RUN, index))
                                continue;
                        set_down(name);
                        announce_card(name);
                        wait_for_udev(index);
                }
}

static void repair(const struct network_record *record, const struct live_network *live, const char *fault,
                   void (*tell)(const char *text)) {
        auto_buf text = { 0 };
        auto_err err = { 0 };
        buf_printf(&text, "kiln-node: the network is not what was decided: %s; trying to repair it\n", fault);
        tell(buf_text(&text));
        give_cards_to_udev(record, live);
        if (services_decide_again(record->writer, &err))
                return;
        buf_clear(&text);
        buf_printf(&text, "kiln-node: the repair failed: %s\n", err.text);
        tell(buf_text(&text));
}

bool network_watch(int root, const struct facts *facts, void (*tell)(const char *text), int *ret_repairs,
                   struct err *err) {
        assert(facts && tell && ret_repairs);
        auto_free struct network_record *record = xcalloc(1, sizeof *record);
        auto_free struct live_network *live = xcalloc(1, sizeof *live);
        int64_t start = clock_now_ms(), next_repair_ms = NETWORK_REPAIR_MS;
        for (*ret_repairs = 0;;) {
                auto_buf fault = { 0 };
                if (!network_record_read(root, record, err) || !live_network_read(live, err))
                        return false;
                enum network_fault kind = live_network_compare(record, live, &fault);
                if (kind == NETWORK_RIGHT)
                        return check_gateways(facts, record, live, err);
                int64_t waited_ms = clock_now_ms() - start;
                if (waited_ms >= NETWORK_GIVE_UP_MS)
                        return fail(err, ERR_NETWORK, 0, "the network is not what was decided: %s", buf_text(&fault));
                if (kind == NETWORK_WRONG && waited_ms >= next_repair_ms) {
                        repair(record, live, buf_text(&fault), tell);
                        ++*ret_repairs;
                        next_repair_ms = clock_now_ms() - start + ((int64_t)NETWORK_REPAIR_MS << *ret_repairs);
                }
                usleep(LOOK_MS * 1000);
        }
}
