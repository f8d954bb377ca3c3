// SPDX-License-Identifier: MIT
// The system calls of a worker, filtered by seccomp(2). Two reasons:
//
// - fsync(2) and its kin succeed without doing anything: rpm and scriptlets ask for hundreds, the tree is thrown away
//   when a build ends early, and a finished layer is synchronised once. An "error" of 0 is success.
// - What would give a scriptlet capabilities or memory that the container took away is refused: namespaces of its own,
//   handles of files, what no namespace confines (kernel keyrings, the kernel's log, sockets of most kinds), other
//   processes' memory, and the interfaces that kernels are attacked by.
//
// Capabilities and mounts keep the worker in; this makes leaving harder for a program that finds a hole in the kernel.
#include "sandbox/syscalls.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "base/mem.h"

#if defined __x86_64__
#define NATIVE_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define NATIVE_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define NATIVE_ARCHITECTURE 0
#endif

// glibc's headers of one architecture do not know the numbers of the other: these are i386's, from the kernel's
// arch/x86/entry/syscalls/syscall_32.tbl. Programs of i686 packages run under them on x86-64.
enum architecture { NATIVE, I386, ARCHITECTURES };

static const struct answer {
        int numbers[ARCHITECTURES];
        int error;
} answers[] = {
        { { SYS_fsync, 118 }, 0 },
        { { SYS_fdatasync, 148 }, 0 },
        { { SYS_sync, 36 }, 0 },
        { { SYS_syncfs, 344 }, 0 },
        { { SYS_sync_file_range, 314 }, 0 },
        { { SYS_unshare, 310 }, EPERM },
        { { SYS_setns, 346 }, EPERM },
        { { SYS_clone3, 435 },
          ENOSYS }, // its flags are in memory, where no filter sees them; glibc then takes clone(2)
        { { SYS_open_by_handle_at, 342 }, EPERM },
        { { SYS_add_key, 286 }, EPERM },
        { { SYS_request_key, 287 }, EPERM },
        { { SYS_keyctl, 288 }, EPERM },
        { { SYS_bpf, 357 }, EPERM },
        { { SYS_perf_event_open, 336 }, EPERM },
        { { SYS_userfaultfd, 374 }, EPERM },
        { { SYS_io_uring_setup, 425 }, ENOSYS },
        { { SYS_ptrace, 26 }, EPERM },
        { { SYS_process_vm_readv, 347 }, EPERM },
        { { SYS_process_vm_writev, 348 }, EPERM },
        { { SYS_kcmp, 349 }, EPERM },
        { { SYS_pidfd_getfd, 438 }, EPERM },
        { { SYS_syslog, 103 }, EPERM },
};

// Families of sockets that live in a network namespace, and that programs of a distribution ask for. AF_VSOCK, for one,
// would reach the host of a virtual machine.
static const unsigned families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

enum {
        I386_SOCKETCALL = 102, // its arguments are in memory; sockets are not what i686 packages' scriptlets need
        X32_FIRST = 0x40000000,
        NAMESPACES =
            CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP,
        INSTRUCTIONS_MAX = 256,
};

static const int clone_numbers[ARCHITECTURES] = { SYS_clone, 120 }, socket_numbers[ARCHITECTURES] = { SYS_socket, 359 };

struct filter {
        struct sock_filter instructions[INSTRUCTIONS_MAX];
        unsigned short count;
};

static void append_instruction(struct filter *filter, struct sock_filter instruction) {
        assert(filter->count < INSTRUCTIONS_MAX);
        filter->instructions[filter->count] = instruction;
        filter->count++;
}

static void add_instruction(struct filter *filter, unsigned short code, unsigned value, unsigned char if_true,
                            unsigned char if_false) {
        append_instruction(filter, (struct sock_filter){ .code = code, .jt = if_true, .jf = if_false, .k = value });
}

