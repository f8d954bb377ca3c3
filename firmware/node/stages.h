// SPDX-License-Identifier: MIT
// What a boot has reached, told to the server while it goes on. Whoever gets there appends a line to a file and goes on
// (init does it with echo); one process sends the lines, in their order, and tries again until they are heard. So
// nothing waits for a server, and what happened without a network, or while the server was down, is told later with the
// time it had.
//
// A line: "STAGE UPTIME_MS PERCENT TEXT", PERCENT "-" where there is none. Each becomes a POST of less than 2 KB:
//
// { "version": 1, "attempt": "16 hex digits of the kernel's boot_id", "mac": ["52:54:00:..."], "node": "master101",
//   "role", "build", "serial", "uuid", "stage", "percent", "uptime_ms", "text" }
//
// `node` is there once it is decided; `percent` and `text` where the stage has them; role and build where there is an
// inventory. Of several unsent lines of stage "root" only the last is sent.
#ifndef KILN_NODE_STAGES_H
#define KILN_NODE_STAGES_H

#include <stdint.h>

#include "firmware/node/machine/machine.h"
#include "firmware/node/plan/plan.h"

#define STAGES_PATH "/run/kiln/stages"
#define STAGES_INITRD_PATH "/tmp/stages"

enum boot_stage {
        STAGE_INITRD,   // init runs, or why it failed
        STAGE_ROOT,     // so much of the root is there
        STAGE_HANDOVER, // to the root's own init
        STAGE_DECIDED,  // who this machine is, and which source says so
        STAGE_REFUSED,  // why
        STAGE_SERVICES, // the units that failed
        STAGE_HEALTHY,  // all have started
};

// Makes the file, on a machine that no initrd made it on.
void stages_begin(const char *path);

// Appends to the file, whose first line init writes: nothing is written where there is none. `percent` -1: none. What
// cannot be written is left out, since no boot fails of it.
void stage_add(const char *path, enum boot_stage stage, int percent, const char *text);

// decided or refused, as the plan has it.
void stage_add_decision(const char *path, const struct plan *plan);

// Sends what has not been sent; how much was is in `path`.sent. With `follow` goes on for ever with what is added, else
// returns when all is sent, or with ERR_NETWORK after so long.
must_check bool stages_send(const struct machine *machine, const char *path, const char *url, bool follow,
                            int give_up_ms, struct err *err);

// On the running system: waits until services have started, for so long at most, and adds services or healthy.
void stage_add_services(const char *path, int give_up_ms);

#endif
