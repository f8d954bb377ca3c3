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
#include "status/http_reader.h"

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
        bool is_http; // the answer may end before the connection does
        // For a conversation: from the whole answer so far, what is to be sent next, appended; nothing: more is
        // awaited. True: it is over.
        bool (*next)(const void *subject, const struct buf *answer, struct buf *ret);
        const void *subject; // of `next`
        // Called once it has ended, after which its answer is let go of, so that those of many need not be held at
        // once. NULL: the answer stays.
        void (*judge)(const struct probe *probe, void *context);
        void *context; // of `judge`
        // What came of it. The answer is at most PROBE_ANSWER_MAX bytes, or less if it is the largest of more than
        // PROBE_HELD_MAX: what is beyond is not read, and it has an overflow.
        enum probe_end end;
        int error; // errno, or 0
        struct buf answer;
        struct http_reader http; // if `is_http`
        unsigned elapsed_ms;
        double ended_s; // of this machine's clock, since 1970
};

enum {
        PROBE_ANSWER_MAX = 16 << 20,
        PROBE_HELD_MAX = 128 << 20, // of all together
};

// Asks all of them, as many at once as descriptors allow; each has `deadline_ms` from its own start, to which the time
// that `judge` of others takes is added. Errors: SYSTEM, INTERRUPTED; then some were not judged. Answers are released
// by probe_release().
must_check bool probes_run(struct probe *probes, size_t count, unsigned deadline_ms, struct err *err);
void probe_release(struct probe *probe);

// Whether an HTTP answer ends before its head does, or before what the head announces: a length, or a last chunk.
bool probe_is_cut(const struct probe *probe);

#endif
