// SPDX-License-Identifier: MIT
// Runs inside of the sandbox, as a scriptlet's child: system calls that must not succeed there. Prints "hole: NAME" for
// each that does, and "tried". Static: the image has no libraries.
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static long block_device(void) { return mknod("/var/lib/attack/disk", S_IFBLK | 0666, makedev(254, 0)); }
static long character_device(void) { return mknod("/var/lib/attack/mem", S_IFCHR | 0666, makedev(1, 1)); }
static long handle(void) { return syscall(SYS_open_by_handle_at, AT_FDCWD, "", 0) < 0 && errno == EPERM ? -1 : 0; }
static long user_namespace(void) { return unshare(CLONE_NEWUSER); }
static long cloned_namespace(void) {
        long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
        if (child == 0)
                _exit(0);
        return child;
}
static long join_init(void) { return setns(open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC), 0); }
static long mount_tmpfs(void) { return mount("x", "/tmp", "tmpfs", 0, NULL); }
static long mount_proc(void) { return mount("x", "/tmp", "proc", 0, NULL); }
static long mount_sysfs(void) { return mount("x", "/tmp", "sysfs", 0, NULL); }
static long bind_mount(void) { return mount("/", "/tmp", NULL, MS_BIND, NULL); }
static long remount_proc(void) { return mount(NULL, "/proc", NULL, MS_REMOUNT | MS_BIND, NULL); }
static long unmount_proc(void) { return umount2("/proc", MNT_DETACH); }
static long new_mount(void) { return fsopen("tmpfs", 0); }
static long tree(void) { return open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE); }
static long pivot(void) { return syscall(SYS_pivot_root, ".", "."); }
static long load_module(void) { return syscall(SYS_init_module, "", 0L, ""); }
static long load_kernel(void) { return syscall(SYS_kexec_load, 0L, 0L, 0L, 0L); }
static long reboot_off(void) { return reboot(RB_DISABLE_CAD); }
static long swap(void) { return swapon("/etc/passwd", 0); }
static long set_time(void) { return settimeofday(NULL, &(struct timezone){ 0 }); }
static long set_name(void) { return sethostname("hole", 4); }
static long kernel_log(void) { return syscall(SYS_syslog, 10L, NULL, 0L); }
static long session_keyring(void) { return syscall(SYS_keyctl, 0L, -3L, 0L, 0L, 0L); }
static long user_keyring(void) { return syscall(SYS_keyctl, 0L, -4L, 1L, 0L, 0L); }
static long make_key(void) { return syscall(SYS_add_key, "user", "x", "x", 1L, -4L); }
static long bpf(void) { return syscall(SYS_bpf, 0L, NULL, 0L) < 0 && errno == EPERM ? -1 : 0; }
static long perf(void) {
        unsigned char attributes[128] = { 1, 0, 0, 0, 128 }; // PERF_TYPE_SOFTWARE
        return syscall(SYS_perf_event_open, attributes, 0L, -1L, -1L, 0L);
}
static long faults(void) { return syscall(SYS_userfaultfd, 1L); }
static long ring(void) { return syscall(SYS_io_uring_setup, 0L, NULL) < 0 && errno == ENOSYS ? -1 : 0; }
static long trace_init(void) { return ptrace(PTRACE_SEIZE, 1, 0, 0); }
static long trace_worker(void) { return ptrace(PTRACE_SEIZE, 2, 0, 0); }
static long read_worker(void) {
        char byte;
        struct iovec here = { &byte, 1 }, there = { (void *)0x400000, 1 };
        return process_vm_readv(2, &here, 1, &there, 1, 0) < 0 && errno == EPERM ? -1 : 0;
}
static long steal_descriptor(void) {
        long pidfd = syscall(SYS_pidfd_open, 2L, 0L);
        return syscall(SYS_pidfd_getfd, pidfd, 0L, 0L);
}
static long audit(void) { return socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT); }
static long raw(void) { return socket(AF_INET, SOCK_RAW, 1); }
static long packet(void) { return socket(AF_PACKET, SOCK_RAW, 0); }
static long vsock(void) { return socket(AF_VSOCK, SOCK_STREAM, 0); }
static long crypto(void) { return socket(AF_ALG, SOCK_SEQPACKET, 0); }
static long immutable(void) {
        int flags = FS_IMMUTABLE_FL, fd = open("/var/lib/attack", O_RDONLY | O_CLOEXEC);
        return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}
static long type(void) { return ioctl(0, TIOCSTI, "x"); }
static long terminal(void) { return open("/dev/tty", O_RDWR | O_CLOEXEC); }
static long abstract_socket(void) { // the test listens outside under this name
        struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0kiln-sandbox-test" };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return connect(fd, (struct sockaddr *)&address, sizeof(sa_family_t) + 18);
}
static long bounding_set(void) {
        static const int gone[] = {
                2 /* DAC_READ_SEARCH */, 12, 13, 16, 17, 18 + 1, 21, 22, 24, 25, 27, 29, 33, 34, 38, 39, 40
        };
        for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
                if (prctl(PR_CAPBSET_READ, gone[i]) > 0)
                        return 0;
        return -1;
}
static long parent_group(void) { return getpgid(0) > 0 ? -1 : 0; } // 0: the group of a process outside

static const struct {
        const char *name;
        long (*call)(void);
} calls[] = {
        { "mknod of a block device", block_device },
        { "mknod of /dev/mem", character_device },
        { "open_by_handle_at", handle },
        { "unshare", user_namespace },
        { "clone with namespaces", cloned_namespace },
        { "setns", join_init },
        { "mount a tmpfs", mount_tmpfs },
        { "mount proc", mount_proc },
        { "mount sysfs", mount_sysfs },
        { "mount --bind", bind_mount },
        { "remount /proc", remount_proc },
        { "umount /proc", unmount_proc },
        { "fsopen", new_mount },
        { "open_tree", tree },
        { "pivot_root", pivot },
        { "init_module", load_module },
        { "kexec_load", load_kernel },
        { "reboot", reboot_off },
        { "swapon", swap },
        { "settimeofday", set_time },
        { "sethostname", set_name },
        { "syslog", kernel_log },
        { "session keyring", session_keyring },
        { "user keyring", user_keyring },
        { "add_key", make_key },
        { "bpf", bpf },
        { "perf_event_open", perf },
        { "userfaultfd", faults },
        { "io_uring_setup", ring },
        { "ptrace of init", trace_init },
        { "ptrace of the worker", trace_worker },
        { "process_vm_readv", read_worker },
        { "pidfd_getfd", steal_descriptor },
        { "audit socket", audit },
        { "raw socket", raw },
        { "packet socket", packet },
        { "vsock socket", vsock },
        { "AF_ALG socket", crypto },
        { "chattr +i", immutable },
        { "TIOCSTI", type },
        { "/dev/tty", terminal },
        { "abstract socket of the host", abstract_socket },
        { "capabilities to be got back", bounding_set },
        { "process group of the host", parent_group },
};

int main(void) {
        for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
                if (calls[i].call() >= 0)
                        printf("hole: %s\n", calls[i].name);
        puts("tried");
        return 0;
}
