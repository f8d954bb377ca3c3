// SPDX-License-Identifier: MIT
// Replays the fuzzer's corpus of a repository's metadata, cut at many places and with many of its bytes changed.
#include "tests/unit/corpus.h"
#include "tests/unit/test.h"

#include "tests/fuzz/metadata.c"

enum { CHANGES_MAX = 200 };

static void replay(const char *path, uint8_t *data, size_t size) {
        (void)path;
        LLVMFuzzerTestOneInput(data, size);
        corpus_mutate(data, size, CHANGES_MAX, LLVMFuzzerTestOneInput);
}

static void the_corpus_does_no_harm(void) { corpus_replay("tests/fuzz/metadata.corpus/*", 4, replay); }

int main(void) {
        RUN(the_corpus_does_no_harm);
        return test_done();
}
