// SPDX-License-Identifier: MIT
// How large the machine is, and how much of it the cluster may hand out: the values of node.machine.* in templates.
#ifndef KILN_NODE_FACTS_CAPACITY_H
#define KILN_NODE_FACTS_CAPACITY_H

#include "firmware/node/facts/facts.h"

// 2^20 bytes and processors; 0: unknown.
struct capacity {
        unsigned memory_mb, cpus;
        unsigned task_memory_mb, task_cpus; // without the reserve; at least half the memory, and one processor
};

// Into facts->memory_kb and facts->cpus: MemTotal of /proc/meminfo (proc(5)), never what is free at the moment, which
// the page cache makes small; and the processors that are online.
void capacity_read(struct facts *facts);

// What is left of the machine besides `reserve_memory_mb` and `reserve_cpus`, which the role keeps for itself.
struct capacity capacity_of(const struct facts *facts, unsigned reserve_memory_mb, unsigned reserve_cpus);

#endif
