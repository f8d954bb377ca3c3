// SPDX-License-Identifier: MIT
// The highest serial on the state disk: what is refused, what a damaged file means, and when it is written.
#include "firmware/node/state/state_serial.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/run.h"
#include "tests/unit/test.h"

static char top[] = "/tmp/kiln-serial-XXXXXX";
static int root = -1;

// A booted root with a state disk, and what the script adds to it.
static void machine(const char *script) {
        auto_free char *text =
            xasprintf("set -e; rm -rf %s/*; cd %s; mkdir -p run/kiln/state/kiln; %s", top, top, script);
        EXPECT_OK(run_command(err, "/bin/sh", "-c", text, NULL));
}

static void build(const char *serial) {
        auto_free char *text =
            xasprintf("printf 'signed=SHA256:x\\nsigned_serial=%s\\n' >%s/run/kiln/signed", serial, top);
        EXPECT_OK(run_command(err, "/bin/sh", "-c", text, NULL));
}

static bool is_refused(const char *why) {
        auto_err err = { 0 };
        auto_buf note = { 0 };
        if (serial_check(root, &note, &err))
                return false;
        bool right = err.kind == ERR_SIGNATURE && strstr(err.text, why) && err.hint && strstr(err.hint, "allow_older");
        if (!right)
                printf("# %s\n", err.text);
        return right;
}

static bool is_taken(const char *note_wanted) {
        auto_err err = { 0 };
        auto_buf note = { 0 };
        bool right =
            serial_check(root, &note, &err) && strstr(buf_text(&note), note_wanted) && (*note_wanted || note.size == 0);
        if (!right)
                printf("# \"%s\", %s\n", buf_text(&note), err.text ? err.text : "no error");
        return right;
}

static bool disk_holds(const char *text) {
        char path[128], found[64] = "";
        snprintf(path, sizeof path, "%s/run/kiln/state/kiln/serial", top);
        auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return !text;
        ssize_t got = read(fd, found, sizeof found - 1);
        return got >= 0 && text && strcmp(found, text) == 0;
}

static void refuses_what_is_older(void) {
        machine("echo 9 >run/kiln/state/kiln/serial");
        build("8");
        EXPECT(is_refused("serial 8, and the state disk has seen serial 9"));
        build("0");
        EXPECT(is_refused("serial 0"));
        build("9");
        EXPECT(is_taken(""));
        build("10");
        EXPECT(is_taken("")); // a number, not a text
        machine("echo 18446744073709551615 >run/kiln/state/kiln/serial");
        build("18446744073709551614");
        EXPECT(is_refused("has seen serial 18446744073709551615"));
}

static void a_fresh_disk_takes_any(void) {
        machine("true");
        build("0");
        EXPECT(is_taken(""));
        machine("rmdir run/kiln/state/kiln");
        build("7");
        EXPECT(is_taken(""));
}

static void an_unsigned_build_is_told_of_signed_ones(void) {
        machine("true");
        EXPECT(is_taken(""));
        machine("echo signed=unsigned >run/kiln/signed");
        EXPECT(is_taken(""));
        machine("echo signed=unsigned >run/kiln/signed; echo 9 >run/kiln/state/kiln/serial");
        EXPECT(is_taken("not signed, and the state disk has seen signed ones, up to serial 9"));
        machine("echo signed=unsigned >run/kiln/signed; echo rot >run/kiln/state/kiln/serial");
        EXPECT(is_taken(""));
}

// Nobody boots by a guess, and the operator's word mends it.
static void a_damaged_file_is_no_licence(void) {
        static const char *const scripts[] = {
                "true >serial",
                "printf 9 >serial",
                "echo -1 >serial",
                "echo +9 >serial",
                "echo ' 9' >serial",
                "echo 0x9 >serial",
                "echo 9 9 >serial",
                "printf '9\\n9\\n' >serial",
                "printf '9\\0\\n' >serial",
                "echo 18446744073709551616 >serial",
                "head -c 9000 /dev/zero >serial",
                "mkfifo serial",
                "mkdir serial",
                "echo 1 >../one; ln -s ../one serial",
        };
        for (size_t i = 0; i < lengthof(scripts); i++) {
                auto_free char *script = xasprintf("cd run/kiln/state/kiln; %s", scripts[i]);
                machine(script);
                build("9999");
                bool refused = is_refused("what builds the state disk has seen cannot be told");
                EXPECT(refused);
                if (!refused)
                        printf("# %s\n", scripts[i]);
        }
        machine("true >run/kiln/state/kiln/serial");
        build("nine");
        EXPECT(is_refused("the serial of this build cannot be told"));
        build("7");
        EXPECT_OK(serial_save(root, err)); // it came up: the operator allowed it
        EXPECT(disk_holds("7\n"));
        machine("echo 1 >run/kiln/state/one; ln -s ../one run/kiln/state/kiln/serial");
        build("7");
        EXPECT_OK(serial_save(root, err));
        EXPECT(disk_holds("7\n"));
}

static void only_what_came_up_is_remembered(void) {
        machine("true");
        build("7");
        EXPECT(is_taken("") && disk_holds(NULL)); // looking writes nothing
        machine("touch run/kiln/refused");
        build("7");
        EXPECT_OK(serial_save(root, err));
        EXPECT(disk_holds(NULL));
        machine("echo signed=unsigned >run/kiln/signed");
        EXPECT_OK(serial_save(root, err));
        EXPECT(disk_holds(NULL));
        machine("true");
        build("7");
        EXPECT_OK(serial_save(root, err));
        EXPECT(disk_holds("7\n"));
        build("12");
        EXPECT_OK(serial_save(root, err));
        EXPECT(disk_holds("12\n"));
        build("8"); // allowed for this boot: the way back stays closed
        EXPECT_OK(serial_save(root, err));
        EXPECT(disk_holds("12\n"));
        machine("rm -r run/kiln/state");
        build("7");
        EXPECT_OK(serial_save(root, err));
}

int main(void) {
        if (!mkdtemp(top))
                return 1;
        root = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        RUN(refuses_what_is_older);
        RUN(a_fresh_disk_takes_any);
        RUN(an_unsigned_build_is_told_of_signed_ones);
        RUN(a_damaged_file_is_no_licence);
        RUN(only_what_came_up_is_remembered);
        auto_err ignored = { 0 };
        (void)!run_command(&ignored, "rm", "-rf", top, NULL);
        return test_done();
}
