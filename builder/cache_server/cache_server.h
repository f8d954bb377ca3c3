// SPDX-License-Identifier: MIT
// kiln cache serve: a cache that a team's machines share (remote/remote.h), by HTTP/1.1.
//
//     GET, HEAD /cas/SHA256    a content; ranges, entity tags
//     GET, HEAD /ac/KEY        what is known by a key; 404, too, when its content is gone
//     PUT                      of both, with the token; a content that is not what its name says is refused
//     GET /                    a line for people
//     GET /metrics             for Prometheus
//
// Nothing is encrypted, and who reads needs no token: what an entry says is signed, and clients believe nothing else.
#ifndef KILN_CACHE_SERVER_CACHE_SERVER_H
#define KILN_CACHE_SERVER_CACHE_SERVER_H

#include <netinet/in.h>
#include <stdint.h>

#include "base/err.h"

struct cache_server_options {
        const char *listen;     // ADDRESS:PORT; NULL: 127.0.0.1:8480. Port 0 is any free one
        const char *dir;        // NULL: $STATE_DIRECTORY, /var/lib/kiln/cache for root, below $XDG_STATE_HOME
        const char *limit;      // as cache_limit_parse() reads it; NULL: 50 GB
        const char *token_file; // NULL: nobody uploads
        unsigned threads;
};

// Serves until it is interrupted. Prints its URL once it listens. Started by root it goes on as the directory's owner.
must_check bool cache_server_run(const struct cache_server_options *options, struct err *err);

// "50G", "1.5T", "300M": bytes, in thousands of thousands; without a letter: bytes; "0": no limit. USAGE.
must_check bool cache_limit_parse(const char *text, uint64_t *ret_bytes, struct err *err);
// "ADDRESS:PORT", "ADDRESS" or ":PORT"; IPv4. USAGE.
must_check bool cache_listen_parse(const char *text, struct in_addr *ret_address, unsigned *ret_port, struct err *err);

#endif
