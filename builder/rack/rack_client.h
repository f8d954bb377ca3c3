// SPDX-License-Identifier: MIT
// Asking the supervisor of a rack that is up.
#ifndef KILN_RACK_RACK_CLIENT_H
#define KILN_RACK_RACK_CLIENT_H

#include <jansson.h>

#include "base/err.h"
#include "rack/virtual_rack.h"

// Sends {"do": ...} to the rack that fits, and waits for the answer, which is a new object without an error in it.
// Takes the request. With `namespaces` it gets the rack's, in the order of rack_namespace_enter(), to be closed by the
// caller. REFERENCE: there is no such rack; TOOL: it does not answer.
must_check bool rack_client_ask(const struct virtual_rack_name *where, json_t *request, int *namespaces, json_t **ret,
                                struct err *err);

json_t *rack_client_names(const struct strings *nodes); // an array

#endif
