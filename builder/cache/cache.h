// SPDX-License-Identifier: MIT
// A cache that is open: the one door to its entries. Whoever wants an entry's path asks for it here, and has thereby
// said that this run needs it: what was asked for goes into the run's record, and what no record names is what --prune
// removes. While a cache is open, nothing of it is removed by others.
//
//     <cache>/used/NAME     one record a build or fetch: lines KIND/ENTRY of what it needs; its time is that of its
//                           last use. "repos/DIR/START": the files of repos/DIR whose names begin so
//
// The threads of one process may share an open cache.
#ifndef KILN_CACHE_CACHE_H
#define KILN_CACHE_CACHE_H

#include "base/err.h"
#include "cache/layout.h"

struct cache;
struct remote;

// A cache, or a directory of kiln's own in it, that another user owns or may write to is SYSTEM (base/own_dir.h), as is
// such a directory that is a link. An absent cache is fine. Whoever opens or prunes a cache asks this; a build asks
// before it enters its user namespace as well, where owners and groups cannot be told apart any more.
must_check bool cache_check_owners(const char *path, struct err *err);

// Makes the cache if there is none; waits for a prune that is under way, until Ctrl-C. Errors: also those of
// cache_check_owners().
must_check bool cache_open(const char *path, struct cache **ret, struct err *err);
// For who says what a build would do. Nothing at `path`, which is absolute, is made, changed or locked, and if nothing
// is there, the cache is empty; whole entries are whole, since each appears by one rename. What every use writes goes
// below `aside`, a directory of the caller's: kinds that are refreshed (layout.h), which begin as what lies there, and
// mounts. Such a cache obtains nothing, has no remote and writes no record.
must_check bool cache_open_to_look(const char *path, const char *aside, struct cache **ret, struct err *err);
bool cache_only_looks(const struct cache *cache);
void cache_close(struct cache *cache); // NULL: nothing is done

// What is not in the cache is looked for in a remote that several machines share (remote/remote.h), and what is made is
// offered to it. It must outlive the cache, which nobody may prune until the remote is closed, too. NULL: none.
void cache_use_remote(struct cache *cache, struct remote *remote);
struct remote *cache_remote(const struct cache *cache);

// Absolute, without links in it.
const char *cache_path(const struct cache *cache);
// The directory of a kind; heap.
char *cache_kind_path(const struct cache *cache, enum cache_kind kind);
// The path of what is no entry; heap.
char *cache_place(const struct cache *cache, enum cache_place place);

// The path of an entry, which this run needs from now on, whether or not it is there yet; heap. `name` has no slash.
char *cache_entry(struct cache *cache, enum cache_kind kind, const char *name);
// Of an entry in parts: its files whose names begin so are needed, too.
void cache_note_part(struct cache *cache, enum cache_kind kind, const char *name, const char *start);
// Makes the directory of a kind if there is none, with the kind's mode, and opens it.
must_check bool cache_open_kind(const struct cache *cache, enum cache_kind kind, int *ret_fd, struct err *err);

// Writes the record <purpose>-<name> with all that was needed.
must_check bool cache_record(struct cache *cache, const char *purpose, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// For a run that found all done and opened little: an earlier record of this name becomes the newest, and what was
// needed now is added to it. Parts of entries replace the earlier ones. Without an earlier record, nothing is written.
must_check bool cache_renew_record(struct cache *cache, const char *purpose, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
