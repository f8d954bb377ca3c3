// SPDX-License-Identifier: MIT
// Files of the cache that rot with their size and time kept, entries that were copied or linked, and published files
// that become others while the build goes on.
#include "cache/cached_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artefact/cached_artefact.h"
#include "artefact/file_sums.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "tests/unit/open_cache.h"
#include "tests/unit/test.h"

#define KERNEL "the kernel of a few bytes"

static char top[] = "/tmp/kiln-cached-XXXXXX";
static int top_fd = -1;
static unsigned times_made;

static bool make_kernel(int dir, void *context, struct err *err) {
        (void)context;
        times_made++;
        return fs_write(dir, "vmlinuz", KERNEL, strlen(KERNEL), 0444, err) && fs_write(dir, "list", "[]", 2, 0644, err);
}

static struct cache *cache_of_test(void) {
        auto_free char *path = xasprintf("%s/cache", top);
        return open_cache(path);
}

// How often it was made until now.
static unsigned obtain(const char *key) {
        struct cached_file cached = { 0 };
        char sha256[DIGEST_HEX_SIZE];
        digest_bytes("sha256", KERNEL, strlen(KERNEL), sha256);
        times_made = 0;
        EXPECT_OK(cached_file_obtain(cache_of_test(), CACHE_KERNEL, key, "vmlinuz", make_kernel, NULL, &cached, err));
        EXPECT_TEXT(cached.sha256, sha256);
        EXPECT(cached.size_bytes == strlen(KERNEL));
        return times_made;
}

static char *path_of(const char *key, const char *name) { return xasprintf("%s/cache/kernel/%s/%s", top, key, name); }

// As what a disk or a hand does that sets the time back.
static void flip(const char *path) {
        struct stat stat_;
        auto_close int fd = open(path, O_RDWR | O_CLOEXEC);
        char byte;
        EXPECT(fd >= 0 && fstat(fd, &stat_) == 0 && pread(fd, &byte, 1, 0) == 1);
        byte ^= 1;
        const struct timespec times[2] = { stat_.st_atim, stat_.st_mtim };
        EXPECT(pwrite(fd, &byte, 1, 0) == 1 && futimens(fd, times) == 0);
}

static void set_apart_in_time(void) { usleep(20000); } // change times have the grain of the clock's tick

static void a_flipped_byte_is_seen_though_size_and_time_are_kept(void) {
        auto_free char *kernel = path_of("flipped", "vmlinuz"), *list = path_of("flipped", "list");
        EXPECT(obtain("flipped") == 1 && obtain("flipped") == 0);
        set_apart_in_time();
        flip(kernel);
        EXPECT(!cached_file_is_whole(cache_of_test(), CACHE_KERNEL, "flipped"));
        EXPECT(obtain("flipped") == 1 && obtain("flipped") == 0);
        set_apart_in_time();
        flip(list); // beside it
        EXPECT(obtain("flipped") == 1);
}

static struct stat places_of(const char *key) {
        auto_free char *places = path_of(key, "place.json");
        struct stat status = { 0 };
        EXPECT(stat(places, &status) == 0);
        return status;
}

static void a_copy_is_whole_and_read_once(void) {
        EXPECT(obtain("archived") == 1);
        auto_free char *script = xasprintf("cd %s/cache/kernel && cp -r archived copy && rm -r archived && "
                                           "mv copy archived",
                                           top);
        EXPECT_OK(run_command(err, "sh", "-c", script, NULL));
        struct stat before = places_of("archived");
        EXPECT(cached_file_is_whole(cache_of_test(), CACHE_KERNEL, "archived"));
        EXPECT(obtain("archived") == 0);
        struct stat noted = places_of("archived");
        EXPECT(noted.st_ino != before.st_ino);
        EXPECT(obtain("archived") == 0);
        EXPECT(places_of("archived").st_ino == noted.st_ino);
        auto_free char *kernel = path_of("archived", "vmlinuz");
        flip(kernel);
        EXPECT(obtain("archived") == 1);
}

// A power failure may have left it so: it was not synced.
static void without_its_place_an_entry_is_read_once(void) {
        static const char *const texts[] = { "", "{", "[]", "{}", "{\"vmlinuz\":1}" };
        auto_free char *places = path_of("placed", "place.json");
        EXPECT(obtain("placed") == 1);
        for (size_t i = 0; i < lengthof(texts); i++) {
                EXPECT_OK(fs_write_atomic(AT_FDCWD, places, texts[i], strlen(texts[i]), 0644, err));
                EXPECT(obtain("placed") == 0);
                EXPECT_OK(run_command(err, "grep", "-q", "\"vmlinuz\":{\"ctime_ns\":[1-9]", places, NULL));
        }
        EXPECT(unlink(places) == 0 && obtain("placed") == 0);
}

