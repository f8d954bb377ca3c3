// SPDX-License-Identifier: MIT
// What the steps of `kiln verify` share.
#ifndef KILN_VERIFY_INTERNAL_H
#define KILN_VERIFY_INTERNAL_H

#include <jansson.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/digest.h"
#include "verify/verify.h"

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
        json_t *manifest;    // NULL: unreadable
        struct buf findings; // one line each, indented
        size_t finding_count;
};

void verify_note(struct published_build *build, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct published_file *verify_find(const struct published_build *build, const char *path); // NULL: none

// Reads SHA256SUMS, finds every file and digests it; notes what is missing, changed or not listed.
must_check bool verify_sums(struct published_build *build, unsigned jobs, struct err *err);
// Reads manifest.json; notes where it, configuration layers, ISOs and files contradict each other.
must_check bool verify_inner(struct published_build *build, struct err *err);
// Makes the build again and notes where the published one differs.
must_check bool verify_again(struct published_build *build, const struct verify_options *options, struct err *err);

must_check bool published_open(const char *path, struct published_build *ret, struct err *err);
void published_close(struct published_build *build);

#endif
