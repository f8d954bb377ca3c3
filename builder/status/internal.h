// SPDX-License-Identifier: MIT
#ifndef KILN_STATUS_INTERNAL_H
#define KILN_STATUS_INTERNAL_H

#include <jansson.h>

#include "status/status.h"

// Adds to "findings" of a status.
void add_finding(json_t *findings, const char *what, const char *evidence, const char *remedy, bool is_serious);

// Judges the agreements of a role by the "nodes" of a status: appends to the lists `agreements` and `findings`.
// `*ret_serious` is set if one does not hold without which the cluster does not serve.
void agreements_judge(const struct cluster *cluster, const struct role *role, const json_t *nodes, json_t *agreements,
                      json_t *findings, bool *ret_serious);

// The node whose card answers for an address, as this machine's neighbour table (proc_net_arp(5)) has it, or NULL: it
// is not in one network with this machine, or no node's card.
const struct node *vip_owner(const struct cluster *cluster, struct in_addr address);

#endif
