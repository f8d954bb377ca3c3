// SPDX-License-Identifier: MIT
#include "serve/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"

#define JOURNAL_NAME "journal"
#define JOURNAL_LOCK "lock"

enum { JOURNAL_MAX = 1 << 30, JOURNAL_LONG = 64 << 20, SYNC_MS = 1000, RETRY_MS = 60000 };

// ---- reading ----

// Applies whole lines; the number of bytes that they are.
static size_t replay(struct boot_state *state, const char *text, size_t size) {
        size_t at = 0;
        for (const char *newline; (newline = memchr(text + at, '\n', size - at)); at = (size_t)(newline - text) + 1) {
                struct boot_event event;
                if (boot_event_parse(text + at, (size_t)(newline - text) - at, &event))
                        (void)boot_state_apply(state, &event);
        }
        return at;
}

bool journal_lock(int dir, struct err *err) {
        // Held until the process ends; the journal itself is replaced when it is written anew.
        int fd = openat(dir, JOURNAL_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open the journal's lock");
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                return true;
        close(fd);
        fail(err, ERR_LOCKED, 0, "another kiln serve has this state directory");
        return hint(err, "--state gives another one");
}

static bool open_for_append(int dir, int *ret, struct err *err) {
        int fd = openat(dir, JOURNAL_NAME, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open the journal");
        *ret = fd;
        return true;
}

// ---- writing ----

static void journal_line(const struct boot_event *event, void *context) {
        struct buf *text = context;
        boot_event_format(event, text);
        buf_append_char(text, '\n');
}

static bool journal_compact(struct journal *journal, const struct boot_state *state, struct err *err) {
        assert(journal && state);
        auto_buf text = { .max = JOURNAL_MAX };
        int fd = -1;
        boot_state_each_event(state, journal_line, &text);
        if (!fs_write_atomic(journal->dir, JOURNAL_NAME, buf_text(&text), text.size, 0600, err) ||
            !open_for_append(journal->dir, &fd, err))
                return wrap(err, "the journal");
        close_cleanup(&journal->fd);
        journal->fd = fd;
        journal->size_bytes = journal->compact_bytes = text.size;
        journal->is_dirty = journal->is_stale = journal->is_stuck = false;
        journal->retry_ms = 0;
        return true;
}

bool journal_open(int dir, struct boot_state *state, struct journal *ret, struct err *err) {
        assert(dir >= 0 && state && ret);
        struct journal journal = { .dir = dir, .fd = -1 };
        auto_buf text = { .max = JOURNAL_MAX };
        if (fs_exists(dir, JOURNAL_NAME) && !fs_read(dir, JOURNAL_NAME, &text, err))
                return wrap(err, "the journal");
        if (text.size > 0)
                (void)replay(state, text.data, text.size);
        if (!journal_compact(&journal, state, err))
                return false;
        *ret = journal;
        return true;
}

// A large rack's is long when it has just been written.
static bool journal_is_long(const struct journal *journal) {
        return journal->size_bytes > JOURNAL_LONG && journal->size_bytes > 2 * journal->compact_bytes;
}

void journal_tick(struct journal *journal, const struct boot_state *state, int64_t now_ms) {
        assert(journal && state);
        auto_err err = { 0 };
        bool is_wanted = journal->is_stale || journal_is_long(journal);
        if (!is_wanted || now_ms < journal->retry_ms)
                return;
        if (journal_compact(journal, state, &err)) {
                if (journal->has_failed) // to append, which may go on while there is room for this
                        journal->retry_ms = now_ms + RETRY_MS;
                return;
        }
        if (!journal->is_stuck)
                warning("the journal cannot be written anew, which is tried again each minute: %s", err.text);
        journal->is_stuck = true;
        journal->is_stale = true; // also where it was written, and could not be opened
        journal->retry_ms = now_ms + RETRY_MS;
}

// One write a line: a process that dies leaves whole lines.
void journal_append(struct journal *journal, const struct boot_event *event) {
        assert(journal && event);
        auto_buf text = { 0 };
        if (journal->fd < 0)
                return;
        if (journal->has_failed)
                buf_append_char(&text, '\n'); // part of a line may stand there
        journal_line(event, &text);
        auto_err err = { 0 };
        if (fs_write_all(journal->fd, text.data, text.size, &err)) {
                journal->has_failed = false;
                journal->size_bytes += text.size;
                journal->is_dirty = true;
                return;
        }
        if (!journal->has_failed)
                warning("the journal cannot be written, and goes on without what happens now: %s", err.text);
        journal->has_failed = true;
        journal->is_stale = true; // the state knows what is missing
}

int journal_unsynced(struct journal *journal, int64_t now_ms) {
        assert(journal);
        if (!journal->is_dirty || now_ms - journal->synced_ms < SYNC_MS)
                return -1;
        int fd = fcntl(journal->fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
                return -1; // the next time
        journal->is_dirty = false;
        journal->synced_ms = now_ms;
        return fd;
}

void journal_close(struct journal *journal, const struct boot_state *state) {
        auto_err err = { 0 };
        bool is_open = journal->fd >= 0;
        if (is_open && !journal_compact(journal, state, &err))
                warning("%s", err.text);
        if (journal->fd >= 0 && journal->is_dirty)
                (void)fdatasync(journal->fd);
        close_cleanup(&journal->fd);
        close_cleanup(&journal->dir);
        journal->fd = journal->dir = -1;
}
