// SPDX-License-Identifier: MIT
// Published builds of which something is gone, damaged, shared with another build, copied, or not sealed at all.
#include "build/published_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "build/publish.h"
#include "tests/unit/test.h"

static char top[] = "/tmp/kiln-published-XXXXXX";
static int top_fd = -1;

static void shell(const char *script) {
        auto_free char *full = xasprintf("cd %s && %s", top, script);
        EXPECT_OK(run_command(err, "sh", "-ec", full, NULL));
}

// A build as kiln leaves it: files that are links of each other, and a list of digests.
static int make_build(void) {
        int dir = -1;
        shell("rm -rf build && mkdir -p build/master build/pxe/images/master && cd build && "
              "echo kernel >master/vmlinuz && echo root >master/rootfs.squashfs && echo text >manifest.json && "
              "ln master/rootfs.squashfs pxe/images/master/ && find * -type f ! -name SHA256SUMS | sort | "
              "xargs sha256sum >SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS && sed -i /SHA256SUMS/d SHA256SUMS && "
              "sleep 0.02");
        EXPECT_OK(fs_open_dir(top_fd, "build", &dir, err));
        return dir;
}

// The verdict's difference, or "whole" or "moved"; static. A renewed seal takes the place of the old one.
static const char *verdict_of(int dir, struct buf *seal) {
        static char text[200];
        struct seal_verdict verdict = { 0 };
        EXPECT_OK(published_seal_check(dir, seal, false, 2, &verdict, err));
        const char *how = "whole";
        if (verdict.renewed.size > 0)
                how = "moved";
        snprintf(text, sizeof text, "%s", text_or(verdict.difference, how));
        if (verdict.renewed.size > 0) {
                buf_clear(seal);
                buf_append_text(seal, buf_text(&verdict.renewed));
        }
        seal_verdict_release(&verdict);
        return text;
}

static void every_rot_is_named(void) {
        static const struct {
                const char *rot, *verdict;
        } cases[] = {
                { "true", "whole" },
                { "rm build/master/vmlinuz", "master/vmlinuz is gone" },
                { "rm build/SHA256SUMS", "SHA256SUMS is gone" },
                { "rm -r build/master",
                  "master/rootfs.squashfs is gone, one of 2 files that are gone or have changed" },
                { "rm build/manifest.json && mkdir build/manifest.json", "manifest.json is gone" },
                { "rm build/manifest.json && ln -s /etc/passwd build/manifest.json", "manifest.json is gone" },
                { ": >build/manifest.json", "manifest.json has changed" },
                { "echo more >>build/SHA256SUMS", "SHA256SUMS has changed" },
                // with size and time kept
                { "touch -r build/master/vmlinuz t && printf K | dd of=build/master/vmlinuz conv=notrunc status=none "
                  "&& "
                  "touch -r t build/master/vmlinuz",
                  "master/vmlinuz has changed" },
                { "touch -r build/master/rootfs.squashfs t && printf R | dd of=build/master/rootfs.squashfs "
                  "conv=notrunc status=none && touch -r t build/master/rootfs.squashfs",
                  "master/rootfs.squashfs has changed, one of 2 files that are gone or have changed" },
                { "touch build/manifest.json", "moved" },
                { "ln build/master/rootfs.squashfs another", "moved" },
                { "rm -f another && cp -r build copy && rm -r build && mv copy build", "moved" },
                { "echo new >build/robots.txt", "whole" },
        };
        for (size_t i = 0; i < lengthof(cases); i++) {
                auto_close int sealed = make_build();
                auto_close int dir = -1;
                auto_buf seal = { 0 };
                EXPECT_OK(published_seal_make(sealed, NULL, &seal, err));
                EXPECT_TEXT(verdict_of(sealed, &seal), "whole");
                shell(cases[i].rot);
                EXPECT_OK(fs_open_dir(top_fd, "build", &dir, err));
                printf("# %s\n", cases[i].rot);
                EXPECT_TEXT(verdict_of(dir, &seal), cases[i].verdict);
                if (strcmp(cases[i].verdict, "moved") == 0)
                        EXPECT_TEXT(verdict_of(dir, &seal), "whole"); // it was read once
        }
}

// Only where all is read, as before a build becomes `current`.
static void what_was_added_is_named(void) {
        static const char *const added[] = { "robots.txt", "pxe/images/master/vmlinuz.sig", "pxe/boot.sums.sig" };
        for (size_t i = 0; i < lengthof(added); i++) {
                auto_close int dir = make_build();
                auto_buf seal = { 0 };
                struct seal_verdict verdict = { 0 };
                EXPECT_OK(published_seal_make(dir, NULL, &seal, err));
                EXPECT_OK(fs_write(dir, added[i], "x", 1, 0644, err));
                EXPECT_OK(fs_write(dir, "manifest.json.sig", "x", 1, 0644, err)); // of a later --sign
                EXPECT_OK(published_seal_check(dir, &seal, true, 2, &verdict, err));
                EXPECT(verdict.difference && strncmp(verdict.difference, added[i], strlen(added[i])) == 0);
                seal_verdict_release(&verdict);
        }
}

