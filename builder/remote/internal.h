// SPDX-License-Identifier: MIT
// A remote from inside.
#ifndef KILN_REMOTE_INTERNAL_H
#define KILN_REMOTE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "registry/registry.h"
#include "remote/action.h"
#include "remote/remote.h"
#include "remote/s3.h"
#include "web/web.h"

enum { REMOTE_KEYS_MAX = 64 };

struct uploads;

struct remote {
        char *url;     // without a slash at its end
        char *shown;   // for messages: without user and password
        char *token;   // NULL: none
        bool has_user; // the URL has credentials of its own
        struct s3 s3;
        struct ssh_key keys[REMOTE_KEYS_MAX];
        size_t key_count;
        const struct signer *signer;
        struct uploads *uploads; // NULL: nothing is uploaded
        int held;                // the lock of a cache that is closed but for uploads; -1: none
        atomic_bool off;         // something went wrong, or it is too slow: nothing is asked any more
        atomic_bool unread;      // something in it is damaged: nothing is loaded any more
        atomic_bool full;        // it takes nothing more
        atomic_bool closing;     // uploads are given up
        pthread_mutex_t mutex;   // of what follows
        int64_t waited_ms;       // on the wall, for answers that it has nothing
        int64_t waited_until_ms; // what is counted
        struct web *web;
        struct registry *reads, *writes; // one registry with two patiences; NULL: it is none
};

// ---- requests (remote_http.c) ----

enum remote_answer { REMOTE_FOUND, REMOTE_MISSING, REMOTE_WRONG, REMOTE_FAILED };

// Takes what a GET answers, piece by piece. False: no more is wanted, with the reason in `err`. CHECKSUM: it is not
// what the name says.
typedef bool remote_take(const void *data, size_t size, void *context, struct err *err);

struct remote_request {
        const char *folder, *name; // "cas" or "ac"
        remote_take *take;         // of a GET
        void *context;
        bool is_upload;
        const void *data; // of a PUT: these bytes, or
        int fd;           // this file, from its start
        uint64_t size_bytes;
};

// One GET, or HEAD without `take`, or PUT. After FAILED the remote is off, or not read any more, and the user knows
// why; of what is WRONG he is to be told.
enum remote_answer remote_ask(struct remote *remote, const struct remote_request *request);
// The same where it is a registry (remote_registry.c), with these ways to wait (remote_http.c).
enum remote_answer remote_ask_registry(struct remote *remote, const struct remote_request *request);
struct web_patience remote_patience(bool is_upload);
// Says why the remote is not used any more, unless that was said already.
void remote_give_up(struct remote *remote, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Whether anything may be loaded from it; false for NULL.
bool remote_is_read(const struct remote *remote);

// ---- uploads (uploads.c) ----

struct uploads *uploads_new(struct remote *remote);
// How many are left when the time is over.
size_t uploads_finish(struct uploads *uploads, int64_t wait_ms);
void uploads_free(struct uploads *uploads); // NULL is fine
// `kind` NULL: `name` is the SHA-256 of the file.
void uploads_add(struct uploads *uploads, const char *kind, const char *name, const char *path, bool is_missing);
// What the remote has under this name is damaged: if it is added, it is sent, whatever is there.
void uploads_repair(struct uploads *uploads, const char *kind, const char *name);

// A file without a name in a directory.
must_check bool remote_temporary(int dir, int *ret_fd, struct err *err);

#endif
