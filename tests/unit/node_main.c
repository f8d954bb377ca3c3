// SPDX-License-Identifier: MIT
// What kiln-node's main() makes of a failure.
#include "tests/unit/test.h"

#define main node_main // a program starts at one place
int node_main(int argc, char **argv);
#include "firmware/node/main.c"
#undef main

static void a_failure_without_a_reason_is_none_of_success(void) {
        struct err silent = { 0 }, refused = { 0 };
        EXPECT(print_failure("apply", &silent) == err_exit_code(ERR_INTERNAL));
        EXPECT(silent.text && strstr(silent.text, "apply"));
        (void)!fail(&refused, ERR_IDENTITY, 0, "no node matches");
        EXPECT(print_failure("apply", &refused) == 40);
        err_release(&silent);
        err_release(&refused);
}

static void wrong_words_are_a_usage_error(void) {
        EXPECT(node_main(1, (char *[]){ "kiln-node", NULL }) == 2);
        EXPECT(node_main(2, (char *[]){ "kiln-node", "nonsense", NULL }) == 2);
        EXPECT(node_main(3, (char *[]){ "kiln-node", "plan", "--root", NULL }) == 2);
        EXPECT(node_main(3, (char *[]){ "kiln-node", "plan", "--other", NULL }) == 2);
        EXPECT(node_main(3, (char *[]){ "kiln-node", "check-root", "FILE", NULL }) == 2);
}

static void every_verb_has_help(void) {
        EXPECT(node_main(3, (char *[]){ "kiln-node", "apply", "--help", NULL }) == 0);
        EXPECT(node_main(4, (char *[]){ "kiln-node", "check-root", "FILE", "--help", NULL }) == 0);
        EXPECT(node_main(3, (char *[]){ "kiln-node", "nonsense", "--help", NULL }) == 2);
}

int main(void) {
        RUN(a_failure_without_a_reason_is_none_of_success);
        RUN(wrong_words_are_a_usage_error);
        RUN(every_verb_has_help);
        return test_done();
}
