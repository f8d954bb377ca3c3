// SPDX-License-Identifier: MIT
// Requests, one after the other on connections that stay open. A build must not wait for a server that hangs or
// crawls: whoever gets less than SLOW_BYTES in WINDOW_MS is given up, and then everybody.
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "remote/internal.h"

enum {
        WINDOW_MS = 1500,
        SLOW_BYTES = 512 << 10,
        UPLOAD_WINDOW_MS = 10000,
        UPLOAD_SLOW_BYTES = 1,
        REFUSAL_MAX = 64 << 10, // of a page that says why not
        HTTP_FIRST_ERROR = 300,
};

struct exchange {
        struct remote *remote;
        const struct remote_request *request;
        CURL *easy;
        uint64_t refusal_bytes, sent;
        int64_t window_began_ms;
        curl_off_t window_bytes;
        bool crawls, stopped;
        struct err error; // of take()
};

void remote_give_up(struct remote *remote, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *reason = xvasprintf(format, arguments);
        va_end(arguments);
        if (!atomic_exchange(&remote->off, true))
                warning("the shared cache %s is not used any more in this run: %s", remote->shown, reason);
}

static long http_status(CURL *easy) {
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        return status;
}

static size_t take_remote_body(char *data, size_t unit, size_t units, void *context) {
        struct exchange *exchange = context;
        const struct remote_request *request = exchange->request;
        size_t size = unit * units;
        bool is_wanted = request->take && http_status(exchange->easy) < HTTP_FIRST_ERROR;
        if (is_wanted) {
                if (request->take(data, size, request->context, &exchange->error))
                        return size;
                return CURL_WRITEFUNC_ERROR;
        }
        exchange->refusal_bytes += size;
        if (exchange->refusal_bytes <= REFUSAL_MAX)
                return size;
        return CURL_WRITEFUNC_ERROR;
}

static size_t give_body(char *to, size_t unit, size_t units, void *context) {
        struct exchange *exchange = context;
        const struct remote_request *request = exchange->request;
        size_t size = unit * units;
        if (size > request->size_bytes - exchange->sent)
                size = (size_t)(request->size_bytes - exchange->sent);
        if (request->data) {
                memcpy(to, (const char *)request->data + exchange->sent, size);
        } else {
                ssize_t got = pread(request->fd, to, size, (off_t)exchange->sent);
                if (got < 0 || (got == 0 && size > 0))
                        return CURL_READFUNC_ABORT;
                size = (size_t)got;
        }
        exchange->sent += size;
        return size;
}

// curl starts over where a connection that was kept open is gone, or credentials are asked for.
static int rewind_body(void *context, curl_off_t offset, int origin) {
        struct exchange *exchange = context;
        if (origin != SEEK_SET || offset < 0)
                return CURL_SEEKFUNC_CANTSEEK;
        exchange->sent = (uint64_t)offset;
        return CURL_SEEKFUNC_OK;
}

static bool is_crawling(struct exchange *exchange, curl_off_t bytes) {
        int64_t window_ms = WINDOW_MS;
        curl_off_t least = SLOW_BYTES;
        int64_t now = monotonic_ms();
        if (exchange->request->is_upload) {
                window_ms = UPLOAD_WINDOW_MS;
                least = UPLOAD_SLOW_BYTES;
        }
        if (now - exchange->window_began_ms < window_ms)
                return false;
        bool crawls = bytes - exchange->window_bytes < least;
        exchange->window_began_ms = now;
        exchange->window_bytes = bytes;
        return crawls;
}

// curl calls it at each piece, and once a second where nothing comes.
static int watch_exchange(void *context, curl_off_t total_down, curl_off_t down, curl_off_t total_up, curl_off_t up) {
        struct exchange *exchange = context;
        struct remote *remote = exchange->remote;
        (void)total_down;
        (void)total_up;
        bool is_given_up = exchange->request->is_upload && atomic_load(&remote->closing);
        exchange->stopped = is_given_up || atomic_load(&remote->off) || interrupt_requested();
        exchange->crawls = !exchange->stopped && is_crawling(exchange, down + up);
        return exchange->stopped || exchange->crawls;
}

