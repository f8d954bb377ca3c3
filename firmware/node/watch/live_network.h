// SPDX-License-Identifier: MIT
// Whether the network is what was decided: links, addresses and default routes as the kernel has them.
#ifndef KILN_NODE_WATCH_LIVE_NETWORK_H
#define KILN_NODE_WATCH_LIVE_NETWORK_H

#include "base/buf.h"
#include "firmware/node/network/network_record.h"

enum { LIVE_ADDRESSES_MAX = 256, LIVE_ROUTES_MAX = 64 };

// What is there, of all interfaces.
struct live_network {
        struct live_address {
                char link[INTERFACE_NAME_SIZE];
                struct address address;
                int prefix;
        } addresses[LIVE_ADDRESSES_MAX];
        size_t address_count;
        struct live_route { // default routes of IPv4
                char link[INTERFACE_NAME_SIZE];
                uint32_t gateway;
        } routes[LIVE_ROUTES_MAX];
        size_t route_count;
        struct live_link {
                char name[INTERFACE_NAME_SIZE];
                struct mac mac; // zeros: none
                bool is_up, has_carrier;
        } links[INTERFACES_MAX];
        size_t link_count;
};

// This machine's. Bounded; what does not fit is left out. ERR_SYSTEM.
must_check bool live_network_read(struct live_network *ret, struct err *err);

enum network_fault {
        NETWORK_RIGHT,
        NETWORK_UNPLUGGED, // no cable: nothing here can mend it
        NETWORK_WRONG,     // the network service did not do what it was told, or was not told
};

// The first thing that is not as it was decided, in words for the operator, the cause before its consequences.
enum network_fault live_network_compare(const struct network_record *record, const struct live_network *live,
                                        struct buf *ret_text);

#endif
