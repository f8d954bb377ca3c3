// SPDX-License-Identifier: MIT
// Fuzz target: lock files. Whatever the bytes are, parsing ends, in an error that says where or in a lock file that is
// written exactly as it was read (but for comments).
//     clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ibuilder -I. tests/fuzz/lock.c
//     builder/selection/lock_file.c
//         builder/base/*.c -lcrypto -ljansson -lm && ./a.out tests/fuzz/lock.corpus
// tests/unit/lock.c replays the corpus on every run.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "selection/lock_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Comments before the head are the only thing that writing changes.
static const char *skip_comments(const char *text, const char *end) {
        while (text < end && *text == '#') {
                const char *newline = memchr(text, '\n', (size_t)(end - text));
                text = newline ? newline + 1 : end;
        }
        return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct lock_file lock = { 0 };
        struct err err = { 0 };
        const char *text = (const char *)data;
        if (!lock_file_parse("f", text, size, &lock, &err)) {
                if (err.kind != ERR_SYNTAX || strncmp(err.text, "f:", 2) != 0)
                        abort();
                err_release(&err);
                return 0;
        }
        char *written = lock_file_format(&lock);
        const char *begin = skip_comments(text, text + size);
        const char *again = skip_comments(written, written + strlen(written));
        size_t length = (size_t)(text + size - begin);
        if (strlen(again) != length || memcmp(again, begin, length) != 0)
                abort();
        free(written);
        lock_file_release(&lock);
        return 0;
}
