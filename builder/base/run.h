// SPDX-License-Identifier: MIT
// Child processes. One way to start one: an argv array, no shell, standard input from /dev/null or memory,
// output captured. A failed exec, a signal and a non-zero exit are each an error that says so and
// carries the end of what the program printed.
#ifndef KILN_BASE_RUN_H
#define KILN_BASE_RUN_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct run {
        const char *const *argv; // NULL-terminated; argv[0] is looked up in PATH
        const char *const *env;  // NULL: the caller's
        const char *dir;         // working directory; NULL: the caller's
        const void *input;       // bytes for standard input; NULL: /dev/null
        size_t input_size;
        struct buf *output; // standard output; NULL: joined with standard error and kept for the message
        int *ret_status;    // if set, a non-zero exit status is stored here and is no error
        int64_t limit_s;    // it is ended after so long, which is an error; 0: it may take any time
};

must_check bool run(const struct run *run, struct err *err);

// run() with a plain argument list: run_command(err, "mformat", "-i", path, "::", NULL)
must_check bool run_command(struct err *err, const char *program, ...) __attribute__((sentinel));

// Waits for a child and turns its status into success or ERR_TOOL "NAME: exit status 3" / "killed by SIGKILL".
must_check bool run_wait(int pid, const char *name, int *ret_status, struct err *err);

// Whether PATH leads to a program of that name.
bool run_finds(const char *program);

// Appends to PATH the directories of administrators' programs that it lacks: mkfs.vfat and dnsmasq are in /usr/sbin,
// which a plain user of Debian does not have. Once, before there are threads.
void run_extend_path(void);

#endif
