// The container of a transaction. Four processes:
//
//   kiln        reads frames (progress, warnings, the error) from a pipe, watches for Ctrl-C
//   guard       makes the namespaces; on SIGTERM, or when kiln dies, kills the container and waits for all of it
//   init        PID 1 of the container. Its root is an empty tmpfs without capabilities, so that /proc/1/root differs
//               from "/" (systemd 219's test for a chroot) and yet shows nothing
//   worker      runs work() with the target as its root; its mount namespace holds nothing else
//
// The worker cannot leave: no descriptor of a host directory is open in any process that it can see, no capability
// for mounts, devices, tracing or modules is left, and the root is mounted nodev and nosuid.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "rootfs/internal.h"

enum { FRAME_STEP = 1, FRAME_WARNING, FRAME_ERROR, FRAME_DONE, FRAME_BYTES_MAX = 1 << 20, POLL_MS = 200 };

struct frame {
        uint32_t type, size;
};

struct container_channel {
        int fd;
};

// ---- frames, written by the worker ----

static void send_frame(int fd, uint32_t type, const void *data, size_t size) {
        auto_err ignored = { 0 };
        auto_buf bytes = { 0 };
        struct frame frame = { type, (uint32_t)(size < FRAME_BYTES_MAX ? size : FRAME_BYTES_MAX) };
        buf_append(&bytes, &frame, sizeof frame);
        buf_append(&bytes, data, frame.size);
        (void)!fs_write_all(fd, bytes.data, bytes.size, &ignored);
}

void container_step(struct container_channel *channel) { send_frame(channel->fd, FRAME_STEP, "", 0); }

void container_warn(struct container_channel *channel, const char *text) {
        send_frame(channel->fd, FRAME_WARNING, text, strlen(text));
}

static void send_error(int fd, const struct err *err) {
        auto_buf bytes = { 0 };
        uint32_t numbers[] = { (uint32_t)err->kind, (uint32_t)err->number };
        const char *text = err->text ? err->text : "unknown error";
        buf_append(&bytes, numbers, sizeof numbers);
        buf_append(&bytes, text, strlen(text) + 1);
        if (err->hint)
                buf_append_text(&bytes, err->hint);
        send_frame(fd, FRAME_ERROR, bytes.data, bytes.size);
}

_Noreturn void container_abort(struct container_channel *channel, struct err *err) {
        send_error(channel->fd, err);
        _exit(1);
}

// ---- what the container sees ----

static bool mount_at(const char *source, const char *target, const char *type, unsigned long flags, const char *options,
                     struct err *err) {
        return mount(source, target, type, flags, options) == 0 ||
               fail(err, ERR_SANDBOX, errno, "mount %s in the sandbox", target);
}

static bool make_devices(struct err *err) {
        static const char *const nodes[] = { "null", "zero", "full", "random", "urandom", "tty" };
        static const char *const links[][2] = { { "/proc/self/fd", "dev/fd" },
                                                { "/proc/self/fd/0", "dev/stdin" },
                                                { "/proc/self/fd/1", "dev/stdout" },
                                                { "/proc/self/fd/2", "dev/stderr" } };
        // Read-only: they can be written to as ever, but not chmod'ed, for they are the host's own.
        static const struct mount_attr sealed = { .attr_set =
                                                      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC };
        for (size_t i = 0; i < lengthof(nodes); i++) {
                auto_free char *host = xasprintf("/dev/%s", nodes[i]);
                auto_close int fd = open(host + 1, O_WRONLY | O_CREAT | O_CLOEXEC, 0666); // below the working directory
                if (fd < 0 || !mount_at(host, host + 1, NULL, MS_BIND, NULL, err))
                        return fd >= 0 ? false : fail(err, ERR_SYSTEM, errno, "make %s", host);
                if (mount_setattr(AT_FDCWD, host + 1, 0, (struct mount_attr *)&sealed, sizeof sealed) < 0)
                        return fail(err, ERR_SANDBOX, errno, "seal %s", host);
        }
        for (size_t i = 0; i < lengthof(links); i++)
                if (symlink(links[i][0], links[i][1]) < 0)
                        return fail(err, ERR_SYSTEM, errno, "make %s", links[i][1]);
        return fs_mkdirs(AT_FDCWD, "dev/shm", 01777, err);
}

