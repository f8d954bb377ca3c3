// SPDX-License-Identifier: MIT
// What a run is made of, and what of it changes while it runs: the inventory, and the build that machines get.
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/progress.h"
#include "release/build_list.h"
#include "serve/fleet_lock.h"
#include "serve/internal.h"
#include "serve/serve_files.h"

enum { LOOK_MS = 1000 };

// ---- opening ----

static bool wanted_id(const struct server *server, char ret_id[static SERVED_ID_SIZE], struct err *err) {
        const struct serve_options *options = server->options;
        struct build_list list = { 0 };
        const struct listed_build *build = NULL;
        if (!options->build)
                return served_builds_current(&server->rack.builds, ret_id, err);
        bool ok = build_list_read(options->out, server->rack.cluster->name, &list, err) &&
                  build_list_find(&list, options->build, &build, err);
        if (ok)
                memcpy(ret_id, build->id, strlen(build->id) + 1);
        build_list_release(&list);
        return ok;
}

static bool open_wanted(struct server *server, struct err *err) {
        char id[SERVED_ID_SIZE] = "";
        if (!wanted_id(server, id, err) || !served_builds_get(&server->rack.builds, id, &server->rack.wanted, err))
                return false;
        return server->rack.wanted || fail(err, ERR_REFERENCE, 0, "build %s is gone", id);
}

bool server_open(struct server *server, const struct serve_options *options, struct err *err) {
        *server = (struct server){
                .options = options,
                .state_dir = -1,
                .http_socket = -1,
                .dhcp.name = "DHCP",
                .tftp.name = "TFTP",
                .log.arch = -1,
                .rack = { .lock = PTHREAD_MUTEX_INITIALIZER,
                          .builds.dir = -1,
                          .out = options->out,
                          .vips.fd = -1,
                          .journal = { .dir = -1, .fd = -1 },
                          .state = boot_state_new() },
        };
        struct rack *rack = &server->rack;
        if (!cluster_load(options->cluster_path, &options->profile, &rack->cluster, err) ||
            !serve_place_find(options, rack->cluster, &server->place, err) ||
            !dnsmasq_check_value("the interface", server->place.interface, "--interface", err) ||
            !served_builds_open(options->out, rack->cluster->name, &rack->builds, err))
                return false;
        server->inputs_mark = server_inputs_mark(rack->cluster);
        server->looked_ms = monotonic_ms();
        return open_wanted(server, err);
}

void server_close(struct server *server) {
        rack_release(&server->rack);
        fleet_lock_close();
        close_cleanup(&server->state_dir);
        close_cleanup(&server->http_socket);
        free(server->state_path);
        free(server->token);
}

// ---- dnsmasq ----

void server_config(const struct server *server, struct boot_files *files, struct dnsmasq_config *ret) {
        served_build_files(server->rack.wanted, files);
        *ret = (struct dnsmasq_config){
                .cluster = server->rack.cluster,
                .place = &server->place,
                .files = files,
                .dhcp = server->options->dhcp,
                .state_dir = server->state_path,
        };
}

// TFTP goes on with what it sends: only the DHCP server is started anew, and only if more than hosts have changed.
static bool apply_config(struct server *server, struct err *err) {
        auto_free char *path = xasprintf("%s/dhcp.conf", server->state_path);
        if (server->has_dhcp && server->must_restart_dhcp) {
                dnsmasq_child_stop(&server->dhcp);
                if (!dnsmasq_child_start(&server->dhcp, path, err))
                        return false;
        } else if (server->must_reload_hosts) {
                dnsmasq_child_reload(&server->dhcp);
        }
        server->must_restart_dhcp = server->must_reload_hosts = false;
        return true;
}

bool server_configure(struct server *server, struct err *err) {
        struct boot_files files;
        struct dnsmasq_config config;
        server_config(server, &files, &config);
        server->must_configure = true;
        bool ok = serve_files_link(server->state_dir, &server->rack.builds, files.build, err) &&
                  serve_files_write(server->state_dir, server->state_path, &config, &server->must_restart_dhcp,
                                    &server->must_reload_hosts, err) &&
                  apply_config(server, err);
        server->must_configure = !ok;
        return ok;
}

