// SPDX-License-Identifier: MIT
// What Anaconda cannot: while it installs it has the node's links with their addresses, the default route and name
// servers (artefact/kickstart_network.c), but no static route and no search domain.
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "profile/checks/checks.h"
#include "profile/reader/names.h"

static const char *url_host(struct arena *arena, const char *url) {
        const char *host = strstr(url, "://");
        if (!host || strncmp(url, "file:", 5) == 0)
                return "";
        host += 3;
        return arena_strndup(arena, host, strcspn(host, ":/"));
}

static bool route_holds(const char *route, struct in_addr address) {
        char to[INET_ADDRSTRLEN] = "";
        size_t size = strcspn(route, "/");
        struct network network = { 0 };
        if (route[size] != '/' || size >= sizeof to)
                return false;
        memcpy(to, route, size);
        network.prefix = atoi(route + size + 1);
        return inet_pton(AF_INET, to, &network.address) == 1 && network_holds(&network, address);
}

static void warn_route(struct loader *loader, const struct cluster *cluster, const struct node *node,
                       struct in_addr host) {
        const struct network *network = &cluster->networks[node->network];
        if (network_holds(network, host))
                return;
        for (size_t i = 0; i < network->routes.count; i++)
                if (route_holds(network->routes.items[i], host))
                        warning("%s: kickstart/%s.ks fetches from http_base by the route `%s`, and the installer has "
                                "no static routes: let network `%s`'s gateway reach it, or serve it from that network",
                                place_text(loader->arena, &node->place), node->name, network->routes.items[i],
                                network->name);
}

static void warn_name(struct loader *loader, const struct cluster *cluster, const struct node *node, const char *host) {
        const struct network *network = &cluster->networks[node->network];
        if (network->dns.count == 0)
                warning(
                    "%s: kickstart/%s.ks fetches from `%s` (http_base), and network `%s` has no `dns` to find it by",
                    place_text(loader->arena, &node->place), node->name, host, network->name);
        else if (!strchr(host, '.'))
                warning("%s: kickstart/%s.ks fetches from `%s` (http_base), and the installer has no search domains: "
                        "write the whole name",
                        place_text(loader->arena, &node->place), node->name, host);
}

void check_installer(struct loader *loader, const struct cluster *cluster) {
        struct in_addr address;
        if (!cluster->http_base || loader->diagnostics->mistake_count > 0)
                return;
        const char *host = url_host(loader->arena, cluster->http_base);
        bool is_address = inet_pton(AF_INET, host, &address) == 1;
        for (size_t i = 0; *host && i < cluster->node_count; i++) {
                const struct node *node = &cluster->nodes[i];
                if (!cluster->roles[node->role].kickstart)
                        continue;
                if (is_address)
                        warn_route(loader, cluster, node, address);
                else if (*host != '[')
                        warn_name(loader, cluster, node, host);
        }
}
