// SPDX-License-Identifier: MIT
// The page, JSON, metrics, and what is POSTed.
#include <string.h>

#include "base/mem.h"
#include "http/http_token.h"
#include "serve/fleet_lock.h"
#include "serve/http_guard.h"
#include "serve/http_request.h"
#include "serve/page.h"
#include "serve/report_read.h"
#include "serve/state_json.h"

#define JSON_TYPE "application/json"
enum { BODY_RETRY_S = 2 };

static enum MHD_Result answer_page(const struct http_request *request) {
        struct MHD_Response *response =
            MHD_create_response_from_buffer(page_html_size(), (void *)page_html, MHD_RESPMEM_PERSISTENT);
        if (response) {
                MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/html; charset=utf-8");
                MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
                MHD_add_response_header(response, "Content-Security-Policy", page_policy());
        }
        return http_answer(request, MHD_HTTP_OK, response);
}

static struct boot_machine *machine_of_request(const struct http_request *request) {
        const char *name = http_parameter(request, "name"), *mac_text = http_parameter(request, "mac");
        uint8_t mac[BOOT_MAC_SIZE];
        if (name)
                return boot_state_by_name(request->rack->state, name);
        if (boot_mac_parse(mac_text, mac))
                return boot_state_by_mac(request->rack->state, mac);
        return NULL;
}

static enum MHD_Result answer_machine(const struct http_request *request) {
        auto_buf text = { 0 };
        pthread_mutex_lock(&request->rack->lock);
        const struct boot_machine *machine = machine_of_request(request);
        if (machine)
                state_json_machine(request->rack, machine, &text);
        pthread_mutex_unlock(&request->rack->lock);
        if (!machine)
                return http_answer_text(request, MHD_HTTP_NOT_FOUND,
                                        "there is no such machine: name= or mac= says which");
        return http_answer_buf(request, JSON_TYPE, &text);
}

static enum MHD_Result answer_whole(const struct http_request *request, const char *type,
                                    void (*format)(const struct rack *rack, struct buf *ret)) {
        auto_buf text = { 0 };
        pthread_mutex_lock(&request->rack->lock);
        format(request->rack, &text);
        pthread_mutex_unlock(&request->rack->lock);
        return http_answer_buf(request, type, &text);
}

static void format_state(const struct rack *rack, struct buf *ret) { state_json_changes(rack, 0, ret); }

enum MHD_Result http_answer_api(struct http_request *request) {
        enum MHD_Result refused;
        if (!http_guard_get(request, &refused))
                return refused;
        if (strcmp(request->url, "/api/events") == 0 && !request->is_head)
                return http_answer_events(request);
        if (strcmp(request->url, "/") == 0)
                return answer_page(request);
        if (strcmp(request->url, "/api/state") == 0)
                return answer_whole(request, JSON_TYPE, format_state);
        if (strcmp(request->url, "/metrics") == 0)
                return answer_whole(request, "text/plain; version=0.0.4; charset=utf-8", state_metrics);
        if (strcmp(request->url, "/api/diff") == 0)
                return http_answer_diff(request);
        if (strcmp(request->url, "/report.html") == 0)
                return http_answer_report(request);
        if (strcmp(request->url, "/api/machine") == 0)
                return answer_machine(request);
        return http_answer_text(request, MHD_HTTP_NOT_FOUND,
                                "/api/state, /api/machine, /api/events, /api/diff and /metrics is what "
                                "there is");
}

// ---- POST ----

static enum MHD_Result answer_report(struct http_request *request) {
        static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;
        struct boot_event event;
        auto_err err = { 0 };
        if (request->is_too_large)
                return http_answer_text(request, MHD_HTTP_CONTENT_TOO_LARGE, "the report is too large");
        if (!rack_may_report(request->rack, request->client))
                return http_answer_text(request, MHD_HTTP_TOO_MANY_REQUESTS, "too many reports from one address");
        // One after the other: what a report takes in memory is taken once.
        pthread_mutex_lock(&reading);
        bool is_report = report_read(buf_text(&request->body), request->body.size, boot_now_ms(), &event, &err);
        pthread_mutex_unlock(&reading);
        if (!is_report)
                return http_answer_text(request, MHD_HTTP_BAD_REQUEST, err.text);
        if (!rack_take_report(request->rack, request->client, &event))
                return http_answer_text(request, MHD_HTTP_FORBIDDEN, "this address may not tell of that machine");
        return http_answer(request, MHD_HTTP_NO_CONTENT,
                           MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

static bool is_token(const struct http_request *request) {
        return http_token_matches(http_header(request, MHD_HTTP_HEADER_AUTHORIZATION), request->token);
}

static enum MHD_Result answer_forget(struct http_request *request) {
        if (!is_token(request))
                return http_answer_text(request, MHD_HTTP_FORBIDDEN,
                                        "this needs the token: Authorization: Bearer TOKEN");
        pthread_mutex_lock(&request->rack->lock);
        const struct boot_machine *machine = machine_of_request(request);
        bool is_forgotten = machine && !machine->is_known;
        if (is_forgotten)
                rack_forget(request->rack, machine);
        pthread_mutex_unlock(&request->rack->lock);
        if (!is_forgotten)
                return http_answer_text(request, MHD_HTTP_NOT_FOUND, "there is no such unknown machine");
        return http_answer_text(request, MHD_HTTP_OK, "forgotten");
}

static enum MHD_Result answer_unlock(struct http_request *request) {
        const char *group = http_parameter(request, "group");
        if (!is_token(request))
                return http_answer_text(request, MHD_HTTP_FORBIDDEN,
                                        "this needs the token: Authorization: Bearer TOKEN");
        if (!group || !fleet_lock_forget(group))
                return http_answer_text(request, MHD_HTTP_NOT_FOUND, "nobody has a slot of that group=");
        return http_answer_text(request, MHD_HTTP_OK, "unlocked");
}

enum MHD_Result http_answer_post(struct http_request *request) {
        enum MHD_Result refused;
        bool is_report = strcmp(request->url, "/report") == 0 || strcmp(request->url, "/api/report") == 0;
        if (!http_guard_post(request, is_report, &refused))
                return refused;
        if (strncmp(request->url, FLEET_LOCK_URL, strlen(FLEET_LOCK_URL)) == 0)
                return http_answer_fleet(request);
        if (request->is_pushed_out) // nodes send a report again after 503, and throw it away after 413
                return http_answer_later(request, BODY_RETRY_S, "too much is being received at once: send it again");
        if (is_report)
                return answer_report(request);
        if (strcmp(request->url, "/api/forget") == 0)
                return answer_forget(request);
        if (strcmp(request->url, "/api/unlock") == 0)
                return answer_unlock(request);
        return http_answer_text(request, MHD_HTTP_NOT_FOUND, "reports go to /report");
}
