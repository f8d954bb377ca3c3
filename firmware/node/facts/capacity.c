// SPDX-License-Identifier: MIT
#include "firmware/node/facts/capacity.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

void capacity_read(struct facts *facts) {
        auto_fclose FILE *file = fopen("/proc/meminfo", "re");
        char line[256];
        unsigned long long kilobytes;
        facts->memory_kb = 0;
        while (file && facts->memory_kb == 0 && fgets(line, sizeof line, file))
                if (sscanf(line, "MemTotal: %llu kB", &kilobytes) == 1)
                        facts->memory_kb = kilobytes;
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        facts->cpus = 0;
        if (cpus > 0)
                facts->cpus = (unsigned)cpus;
}

static unsigned less(unsigned all, unsigned reserve, unsigned at_least) {
        if (all > reserve && all - reserve > at_least)
                return all - reserve;
        return at_least;
}

struct capacity capacity_of(const struct facts *facts, unsigned reserve_memory_mb, unsigned reserve_cpus) {
        uint64_t memory_mb = facts->memory_kb / 1024;
        struct capacity capacity = { .memory_mb = memory_mb > INT_MAX ? INT_MAX : (unsigned)memory_mb,
                                     .cpus = facts->cpus };
        capacity.task_memory_mb = less(capacity.memory_mb, reserve_memory_mb, capacity.memory_mb / 2);
        capacity.task_cpus = less(capacity.cpus, reserve_cpus, capacity.cpus > 0);
        return capacity;
}
