// SPDX-License-Identifier: MIT
// A store, and a run of kiln cache serve, from inside.
#ifndef KILN_CACHE_SERVER_INTERNAL_H
#define KILN_CACHE_SERVER_INTERNAL_H

#include <pthread.h>
#include <time.h>

#include "cache_server/store.h"
#include "http/clients.h"

enum { STORE_BUCKETS = 1 << 16 };

struct stored {
        struct stored *next;          // of its bucket
        struct stored *older, *newer; // by their last use
        struct store_name name;
        uint64_t bytes;
        unsigned readers;
};

struct store {
        char *path;
        int dir, lock_fd, kinds[STORE_KIND_COUNT], temporary;
        uint64_t limit_bytes;

        pthread_mutex_t lock; // of what follows
        struct stored **buckets;
        struct stored *oldest, *newest;
        size_t entries[STORE_KIND_COUNT];
        uint64_t bytes, pending_bytes; // of entries, and of uploads
        uint64_t evicted, evicted_bytes;
        uint64_t upload_number;
        struct timespec stamp; // the last that was given out: each is later
};

extern const char *const store_kind_names[STORE_KIND_COUNT];

// ---- store.c; the lock is held ----

uint64_t store_bytes_on_disk(uint64_t size_bytes);
struct stored *store_find(const struct store *store, const struct store_name *name); // NULL: not there
struct stored *store_add(struct store *store, const struct store_name *name, uint64_t bytes);
// Makes it the newest; what its file is to be stamped with.
struct timespec store_touch(struct store *store, struct stored *stored);
// Removes what was used least recently until so much more fits. False: it does not.
bool store_make_room(struct store *store, uint64_t bytes);
// The same where the disk is full before the limit is reached: removes so many bytes. False: nothing can go.
bool store_free_disk(struct store *store, uint64_t bytes);

// ---- without the lock ----

// The content that the text of a key's entry names, if it names one.
bool store_content_of(const struct buf *text, struct store_name *ret);
// Notes the use of an entry. Whether it is there.
bool store_use(struct store *store, const struct store_name *name);

// ---- a run (cache_server.c, cache_http.c) ----

struct cache_request;

struct cache_counts { // atomic
        uint64_t hits, misses, uploads, there, refused, received_bytes, sent_bytes;
};

struct cache_server {
        struct store *store;
        char *token; // NULL: it is only read
        struct http_daemon *http;
        struct clients clients;
        struct cache_counts counts;
        pthread_mutex_t lock;           // of clients, and of:
        struct cache_request *requests; // those that move something
};

must_check bool cache_http_start(struct cache_server *server, int socket, unsigned threads, struct err *err);
// Ends transfers that stand still. To be called every second or so.
void cache_http_tick(struct cache_server *server, int64_t now_ms);

void cache_metrics(struct cache_server *server, struct buf *ret);     // for Prometheus
void cache_status_line(struct cache_server *server, struct buf *ret); // for people

#endif
