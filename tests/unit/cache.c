// SPDX-License-Identifier: MIT
// The cache as a whole: what is noted of it, and what --prune and a limit remove and leave.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cache/cache.h"
#include "cache/cache_prune.h"
#include "cache/cache_trim.h"
#include "tests/unit/test.h"

enum { ENTRY_BYTES = 1 << 20, KEPT_SHARE = ENTRY_BYTES * 5 / 2 };

static char top[] = "/tmp/kiln-cache-XXXXXX";

static void put(const char *path) {
        auto_free char *bytes = xcalloc(1, ENTRY_BYTES);
        auto_free char *full = xasprintf("%s/%s", top, path);
        EXPECT_OK(fs_mkdirs_for(AT_FDCWD, full, 0755, err));
        EXPECT_OK(fs_write_atomic(AT_FDCWD, full, bytes, ENTRY_BYTES, 0644, err));
}

static bool there(const char *path) {
        auto_free char *full = xasprintf("%s/%s", top, path);
        return fs_exists(AT_FDCWD, full);
}

static void use(struct cache *cache, enum cache_kind kind, const char *name) {
        auto_free char *path = cache_entry(cache, kind, name);
        EXPECT(strstr(path, name) != NULL);
}

// A build that was `age_s` ago and needs two layers.
static void record(const char *name, const char *first, const char *second, long age_s) {
        struct cache *cache = NULL;
        EXPECT_OK(cache_open(top, &cache, err));
        use(cache, CACHE_LAYERS, first);
        use(cache, CACHE_LAYERS, second);
        EXPECT_OK(cache_record(cache, "build", err, "%s", name));
        cache_close(cache);
        auto_free char *path = xasprintf("%s/used/build-%s", top, name);
        struct timespec then[2] = { { .tv_sec = 1600000000 - age_s }, { .tv_sec = 1600000000 - age_s } };
        EXPECT(utimensat(AT_FDCWD, path, then, 0) == 0);
}

static void fill(void) {
        put("layers/shared/root/file");
        put("layers/old/root/file");
        put("layers/new/root/file");
        put("layers/nobodys/root/file");
        record("old", "shared", "old", 1000);
        record("new", "shared", "new", 10);
}

static const uint64_t room = (uint64_t)5 * ENTRY_BYTES;

static void no_limit_and_room_enough_leave_everything(void) {
        fill();
        EXPECT_OK(cache_trim(top, 0, err));
        EXPECT(there("layers/nobodys") && !there("trimmed"));
        EXPECT_OK(cache_trim(top, room, err));
        EXPECT(there("layers/nobodys") && there("layers/old") && there("used/build-old") && there("trimmed"));
}

static void nothing_new_is_not_looked_through(void) {
        put("layers/nobodys/root/more"); // unseen, as no build does it
        put("layers/nobodys/root/even-more");
        EXPECT_OK(cache_trim(top, room, err));
        EXPECT(there("layers/nobodys"));
}

static void another_limit_or_an_entry_is_a_reason_to_look(void) {
        auto_free char *layers = xasprintf("%s/layers", top);
        struct timespec past[2] = { { .tv_sec = 1500000000 }, { .tv_sec = 1500000000 } };
        EXPECT_OK(cache_trim(top, room - 1, err));
        EXPECT(!there("layers/nobodys") && there("layers/old"));
        put("layers/nobodys/root/file");
        put("layers/nobodys/root/more");
        put("layers/nobodys/root/even-more");
        EXPECT(utimensat(AT_FDCWD, layers, past, 0) == 0); // a clock that went backwards
        EXPECT_OK(cache_trim(top, room - 1, err));
        EXPECT(!there("layers/nobodys") && there("layers/old"));
        put("layers/nobodys/root/file");
}

