// SPDX-License-Identifier: MIT
// A node's network in the words of Anaconda (EL7's kickstart commands), from the model that kiln-node writes the booted
// system's files from.
#ifndef KILN_ARTEFACT_KICKSTART_NETWORK_H
#define KILN_ARTEFACT_KICKSTART_NETWORK_H

#include "base/buf.h"
#include "profile/profile.h"

// The `network` commands: each link of the node with its first address, the node's own link last. A bond's members are
// known by MAC address and Anaconda takes names, so that those of a bond are made by a %pre and included.
void kickstart_network_commands(const struct cluster *cluster, const struct node *node, struct buf *to);

// A %post, run in the new system, for what no `network` command can say: further addresses and static routes, in
// initscripts' files. Nothing is appended where there is neither, or where the release has other files.
void kickstart_network_post(const struct cluster *cluster, const struct node *node, struct buf *to);

#endif
