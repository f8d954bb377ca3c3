// SPDX-License-Identifier: MIT
// kiln-node's own service and the network's, started anew by systemd after what they go by has changed.
#ifndef KILN_NODE_WATCH_SYSTEM_SERVICES_H
#define KILN_NODE_WATCH_SYSTEM_SERVICES_H

#include "base/buf.h"
#include "base/err.h"

// Decides anew who the machine is, and lets the network service read what came of it. `writer`: a network_writer's
// name. Waits for both. ERR_TOOL.
must_check bool services_decide_again(const char *writer, struct err *err);

// Starts what the boot's target wants and is not running yet; does not wait.
must_check bool services_start_missing(struct err *err);

// The units that failed, a blank between two names. False: systemd did not say.
must_check bool services_list_failed(struct buf *ret);

#endif
