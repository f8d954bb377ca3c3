// SPDX-License-Identifier: MIT
// Replays the fuzzer's corpus, and every packet of it with each of its bytes changed and cut at each place.
#include "tests/unit/corpus.h"
#include "tests/unit/test.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tests/fuzz/node_dhcp.c"

static void mutate(const uint8_t *data, size_t size) {
        static const uint8_t changes[] = { 0x01, 0x80, 0xff };
        for (size_t i = 0; i < size; i++) {
                auto_free uint8_t *copy = xmalloc(size);
                memcpy(copy, data, size);
                for (size_t j = 0; j < lengthof(changes); j++) {
                        copy[i] = data[i] ^ changes[j];
                        LLVMFuzzerTestOneInput(copy, size);
                }
                auto_free uint8_t *cut = xmalloc(i);
                memcpy(cut, data, i);
                LLVMFuzzerTestOneInput(cut, i);
        }
}

static void replay(const char *path, uint8_t *data, size_t size) {
        (void)path;
        LLVMFuzzerTestOneInput(data, size);
        mutate(data, size);
}

static void the_corpus_does_no_harm(void) { corpus_replay("tests/fuzz/node_dhcp.corpus/*", 5, replay); }

int main(void) {
        RUN(the_corpus_does_no_harm);
        return test_done();
}
