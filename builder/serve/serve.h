// SPDX-License-Identifier: MIT
// `kiln serve`: one process that boots a rack. DHCP and TFTP by dnsmasq, whose configuration comes from the inventory,
// and which runs as a child; HTTP for the published builds, for nodes' reports, and for a page and JSON that show how
// far each machine is.
#ifndef KILN_SERVE_SERVE_H
#define KILN_SERVE_SERVE_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "profile/profile.h"

enum serve_dhcp { SERVE_DHCP_FULL, SERVE_DHCP_PROXY, SERVE_DHCP_NONE };

struct serve_options {
        const char *cluster_path;
        struct profile_options profile;
        const char *out;       // the output directory: <out>/<cluster>/ is served
        const char *build;     // its id or path; NULL: whatever `current` names, also when that changes
        const char *address;   // IPv4 address of this machine to serve on; NULL: that of `interface`
        const char *interface; // NULL: the one that has an address in one of the cluster's networks
        unsigned http_port;    // 0: that of the cluster's http_base, or else 8080
        enum serve_dhcp dhcp;
        bool no_tftp;
        const char *uplink;     // bits a second, such as "1G"; NULL: not known
        unsigned transfers;     // of roots at once; 0: as many as the uplink can feed
        const char *state_dir;  // where what is known of machines is kept; NULL: as serve_state_dir() says
        const char *token_file; // holds the token that may change things; NULL: nobody may
        const char *user;       // to go on as, when root starts it; NULL: "dnsmasq", if there is such a user
        unsigned jobs;          // threads for HTTP
};

// Who has FleetLock's slots, as kiln serve left it in its state directory (NULL: the usual one): { GROUP: { "id",
// "since" } }, a new object; empty if none serves here.
must_check bool serve_fleet_slots(const char *state_dir, const char *cluster, json_t **ret, struct err *err);

// Serves until a signal ends it, which is success. Tells what it does as notices. Errors: REFERENCE for an interface,
// address or build that is not there; SYSTEM for a port that is taken or may not be used; TOOL for dnsmasq.
must_check bool serve_run(const struct serve_options *options, struct err *err);

// What dnsmasq would be given, for those who run their own, to standard output. Nothing is started or written.
must_check bool serve_print_config(const struct serve_options *options, struct err *err);

// Says what would go wrong before anybody boots, a line for each thing that was looked at, to standard output: ports, a
// second DHCP server, the address, every byte of the build, how long the whole inventory will take. CLUSTER if there is
// a fault.
must_check bool serve_check(const struct serve_options *options, struct err *err);

#endif
