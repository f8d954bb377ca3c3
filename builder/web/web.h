// SPDX-License-Identifier: MIT
// Single HTTP requests by libcurl, on connections that stay open: what a shared cache and a registry need alike. Files
// are sent from where they lie, and what comes is handed on piece by piece. Nothing is judged here but whether an
// answer came at all; who asks reads its status.
#ifndef KILN_WEB_WEB_H
#define KILN_WEB_WEB_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { WEB_FIRST_REDIRECT = 300 }; // below it, an answer is what was asked for

struct web; // connections; the threads of a process may share them

struct web *web_new(void);
void web_free(struct web *web);

// How long is waited, and for what.
struct web_patience {
        int64_t connect_ms;
        int64_t window_ms;            // less than `least_bytes` in such a window end the request
        int64_t least_bytes;          // of both directions
        bool (*stops)(void *context); // asked at each piece and once a second; NULL: only Ctrl-C ends it
        void *context;
};

struct web_answer {
        long status;
        struct buf headers; // of the last answer: lines "name: value", names in lower case
        struct buf body;    // the beginning of a body that take() was not given
        bool is_stopped, is_slow;
        uint64_t taken_bytes; // what take() was given
};

// Takes a piece of a body. False: no more is wanted, with the reason in `err`. The status of `answer` is known.
typedef bool web_take(const struct web_answer *answer, const void *data, size_t size, void *context, struct err *err);

struct web_request {
        const char *method; // GET, HEAD, PUT, POST or PATCH
        const char *url;    // http:// or https://
        const struct curl_slist *headers;
        void (*prepare)(CURL *easy, void *context); // sets what only this caller needs; NULL: nothing
        web_take *take; // of the body of an answer below WEB_FIRST_REDIRECT; NULL: its beginning is kept in the answer
        void *context;  // of both
        bool has_body;
        const void *data; // the body is these bytes, or
        int fd;           // what this file has
        uint64_t offset;  // from here
        uint64_t size_bytes;
        struct web_patience patience;
};

// False if there was no whole answer: NETWORK, INTERRUPTED, or what take() said. `ret` is to be released anyway.
must_check bool web_perform(struct web *web, const struct web_request *request, struct web_answer *ret,
                            struct err *err);
void web_answer_release(struct web_answer *answer);
#define auto_web_answer __attribute__((cleanup(web_answer_release))) struct web_answer

// The value of the `index`th header of that name (in lower case) to `ret`, which is cleared. False: there is none.
bool web_header(const struct web_answer *answer, const char *name, size_t index, struct buf *ret);

#endif
