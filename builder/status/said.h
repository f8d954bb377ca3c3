// SPDX-License-Identifier: MIT
// What nodes said: one value of a check, of each node that gave it, and lists of them held against the inventory.
#ifndef KILN_STATUS_SAID_H
#define KILN_STATUS_SAID_H

#include <jansson.h>

#include "base/buf.h"
#include "profile/profile.h"

enum agreed { AGREED_NO, AGREED_YES, AGREED_UNKNOWN };

static inline enum agreed agreed_if(bool holds) {
        if (holds)
                return AGREED_YES;
        return AGREED_NO;
}

// Texts are the status's. A list of a node is several items in a row, an empty one is none; node_count counts it.
struct said {
        struct said_value {
                const struct node *node;
                const char *text;
                size_t speaker; // 0 for the first node that gave the value
        } * items;
        size_t count, node_count;
        const struct node **speakers; // of the same number as node_count
};

enum { SAID_BY_ALL = -1 };

// `value` is CHECK.VALUE; a check's name may have dots. `nodes` is of a status.
struct said said_collect(const struct cluster *cluster, const struct role *role, const json_t *nodes,
                         const char *value);
void said_release(struct said *said);

// All that one speaker said, in the order of bytes; heap.
char *said_join(const struct said *said, size_t speaker);

// Whether a text means a node: its name, an alias or an address, alone or in NAME@HOST:PORT or SCHEME://HOST:PORT/PATH.
bool text_names_node(const char *text, const struct node *node);

// Whether one speaker said the same texts as all of the others did, in whatever order and however often. Appends which
// are missing, and which nobody else says.
bool said_same_set(const struct said *said, size_t speaker, const struct said *others, struct buf *evidence);

// Seconds since 1970 of "2015-10-01T12:00:00.000Z" or of a number of seconds or milliseconds; NAN: it is no time.
double time_of_text(const char *text);

// Who has to be in a list.
struct members {
        const struct cluster *cluster;
        const struct role *role;
        const struct said *says; // how its nodes call themselves; NULL: by name or address
};

// Whether the list of one speaker, or of all together, has each member once and nobody else. A role that takes
// strangers takes them here, too, and of nodes that do not say how they are called nothing is known. Appends what is
// wrong.
enum agreed members_compare(const struct members *members, const struct said *list, size_t speaker,
                            struct buf *evidence);

#endif
