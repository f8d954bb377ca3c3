// SPDX-License-Identifier: MIT
#include "init/init_network.h"

#include <arpa/inet.h>
#include <string.h>

#include "init/init_values.h"
#include "profile/reader/names.h"

struct lan {
        struct arena *arena;
        const struct init_options *options;
        struct hosts *hosts;
        struct init_network network;
        const char *name;             // "10.1.0.0/24"
        uint32_t subnet, first, last; // in the host's order; `first` and `last` a machine may have
        bool *taken;                  // heap; for each address of the subnet
};

static const char *address_text(const struct lan *lan, uint32_t address) {
        return in_addr_text(lan->arena, (struct in_addr){ htonl(address) });
}

static uint32_t address_of_host(const struct host *host) {
        struct in_addr address = { 0 };
        (void)!inet_pton(AF_INET, host->ip, &address); // hosts_read() has looked, or it was written here
        return ntohl(address.s_addr);
}

static bool is_in_subnet(const struct lan *lan, uint32_t address) {
        return address >= lan->first && address <= lan->last;
}

static bool is_marked_taken(const struct lan *lan, uint32_t address) { return lan->taken[address - lan->subnet]; }

static void mark_taken(struct lan *lan, uint32_t address) { lan->taken[address - lan->subnet] = true; }

// From there to the end, and then before it. 0: all are taken.
static uint32_t find_free(const struct lan *lan, uint32_t start) {
        for (uint32_t address = start; address <= lan->last; address++)
                if (!is_marked_taken(lan, address))
                        return address;
        for (uint32_t address = lan->first; address < start; address++)
                if (!is_marked_taken(lan, address))
                        return address;
        return 0;
}

// ---- the subnet ----

// The smallest of /24 and larger that holds all machines of the list.
static bool guess_subnet(struct lan *lan, struct err *err) {
        enum { USUAL_PREFIX = 24, LARGEST_PREFIX = 16 };
        uint32_t first = UINT32_MAX, last = 0;
        for (size_t i = 0; i < lan->hosts->count; i++) {
                uint32_t address = address_of_host(&lan->hosts->items[i]);
                if (address < first)
                        first = address;
                if (address > last)
                        last = address;
        }
        int prefix = USUAL_PREFIX;
        while (prefix > LARGEST_PREFIX && ((first ^ last) & ntohl(prefix_mask(prefix).s_addr)))
                prefix--;
        uint32_t mask = ntohl(prefix_mask(prefix).s_addr);
        if ((first ^ last) & mask) {
                fail(err, ERR_USAGE, 0, "the machines of %s are from %s to %s, which is no network of one site",
                     lan->options->from, address_text(lan, first), address_text(lan, last));
                return hint(err, "--subnet says which one it is; write further networks into the cluster file");
        }
        lan->network.subnet.s_addr = htonl(first & mask);
        lan->network.prefix = prefix;
        return true;
}

static bool find_subnet(struct lan *lan, struct err *err) {
        struct init_network *network = &lan->network;
        const char *said = text_or(lan->options->subnet, INIT_SUBNET);
        if (lan->options->from && !lan->options->subnet) {
                if (!guess_subnet(lan, err))
                        return false;
        } else if (!init_subnet_read(lan->arena, said, &network->subnet, &network->prefix, err)) {
                return wrap(err, "--subnet");
        }
        uint32_t size = ~ntohl(prefix_mask(network->prefix).s_addr);
        lan->subnet = ntohl(network->subnet.s_addr);
        lan->first = lan->subnet + 1;
        lan->last = lan->subnet + size - 1;
        lan->name = arena_printf(lan->arena, "%s/%d", address_text(lan, lan->subnet), network->prefix);
        lan->taken = xcalloc(size + 1, sizeof *lan->taken);
        return true;
}

// ---- who has what ----

static bool take_listed(struct lan *lan, struct err *err) {
        for (size_t i = 0; i < lan->hosts->count; i++) {
                const struct host *host = &lan->hosts->items[i];
                if (!host->ip)
                        continue;
                uint32_t address = address_of_host(host);
                bool is_end = address == lan->subnet || address == lan->last + 1;
                if (is_end)
                        return fail_at(
                            err, ERR_SCHEMA, &host->place,
                            "%s of `%s` is the first or the last of the subnet %s, which no machine can have", host->ip,
                            host->name, lan->name);
                if (!is_in_subnet(lan, address))
                        return fail_at(err, ERR_SCHEMA, &host->place, "%s of `%s` is outside of the subnet %s",
                                       host->ip, host->name, lan->name);
                mark_taken(lan, address);
        }
        return true;
}

