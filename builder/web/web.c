// SPDX-License-Identifier: MIT
#include "web/web.h"

#include <assert.h>
#include <ctype.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"

enum {
        WEB_IDLE_MAX = 8,
        WEB_BODY_KEPT = 64 << 10, // of a page that says why not
        WEB_BODY_DROPPED_MAX = 16 << 20,
        WEB_HEADERS_MAX = 128 << 10, // of all answers to a request
};

struct web {
        pthread_mutex_t mutex; // of what follows
        CURL *idle[WEB_IDLE_MAX];
        size_t idle_count;
};

struct web *web_new(void) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        struct web *web = xcalloc(1, sizeof *web);
        pthread_mutex_init(&web->mutex, NULL);
        return web;
}

void web_free(struct web *web) {
        if (!web)
                return;
        for (size_t i = 0; i < web->idle_count; i++)
                curl_easy_cleanup(web->idle[i]);
        pthread_mutex_destroy(&web->mutex);
        free(web);
}

// Its connection is still open, if it had one.
static CURL *take_idle(struct web *web) {
        CURL *easy = NULL;
        pthread_mutex_lock(&web->mutex);
        if (web->idle_count > 0)
                easy = web->idle[--web->idle_count];
        pthread_mutex_unlock(&web->mutex);
        if (!easy)
                easy = curl_easy_init();
        if (!easy)
                abort(); // out of memory
        return easy;
}

static void keep_idle(struct web *web, CURL *easy) {
        curl_easy_reset(easy); // but for its connection
        pthread_mutex_lock(&web->mutex);
        if (web->idle_count < WEB_IDLE_MAX)
                web->idle[web->idle_count++] = take_ptr(easy);
        pthread_mutex_unlock(&web->mutex);
        if (easy)
                curl_easy_cleanup(easy);
}

// ---- one request ----

struct web_exchange {
        const struct web_request *request;
        struct web_answer *answer;
        CURL *easy;
        uint64_t sent, header_bytes, dropped_bytes;
        int64_t window_began_ms;
        curl_off_t window_bytes;
        struct err error; // of take(), or of the answer's form
};

// The name in lower case, and no control character: a header is shown and compared, never sent on.
static void keep_header(struct buf *headers, const char *line, size_t size) {
        bool in_name = true;
        while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
                size--;
        for (size_t i = 0; i < size; i++) {
                unsigned char byte = (unsigned char)line[i];
                in_name = in_name && byte != ':';
                if (byte < ' ' && byte != '\t')
                        byte = ' ';
                if (in_name)
                        byte = (unsigned char)tolower(byte);
                buf_append_char(headers, (char)byte);
        }
        buf_append_char(headers, '\n');
}

// After a redirection, or "100 Continue", another answer begins.
static size_t take_header_line(char *line, size_t unit, size_t units, void *context) {
        struct web_exchange *exchange = context;
        struct web_answer *answer = exchange->answer;
        size_t size = unit * units;
        exchange->header_bytes += size;
        if (exchange->header_bytes > WEB_HEADERS_MAX) {
                fail(&exchange->error, ERR_CORRUPT, 0, "its headers have no end");
                return CURL_WRITEFUNC_ERROR;
        }
        if (size > strlen("HTTP/") && memcmp(line, "HTTP/", strlen("HTTP/")) == 0) {
                buf_clear(&answer->headers);
                buf_clear(&answer->body);
        } else {
                keep_header(&answer->headers, line, size);
        }
        return size;
}

static size_t take_web_body(char *data, size_t unit, size_t units, void *context) {
        struct web_exchange *exchange = context;
        struct web_answer *answer = exchange->answer;
        const struct web_request *request = exchange->request;
        size_t size = unit * units;
        curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &answer->status);
        if (request->take && answer->status < WEB_FIRST_REDIRECT) {
                answer->taken_bytes += size;
                if (request->take(answer, data, size, request->context, &exchange->error))
                        return size;
                return CURL_WRITEFUNC_ERROR;
        }
        size_t kept = size_min(size, WEB_BODY_KEPT - answer->body.size);
        buf_append(&answer->body, data, kept);
        exchange->dropped_bytes += size - kept; // of a proxy's long page: its beginning and the status tell enough
        if (exchange->dropped_bytes <= WEB_BODY_DROPPED_MAX)
                return size;
        fail(&exchange->error, ERR_CORRUPT, 0, "it answers %ld, with a text that has no end", answer->status);
        return CURL_WRITEFUNC_ERROR;
}

static size_t give_web_body(char *to, size_t unit, size_t units, void *context) {
        struct web_exchange *exchange = context;
        const struct web_request *request = exchange->request;
        size_t size = unit * units;
        if (size > request->size_bytes - exchange->sent)
                size = (size_t)(request->size_bytes - exchange->sent);
        if (request->data) {
                memcpy(to, (const char *)request->data + exchange->sent, size);
        } else if (size > 0) {
                ssize_t got = pread(request->fd, to, size, (off_t)(request->offset + exchange->sent));
                if (got <= 0)
                        return CURL_READFUNC_ABORT;
                size = (size_t)got;
        }
        exchange->sent += size;
        return size;
}

