// SPDX-License-Identifier: MIT
// A machine that was refused looks again when a card or a link appears, and from time to time whether DHCP knows it
// now: of many machines that boot at once one may have been refused because its driver was late.
#ifndef KILN_NODE_RECONSIDER_H
#define KILN_NODE_RECONSIDER_H

#include "base/err.h"

// Returns when the machine is somebody and systemd was told to decide again and to start what is missing; or, with
// *ret_accepted false, when it must stay refused since another machine has its address. `tell` gets a line on either.
// `root` and `command_line`: as in machine_open(). It goes on for as long as the machine is refused.
must_check bool reconsider(const char *root, const char *command_line, void (*tell)(const char *text),
                           bool *ret_accepted, struct err *err);

#endif
