// SPDX-License-Identifier: MIT
// What `kiln init` is told as an option or as an answer. Messages name the value alone, not where it was said.
#ifndef KILN_INIT_INIT_VALUES_H
#define KILN_INIT_INIT_VALUES_H

#include <netinet/in.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strings.h"

enum { INIT_NODES_MAX = 20000 }; // all that a node can read

// "10.1.0.0/24", /8 to /29, without bits behind the prefix. ERR_USAGE.
must_check bool init_subnet_read(struct arena *arena, const char *text, struct in_addr *ret, int *ret_prefix,
                                 struct err *err);

// A number of machines, up to INIT_NODES_MAX. ERR_USAGE.
must_check bool init_count_read(const char *text, unsigned *ret, struct err *err);

// The lines of a .pub file or of authorized_keys, without comments, on the arena; "~/" is the user's home. Each is a
// key that sshd takes. ERR_USAGE, ERR_SYNTAX, ERR_SYSTEM.
must_check bool init_keys_read(struct arena *arena, const char *path, struct strings *ret, struct err *err);

// A release that is installed, or that lies in DIR or as the file that the name is. ERR_REFERENCE.
must_check bool init_release_find(struct arena *arena, const char *dir, const char *name, struct err *err);

#endif
