// SPDX-License-Identifier: MIT
// A cache that several machines share, on any web server that answers GET, HEAD and PUT:
//
//     <URL>/ac/KEY        what an entry's content is, signed (remote/action.h)
//     <URL>/cas/SHA256    contents: a packed tree (remote/bundle.h), a small file, or a package as its repository has
//     it
//
// This is the layout of bazel-remote, and what nginx's and Apache's WebDAV, or a gateway to an object store, serve as
// well. Nothing that it answers is believed: action entries count with the signature of an accepted key, contents with
// their digest, which is computed as they come in. Whatever goes wrong is told once and ends the use of the remote for
// this run; who asks then hears that it has nothing. Without a key to sign with it is only read. Who has one goes on
// uploading where a content was damaged, so that what this machine then makes takes the place of that; and one that has
// no room is still read.
//
// The threads of one process may share a remote. Functions take NULL for one that has nothing and takes nothing.
#ifndef KILN_REMOTE_REMOTE_H
#define KILN_REMOTE_REMOTE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "signing/signing.h"

struct remote;

struct remote_options {
        const char *url;             // http:// or https://, perhaps with user and password, else ~/.netrc has them; or
                                     // s3:// (remote/s3.h), or oci:// (remote/remote_registry.c)
        const char *token_file;      // whose first line goes with each request to it, as "Authorization: Bearer"; NULL:
                                     // none
        const char *key_file;        // public keys, a line each, whose action entries are accepted; NULL: none
        bool plain_http;             // of oci://
        const struct signer *signer; // signs what is uploaded, and is accepted; NULL: nothing is uploaded
};

// Nothing is sent yet. USAGE: the URL is none, there is neither a key file nor a signer, or the token is none; SYNTAX,
// SYSTEM: the file of keys. The signer must outlive it.
must_check bool remote_open(const struct remote_options *options, struct remote **ret, struct err *err);
// Waits for uploads under way for `wait_ms` (below 0: until they are done), gives up the rest, and says so. Whether all
// that was offered is there.
bool remote_close(struct remote *remote, int64_t wait_ms);
// Takes the lock of the cache from which uploads are read, to be closed when they are over (remote_close()).
void remote_hold(struct remote *remote, int lock);

// Fills an empty directory with what the remote has for an entry. False only for Ctrl-C; if it has nothing, or what it
// has is not acceptable, `*ret_found` is false, and the directory may hold anything. `is_private`: as bundle_unpack()
// has it.
must_check bool remote_load_tree(struct remote *remote, const char *kind, const char *name, int dir, bool is_private,
                                 bool *ret_found, struct err *err);
// The same for an entry that is a small file of up to ret->max bytes.
must_check bool remote_load_file(struct remote *remote, const char *kind, const char *name, struct buf *ret,
                                 bool *ret_found, struct err *err);
// Opens a file without a name in the directory, with the bytes that have this SHA-256, its offset at the start.
must_check bool remote_load_blob(struct remote *remote, const char *sha256, uint64_t max_bytes, int dir, int *ret_fd,
                                 bool *ret_found, struct err *err);
// What was loaded turned out not to be what its name promises: nothing more is.
void remote_reject(struct remote *remote, const char *kind, const char *name);

// Uploads an entry beside the work, if the remote lacks it; `is_missing`: that is known. `path` may go meanwhile: then
// it is not uploaded.
void remote_offer(struct remote *remote, const char *kind, const char *name, const char *path, bool is_missing);
// The same for a file that is known by its digest.
void remote_offer_blob(struct remote *remote, const char *sha256, const char *path, bool is_missing);

#endif
