// SPDX-License-Identifier: MIT
// Many short questions over TCP at once, each with its own deadline.
//
// HTTP is asked with "Connection: close" (RFC 9112), so that all kinds of question are one: connect, send, read to the
// end. A library's handles (libcurl's take some 20 kB each) would not do for 6,000 at once.
#ifndef KILN_STATUS_PROBE_H
#define KILN_STATUS_PROBE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum probe_end {
        PROBE_ANSWERED,    // connected, and if something was asked, all of the answer is there
        PROBE_REFUSED,     // the machine is there, and nothing listens
        PROBE_TIMED_OUT,   // no connection until the deadline
        PROBE_SILENT,      // connected, and the answer did not come to its end until the deadline
        PROBE_UNREACHABLE, // no way there; `error` says why
        PROBE_BROKEN,      // the connection broke; `error` says why
};

struct probe {
        struct in_addr address;
        uint16_t port;
        const char *request; // NULL: to be connected is enough; "": an answer is awaited, nothing is sent
        size_t request_size;
        bool is_http; // the answer may end by its Content-Length
        // For a conversation: from the whole answer so far, what is to be sent next, appended; nothing: more is
        // awaited. True: it is over.
        bool (*next)(const void *subject, const struct buf *answer, struct buf *ret);
        const void *subject; // of `next`
        // What came of it. The answer is at most PROBE_ANSWER_MAX bytes; what is beyond is not read.
        enum probe_end end;
        int error; // errno, or 0
        struct buf answer;
        unsigned elapsed_ms;
        double ended_s; // of this machine's clock, since 1970
};

enum { PROBE_ANSWER_MAX = 16 << 20 };

// Asks all of them, as many at once as descriptors allow; each has `deadline_ms` from its own start. Errors: SYSTEM,
// INTERRUPTED. Answers are released by probe_release().
must_check bool probes_run(struct probe *probes, size_t count, unsigned deadline_ms, struct err *err);
void probe_release(struct probe *probe);

// Whether an HTTP answer ends before its head does, or before the Content-Length that the head gives.
bool probe_is_cut(const struct probe *probe);

#endif
