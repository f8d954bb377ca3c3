// SPDX-License-Identifier: MIT
// The serial port that boot loaders speak on: the one that the kernel is told to.
#ifndef KILN_ARTEFACT_SERIAL_CONSOLE_H
#define KILN_ARTEFACT_SERIAL_CONSOLE_H

#include <stdbool.h>

#include "base/strings.h"

struct serial_console {
        bool is_used;
        bool is_said;  // by a console= of the kernel's, and not what loaders have where nothing is said
        unsigned port; // 0 to 3: ttyS0 to ttyS3; else an I/O port
        unsigned speed;
        char parity; // 'n', 'o' or 'e'
        int bits;    // 7 or 8
};

// Of the last console= that is a serial port. Without any console= it is ttyS0 at 115200; other consoles alone, a port
// that no loader knows by its number, or a speed that a PC's port has not: none.
struct serial_console serial_console_of(const struct strings *arguments);

#endif
