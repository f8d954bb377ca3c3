// SPDX-License-Identifier: MIT
#include "base/file_lock.h"

#include <assert.h>
#include <errno.h>
#include <sys/file.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/progress.h"

enum { POLL_FIRST_MS = 1, POLL_MS = 200 };

static void pause_ms(long ms) {
        const struct timespec pause = { .tv_nsec = ms * 1000000L };
        nanosleep(&pause, NULL);
}

// Polling, because a signal may interrupt another thread than the one that waits: soon at first, since roles that share
// an entry hold its lock for a millisecond only.
bool file_lock_wait(int fd, int how, const char *path, const char *waiting_for, struct err *err) {
        assert(how == LOCK_SH || how == LOCK_EX);
        long wait_ms = POLL_FIRST_MS;
        while (flock(fd, how | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return fail(err, ERR_SYSTEM, errno, "lock %s", path);
                if (waiting_for)
                        notice("waiting for another kiln that uses %s", waiting_for);
                waiting_for = NULL;
                if (!interrupt_check(err))
                        return false;
                pause_ms(wait_ms);
                wait_ms *= 2;
                if (wait_ms > POLL_MS)
                        wait_ms = POLL_MS;
        }
        return true;
}
