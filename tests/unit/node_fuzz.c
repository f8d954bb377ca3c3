// Replays the fuzzer's corpus, and every packet of it with each of its bytes changed and cut at each place.
#include "tests/unit/test.h"

#include <glob.h>
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

static void the_corpus_does_no_harm(void) {
        glob_t found;
        EXPECT(glob("tests/fuzz/node_dhcp.corpus/*", 0, NULL, &found) == 0 && found.gl_pathc >= 5);
        for (size_t i = 0; i < found.gl_pathc; i++) {
                uint8_t data[4096];
                auto_fclose FILE *file = fopen(found.gl_pathv[i], "re");
                EXPECT(file != NULL);
                size_t size = file ? fread(data, 1, sizeof data, file) : 0;
                EXPECT(size > 0);
                LLVMFuzzerTestOneInput(data, size);
                mutate(data, size);
        }
        globfree(&found);
}

int main(void) {
        RUN(the_corpus_does_no_harm);
        return test_done();
}
