// SPDX-License-Identifier: MIT
// `kiln init`: the first cluster file of somebody, from counts of roles or from a list of machines that exists already.
// What the file says of roles stands in profiles/init.yaml.tmpl; here is what it is filled in with.
#ifndef KILN_INIT_INIT_H
#define KILN_INIT_INIT_H

#include "base/err.h"
#include "base/strings.h"

#define INIT_RELEASE "centos-7.2"
#define INIT_SUBNET "192.168.2.0/24"

struct init_options {
        const char *dir;      // gets cluster.yaml; made if it is absent
        const char *name;     // NULL: what `dir` is called
        const char *release;  // NULL: INIT_RELEASE
        const char *subnet;   // "10.1.0.0/24"; NULL: INIT_SUBNET, or the one that the listed machines are in
        const char *gateway;  // NULL: the first address of the subnet
        const char *dns;      // NULL: the gateway
        const char *server;   // of HTTP; NULL: the gateway
        const char *ssh_key;  // a public key's file; NULL: none
        const char *from;     // a list of machines; NULL: `nodes`
        const char *role;     // of those of the list that nothing tells of; or NULL
        struct strings nodes; // "ROLE=N"
        bool is_dry;          // write nothing
};

// What was written.
struct init_result {
        char *path; // of the cluster file; heap
        size_t node_count;
        char *text; // of the cluster file that a dry run did not write; heap, or NULL
};

// The roles that init can give to machines: those of the installed profiles that are not abstract, sorted.
must_check bool init_roles(struct arena *arena, struct strings *ret, struct err *err);

// The releases that are installed, sorted.
must_check bool init_releases(struct arena *arena, struct strings *ret, struct err *err);

// Reads what the options name and writes DIR/cluster.yaml, which passes `kiln check`, and a DIR/kiln.yaml; otherwise
// nothing is left. A file that is there is never replaced. ERR_USAGE for what an option says, ERR_SCHEMA and others for
// a list or a key.
must_check bool init_write(const struct init_options *options, struct init_result *ret, struct err *err);

// Asks on the terminal for what the options do not say, showing what an empty answer means. Texts are the arena's.
must_check bool init_ask(struct arena *arena, struct init_options *options, struct err *err);

#endif
