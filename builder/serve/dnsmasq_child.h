// SPDX-License-Identifier: MIT
// dnsmasq as a child in the foreground, in a process group of its own, which never outlives kiln; what it logs comes
// line by line.
#ifndef KILN_SERVE_DNSMASQ_CHILD_H
#define KILN_SERVE_DNSMASQ_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

enum { DNSMASQ_LINE_MAX = 2048 };

struct dnsmasq_child {
        const char *name; // "DHCP" or "TFTP", for messages
        pid_t pid;        // 0: it does not run
        int output;
        char line[DNSMASQ_LINE_MAX]; // what came of the line that is not whole yet
        size_t size;
        bool is_up;                  // it has said so: its ports are open
        bool is_long;                // the rest of the line is dropped
        char last[DNSMASQ_LINE_MAX]; // the last whole line: why it ended
};

// A zeroed one with its name. TOOL if dnsmasq cannot be started; that it ends at once, dnsmasq_child_ended() tells.
must_check bool dnsmasq_child_start(struct dnsmasq_child *child, const char *config_path, struct err *err);

// Takes what there is of its output, calls back for each line, without its newline.
typedef void dnsmasq_line(const char *line, void *context);
void dnsmasq_child_read(struct dnsmasq_child *child, dnsmasq_line *each, void *context);

// Whether it has ended by itself, which is an error: TOOL with the last line it wrote.
must_check bool dnsmasq_child_check(struct dnsmasq_child *child, struct err *err);

// Waits until it is up, at most so long; its lines go to `each`. The same errors.
must_check bool dnsmasq_child_wait(struct dnsmasq_child *child, int timeout_ms, dnsmasq_line *each, void *context,
                                   struct err *err);

// Has it read its hosts anew.
void dnsmasq_child_reload(const struct dnsmasq_child *child);

// Ends it: SIGTERM, and SIGKILL where that does not help within a second. One that does not run is fine.
void dnsmasq_child_stop(struct dnsmasq_child *child);

#endif
