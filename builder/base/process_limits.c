// SPDX-License-Identifier: MIT
#include "base/process_limits.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

enum { FILES_MIN = 256, FILES_ENOUGH = 65536 };

bool process_limits_prepare(struct err *err) {
        struct rlimit files;
        signal(SIGXFSZ, SIG_IGN);
        if (getrlimit(RLIMIT_NOFILE, &files) < 0)
                return fail(err, ERR_SYSTEM, errno, "ask how many files may be open");
        rlim_t wanted = files.rlim_max;
        if (wanted > FILES_ENOUGH)
                wanted = FILES_ENOUGH;
        if (files.rlim_cur < wanted) {
                struct rlimit raised = { wanted, files.rlim_max };
                if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
                        files.rlim_cur = wanted;
        }
        if (files.rlim_cur >= FILES_MIN)
                return true;
        fail(err, ERR_SYSTEM, 0, "this process may have %llu files open, and kiln needs %d",
             (unsigned long long)files.rlim_cur, FILES_MIN);
        return hint(err,
                    "raise the hard limit: ulimit -Hn in the shell that started it, LimitNOFILE= of a systemd unit, "
                    "or /etc/security/limits.conf");
}
