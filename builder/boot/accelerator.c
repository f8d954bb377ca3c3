// SPDX-License-Identifier: MIT
// Whether KVM is any good. /dev/kvm may be there, run a tiny guest, and still hang a real kernel (nested virtualisation
// does that), so the probe boots the build's own kernel. Without a root it must panic and reset, which ends QEMU.
#include <fcntl.h>
#include <string.h>

#include "base/progress.h"
#include "boot/internal.h"

enum { PROBE_LIMIT_MS = 10000 };

static bool probe_kvm(const char *kernel, bool *ret_works, struct err *err) {
        const char *argv[] = { QEMU,       "-accel",      "kvm",
                               "-cpu",     "host",        "-m",
                               "256",      "-nodefaults", "-no-user-config",
                               "-display", "none",        "-serial",
                               "stdio",    "-no-reboot",  "-kernel",
                               kernel,     "-append",     "console=ttyS0,115200 panic=-1",
                               NULL };
        auto_buf output = { 0 };
        bool timed_out;
        auto_err failure = { 0 };
        struct process process = {
                .argv = argv, .output = &output, .output_fd = -1, .dir = -1, .limit_ms = PROBE_LIMIT_MS
        };
        if (!process_run(&process, &timed_out, &failure) && failure.kind == ERR_INTERRUPTED) {
                *err = take_err(&failure);
                return false;
        }
        *ret_works = !timed_out && strstr(buf_text(&output), "Kernel panic");
        return true;
}

static bool kvm_is_there(void) {
        auto_close int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
        return fd >= 0;
}

// Once a run: it takes seconds.
static bool kvm_works(const char *kernel, bool *ret_works, struct err *err) {
        static enum { UNKNOWN, WORKS, HANGS } kvm;
        bool works = false;
        if (kvm == UNKNOWN && kvm_is_there()) {
                notice("trying KVM with the build's kernel");
                if (!probe_kvm(kernel, &works, err))
                        return false;
                if (!works)
                        notice("KVM does not boot it: emulating (slower)");
        }
        if (kvm == UNKNOWN)
                kvm = works ? WORKS : HANGS;
        *ret_works = kvm == WORKS;
        return true;
}

bool accelerator_choose(const char *wanted, const char *kernel, const char **ret, struct err *err) {
        bool works;
        wanted = text_or(wanted, "auto");
        if (strcmp(wanted, "tcg") == 0 || strcmp(wanted, "kvm") == 0) {
                *ret = wanted;
                return true;
        }
        if (strcmp(wanted, "auto") != 0)
                return fail(err, ERR_USAGE, 0, "accelerator `%s`: there are auto, tcg and kvm", wanted);
        if (!kvm_works(kernel, &works, err))
                return false;
        *ret = works ? "kvm" : "tcg";
        return true;
}
