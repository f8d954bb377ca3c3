// SPDX-License-Identifier: MIT
#include "serve/dnsmasq_log.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/build_id.h"

enum { ARCH_DIGITS = 5, ARCH_EFI_IA32 = 6 };

const char *boot_arch_name(int arch) {
        switch (arch) {
        case 0:
                return "BIOS";
        case ARCH_EFI_IA32:
                return "UEFI ia32";
        case 7:
        case 9:
                return "UEFI x86-64";
        case 16:
                return "UEFI x86-64 HTTP";
        case -1:
                return "";
        default:
                return "other firmware";
        }
}

// ---- files ----

static bool path_ends_with(const char *text, const char *end) {
        size_t size = strlen(text), end_size = strlen(end);
        return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

enum boot_stage boot_file_stage(const char *path) {
        static const struct {
                const char *end;
                enum boot_stage stage;
        } files[] = {
                { "/vmlinuz", BOOT_KERNEL },       { "/initrd.img", BOOT_INITRD }, { "/config.cpio", BOOT_INITRD },
                { "/rootfs.squashfs", BOOT_ROOT }, { "/kiln.efi", BOOT_KERNEL },   { ".ipxe", BOOT_LOADER },
                { ".kpxe", BOOT_LOADER },          { ".efi", BOOT_LOADER },        { "/pxelinux.0", BOOT_LOADER },
                { ".c32", BOOT_LOADER },           { "/grub.cfg", BOOT_LOADER },   { "/here.cfg", BOOT_LOADER },
                { "/default", BOOT_LOADER },
        };
        for (size_t i = 0; i < lengthof(files); i++)
                if (path_ends_with(path, files[i].end))
                        return files[i].stage;
        if (strstr(path, "/pxelinux.cfg/"))
                return BOOT_LOADER;
        return BOOT_NONE;
}

// The build's id in a path, as a whole part of it.
static void find_build(const char *path, char *to, size_t room) {
        for (const char *part = path; part; part = strchr(part, '/')) {
                part += strspn(part, "/");
                size_t size = strcspn(part, "/");
                bool is_id = size == BUILD_ID_SIZE - 1 && strspn(part, "0123456789abcdef") == size;
                if (!is_id || size >= room)
                        continue;
                memcpy(to, part, size);
                to[size] = '\0';
                return;
        }
}

// ---- lines ----

// Moves on behind `word`, if the text begins with it.
static bool skip_word(const char **at, const char *word) {
        size_t size = strlen(word);
        if (strncmp(*at, word, size) != 0)
                return false;
        *at += size;
        return true;
}

static bool skip_address(const char **at, struct in_addr *ret) {
        char text[INET_ADDRSTRLEN] = "";
        size_t size = strspn(*at, "0123456789.");
        if (size == 0 || size >= sizeof text)
                return false;
        memcpy(text, *at, size);
        *at += size + (size_t)((*at)[size] == ' ');
        return inet_pton(AF_INET, text, ret) == 1;
}

static bool skip_mac(const char **at, struct boot_event *event) {
        char text[18] = "";
        uint8_t mac[BOOT_MAC_SIZE];
        size_t size = strcspn(*at, " ");
        if (size != sizeof text - 1)
                return false;
        memcpy(text, *at, size);
        if (!boot_mac_parse(text, mac))
                return false;
        *at += size + (size_t)((*at)[size] == ' ');
        boot_event_add_mac(event, mac);
        return true;
}

// Behind "DHCPACK", "(br0) ".
static bool skip_interface(const char **at) {
        const char *end = strstr(*at, ") ");
        if (**at != '(' || !end)
                return false;
        *at = end + 2;
        return true;
}

static void take_vendor_class(struct dnsmasq_log *log, const char *class) {
        const char *arch = strstr(class, ":Arch:");
        log->is_firmware = strncmp(class, "PXEClient", 9) == 0 || strncmp(class, "HTTPClient", 10) == 0;
        if (log->is_firmware && arch && strspn(arch + 6, "0123456789") == ARCH_DIGITS)
                log->arch = atoi(arch + 6);
}

static void describe_client(const struct dnsmasq_log *log, struct boot_event *event) {
        event->is_firmware = log->is_firmware && !log->is_ipxe;
        event->is_ipxe = log->is_ipxe;
        if (event->is_firmware)
                event->xid = log->xid;
        boot_text_copy(event->firmware, sizeof event->firmware, boot_arch_name(log->arch));
        if (log->arch == ARCH_EFI_IA32)
                boot_text_copy(event->text, sizeof event->text, "32-bit UEFI firmware: kiln has no loader for it");
}

static bool dhcp_event(const struct dnsmasq_log *log, const char *at, struct boot_event *event) {
        event->stage = BOOT_DHCP;
        describe_client(log, event);
        if (skip_word(&at, "DHCPACK"))
                return skip_interface(&at) && skip_address(&at, &event->ip) && skip_mac(&at, event);
        if (skip_word(&at, "PXE"))
                return skip_interface(&at) && skip_mac(&at, event);
        if (!skip_word(&at, "DHCPDISCOVER") || !skip_interface(&at))
                return false;
        // An address that it wishes for may stand before the MAC.
        struct in_addr wish;
        const char *before = at;
        if (!skip_address(&at, &wish))
                at = before;
        if (!skip_mac(&at, event))
                return false;
        if (skip_word(&at, "no address") || skip_word(&at, "ignored"))
                boot_text_copy(event->text, sizeof event->text, "no address: the inventory does not know this card");
        return true;
}

static bool dhcp_line(struct dnsmasq_log *log, const char *at, struct boot_event *event) {
        char *end = NULL;
        unsigned long xid = strtoul(at, &end, 10);
        if (end == at || *end != ' ')
                return false;
        at = end + 1;
        if (log->xid != xid || skip_word(&at, "available DHCP"))
                *log = (struct dnsmasq_log){ .xid = (uint32_t)xid, .arch = -1 };
        if (skip_word(&at, "vendor class: "))
                take_vendor_class(log, at);
        else if (skip_word(&at, "user class: "))
                log->is_ipxe |= strcmp(at, "iPXE") == 0;
        else
                return dhcp_event(log, at, event);
        return false;
}

static bool tftp_line(const char *at, struct boot_event *event) {
        bool is_sent = skip_word(&at, "sent ");
        if (!is_sent && !skip_word(&at, "file "))
                return false;
        const char *separator = " not found for ";
        if (is_sent)
                separator = " to ";
        const char *end = strstr(at, separator);
        if (!end)
                return false;
        auto_free char *path = xstrndup(at, (size_t)(end - at));
        at = end + strlen(separator);
        event->stage = boot_file_stage(path);
        find_build(path, event->build, sizeof event->build);
        return is_sent && event->stage != BOOT_NONE && skip_address(&at, &event->ip);
}

bool dnsmasq_log_line(struct dnsmasq_log *log, const char *line, int64_t now_ms, struct boot_event *ret) {
        assert(log && line && ret);
        struct boot_event event = { .time_ms = now_ms, .percent = -1 };
        const char *text = strstr(line, "]: ");
        if (!text)
                return false;
        text += 3;
        bool is_event = false;
        if (strncmp(line, "dnsmasq-dhcp[", 13) == 0)
                is_event = dhcp_line(log, text, &event);
        else if (strncmp(line, "dnsmasq-tftp[", 13) == 0)
                is_event = tftp_line(text, &event);
        if (is_event)
                *ret = event;
        return is_event;
}
