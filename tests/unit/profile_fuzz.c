// SPDX-License-Identifier: MIT
// Replays the fuzzers' corpora, and thousands of small mutations of them that are the same on every run.
#include <dirent.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/progress.h"
#include "tests/unit/test.h"

#define LLVMFuzzerTestOneInput fuzz_profile
#include "tests/fuzz/profile.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_template
#include "tests/fuzz/template.c"

typedef int fuzz_target(const uint8_t *data, size_t size);

static uint32_t next_random(uint32_t *state) {
        *state = *state * 1664525 + 1013904223;
        return *state >> 8;
}

static void mutate(struct buf *input, uint32_t *state) {
        static const char pieces[] = "{}[]:,-#&*!|>'\"%@`\n \t./^=01a\\\xff";
        for (uint32_t edits = 1 + next_random(state) % 4; edits > 0 && input->size > 0; edits--) {
                size_t at = next_random(state) % input->size;
                if (next_random(state) % 3 == 0) {
                        size_t cut = next_random(state) % (input->size - at);
                        memmove(input->data + at, input->data + at + cut, input->size - at - cut);
                        input->size -= cut;
                } else {
                        input->data[at] = pieces[next_random(state) % (sizeof pieces - 1)];
                }
        }
}

// A copy of exact size, so that a sanitizer sees reads past the end.
static void try_input(fuzz_target *target, const struct buf *input) {
        uint8_t *data = xmalloc(input->size);
        if (input->size > 0)
                memcpy(data, input->data, input->size);
        EXPECT(target(data, input->size) == 0);
        free(data);
}

static size_t replay(fuzz_target *target, const char *corpus) {
        auto_closedir DIR *dir = opendir(corpus);
        size_t count = 0;
        uint32_t state = 1;
        for (struct dirent *entry; dir && (entry = readdir(dir));) {
                if (entry->d_name[0] == '.')
                        continue;
                auto_free char *path = xasprintf("%s/%s", corpus, entry->d_name);
                auto_buf seed = { 0 };
                EXPECT_OK(fs_read(AT_FDCWD, path, &seed, err));
                try_input(target, &seed);
                for (int i = 0; i < 300; i++) {
                        auto_buf input = { 0 };
                        buf_append(&input, seed.data, seed.size);
                        mutate(&input, &state);
                        try_input(target, &input);
                }
                count++;
        }
        return count;
}

static void profiles(void) { EXPECT(replay(fuzz_profile, "tests/fuzz/profile.corpus") >= 8); }
static void templates(void) { EXPECT(replay(fuzz_template, "tests/fuzz/template.corpus") >= 8); }

int main(void) {
        progress_setup(PROGRESS_QUIET);
        RUN(profiles);
        RUN(templates);
        return test_done();
}
