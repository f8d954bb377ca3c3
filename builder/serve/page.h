// SPDX-License-Identifier: MIT
// The page, as page.html beside this file has it.
#ifndef KILN_SERVE_PAGE_H
#define KILN_SERVE_PAGE_H

#include <stddef.h>

extern const char page_html[];
size_t page_html_size(void);

// Its Content-Security-Policy (W3C CSP 3): nothing from elsewhere, and of what is inline only the page's own style and
// script, by their digests. Made once, by the first who asks.
const char *page_policy(void);

#endif
