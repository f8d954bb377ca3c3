// SPDX-License-Identifier: MIT
// What bond= and the inventory say of a bond, in one form.
#include <assert.h>
#include <stdio.h>

#include "firmware/node/network/network_internal.h"

#define MIIMON_STANDARD "miimon=100" // without a monitor a bond never leaves a dead link

static bool append_bond_option(char *text, const char *name, const char *value) {
        size_t size = strlen(text);
        const char *separator = "";
        if (size > 0)
                separator = ",";
        int added = snprintf(text + size, BOND_OPTIONS_SIZE - size, "%s%s=%s", separator, name, value);
        return added > 0 && size + (size_t)added < BOND_OPTIONS_SIZE;
}

bool bond_options_normalise(const char *options, const char *what, char ret[static BOND_OPTIONS_SIZE],
                            struct err *err) {
        assert(options && what);
        struct bond_option option;
        bool has_monitor = false, fits = true;
        ret[0] = '\0';
        while (bond_option_next(&options, &option)) {
                if (!bond_option_is_known(option.name))
                        return fail(err, ERR_IDENTITY, 0, "bond %s: the bonding driver has no option \"%s\"", what,
                                    option.name);
                const char *value = bond_option_value(&option);
                if (!value)
                        return fail(err, ERR_IDENTITY, 0, "bond %s: option %s cannot be \"%s\"", what, option.name,
                                    option.value);
                has_monitor |= strcmp(option.name, "miimon") == 0 || strcmp(option.name, "arp_interval") == 0;
                fits &= append_bond_option(ret, option.name, value);
        }
        if (!has_monitor) {
                const char *monitor = MIIMON_STANDARD;
                fits &= bond_option_next(&monitor, &option) && append_bond_option(ret, option.name, option.value);
        }
        return fits || fail(err, ERR_IDENTITY, 0, "bond %s: its options are too long", what);
}
