// SPDX-License-Identifier: MIT
// Replays the fuzzer's corpus, and what was written by hand of it cut at each place and with each of its bytes changed.
#include "tests/unit/corpus.h"
#include "tests/unit/test.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tests/fuzz/node_facts.c"

// Few, since each makes three plans.
enum { CHANGES_MAX = 60, DIGEST_SIZE = 40 };

static void replay(const char *path, uint8_t *data, size_t size) {
        LLVMFuzzerTestOneInput(data, size);
        if (strlen(strrchr(path, '/') + 1) < DIGEST_SIZE) // libFuzzer names its own by SHA-1
                corpus_mutate(data, size, CHANGES_MAX, LLVMFuzzerTestOneInput);
}

static void the_corpus_does_no_harm(void) { corpus_replay("tests/fuzz/node_facts.corpus/*", 13, replay); }

int main(void) {
        RUN(the_corpus_does_no_harm);
        return test_done();
}
