// SPDX-License-Identifier: MIT
// The build's namespaces, and what a child of the container can reach.
#include "sandbox/sandbox.h"
#include "base/buf.h"
#include "base/mem.h"
#include "sandbox/container.h"
#include "sandbox/overlay.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/interrupt.h"

static char work_path[] = "/tmp/kiln-sandbox-XXXXXX";
static int work = -1;

// ---- the namespaces ----

// A user that nobody gave subordinate ids. A plain user becomes it in a user namespace.
static bool become_stranger(void) {
        enum { STRANGER = 64999 };
        uid_t own = geteuid();
        if (own == 0)
                return setgid(STRANGER) == 0 && setuid(STRANGER) == 0;
        if (unshare(CLONE_NEWUSER) < 0)
                return false;
        auto_close int map = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
        return map >= 0 && dprintf(map, "%d %u 1", STRANGER, own) > 0 && geteuid() == STRANGER;
}

static void says_what_a_plain_user_lacks(void) {
        int message[2];
        char text[1024] = "";
        EXPECT(pipe(message) == 0);
        pid_t child = fork();
        if (child == 0) {
                auto_err err = { 0 };
                if (!become_stranger())
                        _exit(9);
                bool entered = sandbox_enter(&err);
                dprintf(message[1], "%d %s | %s", err.kind == ERR_SANDBOX, err.text ? err.text : "",
                        err.hint ? err.hint : "");
                _exit(entered);
        }
        close(message[1]);
        int status = 0;
        waitpid(child, &status, 0);
        EXPECT(read(message[0], text, sizeof text - 1) > 0);
        close(message[0]);
        EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        EXPECT(strncmp(text, "1 ", 2) == 0 && strstr(text, "subordinate") && strstr(text, "usermod --add-subuids"));
}

static void enters_once(void) {
        EXPECT_OK(sandbox_enter(err));
        EXPECT_OK(sandbox_enter(err));
        EXPECT(geteuid() == 0);
        EXPECT_OK(fs_open_dir(AT_FDCWD, work_path, &work, err));
}

static void mounts_are_private(void) {
        auto_free char *point = xasprintf("%s/private", work_path);
        EXPECT_OK(fs_mkdirs(work, "private", 0755, err));
        EXPECT(mount("x", point, "tmpfs", 0, NULL) == 0);
        auto_fclose FILE *outside = fopen("/proc/1/mounts", "re");
        char line[4096];
        bool seen = false;
        while (outside && fgets(line, sizeof line, outside))
                seen |= strstr(line, work_path) != NULL;
        EXPECT(!seen);
        EXPECT(umount2(point, MNT_DETACH) == 0);
}

// ---- the container ----

struct probe {
        int mode;
};

static bool has_host_file(const char *path) { return access(path, F_OK) == 0; }

static bool try_to_leave(struct err *err) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons(80),
                                       .sin_addr = { htonl(0xc0000201) } }; // 192.0.2.1, RFC 5737: nobody's
        if (has_host_file("/usr/bin/env") || has_host_file("/proc/1/root/usr") ||
            has_host_file("../../../../usr/bin/env"))
                return fail(err, ERR_INTERNAL, 0, "sees the host's files");
        if (unshare(CLONE_NEWUSER) == 0 || errno != EPERM ||
            syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0) >= 0 || errno != EPERM ||
            syscall(SYS_keyctl, 0, 0, 0, 0, 0) >= 0 || errno != EPERM)
                return fail(err, ERR_INTERNAL, errno, "makes namespaces or sees kernel keyrings");
        if (chroot("/tmp") == 0 && (chdir("../../../..") < 0 || has_host_file("usr/bin/env")))
                return fail(err, ERR_INTERNAL, 0, "leaves by chroot");
        int network = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(network, (struct sockaddr *)&address, sizeof address) == 0 || errno != ENETUNREACH)
                return fail(err, ERR_INTERNAL, errno, "reaches a network");
        close(network);
        if (mount("x", "/tmp", "tmpfs", 0, NULL) == 0 || umount2("/proc", MNT_DETACH) == 0)
                return fail(err, ERR_INTERNAL, 0, "mounts");
        pid_t child = fork(); // what filters clone(2) must leave alone
        if (child == 0)
                _exit(7);
        int status = 0;
        if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7)
                return fail(err, ERR_INTERNAL, errno, "starts no child");
        if (kill(getppid(), 0) < 0 || getpid() != 2)
                return fail(err, ERR_INTERNAL, errno, "is not the child of its own init: pid %d", getpid());
        for (int fd = 3; fd < 64; fd++) {
                char path[32], target[256] = "";
                snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
                if (readlink(path, target, sizeof target - 1) > 0 && strncmp(target, "pipe:", 5) != 0)
                        return fail(err, ERR_INTERNAL, 0, "holds descriptor %d: %s", fd, target);
        }
        return true;
}

