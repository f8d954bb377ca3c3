// SPDX-License-Identifier: MIT
#include "firmware/node/facts/machine.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "base/buf.h"
#include "firmware/node/cmdline/cmdline.h"
#include "firmware/node/facts/capacity.h"
#include "firmware/node/root/root.h"
#include "firmware/node/state/state.h"
#include "shared/node_config.h"

enum { ISSUE_MAX = 1 << 20, ARPHRD_ETHER_TYPE = 1 };

int64_t machine_now_ms(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool read_command_line(struct machine *machine, const char *path, struct err *err) {
        auto_close int fd = open(path ? path : "/proc/cmdline", O_RDONLY | O_CLOEXEC);
        auto_buf text = { .max = 2 * CMDLINE_MAX + 16384 };
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path ? path : "/proc/cmdline");
        if (!buf_read_fd(&text, fd, err))
                return wrap(err, "the kernel command line");
        machine->facts.command_line = arena_strdup(&machine->arena, buf_text(&text));
        return true;
}

static bool read_templates(struct machine *machine, struct err *err) {
        const struct inventory *inventory = &machine->inventory;
        machine->facts.template_texts = arena_alloc(&machine->arena, inventory->template_count * sizeof(char *));
        for (size_t i = 0; i < inventory->template_count; i++) {
                const char *source = inventory->templates[i].source;
                auto_buf text = { .max = NODE_TEMPLATE_MAX_BYTES + NODE_READ_ROOM_BYTES };
                bool found;
                if (!root_read(machine->root, source, &text, &found, err))
                        return false;
                if (!found)
                        return fail(err, ERR_REFERENCE, 0, "%s: the template of %s is missing", source,
                                    inventory->templates[i].path);
                if (memchr(buf_text(&text), '\0', text.size))
                        return fail(err, ERR_TEMPLATE, 0, "%s: holds a NUL byte", source);
                machine->facts.template_texts[i] = arena_strdup(&machine->arena, buf_text(&text));
        }
        return true;
}

static bool read_issue(struct machine *machine, struct err *err) {
        auto_buf text = { .max = ISSUE_MAX };
        bool found;
        if (!root_read(machine->root, "/etc/issue", &text, &found, err))
                return false;
        machine->facts.issue = found ? arena_strdup(&machine->arena, buf_text(&text)) : NULL;
        return true;
}

bool machine_open(const char *root, const char *command_line_file, struct machine *ret, struct err *err) {
        *ret = (struct machine){ .root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
        if (ret->root < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", root);
        auto_buf config = { .max = NODE_JSON_MAX_BYTES + NODE_READ_ROOM_BYTES };
        bool found;
        if (!root_read(ret->root, "/etc/kiln/node.json", &config, &found, err))
                return false;
        if (!found)
                return fail(err, ERR_REFERENCE, 0, "/etc/kiln/node.json is missing: this is no image of kiln");
        if (!inventory_read(buf_text(&config), config.size, &ret->arena, &ret->inventory, err))
                return wrap(err, "/etc/kiln/node.json");
        ret->facts.inventory = &ret->inventory;
        return read_templates(ret, err) && read_issue(ret, err) &&
               state_read(ret->root, &ret->inventory.state, &ret->arena, &ret->facts.state, err) &&
               read_command_line(ret, command_line_file, err);
}

void machine_release(struct machine *machine) {
        if (machine->root >= 0)
                close(machine->root);
        arena_release(&machine->arena);
        *machine = (struct machine){ .root = -1 };
}

// ---- /sys ----

// The first line of an attribute, without blanks at its end and without control bytes; "" if it cannot be read.
static void read_attribute(const char *directory, const char *name, char *ret, size_t size) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", directory, name);
        ret[0] = '\0';
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t got = fd < 0 ? -1 : read(fd, ret, size - 1);
        if (got < 0)
                got = 0;
        ret[got] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
        for (size_t end = strlen(ret); end > 0 && isspace((unsigned char)ret[end - 1]); end--)
                ret[end - 1] = '\0';
        for (char *at = ret; *at; at++)
                if (!isprint((unsigned char)*at))
                        *at = '?';
}

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

bool machine_card_mac(const char *directory, const char *name, machine_ask_mac *ask, struct mac *ret) {
        char text[64];
        read_attribute(directory, "bonding_slave/perm_hwaddr", text, sizeof text); // since Linux 3.14
        if (mac_parse(text, ret) || (has_entry(directory, "master/bonding") && ask(name, ret)))
                return true;
        read_attribute(directory, "address", text, sizeof text);
        return mac_parse(text, ret);
}

// False for what is no Ethernet card: loopback, bridges, bonds, VLANs, tunnels.
static bool read_interface(const char *name, struct interface *ret, bool *ret_is_virtual) {
        char directory[64 + NAME_MAX], text[64], kind[64];
        snprintf(directory, sizeof directory, "/sys/class/net/%s", name);
        read_attribute(directory, "type", text, sizeof text);
        read_attribute(directory, "uevent", kind, sizeof kind); // its first line is DEVTYPE=, if there is one
        if (atoi(text) != ARPHRD_ETHER_TYPE || strcmp(kind, "DEVTYPE=vlan") == 0 || has_entry(directory, "bridge") ||
            has_entry(directory, "bonding") || has_entry(directory, "tun_flags") || strlen(name) >= sizeof ret->name)
                return false;
        *ret = (struct interface){ 0 };
        memcpy(ret->name, name, strlen(name) + 1);
        if (!machine_card_mac(directory, name, ask_permanent_mac, &ret->mac))
                return false;
        read_attribute(directory, "ifindex", text, sizeof text);
        ret->index = atoi(text);
        read_attribute(directory, "carrier", text, sizeof text);
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

void machine_read_hardware(struct facts *facts) {
        capacity_read(facts);
        read_interfaces(facts, false);
        if (facts->interface_count == 0)
                read_interfaces(facts, true);
        read_attribute("/sys/class/dmi/id", "product_serial", facts->serial, sizeof facts->serial);
        read_attribute("/sys/class/dmi/id", "product_uuid", facts->uuid, sizeof facts->uuid);
        read_attribute("/sys/class/dmi/id", "chassis_asset_tag", facts->asset_tag, sizeof facts->asset_tag);
}

static bool udev_is_running(void) { return access("/run/udev/control", F_OK) == 0; }

bool machine_interface_is_final(int index) {
        char path[64];
        snprintf(path, sizeof path, "/run/udev/data/n%d", index);
        return !udev_is_running() || access(path, F_OK) == 0;
}

bool machine_udev_is_busy(void) { return udev_is_running() && access("/run/udev/queue", F_OK) == 0; }

bool machine_is_settling(const struct facts *facts) {
        if (facts->interface_count == 0 || machine_udev_is_busy())
                return true;
        for (size_t i = 0; i < facts->interface_count; i++)
                if (!machine_interface_is_final(facts->interfaces[i].index))
                        return true;
        return false;
}
