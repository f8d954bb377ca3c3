// SPDX-License-Identifier: MIT
// Byte ranges (RFC 9110, section 14), and targets and paths of requests.
#ifndef KILN_HTTP_RANGE_H
#define KILN_HTTP_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum range_kind { RANGE_WHOLE, RANGE_PART, RANGE_NONE /* 416 */ };

// One range of a file of this size: "bytes=FIRST-", "bytes=FIRST-LAST", "bytes=-SUFFIX". What is malformed, of another
// unit, or several ranges, is the whole file, as a server may decide. `header` NULL: the whole.
enum range_kind http_range_parse(const char *header, uint64_t size, uint64_t *ret_first, uint64_t *ret_count);

// The path in a request's target. An absolute one, as for a proxy (RFC 9112, 3.2.2), names its host before that, with a
// port, which stands for the Host header: it goes to `host`, of `room` bytes, as far as it fits, or "" for any other
// target. `host` may be NULL.
const char *http_target_path(const char *target, char *host, size_t room);

// A request's path to one below the published tree: several "/" are one, none at either end. False for what is not
// served: a part that begins with "." (so no "..", and nothing that is hidden), a control character, a path too long, a
// directory. `ret` is `room` bytes.
bool http_path_clean(const char *url, char *ret, size_t room);

// Whether one of a list of entity tags, as in If-None-Match, is this one, or the list is "*". Weak ones count.
bool http_tag_matches(const char *header, const char *tag);

const char *http_mime_type(const char *path);

#endif