// ---- changes ----

static uint64_t mix(uint64_t hash, uint64_t value) { return (hash ^ value) * 0x100000001b3U; }

uint64_t server_inputs_mark(const struct cluster *cluster) {
        uint64_t hash = 0xcbf29ce484222325U;
        for (size_t i = 0; i < cluster->inputs.count; i++) {
                struct stat stat_now;
                if (stat(cluster->inputs.items[i], &stat_now) < 0)
                        stat_now = (struct stat){ 0 };
                hash = mix(hash, stat_now.st_ino);
                hash = mix(hash, (uint64_t)stat_now.st_size);
                hash = mix(hash, (uint64_t)stat_now.st_mtim.tv_sec);
                hash = mix(hash, (uint64_t)stat_now.st_mtim.tv_nsec);
        }
        return hash;
}

static bool take_inventory(struct server *server, struct err *err) {
        struct cluster *cluster = NULL;
        if (!cluster_load(server->options->cluster_path, &server->options->profile, &cluster, err))
                return false;
        if (strcmp(cluster->name, server->rack.cluster->name) != 0) {
                fail(err, ERR_REFERENCE, 0, "the cluster is called %s now, and was %s", cluster->name,
                     server->rack.cluster->name);
                cluster_free(cluster);
                return false;
        }
        rack_take_inventory(&server->rack, cluster);
        server->inputs_mark = server_inputs_mark(cluster);
        server->must_configure = true;
        notice("took the inventory anew: %zu nodes", cluster->node_count);
        return true;
}

static bool take_build(struct server *server, const char *id, struct err *err) {
        struct rack *rack = &server->rack;
        struct served_build *build = NULL;
        pthread_mutex_lock(&rack->lock);
        bool ok = served_builds_get(&rack->builds, id, &build, err);
        pthread_mutex_unlock(&rack->lock);
        if (!ok || !build)
                return ok && fail(err, ERR_REFERENCE, 0, "there is no build %s", id);
        rack_switch(rack, build);
        pthread_mutex_lock(&rack->lock);
        served_builds_release(&rack->builds, build);
        pthread_mutex_unlock(&rack->lock);
        server->must_configure = true;
        notice("machines that boot from now on get build %s", id);
        return true;
}

static void look_at_profiles(struct server *server, bool is_now) {
        auto_err err = { 0 };
        uint64_t mark = server_inputs_mark(server->rack.cluster);
        if (mark == server->inputs_mark && !is_now)
                return;
        server->inputs_mark = mark;
        if (!take_inventory(server, &err))
                warning("the inventory stays as it was: %s", err.text);
}

static void look_at_current(struct server *server) {
        auto_err err = { 0 };
        char id[SERVED_ID_SIZE] = "";
        if (server->options->build)
                return;
        bool ok = served_builds_current(&server->rack.builds, id, &err);
        if (ok && strcmp(id, server->rack.wanted->id) == 0)
                return;
        if (!ok || !take_build(server, id, &err))
                warning("machines still get build %s: %s", server->rack.wanted->id, err.text);
}

// A full disk or a lack of processes passes: tried at each look, and told once.
static void look_at_dnsmasq(struct server *server) {
        auto_err err = { 0 };
        if (!server->must_configure)
                return;
        bool was_failing = server->is_failing;
        server->is_failing = !server_configure(server, &err);
        if (server->is_failing && !was_failing)
                warning("dnsmasq does not know what has changed, and kiln tries again each second: %s", err.text);
        if (was_failing && !server->is_failing)
                notice("dnsmasq knows what has changed");
}

void server_look(struct server *server, bool is_now) {
        int64_t now_ms = monotonic_ms();
        if (!is_now && now_ms - server->looked_ms < LOOK_MS)
                return;
        server->looked_ms = now_ms;
        look_at_profiles(server, is_now);
        look_at_current(server);
        look_at_dnsmasq(server);
}
