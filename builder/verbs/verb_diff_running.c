// SPDX-License-Identifier: MIT
// kiln diff BUILD --running: where what machines run comes from.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "diff/running_diff.h"
#include "release/build_list.h"
#include "status/probe.h"
#include "verbs/verb_common.h"
#include "verbs/verb_diff.h"

#define SCHEME "http://"
#define STATE_PATH "/api/state"

enum { STATE_MAX_BYTES = 64 << 20, DEADLINE_MS = 10000, HTTP_PORT = 80 };

// ---- the state, of a server or in a file ----

static bool resolve_server(const char *host, struct in_addr *ret, struct err *err) {
        const struct addrinfo wanted = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
        struct addrinfo *found = NULL;
        int failure = getaddrinfo(host, NULL, &wanted, &found);
        if (failure)
                return fail(err, ERR_NETWORK, 0, "find %s: %s", host, gai_strerror(failure));
        struct sockaddr_in address;
        memcpy(&address, found->ai_addr, sizeof address);
        *ret = address.sin_addr;
        freeaddrinfo(found);
        return true;
}

// http://HOST[:PORT][/], as kiln serve prints it.
static bool parse_server(const char *url, char **ret_host, uint16_t *ret_port, struct err *err) {
        const char *host = url + strlen(SCHEME);
        size_t size = strcspn(host, ":/");
        unsigned long port = HTTP_PORT;
        char *end = (char *)host + size;
        if (*end == ':')
                port = strtoul(end + 1, &end, 10);
        bool is_url = size > 0 && port > 0 && port <= UINT16_MAX && (!*end || strcmp(end, "/") == 0);
        if (!is_url)
                return fail(err, ERR_USAGE, 0, "--running takes http://HOST:PORT of kiln serve, or a file, not `%s`",
                            url);
        *ret_host = xstrndup(host, size);
        *ret_port = (uint16_t)port;
        return true;
}

static bool check_answer(const struct probe *probe, const char *url, struct err *err) {
        unsigned status = 0;
        if (probe->end != PROBE_ANSWERED) {
                int number = probe->error;
                if (probe->end == PROBE_TIMED_OUT || probe->end == PROBE_SILENT)
                        number = ETIMEDOUT;
                else if (probe->end == PROBE_REFUSED)
                        number = ECONNREFUSED;
                return fail(err, ERR_NETWORK, number, "ask %s", url);
        }
        bool is_answer = sscanf(buf_text(&probe->answer), "HTTP/1.%*1u %3u", &status) == 1 && status == 200;
        if (!is_answer || probe_is_cut(probe))
                return fail(err, ERR_NETWORK, 0, "ask %s: the answer (%u) is no state of a rack, or not whole", url,
                            status);
        return true;
}

static bool ask_server(const char *url, struct buf *ret, struct err *err) {
        auto_free char *host = NULL, *request = NULL;
        struct probe probe = { .is_http = true };
        if (!parse_server(url, &host, &probe.port, err) || !resolve_server(host, &probe.address, err))
                return false;
        request =
            xasprintf("GET " STATE_PATH " HTTP/1.1\r\nHost: %s:%u\r\nConnection: close\r\n\r\n", host, probe.port);
        probe.request = request;
        probe.request_size = strlen(request);
        bool ok = probes_run(&probe, 1, DEADLINE_MS, err) && check_answer(&probe, url, err);
        if (ok)
                buf_append_text(ret, strstr(buf_text(&probe.answer), "\r\n\r\n") + 4);
        probe_release(&probe);
        return ok;
}

static bool read_state(const char *from, json_t **ret, struct err *err) {
        auto_buf text = { .max = STATE_MAX_BYTES };
        json_error_t error;
        bool is_url = strncmp(from, SCHEME, strlen(SCHEME)) == 0;
        if (is_url && !ask_server(from, &text, err))
                return wrap(err, "--running");
        if (!is_url && !fs_read(AT_FDCWD, from, &text, err))
                return wrap(err, "--running");
        *ret = json_loadb(buf_text(&text), text.size, 0, &error);
        if (!*ret)
                return fail(err, ERR_CORRUPT, 0, "--running %s: line %d: %s", from, error.line, error.text);
        return true;
}

// ---- builds ----

struct running_builds {
        const char *out;
        const struct build_list *list;
};

static bool find_running_build(void *context, const char *id, char **ret_path, struct err *err) {
        const struct running_builds *builds = context;
        (void)err;
        for (size_t i = 0; i < builds->list->count; i++)
                if (strcmp(builds->list->items[i].id, id) == 0) {
                        *ret_path = listed_build_path(builds->out, &builds->list->items[i]);
                        return true;
                }
        return true;
}

// ---- the answer ----

static bool print_running(const struct options *options, const json_t *diff, struct err *err) {
        auto_buf text = { 0 }, printable = { 0 };
        if (options->node && !json_object_get(json_object_get(diff, "nodes"), options->node))
                return fail(err, ERR_REFERENCE, 0, "neither the build nor the server has a node %s", options->node);
        if (options->json) {
                auto_free char *json = json_dumps(diff, JSON_INDENT(2));
                puts(text_or(json, "{}"));
        } else {
                running_diff_print(diff, options->node, &text);
                mistake_printable(&printable, buf_text(&text), text.size);
                fputs(buf_text(&printable), stdout);
        }
        bool is_written = fflush(stdout) == 0 && !ferror(stdout);
        return is_written || fail(err, ERR_SYSTEM, errno, "write standard output");
}

bool diff_running(const struct options *options, const struct build_list *list, const char *path, bool *ret_same,
                  struct err *err) {
        struct running_builds builds = { options_out_dir(options), list };
        json_t *state = NULL, *diff = NULL;
        if (options->markdown)
                return fail(err, ERR_USAGE, 0, "--markdown shows two builds, not what runs");
        bool ok = read_state(options->running, &state, err);
        if (ok && !running_diff(state, path, find_running_build, &builds, &diff, err))
                ok = wrap(err, "--running %s", options->running);
        ok = ok && print_running(options, diff, err);
        if (ok)
                *ret_same = json_integer_value(json_object_get(diff, "reboot")) == 0 &&
                            json_integer_value(json_object_get(diff, "unknown")) == 0;
        json_decref(state);
        json_decref(diff);
        return ok;
}
