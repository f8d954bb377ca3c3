// SPDX-License-Identifier: MIT
// What a part of a test says on standard error.
//
//     struct said said = said_begin(); ...; said_end(&said, &text);
#ifndef KILN_TESTS_SAID_H
#define KILN_TESTS_SAID_H

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"

struct said {
        int file, saved;
};

static inline struct said said_begin(void) {
        struct said said = { open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), -1 };
        fflush(stderr);
        said.saved = dup(STDERR_FILENO);
        if (said.file < 0 || said.saved < 0 || dup2(said.file, STDERR_FILENO) < 0)
                perror("keep standard error");
        return said;
}

static inline void said_end(struct said *said, struct buf *ret_text) {
        struct err err = { 0 };
        fflush(stderr);
        if (dup2(said->saved, STDERR_FILENO) < 0 || lseek(said->file, 0, SEEK_SET) < 0 ||
            !buf_read_fd(ret_text, said->file, &err))
                perror("give standard error back");
        close(said->file);
        close(said->saved);
        err_release(&err);
}

#endif
