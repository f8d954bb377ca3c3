// SPDX-License-Identifier: MIT
// Serving needs three capabilities and no root: ports below 1024 (NET_BIND_SERVICE), and for DHCP the ARP table and
// ping (NET_ADMIN, NET_RAW). They are handed on to dnsmasq as ambient ones (capabilities(7)), so that it can be started
// again.
#ifndef KILN_HTTP_PRIVILEGES_H
#define KILN_HTTP_PRIVILEGES_H

#include "base/err.h"

// Root becomes a user for good, with nothing but those capabilities; `dir` and what lies in it become that user's.
// `user` NULL: "dnsmasq", or else "nobody"; "root" stays what it is. A plain user keeps what he has. Before any thread
// begins. REFERENCE if there is no such user.
must_check bool privileges_drop(const char *user, int dir, struct err *err);

// Root becomes the owner of the directory for good, without any capability, where that is somebody else. A plain user,
// and root in a directory of its own, stay who they are. Before any thread begins.
must_check bool privileges_become_owner(int dir, struct err *err);

#endif
