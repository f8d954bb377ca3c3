// SPDX-License-Identifier: MIT
// A download as fetch.c keeps it going, whatever is fetched of the file: all of it (fetch.c) or parts (fetch_parts.c).
#ifndef KILN_NODE_HTTP_FETCH_INTERNAL_H
#define KILN_NODE_HTTP_FETCH_INTERNAL_H

#include <nettle/sha2.h>

#include "firmware/node/http/fetch.h"
#include "firmware/node/http/http.h"

enum { FETCH_BLOCK_BYTES = 1 << 17, WRONG_FILES_MAX = 2 };

struct mirror {
        const char *text; // as it was given
        struct url url;
        int wrong_files; // complete ones of one connection with another digest
};

struct download {
        const struct fetch *fetch;
        // Goes on from where the download is, from this mirror alone.
        bool (*once)(struct download *download, struct mirror *mirror, struct err *err);
        struct mirror mirrors[FETCH_MIRRORS_MAX];
        size_t mirror_count;
        const struct mirror *last; // that was asked
        bool apart;                // parts of several mirrors did not make the file: no longer mixed
        int fd;
        uint64_t before; // bytes of the file that were there before
        uint64_t wanted; // that are to come; 0: not known
        uint64_t done;   // of these that are there
        uint64_t most;   // that there ever were: a file that is begun anew makes no progress before it gets so far
        struct sha256_ctx digest;
        char *block;
        int64_t told_ms;
        int64_t end_ms;             // of all of it
        bool mixed;                 // the file comes from several connections
        bool is_deaf;               // the mirror that was asked last took no connection, and did not refuse it at once
        bool past_end;              // a server has said since the last pause that its file is shorter
        unsigned retry_after_s;     // what the servers asked for since then, the shortest; 0: nothing
        unsigned retry_after_sum_s; // that was obeyed
        struct fetch_tally tally;
        struct parts *parts; // of fetch_parts.c
};

// How much came on a connection lately.
struct flow {
        int64_t since_ms;
        uint64_t bytes;
};

// Each mirror in turn, with pauses, until all is there or nothing moves. `urls` is cut into pieces that the download
// points to.
must_check bool download_run(struct download *download, char *urls, struct err *err);

// Sends a GET of these bytes (`count` 0: to the end), and follows redirections to a response that has a body.
must_check bool download_open(struct download *download, const struct mirror *mirror, uint64_t first, uint64_t count,
                              struct http *ret, struct err *err);

// Whether the server is fast enough, after so many more bytes.
must_check bool download_check_flow(const struct download *download, struct flow *flow, size_t size, struct err *err);

// Counts what was written.
void download_advance(struct download *download, size_t size);
void download_note_refusal(struct download *download, const struct http_response *response);

#endif
