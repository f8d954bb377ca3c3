// SPDX-License-Identifier: MIT
// Which directory is a rack's: what lies in it is removed when one is started there.
#include "rack/rack_place.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/test.h"

static char top[] = "/tmp/kiln-place.XXXXXX";

static void put(const char *name) {
        auto_free char *path = xasprintf("%s/%s", top, name);
        EXPECT_OK(fs_mkdirs_for(AT_FDCWD, path, 0700, err) && fs_write(AT_FDCWD, path, "x", 1, 0600, err));
}

static bool is_there(const char *name) {
        auto_free char *path = xasprintf("%s/%s", top, name);
        return fs_exists(AT_FDCWD, path);
}

// Takes a directory below `top` for a rack, and lets it go.
static bool take_state(const char *name, struct err *err) {
        auto_free char *state = xasprintf("%s/%s", top, name);
        struct virtual_rack_name where = { .state = state };
        struct rack_place place = { .dir = -1, .lock = -1 };
        bool ok = rack_place_open(&where, &place, err) && rack_place_take(&place, err);
        rack_place_release(&place);
        return ok;
}

static void expect_refused(const char *name, const char *why) {
        auto_err err = { 0 };
        EXPECT(!take_state(name, &err));
        EXPECT(err.text && strstr(err.text, why) != NULL);
}

static void a_new_one_is_made_and_taken_again(void) {
        EXPECT_OK(take_state("new/one", err));
        EXPECT(is_there("new/one/rack.lock"));
        EXPECT_OK(take_state("new/one", err));
}

static void what_a_rack_has_left_is_removed(void) {
        static const char *const left[] = { "used/control",    "used/log",         "used/serve.log",
                                            "used/serve/lock", "used/n0.console",  "used/n0.log",
                                            "used/n0.qemu",    "used/n0.attached", "used/n0.control" };
        put("used/rack.lock");
        put("used/journal");
        for (size_t i = 0; i < lengthof(left); i++)
                put(left[i]);
        EXPECT_OK(take_state("used", err));
        for (size_t i = 0; i < lengthof(left); i++)
                EXPECT(!is_there(left[i]));
        EXPECT(is_there("used/journal"));
}

// kiln serve's state and kiln's cache have a `lock`, too.
static void what_is_another_s_is_refused_and_stays(void) {
        put("serve/lock");
        put("serve/journal");
        put("cache/lock");
        put("cache/cas/entry");
        put("mixed/rack.lock");
        put("mixed/n0.log");
        put("mixed/letter");
        expect_refused("serve", "is no directory of a rack");
        expect_refused("cache", "is no directory of a rack");
        expect_refused("mixed", "there is letter in it");
        EXPECT(is_there("serve/journal") && is_there("cache/cas/entry"));
        EXPECT(is_there("mixed/letter") && is_there("mixed/n0.log"));
}

// Below $XDG_RUNTIME_DIR as below /tmp, where others may have been first.
static void each_level_is_the_users_own_and_no_link(void) {
        static const char *const levels[] = { "kiln", "kiln/rack", "kiln/rack/tiny" };
        struct virtual_rack_name named = { .name = "tiny" }, any = { 0 };
        for (size_t i = 0; i < lengthof(levels); i++) {
                auto_free char *runtime = xasprintf("%s/run%zu", top, i), *away = xasprintf("%s/away%zu", top, i),
                               *link = xasprintf("%s/%s", runtime, levels[i]);
                struct rack_place place = { .dir = -1, .lock = -1 };
                bool found = false;
                setenv("XDG_RUNTIME_DIR", runtime, 1);
                EXPECT_OK(fs_mkdirs_for(AT_FDCWD, link, 0700, err) && fs_mkdirs(AT_FDCWD, away, 0700, err));
                EXPECT(symlink(away, link) == 0);
                auto_err not_made = { 0 }, not_named = { 0 }, not_searched = { 0 };
                EXPECT(!rack_place_open(&named, &place, &not_made));
                EXPECT(not_made.text && strstr(not_made.text, "is a link") != NULL);
                EXPECT(!rack_place_find(&named, &place, &found, &not_named));
                EXPECT(!rack_place_find(&any, &place, &found, &not_searched));
                EXPECT(rmdir(away) == 0); // nothing was made in it
        }
}

static void one_that_is_up_is_found(void) {
        struct virtual_rack_name named = { .name = "tiny" }, any = { 0 };
        struct rack_place up = { .dir = -1, .lock = -1 }, place = { .dir = -1, .lock = -1 };
        auto_free char *runtime = xasprintf("%s/runtime", top);
        bool found = true;
        setenv("XDG_RUNTIME_DIR", runtime, 1);
        EXPECT_OK(rack_place_find(&named, &place, &found, err));
        EXPECT(!found);
        EXPECT_OK(rack_place_find(&any, &place, &found, err));
        EXPECT(!found);
        EXPECT_OK(rack_place_open(&named, &up, err) && rack_place_take(&up, err));
        EXPECT_OK(rack_place_find(&named, &place, &found, err));
        EXPECT(found);
        rack_place_release(&place);
        EXPECT_OK(rack_place_find(&any, &place, &found, err));
        EXPECT(found && strcmp(place.path, up.path) == 0);
        rack_place_release(&place);
        rack_place_release(&up);
        EXPECT_OK(rack_place_find(&named, &place, &found, err));
        EXPECT(!found);
}

int main(void) {
        EXPECT(mkdtemp(top) != NULL);
        RUN(a_new_one_is_made_and_taken_again);
        RUN(what_a_rack_has_left_is_removed);
        RUN(what_is_another_s_is_refused_and_stays);
        RUN(each_level_is_the_users_own_and_no_link);
        RUN(one_that_is_up_is_found);
        EXPECT_OK(fs_remove_tree(AT_FDCWD, top, err));
        return test_done();
}
