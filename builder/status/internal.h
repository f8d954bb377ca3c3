// SPDX-License-Identifier: MIT
#ifndef KILN_STATUS_INTERNAL_H
#define KILN_STATUS_INTERNAL_H

#include <jansson.h>

#include "status/arp.h"
#include "status/probe.h"
#include "status/status.h"

// Adds to "findings" of a status.
void add_finding(json_t *findings, const char *what, const char *evidence, const char *remedy, bool is_serious);

// Judges the agreements of a role by the "nodes" of a status: appends to the lists `agreements` and `findings`.
// `*ret_serious` is set if one does not hold without which the cluster does not serve.
void agreements_judge(const struct cluster *cluster, const struct role *role, const json_t *nodes, json_t *agreements,
                      json_t *findings, bool *ret_serious);

// Who holds a virtual address, by the cards that answer for it and by what kiln-node's answers say: fills "owner",
// "cards" and "holders" of `target`, and appends what is wrong to `findings`. `nodes` is of the status. True: nobody
// knows where its packets go.
must_check bool vip_judge_owner(const struct cluster *cluster, const struct vip *vip, const struct arp_question *cards,
                                const json_t *nodes, json_t *target, json_t *findings);

// kiln-node's own answer (firmware/node/watch/status_answer.h), which is "machine" of a node from then on. False, with
// one line why: it is no such answer, or (`*ret_is_other`) one of another machine, or of one that was refused. What
// else is wrong with the machine is told in `findings`.
must_check bool machine_judge(const struct cluster *cluster, const struct node *node, const struct probe *probe,
                              const char *wanted_build, json_t *target, json_t *findings, bool *ret_is_other,
                              struct buf *ret_why);

// What a node's clock says, from its kiln-node or from the Date of an HTTP answer.
struct clock_sample {
        const struct node *node;
        double ahead_s, slack_s; // of this machine's clock; how wrong that may be
};
// False: the answer says no time.
bool clock_sample_http(const struct probe *probe, struct clock_sample *ret);
void clocks_judge(const struct clock_sample *samples, size_t count, json_t *findings);

#endif
