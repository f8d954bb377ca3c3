// SPDX-License-Identifier: MIT
// The kernel command line's words for the initrd's init.
#include "base/buf.h"
#include "base/mem.h"
#include "firmware/node/initrd/initrd.h"
#include "tests/unit/test.h"

static bool says(const char *line, const char *wanted) {
        auto_buf words = { 0 };
        initrd_words(line, &words);
        bool right = strcmp(buf_text(&words), wanted) == 0;
        if (!right)
                printf("# %s:\n# %s\n", line, buf_text(&words));
        return right;
}

static bool is_left_out(const char *line, const char *name) {
        auto_buf words = { 0 }, start = { 0 };
        initrd_words(line, &words);
        buf_printf(&start, "NOTE=%s=", name);
        const char *text = buf_text(&words), *end = strchr(text, '\n');
        bool right = strncmp(text, buf_text(&start), start.size) == 0 && strstr(text, "is left out") && end && !end[1];
        if (!right)
                printf("# %s:\n# %s\n", line, text);
        return right;
}

static void takes_words_as_the_kernel_splits_them(void) {
        EXPECT(says("quiet ro", ""));
        EXPECT(says("kiln.root=carried kiln.debug", "ROOT=carried\nDEBUG=1\n"));
        EXPECT(says("kiln.role=master", "ROLE=master\n"));
        EXPECT(says("kiln.on_failure=\"halt\"", "ON_FAILURE=halt\n"));
        EXPECT(says("\"kiln.on_failure=halt\"", "ON_FAILURE=halt\n"));
        EXPECT(says("kiln.on_failure=retry", "ON_FAILURE=retry\n"));
        EXPECT(says("foo=\"a kiln.debug b\"", ""));
        EXPECT(says("foo=\"a kiln.on_failure=shell b\" kiln.on_failure=halt", "ON_FAILURE=halt\n"));
        EXPECT(says("ro -- kiln.debug kiln.on_failure=shell", ""));
        EXPECT(says("kiln.root=\"medium:MY LABEL\"", "ROOT=medium:MY LABEL\n"));
        EXPECT(says("kiln.root=http://h/x?a=b=\n", "ROOT=http://h/x?a=b=\n"));
        EXPECT(says("kiln.root=medium:\xc3\x84pfel", "ROOT=medium:\xc3\x84pfel\n"));
        EXPECT(says("kiln.root=a kiln.root=b", "ROOT=a\nROOT=b\n")); // the last counts
        EXPECT(says("kiln.debug=1\tkiln.overlay_size=9m", "DEBUG=1\nOVERLAY_SIZE=9m\n"));
        EXPECT(says("kiln_debug kiln.debugx=1 xkiln.debug", ""));
}

static void takes_decimal_numbers(void) {
        EXPECT(says("kiln.root_timeout=08", "ROOT_TIMEOUT=8\n"));
        EXPECT(says("kiln.root_timeout=000000000000000000000010", "ROOT_TIMEOUT=10\n"));
        EXPECT(says("kiln.root_timeout=86400 kiln.reboot_delay=0", "ROOT_TIMEOUT=86400\nREBOOT_DELAY=0\n"));
}

static void leaves_out_what_is_malformed(void) {
        static const char *const lines[][2] = {
                { "kiln.on_failure=Halt", "kiln.on_failure" },
                { "kiln.on_failure=", "kiln.on_failure" },
                { "kiln.on_failure", "kiln.on_failure" },
                { "kiln.on_failure=halt,", "kiln.on_failure" },
                { "kiln.root_timeout=100000", "kiln.root_timeout" },
                { "kiln.root_timeout=3000000", "kiln.root_timeout" },
                { "kiln.root_timeout=99999999999999999999", "kiln.root_timeout" },
                { "kiln.root_timeout=4294967297", "kiln.root_timeout" },
                { "kiln.root_timeout=0", "kiln.root_timeout" },
                { "kiln.root_timeout=-1", "kiln.root_timeout" },
                { "kiln.root_timeout=1e3", "kiln.root_timeout" },
                { "kiln.root_timeout=0x10", "kiln.root_timeout" },
                { "kiln.root_timeout=", "kiln.root_timeout" },
                { "kiln.reboot_delay=ten", "kiln.reboot_delay" },
                { "kiln.debug=0", "kiln.debug" },
                { "kiln.debug=no", "kiln.debug" },
                { "kiln.root=", "kiln.root" },
                { "kiln.root=\x1b[2Jcarried", "kiln.root" },
                { "kiln.root=\"medium:A\nROOT=carried\"", "kiln.root" },
                { "kiln.root=medium:\xff", "kiln.root" },
                { "kiln.debug=\"0\nROOT=carried\"", "kiln.debug" },
                { "kiln.overlay_size=\x9b"
                  "2J",
                  "kiln.overlay_size" },
        };
        for (size_t i = 0; i < lengthof(lines); i++)
                EXPECT(is_left_out(lines[i][0], lines[i][1]));
        char line[4000] = "kiln.root=";
        memset(line + strlen(line), 'a', 3000);
        EXPECT(is_left_out(line, "kiln.root"));
}

int main(void) {
        RUN(takes_words_as_the_kernel_splits_them);
        RUN(takes_decimal_numbers);
        RUN(leaves_out_what_is_malformed);
        return test_done();
}
