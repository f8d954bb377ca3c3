// SPDX-License-Identifier: MIT
// What dnsmasq 2.90 logs with log-dhcp and log-facility=-, as events:
//
//     dnsmasq-dhcp[PID]: XID vendor class: PXEClient:Arch:00007:UNDI:003016
//     dnsmasq-dhcp[PID]: XID user class: iPXE
//     dnsmasq-dhcp[PID]: XID DHCPDISCOVER(br0) 52:54:00:a8:02:99 no address available
//     dnsmasq-dhcp[PID]: XID DHCPACK(br0) 192.168.2.71 52:54:00:a8:02:47 master101
//     dnsmasq-dhcp[PID]: XID PXE(br0) 52:54:00:a8:02:47 proxy
//     dnsmasq-tftp[PID]: sent /PATH to 192.168.2.71
//     dnsmasq-tftp[PID]: file /PATH not found for 192.168.2.71
//
// The lines of a packet follow each other. Machines write parts of them: nothing is believed but the forms above.
#ifndef KILN_SERVE_DNSMASQ_LOG_H
#define KILN_SERVE_DNSMASQ_LOG_H

#include "serve/boot_event.h"

// What is known of the packet whose lines are being read.
struct dnsmasq_log {
        uint32_t xid;
        int arch; // -1: it said none
        bool is_firmware, is_ipxe;
};

// False: the line tells of no event. `now_ms` is the event's time.
bool dnsmasq_log_line(struct dnsmasq_log *log, const char *line, int64_t now_ms, struct boot_event *ret);

// What an architecture (RFC 4578) is called; "" for -1.
const char *boot_arch_name(int arch);

// The stage that a file of a build belongs to, from its path below the build; BOOT_NONE: to none.
enum boot_stage boot_file_stage(const char *path);

#endif
