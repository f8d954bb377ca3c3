// SPDX-License-Identifier: MIT
// Loads kernel modules in the initrd, in one process: busybox modprobe reads depmod's tables again for each of a
// hundred devices. Reads DIR/modules.dep and DIR/modules.alias (modules.dep(5)), uncompressed modules only. Parameters
// come from the kernel command line, MODULE.NAME=VALUE, as modprobe(8) does it.
#ifndef KILN_NODE_DEVICES_MODULE_LOAD_H
#define KILN_NODE_DEVICES_MODULE_LOAD_H

#include "base/err.h"

// What devices are for. STORAGE leaves out drivers of network cards, NETWORK those of disks. MEDIUM is STORAGE without
// waiting for what the drivers find (0.5 s for an empty IDE channel): the caller listens to uevents.
enum module_kind { MODULES_ALL, MODULES_STORAGE, MODULES_NETWORK, MODULES_MEDIUM };

struct modules; // the tables, read once

must_check bool modules_open(enum module_kind kind, struct modules **ret, struct err *err);
void modules_close(struct modules *modules); // NULL too
// What the devices below /sys/bus ask for by their modalias, again as long as new devices show up. A module that is
// built in, absent or refused by the kernel is no error: what needs it will say so.
void modules_load_drivers(struct modules *modules);
// What one device asks for.
void modules_load_alias(struct modules *modules, const char *alias);

// By name, with what they depend on.
must_check bool modules_load(char *const *names, int count, struct err *err);
// modules_load_drivers() by itself.
must_check bool modules_load_for_devices(enum module_kind kind, struct err *err);

#endif
