// SPDX-License-Identifier: MIT
#include "serve/serve.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "http/http_daemon.h"
#include "http/http_token.h"
#include "http/privileges.h"
#include "serve/fleet_lock.h"
#include "serve/internal.h"
#include "serve/rate.h"
#include "serve/serve_files.h"

enum { TICK_MS = 250, UP_MS = 10000 };

static volatile sig_atomic_t asked_to_look;

static void note_hangup(int number) { asked_to_look = number; }

static void take_hangups(void) {
        struct sigaction action = { .sa_handler = note_hangup, .sa_flags = SA_RESTART };
        sigemptyset(&action.sa_mask);
        sigaction(SIGHUP, &action, NULL);
}

// ---- starting ----

static bool read_token(struct server *server, struct err *err) {
        const char *path = server->options->token_file;
        return !path || http_token_read("--token", path, &server->token, err);
}

static bool setup_admission(struct server *server, struct err *err) {
        uint64_t bits = 0;
        if (server->options->uplink && !rate_parse(server->options->uplink, &bits, err))
                return false;
        admission_setup(&server->rack.admission, bits, server->options->transfers);
        return true;
}

static bool open_state(struct server *server, struct err *err) {
        server->state_path = serve_state_dir(server->options->state_dir, server->rack.cluster->name);
        if (!dnsmasq_check_value("the state directory", server->state_path, "--state", err) ||
            !serve_files_open(server->state_path, &server->state_dir, err) ||
            !privileges_drop(server->options->user, server->state_dir, err))
                return false;
        int dir = dup(server->state_dir);
        if (dir < 0)
                return fail(err, ERR_SYSTEM, errno, "open the state directory");
        if (!fleet_lock_open(server->state_dir, err))
                return wrap(err, "%s", server->state_path);
        return journal_open(dir, server->rack.state, &server->rack.journal, err) || wrap(err, "%s", server->state_path);
}

// TFTP opens files by their whole path, as whoever it is by now.
static bool check_readable(const struct server *server, struct err *err) {
        auto_free char *build = served_builds_path(&server->rack.builds, server->rack.wanted->id);
        auto_free char *path = xasprintf("%s/%s/pxe", server->rack.builds.path, text_or(build, ""));
        if (server->options->no_tftp || access(path, R_OK | X_OK) == 0 || errno == ENOENT)
                return true;
        fail(err, ERR_SYSTEM, errno, "read %s", path);
        return hint(err,
                    "kiln serve goes on as user dnsmasq, or as --user says: every directory above the builds must let "
                    "that user through");
}

static void take_line(const char *line, void *context) {
        struct server *server = context;
        struct boot_event event;
        notice("%s", line);
        if (dnsmasq_log_line(&server->log, line, boot_now_ms(), &event))
                rack_note(&server->rack, &event);
}

static bool start_children(struct server *server, struct err *err) {
        auto_free char *dhcp = xasprintf("%s/dhcp.conf", server->state_path);
        auto_free char *tftp = xasprintf("%s/tftp.conf", server->state_path);
        if (server->options->dhcp != SERVE_DHCP_NONE && !dnsmasq_child_start(&server->dhcp, dhcp, err))
                return false;
        server->has_dhcp = server->options->dhcp != SERVE_DHCP_NONE;
        if (!server->options->no_tftp && !dnsmasq_child_start(&server->tftp, tftp, err))
                return false;
        return dnsmasq_child_wait(&server->dhcp, UP_MS, take_line, server, err) &&
               dnsmasq_child_wait(&server->tftp, UP_MS, take_line, server, err);
}

