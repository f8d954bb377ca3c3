// SPDX-License-Identifier: MIT
// What the profile says about asking DHCP (node.json, builder/shared/node_config.h).
#ifndef KILN_NODE_INVENTORY_DHCP_SETTINGS_H
#define KILN_NODE_INVENTORY_DHCP_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

// How a machine names itself to servers (option 61). By its MAC, as PXE firmware, iPXE and GRUB do: all that boot on a
// machine are then one client and get one lease. By DUID (RFC 4361) for servers whose reservations are kept by DUID:
// the firmware's lease is then another one.
enum dhcp_id_kind { DHCP_ID_MAC, DHCP_ID_DUID };

// 224..254 (RFC 3942), or sub-option `sub` of option 43 (RFC 2132, 8.4). Code 0: none.
struct dhcp_site_option {
        uint8_t code, sub;
};

struct dhcp_settings {
        int timeout_ms;         // for an answer, counted from the link
        int carrier_timeout_ms; // for the link
        int device_timeout_ms;  // for a card, and for the name that udev gives it
        bool arp_check;         // RFC 5227: is the address in use?
        enum dhcp_id_kind id_kind;
        struct dhcp_site_option node, role, id;
};

// `root` is the document. ERR_SCHEMA with the key that is wrong.
must_check bool dhcp_settings_read(const json_t *root, struct dhcp_settings *ret, struct err *err);

#endif
