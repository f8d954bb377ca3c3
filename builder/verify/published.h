// SPDX-License-Identifier: MIT
// A published build that is looked through, and what was found in it.
#ifndef KILN_VERIFY_PUBLISHED_H
#define KILN_VERIFY_PUBLISHED_H

#include <jansson.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"

#define SUMS_NAME "SHA256SUMS"
#define MANIFEST_NAME "manifest.json"

// A file of a published build.
struct published_file {
        char *path;
        bool exists;                  // as a regular file
        struct stat stat;             // if it exists
        char sha256[DIGEST_HEX_SIZE]; // what it is, if it exists
        char listed[DIGEST_HEX_SIZE]; // what SHA256SUMS says; "" if it does not name the file
};

struct published_build {
        char *path; // resolved: no link in it
        int dir;
        struct published_file *files; // sorted by path; SHA256SUMS itself is not among them
        size_t count;
        char **directories; // sorted as fs_walk() finds them
        size_t directory_count;
        json_t *manifest;    // NULL: there is none, or it cannot be read
        struct buf findings; // one line each, indented
        size_t finding_count;
};

// Opens a build's directory, or the one that `current` in it points to. REFERENCE if neither holds SHA256SUMS. To be
// closed also after an error.
must_check bool published_open(const char *path, struct published_build *ret, struct err *err);
void published_close(struct published_build *build);

struct published_file *published_add(struct published_build *build, const char *path);
void published_sort(struct published_build *build);
// Among the sorted files: that of this path, or NULL.
struct published_file *published_find(const struct published_build *build, const char *path);
// The same, or NULL also where it is not a regular file.
const struct published_file *published_find_existing(const struct published_build *build, const char *path);
must_check bool published_open_file(const struct published_build *build, const char *path, int *ret_fd,
                                    struct err *err);

// Adds a finding: something that is not as it should be.
void published_note(struct published_build *build, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
