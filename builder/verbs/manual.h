// SPDX-License-Identifier: MIT
// kiln help and kiln manual: pages for people and for programs.
#ifndef KILN_VERBS_MANUAL_H
#define KILN_VERBS_MANUAL_H

#include "base/err.h"

// kiln help TOPIC: the page by a pager where standard output is a terminal, and as plain text otherwise. A TOPIC is a
// page, with or without `kiln-` before and its section behind, as in build, kiln-boot.7, `boot(7)`. ERR_USAGE: there is
// none, with the nearest.
must_check bool manual_help(const char *topic, struct err *err);

// Calls back for what `kiln help` shows, by its short name: build, cluster, templates.
void manual_each_topic(void (*each)(const char *topic, void *context), void *context);

// kiln manual [--html|--list] [PAGE]: the page, kiln(1) if none is named, as man(1) reads it. --html: as HTML, or the
// list of all pages; --list: names of pages.
must_check bool manual_print(char **words, struct err *err);

#endif
