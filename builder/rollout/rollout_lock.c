// SPDX-License-Identifier: MIT
#include "rollout/rollout_lock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "base/progress.h"

enum { LOCK_BYTES_MAX = 1 << 20, HOST_BYTES = 256 };

static void host_name(char host[HOST_BYTES]) {
        if (gethostname(host, HOST_BYTES) != 0)
                host[0] = '\0';
        host[HOST_BYTES - 1] = '\0';
}

static const char *owner_name(void) {
        const struct passwd *entry = getpwuid(geteuid());
        if (entry)
                return entry->pw_name;
        return "?";
}

// What its owner wrote; an empty object if nobody has it.
static bool read_owner(int fd, json_t **ret, struct err *err) {
        auto_buf text = { .max = LOCK_BYTES_MAX };
        if (lseek(fd, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "read the rollout's lock");
        if (!buf_read_fd(&text, fd, err))
                return wrap(err, "the rollout's lock");
        json_t *owner = NULL;
        if (text.size > 0)
                owner = json_loadb(buf_text(&text), text.size, 0, NULL);
        if (!owner)
                owner = json_object();
        *ret = owner;
        return true;
}

static bool write_owner(int fd, struct err *err) {
        char host[HOST_BYTES];
        host_name(host);
        json_t *owner = json_pack("{ss ss sI sI}", "owner", owner_name(), "host", host, "pid", (json_int_t)getpid(),
                                  "since", (json_int_t)time(NULL));
        auto_free char *text = json_dumps(owner, JSON_COMPACT);
        json_decref(owner);
        auto_buf line = { 0 };
        buf_printf(&line, "%s\n", text_or(text, "{}"));
        if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "write the rollout's lock");
        if (!fs_write_all(fd, line.data, line.size, err))
                return wrap(err, "the rollout's lock");
        return fsync(fd) == 0 || fail(err, ERR_SYSTEM, errno, "write the rollout's lock");
}

static bool refuse_owner(const json_t *owner, bool lives, struct err *err) {
        json_int_t age_s = (json_int_t)time(NULL) - member_number(owner, "since");
        fail(err, ERR_LOCKED, 0, "a rollout of this cluster is %s's, process %jd on %s, since %jd min",
             member_text(owner, "owner"), (intmax_t)member_number(owner, "pid"), member_text(owner, "host"),
             (intmax_t)(age_s / 60));
        if (lives)
                return hint(err, "it is running: wait for it, or end it there");
        return hint(err, "ask there whether it runs; --take-lock takes it");
}

static bool take_free(int fd, bool take, struct err *err) {
        char host[HOST_BYTES];
        json_t *owner = NULL;
        host_name(host);
        if (!read_owner(fd, &owner, err))
                return false;
        bool is_left = json_object_size(owner) > 0;
        bool is_ours = strcmp(member_text(owner, "host"), host) == 0;
        bool ok = true;
        if (is_left && !is_ours && !take)
                ok = refuse_owner(owner, false, err);
        else if (is_left)
                notice("the lock of %s, process %jd on %s, is taken", member_text(owner, "owner"),
                       (intmax_t)member_number(owner, "pid"), member_text(owner, "host"));
        json_decref(owner);
        return ok && write_owner(fd, err);
}

// The owner was killed, and what it had just begun to start has the lock until it is another program.
static bool owner_is_gone(int fd) {
        char host[HOST_BYTES];
        json_t *owner = NULL;
        auto_err unreadable = { 0 };
        host_name(host);
        if (!read_owner(fd, &owner, &unreadable))
                return false;
        pid_t pid = (pid_t)member_number(owner, "pid");
        bool is_ours = strcmp(member_text(owner, "host"), host) == 0;
        json_decref(owner);
        return is_ours && pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
}

static bool lock_soon(int fd) {
        enum { TRIES = 100 };
        const struct timespec nap = { .tv_nsec = 50 * 1000 * 1000 };
        for (unsigned i = 0; i < TRIES; i++) {
                if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                        return true;
                if (errno != EWOULDBLOCK || !owner_is_gone(fd))
                        break;
                (void)nanosleep(&nap, NULL);
        }
        return flock(fd, LOCK_EX | LOCK_NB) == 0; // once more, for errno
}

bool rollout_lock_take(int dir, bool take, struct rollout_lock *ret, struct err *err) {
        assert(dir >= 0 && ret);
        auto_close int fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open the rollout's lock");
        if (!lock_soon(fd)) {
                json_t *owner = NULL;
                if (errno != EWOULDBLOCK)
                        return fail(err, ERR_SYSTEM, errno, "take the rollout's lock");
                if (!read_owner(fd, &owner, err))
                        return false;
                refuse_owner(owner, true, err);
                json_decref(owner);
                return false;
        }
        if (!take_free(fd, take, err))
                return false;
        ret->fd = take_fd(fd);
        return true;
}

void rollout_lock_release(struct rollout_lock *lock, bool keep_owner) {
        if (lock->fd < 0)
                return;
        if (!keep_owner)
                (void)!ftruncate(lock->fd, 0);
        close(lock->fd);
        lock->fd = -1;
}