static bool start_server(struct server *server, struct err *err) {
        take_hangups();
        if (!read_token(server, err) || !setup_admission(server, err) ||
            !http_listen(server->place.address, server->place.http_port, "--http-port", &server->http_socket, err))
                return false;
        http_raise_limit(server->rack.cluster->node_count);
        server->rack.clients.own = server->place.address.s_addr;
        rack_setup(&server->rack, server->rack.cluster); // before the journal, whose machines it knows
        if (!open_state(server, err) || !check_readable(server, err) || !server_configure(server, err) ||
            !start_children(server, err))
                return false;
        if (!rack_start_syncing(&server->rack, err))
                return false;
        vip_watch_open(&server->rack.vips, &server->place);
        unsigned threads = server->options->jobs;
        return http_server_start(&server->rack, take_fd(server->http_socket), threads, server->token, &server->http,
                                 err);
}

// ---- running ----

static void wait_for_news(const struct server *server) {
        struct pollfd polled[2];
        nfds_t count = 0;
        const struct dnsmasq_child *children[] = { &server->dhcp, &server->tftp };
        for (size_t i = 0; i < lengthof(children); i++)
                if (children[i]->pid > 0)
                        polled[count++] = (struct pollfd){ .fd = children[i]->output, .events = POLLIN };
        (void)poll(polled, count, TICK_MS);
}

static bool run_server(struct server *server, struct err *err) {
        while (!interrupt_requested()) {
                wait_for_news(server);
                dnsmasq_child_read(&server->dhcp, take_line, server);
                dnsmasq_child_read(&server->tftp, take_line, server);
                if (interrupt_requested())
                        break; // which may have ended dnsmasq, too
                if (!dnsmasq_child_check(&server->dhcp, err) || !dnsmasq_child_check(&server->tftp, err))
                        return false;
                bool is_now = asked_to_look != 0;
                asked_to_look = 0;
                server_look(server, is_now);
                rack_tick(&server->rack, boot_now_ms());
                http_server_tick(server->http);
        }
        return true;
}

static void tell_start(const struct server *server) {
        const struct rack *rack = &server->rack;
        notice("serving %s on %s (%s): http://%s:%u/, build %s, %zu nodes", rack->cluster->name,
               server->place.interface, server->place.text, server->place.text, server->place.http_port,
               rack->wanted->id, rack->cluster->node_count);
        printf("http://%s:%u/\n", server->place.text, server->place.http_port);
        (void)fflush(stdout);
}

bool serve_run(const struct serve_options *options, struct err *err) {
        assert(options && options->cluster_path && options->out);
        struct server server = { 0 };
        bool ok = server_open(&server, options, err);
        if (ok && start_server(&server, err)) {
                tell_start(&server);
                ok = run_server(&server, err);
        } else {
                ok = false;
        }
        dnsmasq_child_stop(&server.dhcp);
        dnsmasq_child_stop(&server.tftp);
        http_server_stop(server.http);
        server_close(&server);
        return ok;
}

// ---- for those who run their own ----

// The directory in which the build is, so that its id is a path in it: that of all builds, or of those of some roles.
static char *tftp_root_of(const struct server *server) {
        const char *id = server->rack.wanted->id;
        auto_free char *path = served_builds_path(&server->rack.builds, id);
        size_t above = 0;
        if (path)
                above = strlen(path) - strlen(id);
        if (above == 0)
                return xstrdup(server->rack.builds.path);
        return xasprintf("%s/%.*s", server->rack.builds.path, (int)above - 1, path);
}

bool serve_print_config(const struct serve_options *options, struct err *err) {
        assert(options && options->cluster_path && options->out);
        struct server server = { 0 };
        bool ok = server_open(&server, options, err) &&
                  dnsmasq_check_value("the builds' directory", server.rack.builds.path, "--out", err);
        if (ok) {
                struct boot_files files;
                struct dnsmasq_config config;
                auto_buf text = { 0 };
                auto_free char *root = tftp_root_of(&server);
                server_config(&server, &files, &config);
                config.state_dir = "/var/lib/misc";
                dnsmasq_print_config(&config, root, &text);
                (void)fwrite(buf_text(&text), 1, text.size, stdout);
        }
        server_close(&server);
        return ok;
}
