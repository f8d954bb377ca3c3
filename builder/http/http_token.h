// SPDX-License-Identifier: MIT
// A token in a file: whoever sends it as "Authorization: Bearer TOKEN" (RFC 6750) may change something.
#ifndef KILN_HTTP_TOKEN_H
#define KILN_HTTP_TOKEN_H

#include <stdbool.h>

#include "base/err.h"

// The first line of the file of an option, heap. SYSTEM; USAGE for one of less than 16 characters, or with others than
// visible ones of ASCII and blanks.
must_check bool http_token_read(const char *option, const char *path, char **ret, struct err *err);

// Whether a request's header has the token; either may be NULL. Takes the same time wherever the two differ.
bool http_token_matches(const char *authorization, const char *token);

#endif
