// SPDX-License-Identifier: MIT
// The container of a transaction, from outside. Four processes:
//
//   kiln        reads frames (progress, warnings, the error) from a pipe, watches for Ctrl-C and the time
//   guard       makes the namespaces; on SIGTERM, or when kiln dies, kills the container and waits for all of it
//   init        PID 1 of the container (container_init.c), this program executed anew
//   worker      runs the job with the target as its root; its mount namespace holds nothing else
//
// Init is executed, not only forked: scriptlets in Lua run inside of the worker, and every scriptlet may read what
// /proc shows of it. A fork would hold all that kiln knows (the environment, the other roles' secrets, passwords of
// mirrors), and its /proc/self/exe would be the host's kiln, which root's scriptlets could chmod(2).
#include "sandbox/container.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "sandbox/container_frames.h"

enum { POLL_MS = 200, READ_BYTES = 65536 };

// ---- the guard ----

static void default_signals(void) {
        static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD };
        sigset_t none;
        sigemptyset(&none);
        for (size_t i = 0; i < lengthof(numbers); i++)
                signal(numbers[i], SIG_DFL);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

// A tmpfs that is mounted nowhere.
static bool open_private_tmpfs(int *ret_fd, struct err *err) {
        auto_close int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
        int dir = -1;
        if (context >= 0 && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
                dir = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        if (dir < 0)
                return fail(err, ERR_SANDBOX, errno, "make a file system for the sandbox's init");
        *ret_fd = dir;
        return true;
}

// A copy of this program in memory, without a name: what a scriptlet does to init's /proc/1/exe cannot reach the host's
// kiln.
static bool open_copy(int *ret_fd, struct err *err) {
        auto_close int dir = -1;
        auto_close int from = -1;
        int to = -1;
        if (!open_private_tmpfs(&dir, err))
                return false;
        bool ok = fs_open(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0, &from, err) &&
                  fs_open(dir, CONTAINER_INIT_NAME, O_WRONLY | O_CREAT | O_EXCL, 0500, &to, err) &&
                  fs_copy_bytes(from, to, UINT64_MAX, err);
        close_cleanup(&to); // a file that is open for writing cannot be executed
        return ok && fs_open(dir, CONTAINER_INIT_NAME, O_RDONLY, 0, ret_fd, err);
}

// The environment is fixed, and scriptlets inherit it: nothing of the builder's own reaches them.
static bool execute_init(const struct container *container, struct err *err) {
        char epoch[48];
        snprintf(epoch, sizeof epoch, "SOURCE_DATE_EPOCH=%lld", (long long)container->source_date_epoch);
        char *const environment[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                      "HOME=/root",
                                      "LANG=C",
                                      "TERM=dumb",
                                      "SYSTEMD_OFFLINE=1",
                                      epoch,
                                      NULL };
        char *const arguments[] = { CONTAINER_INIT_NAME, NULL };
        auto_close int program = -1;
        if (!open_copy(&program, err))
                return false;
        for (int fd = CONTAINER_ROOT; fd <= CONTAINER_REQUEST; fd++)
                if (fcntl(fd, F_SETFD, 0) < 0)
                        return fail(err, ERR_SYSTEM, errno, "hand files to the sandbox's init");
        fexecve(program, arguments, environment);
        return fail(err, ERR_SANDBOX, errno, "execute the sandbox's init");
}

// In the child. `life` is at its end if the guard ended before its death could be asked for.
static _Noreturn void become_init(const struct container *container, int life, struct err *err) {
        struct container_channel channel = { CONTAINER_REPORT };
        struct pollfd poll_life = { life, POLLIN, 0 };
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (poll(&poll_life, 1, 0) != 0)
                _exit(1);
        close(life);
        default_signals();
        setsid(); // kill(0, ...) would reach the guard
        (void)execute_init(container, err);
        container_abort(&channel, err);
}

static bool start_init(const struct container *container, pid_t *ret_pid, struct err *err) {
        int life[2];
        if (pipe2(life, O_CLOEXEC) < 0)
                return fail(err, ERR_SYSTEM, errno, "make a pipe");
        pid_t child = fork();
        if (child < 0)
                return fail(err, ERR_SYSTEM, errno, "fork");
        if (child == 0) {
                close(life[1]);
                become_init(container, life[0], err);
        }
        close(life[0]); // and life[1] stays open as long as the guard lives
        *ret_pid = child;
        return true;
}

// Leaves the root, the report and the request open, and /dev/null as 0, 1 and 2. Everything else that kiln has open
// belongs to the host.
static bool close_inherited(int root, int report, int request) {
        const int kept[] = { root, report, request };
        int copies[lengthof(kept)], null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null < 0)
                return false;
        for (size_t i = 0; i < lengthof(kept); i++) { // out of the way of the numbers that they get
                copies[i] = fcntl(kept[i], F_DUPFD_CLOEXEC, 100);
                if (copies[i] < 0)
                        return false;
        }
        for (int fd = 0; fd < CONTAINER_ROOT; fd++)
                if (dup2(null, fd) < 0)
                        return false;
        for (size_t i = 0; i < lengthof(kept); i++)
                if (dup3(copies[i], CONTAINER_ROOT + (int)i, O_CLOEXEC) < 0)
                        return false;
        return close_range(CONTAINER_REQUEST + 1, ~0U, 0) == 0;
}

