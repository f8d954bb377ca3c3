// SPDX-License-Identifier: MIT
#include "serve/page.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "shared/base64.h"

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

// ---- the policy ----

enum { SHA256_SIZE = 32 };

// Of what stands between the tags of an element, which is there once.
static void append_element_digest(const char *begin_tag, const char *end_tag, struct buf *ret) {
        const char *begin = memmem(page_html, page_html_size(), begin_tag, strlen(begin_tag));
        assert(begin);
        begin += strlen(begin_tag);
        const char *end = memmem(begin, (size_t)(page_html_end - begin), end_tag, strlen(end_tag));
        char hex[DIGEST_HEX_SIZE];
        unsigned char bytes[SHA256_SIZE];
        assert(end);
        digest_bytes("sha256", begin, (size_t)(end - begin), hex);
        for (size_t i = 0; i < SHA256_SIZE; i++)
                (void)sscanf(hex + 2 * i, "%2hhx", &bytes[i]);
        buf_append_text(ret, "'sha256-");
        base64_encode(bytes, sizeof bytes, 0, ret);
        buf_append_text(ret, "'");
}

static char *policy;

static void make_page_policy(void) {
        struct buf text = { 0 };
        buf_append_text(&text, "default-src 'none'; style-src ");
        append_element_digest("<style>", "</style>", &text);
        buf_append_text(&text, "; script-src ");
        append_element_digest("<script>", "</script>", &text);
        buf_append_text(&text, "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                               "frame-ancestors 'none'");
        policy = buf_take(&text);
}

const char *page_policy(void) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        pthread_once(&once, make_page_policy);
        return policy;
}
