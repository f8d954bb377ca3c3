// SPDX-License-Identifier: MIT
// The machine's consoles: an operator looks at one of them, and rarely at the one that the kernel prefers.
#ifndef KILN_NODE_DEVICES_CONSOLE_H
#define KILN_NODE_DEVICES_CONSOLE_H

// Writes the text on every console but the preferred one, /dev/console, which standard output goes to. A console that
// cannot be written to is left out.
void console_show_on_others(const char *text);

#endif