static void add_load(struct filter *filter, size_t offset) {
        add_instruction(filter, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}
static void add_answer(struct filter *filter, unsigned what) { add_instruction(filter, BPF_RET | BPF_K, what, 0, 0); }

// An audit record would be written into the host's log. EAFNOSUPPORT, as on a kernel without: libaudit's callers go on.
static void add_socket_rules(struct filter *filter) {
        add_load(filter, offsetof(struct seccomp_data, args));
        for (size_t i = 0; i < lengthof(families); i++)
                add_instruction(filter, BPF_JMP | BPF_JEQ | BPF_K, families[i], (unsigned char)(lengthof(families) - i),
                                0);
        add_answer(filter, SECCOMP_RET_ERRNO | EAFNOSUPPORT);
        add_instruction(filter, BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 3);
        add_load(filter, offsetof(struct seccomp_data, args[2]));
        add_instruction(filter, BPF_JMP | BPF_JEQ | BPF_K, NETLINK_AUDIT, 0, 1);
        add_answer(filter, SECCOMP_RET_ERRNO | EAFNOSUPPORT);
        add_answer(filter, SECCOMP_RET_ALLOW);
}

static void add_clone_rules(struct filter *filter) {
        add_load(filter, offsetof(struct seccomp_data, args)); // the lower half, where the flags are
        add_instruction(filter, BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1);
        add_answer(filter, SECCOMP_RET_ERRNO | EPERM);
        add_answer(filter, SECCOMP_RET_ALLOW);
}

// Runs `part`, which ends with an answer for every call, for one system call.
static void add_call_part(struct filter *filter, int number, void (*part)(struct filter *filter)) {
        unsigned short test = filter->count;
        add_instruction(filter, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 0);
        part(filter);
        filter->instructions[test].jf = (unsigned char)(filter->count - test - 1);
}

// Each test jumps over the one answer that follows it, so that no jump depends on the length of the table. Ends with
// an answer for every call.
static void add_call_rules(struct filter *filter, enum architecture architecture) {
        add_load(filter, offsetof(struct seccomp_data, nr));
        if (architecture == NATIVE) {
                add_instruction(filter, BPF_JMP | BPF_JGE | BPF_K, X32_FIRST, 0, 1);
                add_answer(filter, SECCOMP_RET_ERRNO | ENOSYS);
        } else {
                add_instruction(filter, BPF_JMP | BPF_JEQ | BPF_K, I386_SOCKETCALL, 0, 1);
                add_answer(filter, SECCOMP_RET_ERRNO | EAFNOSUPPORT);
        }
        for (size_t i = 0; i < lengthof(answers); i++) {
                add_instruction(filter, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)answers[i].numbers[architecture], 0, 1);
                add_answer(filter, SECCOMP_RET_ERRNO | (unsigned)answers[i].error);
        }
        add_call_part(filter, clone_numbers[architecture], add_clone_rules);
        add_call_part(filter, socket_numbers[architecture], add_socket_rules);
        add_answer(filter, SECCOMP_RET_ALLOW);
}

bool syscalls_filter(struct err *err) {
        struct filter filter = { .count = 0 };
        struct filter native = { .count = 0 };
        add_call_rules(&native, NATIVE);
        add_load(&filter, offsetof(struct seccomp_data, arch));
        add_instruction(&filter, BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCHITECTURE, 0, (unsigned char)native.count);
        for (size_t i = 0; i < native.count; i++)
                append_instruction(&filter, native.instructions[i]);
        add_instruction(&filter, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 1, 0);
        add_answer(&filter, SECCOMP_RET_ERRNO | ENOSYS); // no other architecture's programs run here
        add_call_rules(&filter, I386);
        struct sock_fprog program = { .len = filter.count, .filter = filter.instructions };
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0)
                return true;
        if (errno == EINVAL) // a kernel without seccomp: capabilities and mounts remain
                return true;
        return fail(err, ERR_SANDBOX, errno, "filter system calls");
}