static bool read_gateway(struct lan *lan, const char *text, struct err *err) {
        struct in_addr *gateway = &lan->network.gateway;
        if (inet_pton(AF_INET, text, gateway) != 1)
                return fail(err, ERR_USAGE, 0, "--gateway `%s`: an IPv4 address is needed", text);
        if (!is_in_subnet(lan, ntohl(gateway->s_addr)))
                return fail(err, ERR_USAGE, 0, "--gateway %s is outside of the subnet %s", text, lan->name);
        mark_taken(lan, ntohl(gateway->s_addr));
        return true;
}

static bool refuse_full(const struct lan *lan, const char *for_what, struct err *err) {
        fail(err, ERR_USAGE, 0, "the subnet %s has no address left for %s", lan->name, for_what);
        return hint(err, "--subnet takes a larger one");
}

// The first address, as most sites have it, else the last, else any.
static bool find_gateway(struct lan *lan, struct err *err) {
        if (lan->options->gateway)
                return read_gateway(lan, lan->options->gateway, err);
        uint32_t gateway = lan->first;
        if (is_marked_taken(lan, gateway))
                gateway = lan->last;
        if (is_marked_taken(lan, gateway))
                gateway = find_free(lan, lan->first);
        if (gateway == 0)
                return refuse_full(lan, "a router", err);
        lan->network.gateway.s_addr = htonl(gateway);
        mark_taken(lan, gateway);
        return true;
}

// Balancers serve at an address of their own, which is kept free for others that may come.
static bool find_vip(struct lan *lan, struct err *err) {
        enum { ROOMY = 200, LEAVE_ROOM = 10, LEAVE_LITTLE = 2 };
        bool is_needed = false;
        for (size_t i = 0; i < lan->hosts->count; i++)
                is_needed |= strcmp(lan->hosts->items[i].role, "balancer") == 0;
        uint32_t start = lan->subnet + LEAVE_LITTLE;
        if (lan->last - lan->subnet >= ROOMY)
                start = lan->subnet + LEAVE_ROOM;
        uint32_t vip = find_free(lan, start);
        if (vip == 0)
                return !is_needed || refuse_full(lan, "what the balancers serve", err);
        lan->network.vip.s_addr = htonl(vip);
        mark_taken(lan, vip);
        return true;
}

// In order, behind the one that is kept free.
static bool give_addresses(struct lan *lan, struct err *err) {
        uint32_t next = lan->first;
        if (lan->network.vip.s_addr)
                next = ntohl(lan->network.vip.s_addr) + 1;
        for (size_t i = 0; i < lan->hosts->count; i++) {
                struct host *host = &lan->hosts->items[i];
                if (host->ip)
                        continue;
                while (next <= lan->last && is_marked_taken(lan, next))
                        next++;
                if (next > lan->last) {
                        fail(err, ERR_USAGE, 0, "the subnet %s has no room for %zu machines", lan->name,
                             lan->hosts->count);
                        return hint(err, "--subnet takes a larger one");
                }
                mark_taken(lan, next);
                host->ip = address_text(lan, next);
        }
        return true;
}

// As `kiln boot` gives them: locally administered, the last three bytes are the address's.
static void give_macs(struct lan *lan) {
        for (size_t i = 0; !lan->options->from && i < lan->hosts->count; i++) {
                uint32_t number = address_of_host(&lan->hosts->items[i]);
                unsigned char mac[6] = { 0x52,
                                         0x54,
                                         0x00,
                                         (unsigned char)(number >> 16),
                                         (unsigned char)(number >> 8),
                                         (unsigned char)number };
                lan->hosts->items[i].mac = mac_text(lan->arena, mac);
        }
}

// The longest run of free addresses at the end of the upper half, at most 50, leaves room for machines below it.
static void choose_pool(struct lan *lan) {
        enum { POOL_MAX = 50 };
        uint32_t last = lan->last, lowest = lan->subnet + (lan->last - lan->subnet) / 2;
        while (last > lowest && is_marked_taken(lan, last))
                last--;
        uint32_t first = last;
        while (first - 1 > lowest && last - first + 1 < POOL_MAX && !is_marked_taken(lan, first - 1))
                first--;
        if (last > lowest && first < last)
                lan->network.pool =
                    arena_printf(lan->arena, "%s-%s", address_text(lan, first), address_text(lan, last));
}

bool init_network_plan(struct arena *arena, const struct init_options *options, struct hosts *hosts,
                       struct init_network *ret, struct err *err) {
        struct lan lan = { .arena = arena, .options = options, .hosts = hosts };
        bool ok = find_subnet(&lan, err) && take_listed(&lan, err) && find_gateway(&lan, err) && find_vip(&lan, err) &&
                  give_addresses(&lan, err);
        if (ok) {
                give_macs(&lan);
                choose_pool(&lan);
                *ret = lan.network;
        }
        free(lan.taken);
        return ok;
}
