// SPDX-License-Identifier: MIT
// Text of servers, firmware, command lines and disks on its way to people: consoles, /etc/issue, the report.
#ifndef KILN_NODE_FACTS_TEXT_SHOWN_H
#define KILN_NODE_FACTS_TEXT_SHOWN_H

#include "base/buf.h"

// Appends `text` with "?" for every byte that is no printable UTF-8 (escape sequences of terminals, C1 control
// characters, bare bytes), and each of its lines but the first indented, so that none looks like one of kiln's own.
void facts_append_shown(struct buf *ret, const char *text);

#endif
