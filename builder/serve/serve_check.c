// SPDX-License-Identifier: MIT
// What would go wrong, before anybody boots: a line for each thing that was looked at.
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "serve/dhcp_probe.h"
#include "serve/internal.h"
#include "serve/rate.h"

enum { PROBE_MS = 3000, PORT_DHCP = 67, PORT_TFTP = 69, MEGABIT = 1000000 };

struct checking {
        const struct server *server;
        unsigned faults;
};

static void tell_good(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell_fault(struct checking *checking, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void tell_good(const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *text = xvasprintf(format, arguments);
        va_end(arguments);
        printf("ok     %s\n", text);
}

static void tell_fault(struct checking *checking, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *text = xvasprintf(format, arguments);
        va_end(arguments);
        printf("FAULT  %s\n", text);
        checking->faults++;
}

// ---- the network ----

static void check_serve_address(struct checking *checking) {
        const struct serve_place *place = &checking->server->place;
        const struct network *network = serve_place_network(checking->server->rack.cluster, place->address);
        if (network)
                tell_good("%s (%s) is in network %s", place->text, place->interface, network->name);
        else
                tell_fault(checking,
                           "%s (%s) is in no network of the cluster: its nodes reach it only if a router and a DHCP "
                           "relay lie between",
                           place->text, place->interface);
}

static void try_port(struct checking *checking, int type, unsigned port, const char *what) {
        const struct serve_place *place = &checking->server->place;
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)port),
                                       .sin_addr = place->address };
        const int on = 1;
        auto_close int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
        if (port == PORT_DHCP)
                address.sin_addr.s_addr = INADDR_ANY; // as dnsmasq does
        if (type == SOCK_STREAM)
                (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0)
                tell_good("port %u is free for %s", port, what);
        else
                tell_fault(checking, "port %u, for %s: %s", port, what, strerror(errno));
}

static void try_ports(struct checking *checking) {
        const struct serve_options *options = checking->server->options;
        if (options->dhcp != SERVE_DHCP_NONE)
                try_port(checking, SOCK_DGRAM, PORT_DHCP, "DHCP");
        if (!options->no_tftp)
                try_port(checking, SOCK_DGRAM, PORT_TFTP, "TFTP");
        try_port(checking, SOCK_STREAM, checking->server->place.http_port, "HTTP");
}

static bool check_servers(struct checking *checking, struct err *err) {
        const struct serve_options *options = checking->server->options;
        struct in_addr servers[DHCP_SERVERS_MAX];
        size_t count = 0;
        bool allowed = false;
        if (!dhcp_probe(checking->server->place.interface, PROBE_MS, servers, &count, &allowed, err))
                return false;
        if (!allowed) {
                tell_fault(checking,
                           "whether there is another DHCP server is not known: that needs root or CAP_NET_RAW");
                return true;
        }
        for (size_t i = 0; i < count; i++) {
                char text[INET_ADDRSTRLEN] = "";
                inet_ntop(AF_INET, &servers[i], text, sizeof text);
                if (options->dhcp == SERVE_DHCP_FULL)
                        tell_fault(checking,
                                   "%s is a DHCP server, too: machines take whichever answers first; --proxy lives "
                                   "beside it",
                                   text);
                else
                        tell_good("%s gives the addresses", text);
        }
        if (count == 0 && options->dhcp == SERVE_DHCP_FULL)
                tell_good("there is no other DHCP server");
        else if (count == 0)
                tell_fault(checking, "no DHCP server answers, and this one is not to give addresses");
        return true;
}

// ---- the build ----

struct summing {
        const struct served_build *build;
        bool *differs;
};

static bool sum_file(size_t index, void *context, struct err *err) {
        const struct summing *summing = context;
        const char *path = summing->build->files[index];
        char digest[DIGEST_HEX_SIZE];
        auto_err why = { 0 };
        (void)err;
        summing->differs[index] = !digest_file("sha256", summing->build->dir, path, digest, &why) ||
                                  strcmp(digest, served_build_digest(summing->build, path)) != 0;
        return true;
}

