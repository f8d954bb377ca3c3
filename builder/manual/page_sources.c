// SPDX-License-Identifier: MIT
#include <string.h>

#include "manual/manual_pages.h"

// make(1) puts the pages into one file, each with a NUL behind it.
#ifndef MANUAL_PAGES
#define MANUAL_PAGES "build/manual.pages"
#endif

// The assembler reads the file as it is (gas, .incbin).
__asm__(".section .rodata\n"
        ".global manual_pages\n"
        "manual_pages:\n"
        ".incbin \"" MANUAL_PAGES "\"\n"
        ".byte 0\n"
        ".previous\n");

extern const char manual_pages[]; // an empty one is behind the last

const char *manual_source(size_t index) {
        const char *page = manual_pages;
        for (size_t i = 0; i < index && *page; i++)
                page += strlen(page) + 1;
        if (*page)
                return page;
        return NULL;
}
