// SPDX-License-Identifier: MIT
// The options of Linux's bonding driver (Documentation/networking/bonding.rst) as text, "mode=802.3ad,miimon=100": what
// there is, what each may be, and what systemd.netdev(5) calls it. Shared with kiln-node.
#ifndef KILN_SHARED_BOND_H
#define KILN_SHARED_BOND_H

#include <stdbool.h>
#include <stddef.h>

enum { BOND_OPTIONS_SIZE = 256, BOND_MEMBERS_MAX = 8 };

struct bond_option {
        char name[32], value[128]; // several targets are separated by ';'
};

// The next option; false at the end. `*at` begins at the text.
bool bond_option_next(const char **at, struct bond_option *ret);

extern const char *const bond_modes[]; // ends with NULL

bool bond_option_is_known(const char *name);
const char *bond_option_name(size_t index); // NULL: there are no more
// Its value with the driver's numbers as names; NULL: it cannot have that one. The option must be known.
const char *bond_option_value(const struct bond_option *option);
// `value` with ';' replaced, into a buffer of at least its size.
void bond_value_join(const char *value, char with, char *ret);
// What systemd.netdev(5) calls an option, "%sms" or the like for its value; NULL: it has none.
const char *bond_option_networkd(const char *name, const char **ret_format);

#endif
