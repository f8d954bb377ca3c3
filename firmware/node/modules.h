// Loads kernel modules in the initrd, in one process: busybox modprobe reads depmod's tables again for each of a
// hundred devices. Reads DIR/modules.dep and DIR/modules.alias (modules.dep(5)), uncompressed modules only.
#ifndef KILN_NODE_MODULES_H
#define KILN_NODE_MODULES_H

#include "base/err.h"

// By name, with what they depend on. One that is built in, absent or refused by the kernel is no error: what needs it
// will say so.
must_check bool modules_load(char *const *names, int count, struct err *err);

// What the devices below /sys/bus ask for by their modalias, again as long as new devices show up.
must_check bool modules_load_for_devices(struct err *err);

#endif
