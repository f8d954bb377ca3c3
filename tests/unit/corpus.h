// SPDX-License-Identifier: MIT
// Replays a fuzzer's corpus.
#ifndef KILN_TESTS_UNIT_CORPUS_H
#define KILN_TESTS_UNIT_CORPUS_H

#include <glob.h>
#include <stdint.h>
#include <stdio.h>

#include "base/mem.h"
#include "tests/unit/test.h"

enum { CORPUS_INPUT_MAX = 8192 };

// Calls back with every file that matches, of which there are `least`; the callback may change the bytes.
typedef void corpus_input(const char *path, uint8_t *data, size_t size);

static void corpus_replay(const char *pattern, size_t least, corpus_input *input) {
        glob_t found;
        EXPECT(glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc >= least);
        for (size_t i = 0; i < found.gl_pathc; i++) {
                uint8_t data[CORPUS_INPUT_MAX];
                auto_fclose FILE *file = fopen(found.gl_pathv[i], "re");
                size_t size = file ? fread(data, 1, sizeof data, file) : 0;
                EXPECT(size > 0);
                if (size > 0)
                        input(found.gl_pathv[i], data, size);
        }
        globfree(&found);
}

// Calls back with the input cut at up to `most` places, and with a bit of as many of its bytes changed.
static inline void corpus_mutate(const uint8_t *data, size_t size, size_t most, int input(const uint8_t *, size_t)) {
        size_t step = size / most + 1;
        for (size_t i = 0; i < size; i += step) {
                auto_free uint8_t *copy = xmalloc(size);
                memcpy(copy, data, size);
                copy[i] ^= (uint8_t)(1u << i % 8);
                input(copy, size);
                auto_free uint8_t *cut = xmalloc(i);
                memcpy(cut, data, i);
                input(cut, i);
        }
}

#endif
