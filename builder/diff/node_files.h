// SPDX-License-Identifier: MIT
// What templates that are left for the node become on one.
#ifndef KILN_DIFF_NODE_FILES_H
#define KILN_DIFF_NODE_FILES_H

#include "diff/diffed_build.h"

// Renders what node.json's template `template` (an object of its "templates") is on a node, appending to `ret`. What
// only the machine knows, and secrets, are their names: <node.machine.memory_mb>. A template that is not in
// the layer, or does not render, gives an empty text: kiln-node refuses those.
void node_render(const struct config_layer *layer, const json_t *template, const json_t *entry, struct buf *ret);

#endif
