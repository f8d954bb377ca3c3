// SPDX-License-Identifier: MIT
// Inside of a container, in a program that was executed for it: init, and the worker that it starts.
//
// Init's root is an empty tmpfs, so that /proc/1/root differs from "/" (systemd 219's test for a chroot) and yet shows
// nothing. It has no capabilities, and counts the processes.
//
// The worker cannot leave: no descriptor of a host directory is open in any process that it can see, no capability
// for mounts, devices, tracing or modules is left, and the root is mounted nodev and nosuid.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sandbox/container.h"
#include "sandbox/container_frames.h"
#include "sandbox/container_inside.h"
#include "sandbox/overlay.h"
#include "sandbox/syscalls.h"

enum { TASKS_MAX = 2000, COUNT_MS = 200 };

// ---- frames, written by the worker ----

static void send_frame(int fd, uint32_t type, const void *data, size_t size) {
        auto_err ignored = { 0 };
        auto_buf bytes = { 0 };
        if (size > FRAME_BYTES_MAX)
                size = FRAME_BYTES_MAX;
        struct frame frame = { type, (uint32_t)size };
        buf_append(&bytes, &frame, sizeof frame);
        buf_append(&bytes, data, frame.size);
        (void)!fs_write_all(fd, bytes.data, bytes.size, &ignored);
}

void container_step(struct container_channel *channel) { send_frame(channel->fd, FRAME_STEP, "", 0); }

void container_warn(struct container_channel *channel, const char *text) {
        send_frame(channel->fd, FRAME_WARNING, text, strlen(text));
}

void container_task(struct container_channel *channel, const char *text) {
        send_frame(channel->fd, FRAME_TASK, text, strlen(text));
}

