// SPDX-License-Identifier: MIT
// A ZooKeeper session of libzookeeper-mt, used synchronously. Functions return false or NULL when the ensemble does not
// answer or the node is absent; the caller's loop tries again.
#ifndef KILN_STANDIN_ZK_H
#define KILN_STANDIN_ZK_H

#include <stdbool.h>
#include <stddef.h>

struct zk;

// How long to wait where nothing is amiss: watches tell what changes, and an idle machine shall sleep.
enum { ZK_IDLE_MS = 15000 };

// Splits "zk://host:port,.../path". False if it is not of that form. Heap.
bool zk_split_url(const char *url, char **ret_hosts, char **ret_path);

struct zk *zk_open(const char *hosts);
bool zk_connected(const struct zk *zk);
// Blocks until a watch fires, the session changes state or the time is over. An expired session is replaced by a new
// one.
void zk_wait(struct zk *zk, int timeout_ms);
void zk_wake(struct zk *zk);                 // ends a zk_wait() from another thread
unsigned zk_generation(const struct zk *zk); // grows with each new session: its ephemeral nodes are gone

char *zk_get(struct zk *zk, const char *path);
bool zk_put(struct zk *zk, const char *path, const char *text); // creates it and its parents
bool zk_delete(struct zk *zk, const char *path);

// Names of the children that begin with `prefix`, sorted, with a watch on the parent. False: no answer; an absent
// parent has none.
struct zk_names {
        char **items;
        size_t count;
};
bool zk_children(struct zk *zk, const char *path, const char *prefix, struct zk_names *ret);
void zk_names_release(struct zk_names *names);

// Takes part in an election (or a group): an ephemeral sequential node `path`/`prefix`NNNNNNNNNN. The node's name,
// heap.
char *zk_join(struct zk *zk, const char *path, const char *prefix, const char *text);
// What the member with the lowest number wrote; NULL: nobody is there. Heap.
char *zk_leader(struct zk *zk, const char *path, const char *prefix);

#endif
