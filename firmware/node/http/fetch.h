// SPDX-License-Identifier: MIT
// Fetches the root over HTTP in the initrd, and what a unified kernel image has none of, the configuration layer with
// its signed digests. SHA-256 is checked while it arrives.
#ifndef KILN_NODE_HTTP_FETCH_H
#define KILN_NODE_HTTP_FETCH_H

#include <stdint.h>

#include "base/err.h"

struct fetch {
        const char *url, *path; // the file is made anew
        const char *sha256;     // hexadecimal; NULL: the caller checks what came
        const char *named_by;   // who says that it must be so, for messages: "the configuration layer belongs to"
        uint64_t size_bytes;    // 0: any size up to max_bytes
        uint64_t max_bytes;
        int give_up_ms;                 // how long to go on without a byte of progress
        int silence_ms;                 // how long one connection may be silent
        void (*tell)(const char *text); // a line for the consoles: progress, and why it tries again
};

// Tries again with growing pauses, each time from where it stopped: with a Range, or, where the server does not know
// ranges, passing over what is there. A file whose size is not known is fetched whole or not at all. A refused name, a
// 404 and a wrong length are tried again too: servers are repaired, and publish. ERR_CHECKSUM after the second complete
// file of another digest, ERR_DISK_FULL at once, ERR_USAGE for a URL that cannot work, else ERR_NETWORK with the last
// reason.
must_check bool fetch_file(const struct fetch *fetch, struct err *err);

#endif
