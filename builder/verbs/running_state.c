// SPDX-License-Identifier: MIT
#include "verbs/running_state.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "rollout/rollout.h"
#include "status/probe.h"
#include "status/status.h"
#include "verbs/verb_common.h"

#define SCHEME "http://"
#define STATE_PATH "/api/state"

enum { STATE_MAX_BYTES = 64 << 20, DEADLINE_MS = 10000, NODE_DEADLINE_MS = 3000, HTTP_PORT = 80 };

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

// ---- the nodes themselves ----

static bool names_cluster_file(const char *from) {
        const char *suffix = strrchr(from, '.');
        return suffix && (strcmp(suffix, ".yaml") == 0 || strcmp(suffix, ".yml") == 0);
}

static bool ask_running_nodes(const struct options *options, json_t **ret, struct err *err) {
        struct profile_options profile = options_profile(options);
        struct cluster *cluster = NULL;
        if (!cluster_load(options->running, &profile, &cluster, err))
                return false;
        bool ok = false;
        if (options->ssh)
                ok = rollout_running(cluster, options->ssh_config, ret, err);
        else if (cluster->status_port)
                ok = status_builds(cluster, NODE_DEADLINE_MS, ret, err);
        else {
                fail(err, ERR_USAGE, 0, "--running %s: the cluster has no `status_port`, on which nodes would tell it",
                     options->running);
                hint(err, "--ssh asks them by ssh, as root");
        }
        cluster_free(cluster);
        return ok;
}

bool running_state_read(const struct options *options, json_t **ret, struct err *err) {
        const char *from = options->running;
        assert(from && ret);
        if (names_cluster_file(from) && strncmp(from, SCHEME, strlen(SCHEME)) != 0)
                return ask_running_nodes(options, ret, err);
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
