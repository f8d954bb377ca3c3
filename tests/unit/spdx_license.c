// SPDX-License-Identifier: MIT
// Which licences of packages are SPDX expressions.
#include "artefact/spdx_license.h"

#include "base/buf.h"
#include "base/mem.h"
#include "tests/unit/test.h"

static void expressions_are_told_from_words(void) {
        static const char *const valid[] = {
                "MIT",
                " MIT ",
                "GPL-2.0+",
                "Apache-2.0+",
                "GPL-2.0-only WITH Linux-syscall-note",
                "MIT AND (GPL-2.0-or-later OR Apache-2.0) AND Zlib",
                "((MIT))",
                "(MIT OR ISC)AND(Zlib)",
                "LGPL-2.1-or-later WITH GCC-exception-3.1 OR 0BSD",
        };
        static const char *const others[] = {
                "",
                " ",
                "GPLv2+",
                "BSD",
                "BSD and GPLv2+",
                "MIT and BSD",
                "mit",
                "MIT AND",
                "AND MIT",
                "MIT ISC",
                "(MIT",
                "MIT)",
                "()",
                "MIT WITH MIT",
                "WITH",
                "MIT WITH",
                "MIT OR OR ISC",
                "Public Domain",
                "LicenseRef-x",
                "+",
                "MIT++",
                "NONE",
                "NOASSERTION",
                "MIT\nAND ISC",
                "MIT AND\tISC",
                "see copyright",
        };
        for (size_t i = 0; i < lengthof(valid); i++) {
                printf("# %s\n", valid[i]);
                EXPECT(spdx_expression_is_valid(valid[i]));
        }
        for (size_t i = 0; i < lengthof(others); i++)
                EXPECT(!spdx_expression_is_valid(others[i]));
}

static void depth_is_bounded(void) {
        enum { DEPTH = 100000 };
        auto_buf deep = { 0 };
        for (int i = 0; i < DEPTH; i++)
                buf_append_char(&deep, '(');
        EXPECT(!spdx_expression_is_valid(buf_text(&deep)));
}

int main(void) {
        RUN(expressions_are_told_from_words);
        RUN(depth_is_bounded);
        return test_done();
}
