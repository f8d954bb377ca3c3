// SPDX-License-Identifier: MIT
// dnsmasq's configuration (dnsmasq(8), 2.90), made of the inventory. What is pure text here is started in
// dnsmasq_child.c.
#ifndef KILN_SERVE_DNSMASQ_CONFIG_H
#define KILN_SERVE_DNSMASQ_CONFIG_H

#include "base/buf.h"
#include "base/err.h"
#include "serve/serve_place.h"

// What the build that machines get offers to firmware.
struct boot_files {
        char build[32]; // its id, a directory below the TFTP root and the URL
        bool has_pxelinux, has_undionly, has_shim, has_grub, has_ipxe_efi;
};

struct dnsmasq_config {
        const struct cluster *cluster;
        const struct serve_place *place;
        const struct boot_files *files;
        enum serve_dhcp dhcp;
        const char *state_dir; // absolute
};

// Whether a path or a name means itself in the configuration, where quotes, commas, "#" and control characters mean
// something else; USAGE if not. `what` is what it is, `option` gives another one.
must_check bool dnsmasq_check_value(const char *what, const char *value, const char *option, struct err *err);

// Appends the DHCP server's configuration. `hosts_file`: where dnsmasq finds the hosts, which it reads anew upon
// SIGHUP; NULL: they are lines of the configuration.
void dnsmasq_dhcp_config(const struct dnsmasq_config *config, const char *hosts_file, struct buf *ret);
// The hosts, a line each, as dhcp-hostsfile takes them; `prefix` stands before each.
void dnsmasq_hosts(const struct cluster *cluster, const char *prefix, struct buf *ret);
// The TFTP server's, which is a process of its own: it goes on with what it sends when the other one starts anew.
void dnsmasq_tftp_config(const struct dnsmasq_config *config, const char *root, struct buf *ret);

// All in one, for those who run dnsmasq themselves.
void dnsmasq_print_config(const struct dnsmasq_config *config, const char *root, struct buf *ret);

#endif
