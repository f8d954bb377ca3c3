// SPDX-License-Identifier: MIT
#include "firmware/node/state/state_serial.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "firmware/node/root/beneath.h"
#include "firmware/node/root/root.h"
#include "firmware/node/state/state.h"

#define OWN_DIRECTORY STATE_MOUNT "/kiln"
#define NAME "serial"

enum { TEXT_MAX = 64 << 10 };

// Digits and a newline, nothing else.
static bool parse_serial(const char *text, uint64_t *ret) {
        char *end;
        if (!isdigit((unsigned char)*text))
                return false;
        errno = 0;
        *ret = strtoull(text, &end, 10);
        return strcmp(end, "\n") == 0 && errno == 0;
}

// The serial that was signed with the build that boots. `*ret_signed` false: there is none.
static bool read_build(int root, uint64_t *ret, bool *ret_signed, struct err *err) {
        static const char key[] = "signed_serial=";
        auto_buf text = { .max = TEXT_MAX };
        bool found;
        *ret_signed = false;
        if (!root_read(root, STATE_SIGNED, &text, &found, err))
                return false;
        if (!found)
                return true;
        const char *line = strstr(buf_text(&text), key);
        if (!line)
                return true;
        *ret_signed = true;
        return parse_serial(line + strlen(key), ret) || fail(err, ERR_SYNTAX, 0, STATE_SIGNED " is not understood");
}

// 0 where nothing was seen.
static bool read_highest(int root, uint64_t *ret, struct err *err) {
        auto_close int dir = -1;
        auto_buf text = { .max = TEXT_MAX };
        bool found;
        *ret = 0;
        if (!beneath_open_directory(root, OWN_DIRECTORY, false, &dir, err)) {
                if (err->number != ENOENT)
                        return false;
                err_release(err);
                return true;
        }
        if (!beneath_read(dir, NAME, &text, &found, err))
                return wrap(err, OWN_DIRECTORY);
        return !found || parse_serial(buf_text(&text), ret) ||
               fail(err, ERR_SYNTAX, 0, OWN_DIRECTORY "/" NAME " is damaged: it holds no number");
}

static bool refuse_build(struct err *err) {
        return hint(err, "publish a build with a serial that is not lower (kiln build --serial); or allow this one: "
                         "kiln.allow_older in kiln.conf on a config drive, or typed at the console when it asks");
}

static bool check_against_disk(int root, uint64_t serial, struct err *err) {
        auto_err unread = { 0 };
        uint64_t highest;
        if (!read_highest(root, &highest, &unread)) {
                (void)fail(err, ERR_SIGNATURE, 0, "what builds the state disk has seen cannot be told: %s",
                           unread.text);
                return refuse_build(err);
        }
        if (serial >= highest)
                return true;
        (void)fail(err, ERR_SIGNATURE, 0, "this build has serial %llu, and the state disk has seen serial %llu",
                   (unsigned long long)serial, (unsigned long long)highest);
        return refuse_build(err);
}

// Whoever configures no keys boots what he likes; but one who did so before should know it.
static void note_unsigned(int root, struct buf *ret_note) {
        auto_err ignored = { 0 };
        uint64_t highest;
        if (read_highest(root, &highest, &ignored) && highest > 0)
                buf_printf(ret_note,
                           "this build is not signed, and the state disk has seen signed ones, up to serial %llu",
                           (unsigned long long)highest);
}

bool serial_check(int root, struct buf *ret_note, struct err *err) {
        assert(root >= 0 && ret_note);
        auto_err unread = { 0 };
        uint64_t serial;
        bool is_signed;
        if (!read_build(root, &serial, &is_signed, &unread)) {
                (void)fail(err, ERR_SIGNATURE, 0, "the serial of this build cannot be told: %s", unread.text);
                return refuse_build(err);
        }
        if (is_signed)
                return check_against_disk(root, serial, err);
        note_unsigned(root, ret_note);
        return true;
}

static bool write_highest(int root, uint64_t serial, struct err *err) {
        auto_close int dir = -1;
        auto_buf text = { 0 };
        bool changed;
        buf_printf(&text, "%llu\n", (unsigned long long)serial);
        return beneath_open_directory(root, OWN_DIRECTORY, false, &dir, err) &&
               root_write(dir, &(struct root_file){ NAME, buf_text(&text), text.size, 0644, 0, 0 }, &changed, err) &&
               (fsync(dir) == 0 || fail(err, ERR_SYSTEM, errno, "write out " OWN_DIRECTORY));
}

bool serial_save(int root, struct err *err) {
        assert(root >= 0);
        struct stat stat;
        auto_err damaged = { 0 };
        uint64_t serial, highest;
        bool is_signed;
        if (fstatat(root, &OWN_DIRECTORY[1], &stat, AT_SYMLINK_NOFOLLOW) < 0 ||
            fstatat(root, "run/kiln/refused", &stat, 0) == 0)
                return true;
        if (!read_build(root, &serial, &is_signed, err))
                return wrap(err, "remembering this build's serial");
        if (!is_signed || (read_highest(root, &highest, &damaged) && serial <= highest))
                return true;
        return write_highest(root, serial, err) || wrap(err, "remembering this build's serial on the state disk");
}
