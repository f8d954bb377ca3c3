// SPDX-License-Identifier: MIT
// The signed list of a configuration layer: what is written is read, and nothing else is.
#include "shared/signed_layer.h"

#include <string.h>

#include "base/mem.h"
#include "tests/unit/test.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD "kiln-layer 1\ncluster c\nrole r\nbuild b\n"
#define ROOT "root " DIGEST " "

static bool layer_is_taken(const char *text) {
        struct arena arena = { 0 };
        struct signed_layer layer;
        auto_err err = { 0 };
        bool ok = signed_layer_parse(text, strlen(text), &arena, &layer, &err);
        EXPECT(ok || err.kind == ERR_SIGNATURE);
        arena_release(&arena);
        return ok;
}

static void what_is_written_is_read(void) {
        struct arena arena = { 0 };
        struct layer_entry entries[] = {
                { .type = 'f', .mode = 0600, .uid = 7, .size_bytes = 10, .sha256 = DIGEST, .path = "etc/a b" },
                { .type = 'd', .mode = 0, .gid = 4294967295U, .path = "etc" },
                { .type = 'c', .mode = 0666, .major = 1, .minor = 5, .path = "zero" },
                { .type = 'l', .mode = 0777, .target = "/etc/a b", .path = "link" },
        };
        struct signed_layer layer = { .cluster = "c",
                                      .role = "r",
                                      .build = "b",
                                      .serial = UINT64_MAX,
                                      .root_sha256 = DIGEST,
                                      .entries = entries,
                                      .count = lengthof(entries) };
        struct signed_layer again;
        auto_buf text = { 0 }, rewritten = { 0 };
        signed_layer_format(&layer, &text);
        EXPECT_OK(signed_layer_parse(buf_text(&text), text.size, &arena, &again, err));
        EXPECT(again.count == lengthof(entries) && again.serial == UINT64_MAX);
        signed_layer_format(&again, &rewritten);
        EXPECT_TEXT(buf_text(&rewritten), buf_text(&text));
        arena_release(&arena);
}

static void numbers_have_one_form(void) {
        static const struct {
                const char *text;
                bool taken;
        } rows[] = {
                { HEAD "serial 0\n" ROOT "0\n", true },
                { HEAD "serial 7\n" ROOT "10\nd 0755 0 0 a\n", true },
                { HEAD "serial 07\n" ROOT "10\n", false },
                { HEAD "serial 00\n" ROOT "10\n", false },
                { HEAD "serial 7\n" ROOT "010\n", false },
                { HEAD "serial +7\n" ROOT "10\n", false },
                { HEAD "serial 7x\n" ROOT "10\n", false },
                { HEAD "serial \n" ROOT "10\n", false },
                { HEAD "serial 99999999999999999999\n" ROOT "10\n", false },
                { HEAD "serial 7\n" ROOT "9223372036854775808\n", false },
                { HEAD "serial 7\n" ROOT "10\nd 0755 4294967296 0 a\n", false },
                { HEAD "serial 7\n" ROOT "10\nd 0755 00 0 a\n", false },
                { HEAD "serial 7\n" ROOT "10\nd 755 0 0 a\n", false },
                { HEAD "serial 7\n" ROOT "10\nd 00755 0 0 a\n", false },
                { HEAD "serial 7\n" ROOT "10\nd 10755 0 0 a\n", false },
                { HEAD "serial 7\n" ROOT "10\nc 0600 0 0 1:05 a\n", false },
        };
        for (size_t i = 0; i < lengthof(rows); i++) {
                if (layer_is_taken(rows[i].text) != rows[i].taken)
                        printf("# row %zu\n", i);
                EXPECT(layer_is_taken(rows[i].text) == rows[i].taken);
        }
}

int main(void) {
        RUN(what_is_written_is_read);
        RUN(numbers_have_one_form);
        return test_done();
}
