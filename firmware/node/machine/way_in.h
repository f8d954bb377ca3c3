// SPDX-License-Identifier: MIT
// Whether anybody can log in to a machine: an image without keys and passwords comes up like any other, and its console
// is the one place that can say so.
#ifndef KILN_NODE_MACHINE_WAY_IN_H
#define KILN_NODE_MACHINE_WAY_IN_H

#include <stdbool.h>

// True if no user has a password, and none an authorized_keys file with a line in it, and nothing else is seen that
// knows users (sssd, an AuthorizedKeysCommand of sshd). What cannot be read is no reason to say so.
bool way_in_is_missing(int root);

#endif
