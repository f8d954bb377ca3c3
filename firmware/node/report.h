// SPDX-License-Identifier: MIT
// The report: what was decided, from which source, how long it took. One JSON object:
//
// { "format": 1, "cluster", "role", "build", "release",
//   "versions": { "kiln": "0.1.0", "kernel": "3.10.0-327.el7.x86_64" },
//   "serial", "uuid",                      SMBIOS
//   "boot": { "root": "carried" | "medium:LABEL" | "http://...", "kernel_ms", "root_ms", "check_ms", "overlay_ms",
//             "handover_ms",               of the initrd, each the time of one phase; absent on an installed node
//             "failed_attempts",           to find the root, before the one that found it
//             "root_from": "network" | "disk" | "disk+network", "root_kept_bytes", "root_fetched_bytes",
//             "root_requests" },           of a root that was fetched, or that the state disk kept: bytes of it that
//             the
//                                          disk had, bytes and requests over the network with the index's
//   "elapsed_ms", "interfaces_ms", "dhcp_ms" (-1: not asked),     of kiln-node: all of it, waiting for cards, for DHCP
//   "changed": 12,                         files written or removed
//   "refused": null | "why", "hostname", "values": [ { "name", "value", "source" } ], "files": [...], "removes": [...],
//   "notes": [...], "found",               as `kiln-node plan --json` prints them
//   "state": {...} | null,                 what became of the state disk (state.h)
//   "network": { "problem", "repairs" },   whether the network became what was decided; once that was looked at
//   "failure": "why" }                     only if kiln-node itself failed; what comes of a plan is absent then
#ifndef KILN_NODE_REPORT_H
#define KILN_NODE_REPORT_H

#include "firmware/node/apply.h"
#include "firmware/node/http/http.h"

// Writes /run/kiln/report.json and /var/lib/kiln/report.json.
must_check bool report_write(const struct machine *machine, const struct decision *decision,
                             const struct applied *applied, struct err *err);
// The same for a run that ended in an error. `machine` may be half opened; what cannot be written is left out.
void report_write_failure(const struct machine *machine, const char *failure);

// For the console: "master101 role=master ip=192.168.2.71/24 (mac table) id=1 ... 35 ms", or why the machine is refused
// and what to do. Lines end with a newline and begin with "kiln-node: ".
void report_text(const struct decision *decision, const struct applied *applied, struct buf *ret_text);

// Adds "network" to the reports that are there: { "problem": null | "why it is not what was decided", "repairs" }.
must_check bool report_add_network(int root, const char *problem, int repairs, struct err *err);

// One POST of JSON. `ret_again`: whether asking again may help, after an error.
must_check bool report_post(const struct url *url, const char *body, size_t size, bool *ret_again, struct err *err);

// Sends /run/kiln/report.json below `root` to the URL by HTTP POST (application/json): any 2xx answer will do. Tries
// again with growing pauses, for so long. ERR_NETWORK with the last reason.
must_check bool report_send(int root, const char *url, int give_up_ms, struct err *err);

#endif
