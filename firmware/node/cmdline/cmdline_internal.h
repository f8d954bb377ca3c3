// SPDX-License-Identifier: MIT
// What the files of the command line's parser share.
#ifndef KILN_NODE_CMDLINE_CMDLINE_INTERNAL_H
#define KILN_NODE_CMDLINE_CMDLINE_INTERNAL_H

#include "firmware/node/cmdline/cmdline.h"

enum { CMDLINE_FIELDS_MAX = 24 };

struct cmdline_reader {
        struct cmdline *out;
        enum cmdline_from from;
        const char *where; // "the kernel command line", "line 3 of kiln.conf on /dev/sr0"
};

// A parameter's word: takes `value`, which it may write to ("" if there is none).
typedef bool cmdline_take(struct cmdline_reader *reader, const char *name, char *value, struct err *err);

// ---- cmdline_own.c ----

cmdline_take cmdline_take_node, cmdline_take_role, cmdline_take_hostname, cmdline_take_id, cmdline_take_kiln_ip,
    cmdline_take_config, cmdline_take_allow_older, cmdline_take_bootif, cmdline_take_bootdev;
cmdline_take cmdline_take_nothing; // the initrd's own
cmdline_take cmdline_take_unread;  // a note that says so
cmdline_take cmdline_take_peerdns; // a note that it has no effect

// ---- cmdline_ip.c, cmdline_links.c ----

cmdline_take cmdline_take_ip, cmdline_take_ifname, cmdline_take_vlan, cmdline_take_bond, cmdline_take_unmade,
    cmdline_take_route, cmdline_take_nameserver;

// ---- cmdline_reader.c ----

extern const char cmdline_where[]; // the command line, in messages

// "NAME=VALUE on WHERE is not WANT"
bool cmdline_refuse(const struct cmdline_reader *reader, struct err *err, const char *name, const char *value,
                    const char *want);
// Two values of one parameter, the first of which came from `first_from`.
bool cmdline_contradiction(const struct cmdline_reader *reader, struct err *err, const char *name, const char *first,
                           enum cmdline_from first_from, const char *second);
bool cmdline_too_many(const struct cmdline_reader *reader, struct err *err, const char *name, size_t max);

// "NAME=VALUE: WHY"
void cmdline_note(struct cmdline_reader *reader, const char *name, const char *value, const char *why);

// Cuts at `separator` outside of brackets (IPv6); max + 1 if there are more than `max` fields.
size_t cmdline_split(char *text, char separator, char *fields[], size_t max);
// Takes one pair of brackets off, in place.
char *cmdline_unbracket(char *text);
// "" is 0; else 68..65535.
bool cmdline_parse_mtu(const char *text, int *ret);
void cmdline_add_dns(struct cmdline_reader *reader, const char *name, const struct address *address);

// ---- cmdline_check.c ----

// Whether the parts fit together: ip= against ip=, kiln.ip and the links that the line makes.
must_check bool cmdline_check(const struct cmdline *cmdline, struct err *err);

#endif
