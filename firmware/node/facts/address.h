// SPDX-License-Identifier: MIT
// IPv4 addresses in host byte order (0: none), prefixes (-1: not given) and Ethernet addresses, as text and as values.
#ifndef KILN_NODE_FACTS_ADDRESS_H
#define KILN_NODE_FACTS_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

enum { ADDRESS_TEXT_SIZE = 16, MAC_TEXT_SIZE = 18 };

struct mac {
        uint8_t bytes[6];
};

// An address of either family, bytes in network order; an IPv4 address is in the first four.
struct address {
        uint8_t family; // 0: none, 4 or 6
        uint8_t bytes[16];
};

// Dotted quad only: no octal, no short forms. False leaves `ret` alone.
bool address_parse(const char *text, uint32_t *ret);
void address_format(uint32_t address, char ret_text[static ADDRESS_TEXT_SIZE]);

// "24" or "255.255.255.0" (contiguous, 1..32).
bool prefix_parse(const char *text, int *ret);
bool prefix_of_mask(uint32_t mask, int *ret);
uint32_t mask_of_prefix(int prefix);
bool address_in_subnet(uint32_t address, uint32_t subnet, int prefix);
// Whether a host may have it: not 0.x, not loopback, not multicast or reserved.
bool address_is_host(uint32_t address);
// Nor the subnet's own or its broadcast address. Prefixes 31 (RFC 3021) and 32 have neither; -1: not known.
bool address_is_host_of(uint32_t address, int prefix);

// IPv6 as inet_pton(3) has it (no zone), into `ret` with family 6; and of either family.
bool address6_parse(const char *text, struct address *ret);
bool address_parse_any(const char *text, struct address *ret);
enum { ADDRESS_ANY_TEXT_SIZE = 46 };
void address_format_any(const struct address *address, char ret_text[static ADDRESS_ANY_TEXT_SIZE]); // "" for none
struct address address_of_ipv4(uint32_t address);
uint32_t ipv4_of_address(const struct address *address); // of family 4
bool address_equal(const struct address *a, const struct address *b);
bool prefix6_parse(const char *text, int *ret); // 1..128

// Six hex pairs joined by ':' or '-'; all zeros and group addresses are refused.
bool mac_parse(const char *text, struct mac *ret);
void mac_format(const struct mac *mac, char ret_text[static MAC_TEXT_SIZE]); // lower case, colons
bool mac_equal(const struct mac *a, const struct mac *b);

// What a network interface may be called here: at most 15 letters, digits and "._-@", no '-' first. The kernel allows
// more, which no shell file such as ifcfg could carry.
bool interface_name_is_valid(const char *text);

// RFC 1123 labels of letters, digits and '-', joined by dots, at most 64 bytes (HOST_NAME_MAX).
bool hostname_is_valid(const char *text);
// Whether `text` is `name`, or `name` followed by a domain; letters' case does not matter.
bool hostname_names(const char *text, const char *name);

#endif
