// SPDX-License-Identifier: MIT
// URLs of repositories and of what they publish. Results are heap.
#ifndef KILN_PACKAGES_FETCH_URL_H
#define KILN_PACKAGES_FETCH_URL_H

#include <stdbool.h>

// BASE/LOCATION, or LOCATION itself if it is a URL. What no URL may hold is quoted, but for file://.
char *url_join(const char *base, const char *location);
// A URL as a request for it has it: `+` in its path is escaped, which servers that follow S3 take for a space. Heap.
char *url_for_request(const char *url);
// A URL as messages may show it: without user, password and query.
char *url_shown(const char *url);
// The file of a location below a file:// base URL; NULL: it is not on this machine.
char *url_local_file(const char *base, const char *location);
// The path of a file:// URL, percent-decoded; NULL for any other URL.
char *url_local_path(const char *url);
// A URL from what a user wrote: a path (made absolute) becomes file://.
char *url_from_user(const char *text);
// The URL that --repo NAME=URL gives for a repository; NULL: none. `replacements` are packages_options.replace.
const char *url_replacement(const char *const *replacements, const char *repository);
// Whether metadata may name this location: relative without "..", or http(s).
bool url_location_is_safe(const char *location);

#endif
