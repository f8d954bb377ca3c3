// SPDX-License-Identifier: MIT
// What a run of kiln serve is made of, for the files that share it.
#ifndef KILN_SERVE_INTERNAL_H
#define KILN_SERVE_INTERNAL_H

#include "serve/dnsmasq_child.h"
#include "serve/dnsmasq_log.h"
#include "serve/http_server.h"
#include "serve/rack.h"
#include "serve/serve.h"
#include "serve/serve_place.h"

struct server {
        const struct serve_options *options;
        struct rack rack;
        struct serve_place place;
        char *state_path;
        int state_dir;
        int http_socket;
        struct http_server *http;
        struct dnsmasq_child dhcp, tftp;
        struct dnsmasq_log log;
        char *token;
        uint64_t inputs_mark; // of the profiles when they were read
        int64_t looked_ms;    // when current and profiles were looked at last
        bool has_dhcp;        // its DHCP server was started, and is to run
        // What is still to be done for dnsmasq, and stays so until it has succeeded.
        bool must_configure, must_restart_dhcp, must_reload_hosts;
        bool is_failing; // that was told
};

// Takes the cluster file, finds the place, opens the builds, and the one that machines get.
must_check bool server_open(struct server *server, const struct serve_options *options, struct err *err);
void server_close(struct server *server);

// What dnsmasq is told now. Both are to outlive the configuration.
void server_config(const struct server *server, struct boot_files *files, struct dnsmasq_config *ret);

// Writes dnsmasq's files, and has it take what has changed. What fails is still to be done: server_look() tries again.
must_check bool server_configure(struct server *server, struct err *err);

// Looks whether `current` or a profile has changed, once a second or at once. What cannot be taken is told, and the old
// stays.
void server_look(struct server *server, bool is_now);
// Of the files that the cluster was read from.
uint64_t server_inputs_mark(const struct cluster *cluster);

#endif