static bool read_mode(const struct buf *request, void **ret_context, struct err *err) {
        static struct probe probe;
        probe.mode = atoi(request->data);
        *ret_context = &probe;
        return probe.mode >= 0 || fail(err, ERR_INTERNAL, 0, "malformed request");
}

static bool probe(void *context, struct container_channel *channel, struct err *err) {
        const struct probe *probe = context;
        switch (probe->mode) {
        case 0:
                container_step(channel);
                return try_to_leave(err);
        case 1:
                fail(err, ERR_SCRIPTLET, 0, "said so");
                return hint(err, "a hint");
        case 2:
                raise(SIGKILL);
                break;
        default:
                container_task(channel, "waiting");
                for (;;)
                        pause();
        }
        return true;
}

static bool contain(int mode, struct err *err) {
        static const char *const points[] = { "root/proc", "root/sys", "root/dev", "root/run", "root/tmp" };
        auto_buf request = { 0 };
        auto_close int tree = -1;
        auto_close int root = -1;
        for (size_t i = 0; i < lengthof(points); i++)
                if (!fs_mkdirs(work, points[i], 0755, err))
                        return false;
        if (!fs_open_dir(work, "root", &tree, err) || !overlay_bind(tree, false, &root, err))
                return false;
        buf_printf(&request, "%d", mode);
        return container_run(
            &(struct container){ .root = root, .request = &request, .tell_seconds = 1, .limit_seconds = 2 }, err);
}

static void child_cannot_leave(void) { EXPECT_OK(contain(0, err)); }

static void errors_come_back_whole(void) {
        auto_err failure = { 0 };
        EXPECT(!contain(1, &failure));
        EXPECT(failure.kind == ERR_SCRIPTLET);
        EXPECT_TEXT(failure.text, "said so");
        EXPECT_TEXT(failure.hint, "a hint");
}

static void a_crash_is_an_error(void) {
        auto_err failure = { 0 };
        EXPECT(!contain(2, &failure));
        EXPECT(failure.kind == ERR_TRANSACTION && failure.text && strstr(failure.text, "unexpectedly"));
}

static void needs_mount_points(void) {
        auto_close int tree = -1;
        auto_close int root = -1;
        auto_err failure = { 0 };
        auto_buf request = { 0 };
        EXPECT_OK(fs_mkdirs(work, "hostile", 0755, err));
        EXPECT_OK(fs_open_dir(work, "hostile", &tree, err));
        EXPECT(symlinkat("/etc", tree, "proc") == 0);
        EXPECT_OK(overlay_bind(tree, false, &root, err));
        buf_append_text(&request, "0");
        EXPECT(!container_run(&(struct container){ .root = root, .request = &request }, &failure));
        EXPECT(failure.kind == ERR_SANDBOX && strstr(failure.text, "/proc of the image"));
}

static void what_takes_for_ever_is_ended(void) {
        auto_err failure = { 0 };
        EXPECT(!contain(3, &failure));
        EXPECT(failure.kind == ERR_SCRIPTLET);
        EXPECT_TEXT(failure.text, "waiting: did not end within 2 seconds");
        EXPECT(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

// Last: the flag stays set.
static void ctrl_c_ends_it(void) {
        auto_err failure = { 0 };
        interrupt_install();
        pid_t self = getpid(), child = fork();
        if (child == 0) {
                usleep(500000);
                kill(self, SIGINT);
                _exit(0);
        }
        EXPECT(!contain(3, &failure));
        EXPECT(failure.kind == ERR_INTERRUPTED);
        EXPECT_TEXT(failure.text, "waiting: stopped by SIGINT");
        waitpid(child, NULL, 0);
        EXPECT(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD); // guard and container are gone
}

static const struct container_job job = { read_mode, NULL, probe };

int main(int argc, char **argv) {
        if (container_is_init(argc, argv))
                container_init(&job);
        auto_err err = { 0 };
        if (!mkdtemp(work_path))
                return 1;
        RUN(says_what_a_plain_user_lacks);
        RUN(enters_once);
        RUN(mounts_are_private);
        RUN(child_cannot_leave);
        RUN(errors_come_back_whole);
        RUN(a_crash_is_an_error);
        RUN(needs_mount_points);
        RUN(what_takes_for_ever_is_ended);
        RUN(ctrl_c_ends_it);
        int failed = test_done();
        (void)!fs_remove_tree(AT_FDCWD, work_path, &err);
        return failed;
}
