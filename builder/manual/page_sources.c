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
        ".global manual_pages_end\n"
        "manual_pages:\n"
        ".incbin \"" MANUAL_PAGES "\"\n"
        "manual_pages_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const char manual_pages[], manual_pages_end[];

const char *manual_source(size_t index) {
        size_t offset = 0, size = (size_t)(manual_pages_end - manual_pages);
        for (size_t i = 0; i < index && offset < size; i++)
                offset += strlen(manual_pages + offset) + 1;
        if (offset < size)
                return manual_pages + offset;
        return NULL;
}