// No program that kiln starts meanwhile inherits it.
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
        (void)context;
        (void)purpose;
        return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_upload_options(struct exchange *exchange) {
        const struct remote_request *request = exchange->request;
        curl_easy_setopt(exchange->easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(exchange->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->size_bytes);
        curl_easy_setopt(exchange->easy, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(exchange->easy, CURLOPT_READDATA, exchange);
        curl_easy_setopt(exchange->easy, CURLOPT_SEEKFUNCTION, rewind_body);
        curl_easy_setopt(exchange->easy, CURLOPT_SEEKDATA, exchange);
        curl_easy_setopt(exchange->easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
}

static void set_exchange_options(struct exchange *exchange, const char *url) {
        CURL *easy = exchange->easy;
        const struct remote_request *request = exchange->request;
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, (long)!request->is_upload);
        curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 3L);
        curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "kiln");
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)WINDOW_MS);
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_remote_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
        curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch_exchange);
        curl_easy_setopt(easy, CURLOPT_XFERINFODATA, exchange);
        if (request->is_upload)
                set_upload_options(exchange);
        else if (!request->take)
                curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
}

// No server that a redirection leads to is told it. Versions of curl have differed in whom they tell what where
// ~/.netrc has something for such a server, too, so that is not asked.
static void send_token(struct remote *remote, CURL *easy) {
        curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, remote->token);
}

// Heap; curl's list.
static struct curl_slist *sign_request(struct remote *remote, CURL *easy) {
        struct curl_slist *headers = curl_slist_append(NULL, "Expect:"); // no second of waiting for "100 Continue"
        if (remote->token)
                send_token(remote, easy);
        if (!remote->s3.provider)
                return headers;
        curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, remote->s3.provider);
        curl_easy_setopt(easy, CURLOPT_USERPWD, remote->s3.credentials);
        headers = curl_slist_append(headers, "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD");
        if (remote->s3.token)
                headers = curl_slist_append(headers, remote->s3.token);
        return headers;
}

// Its connection is still open, if it had one.
static CURL *take_idle(struct remote *remote) {
        CURL *easy = NULL;
        pthread_mutex_lock(&remote->mutex);
        if (remote->idle_count > 0)
                easy = remote->idle[--remote->idle_count];
        pthread_mutex_unlock(&remote->mutex);
        if (!easy)
                easy = curl_easy_init();
        if (!easy)
                abort(); // out of memory
        return easy;
}

static void keep_idle(struct remote *remote, CURL *easy) {
        curl_easy_reset(easy); // but for its connection
        pthread_mutex_lock(&remote->mutex);
        if (remote->idle_count < REMOTE_IDLE_MAX)
                remote->idle[remote->idle_count++] = take_ptr(easy);
        pthread_mutex_unlock(&remote->mutex);
        if (easy)
                curl_easy_cleanup(easy);
}

static enum remote_answer give_up_exchange(struct exchange *exchange, CURLcode code, const char *curl_text) {
        const struct remote_request *request = exchange->request;
        const char *reason = curl_text;
        if (exchange->stopped)
                return REMOTE_FAILED;
        if (!*reason)
                reason = curl_easy_strerror(code);
        if (exchange->error.text)
                reason = exchange->error.text;
        else if (exchange->crawls)
                reason = "it answers too slowly, or not at all";
        remote_give_up(exchange->remote, "/%s/%s: %s", request->folder, request->name, reason);
        return REMOTE_FAILED;
}

static enum remote_answer judge(struct exchange *exchange, CURLcode code, const char *curl_text) {
        const struct remote_request *request = exchange->request;
        long status = http_status(exchange->easy);
        if (code != CURLE_OK)
                return give_up_exchange(exchange, code, curl_text);
        if (status >= 200 && status < HTTP_FIRST_ERROR)
                return REMOTE_FOUND;
        if ((status == 404 || status == 410) && !request->is_upload)
                return REMOTE_MISSING;
        const char *verb = "GET";
        if (request->is_upload)
                verb = "PUT";
        remote_give_up(exchange->remote, "it answers %ld to %s /%s/%s", status, verb, request->folder, request->name);
        return REMOTE_FAILED;
}

enum remote_answer remote_ask(struct remote *remote, const struct remote_request *request) {
        struct exchange exchange = { .remote = remote, .request = request, .window_began_ms = monotonic_ms() };
        char curl_text[CURL_ERROR_SIZE] = "";
        if (atomic_load(&remote->off))
                return REMOTE_FAILED;
        auto_free char *url = xasprintf("%s/%s/%s", remote->url, request->folder, request->name);
        exchange.easy = take_idle(remote);
        set_exchange_options(&exchange, url);
        struct curl_slist *headers = sign_request(remote, exchange.easy);
        curl_easy_setopt(exchange.easy, CURLOPT_ERRORBUFFER, curl_text);
        curl_easy_setopt(exchange.easy, CURLOPT_HTTPHEADER, headers);
        CURLcode code = curl_easy_perform(exchange.easy);
        enum remote_answer answer = judge(&exchange, code, curl_text);
        keep_idle(remote, exchange.easy);
        curl_slist_free_all(headers);
        err_release(&exchange.error);
        return answer;
}
