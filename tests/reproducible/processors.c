// SPDX-License-Identifier: MIT
// For LD_PRELOAD: a machine of seven processors.
#define _GNU_SOURCE
#include <sched.h>

int sched_getaffinity(pid_t process, size_t size, cpu_set_t *set) {
        (void)process;
        CPU_ZERO_S(size, set);
        for (int i = 0; i < 7; i++)
                CPU_SET_S(i, size, set);
        return 0;
}
