// SPDX-License-Identifier: MIT
// The one network of a first cluster: its subnet, who has which address in it, and what is left.
#ifndef KILN_INIT_INIT_NETWORK_H
#define KILN_INIT_INIT_NETWORK_H

#include <netinet/in.h>

#include "base/err.h"
#include "init/host_lists.h"
#include "init/init.h"

struct init_network {
        struct in_addr subnet;
        int prefix;
        struct in_addr gateway;
        struct in_addr vip; // kept free; 0: the machines of a list have all, and none needs one
        const char *pool;   // "FIRST-LAST" of DHCP, or NULL
};

// Machines of a list keep their addresses; others get one and a MAC address. ERR_USAGE for an option, or where no
// address is left; ERR_SCHEMA for a machine of the list.
must_check bool init_network_plan(struct arena *arena, const struct init_options *options, struct hosts *hosts,
                                  struct init_network *ret, struct err *err);

#endif
