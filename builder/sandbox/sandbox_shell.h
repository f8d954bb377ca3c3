// SPDX-License-Identifier: MIT
// A program of a root at the user's terminal, in the container that scriptlets have.
#ifndef KILN_SANDBOX_SANDBOX_SHELL_H
#define KILN_SANDBOX_SANDBOX_SHELL_H

#include <stdbool.h>

#include "base/err.h"

struct sandbox_shell {
        int root; // becomes "/": a mount that is attached nowhere, used once
        const char *host_name;
        const char *const *argv; // NULL-terminated; looked up in the root's usual places
        bool has_network;        // the host's; otherwise none
};

// Runs it, after sandbox_enter(), with kiln's standard input, output and error: a terminal is the program's meanwhile,
// with Ctrl-C, job control and its size. What it leaves running ends with it. `*ret_status` is its exit status, 128 and
// the number of a signal that ended it, 127 for one that is not there.
must_check bool sandbox_shell_run(const struct sandbox_shell *shell, int *ret_status, struct err *err);

#endif