// Builds of earlier kilns, and those that were copied without it.
static void without_a_seal_the_sums_decide(void) {
        static const char *const no_seals[] = { "", "x", "\n", "0123  a\n" };
        for (size_t i = 0; i < lengthof(no_seals); i++) {
                auto_close int dir = make_build();
                auto_buf seal = { 0 };
                buf_append_text(&seal, no_seals[i]);
                EXPECT_TEXT(verdict_of(dir, &seal), "moved");
                EXPECT(strstr(buf_text(&seal), "  SHA256SUMS\n") && strstr(buf_text(&seal), "  master/vmlinuz\n"));
                EXPECT_TEXT(verdict_of(dir, &seal), "whole");
        }
        auto_close int dir = make_build();
        auto_buf none = { 0 };
        shell("echo other >build/master/vmlinuz");
        EXPECT_TEXT(verdict_of(dir, &none), "master/vmlinuz has changed");
        shell("rm build/master/vmlinuz");
        EXPECT_TEXT(verdict_of(dir, &none), "master/vmlinuz is gone");
        shell("truncate -s -1 build/SHA256SUMS");
        EXPECT_TEXT(verdict_of(dir, &none), "it has no whole SHA256SUMS that would tell what it was");
        shell("rm build/SHA256SUMS");
        EXPECT_TEXT(verdict_of(dir, &none), "it has no whole SHA256SUMS that would tell what it was");
}

// A build with --only has no list of digests.
static void what_no_sums_name_is_sealed_too(void) {
        auto_close int dir = make_build();
        auto_buf seal = { 0 };
        shell("rm build/SHA256SUMS");
        EXPECT_OK(published_seal_make(dir, NULL, &seal, err));
        EXPECT_TEXT(verdict_of(dir, &seal), "whole");
        shell("echo other >build/manifest.json");
        EXPECT_TEXT(verdict_of(dir, &seal), "manifest.json has changed");
}

// Digests that are known are not computed again, and files that nobody knows are.
static void digests_that_are_known_are_taken(void) {
        static const char known[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        auto_close int dir = make_build();
        auto_buf seal = { 0 };
        auto_buf sums = { 0 };
        shell("rm build/SHA256SUMS");
        buf_printf(&sums, "%s  manifest.json\n", known);
        EXPECT_OK(published_seal_make(dir, &sums, &seal, err));
        EXPECT(strstr(buf_text(&seal), known) && strstr(buf_text(&seal), "  master/vmlinuz\n"));
        EXPECT_TEXT(verdict_of(dir, &seal), "whole");
}

// ---- beside the build ----

static void publish(struct publication *publication) {
        EXPECT_OK(publication_stage(publication, "0123", err));
        EXPECT_OK(fs_write(publication->staging, "file", "text", 4, 0644, err));
        EXPECT_OK(publication_seal(publication, "0123", NULL, err));
        EXPECT_OK(publication_finish(publication, "0123", err));
}

static bool is_whole(struct publication *publication) {
        bool whole = false;
        EXPECT_OK(publication_is_whole(publication, "0123", 2, &whole, err));
        return whole;
}

static void a_publication_knows_its_builds(void) {
        struct publication publication;
        auto_free char *out = xasprintf("%s/out", top);
        EXPECT_OK(publication_open(out, "demo", false, &publication, err));
        publish(&publication);
        EXPECT(is_whole(&publication));
        shell("test $(stat -c %a out/demo/.seal-0123) = 600 && ! grep -q SHA256SUMS out/demo/.seal-0123");
        shell("sleep 0.02; touch out/demo/0123/file");
        EXPECT(is_whole(&publication));
        shell("sleep 0.02; echo else >out/demo/0123/file");
        EXPECT(!is_whole(&publication));
        shell("rm -r out/demo/0123 && touch out/demo/0123");
        EXPECT(!is_whole(&publication));
        shell("rm out/demo/0123 && ln -s . out/demo/0123");
        EXPECT(!is_whole(&publication));
        publication_close(&publication);
        EXPECT_OK(publication_open(out, "demo", false, &publication, err));
        publish(&publication); // it takes the link's place
        EXPECT(is_whole(&publication));
        publication_close(&publication);
        shell("test \"$(ls -A out/demo | tr '\\n' ' ')\" = '.seal-0123 0123 current ' && test ! -L out/demo/0123");
}

static void a_part_is_published_apart_from_the_whole(void) {
        struct publication publication;
        auto_free char *out = xasprintf("%s/parts", top);
        EXPECT_OK(publication_open(out, "demo", true, &publication, err));
        publish(&publication);
        EXPECT(is_whole(&publication));
        publication_close(&publication);
        shell("test \"$(ls -A parts/demo)\" = partial");
        shell("test \"$(ls -A parts/demo/partial | tr '\\n' ' ')\" = '.seal-0123 0123 '");
}

static void a_place_of_parts_that_others_may_write_to_is_refused(void) {
        struct publication publication;
        auto_err refused = { 0 }, opened = { 0 };
        auto_free char *out = xasprintf("%s/shared", top);
        shell("mkdir -p shared/demo/partial && chmod 777 shared/demo/partial");
        EXPECT(!publication_check_owners(out, "demo", &refused) &&
               strstr(refused.text, "shared/demo/partial may be written"));
        EXPECT(!publication_open(out, "demo", true, &publication, &opened) && strstr(opened.text, "may be written"));
}

int main(void) {
        auto_err err = { 0 };
        if (!mkdtemp(top) || (top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
                printf("Bail out! %s\n", strerror(errno));
                return 1;
        }
        RUN(every_rot_is_named);
        RUN(what_was_added_is_named);
        RUN(without_a_seal_the_sums_decide);
        RUN(what_no_sums_name_is_sealed_too);
        RUN(digests_that_are_known_are_taken);
        RUN(a_publication_knows_its_builds);
        RUN(a_part_is_published_apart_from_the_whole);
        RUN(a_place_of_parts_that_others_may_write_to_is_refused);
        int failed = test_done();
        (void)!fs_remove_tree(AT_FDCWD, top, &err);
        return failed;
}
