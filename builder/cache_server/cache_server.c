// SPDX-License-Identifier: MIT
#include "cache_server/cache_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/locations.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cache_server/internal.h"
#include "http/http_daemon.h"
#include "http/http_token.h"
#include "http/privileges.h"

#define LIMIT_DEFAULT "50G"

enum { CACHE_PORT = 8480, TICK_US = 200000, LOOK_EACH_MS = 1000, THREADS_MIN = 4 };

// ---- what options say ----

bool cache_limit_parse(const char *text, uint64_t *ret_bytes, struct err *err) {
        assert(text && ret_bytes);
        static const struct {
                const char *unit;
                double bytes;
        } units[] = { { "", 1 }, { "k", 1e3 }, { "M", 1e6 }, { "G", 1e9 }, { "T", 1e12 } };
        static const double most = 1e18;
        size_t length = strspn(text, "0123456789.");
        char *end = NULL;
        double number = strtod(text, &end);
        bool is_number = length > 0 && end == text + length;
        for (size_t i = 0; is_number && i < lengthof(units); i++)
                if (strcmp(end, units[i].unit) == 0 && number * units[i].bytes <= most) {
                        *ret_bytes = (uint64_t)(number * units[i].bytes);
                        return true;
                }
        fail(err, ERR_USAGE, 0, "--limit %s: a size is needed", text);
        return hint(err, "such as 200G or 1.5T; 0 for no limit");
}

static bool parse_listen_port(const char *text, unsigned *ret) {
        size_t digits = strspn(text, "0123456789");
        unsigned long port = strtoul(text, NULL, 10);
        if (digits == 0 || digits > 5 || text[digits] || port > UINT16_MAX)
                return false;
        *ret = (unsigned)port;
        return true;
}

bool cache_listen_parse(const char *text, struct in_addr *ret_address, unsigned *ret_port, struct err *err) {
        assert(text && ret_address && ret_port);
        size_t length = strcspn(text, ":");
        auto_free char *host = xstrndup(text, length);
        struct in_addr address = { htonl(INADDR_ANY) };
        unsigned port = CACHE_PORT;
        bool ok = !*host || inet_pton(AF_INET, host, &address) == 1;
        if (ok && text[length])
                ok = parse_listen_port(text + length + 1, &port);
        if (!ok || !*text) {
                fail(err, ERR_USAGE, 0, "--listen %s: ADDRESS:PORT is needed", text);
                return hint(err, "an IPv4 address of this machine, or 0.0.0.0 for all of them, such as 10.0.0.5:%d",
                            CACHE_PORT);
        }
        *ret_address = address;
        *ret_port = port;
        return true;
}

static const char *cache_dir(struct arena *arena, const char *option) {
        const char *systemd = getenv("STATE_DIRECTORY"), *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
        if (option)
                return locations_absolute(arena, option);
        if (systemd && *systemd == '/')
                return systemd;
        if (geteuid() == 0)
                return "/var/lib/kiln/cache";
        if (xdg && *xdg == '/')
                return arena_printf(arena, "%s/kiln/cache", xdg);
        return arena_printf(arena, "%s/.local/state/kiln/cache", text_or(home, ""));
}

// ---- a run ----

static bool open_cache_store(struct cache_server *server, const char *path, uint64_t limit_bytes, struct err *err) {
        auto_close int dir = -1;
        if (!fs_mkdirs(AT_FDCWD, path, 0755, err) || !fs_open_dir(AT_FDCWD, path, &dir, err))
                return wrap(err, "the cache's directory");
        return privileges_become_owner(dir, err) && store_open(dir, path, limit_bytes, &server->store, err);
}

static unsigned port_of(int socket) {
        struct sockaddr_in place = { 0 };
        socklen_t size = sizeof place;
        if (getsockname(socket, (struct sockaddr *)&place, &size) < 0)
                return 0;
        return ntohs(place.sin_port);
}

static void tell_cache(struct cache_server *server, const char *path, struct in_addr address, unsigned port) {
        char text[INET_ADDRSTRLEN] = "";
        auto_buf line = { 0 };
        const char *who = "with the token";
        (void)inet_ntop(AF_INET, &address, text, sizeof text);
        if (!server->token)
                who = "by nobody, without --token-file";
        cache_status_line(server, &line);
        notice("%.*s", (int)strcspn(buf_text(&line), "\n"), buf_text(&line));
        notice("serving %s; filled %s", path, who);
        if (geteuid() == 0)
                notice("as root; once %s is given to a user of its own, it goes on as that one", path);
        printf("http://%s:%u/\n", text, port);
        (void)fflush(stdout);
}

static void serve_until_interrupted(struct cache_server *server) {
        int64_t looked_ms = monotonic_ms();
        while (!interrupt_requested()) {
                usleep(TICK_US);
                int64_t now_ms = monotonic_ms();
                if (now_ms - looked_ms < LOOK_EACH_MS)
                        continue;
                looked_ms = now_ms;
                cache_http_tick(server, now_ms);
        }
}

static bool run_cache_server(struct cache_server *server, const struct cache_server_options *options, const char *path,
                             struct err *err) {
        struct in_addr address = { htonl(INADDR_LOOPBACK) };
        unsigned port = CACHE_PORT;
        uint64_t limit_bytes = 0;
        auto_close int socket = -1;
        if (!cache_limit_parse(text_or(options->limit, LIMIT_DEFAULT), &limit_bytes, err) ||
            (options->listen && !cache_listen_parse(options->listen, &address, &port, err)) ||
            (options->token_file && !http_token_read("--token-file", options->token_file, &server->token, err)) ||
            !http_listen(address, port, "--listen", &socket, err))
                return false;
        http_raise_limit(0);
        server->clients.own = htonl(INADDR_LOOPBACK); // a proxy in front of it, which encrypts
        port = port_of(socket);
        if (!open_cache_store(server, path, limit_bytes, err) ||
            !cache_http_start(server, take_fd(socket), (unsigned)size_max(options->threads, THREADS_MIN), err))
                return false;
        tell_cache(server, path, address, port);
        serve_until_interrupted(server);
        return true;
}

bool cache_server_run(const struct cache_server_options *options, struct err *err) {
        assert(options);
        struct arena arena = { 0 };
        struct cache_server server = { 0 };
        pthread_mutex_init(&server.lock, NULL);
        bool ok = run_cache_server(&server, options, cache_dir(&arena, options->dir), err);
        http_daemon_stop(server.http);
        store_close(server.store);
        clients_release(&server.clients);
        pthread_mutex_destroy(&server.lock);
        if (server.token)
                explicit_bzero(server.token, strlen(server.token));
        free(server.token);
        arena_release(&arena);
        return ok;
}
