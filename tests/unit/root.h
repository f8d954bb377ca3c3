// SPDX-License-Identifier: MIT
// Root for tests that own, mark and mount files as root does, or enter a tree with chroot(2).
//
//     int main(void) { become_root(); RUN(...); return test_done(); }
#ifndef KILN_TESTS_ROOT_H
#define KILN_TESTS_ROOT_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// The first thing in main(). A plain user's program is started again as root of a user namespace, which has all of the
// user's subordinate ids, and of a mount namespace. Device nodes are beyond that root: may_make_devices(). Where such
// namespaces are not to be had, unshare(1) says why and the program ends.
static inline void become_root(void) {
        char self[4096];
        ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
        if (geteuid() == 0 || length < 0)
                return;
        self[length] = '\0';
        setenv("KILN_TEST_MAPPED", "1", 1);
        execlp("unshare", "unshare", "--map-root-user", "--map-auto", "--mount", self, (char *)NULL);
        perror("Bail out! unshare");
        exit(1);
}

static inline int is_mapped(void) { return getenv("KILN_TEST_MAPPED") != NULL; }

#endif
