// SPDX-License-Identifier: MIT
#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "registry/internal.h"

enum {
        CONNECT_MS = 30000,
        WINDOW_MS = 120000, // a registry digests a whole blob before it answers
        ATTEMPTS = 5,
        AUTHORIZATIONS_MAX = 3, // for one request: a token that expired, and one for more than before
        REDIRECTIONS_MAX = 5,
        FIRST_PAUSE_MS = 100,
        PAUSE_STEP_MS = 50,
        REFUSAL_SHOWN = 200,
        FINAL = EACCES, // number of an ERR_NETWORK that no other attempt changes
};

// ---- opening ----

bool registry_open(const struct registry_options *options, struct registry **ret, struct err *err) {
        const struct oci_reference *reference = options->reference;
        struct credentials credentials = { 0 };
        const char *scheme = "https";
        assert(reference->authority && reference->repository);
        if (!credentials_find(reference->authority, reference->repository, &credentials, err))
                return false;
        if (options->plain_http)
                scheme = "http";
        struct registry *registry = xcalloc(1, sizeof *registry);
        registry->web = web_new();
        registry->authority = xstrdup(reference->authority);
        registry->base = xasprintf("%s://%s", scheme, reference->authority);
        registry->root = xasprintf("%s/v2/%s", registry->base, reference->repository);
        registry->plain_http = options->plain_http;
        registry->is_loopback = oci_is_loopback(reference->authority);
        registry->credentials = credentials;
        registry->attempts = options->attempts;
        if (registry->attempts == 0)
                registry->attempts = ATTEMPTS;
        registry->patience =
            (struct web_patience){ .connect_ms = CONNECT_MS, .window_ms = WINDOW_MS, .least_bytes = 1 };
        if (options->patience)
                registry->patience = *options->patience;
        pthread_mutex_init(&registry->mutex, NULL);
        *ret = registry;
        return true;
}

void registry_close(struct registry *registry) {
        if (!registry)
                return;
        if (registry->authorization)
                explicit_bzero(registry->authorization, strlen(registry->authorization));
        web_free(registry->web);
        credentials_release(&registry->credentials);
        pthread_mutex_destroy(&registry->mutex);
        free(registry->authorization);
        free(registry->authority);
        free(registry->base);
        free(registry->root);
        free(registry);
}

// ---- what an answer says ----

bool registry_is_success(const struct web_answer *answer) {
        return answer->status >= 200 && answer->status < WEB_FIRST_REDIRECT;
}

// A registry's own words, as far as a terminal may show them.
static char *reason_of_refusal(const struct web_answer *answer) {
        json_t *json = json_loads(buf_text(&answer->body), 0, NULL);
        const json_t *first = json_array_get(json_object_get(json, "errors"), 0);
        const char *message = member_text(first, "message");
        if (!*message)
                message = member_text(first, "code");
        char *shown = xstrndup(message, REFUSAL_SHOWN);
        for (char *byte = shown; *byte; byte++)
                if (*byte < ' ' || *byte >= 0x7f)
                        *byte = '?';
        json_decref(json);
        return shown;
}

static bool is_worth_another(const struct web_answer *answer) {
        return answer->status == 408 || answer->status == 429 || answer->status >= 500;
}

// Said of who asks and not of the moment: asking again would be another wrong password, or a blob sent for nothing.
static bool is_final(const struct web_answer *answer) { return answer->status == 401 || answer->status == 403; }

bool registry_refusal(const struct registry *registry, const struct registry_request *request,
                      const struct web_answer *answer, struct err *err) {
        auto_free char *reason = reason_of_refusal(answer);
        const char *before = "";
        if (*reason)
                before = ": ";
        fail(err, ERR_NETWORK, 0, "%s answers %ld to %s %s%s%s", registry->authority, answer->status, request->method,
             request->url, before, reason);
        if (!is_final(answer))
                return false;
        err->number = FINAL;
        return hint(err, "`docker login %s`, or podman's, leaves credentials where kiln finds them",
                    registry->authority);
}

// ---- URLs ----

static char *url_part(const char *url, CURLUPart part) {
        char *value = NULL, *copy = NULL;
        CURLU *parsed = curl_url();
        if (!parsed)
                abort(); // out of memory
        if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK)
                curl_url_get(parsed, part, &value, CURLU_DEFAULT_PORT);
        if (value)
                copy = xstrdup(value);
        curl_free(value);
        curl_url_cleanup(parsed);
        return copy;
}

static bool is_same_part(const char *left, const char *right, CURLUPart part) {
        auto_free char *one = url_part(left, part);
        auto_free char *other = url_part(right, part);
        return one && other && strcmp(one, other) == 0;
}

static bool is_same_origin(const char *left, const char *right) {
        return is_same_part(left, right, CURLUPART_SCHEME) && is_same_part(left, right, CURLUPART_HOST) &&
               is_same_part(left, right, CURLUPART_PORT);
}

