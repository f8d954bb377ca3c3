// SPDX-License-Identifier: MIT
// What nodes POST, as an event. Two forms, both JSON objects of at most REPORT_BODY_MAX bytes, REPORT_VALUES_MAX values
// and REPORT_DEPTH_MAX levels, several times what a real one has; so what it takes in memory is bounded before it is
// parsed:
//
//     { "version": 1, "attempt", "mac": ["52:54:.."], "node", "role", "build",
//       "stage": "initrd" | "root" | "handover" | "decided" | "refused" | "services" | "healthy" | "failed",
//       "percent", "uptime_ms", "text", "uuid", "serial" }          small, one a stage
//     { "format": 1, ... }                                          kiln-node's whole report (firmware/node/report.h)
#ifndef KILN_SERVE_REPORT_READ_H
#define KILN_SERVE_REPORT_READ_H

#include "base/err.h"
#include "serve/boot_event.h"

enum { REPORT_BODY_MAX = 256 << 10, REPORT_VALUES_MAX = 16384, REPORT_DEPTH_MAX = 16 };

// ERR_SCHEMA with what is wrong. What the event does not say of its origin, such as the address, is the caller's to
// add.
must_check bool report_read(const char *text, size_t size, int64_t now_ms, struct boot_event *ret, struct err *err);

#endif
