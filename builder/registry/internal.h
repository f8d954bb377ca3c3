// SPDX-License-Identifier: MIT
// A registry from inside.
#ifndef KILN_REGISTRY_INTERNAL_H
#define KILN_REGISTRY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "registry/challenge.h"
#include "registry/credentials.h"
#include "registry/registry.h"

struct registry {
        struct web *web;
        char *authority;
        char *base; // "https://HOST:PORT"
        char *root; // below which the repository lies: "https://HOST:PORT/v2/NAME"
        bool plain_http, is_loopback;
        struct web_patience patience;
        unsigned attempts;
        struct credentials credentials;
        atomic_bool in_pieces; // it took no blob as a whole

        pthread_mutex_t mutex; // of what follows
        char *authorization;   // a header; NULL: none was asked for
        unsigned authorized;   // how often it was made anew
};

// ---- requests (registry_http.c) ----

struct registry_request {
        const char *method, *url;
        const char *header, *more; // "Accept: ...", "Range: ..."; or NULL
        web_take *take;
        void *context;
        bool has_body;
        struct registry_content content;
        uint64_t offset, size_bytes;
        bool is_once; // the caller knows how to go on after a lost connection
};

// Asks, with a token where one is wanted, follows redirections of GET and HEAD, and tries again where that may help.
// False only if there was no answer. `ret` is to be released anyway.
must_check bool registry_ask(struct registry *registry, const struct registry_request *request, struct web_answer *ret,
                             struct err *err);
// The error for an answer that says no.
bool registry_refusal(const struct registry *registry, const struct registry_request *request,
                      const struct web_answer *answer, struct err *err);
// Where a Location header leads, heap. CORRUPT: there is none, or it leads from https to http.
must_check bool registry_location(const struct registry *registry, const char *base, const struct web_answer *answer,
                                  char **ret, struct err *err);
// Waits before another attempt, longer each time. False: there is none, `err` stays as it is; or INTERRUPTED.
must_check bool registry_try_again(const struct registry *registry, unsigned *attempt, struct err *err);
bool registry_is_success(const struct web_answer *answer);

// ---- tokens (registry_token.c) ----

// Answers a 401: a new `authorization`, unless another thread has one since it was the `seen`th. `*ret` is false where
// nothing new can be said.
must_check bool registry_authorize(struct registry *registry, unsigned seen, const struct web_answer *answer, bool *ret,
                                   struct err *err);

#endif
