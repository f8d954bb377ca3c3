// SPDX-License-Identifier: MIT
// Everything that decides what a machine is: read once by machine.c (or from a file, or made by a test), never changed
// by the core. Fixed sizes: what a machine or a network says is bounded before it gets here.
#ifndef KILN_NODE_FACTS_FACTS_H
#define KILN_NODE_FACTS_FACTS_H

#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "firmware/node/facts/address.h"

enum {
        INTERFACES_MAX = 64,
        LEASES_MAX = 16,
        DNS_MAX = 4,
        HOSTNAME_SIZE = 65,
        INTERFACE_NAME_SIZE = 16,
        DOMAIN_SIZE = 256,
        LEASE_ROUTES_MAX = 32,
        LEASE_SEARCH_MAX = 8
};

struct interface {
        char name[INTERFACE_NAME_SIZE];
        struct mac mac;
        bool carrier;
        char driver[32]; // "" if unknown
        int index;
};

// One of option 121's (RFC 3442). Prefix 0: the default route. Gateway 0: on the link.
struct lease_route {
        uint32_t to, gateway;
        int prefix;
};

// A DHCPACK, validated (dhcp_packet.h).
struct lease {
        char interface[INTERFACE_NAME_SIZE];
        struct mac mac; // of that interface
        uint32_t address, server, router;
        int prefix; // -1: the server gave no mask
        uint32_t dns[DNS_MAX];
        size_t dns_count;
        char hostname[HOSTNAME_SIZE]; // "": none, or not a valid one
        char domain[DOMAIN_SIZE];
        char fqdn[DOMAIN_SIZE]; // option 81's name if it has a domain; "": none
        uint32_t lease_s;
        int mtu; // 0: not given
        struct lease_route routes[LEASE_ROUTES_MAX];
        size_t route_count;
        char search[LEASE_SEARCH_MAX][DOMAIN_SIZE]; // option 119 (RFC 3397), or several domains of 15
        size_t search_count;
        // What the site's options say, by the numbers that the profile gives them; "" and 0: nothing
        char node[HOSTNAME_SIZE], role[HOSTNAME_SIZE];
        int id;
};

struct inventory;
struct secret_source;
struct state_facts;

struct facts {
        const char *command_line;          // as /proc/cmdline has it
        const struct inventory *inventory; // /etc/kiln/node.json
        const char **template_texts;       // one for each of the inventory's templates, in its order
        const char *issue;                 // /etc/issue as it is, or NULL
        struct interface interfaces[INTERFACES_MAX];
        size_t interface_count;
        struct lease leases[LEASES_MAX];
        size_t lease_count;
        char conflict[192];         // "": why the network forbids the address that this machine would take (decide.c)
        bool nobody_gets_in;        // no user has a password or an SSH key (machine/way_in.h)
        bool dhcp_asked;            // DHCP had its chance: no lease means no answer
        const char *config_drive;   // kiln.conf of the config drive: words as on the command line; NULL: no drive
        const char *config_device;  // the drive that it is on, for messages; NULL: none
        const char *config_problem; // why there is no telling what the drive says: the machine is refused; NULL: none
        uint64_t memory_kb;         // MemTotal
        unsigned cpus;              // online
        // Where values of secrets came from, what counts most first (secrets/secret_source.h); the list is the caller's
        struct secret_source *secret_sources;
        size_t secret_source_count;
        const struct state_facts *state;            // state.h; NULL: no state disk is wanted
        char serial[128], uuid[64], asset_tag[128]; // SMBIOS, "" if the machine has none
};

#endif
