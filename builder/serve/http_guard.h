// SPDX-License-Identifier: MIT
// Pages of other sites in an operator's browser must neither read the state nor write to it. A browser says where a
// request comes from (Fetch Metadata, Origin); a name that leads here by DNS rebinding is told by the Host header; and
// a POST of JSON is none that a page may send elsewhere without being asked first (Fetch Standard, "CORS-safelisted").
#ifndef KILN_SERVE_HTTP_GUARD_H
#define KILN_SERVE_HTTP_GUARD_H

#include "serve/http_request.h"

// False: the request was answered, and `*ret` is what microhttpd wants.
bool http_guard_get(const struct http_request *request, enum MHD_Result *ret);
bool http_guard_post(const struct http_request *request, bool is_json, enum MHD_Result *ret);

// The names that are this server's: addresses, names without a dot (no stranger's domain is one), the hosts of
// http_base, report_url and mirrors, names in the networks' search domains, and this machine's own. With or without a
// port. The caller holds the rack's lock.
bool http_is_our_host(const struct cluster *cluster, const char *host);

#endif
