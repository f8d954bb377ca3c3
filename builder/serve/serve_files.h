// SPDX-License-Identifier: MIT
// The state directory: what dnsmasq reads there, and where TFTP finds builds.
//
//     dhcp.conf, tftp.conf, hosts     dnsmasq's
//     leases                          dnsmasq's own
//     tftp/<build id>                 links to builds that machines were or are given
//     journal, lock                   journal.h
#ifndef KILN_SERVE_SERVE_FILES_H
#define KILN_SERVE_SERVE_FILES_H

#include "base/err.h"
#include "serve/dnsmasq_config.h"
#include "serve/served_builds.h"

// --state, $STATE_DIRECTORY (systemd.exec(5)), /var/lib/kiln/serve/CLUSTER for root, or
// $XDG_STATE_HOME/kiln/serve/CLUSTER; heap, absolute.
char *serve_state_dir(const char *option, const char *cluster);

// Makes the directory, mode 0755 with nothing secret but the journal in it, and links of earlier runs go. REFERENCE for
// one that holds anything else: it is somebody's, and is left as it is.
must_check bool serve_files_open(const char *path, int *ret_dir, struct err *err);

// A link for TFTP to a build.
must_check bool serve_files_link(int dir, const struct served_builds *builds, const char *id, struct err *err);

// Writes the files for dnsmasq. `config_changed` becomes true if the DHCP server must be started anew, `hosts_changed`
// if it must read its hosts, also where a later file cannot be written; neither ever becomes false.
must_check bool serve_files_write(int dir, const char *path, const struct dnsmasq_config *config, bool *config_changed,
                                  bool *hosts_changed, struct err *err);

#endif