static void hard_links_count_once(void) {
        put("layers/linked/root/file");
        auto_free char *file = xasprintf("%s/layers/linked/root/file", top);
        for (int i = 0; i < 4; i++) {
                auto_free char *name = xasprintf("%s-%d", file, i);
                EXPECT(link(file, name) == 0);
        }
        EXPECT_OK(cache_trim(top, (uint64_t)6 * ENTRY_BYTES, err)); // they would be nine
        EXPECT(there("layers/linked") && there("layers/nobodys"));
        EXPECT_OK(fs_remove_tree(AT_FDCWD, file, err));
}

static void who_is_at_work_is_left_alone(void) {
        struct cache *cache = NULL;
        put("layers/another/root/file");
        EXPECT_OK(cache_open(top, &cache, err));
        EXPECT_OK(cache_trim(top, 1, err));
        EXPECT(there("layers/nobodys"));
        cache_close(cache);
}

static void the_least_recently_used_goes_first(void) {
        EXPECT_OK(cache_trim(top, KEPT_SHARE, err));
        EXPECT(!there("layers/nobodys") && !there("layers/another") && !there("layers/old") &&
               !there("used/build-old"));
        EXPECT(there("layers/shared") && there("layers/new") && there("used/build-new"));
}

static void the_newest_build_stays_whatever_its_size(void) {
        put("layers/late/root/file");
        EXPECT_OK(cache_trim(top, 1, err));
        EXPECT(there("layers/shared") && there("layers/new") && !there("layers/late"));
}

// Records of a clock that was years ahead do not outlive the build that was just made.
static void the_newest_is_not_the_clocks(void) {
        put("layers/late/root/file");
        record("late", "late", "late", 0);
        record("ahead", "shared", "new", -3000000000);
        EXPECT_OK(cache_trim(top, 2 * ENTRY_BYTES - 1, err));
        EXPECT(!there("layers/late"));
        put("layers/late/root/file");
        struct cache *cache = NULL;
        EXPECT_OK(cache_open(top, &cache, err));
        use(cache, CACHE_LAYERS, "late");
        EXPECT_OK(cache_record(cache, "build", err, "late"));
        cache_close(cache);
        EXPECT_OK(cache_trim(top, 2 * ENTRY_BYTES - 1, err));
        EXPECT(there("layers/late") && !there("layers/new"));
}

// ---- whose it is ----

static void expect_refused(const char *cache, const char *name) {
        auto_err error = { 0 }, pruned = { 0 };
        struct cache *opened = NULL;
        struct cache_total removed;
        EXPECT(!cache_open(cache, &opened, &error) && !cache_prune(cache, 1, false, &removed, &pruned));
        EXPECT(error.kind == ERR_SYSTEM && error.text && strstr(error.text, name) && error.hint);
        EXPECT(pruned.kind == ERR_SYSTEM && pruned.text && strstr(pruned.text, name) && pruned.hint);
}

static void make_shared(const char *cache, const char *name) {
        auto_free char *path = xasprintf("%s/%s", cache, name);
        EXPECT_OK(fs_mkdirs(AT_FDCWD, path, 0777, err));
        expect_refused(cache, path);
        EXPECT(rmdir(path) == 0);
}

// A prune would have removed what lies there.
static void make_link(const char *cache, const char *name) {
        auto_free char *path = xasprintf("%s/%s", cache, name);
        EXPECT(symlink("../victim", path) == 0);
        expect_refused(cache, path);
        EXPECT(there("victim/build-x") && unlink(path) == 0);
}

static void what_others_may_write_is_no_cache(void) {
        auto_free char *cache = xasprintf("%s/shared", top);
        struct cache *opened = NULL;
        put("victim/build-x");
        put("shared/file");
        for (int kind = 0; kind < CACHE_KIND_COUNT; kind++) {
                make_shared(cache, cache_kinds[kind].name);
                make_link(cache, cache_kinds[kind].name);
        }
        make_shared(cache, "used");
        make_link(cache, "used");
        make_shared(cache, "mounts");
        EXPECT_OK(cache_open(cache, &opened, err));
        cache_close(opened);
        EXPECT(chmod(cache, 0777) == 0);
        expect_refused(cache, cache);
        EXPECT_OK(fs_remove_tree(AT_FDCWD, cache, err));
}

// ---- what is noted ----

