// SPDX-License-Identifier: MIT
#include "firmware/node/facts/hardware.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "firmware/node/devices/sysfs.h"
#include "firmware/node/facts/capacity.h"
#include "firmware/node/facts/udev.h"

enum { ARPHRD_ETHER_TYPE = 1 };

static bool has_entry(const char *directory, const char *name) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", directory, name);
        return access(path, F_OK) == 0;
}

static void read_driver(const char *directory, struct interface *interface) {
        char path[PATH_MAX], target[PATH_MAX];
        snprintf(path, sizeof path, "%s/device/driver", directory);
        ssize_t size = readlink(path, target, sizeof target - 1);
        if (size < 0)
                return;
        target[size] = '\0';
        const char *slash = strrchr(target, '/');
        snprintf(interface->driver, sizeof interface->driver, "%.31s", slash ? slash + 1 : target);
}

// ETHTOOL_GPERMADDR (linux/ethtool.h). False for zeros, too: what has no MAC of its own has those.
static bool ask_permanent_mac(const char *name, struct mac *ret) {
        enum { ADDRESS_SIZE_MAX = 32 }; // the kernel's MAX_ADDR_LEN
        union {
                struct ethtool_perm_addr head;
                uint8_t bytes[sizeof(struct ethtool_perm_addr) + ADDRESS_SIZE_MAX];
        } answer = { .head = { .cmd = ETHTOOL_GPERMADDR, .size = ADDRESS_SIZE_MAX } };
        struct ifreq request = { .ifr_data = (char *)&answer };
        snprintf(request.ifr_name, sizeof request.ifr_name, "%.15s", name);
        auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request) < 0 || answer.head.size != sizeof ret->bytes)
                return false;
        struct mac mac;
        char text[MAC_TEXT_SIZE];
        memcpy(mac.bytes, answer.bytes + sizeof answer.head, sizeof mac.bytes);
        mac_format(&mac, text);
        return mac_parse(text, ret);
}

bool hardware_card_mac(const char *directory, const char *name, hardware_ask_mac *ask, struct mac *ret) {
        char text[64];
        sysfs_read_line(directory, "bonding_slave/perm_hwaddr", text, sizeof text); // since Linux 3.14
        if (mac_parse(text, ret) || (has_entry(directory, "master/bonding") && ask(name, ret)))
                return true;
        sysfs_read_line(directory, "address", text, sizeof text);
        return mac_parse(text, ret);
}

// False for what is no Ethernet card: loopback, bridges, bonds, VLANs, tunnels.
static bool read_interface(const char *name, struct interface *ret, bool *ret_is_virtual) {
        char directory[64 + NAME_MAX], text[64], kind[64];
        snprintf(directory, sizeof directory, "/sys/class/net/%s", name);
        sysfs_read_line(directory, "type", text, sizeof text);
        sysfs_read_line(directory, "uevent", kind, sizeof kind); // its first line is DEVTYPE=, if there is one
        if (atoi(text) != ARPHRD_ETHER_TYPE || strcmp(kind, "DEVTYPE=vlan") == 0 || has_entry(directory, "bridge") ||
            has_entry(directory, "bonding") || has_entry(directory, "tun_flags") || strlen(name) >= sizeof ret->name)
                return false;
        *ret = (struct interface){ 0 };
        memcpy(ret->name, name, strlen(name) + 1);
        if (!hardware_card_mac(directory, name, ask_permanent_mac, &ret->mac))
                return false;
        sysfs_read_line(directory, "ifindex", text, sizeof text);
        ret->index = atoi(text);
        sysfs_read_line(directory, "carrier", text, sizeof text);
        ret->carrier = strcmp(text, "1") == 0;
        read_driver(directory, ret);
        *ret_is_virtual = !has_entry(directory, "device");
        return ret->index > 0;
}

static int by_index(const void *a, const void *b) {
        return ((const struct interface *)a)->index - ((const struct interface *)b)->index;
}

static void read_interfaces(struct facts *facts, bool want_virtual) {
        auto_closedir DIR *directory = opendir("/sys/class/net");
        facts->interface_count = 0;
        for (struct dirent *entry;
             directory && (entry = readdir(directory)) && facts->interface_count < INTERFACES_MAX;) {
                struct interface interface;
                bool is_virtual;
                if (entry->d_name[0] != '.' && read_interface(entry->d_name, &interface, &is_virtual) &&
                    is_virtual == want_virtual)
                        facts->interfaces[facts->interface_count++] = interface;
        }
        qsort(facts->interfaces, facts->interface_count, sizeof *facts->interfaces, by_index);
}

void hardware_read(struct facts *facts) {
        capacity_read(facts);
        read_interfaces(facts, false);
        if (facts->interface_count == 0)
                read_interfaces(facts, true);
        sysfs_read_line("/sys/class/dmi/id", "product_serial", facts->serial, sizeof facts->serial);
        sysfs_read_line("/sys/class/dmi/id", "product_uuid", facts->uuid, sizeof facts->uuid);
        sysfs_read_line("/sys/class/dmi/id", "chassis_asset_tag", facts->asset_tag, sizeof facts->asset_tag);
}

bool hardware_card_is_final(const struct interface *card) {
        assert(card);
        char name[IF_NAMESIZE];
        // In this order: a card may get its name after `card` was read, and before udev was looked at.
        return udev_is_done_with_card(UDEV_RUN, card->index) && if_indextoname((unsigned)card->index, name) &&
               strcmp(name, card->name) == 0;
}

bool hardware_is_settling(const struct facts *facts) {
        if (facts->interface_count == 0 || udev_is_busy(UDEV_RUN))
                return true;
        for (size_t i = 0; i < facts->interface_count; i++)
                if (!hardware_card_is_final(&facts->interfaces[i]))
                        return true;
        return false;
}
