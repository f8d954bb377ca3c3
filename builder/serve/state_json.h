// SPDX-License-Identifier: MIT
// What the rack is, as JSON and as Prometheus' text format. The caller holds the rack's lock.
#ifndef KILN_SERVE_STATE_JSON_H
#define KILN_SERVE_STATE_JSON_H

#include "base/buf.h"
#include "serve/rack.h"

// { "version": 1, "cluster", "build", "seq", "now", "since", "transfers", "limit", "waiting", "bytes", "stages": [...],
//   "vips": [{"name","ip","owners": [{"mac","node"}],"asked"}], "machines": [...] }: the machines that have changed
//   since a version of the state; 0: all. "count" of all of them, known
// and unknown, lets a reader see that one is gone.
void state_json_changes(const struct rack *rack, uint64_t since, struct buf *ret);
// One machine with all of its kept boots, the newest first.
void state_json_machine(const struct rack *rack, const struct boot_machine *machine, struct buf *ret);
// The text exposition format, version 0.0.4.
void state_metrics(const struct rack *rack, struct buf *ret);
// The line to paste into the inventory for a machine that it does not know.
void state_yaml_line(const struct rack *rack, const struct boot_machine *machine, struct buf *ret);

#endif