static bool make_namespaces(struct err *err) {
        if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP) == 0 &&
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
                return true;
        if (errno != ENOSPC)
                return fail(err, ERR_SANDBOX, errno, "make the namespaces of the sandbox");
        fail(err, ERR_SANDBOX, 0, "make the namespaces of the sandbox: there are as many as this system allows");
        return hint(err, "as root: raise the one of user.max_{mnt,pid,ipc,uts,net,cgroup}_namespaces that is low");
}

// Waits for init, and kills it on SIGTERM. The kernel tells of init's end when the whole pid namespace has ended.
static _Noreturn void guard_init(pid_t init, const sigset_t *awaited) {
        for (;;) {
                int status;
                if (sigwaitinfo(awaited, NULL) == SIGTERM)
                        kill(init, SIGKILL);
                if (waitpid(init, &status, WNOHANG) == init)
                        _exit(container_exit_status(status));
        }
}

static _Noreturn void run_guard(const struct container *container, pid_t kiln, int report, int request) {
        auto_err err = { 0 };
        struct container_channel channel = { report };
        sigset_t awaited;
        pid_t init = -1;
        sigemptyset(&awaited);
        sigaddset(&awaited, SIGTERM);
        sigaddset(&awaited, SIGCHLD);
        sigprocmask(SIG_SETMASK, &awaited, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != kiln)
                _exit(1);
        setsid(); // the terminal's Ctrl-C goes to kiln alone, and no scriptlet can type into it
        if (!close_inherited(container->root, report, request)) {
                (void)fail(&err, ERR_SYSTEM, errno, "close files");
                container_abort(&channel, &err);
        }
        channel.fd = CONTAINER_REPORT;
        if (!make_namespaces(&err) || !start_init(container, &init, &err))
                container_abort(&channel, &err);
        close_range(CONTAINER_ROOT, CONTAINER_REQUEST, 0);
        guard_init(init, &awaited);
}

// ---- the reading side ----

struct reader {
        const struct container *container;
        struct buf bytes;
        char *task; // what the worker says it does; NULL: nothing of interest
        int64_t task_since;
        bool told, done, ok;
};

static int64_t now_seconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec;
}

static bool fail_malformed(struct err *err) {
        return fail(err, ERR_INTERNAL, 0, "the sandbox sent a malformed message");
}

// A scriptlet can reach the pipe, and write nonsense into it: an unknown kind becomes an internal error.
static enum err_kind known_kind(uint32_t kind) {
        bool known = kind > ERR_NONE && kind <= ERR_INTERRUPTED;
        return known ? (enum err_kind)kind : ERR_INTERNAL;
}

static bool take_error(const char *data, size_t size, struct err *err) {
        uint32_t numbers[2];
        if (size < sizeof numbers || !memchr(data + sizeof numbers, 0, size - sizeof numbers))
                return fail_malformed(err);
        memcpy(numbers, data, sizeof numbers);
        const char *text = data + sizeof numbers;
        const char *rest = text + strlen(text) + 1, *end = data + size;
        (void)fail(err, known_kind(numbers[0]), 0, "%s", text);
        err->number = (int)numbers[1];
        if (rest < end)
                (void)hint(err, "%.*s", (int)(end - rest), rest);
        return false;
}

static void take_task(struct reader *reader, const char *data, size_t size) {
        free(reader->task);
        reader->task = NULL;
        if (size > 0)
                reader->task = xstrndup(data, size);
        reader->task_since = now_seconds();
        reader->told = false;
}

static bool take_frame(struct reader *reader, uint32_t type, const char *data, size_t size, struct err *err) {
        struct progress *progress = reader->container->progress;
        switch (type) {
        case FRAME_STEP:
                if (progress)
                        progress_add(progress, 1);
                return true;
        case FRAME_WARNING:
                warning("%.*s", (int)size, data);
                return true;
        case FRAME_TASK:
                take_task(reader, data, size);
                return true;
        case FRAME_DONE:
                reader->done = true;
                return true;
        case FRAME_ERROR:
                return take_error(data, size, err);
        default:
                return fail_malformed(err);
        }
}

