// SPDX-License-Identifier: MIT
// The page, as page.html beside this file has it.
#ifndef KILN_SERVE_PAGE_H
#define KILN_SERVE_PAGE_H

#include <stddef.h>

extern const char page_html[];
size_t page_html_size(void);

#endif
