// SPDX-License-Identifier: MIT
#include "serve/page.h"

// The assembler reads the file as it is (gas, .incbin).
__asm__(".section .rodata\n"
        ".global page_html\n"
        ".global page_html_end\n"
        "page_html:\n"
        ".incbin \"builder/serve/page.html\"\n"
        "page_html_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const char page_html_end[];

size_t page_html_size(void) { return (size_t)(page_html_end - page_html); }
