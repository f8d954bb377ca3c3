// SPDX-License-Identifier: MIT
// A question to one member of a ZooKeeper ensemble, as its clients ask: a session, the children of a node, the data of
// one of them. A session begins and ends by two changes that a quorum takes, which is what makes it a health check: a
// member that has lost the others answers four-letter words for a while, and no session.
//
// The client protocol of ZooKeeper 3.3 and later (zookeeper.jute of its sources): records of big-endian numbers, texts
// and lists behind their length, each record behind its own.
#ifndef KILN_STATUS_ZOOKEEPER_H
#define KILN_STATUS_ZOOKEEPER_H

#include <jansson.h>

#include "base/buf.h"
#include "profile/profile.h"

// What opens the conversation, appended.
void zookeeper_request(struct buf *ret);

// What to send to the answer so far, appended; nothing if it has not come to the end of a record. True: the session is
// closed, or there is none. `check` is a struct health_check; the form is that of `next` of a struct probe.
bool zookeeper_next(const void *check, const struct buf *answer, struct buf *ret);

// What a conversation that is over has given. Nothing in `answer` is trusted. Texts and the list are heap or new.
struct zookeeper_reply {
        bool has_epoch;
        uint32_t epoch;   // of the last change that the member had when it answered
        char *name;       // of the child that answers, or NULL
        json_t *children; // names of those that match, in the order of their numbers; NULL: none were asked for
        struct buf data;
};
// False, with one line why.
must_check bool zookeeper_read(const struct health_check *check, const struct buf *answer, struct zookeeper_reply *ret,
                               struct buf *ret_why);
void zookeeper_release(struct zookeeper_reply *reply);

#endif
