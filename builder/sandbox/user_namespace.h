// SPDX-License-Identifier: MIT
// The user namespace of a plain user's build, in which it is root and owns all of its subordinate ids.
#ifndef KILN_SANDBOX_USER_NAMESPACE_H
#define KILN_SANDBOX_USER_NAMESPACE_H

#include <stdbool.h>

#include "base/err.h"

// The ids that owners of an image's files may have.
enum { USER_NAMESPACE_IDS_NEEDED = 65536 };

// Enters a new user namespace and becomes root there. newuidmap and newgidmap map the ids, for they are setuid root.
// Before any thread. SANDBOX with what is missing and the remedy.
must_check bool user_namespace_enter(struct err *err);

// In a new user namespace: gives the caller one user and one group of it, and no other; `outside` are its own. Needs no
// program and no subordinate ids. SANDBOX.
must_check bool user_namespace_map_one(unsigned uid, unsigned outside_uid, unsigned gid, unsigned outside_gid,
                                       struct err *err);
// Gives the error of a namespace that could not be made a hint at what is set against that. Always false.
bool user_namespace_hint(struct err *err);

// Whether this process lives in a user namespace that is not the system's first: owners are shifted on disk, and
// overlayfs keeps its marks in user.* attributes.
bool user_namespace_is_mapped(void);
// Text that differs between processes that see the same files with other owners; "" outside of user namespaces. Heap.
char *user_namespace_mapping(void);

// For an owner that could not be set: if this namespace has no such number, the error gets a hint at what is missing
// and where. Always false.
bool user_namespace_hint_ids(struct err *err);

// The error of an unshare(2) that just failed. Its ENOSPC is no full disk: the setting `limit` is reached.
// `ret_limited` says whether it was that, and then the error has its hint.
bool namespace_fail(const char *kind, const char *limit, bool *ret_limited, struct err *err);

#endif
