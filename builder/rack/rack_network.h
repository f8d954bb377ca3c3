// SPDX-License-Identifier: MIT
// The cable of a rack: one bridge in the rack's network namespace, to which every card of every machine is plugged, and
// which has this side's address in each of the cluster's networks.
#ifndef KILN_RACK_RACK_NETWORK_H
#define KILN_RACK_RACK_NETWORK_H

#include <netinet/in.h>

#include "base/err.h"
#include "profile/profile.h"

#define RACK_BRIDGE "rack"

// Where the machines find kiln serve: the host of report_url or http_base if it is an address of a network of the
// cluster, else the gateway of the first node's network, else its highest free address. CLUSTER: none is free.
must_check bool rack_network_address(const struct cluster *cluster, struct in_addr *ret, struct err *err);

// Makes the bridge. Its first address is `address`; it takes the networks' gateways too, unless a node has them, and
// routes between the networks. SYSTEM.
must_check bool rack_network_make(const struct cluster *cluster, struct in_addr address, struct err *err);

// Makes a tap of that name and plugs it in. It stays when the machine that uses it ends.
must_check bool rack_network_add_tap(const char *name, struct err *err);

#endif