static void send_error(int fd, const struct err *err) {
        auto_buf bytes = { 0 };
        uint32_t numbers[] = { (uint32_t)err->kind, (uint32_t)err->number };
        const char *text = text_or(err->text, "unknown error");
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

// Binds one of the host's devices below the working directory. The mount is read-only: the device itself can still be
// written to, but its mode and owner, which are the host's, cannot be changed.
static bool bind_device(const char *device, const char *target, struct err *err) {
        static const struct mount_attr sealed = { .attr_set =
                                                      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC };
        if (!mount_at(device, target, NULL, MS_BIND, NULL, err))
                return false;
        return mount_setattr(AT_FDCWD, target, 0, (struct mount_attr *)&sealed, sizeof sealed) == 0 ||
               fail(err, ERR_SANDBOX, errno, "seal %s in the sandbox", target);
}

static bool make_devices(struct err *err) {
        static const char *const nodes[] = { "null", "zero", "full", "random", "urandom", "tty" };
        static const char *const links[][2] = { { "/proc/self/fd", "dev/fd" },
                                                { "/proc/self/fd/0", "dev/stdin" },
                                                { "/proc/self/fd/1", "dev/stdout" },
                                                { "/proc/self/fd/2", "dev/stderr" } };
        for (size_t i = 0; i < lengthof(nodes); i++) {
                auto_free char *host = xasprintf("/dev/%s", nodes[i]);
                auto_close int fd = -1;
                if (!fs_open(AT_FDCWD, host + 1, O_WRONLY | O_CREAT, 0666, &fd, err) ||
                    !bind_device(host, host + 1, err))
                        return false;
        }
        for (size_t i = 0; i < lengthof(links); i++)
                if (symlink(links[i][0], links[i][1]) < 0)
                        return fail(err, ERR_SYSTEM, errno, "make %s", links[i][1]);
        return fs_mkdirs(AT_FDCWD, "dev/shm", 01777, err);
}

// Hides the files of /proc that show the host's kernel memory, keys and timers to root, also to root of a namespace.
static bool mask_kernel(struct err *err) {
        static const char *const files[] = { "kcore",       "key-users",   "keys",       "kmsg",
                                             "kpagecgroup", "kpagecount",  "kpageflags", "sched_debug",
                                             "timer_list",  "vmallocinfo", "slabinfo" };
        for (size_t i = 0; i < lengthof(files); i++) {
                auto_free char *path = xasprintf("proc/%s", files[i]);
                if (fs_exists(AT_FDCWD, path) && !bind_device("/dev/null", path, err))
                        return false;
        }
        return true;
}

// When memory runs out, the kernel shall kill this first, not a service of the host. Where it may not be asked, the
// container works as well.
static void offer_to_oom_killer(void) {
        auto_err ignored = { 0 };
        auto_close int fd = open("proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
        if (fd >= 0)
                (void)!fs_write_all(fd, "1000", 4, &ignored);
}

static bool mount_devices(unsigned long flags, struct err *err) {
        return mount_at("dev", "dev", "tmpfs", flags, "mode=0755,size=64m,nr_inodes=4096", err) && make_devices(err);
}

static bool seal_proc(struct err *err) {
        static const struct mount_attr sealed = { .attr_set = MOUNT_ATTR_RDONLY };
        if (mount_setattr(AT_FDCWD, "proc", 0, (struct mount_attr *)&sealed, sizeof sealed) == 0)
                return true;
        return fail(err, ERR_SANDBOX, errno, "seal /proc");
}

// With the root as working directory. A read-only /proc keeps a scriptlet's sysctl from reaching the host's kernel.
bool container_mount_views(struct err *err) {
        static const char *const points[] = { "proc", "dev", "sys" };
        unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
        struct stat stat;
        for (size_t i = 0; i < lengthof(points); i++)
                if (fstatat(AT_FDCWD, points[i], &stat, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(stat.st_mode))
                        return fail(err, ERR_SANDBOX, 0, "/%s of the image is no directory", points[i]);
        if (!mount_at("proc", "proc", "proc", flags, NULL, err))
                return hint(err, "a container that runs kiln must not hide parts of /proc (docker run --security-opt "
                                 "systempaths=unconfined)");
        offer_to_oom_killer();
        // nodev: what a scriptlet makes with mknod(1) opens nothing; the nodes below are mounts of their own.
        return mount_devices(flags, err) &&
               mount_at("sys", "sys", "tmpfs", flags | MS_RDONLY, "mode=0555,size=4k", err) && mask_kernel(err) &&
               seal_proc(err);
}

// The working directory becomes the root of this mount namespace, and everything else leaves it.
bool container_pivot(struct err *err) {
        if (syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0)
                return true;
        return fail(err, ERR_SANDBOX, errno, "pivot_root");
}

// ---- capabilities ----

// Drops the others from the bounding set, so that no program that is executed gets them back.
static bool bound_capabilities(uint64_t kept, struct err *err) {
        for (int number = 0; prctl(PR_CAPBSET_READ, number) >= 0; number++) {
                bool keep = kept >> number & 1;
                if (!keep && prctl(PR_CAPBSET_DROP, number) < 0)
                        return fail(err, ERR_SANDBOX, errno, "drop capability %d", number);
        }
        return true;
}

static bool set_capabilities(uint64_t kept, struct err *err) {
        if (!bound_capabilities(kept, err))
                return false;
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct now[2], data[2] = { { 0 } };
        if (syscall(SYS_capget, &header, now) < 0)
                return fail(err, ERR_SANDBOX, errno, "read capabilities");
        for (int half = 0; half < 2; half++) {
                data[half].permitted = (uint32_t)(kept >> (32 * half)) & now[half].permitted;
                data[half].effective = data[half].permitted;
        }
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 || syscall(SYS_capset, &header, data) < 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return fail(err, ERR_SANDBOX, errno, "drop capabilities");
        return true;
}

// What rpm and scriptlets need. Not DAC_READ_SEARCH: open_by_handle_at(2) would reach files outside. Not MKNOD and
// AUDIT_WRITE, which only the host's root has: a device node in the cache is one of the host, its audit log has no
// namespace, and an image must not depend on who builds it.
static uint64_t worker_capabilities(void) {
        static const int kept[] = { CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,  CAP_FSETID,    CAP_KILL,
                                    CAP_SETGID, CAP_SETUID,       CAP_SETFCAP, CAP_SYS_CHROOT };
        uint64_t mask = 0;
        for (size_t i = 0; i < lengthof(kept); i++)
                mask |= UINT64_C(1) << kept[i];
        return mask;
}

// ---- processes ----

// How init and worker wait for each other: the worker writes to `own` when it has its own copy of the mounts, init to
// `go` when it has left the host's tree.
struct sync {
        int own[2], go[2];
};

// The worker's own copy of the mounts, before init leaves the host's tree.
static bool leave_init(int own, struct err *err) {
        if (unshare(CLONE_NEWNS) < 0 || write(own, "x", 1) != 1)
                return fail(err, ERR_SANDBOX, errno, "make a mount namespace");
        close(own);
        return true;
}

// Where the target is mounted until it becomes the root: a directory that every machine has and that prepare() does not
// read. Only the container's namespace sees the mount.
static const char container_mount_point[] = "/sys";

bool container_drop_capabilities(struct err *err) { return set_capabilities(worker_capabilities(), err); }

bool container_enter_root(int root, struct err *err) {
        if (syscall(SYS_move_mount, root, "", AT_FDCWD, container_mount_point, MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return fail(err, ERR_SANDBOX, errno, "mount the root");
        return chdir(container_mount_point) == 0 || fail(err, ERR_SANDBOX, errno, "enter the root");
}

static bool enter_image(int go, struct err *err) {
        char byte;
        if (!container_pivot(err))
                return false;
        if (read(go, &byte, 1) != 1) // init has left the host's tree too
                return fail(err, ERR_SANDBOX, 0, "the sandbox's init ended");
        close(go);
        return container_drop_capabilities(err) && syscalls_filter(err);
}

static _Noreturn void run_worker(const struct container_job *job, void *context, const struct sync *sync) {
        auto_err err = { 0 };
        struct container_channel channel = { CONTAINER_REPORT };
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        bool ok = leave_init(sync->own[1], &err);
        if (ok && job->prepare)
                ok = job->prepare(context, &err);
        if (!ok || !enter_image(sync->go[0], &err) || !job->work(context, &channel, &err))
                container_abort(&channel, &err);
        send_frame(CONTAINER_REPORT, FRAME_DONE, "", 0);
        _exit(0);
}

// Init's own root is empty. It is mounted over the target, whose tree the worker's namespace already has.
static bool hide_init(struct err *err) {
        unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
        if (chdir("/") < 0)
                return fail(err, ERR_SANDBOX, errno, "leave the root");
        if (!mount_at("init", container_mount_point, "tmpfs", flags, "mode=0555,size=4k", err))
                return false;
        if (chdir(container_mount_point) < 0)
                return fail(err, ERR_SANDBOX, errno, "enter init's root");
        return container_pivot(err) && set_capabilities(0, err) && syscalls_filter(err);
}

// The threads of one process: a directory has two links, and one more for each directory in it.
static unsigned count_threads(int proc, const char *process) {
        struct stat stat;
        auto_free char *tasks = xasprintf("%s/task", process);
        bool is_process = *process >= '1' && *process <= '9';
        if (!is_process || fstatat(proc, tasks, &stat, 0) < 0)
                return 0;
        return (unsigned)stat.st_nlink - 2;
}

static unsigned count_tasks(int proc) {
        unsigned count = 0;
        auto_err ignored = { 0 };
        auto_closedir DIR *stream = NULL;
        struct dirent *entry = NULL;
        if (!fs_open_listing(proc, &stream, &ignored))
                return 0;
        while (fs_next_entry(stream, &entry, &ignored) && entry)
                count += count_threads(proc, entry->d_name);
        return count;
}

// Root has no RLIMIT_NPROC, and a plain user's is the whole session's.
static void check_tasks(int proc) {
        if (count_tasks(proc) <= TASKS_MAX)
                return;
        auto_err err = { 0 };
        struct container_channel channel = { CONTAINER_REPORT };
        (void)fail(&err, ERR_SCRIPTLET, 0, "more than %d processes and threads at once", TASKS_MAX);
        container_abort(&channel, &err);
}

int container_exit_status(int status) {
        if (WIFEXITED(status))
                return WEXITSTATUS(status);
        return 128 + WTERMSIG(status);
}

// Reaps what has ended. True once there is nothing to wait for: the worker has ended, with `*ret_status` for init to
// end with, or there is no child any more.
static bool reap_ended(pid_t worker, int *ret_status) {
        int status;
        pid_t child;
        while ((child = waitpid(-1, &status, WNOHANG)) > 0) {
                if (child != worker)
                        continue;
                *ret_status = container_exit_status(status);
                return true;
        }
        *ret_status = 1;
        return child < 0 && errno == ECHILD;
}

static int reap_until(pid_t worker, int proc) {
        static const struct timespec interval = { .tv_nsec = COUNT_MS * 1000000 };
        int status;
        sigset_t children;
        sigemptyset(&children);
        sigaddset(&children, SIGCHLD);
        while (!reap_ended(worker, &status))
                if (sigtimedwait(&children, NULL, &interval) < 0)
                        check_tasks(proc);
        return status;
}

// Opens the container's /proc as a mount that has no parent: from a descriptor of the directory itself, ".." would lead
// out of it.
static bool open_proc(int *ret_fd, struct err *err) {
        auto_close int dir = -1;
        return fs_open_dir(AT_FDCWD, "proc", &dir, err) && overlay_bind(dir, true, ret_fd, err);
}

// A scriptlet's crash must not start the host's core_pattern: that runs outside, as root. 1 is the size that also keeps
// programs from being started, core(5).
static bool limit_init(struct err *err) {
        static const struct rlimit cores = { 1, 1 };
        (void)setpriority(PRIO_PROCESS, 0, -20); // to be heard among a thousand children; needs root
        return setrlimit(RLIMIT_CORE, &cores) == 0 || fail(err, ERR_SANDBOX, errno, "limit core files");
}

static bool read_container_request(struct buf *ret, struct err *err) {
        if (lseek(CONTAINER_REQUEST, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "read the sandbox's request");
        if (!buf_read_fd(ret, CONTAINER_REQUEST, err))
                return wrap(err, "the sandbox's request");
        close(CONTAINER_REQUEST);
        return true;
}

static bool prepare_init(const struct container_job *job, void **ret_context, struct err *err) {
        auto_buf request = { 0 };
        umask(022);
        for (int fd = CONTAINER_ROOT; fd <= CONTAINER_REQUEST; fd++)
                if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                        return fail(err, ERR_SYSTEM, errno, "take over files");
        if (!read_container_request(&request, err) || !job->read(&request, ret_context, err))
                return false;
        if (sethostname("localhost", 9) < 0 || setdomainname("", 0) < 0)
                return fail(err, ERR_SANDBOX, errno, "set the host name");
        return container_enter_root(CONTAINER_ROOT, err) && container_mount_views(err);
}

// Each side closes the ends of the other.
static void take_worker_side(const struct sync *sync) {
        close(CONTAINER_ROOT);
        close(sync->own[0]);
        close(sync->go[1]);
}

static void take_init_side(const struct sync *sync) {
        close(CONTAINER_ROOT);
        close(sync->own[1]);
        close(sync->go[0]);
}

// SIGCHLD waits for reap_until().
static bool start_worker(const struct container_job *job, void *context, struct sync *ret, pid_t *ret_pid,
                         struct err *err) {
        sigset_t children;
        sigemptyset(&children);
        sigaddset(&children, SIGCHLD);
        sigprocmask(SIG_BLOCK, &children, NULL);
        if (pipe2(ret->own, O_CLOEXEC) < 0 || pipe2(ret->go, O_CLOEXEC) < 0)
                return fail(err, ERR_SYSTEM, errno, "make a pipe");
        pid_t worker = fork();
        if (worker < 0)
                return fail(err, ERR_SYSTEM, errno, "start the sandbox's worker");
        if (worker == 0) {
                take_worker_side(ret);
                run_worker(job, context, ret);
        }
        take_init_side(ret);
        *ret_pid = worker;
        return true;
}

static _Noreturn void run_init(const struct container_job *job) {
        auto_err err = { 0 };
        struct container_channel channel = { CONTAINER_REPORT };
        struct sync sync = { 0 };
        void *context = NULL;
        pid_t worker = -1;
        int proc = -1;
        char byte;
        if (!prepare_init(job, &context, &err) || !start_worker(job, context, &sync, &worker, &err))
                container_abort(&channel, &err);
        if (!open_proc(&proc, &err) || !limit_init(&err))
                container_abort(&channel, &err);
        bool worker_has_mounts = read(sync.own[0], &byte, 1) == 1;
        if (worker_has_mounts && !hide_init(&err))
                container_abort(&channel, &err);
        close(sync.own[0]);
        (void)!write(sync.go[1], "x", 1);
        close(sync.go[1]);
        _exit(reap_until(worker, proc));
}

bool container_is_init(int argc, char **argv) { return argc == 1 && strcmp(argv[0], CONTAINER_INIT_NAME) == 0; }

_Noreturn void container_init(const struct container_job *job) {
        if (getpid() != 1) {
                fputs("kiln: " CONTAINER_INIT_NAME " is a name of kiln's own\n", stderr);
                _exit(2);
        }
        run_init(job);
}