// Takes every complete frame off the buffer. False once the worker reported an error.
static bool take_frames(struct reader *reader, struct err *err) {
        size_t used = 0;
        bool ok = true;
        struct frame frame;
        struct buf *bytes = &reader->bytes;
        while (ok && bytes->size - used >= sizeof frame) {
                memcpy(&frame, bytes->data + used, sizeof frame);
                const char *data = bytes->data + used + sizeof frame;
                if (frame.size > FRAME_BYTES_MAX)
                        return fail_malformed(err);
                if (bytes->size - used - sizeof frame < frame.size)
                        break;
                used += sizeof frame + frame.size;
                ok = take_frame(reader, frame.type, data, frame.size, err);
        }
        if (used) {
                memmove(bytes->data, bytes->data + used, bytes->size - used);
                bytes->size -= used;
        }
        return ok;
}

// Says what takes long, and fails for what takes longer than the limit.
static bool check_time(struct reader *reader, struct err *err) {
        const struct container *container = reader->container;
        bool watched = container->limit_seconds && reader->ok && reader->task;
        if (!watched)
                return true;
        int64_t seconds = now_seconds() - reader->task_since;
        if (seconds < container->tell_seconds)
                return true;
        if (!reader->told)
                warning("%s has been running for %lld seconds; it is ended after %lld, and Ctrl-C ends all",
                        reader->task, (long long)seconds, (long long)container->limit_seconds);
        reader->told = true;
        if (seconds < container->limit_seconds)
                return true;
        return fail(err, ERR_SCRIPTLET, 0, "did not end within %lld seconds", (long long)container->limit_seconds);
}

static void read_frames(struct reader *reader, int from, pid_t guard, struct err *err) {
        for (;;) {
                struct pollfd poll_from = { from, POLLIN, 0 };
                int ready = poll(&poll_from, 1, POLL_MS);
                if (!check_time(reader, err))
                        reader->ok = false;
                if (interrupt_requested() || !reader->ok)
                        kill(guard, SIGTERM);
                if (ready <= 0)
                        continue;
                char *room = buf_reserve(&reader->bytes, READ_BYTES);
                if (!room)
                        return;
                ssize_t got = read(from, room, READ_BYTES);
                if (got <= 0)
                        return;
                reader->bytes.size += (size_t)got;
                if (reader->ok)
                        reader->ok = take_frames(reader, err);
        }
}

// The guard ended, or was ended, without a word of the worker.
static bool fail_ended(const struct reader *reader, int status, struct err *err) {
        auto_buf how = { 0 };
        if (WIFSIGNALED(status))
                buf_printf(&how, "signal %d", WTERMSIG(status));
        else
                buf_printf(&how, "status %d", WEXITSTATUS(status));
        if (reader->task)
                fail(err, ERR_TRANSACTION, 0, "the sandbox ended unexpectedly (%s) during %s", buf_text(&how),
                     reader->task);
        else
                fail(err, ERR_TRANSACTION, 0, "the sandbox ended unexpectedly (%s)", buf_text(&how));
        return hint(err, "when memory runs out the kernel kills the sandbox first: see dmesg");
}

static bool conclude_run(const struct reader *reader, int status, struct err *err) {
        bool failed = !interrupt_check(err) || !reader->ok;
        if (failed && reader->task)
                return wrap(err, "%s", reader->task);
        if (failed)
                return false;
        bool ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (reader->done && ended_well)
                return true;
        return fail_ended(reader, status, err);
}

static bool open_request(const struct container *container, int *ret_fd, struct err *err) {
        auto_close int fd = memfd_create("kiln-request", MFD_CLOEXEC);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "make a file in memory");
        if (!fs_write_all(fd, container->request->data, container->request->size, err))
                return false;
        *ret_fd = take_fd(fd);
        return true;
}

bool container_run(const struct container *container, struct err *err) {
        int report[2];
        auto_close int request = -1;
        assert(container->root >= 0 && container->request);
        if (!interrupt_check(err) || !open_request(container, &request, err))
                return false;
        if (pipe2(report, O_CLOEXEC) < 0)
                return fail(err, ERR_SYSTEM, errno, "make a pipe");
        // Signals are blocked across fork(), so that a SIGTERM that comes before the guard awaits it is not lost.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pid_t kiln = getpid();
        pid_t guard = fork();
        if (guard == 0)
                run_guard(container, kiln, report[1], request);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        close(report[1]);
        auto_close int from = report[0];
        if (guard < 0)
                return fail(err, ERR_SYSTEM, errno, "fork");
        struct reader reader = { .container = container, .ok = true };
        read_frames(&reader, from, guard, err);
        int status = 0;
        while (waitpid(guard, &status, 0) < 0 && errno == EINTR)
                ;
        bool ok = conclude_run(&reader, status, err);
        buf_release(&reader.bytes);
        free(reader.task);
        return ok;
}