// Of every kind, so that none can be forgotten: an entry that a build opened, and one that it did not.
static void what_was_opened_is_not_pruned(void) {
        struct cache *cache = NULL;
        EXPECT_OK(cache_open(top, &cache, err));
        for (int kind = 0; kind < CACHE_KIND_COUNT; kind++) {
                auto_free char *opened = xasprintf("%s/opened/repomd.xml", cache_kinds[kind].name);
                auto_free char *other = xasprintf("%s/other/repomd.xml", cache_kinds[kind].name);
                put(opened);
                put(other);
                use(cache, kind, "opened");
        }
        EXPECT_OK(cache_record(cache, "build", err, "of-all"));
        cache_close(cache);
        struct cache_total removed;
        EXPECT_OK(cache_prune(top, 1, false, &removed, err));
        for (int kind = 0; kind < CACHE_KIND_COUNT; kind++) {
                auto_free char *opened = xasprintf("%s/opened/repomd.xml", cache_kinds[kind].name);
                auto_free char *other = xasprintf("%s/other", cache_kinds[kind].name);
                EXPECT(there(opened));
                EXPECT(!there(other));
        }
}

#define TODAY "0123456789abcdef"
#define YESTERDAY "fedcba9876543210"

// A build that found nothing to do needs what it needed the first time, but today's metadata.
static void a_renewed_record_names_todays_parts(void) {
        struct cache *cache = NULL;
        put("layers/first/root/file");
        EXPECT_OK(cache_open(top, &cache, err));
        use(cache, CACHE_LAYERS, "first");
        use(cache, CACHE_REPOS, "repository");
        cache_note_part(cache, CACHE_REPOS, "repository", YESTERDAY);
        EXPECT_OK(cache_record(cache, "build", err, "parts"));
        cache_close(cache);
        put("repos/repository/" YESTERDAY "-primary.xml.gz");
        put("repos/repository/" TODAY "-primary.xml.gz");
        put("repos/repository/newest");
        EXPECT_OK(cache_open(top, &cache, err));
        use(cache, CACHE_REPOS, "repository");
        cache_note_part(cache, CACHE_REPOS, "repository", TODAY);
        EXPECT_OK(cache_renew_record(cache, "build", err, "parts"));
        cache_close(cache);
        struct cache_total removed;
        EXPECT_OK(cache_prune(top, 1, false, &removed, err));
        EXPECT(there("layers/first") && there("repos/repository/newest"));
        EXPECT(there("repos/repository/" TODAY "-primary.xml.gz"));
        EXPECT(!there("repos/repository/" YESTERDAY "-primary.xml.gz"));
}

static void without_a_record_nothing_is_renewed(void) {
        struct cache *cache = NULL;
        EXPECT_OK(cache_open(top, &cache, err));
        use(cache, CACHE_LAYERS, "first");
        EXPECT_OK(cache_renew_record(cache, "build", err, "of/nobody"));
        EXPECT(!there("used/build-of_nobody"));
        EXPECT_OK(cache_record(cache, "build", err, "of/nobody"));
        EXPECT(there("used/build-of_nobody"));
        cache_close(cache);
}

int main(void) {
        if (!mkdtemp(top))
                return 1;
        RUN(no_limit_and_room_enough_leave_everything);
        RUN(nothing_new_is_not_looked_through);
        RUN(another_limit_or_an_entry_is_a_reason_to_look);
        RUN(hard_links_count_once);
        RUN(who_is_at_work_is_left_alone);
        RUN(the_least_recently_used_goes_first);
        RUN(the_newest_build_stays_whatever_its_size);
        RUN(the_newest_is_not_the_clocks);
        EXPECT_OK(fs_remove_tree(AT_FDCWD, top, err));
        RUN(what_others_may_write_is_no_cache);
        RUN(what_was_opened_is_not_pruned);
        RUN(a_renewed_record_names_todays_parts);
        RUN(without_a_record_nothing_is_renewed);
        EXPECT_OK(fs_remove_tree(AT_FDCWD, top, err));
        return test_done();
}
