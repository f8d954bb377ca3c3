// SPDX-License-Identifier: MIT
#include "base/interrupt.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t received;

static volatile sig_atomic_t held;

static void note_signal(int number) { received = number; }

void interrupt_install(void) {
        // SA_RESETHAND: the second signal has its default action, for whoever cannot wait.
        struct sigaction action = { .sa_handler = note_signal, .sa_flags = SA_RESETHAND };
        sigemptyset(&action.sa_mask);
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGHUP, &action, NULL);
        signal(SIGPIPE, SIG_IGN);
}

void interrupt_hold(bool is_held) { held = is_held; }

bool interrupt_requested(void) { return received != 0 && !held; }

bool interrupt_check(struct err *err) {
        return !interrupt_requested() || fail(err, ERR_INTERRUPTED, 0, "stopped by SIG%s", sigabbrev_np(received));
}
