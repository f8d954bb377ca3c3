// SPDX-License-Identifier: MIT
// What is left out of primary.xml before libsolv reads it, whatever the pieces that it comes in.
#include "tests/unit/test.h"

#include "base/buf.h"
#include "base/mem.h"
#include "packages/metadata/primary_strip.h"

// Feeds `text` in pieces of `piece` bytes, as stream.c does.
static char *feed(const char *text, size_t piece) {
        struct buf left = { 0 };
        struct strip strip = { 0 };
        auto_free char *window = xmalloc(STRIP_WINDOW);
        size_t size = strlen(text), done = 0, kept = 0;
        for (bool more = true; more;) {
                size_t next = size - done < piece ? size - done : piece;
                next = next < STRIP_WINDOW - kept ? next : STRIP_WINDOW - kept;
                memcpy(window + kept, text + done, next);
                done += next;
                more = next > 0;
                size_t used = 0;
                size_t count = primary_strip(&strip, window, kept + next, more, &used);
                buf_append(&left, window, count);
                kept = kept + next - used;
                memmove(window, window + used, kept);
        }
        buf_append_text(&left, "");
        return buf_take(&left);
}

static void expect(const char *text, const char *wanted) {
        static const size_t pieces[] = { 1, 2, 3, 7, 16, 17, 18, 19, 64, STRIP_WINDOW };
        for (size_t i = 0; i < lengthof(pieces); i++) {
                auto_free char *left = feed(text, pieces[i]);
                EXPECT_TEXT(left ? left : "", wanted);
        }
}

static void drops_descriptions_and_indentation(void) {
        expect("<?xml version=\"1.0\"?>\n<metadata>\n <package>\n  <name>a</name>\n  <summary>A &lt;b&gt;</summary>\n"
               "  <time file=\"1\" build=\"2\"/>\n  <description>long\n\n text > here</description>\n  <url/>\n  "
               "<rpm:group>MIT</rpm:group>\n <rpm:license>MIT</rpm:license>\n"
               "  <rpm:provides>\n   <rpm:entry name=\"x > y\"/>\n  </rpm:provides>\n </package>\n</metadata>\n",
               "<?xml version=\"1.0\"?><metadata><package><name>a</name><url/><rpm:license>MIT</rpm:license>"
               "<rpm:provides><rpm:entry name=\"x > y\"/>\n  </rpm:provides>\n </package>\n</metadata>\n");
}

static void keeps_what_only_looks_like_it(void) {
        expect("<summary>a<b/></summary>", "<summary>a<b/></summary>");
        expect("<summary x=\"1\">a</summary>", "<summary x=\"1\">a</summary>");
        expect("<summaries>a</summaries>", "<summaries>a</summaries>");
        expect("<summary>a</summaries>", "<summary>a</summaries>");
        expect("<name> </name><name>x </name>", "<name> </name><name>x </name>");
        expect("<name>x <b/></name>", "<name>x <b/></name>");
        expect("<time a=\"/>\" b=\"1\"/>", "<time a=\"/>\" b=\"1\"/>");
        expect("<time a='/>'/>", "<time a='/>'/>");
        expect("<time a=\"1\">x</time>", "<time a=\"1\">x</time>");
        expect("<times a=\"1\"/>", "<times a=\"1\"/>");
        expect("<time a=\"1", "<time a=\"1");
        expect("<summary>a", "<summary>a");
        expect("a < ", "a < ");
        expect("<", "<");
        expect("", "");
}

static void everything_passes_after_other_markup(void) {
        expect("<summary>a</summary><!-- <summary> --><summary>b</summary>\n <c/>",
               "<!-- <summary> --><summary>b</summary>\n <c/>");
        expect("<d><![CDATA[<summary>x</summary>]]></d>", "<d><![CDATA[<summary>x</summary>]]></d>");
        expect("<!DOCTYPE x><summary>x</summary>", "<!DOCTYPE x><summary>x</summary>");
        expect("<a/>\n <?x <summary>y</summary> ?>", "<a/>\n <?x <summary>y</summary> ?>");
}

static void text_without_end_passes(void) {
        size_t size = 2 * (size_t)STRIP_WINDOW;
        auto_free char *text = xmalloc(size + 1);
        memset(text, 'x', size);
        memcpy(text, "<summary>", 9);
        memcpy(text + size - 10, "</summary>", 10);
        text[size] = '\0';
        auto_free char *left = feed(text, STRIP_WINDOW);
        EXPECT_TEXT(left, text);
}

int main(void) {
        RUN(drops_descriptions_and_indentation);
        RUN(keeps_what_only_looks_like_it);
        RUN(everything_passes_after_other_markup);
        RUN(text_without_end_passes);
        return test_done();
}
