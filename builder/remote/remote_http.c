// SPDX-License-Identifier: MIT
// Requests, one after the other on connections that stay open. A build must not wait for a server that hangs or
// crawls: whoever gets less than SLOW_BYTES in WINDOW_MS is given up, and then everybody.
#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "remote/internal.h"

enum {
        WINDOW_MS = 1500,
        SLOW_BYTES = 512 << 10,
        UPLOAD_WINDOW_MS = 10000,
        UPLOAD_SLOW_BYTES = 1,
        EXPECT_MS = 1, // for the "100 Continue" of an object store
        CONTENT_TOO_LARGE = 413,
        INSUFFICIENT_STORAGE = 507,
};

struct remote_exchange {
        struct remote *remote;
        const struct remote_request *request;
};

void remote_give_up(struct remote *remote, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *reason = xvasprintf(format, arguments);
        va_end(arguments);
        if (!atomic_exchange(&remote->off, true))
                warning("the shared cache %s is not used any more in this run: %s", remote->shown, reason);
}

bool remote_is_read(const struct remote *remote) {
        return remote && !atomic_load(&remote->off) && !atomic_load(&remote->unread);
}

static bool take_remote_body(const struct web_answer *answer, const void *data, size_t size, void *context,
                             struct err *err) {
        const struct remote_exchange *exchange = context;
        (void)answer;
        return exchange->request->take(data, size, exchange->request->context, err);
}

static bool remote_stops(void *context) {
        const struct remote_exchange *exchange = context;
        struct remote *remote = exchange->remote;
        if (exchange->request->take)
                return !remote_is_read(remote);
        return atomic_load(&remote->off) || (exchange->request->is_upload && atomic_load(&remote->closing));
}

struct web_patience remote_patience(bool is_upload) {
        struct web_patience patience = {
                .connect_ms = WINDOW_MS,
                .window_ms = WINDOW_MS,
                .least_bytes = SLOW_BYTES,
        };
        if (is_upload) {
                patience.window_ms = UPLOAD_WINDOW_MS;
                patience.least_bytes = UPLOAD_SLOW_BYTES;
        }
        return patience;
}

// No server that a redirection leads to is told it. Versions of curl have differed in whom they tell what where
// ~/.netrc has something for such a server, too, so that is not asked.
static void send_token(const struct remote *remote, CURL *easy) {
        curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, remote->token);
}

static void set_remote_options(CURL *easy, void *context) {
        const struct remote_exchange *exchange = context;
        const struct s3 *s3 = &exchange->remote->s3;
        // A signature holds for one host, and curl would tell the session's token to another one.
        bool follows = !exchange->request->is_upload && !s3->provider;
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, (long)follows);
        curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 3L);
        curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
        if (exchange->remote->token)
                send_token(exchange->remote, easy);
        if (!s3->provider)
                return;
        curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, (long)EXPECT_MS);
        curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, s3->provider);
        curl_easy_setopt(easy, CURLOPT_USERPWD, s3->credentials);
}

// Heap; curl's list. An upload does not wait a second for "100 Continue". Of an object store, no header is taken away
// for that: curl would sign its absence, which each store reads in its own way.
static struct curl_slist *remote_headers(const struct remote *remote) {
        if (!remote->s3.provider)
                return curl_slist_append(NULL, "Expect:");
        struct curl_slist *headers = curl_slist_append(NULL, "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD");
        if (remote->s3.token)
                headers = curl_slist_append(headers, remote->s3.token);
        return headers;
}

static const char *method_of(const struct remote_request *request) {
        if (request->is_upload)
                return "PUT";
        if (request->take)
                return "GET";
        return "HEAD";
}

// One without room, or that takes nothing so large, still gives what it has.
static void stop_uploading(struct remote *remote, const struct remote_request *request, long status) {
        if (!atomic_exchange(&remote->full, true))
                warning("nothing more is uploaded to the shared cache %s in this run: it answers %ld to PUT /%s/%s",
                        remote->shown, status, request->folder, request->name);
}

static enum remote_answer judge(struct remote *remote, const struct remote_request *request, long status) {
        if (status >= 200 && status < WEB_FIRST_REDIRECT)
                return REMOTE_FOUND;
        if ((status == 404 || status == 410) && !request->is_upload)
                return REMOTE_MISSING;
        if (request->is_upload && (status == CONTENT_TOO_LARGE || status == INSUFFICIENT_STORAGE)) {
                stop_uploading(remote, request, status);
                return REMOTE_FAILED;
        }
        remote_give_up(remote, "it answers %ld to %s /%s/%s", status, method_of(request), request->folder,
                       request->name);
        return REMOTE_FAILED;
}

enum remote_answer remote_ask(struct remote *remote, const struct remote_request *request) {
        struct remote_exchange exchange = { remote, request };
        auto_web_answer answer = { 0 };
        auto_err err = { 0 };
        if (remote_stops(&exchange))
                return REMOTE_FAILED;
        if (remote->reads)
                return remote_ask_registry(remote, request);
        auto_free char *url = xasprintf("%s/%s/%s", remote->url, request->folder, request->name);
        struct curl_slist *headers = remote_headers(remote);
        struct web_patience patience = remote_patience(request->is_upload);
        patience.stops = remote_stops;
        patience.context = &exchange;
        struct web_request ask = {
                .method = method_of(request),
                .url = url,
                .headers = headers,
                .prepare = set_remote_options,
                .context = &exchange,
                .has_body = request->is_upload,
                .data = request->data,
                .fd = request->fd,
                .size_bytes = request->size_bytes,
                .patience = patience,
        };
        if (request->take)
                ask.take = take_remote_body;
        bool is_answered = web_perform(remote->web, &ask, &answer, &err);
        curl_slist_free_all(headers);
        if (is_answered)
                return judge(remote, request, answer.status);
        if (err.kind == ERR_CHECKSUM)
                return REMOTE_WRONG;
        if (!answer.is_stopped)
                remote_give_up(remote, "/%s/%s: %s", request->folder, request->name, err.text);
        return REMOTE_FAILED;
}
