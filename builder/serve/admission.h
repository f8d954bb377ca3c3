// SPDX-License-Identifier: MIT
// How many roots are sent at once. More than the uplink can feed make each other slow: all end late instead of some
// early. Who is turned away is asked to come back, and goes before those who come later; nobody waits for ever. No
// clock and no network in here. Not safe for several threads.
#ifndef KILN_SERVE_ADMISSION_H
#define KILN_SERVE_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct admission_waiter {
        uint32_t client; // IPv4 address
        int64_t first_ms, seen_ms;
};

struct admission {
        unsigned limit, active;           // limit 0: everybody
        unsigned slow;                    // transfers that hardly use the uplink, and hold no place
        uint64_t rate;                    // bytes a second of the uplink; 0: not known
        uint64_t typical_bytes;           // of a transfer, a moving mean
        struct admission_waiter *waiters; // the one who waits longest first
        size_t waiter_count;
        uint64_t refused; // in all
};

// `bits` a second, 0 if not known; `transfers` 0: derived from it, or without a limit if that is not known either.
void admission_setup(struct admission *admission, uint64_t bits, unsigned transfers);
void admission_release(struct admission *admission);

// Whether a client may begin now. If so, the caller ends it with admission_end(). If not, `*ret_retry_s` says when to
// come back. `must` is a client that cannot come back, such as a boot loader: it is always let in.
bool admission_begin(struct admission *admission, uint32_t client, bool must, uint64_t bytes, int64_t now_ms,
                     unsigned *ret_retry_s);
void admission_end(struct admission *admission);
// A transfer gives its place up, or, having become faster, counts again.
void admission_slow(struct admission *admission, bool is_slow);
uint64_t admission_share(const struct admission *admission); // bytes a second that a place should get; 0: not known

#endif
