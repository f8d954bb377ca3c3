// SPDX-License-Identifier: MIT
// Replays the corpus of the fuzz target of kiln.secrets, and mutations of it.
#include "tests/unit/corpus.h"
#include "tests/unit/test.h"

#include "tests/fuzz/secrets.c"

static uint32_t random_state = 1;

static uint32_t next_random(uint32_t limit) {
        random_state = random_state * 1664525 + 1013904223;
        return (random_state >> 8) % limit;
}

static void try_mutations(const char *path, uint8_t *data, size_t size) {
        static const char bytes[] = "\n\r =<#aE\t\0_1\xff";
        (void)path;
        EXPECT(LLVMFuzzerTestOneInput(data, size) == 0);
        for (int i = 0; i < 2000; i++) {
                // A copy of exact size, so that a sanitizer sees reads past the end.
                size_t cut = 1 + next_random((uint32_t)size);
                auto_free uint8_t *copy = xmalloc(cut);
                memcpy(copy, data, cut);
                for (uint32_t left = 1 + next_random(3); left > 0; left--)
                        copy[next_random((uint32_t)cut)] = (uint8_t)bytes[next_random(sizeof bytes - 1)];
                EXPECT(LLVMFuzzerTestOneInput(copy, cut) == 0);
        }
}

static void corpus_is_replayed(void) { corpus_replay("tests/fuzz/secrets.corpus/*", 15, try_mutations); }

int main(void) {
        RUN(corpus_is_replayed);
        return test_done();
}
