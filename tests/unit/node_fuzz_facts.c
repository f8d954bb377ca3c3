// Replays the fuzzer's corpus, and what was written by hand of it cut at each place and with each of its bytes changed.
#include "tests/unit/test.h"

#include <glob.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/fuzz/node_facts.c"

// Few, since each makes three plans.
enum { CHANGES_MAX = 60, DIGEST_SIZE = 40 };

static void mutate(const uint8_t *data, size_t size) {
        size_t step = size / CHANGES_MAX + 1;
        for (size_t i = 0; i < size; i += step) {
                auto_free uint8_t *copy = xmalloc(size);
                memcpy(copy, data, size);
                copy[i] ^= (uint8_t)(1u << i % 8);
                LLVMFuzzerTestOneInput(copy, size);
                auto_free uint8_t *cut = xmalloc(i);
                memcpy(cut, data, i);
                LLVMFuzzerTestOneInput(cut, i);
        }
}

static void the_corpus_does_no_harm(void) {
        glob_t found;
        EXPECT(glob("tests/fuzz/node_facts.corpus/*", 0, NULL, &found) == 0 && found.gl_pathc >= 13);
        for (size_t i = 0; i < found.gl_pathc; i++) {
                uint8_t data[8192];
                auto_fclose FILE *file = fopen(found.gl_pathv[i], "re");
                EXPECT(file != NULL);
                size_t size = file ? fread(data, 1, sizeof data, file) : 0;
                EXPECT(size > 0);
                LLVMFuzzerTestOneInput(data, size);
                const char *name = strrchr(found.gl_pathv[i], '/') + 1;
                if (strlen(name) < DIGEST_SIZE) // libFuzzer names its own by SHA-1
                        mutate(data, size);
        }
        globfree(&found);
}

int main(void) {
        RUN(the_corpus_does_no_harm);
        return test_done();
}
