// SPDX-License-Identifier: MIT
// `kiln rack`: the machines of an inventory in QEMU, on a bridge in namespaces of their own, booted by PXE from
// `kiln serve`. A cluster is tried as it will run, without a rack and without root.
//
// A rack is three generations of processes. The keeper (kiln itself, or what --detach leaves) holds the lock and waits.
// The supervisor is the first process of the rack's PID namespace: it makes the network, runs kiln serve and a watcher
// that learns how far each machine is, starts machines in waves, and answers on a socket. When it ends, the kernel ends
// everything else, and it dies with the keeper: nothing is left, however either of them ends.
//
//     <place>/rack.lock  flock(2), held as long as the rack is up; made before anything else
//             control    socket: one request and one answer, a line of JSON each
//             log        what the supervisor of a detached rack says
//             serve.log  what kiln serve says; serve/ is its state
//             NODE.console, NODE.log, NODE.control, NODE.qemu   serial port and all it said, QMP, QEMU's own words
//             NODE.attached   flock(2) of whoever is at its console
//             journal    what was done to machines, and when
// rack_place.c has these names, too: it removes no others.
#ifndef KILN_RACK_VIRTUAL_RACK_H
#define KILN_RACK_VIRTUAL_RACK_H

#include "base/err.h"
#include "base/strings.h"
#include "profile/profile.h"

// Where a rack is, for all who speak to one.
struct virtual_rack_name {
        const char *state; // its directory; NULL: below $XDG_RUNTIME_DIR, /run (root) or /tmp
        const char *name;  // of its cluster; NULL: the one that is up
};

struct virtual_rack_options {
        struct virtual_rack_name where;
        const struct cluster *cluster;
        const char *cluster_path;   // absolute
        const char *out;            // absolute: where builds are published
        const char *build;          // id or path; NULL: `current`
        struct strings serve_words; // further words for kiln serve and kiln status, such as --set KEY=VALUE
        struct strings nodes;       // to power on; none: all
        struct strings memory;      // "MIB", "ROLE=MIB", "NODE=MIB"; the last that fits counts
        const char *accelerator;    // as boot_options.accelerator
        const char *disks;          // absolute: state disks stay there as NODE.img; NULL: they end with the rack
        unsigned at_once;           // machines that boot at the same time; 0: as many as there are processors
        unsigned processors;        // that this process may use
        bool detach;
        const char *seed; // of faults that choose; NULL: one of the kernel's
};

// Makes the rack and keeps it until it is ended, by a signal or by virtual_rack_down(), which is success. With
// `detach` returns once machines are being started. LOCKED: it is up already; REFERENCE: no such node, or the build
// lacks something; SANDBOX, SYSTEM, TOOL.
must_check bool virtual_rack_up(const struct virtual_rack_options *options, struct err *err);

// Whether one is up that fits.
must_check bool virtual_rack_is_up(const struct virtual_rack_name *where, bool *ret, struct err *err);

// To a rack that is up; REFERENCE: none is, or several are, or it has no such node.
must_check bool virtual_rack_power_on(const struct virtual_rack_name *where, const struct strings *nodes,
                                      struct err *err);
must_check bool virtual_rack_cut(const struct virtual_rack_name *where, const struct strings *nodes, struct err *err);
// Causes a fault (rack_fault.c has them) on a node, on "any" or on "any:ROLE"; `value` "": none. USAGE, REFERENCE,
// TOOL.
must_check bool virtual_rack_fault(const struct virtual_rack_name *where, const char *kind, const char *node,
                                   const char *value, struct err *err);
must_check bool virtual_rack_down(const struct virtual_rack_name *where, struct err *err);
// To standard output: a table for people, or JSON:
//     { "rack", "accelerator", "seed", "now": ms since 1970, "serve": whether kiln serve runs,
//       "machines": [ { "name", "role", "ip", "power": "off"|"waiting"|"on", "stage", "percent": of the root, "text",
//                       "since", "on": ms since 1970 | null, "pid": outside of the rack, "memory": MiB } ] }
// "stage" is one of kiln serve's /api/state, or "on", "off", "silent".
must_check bool virtual_rack_list(const struct virtual_rack_name *where, bool as_json, struct err *err);

// The serial port of a node, on this terminal, until Ctrl-].
must_check bool virtual_rack_console(const struct virtual_rack_name *where, const char *node, struct err *err);

// Runs a program inside of the rack's namespaces and ends with its exit status (fail_with_answer()).
must_check bool virtual_rack_run(const struct virtual_rack_name *where, const struct strings *command, struct err *err);
must_check bool virtual_rack_shell(const struct virtual_rack_name *where, struct err *err);
// ssh to a node as root; `words` follow the address: options and a command.
must_check bool virtual_rack_ssh(const struct virtual_rack_name *where, const char *node, const struct strings *words,
                                 struct err *err);
// kiln status of the rack's cluster; `words` are its options.
must_check bool virtual_rack_status(const struct virtual_rack_name *where, const struct strings *words,
                                    struct err *err);

#endif
