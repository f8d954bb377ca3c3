// SPDX-License-Identifier: MIT
// Words that a shell reads back as they were.
#include "base/shell_word.h"
#include "tests/unit/test.h"

static void plain_words_stay(void) {
        struct arena arena = { 0 };
        EXPECT_TEXT(shell_word(&arena, "own/cluster.yaml"), "own/cluster.yaml");
        EXPECT_TEXT(shell_word(&arena, "a b"), "'a b'");
        EXPECT_TEXT(shell_word(&arena, ""), "''");
        EXPECT_TEXT(shell_word(&arena, "it's"), "'it'\\''s'");
        EXPECT_TEXT(shell_word(&arena, "~x"), "'~x'");
        arena_release(&arena);
}

static void a_shell_reads_every_byte_back(void) {
        struct arena arena = { 0 };
        char bytes[256] = "";
        for (int byte = 1; byte < 256; byte++)
                bytes[byte - 1] = (char)byte;
        const char *command = arena_printf(&arena, "printf %%s %s", shell_word(&arena, bytes));
        char said[sizeof bytes] = "";
        FILE *shell = popen(command, "r");
        EXPECT(shell && fread(said, 1, sizeof said - 1, shell) == 255);
        EXPECT_TEXT(said, bytes);
        EXPECT(shell && pclose(shell) == 0);
        arena_release(&arena);
}

int main(void) {
        RUN(plain_words_stay);
        RUN(a_shell_reads_every_byte_back);
        return test_done();
}
