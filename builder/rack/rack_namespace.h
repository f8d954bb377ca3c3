// SPDX-License-Identifier: MIT
// The namespaces of a rack: network, processes, mounts, and users where it is not root's (namespaces(7)).
#ifndef KILN_RACK_RACK_NAMESPACE_H
#define KILN_RACK_RACK_NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum { RACK_NAMESPACES = 4 };

// fork(2), with the child as the first process of new namespaces, root in them. As fork() it returns twice with
// `*ret_pid`, 0 in the child, also when that fails. SANDBOX.
must_check bool rack_namespace_fork(pid_t *ret_pid, struct err *err);

// The caller's own as descriptors, -1 for one that it shares with its parent's parents, in the order in which
// rack_namespace_enter() wants them.
must_check bool rack_namespace_open(int ret[static RACK_NAMESPACES], struct err *err);
// The children of the caller will live in them, and the caller itself but for the one of processes. Closes none.
must_check bool rack_namespace_enter(const int namespaces[static RACK_NAMESPACES], struct err *err);

// Becomes the user again that root of the rack's namespace is outside, for programs that look for that user's files.
must_check bool rack_namespace_become_user(uid_t uid, gid_t gid, struct err *err);

#endif