// curl starts over where a connection that was kept open is gone, or credentials are asked for.
static int rewind_web_body(void *context, curl_off_t offset, int origin) {
        struct web_exchange *exchange = context;
        if (origin != SEEK_SET || offset < 0)
                return CURL_SEEKFUNC_CANTSEEK;
        exchange->sent = (uint64_t)offset;
        return CURL_SEEKFUNC_OK;
}

static bool is_crawling(struct web_exchange *exchange, curl_off_t bytes) {
        const struct web_patience *patience = &exchange->request->patience;
        int64_t now = monotonic_ms();
        if (now - exchange->window_began_ms < patience->window_ms)
                return false;
        bool crawls = bytes - exchange->window_bytes < patience->least_bytes;
        exchange->window_began_ms = now;
        exchange->window_bytes = bytes;
        return crawls;
}

// curl calls it at each piece, and once a second where nothing comes.
static int watch_exchange(void *context, curl_off_t total_down, curl_off_t down, curl_off_t total_up, curl_off_t up) {
        struct web_exchange *exchange = context;
        const struct web_patience *patience = &exchange->request->patience;
        struct web_answer *answer = exchange->answer;
        (void)total_down;
        (void)total_up;
        answer->is_stopped = interrupt_requested() || (patience->stops && patience->stops(patience->context));
        answer->is_slow = !answer->is_stopped && is_crawling(exchange, down + up);
        return answer->is_stopped || answer->is_slow;
}

// No program that kiln starts meanwhile inherits it.
static curl_socket_t open_web_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
        (void)context;
        (void)purpose;
        return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_body_options(struct web_exchange *exchange) {
        curl_easy_setopt(exchange->easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(exchange->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)exchange->request->size_bytes);
        curl_easy_setopt(exchange->easy, CURLOPT_READFUNCTION, give_web_body);
        curl_easy_setopt(exchange->easy, CURLOPT_READDATA, exchange);
        curl_easy_setopt(exchange->easy, CURLOPT_SEEKFUNCTION, rewind_web_body);
        curl_easy_setopt(exchange->easy, CURLOPT_SEEKDATA, exchange);
        curl_easy_setopt(exchange->easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
}

static void set_request_options(struct web_exchange *exchange) {
        CURL *easy = exchange->easy;
        const struct web_request *request = exchange->request;
        curl_easy_setopt(easy, CURLOPT_URL, request->url);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "kiln");
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->patience.connect_ms);
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_web_socket);
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header_line);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_web_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
        curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch_exchange);
        curl_easy_setopt(easy, CURLOPT_XFERINFODATA, exchange);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
        if (strcmp(request->method, "HEAD") == 0)
                curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        else if (request->has_body)
                set_body_options(exchange);
        if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0)
                curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
        if (request->prepare)
                request->prepare(easy, request->context);
}

static bool fail_exchange(struct web_exchange *exchange, CURLcode code, const char *curl_text, struct err *err) {
        const char *reason = curl_text;
        if (exchange->error.kind) {
                err_release(err);
                *err = take_err(&exchange->error);
                return false;
        }
        if (exchange->answer->is_stopped)
                return interrupt_check(err) && fail(err, ERR_INTERRUPTED, 0, "the request was stopped");
        if (exchange->answer->is_slow)
                return fail(err, ERR_NETWORK, 0, "it answers too slowly, or not at all");
        if (!*reason)
                reason = curl_easy_strerror(code);
        return fail(err, ERR_NETWORK, 0, "%s", reason);
}

bool web_perform(struct web *web, const struct web_request *request, struct web_answer *ret, struct err *err) {
        char curl_text[CURL_ERROR_SIZE] = "";
        assert(request->method && request->url && request->patience.window_ms > 0);
        *ret = (struct web_answer){ .headers.max = WEB_HEADERS_MAX, .body.max = WEB_BODY_KEPT };
        struct web_exchange exchange = {
                .request = request, .answer = ret, .easy = take_idle(web), .window_began_ms = monotonic_ms()
        };
        set_request_options(&exchange);
        curl_easy_setopt(exchange.easy, CURLOPT_ERRORBUFFER, curl_text);
        CURLcode code = curl_easy_perform(exchange.easy);
        curl_easy_getinfo(exchange.easy, CURLINFO_RESPONSE_CODE, &ret->status);
        keep_idle(web, exchange.easy);
        bool ok = code == CURLE_OK || fail_exchange(&exchange, code, curl_text, err);
        err_release(&exchange.error);
        return ok;
}

void web_answer_release(struct web_answer *answer) {
        buf_release(&answer->headers);
        buf_release(&answer->body);
}

bool web_header(const struct web_answer *answer, const char *name, size_t index, struct buf *ret) {
        size_t length = strlen(name);
        buf_clear(ret);
        for (const char *line = buf_text(&answer->headers); *line;) {
                size_t size = strcspn(line, "\n");
                bool is_it = size > length && strncmp(line, name, length) == 0 && line[length] == ':';
                if (is_it && index-- == 0) {
                        const char *value = line + length + 1;
                        value += strspn(value, " \t");
                        buf_append(ret, value, size - (size_t)(value - line));
                        buf_append_text(ret, "");
                        return true;
                }
                line += size + (line[size] == '\n');
        }
        return false;
}
