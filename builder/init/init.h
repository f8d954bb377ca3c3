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
        const char *gateway;  // NULL: the first address of the subnet, or where a machine has that, the last or any
        const char *dns;      // NULL: the gateway
        const char *server;   // of HTTP; NULL: the gateway
        const char *ssh_key;  // a public key's file; NULL: none
        const char *from;     // a list of machines; NULL: `nodes`
        const char *role;     // of those of the list that nothing tells of; or NULL
        struct strings nodes; // "ROLE=N", each role once
        bool is_dry;          // write nothing
        bool is_trial;        // and show no warning: somebody is still asked
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

// Reads what the options name and writes DIR/cluster.yaml, and a DIR/kiln.yaml. The text passes `kiln check` before
// anything is written or, of a dry run, returned. A file that is there is never replaced. ERR_USAGE for what an option
// says; for a mistake in a list, a key or the whole their kinds.
must_check bool init_write(const struct init_options *options, struct init_result *ret, struct err *err);
void init_result_release(struct init_result *result);

// Whether `dir` can get a cluster file: it has none, and is no file itself. ERR_USAGE.
must_check bool init_check_place(const struct init_options *options, struct err *err);

// Asks on the terminal for what the options do not say. What they do say is tried first, and each answer at once: one
// that is wrong is asked for again. An empty answer takes the default, which is shown; that of numbers is `nodes`, and
// its roles are asked for first. Texts are the arena's. ERR_USAGE at the end of input.
must_check bool init_ask(struct arena *arena, const struct strings *nodes, struct init_options *options,
                         struct err *err);

#endif