static char *join_url(const char *base, const char *location) {
        char *joined = NULL, *copy = NULL;
        CURLU *url = curl_url();
        if (!url)
                abort(); // out of memory
        if (curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
            curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK &&
            curl_url_get(url, CURLUPART_URL, &joined, 0) == CURLUE_OK)
                copy = xstrdup(joined);
        curl_free(joined);
        curl_url_cleanup(url);
        return copy;
}

bool registry_location(const struct registry *registry, const char *base, const struct web_answer *answer, char **ret,
                       struct err *err) {
        auto_buf location = { 0 };
        if (!web_header(answer, "location", 0, &location))
                return fail(err, ERR_CORRUPT, 0, "%s answers %ld without a Location", registry->authority,
                            answer->status);
        auto_free char *url = join_url(base, buf_text(&location));
        bool is_https = url && strncmp(url, "https://", strlen("https://")) == 0;
        bool is_http = url && strncmp(url, "http://", strlen("http://")) == 0;
        if (is_https || (is_http && registry->plain_http)) {
                *ret = take_ptr(url);
                return true;
        }
        fail(err, ERR_CORRUPT, 0, "%s leads to a place that is not https: it is not followed", registry->authority);
        return hint(err, "a registry behind a proxy has to be told the URL that its users see");
}

// ---- asking ----

bool registry_try_again(const struct registry *registry, unsigned *attempt, struct err *err) {
        bool is_refused = err->kind == ERR_NETWORK && err->number == FINAL;
        if (is_refused || ++*attempt >= registry->attempts)
                return false;
        int64_t until = monotonic_ms() + ((int64_t)FIRST_PAUSE_MS << *attempt);
        while (monotonic_ms() < until) {
                const struct timespec step = { .tv_nsec = PAUSE_STEP_MS * 1000000L };
                if (!interrupt_check(err))
                        return false;
                nanosleep(&step, NULL);
        }
        return true;
}

// The token as it is now, if the place is the registry itself.
static struct curl_slist *request_headers(struct registry *registry, const struct registry_request *request,
                                          const char *url, unsigned *ret_authorized) {
        struct curl_slist *headers = NULL;
        if (request->header)
                headers = curl_slist_append(headers, request->header);
        if (request->more)
                headers = curl_slist_append(headers, request->more);
        pthread_mutex_lock(&registry->mutex);
        *ret_authorized = registry->authorized;
        if (registry->authorization && is_same_origin(url, registry->base))
                headers = curl_slist_append(headers, registry->authorization);
        pthread_mutex_unlock(&registry->mutex);
        return headers;
}

static bool ask_once(struct registry *registry, const struct registry_request *request, const char *url,
                     struct web_answer *ret, unsigned *ret_authorized, struct err *err) {
        struct curl_slist *headers = request_headers(registry, request, url, ret_authorized);
        const struct web_request ask = {
                .method = request->method,
                .url = url,
                .headers = headers,
                .take = request->take,
                .context = request->context,
                .has_body = request->has_body,
                .data = request->content.data,
                .fd = request->content.fd,
                .offset = request->offset,
                .size_bytes = request->size_bytes,
                .patience = registry->patience,
        };
        bool ok = web_perform(registry->web, &ask, ret, err);
        curl_slist_free_all(headers);
        return ok || wrap(err, "%s %s", request->method, request->url);
}

static bool is_redirection(const struct registry_request *request, const struct web_answer *answer) {
        bool is_followed = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
        return is_followed && answer->status >= 301 && answer->status <= 308 && answer->status != 304;
}

// With a token and at the last place that redirections name.
static bool ask_there(struct registry *registry, const struct registry_request *request, struct web_answer *ret,
                      struct err *err) {
        auto_free char *url = xstrdup(request->url);
        unsigned authorizations = 0, redirections = 0, authorized = 0;
        for (;;) {
                bool goes_on = false;
                web_answer_release(ret);
                if (!ask_once(registry, request, url, ret, &authorized, err))
                        return false;
                if (is_redirection(request, ret)) {
                        char *next = NULL;
                        if (++redirections > REDIRECTIONS_MAX)
                                return fail(err, ERR_CORRUPT, 0, "%s redirects without end", registry->authority);
                        if (!registry_location(registry, url, ret, &next, err))
                                return false;
                        free(url);
                        url = next;
                        continue;
                }
                bool is_asked_who = ret->status == 401 && is_same_origin(url, registry->base);
                if (!is_asked_who || authorizations++ >= AUTHORIZATIONS_MAX)
                        return true;
                if (!registry_authorize(registry, authorized, ret, &goes_on, err))
                        return false;
                if (!goes_on)
                        return true;
        }
}

bool registry_ask(struct registry *registry, const struct registry_request *request, struct web_answer *ret,
                  struct err *err) {
        *ret = (struct web_answer){ 0 };
        for (unsigned attempt = 0;;) {
                bool is_answered = ask_there(registry, request, ret, err);
                bool may_help = is_answered ? is_worth_another(ret) : err->kind == ERR_NETWORK;
                if (request->is_once || !may_help)
                        return is_answered;
                if (!registry_try_again(registry, &attempt, err))
                        return is_answered && err->kind == ERR_NONE;
                err_release(err);
        }
}
