// SPDX-License-Identifier: MIT
// What only time tells of a boot: lost, slow, and the likely cause.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "serve/boot_state.h"

enum {
        LOST_MS = 300000,      // of silence
        SLOW_FACTOR = 3,       // times the median of its role
        SLOW_SAMPLES = 3,      // that a median needs
        SLOW_LEAST_MS = 20000, // nobody is slow before
        SAMPLES_MAX = 64,
};

struct role_times {
        const char *role;
        int64_t samples[SAMPLES_MAX];
        size_t count;
        int64_t median_ms; // 0: too few
};

// From the first sign to a node that knows who it is.
static int64_t boot_duration(const struct boot_attempt *attempt) {
        int64_t end = attempt->at_ms[BOOT_DECIDED];
        if (end == 0)
                end = attempt->at_ms[BOOT_HEALTHY];
        if (end <= attempt->started_ms)
                return 0;
        return end - attempt->started_ms;
}

// How long a boot took of which only the end was seen, as by a server that was started meanwhile, nobody knows.
static bool was_seen_from_its_beginning(const struct boot_attempt *attempt) {
        for (size_t stage = BOOT_DHCP; stage <= BOOT_INITRD; stage++)
                if (attempt->at_ms[stage] == attempt->started_ms)
                        return true;
        return false;
}

static int compare_times(const void *left, const void *right) {
        int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
        return (a > b) - (a < b);
}

static struct role_times *times_of_role(struct role_times **roles, size_t *count, const char *role) {
        for (size_t i = 0; i < *count; i++)
                if (strcmp((*roles)[i].role, role) == 0)
                        return &(*roles)[i];
        struct role_times *times = array_append(roles, count);
        times->role = role;
        return times;
}

static struct role_times *measure_roles(const struct boot_state *state, size_t *ret_count) {
        struct role_times *roles = NULL;
        *ret_count = 0;
        for (size_t i = 0; i < state->count; i++) {
                const struct boot_machine *machine = state->machines[i];
                for (size_t j = 0; machine->is_known && j < machine->attempt_count; j++) {
                        const struct boot_attempt *attempt = &machine->attempts[j];
                        int64_t duration = boot_duration(attempt);
                        if (duration == 0 || !was_seen_from_its_beginning(attempt))
                                continue;
                        struct role_times *times = times_of_role(&roles, ret_count, machine->role);
                        if (times->count < SAMPLES_MAX)
                                times->samples[times->count++] = duration;
                }
        }
        for (size_t i = 0; i < *ret_count; i++) {
                qsort(roles[i].samples, roles[i].count, sizeof *roles[i].samples, compare_times);
                if (roles[i].count >= SLOW_SAMPLES)
                        roles[i].median_ms = roles[i].samples[roles[i].count / 2];
        }
        return roles;
}

static const char *likely_cause(enum boot_stage stage) {
        switch (stage) {
        case BOOT_DHCP:
                return "it has an address and asks for no loader: firmware without network boot, or TFTP does not pass";
        case BOOT_LOADER:
                return "its loader stands: at a menu, or its card does not work in it";
        case BOOT_KERNEL:
        case BOOT_INITRD:
                return "a slow link to it, or its kernel found no driver for the card";
        case BOOT_ROOT:
                return "a slow link to it: look at the port's speed, duplex and errors";
        case BOOT_HANDOVER:
                return "its system starts slowly: disks, or a DHCP server that it waits for";
        case BOOT_SERVICES:
                return "its services wait for something: other nodes, names, time";
        default:
                return "not known";
        }
}

static bool set_attempt_flags(struct boot_attempt *attempt, bool is_lost, bool is_slow) {
        if (attempt->is_lost == is_lost && attempt->is_slow == is_slow)
                return false;
        attempt->is_lost = is_lost;
        attempt->is_slow = is_slow;
        attempt->cause[0] = '\0';
        if (is_lost || is_slow)
                boot_text_copy(attempt->cause, sizeof attempt->cause, likely_cause(attempt->stage));
        return true;
}

static bool watch_machine(struct boot_machine *machine, const struct role_times *roles, size_t count, int64_t now_ms) {
        struct boot_attempt *attempt = machine->attempts;
        if (!attempt || !machine->is_known)
                return false;
        // Who starts services has decided, and says no more of it than that some have failed (kiln-node(8), STAGES).
        bool is_under_way = attempt->stage <= BOOT_HANDOVER;
        bool is_lost = is_under_way && now_ms - attempt->last_ms > LOST_MS;
        int64_t median_ms = 0, taken_ms = boot_duration(attempt);
        for (size_t i = 0; i < count; i++)
                if (strcmp(roles[i].role, machine->role) == 0)
                        median_ms = roles[i].median_ms;
        if (taken_ms == 0 && attempt->stage < BOOT_DECIDED)
                taken_ms = now_ms - attempt->started_ms;
        bool is_slow = median_ms > 0 && taken_ms > SLOW_LEAST_MS && taken_ms > SLOW_FACTOR * median_ms;
        return set_attempt_flags(attempt, is_lost, is_slow);
}

bool boot_state_tick(struct boot_state *state, int64_t now_ms) {
        assert(state);
        size_t count;
        bool changed = false;
        auto_free struct role_times *roles = measure_roles(state, &count);
        for (size_t i = 0; i < state->count; i++)
                if (watch_machine(state->machines[i], roles, count, now_ms)) {
                        state->machines[i]->version = ++state->version;
                        changed = true;
                }
        return changed;
}
