// SPDX-License-Identifier: MIT
// Runs work that is not trusted where it sees nothing of the host.
#ifndef KILN_SANDBOX_CONTAINER_H
#define KILN_SANDBOX_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/progress.h"

struct container_channel;

// A process that sees nothing of the host: own pid, ipc, uts, network, cgroup and mount namespaces, few capabilities, a
// fixed environment, and no more of the host's memory than the request.
struct container {
        int root; // becomes "/": a mount that is attached nowhere (overlay.c), used once
        const struct buf *request;
        int64_t source_date_epoch;
        struct progress *progress; // or NULL
        // A task (container_task) that lasts so long is told, and ended. 0: no limit.
        int64_t tell_seconds, limit_seconds;
};
// Ends with work()'s error; on Ctrl-C everything in the container is killed and waited for. SCRIPTLET: too long, or
// too many processes.
must_check bool container_run(const struct container *container, struct err *err);

// What runs there. The program that calls container_run() calls container_init() first in main() when it is executed
// as a container's init.
struct container_job {
        bool (*read)(const struct buf *request, void **ret_context, struct err *err);
        // Sees the host's files still; may be NULL. What it leaves open, scriptlets can reach: no directory, and
        // nothing that may be written to.
        bool (*prepare)(void *context, struct err *err);
        bool (*work)(void *context, struct container_channel *channel, struct err *err);
};
bool container_is_init(int argc, char **argv);
_Noreturn void container_init(const struct container_job *job);

// Called by work(): one more unit of progress; a warning for the user; what begins to run ("": it has ended).
void container_step(struct container_channel *channel);
void container_warn(struct container_channel *channel, const char *text);
void container_task(struct container_channel *channel, const char *text);
// Called by work() where it cannot return: reports the error and ends the child.
_Noreturn void container_abort(struct container_channel *channel, struct err *err);

#endif
