// SPDX-License-Identifier: MIT
// Where the tasks of Marathon's stand-in go.
#ifndef KILN_STANDIN_DEAL_H
#define KILN_STANDIN_DEAL_H

#include <jansson.h>

// Those of `dealt` (id -> {app, host, port}) that may stay, and new ones for what is missing. `apps`: id -> app.
// `slaves`: host -> when the master last had it; `offered`: hosts that new tasks may go to. A new object.
json_t *deal_tasks(json_t *apps, json_t *dealt, json_t *slaves, json_t *offered);

#endif
