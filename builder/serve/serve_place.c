// SPDX-License-Identifier: MIT
#include "serve/serve_place.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum { HTTP_PORT_DEFAULT = 8080, HTTP_PORT_WELL_KNOWN = 80 };

const struct network *serve_place_network(const struct cluster *cluster, struct in_addr address) {
        for (size_t i = 0; i < cluster->network_count; i++) {
                const struct network *network = &cluster->networks[i];
                uint32_t mask = 0;
                if (network->prefix > 0)
                        mask = ~0U << (32 - network->prefix);
                if ((ntohl(address.s_addr) & mask) == ntohl(network->address.s_addr))
                        return network;
        }
        return NULL;
}

static bool is_ipv4(const struct ifaddrs *at) { return at->ifa_addr && at->ifa_addr->sa_family == AF_INET; }

static struct in_addr address_of(const struct ifaddrs *at) {
        struct sockaddr_in socket_address;
        memcpy(&socket_address, at->ifa_addr, sizeof socket_address);
        return socket_address.sin_addr;
}

struct place_search {
        const struct serve_options *options;
        const struct cluster *cluster;
        bool has_wanted;
        struct in_addr wanted; // of --listen
};

static bool place_fits(const struct place_search *search, const struct ifaddrs *at) {
        const char *interface = search->options->interface;
        struct in_addr address = address_of(at);
        if (search->has_wanted && address.s_addr != search->wanted.s_addr)
                return false;
        if (interface && strcmp(interface, at->ifa_name) != 0)
                return false;
        return search->has_wanted || interface || serve_place_network(search->cluster, address);
}

static void place_from(const struct ifaddrs *at, struct serve_place *ret) {
        ret->address = address_of(at);
        strncpy(ret->interface, at->ifa_name, sizeof ret->interface - 1);
        inet_ntop(AF_INET, &ret->address, ret->text, sizeof ret->text);
}

// A second address on an interface that fits, too, does no harm: the cluster's network goes before others.
static const struct ifaddrs *choose_place(const struct place_search *search, const struct ifaddrs *all,
                                          const struct ifaddrs **ret_other) {
        const struct ifaddrs *found = NULL;
        *ret_other = NULL;
        for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
                if (!is_ipv4(at) || !place_fits(search, at))
                        continue;
                bool better = !found || (!serve_place_network(search->cluster, address_of(found)) &&
                                         serve_place_network(search->cluster, address_of(at)));
                if (found && strcmp(found->ifa_name, at->ifa_name) != 0)
                        *ret_other = at;
                if (better)
                        found = at;
        }
        return found;
}

static bool refuse_place(const struct serve_options *options, const struct ifaddrs *all, struct err *err) {
        auto_buf there = { 0 };
        for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
                char text[INET_ADDRSTRLEN];
                if (!is_ipv4(at))
                        continue;
                struct in_addr address = address_of(at);
                inet_ntop(AF_INET, &address, text, sizeof text);
                buf_printf(&there, " %s (%s)", text, at->ifa_name);
        }
        if (options->address)
                fail(err, ERR_REFERENCE, 0, "--listen %s: this machine has no such address", options->address);
        else if (options->interface)
                fail(err, ERR_REFERENCE, 0, "--interface %s: there is no such interface, or it has no IPv4 address",
                     options->interface);
        else
                fail(err, ERR_REFERENCE, 0, "no interface of this machine has an address in a network of the cluster");
        return hint(err, "addresses of this machine:%s; --listen or --interface chooses", buf_text(&there));
}

// http://HOST[:PORT]..., as the profile's pattern has checked it.
static unsigned port_of_base(const char *base) {
        static const char scheme[] = "http://";
        if (!base || strncmp(base, scheme, sizeof scheme - 1) != 0)
                return HTTP_PORT_DEFAULT;
        const char *host = base + sizeof scheme - 1;
        host += strcspn(host, "]/") * (*host == '[');
        const char *colon = host + strcspn(host, ":/");
        unsigned long port = HTTP_PORT_WELL_KNOWN;
        if (*colon == ':')
                port = strtoul(colon + 1, NULL, 10);
        if (port == 0 || port > UINT16_MAX)
                return HTTP_PORT_DEFAULT;
        return (unsigned)port;
}

bool serve_place_find(const struct serve_options *options, const struct cluster *cluster, struct serve_place *ret,
                      struct err *err) {
        assert(options && cluster && ret);
        struct place_search search = { .options = options, .cluster = cluster, .has_wanted = options->address != NULL };
        struct serve_place place = { .http_port = options->http_port };
        struct ifaddrs *all = NULL;
        const struct ifaddrs *other = NULL;
        if (options->address && inet_pton(AF_INET, options->address, &search.wanted) != 1)
                return fail(err, ERR_USAGE, 0, "--listen %s: an IPv4 address is needed", options->address);
        if (getifaddrs(&all) < 0)
                return fail(err, ERR_SYSTEM, errno, "list network interfaces");
        const struct ifaddrs *found = choose_place(&search, all, &other);
        bool ok = true;
        if (!found) {
                ok = refuse_place(options, all, err);
        } else if (other) {
                fail(err, ERR_REFERENCE, 0, "%s and %s both have an address in a network of the cluster",
                     found->ifa_name, other->ifa_name);
                ok = hint(err, "--interface chooses one");
        } else {
                place_from(found, &place);
        }
        freeifaddrs(all);
        if (!ok)
                return false;
        if (place.http_port == 0)
                place.http_port = port_of_base(cluster->http_base);
        *ret = place;
        return true;
}
