// SPDX-License-Identifier: MIT
// Something that happened to a machine on its way from power to work: what DHCP, TFTP and HTTP saw of it, and what it
// said itself. A line of the journal is one of these, as JSON. All texts are bounded and printable: they come from the
// network.
#ifndef KILN_SERVE_BOOT_EVENT_H
#define KILN_SERVE_BOOT_EVENT_H

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

// X(name, JSON, what it means). In the order in which a boot goes; REFUSED and FAILED end it.
#define BOOT_STAGES(X)                                                                                                 \
        X(NONE, "none", "not seen yet")                                                                                \
        X(DHCP, "dhcp", "asked for an address")                                                                        \
        X(LOADER, "loader", "loads its boot loader")                                                                   \
        X(KERNEL, "kernel", "loads its kernel")                                                                        \
        X(INITRD, "initrd", "loads or runs its initrd")                                                                \
        X(ROOT, "root", "loads its root")                                                                              \
        X(HANDOVER, "handover", "has its root, and starts its system")                                                 \
        X(DECIDED, "decided", "knows who it is")                                                                       \
        X(SERVICES, "services", "starts its services")                                                                 \
        X(HEALTHY, "healthy", "works")                                                                                 \
        X(REFUSED, "refused", "refuses to be a node")                                                                  \
        X(FAILED, "failed", "could not go on")

enum boot_stage {
#define X(name, json, meaning) BOOT_##name,
        BOOT_STAGES(X)
#undef X
            BOOT_STAGE_COUNT
};

enum {
        BOOT_MAC_SIZE = 6,
        BOOT_MACS_MAX = 16,
        BOOT_NAME_SIZE = 64,
        BOOT_ID_SIZE = 40,
        BOOT_TEXT_SIZE = 256,
        BOOT_CONSOLE_SIZE = 2048
};

struct boot_event {
        int64_t time_ms; // since 1970
        enum boot_stage stage;
        uint8_t macs[BOOT_MACS_MAX][BOOT_MAC_SIZE];
        size_t mac_count;
        struct in_addr ip;         // 0: not known
        char node[BOOT_NAME_SIZE]; // its name, if it says one
        char role[BOOT_NAME_SIZE];
        char build[BOOT_ID_SIZE];
        char attempt[BOOT_ID_SIZE];    // what the node calls this boot
        char firmware[BOOT_NAME_SIZE]; // "BIOS", "UEFI x86-64", ...
        char uuid[BOOT_ID_SIZE], serial[BOOT_NAME_SIZE];
        char text[BOOT_TEXT_SIZE];       // why, or as whom
        char console[BOOT_CONSOLE_SIZE]; // what it says at length, in lines
        int percent;                     // of the root; -1: not known
        uint32_t xid;                    // of firmware's DHCP, which asks again with the same one; 0: none
        unsigned number;                 // of the boot that begins, where it is not the next one; 0: it is
        bool is_begin;                   // a boot begins, whatever it looks like
        bool is_firmware;                // DHCP of firmware: a boot begins
        bool is_ipxe;                    // of iPXE, which may have been loaded by firmware
        bool is_local;                   // the node's own report, not what a server saw
};

const char *boot_stage_name(enum boot_stage stage);
const char *boot_stage_meaning(enum boot_stage stage);
bool boot_stage_parse(const char *text, enum boot_stage *ret); // false: there is none of that name

// Copies a text that anybody wrote: cut to the room, what is not printable UTF-8 becomes "?".
void boot_text_copy(char *to, size_t room, const char *from);
void boot_lines_copy(char *to, size_t room, const char *from); // newlines stay

// "52:54:00:a8:02:47", with ":" or "-"; false for anything else.
bool boot_mac_parse(const char *text, uint8_t ret[static BOOT_MAC_SIZE]);
void boot_mac_format(const uint8_t mac[static BOOT_MAC_SIZE], char ret[static 18]);
void boot_event_add_mac(struct boot_event *event, const uint8_t mac[static BOOT_MAC_SIZE]); // once each

// A line of the journal, without its newline.
void boot_event_format(const struct boot_event *event, struct buf *ret);
// False for anything else than what boot_event_format() writes.
bool boot_event_parse(const char *line, size_t size, struct boot_event *ret);

int64_t boot_now_ms(void); // since 1970

#endif
