// SPDX-License-Identifier: MIT
// Fuzz target: the kernel command line alone and kiln.conf alone. Input that begins with '#' is a config drive's file,
// as a comment does; other input is a command line. Build with clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE
// -Ibuilder -I. and what tests/fuzz/node_facts.c names.
#include <string.h>

#include "base/mem.h"
#include "tests/fuzz/cmdline_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct cmdline cmdline;
        struct err err = { 0 };
        char *text = xstrndup((const char *)data, size);
        cmdline = (struct cmdline){ .prefix = -1 };
        bool is_drive = *text == '#';
        if (is_drive ? cmdline_parse_drive(text, "/dev/sr0", &cmdline, &err) : cmdline_parse(text, &cmdline, &err))
                check_cmdline(&cmdline);
        else
                must(err.kind == ERR_IDENTITY && err.text);
        err_release(&err);
        free(text);
        return 0;
}