static void damaged_descriptions_are_made_again(void) {
        static const char *const texts[] = {
                "", "{", "[]", "{}", "{\"vmlinuz\":1}", "{\"vmlinuz\":{\"sha256\":\"x\"}}"
        };
        auto_free char *info = path_of("described", "info.json");
        EXPECT(obtain("described") == 1);
        for (size_t i = 0; i < lengthof(texts); i++) {
                EXPECT_OK(fs_write_atomic(AT_FDCWD, info, texts[i], strlen(texts[i]), 0644, err));
                EXPECT(!cached_file_is_whole(cache_of_test(), CACHE_KERNEL, "described"));
                EXPECT(obtain("described") == 1);
        }
        EXPECT(!cached_file_is_whole(cache_of_test(), CACHE_KERNEL, "absent"));
}

// ---- published ----

struct publishing {
        struct role role;
        struct artefact_build build;
        struct artefact_role artefact;
};

static void begin(struct publishing *publishing, const char *name) {
        *publishing = (struct publishing){ .role = { .name = "master" } };
        publishing->build =
            (struct artefact_build){ .cache = cache_of_test(), .sums = file_sums_new(), .out = -1, .jobs = 1 };
        publishing->artefact = (struct artefact_role){ .role = &publishing->role, .out = -1 };
        EXPECT(mkdirat(top_fd, name, 0755) == 0);
        EXPECT_OK(fs_open_dir(top_fd, name, &publishing->build.out, err));
        publishing->artefact.out = publishing->build.out;
}

static void publish(struct publishing *publishing, const char *key) {
        const struct cached_artefact kernel = { CACHE_KERNEL, key, "vmlinuz", make_kernel, NULL };
        struct cached_file cached;
        EXPECT_OK(cached_artefact_publish(&publishing->build, &publishing->artefact, &kernel, &cached, err));
}

static void end(struct publishing *publishing) {
        file_sums_free(publishing->build.sums);
        close(publishing->build.out);
}

static void links_of_ones_own_are_no_reason_to_read_again(void) {
        struct publishing publishing;
        begin(&publishing, "linked");
        publish(&publishing, "linked");
        EXPECT_OK(
            file_sums_link(publishing.build.sums, publishing.build.out, "vmlinuz", publishing.build.out, "again", err));
        file_sums_settle(publishing.build.sums, publishing.build.cache);
        struct stat settled = places_of("linked");
        EXPECT(obtain("linked") == 0);
        EXPECT(places_of("linked").st_ino == settled.st_ino); // it was not written again, so nothing was read
        end(&publishing);
}

static void what_changed_while_it_was_published_is_no_build(void) {
        struct publishing publishing;
        struct published_list list = { 0 };
        auto_err failure = { 0 };
        auto_free char *published = xasprintf("%s/changed/vmlinuz", top);
        begin(&publishing, "changed");
        publish(&publishing, "changed");
        EXPECT_OK(
            file_sums_link(publishing.build.sums, publishing.build.out, "vmlinuz", publishing.build.out, "again", err));
        EXPECT_OK(file_sums_list(&publishing.build, &list, err));
        EXPECT(list.count == 2);
        published_list_release(&list);
        set_apart_in_time();
        flip(published);
        EXPECT(!file_sums_list(&publishing.build, &list, &failure));
        EXPECT(failure.kind == ERR_CORRUPT && strstr(failure.text, "changed after it was written") && failure.hint);
        file_sums_settle(publishing.build.sums, publishing.build.cache);
        EXPECT(obtain("changed") == 1); // the damage was not noted as the new place
        end(&publishing);
}

int main(void) {
        auto_err failure = { 0 };
        if (!mkdtemp(top) || (top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
                printf("Bail out! %s\n", strerror(errno));
                return 1;
        }
        RUN(a_flipped_byte_is_seen_though_size_and_time_are_kept);
        RUN(a_copy_is_whole_and_read_once);
        RUN(without_its_place_an_entry_is_read_once);
        RUN(damaged_descriptions_are_made_again);
        RUN(links_of_ones_own_are_no_reason_to_read_again);
        RUN(what_changed_while_it_was_published_is_no_build);
        int failed = test_done();
        (void)!fs_remove_tree(AT_FDCWD, top, &failure);
        return failed;
}
