// SPDX-License-Identifier: MIT
// The entries of a team's cache in a directory, named as their URLs are:
//
//     cas/SHA256    contents
//     ac/KEY        what is known by a key: texts that name a content (remote/action.h), or anything else of that size
//     tmp/          uploads that are not whole; emptied when the directory is opened
//     lock          whose holder serves it
//
// An upload is written to tmp/, digested while it comes in, put on the disk, and moved to its place by one rename: what
// stands under a name is whole, whenever the process ends. How long ago an entry was used is kept as the time of its
// file's last change (mtime), which this program sets itself: access times are what the mount options make of them.
//
// What was used least recently goes when more is there than the limit allows, or the disk is full. Using a key's entry
// uses its content, too, and later, so that a content never goes before the last entry that leads to it. What is being
// read stays.
//
// The threads of one process may share a store.
#ifndef KILN_CACHE_SERVER_STORE_H
#define KILN_CACHE_SERVER_STORE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum store_kind { STORE_CAS, STORE_AC, STORE_KIND_COUNT };
enum { STORE_HEX_SIZE = 65, STORE_AC_MAX = 64 << 10 };

struct store_name {
        enum store_kind kind;
        char hex[STORE_HEX_SIZE];
};

// "/cas/SHA256" or "/ac/KEY", 64 lower-case digits, and nothing else.
bool store_name_parse(const char *url, struct store_name *ret);

struct store;

struct store_totals {
        uint64_t bytes, limit_bytes; // of entries and uploads, in whole blocks of the disk
        size_t entries[STORE_KIND_COUNT];
        uint64_t evicted, evicted_bytes;
};

// Opens a directory that is a store, or empty; 0: no limit. REFERENCE for one that holds something else, LOCKED,
// SYSTEM.
must_check bool store_open(int dir, const char *path, uint64_t limit_bytes, struct store **ret, struct err *err);
void store_close(struct store *store); // NULL is fine
void store_count(struct store *store, struct store_totals *ret);

// ---- reading ----

struct stored;

struct store_reading {
        struct stored *stored;
        int fd; // the caller may take it
        uint64_t size_bytes;
};

// False: it is not there. An entry that is being read is not removed until store_read_end().
bool store_read(struct store *store, const struct store_name *name, struct store_reading *ret);
void store_read_end(struct store *store, struct store_reading *reading);

// The whole of a key's entry. One whose content is gone is removed, and not there.
bool store_read_text(struct store *store, const struct store_name *name, struct buf *ret);

// ---- writing ----

struct store_upload;

// Whether an upload of this size would fit on the disk if all that is there went. Removes nothing.
bool store_can_hold(struct store *store, uint64_t size_bytes);

must_check bool store_upload_begin(struct store *store, const struct store_name *name, struct store_upload **ret,
                                   struct err *err);
// DISK_FULL: the disk is, or the limit is reached, and nothing more can go.
must_check bool store_upload_add(struct store_upload *upload, const void *data, size_t size, struct err *err);
// CHECKSUM: it is not what its name says. `*ret_new` is false where it was there already: then a key's entry is left as
// it is, and a content takes the place of that one, which its disk may have damaged; who reads that goes on reading it.
must_check bool store_upload_finish(struct store_upload *upload, bool *ret_new, struct err *err);
void store_upload_end(struct store_upload *upload); // whatever came of it; NULL is fine

#endif
