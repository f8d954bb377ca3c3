// SPDX-License-Identifier: MIT
// What the options of an answer say (RFC 2132 and those named below), read into a lease. Pure.
//
// An option that comes in pieces is joined (RFC 3396), over the options field, then `file` and `sname` where option 52
// says so; one of fixed size that is repeated must say the same each time. An option whose value makes no sense is
// taken as absent, except for those without which the answer cannot be trusted: type, server and mask.
//
//     1       mask: contiguous
//     3       routers: the first that is a host of the subnet. One outside it is not taken, since no host can reach it;
//             servers that mean it say so by option 121, with a route on the link to it
//     6       name servers: those that are host addresses, at most DNS_MAX
//     12      host name (RFC 1123), or of one that is longer than 64 bytes the first label; if there is none, the first
//             label of option 81's (RFC 4702)
//     15      domain, else the rest of option 81's name
//     26      MTU, 68 at least
//     51      lease time
//     119     search list (RFC 3397); compression pointers lead backwards or the list is not taken;
//             a name that is none by RFC 1123 is left out
//     121     routes (RFC 3442); if it is there, routers are not looked at. 249 is read where 121 is absent. Bits
//     beyond
//             the prefix are cleared; routes on the link come first in the lease; a route whose gateway is neither in
//             the subnet nor on such a route is left out
//     site    node (a host name), role (a name), id (an integer of 1, 2 or 4 bytes, 1..255)
//
// Options 82 (relay agents') and all others are ignored.
#ifndef KILN_NODE_DHCP_DHCP_OPTIONS_H
#define KILN_NODE_DHCP_DHCP_OPTIONS_H

#include "firmware/node/dhcp/dhcp_packet.h"

enum dhcp_option {
        OPTION_PAD = 0,
        OPTION_MASK = 1,
        OPTION_ROUTER = 3,
        OPTION_DNS = 6,
        OPTION_HOSTNAME = 12,
        OPTION_DOMAIN = 15,
        OPTION_MTU = 26,
        OPTION_VENDOR = 43,
        OPTION_REQUESTED = 50,
        OPTION_LEASE_TIME = 51,
        OPTION_OVERLOAD = 52,
        OPTION_TYPE = 53,
        OPTION_SERVER = 54,
        OPTION_WANTED = 55,
        OPTION_MESSAGE_SIZE = 57,
        OPTION_RENEWAL = 58,
        OPTION_REBINDING = 59,
        OPTION_VENDOR_CLASS = 60,
        OPTION_CLIENT_ID = 61,
        OPTION_FQDN = 81,
        OPTION_SEARCH = 119,
        OPTION_ROUTES = 121,
        OPTION_ROUTES_MICROSOFT = 249,
        OPTION_END = 255
};

// The areas of a message that hold options; they point into it.
struct dhcp_options {
        struct {
                const uint8_t *data;
                size_t size;
        } areas[3];
        size_t count;
};

// Adds an area. False if an option in it runs over its end.
bool dhcp_options_add(struct dhcp_options *options, const uint8_t *data, size_t size);

// The pieces of an option, joined; -1 if it is absent.
int dhcp_options_get(const struct dhcp_options *options, uint8_t code, uint8_t ret[static DHCP_FRAME_MAX]);
// An option of `width` 1, 2 or 4 bytes in network order. False if it is absent, of another size, or contradicts itself.
bool dhcp_options_number(const struct dhcp_options *options, uint8_t code, size_t width, uint32_t *ret);

// RFC 1123 labels, 253 bytes at most; a dot at the end is cut off.
bool dhcp_is_domain(char *text);

// False if the address is no host's, or the mask is none.
bool dhcp_options_lease(const struct dhcp_options *options, uint32_t address, const struct dhcp_settings *settings,
                        struct lease *ret);

#endif
