// SPDX-License-Identifier: MIT
// What several kilns change in one place: `current`, the links by digest, builds that come and go.
#include "build/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "tests/unit/test.h"

enum { ROUNDS = 60 };

static char top[] = "/tmp/kiln-publish-XXXXXX";

static void shell(const char *script) {
        auto_free char *full = xasprintf("cd %s && %s", top, script);
        EXPECT_OK(run_command(err, "sh", "-ec", full, NULL));
}

// A build of files that some others have, too.
static bool make_build(struct publication *publication, const char *id, struct err *err) {
        auto_free char *script =
            xasprintf("cd \"$0\" && mkdir web && for i in 1 2 3 4 5 6; do echo $i >web/$i; done && echo %s >web/own && "
                      "sha256sum web/* >SHA256SUMS",
                      id);
        if (!publication_stage(publication, id, err))
                return false;
        auto_free char *place = xasprintf("/proc/self/fd/%d", publication->staging);
        auto_free char *path = realpath(place, NULL);
        return run_command(err, "sh", "-ec", script, path, NULL);
}

static bool publish_one(const char *id, bool is_partial, struct err *err) {
        struct publication publication = PUBLICATION_CLOSED;
        bool ok = publication_open(top, "tiny", is_partial, &publication, err) && make_build(&publication, id, err) &&
                  publication_finish(&publication, id, err);
        publication_close(&publication);
        return ok;
}

static bool change_current(const char *id, struct err *err) {
        struct publication publication = PUBLICATION_CLOSED;
        bool ok = publication_open_to_change(top, "tiny", false, &publication, err) &&
                  publication_set_current(&publication, id, err);
        publication_close(&publication);
        return ok;
}

static bool remove_one(const char *id, bool is_partial, struct err *err) {
        struct publication publication = PUBLICATION_CLOSED;
        bool ok = publication_open_to_change(top, "tiny", is_partial, &publication, err) &&
                  publication_remove(&publication, id, err);
        publication_close(&publication);
        return ok;
}

// Every link leads to a file of its digest, and every file of a build has one.
static void expect_right_links(void) {
        shell("cd tiny/blobs/sha256 && for link in *; do echo \"$link  $link\"; done | sha256sum --quiet -c && "
              "cat ../../*/SHA256SUMS ../../partial/*/SHA256SUMS 2>/dev/null | cut -c1-64 | xargs ls >/dev/null");
}

static void expect_current(const char *id) {
        auto_free char *script = xasprintf("test \"$(readlink tiny/current)\" = %s", id);
        shell(script);
}

static void a_rollback_during_a_build_has_the_last_word(void) {
        struct publication building = PUBLICATION_CLOSED;
        EXPECT_OK(publish_one("one", false, err));
        EXPECT_OK(publish_one("two", false, err));
        expect_current("two");
        EXPECT_OK(publication_open(top, "tiny", false, &building, err));
        EXPECT_OK(make_build(&building, "three", err));
        EXPECT_OK(change_current("one", err));
        expect_current("one");
        EXPECT_OK(publication_finish(&building, "three", err));
        publication_close(&building);
        expect_current("one");
        expect_right_links();
        shell("test -e tiny/three/SHA256SUMS");
        EXPECT_OK(publish_one("four", false, err));
        expect_current("four"); // nobody has moved it since
}

static void a_build_that_went_is_not_announced(void) {
        struct publication building = PUBLICATION_CLOSED;
        auto_err refused = { 0 };
        EXPECT_OK(publish_one("one", false, err));
        EXPECT_OK(publish_one("two", false, err));
        EXPECT_OK(publication_open(top, "tiny", false, &building, err));
        EXPECT_OK(remove_one("one", false, err));
        EXPECT(!publication_set_current(&building, "one", &refused) && refused.kind == ERR_REFERENCE);
        publication_close(&building);
        expect_current("two");
        expect_right_links();
}

static void lose_links(void) {
        auto_free char *path = xasprintf("%s/tiny/blobs/sha256", top);
        auto_closedir DIR *stream = opendir(path);
        for (struct dirent *entry; (entry = readdir(stream));)
                if (entry->d_name[0] != '.')
                        (void)unlinkat(dirfd(stream), entry->d_name, 0);
}

// What was lost is made again, all of it at once, and each time from another build.
static bool lose_and_publish(const char *id, struct err *err) {
        lose_links();
        return change_current(id, err);
}

static bool publish_first(struct err *err) { return lose_and_publish("first", err); }

static bool publish_second(struct err *err) { return lose_and_publish("second", err); }

static bool change_partial(struct err *err) { return publish_one("part", true, err) && remove_one("part", true, err); }

static pid_t repeat(bool (*change)(struct err *err)) {
        fflush(stdout);
        pid_t child = fork();
        if (child != 0)
                return child;
        auto_err err = { 0 };
        for (int i = 0; i < ROUNDS; i++)
                if (!change(&err)) {
                        printf("# round %d: %s\n", i, err.text);
                        fflush(stdout);
                        _exit(1);
                }
        _exit(0);
}

// Builds, parts and prune at once: none fails, and what they leave is right.
static void several_at_once(void) {
        pid_t children[3];
        shell("rm -rf tiny");
        EXPECT_OK(publish_one("first", false, err));
        EXPECT_OK(publish_one("second", false, err));
        children[0] = repeat(publish_first);
        children[1] = repeat(change_partial);
        children[2] = repeat(publish_second);
        for (size_t i = 0; i < lengthof(children); i++) {
                int status = 0;
                EXPECT(waitpid(children[i], &status, 0) == children[i] && status == 0);
        }
        EXPECT_OK(change_current("first", err));
        EXPECT_OK(change_current("second", err));
        expect_right_links();
}

int main(void) {
        if (!mkdtemp(top))
                return 1;
        RUN(a_rollback_during_a_build_has_the_last_word);
        RUN(a_build_that_went_is_not_announced);
        RUN(several_at_once);
        auto_err left = { 0 };
        return !fs_remove_tree(AT_FDCWD, top, &left) || test_done();
}