// With the root as working directory. A read-only /proc keeps a scriptlet's sysctl from reaching the host's kernel.
static bool mount_views(struct err *err) {
        static const struct mount_attr sealed = { .attr_set = MOUNT_ATTR_RDONLY };
        static const char *const points[] = { "proc", "dev", "sys" };
        unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
        struct stat stat;
        for (size_t i = 0; i < lengthof(points); i++)
                if (fstatat(AT_FDCWD, points[i], &stat, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(stat.st_mode))
                        return fail(err, ERR_SANDBOX, 0, "/%s of the image is no directory", points[i]);
        if (!mount_at("proc", "proc", "proc", flags, NULL, err))
                return hint(err, "a container that runs kiln must not hide parts of /proc (docker run --security-opt "
                                 "systempaths=unconfined)");
        // nodev: what a scriptlet makes with mknod(1) opens nothing; the nodes below are mounts of their own.
        return mount_at("dev", "dev", "tmpfs", flags, "mode=0755,size=64m,nr_inodes=4096", err) && make_devices(err) &&
               mount_at("sys", "sys", "tmpfs", flags | MS_RDONLY, "mode=0555,size=4k", err) &&
               (mount_setattr(AT_FDCWD, "proc", 0, (struct mount_attr *)&sealed, sizeof sealed) == 0 ||
                fail(err, ERR_SANDBOX, errno, "seal /proc"));
}

// The working directory becomes the root of this mount namespace, and everything else leaves it.
static bool pivot_here(struct err *err) {
        if (syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0)
                return true;
        return fail(err, ERR_SANDBOX, errno, "pivot_root");
}

// ---- capabilities ----

static bool set_capabilities(uint64_t kept, struct err *err) {
        for (int number = 0; prctl(PR_CAPBSET_READ, number) >= 0; number++)
                if (!(kept >> number & 1) && prctl(PR_CAPBSET_DROP, number) < 0)
                        return fail(err, ERR_SANDBOX, errno, "drop capability %d", number);
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct now[2], data[2] = { { 0 } };
        if (syscall(SYS_capget, &header, now) < 0)
                return fail(err, ERR_SANDBOX, errno, "read capabilities");
        for (int half = 0; half < 2; half++)
                data[half].effective = data[half].permitted = (uint32_t)(kept >> (32 * half)) & now[half].permitted;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 || syscall(SYS_capset, &header, data) < 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return fail(err, ERR_SANDBOX, errno, "drop capabilities");
        return true;
}

// What rpm and scriptlets need. Not DAC_READ_SEARCH: open_by_handle_at(2) would reach files outside. MKNOD only makes
// nodes that packages carry: the root is mounted nodev.
static uint64_t worker_capabilities(void) {
        static const int kept[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER,     CAP_FSETID,
                                    CAP_KILL,  CAP_SETGID,       CAP_SETUID,     CAP_SETFCAP,
                                    CAP_MKNOD, CAP_SYS_CHROOT,   CAP_AUDIT_WRITE };
        uint64_t mask = 0;
        for (size_t i = 0; i < lengthof(kept); i++)
                mask |= UINT64_C(1) << kept[i];
        return mask;
}

static void set_environment(int64_t source_date_epoch) {
        char epoch[24];
        snprintf(epoch, sizeof epoch, "%lld", (long long)source_date_epoch);
        const char *const variables[][2] = {
                { "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
                { "HOME", "/root" },
                { "LANG", "C" },
                { "TERM", "dumb" },
                { "SYSTEMD_OFFLINE", "1" },
                { "SOURCE_DATE_EPOCH", epoch },
        };
        clearenv();
        for (size_t i = 0; i < lengthof(variables); i++)
                setenv(variables[i][0], variables[i][1], 1);
}

// ---- processes ----

static void default_signals(void) {
        static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD };
        sigset_t none;
        sigemptyset(&none);
        for (size_t i = 0; i < lengthof(numbers); i++)
                signal(numbers[i], SIG_DFL);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

// The worker's own copy of the mounts, before init leaves the host's tree.
static bool leave_init(int own, struct err *err) {
        if (unshare(CLONE_NEWNS) < 0 || write(own, "x", 1) != 1)
                return fail(err, ERR_SANDBOX, errno, "make a mount namespace");
        close(own);
        return true;
}

static bool enter_root(int go, struct err *err) {
        char byte;
        if (!pivot_here(err))
                return false;
        if (read(go, &byte, 1) != 1) // init has left the host's tree too
                return fail(err, ERR_SANDBOX, 0, "the sandbox's init ended");
        close(go);
        return set_capabilities(worker_capabilities(), err) && syscalls_filter(err);
}

static _Noreturn void run_worker(const struct container *container, int own, int go, int report) {
        auto_err err = { 0 };
        struct container_channel channel = { report };
        set_environment(container->source_date_epoch);
        umask(022);
        if (!leave_init(own, &err) || (container->prepare && !container->prepare(container->context, &err)) ||
            !enter_root(go, &err) || !container->work(container->context, &channel, &err))
                container_abort(&channel, &err);
        send_frame(report, FRAME_DONE, "", 0);
        _exit(0);
}

// A directory that every machine has and where prepare() needs nothing. This namespace is the container's, and what is
// below leaves it soon.
static const char mount_point[] = "/sys";

static bool enter_target(int root, struct err *err) {
        if (syscall(SYS_move_mount, root, "", AT_FDCWD, mount_point, MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return fail(err, ERR_SANDBOX, errno, "mount the root");
        return chdir(mount_point) == 0 || fail(err, ERR_SANDBOX, errno, "enter the root");
}

// Init's own root: empty. Mounted over the target, whose tree the worker's namespace already has.
static bool hide_init(struct err *err) {
        return chdir("/") == 0 &&
               mount_at("init", mount_point, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0555,size=4k", err) &&
               chdir(mount_point) == 0 && pivot_here(err) && set_capabilities(0, err);
}

static int reap_until(pid_t worker) {
        for (;;) {
                int status;
                pid_t child = wait(&status);
                if (child == worker)
                        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                if (child < 0 && errno != EINTR)
                        return 1;
        }
}

static bool prepare_init(const struct container *container, struct err *err) {
        if (sethostname("localhost", 9) < 0 || setdomainname("", 0) < 0)
                return fail(err, ERR_SANDBOX, errno, "set the host name");
        return enter_target(container->root, err) && mount_views(err);
}

static _Noreturn void run_init(const struct container *container, int report) {
        auto_err err = { 0 };
        struct container_channel channel = { report };
        int own[2], go[2];
        char byte;
        if (!prepare_init(container, &err))
                container_abort(&channel, &err);
        pid_t worker = pipe2(own, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0 ? -1 : fork();
        if (worker < 0) {
                (void)fail(&err, ERR_SYSTEM, errno, "start the sandbox's worker");
                container_abort(&channel, &err);
        }
        close(container->root);
        if (worker == 0) {
                close(go[1]);
                close(own[0]);
                run_worker(container, own[1], go[0], report);
        }
        close(go[0]);
        close(own[1]);
        if (read(own[0], &byte, 1) == 1 && !hide_init(&err))
                container_abort(&channel, &err);
        close(own[0]);
        close(report);
        (void)!write(go[1], "x", 1);
        close(go[1]);
        _exit(reap_until(worker));
}

// `life` reports the guard's end to an init that asked for its signal too late.
static pid_t start_init(const struct container *container, int report, struct err *err) {
        int life[2];
        if (pipe2(life, O_CLOEXEC) < 0)
                return fail(err, ERR_SYSTEM, errno, "make a pipe"), -1;
        pid_t child = fork();
        if (child < 0)
                return fail(err, ERR_SYSTEM, errno, "fork"), -1;
        if (child > 0) {
                close(life[0]);
                return child;
        }
        close(life[1]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct pollfd poll_life = { life[0], POLLIN, 0 };
        if (poll(&poll_life, 1, 0) != 0)
                _exit(1);
        close(life[0]);
        default_signals();
        run_init(container, report);
}

// Keeps 0, 1, 2 (as /dev/null), the report and the root; everything else that kiln has open is the host's.
static bool close_inherited(const struct container *container, int report, int *ret_root, int *ret_report) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        int root = fcntl(container->root, F_DUPFD_CLOEXEC, 100), copy = fcntl(report, F_DUPFD_CLOEXEC, 100);
        if (null < 0 || root < 0 || copy < 0)
                return false;
        for (int fd = 0; fd < 3; fd++)
                if (dup2(null, fd) < 0)
                        return false;
        *ret_root = dup3(root, 3, O_CLOEXEC);
        *ret_report = dup3(copy, 4, O_CLOEXEC);
        return *ret_root == 3 && *ret_report == 4 && close_range(5, ~0U, 0) == 0;
}

static _Noreturn void run_guard(const struct container *original, pid_t kiln, int report) {
        auto_err err = { 0 };
        struct container container = *original;
        struct container_channel channel = { report };
        sigset_t awaited;
        sigemptyset(&awaited);
        sigaddset(&awaited, SIGTERM);
        sigaddset(&awaited, SIGCHLD);
        sigprocmask(SIG_SETMASK, &awaited, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != kiln)
                _exit(1);
        setsid(); // the terminal's Ctrl-C goes to kiln alone, and no scriptlet can type into it
        if (!close_inherited(original, report, &container.root, &channel.fd)) {
                (void)fail(&err, ERR_SYSTEM, errno, "close files");
                container_abort(&channel, &err);
        }
        if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
                (void)fail(&err, ERR_SANDBOX, errno, "make the namespaces of the sandbox");
                container_abort(&channel, &err);
        }
        pid_t init = start_init(&container, channel.fd, &err);
        if (init < 0)
                container_abort(&channel, &err);
        close(channel.fd);
        for (;;) {
                int number = sigwaitinfo(&awaited, NULL), status;
                if (number == SIGTERM)
                        kill(init, SIGKILL);
                if (waitpid(init, &status, WNOHANG) == init) // the kernel has ended the whole pid namespace by now
                        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        }
}

// ---- the reading side ----

static bool take_error(const char *data, size_t size, struct err *err) {
        uint32_t numbers[2];
        if (size < sizeof numbers || !memchr(data + sizeof numbers, 0, size - sizeof numbers))
                return fail(err, ERR_INTERNAL, 0, "the sandbox sent a malformed message");
        memcpy(numbers, data, sizeof numbers);
        const char *text = data + sizeof numbers;
        const char *rest = text + strlen(text) + 1, *end = data + size;
        // A scriptlet can reach the pipe, and write nonsense into it.
        bool known = numbers[0] > ERR_NONE && numbers[0] <= ERR_INTERRUPTED;
        (void)fail(err, known ? (enum err_kind)numbers[0] : ERR_INTERNAL, 0, "%s", text);
        err->number = (int)numbers[1];
        if (rest < end)
                (void)hint(err, "%.*s", (int)(end - rest), rest);
        return false;
}

// Takes every complete frame off the buffer. False once the worker reported an error.
static bool take_frames(const struct container *container, struct buf *bytes, bool *done, struct err *err) {
        size_t used = 0;
        bool ok = true;
        struct frame frame;
        while (ok && bytes->size - used >= sizeof frame) {
                memcpy(&frame, bytes->data + used, sizeof frame);
                const char *data = bytes->data + used + sizeof frame;
                if (frame.size > FRAME_BYTES_MAX)
                        return fail(err, ERR_INTERNAL, 0, "the sandbox sent a malformed message");
                if (bytes->size - used - sizeof frame < frame.size)
                        break;
                used += sizeof frame + frame.size;
                if (frame.type == FRAME_STEP && container->progress)
                        progress_add(container->progress, 1);
                else if (frame.type == FRAME_WARNING)
                        warning("%.*s", (int)frame.size, data);
                else if (frame.type == FRAME_DONE)
                        *done = true;
                else if (frame.type == FRAME_ERROR)
                        ok = take_error(data, frame.size, err);
        }
        if (used) {
                memmove(bytes->data, bytes->data + used, bytes->size - used);
                bytes->size -= used;
        }
        return ok;
}

static bool read_frames(const struct container *container, int from, pid_t guard, bool *done, struct err *err) {
        auto_buf bytes = { 0 };
        bool ok = true;
        for (;;) {
                struct pollfd poll_from = { from, POLLIN, 0 };
                int ready = poll(&poll_from, 1, POLL_MS);
                if (interrupt_requested())
                        kill(guard, SIGTERM);
                if (ready <= 0)
                        continue;
                char *room = buf_reserve(&bytes, 65536);
                ssize_t got = room ? read(from, room, 65536) : 0;
                if (got <= 0)
                        return ok;
                bytes.size += (size_t)got;
                ok = ok && take_frames(container, &bytes, done, err);
        }
}

bool container_run(const struct container *container, struct err *err) {
        int report[2];
        bool done = false;
        if (!interrupt_check(err))
                return false;
        if (pipe2(report, O_CLOEXEC) < 0)
                return fail(err, ERR_SYSTEM, errno, "make a pipe");
        // The guard is born with SIGTERM blocked: one sent early waits for it.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pid_t kiln = getpid(), guard = fork();
        if (guard == 0)
                run_guard(container, kiln, report[1]);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        close(report[1]);
        auto_close int from = report[0];
        if (guard < 0)
                return fail(err, ERR_SYSTEM, errno, "fork");
        bool ok = read_frames(container, from, guard, &done, err);
        int status = 0;
        while (waitpid(guard, &status, 0) < 0 && errno == EINTR)
                ;
        if (!interrupt_check(err) || !ok)
                return false;
        if (!done)
                return fail(err, ERR_TRANSACTION, 0, "the sandbox ended unexpectedly (%s %d)",
                            WIFSIGNALED(status) ? "signal" : "status",
                            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        return true;
}
