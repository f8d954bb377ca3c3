// SPDX-License-Identifier: MIT
// Fetches the root over HTTP in the initrd, and what a unified kernel image has none of, the configuration layer with
// its signed digests. SHA-256 is checked while it arrives.
#ifndef KILN_NODE_HTTP_FETCH_H
#define KILN_NODE_HTTP_FETCH_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "shared/chunk_index.h"

enum {
        FETCH_MIRRORS_MAX = 16,   // of kiln.root and the profile together
        FETCH_RATE_MIN = 16 << 10 // bytes a second: what is slower is no server
};

// What several downloads took together; `mirror` is the one that served the last of them, or stands behind one that
// swallows packets, and is asked first then.
struct fetch_tally {
        uint64_t bytes;
        unsigned requests;
        size_t mirror;
};

struct fetch {
        const char *urls;     // one, or mirrors with commas between, tried in this order
        const char *path;     // the file is made anew
        const char *sha256;   // hexadecimal; NULL: the caller checks what came
        const char *named_by; // who says that it must be so, for messages: "the configuration layer belongs to"
        uint64_t size_bytes;  // 0: any size up to max_bytes
        uint64_t max_bytes;
        bool once;                      // ask each mirror once, but for pauses that servers ask for
        int give_up_ms;                 // how long to go on without progress: bytes that were not there before
        int silence_ms;                 // how long one connection may be silent, or slower than FETCH_RATE_MIN
        void (*progress)(int percent);  // while it comes, every 5 s at most; NULL: nobody asks
        void (*tell)(const char *text); // a line for the consoles: progress, and why it tries again
        struct fetch_tally *tally;      // is added to; NULL: nobody asks
};

// Tries again with growing pauses, each time from where it stopped: with a Range, or, where the server does not know
// ranges, passing over what is there. A file whose size is not known is fetched whole or not at all. A refused name, a
// 404 and a wrong length are tried again too: servers are repaired, and publish. Retry-After of a 503 or 429 is obeyed,
// up to 5 minutes at a time and half an hour in all. It ends: after give_up_ms without progress, and in any case after
// give_up_ms and what FETCH_RATE_MIN needs for the largest file. ERR_CHECKSUM after the second complete file of another
// digest from each mirror, ERR_DISK_FULL at once, ERR_USAGE for a URL that cannot work, else ERR_NETWORK with the last
// reason.
// Parts of several mirrors are put together, until what came of it is another file.
must_check bool fetch_file(const struct fetch *fetch, struct err *err);

// Chunks of an index, from `first` to the one before `end`.
struct chunk_range {
        size_t first, end;
};

struct fetch_parts {
        const struct chunk_index *index; // of the whole file, which has fetch->size_bytes
        const struct chunk_range *ranges;
        size_t range_count;
        int fd; // gets each byte in its place
};

// Fetches parts of a file, a request each, in their order, and checks the digest of each chunk as it comes: a mirror
// that has other bytes is left at once, and the next one goes on with what is missing. fetch->path is for messages, and
// fetch->sha256 does not count. Patience is that of fetch_file(), but for servers without ranges: ERR_NETWORK or
// ERR_CHECKSUM as soon as no mirror is left that knows ranges and has the file.
must_check bool fetch_parts(const struct fetch *fetch, const struct fetch_parts *parts, struct err *err);

// Appends "/NAME" to each of the mirrors.
void fetch_join(const char *urls, const char *name, struct buf *ret);

#endif
