// SPDX-License-Identifier: MIT
// Facts from a file instead of from a machine.
#ifndef KILN_NODE_MACHINE_FACTS_JSON_H
#define KILN_NODE_MACHINE_FACTS_JSON_H

#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "firmware/node/facts/facts.h"

// `kiln-node plan --facts FILE`: {"command_line", "config_drive" (kiln.conf's text), "config_device", "dhcp_asked",
// "interfaces": [{"name","mac","carrier","driver"}], "leases":
// [{"interface","mac","address","prefix","server","router",
// "dns":[],"search":[],"routes":[{"to":"10.0.0.0/8","gateway"}],"domain","mtu","lease_s","hostname","node","role","id"}],
// "serial", "uuid", "asset_tag", "memory_kb", "cpus", "state" (state.h)}. What is absent is left as it was; a lease's
// MAC is its interface's; leases mean that DHCP was asked. Strings are the arena's. ERR_SYNTAX, and ERR_SCHEMA with the
// place, also for a key that is unknown.
must_check bool facts_read_json(const char *text, size_t size, struct arena *arena, struct facts *facts,
                                struct err *err);

#endif
