// SPDX-License-Identifier: MIT
// How units, cards and addresses are written, and in which form two of them are compared.
#ifndef KILN_PROFILE_READER_NAMES_H
#define KILN_PROFILE_READER_NAMES_H

#include <netinet/in.h>
#include <stdbool.h>

#include "base/mem.h"

const char *unit_name(struct arena *arena, const char *name);  // with its suffix: "sshd" is "sshd.service"
const char *lower_text(struct arena *arena, const char *text); // "" for NULL

bool mac_read(const char *text, unsigned char ret[static 6]); // six hexadecimal pairs joined by ':' or '-'
const char *mac_text(struct arena *arena, const unsigned char mac[static 6]);

// "fd00:1::/64", 1 to 128; bits behind the prefix are left.
bool ipv6_subnet_read(const char *text, struct in6_addr *ret, int *ret_prefix);
bool ipv6_in_subnet(const struct in6_addr *address, const struct in6_addr *subnet, int prefix);
bool ipv6_is_link_local(const struct in6_addr *address);
const char *ipv6_text(struct arena *arena, const char *text); // as inet_ntop(3) writes it; "" for no address

struct in_addr prefix_mask(int prefix);                                // 24 -> 255.255.255.0
const char *in_addr_text(struct arena *arena, struct in_addr address); // "" for 0

#endif
