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

#endif