static bool check_build(struct checking *checking, struct err *err) {
        const struct served_build *build = checking->server->rack.wanted;
        auto_free bool *differs = xcalloc(build->file_count + 1, sizeof *differs);
        struct summing summing = { build, differs };
        unsigned jobs = checking->server->options->jobs;
        if (!parallel_for(build->file_count, jobs, sum_file, &summing, err))
                return false;
        size_t damaged = 0;
        for (size_t i = 0; i < build->file_count; i++)
                if (differs[i]) {
                        damaged++;
                        tell_fault(checking, "build %s: %s is not what was published", build->id, build->files[i]);
                }
        if (damaged == 0)
                tell_good("build %s: %zu files are what was published", build->id, build->file_count);
        return true;
}

static uint64_t role_bytes(const struct served_build *build, const char *role) {
        static const char *const names[] = { "vmlinuz", "initrd.img", "config.cpio", "rootfs.squashfs" };
        uint64_t bytes = 0;
        for (size_t i = 0; i < lengthof(names); i++) {
                struct stat stat;
                auto_free char *path = xasprintf("pxe/images/%s/%s", role, names[i]);
                if (fstatat(build->dir, path, &stat, 0) == 0)
                        bytes += (uint64_t)stat.st_size;
        }
        return bytes;
}

// What the link says of itself, where the user says nothing; 0: nobody does.
static uint64_t link_rate(const char *interface) {
        auto_free char *path = xasprintf("/sys/class/net/%s/speed", interface);
        auto_buf text = { .max = 1 << 16 };
        auto_err ignored = { 0 };
        auto_close int fd = -1;
        if (!fs_open(AT_FDCWD, path, O_RDONLY, 0, &fd, &ignored) || !buf_read_fd(&text, fd, &ignored))
                return 0;
        long megabits = strtol(buf_text(&text), NULL, 10);
        if (megabits <= 0)
                return 0;
        return (uint64_t)megabits * MEGABIT;
}

static bool check_minutes(struct checking *checking, struct err *err) {
        const struct server *server = checking->server;
        const struct cluster *cluster = server->rack.cluster;
        uint64_t rate = link_rate(server->place.interface), bytes = 0;
        if (server->options->uplink && !rate_parse(server->options->uplink, &rate, err))
                return false;
        for (size_t i = 0; i < cluster->role_count; i++) {
                uint64_t of_role = role_bytes(server->rack.wanted, cluster->roles[i].name);
                bytes += of_role * cluster->roles[i].node_count;
                if (of_role == 0 && cluster->roles[i].node_count > 0)
                        tell_fault(checking, "the build has no images of role %s, which %zu nodes have",
                                   cluster->roles[i].name, cluster->roles[i].node_count);
        }
        if (rate == 0)
                tell_good("%zu nodes load %.1f GB; --uplink says how long that takes", cluster->node_count,
                          (double)bytes / 1e9);
        else
                tell_good("%zu nodes load %.1f GB: %.1f minutes at %.0f Mbit/s", cluster->node_count,
                          (double)bytes / 1e9, (double)bytes * 8 / (double)rate / 60, (double)rate / MEGABIT);
        return true;
}

bool serve_check(const struct serve_options *options, struct err *err) {
        assert(options && options->cluster_path && options->out);
        struct server server = { 0 };
        struct checking checking = { &server, 0 };
        bool ok = server_open(&server, options, err);
        if (ok) {
                check_serve_address(&checking);
                try_ports(&checking);
        }
        ok = ok && check_servers(&checking, err) && check_build(&checking, err) && check_minutes(&checking, err);
        server_close(&server);
        if (ok && checking.faults > 0)
                return fail(err, ERR_CLUSTER, 0, "the rack would not boot as it should: faults: %u", checking.faults);
        return ok;
}
