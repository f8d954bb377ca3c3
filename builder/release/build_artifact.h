// SPDX-License-Identifier: MIT
// A build as an OCI artifact (OCI image specification 1.1, "Guidelines for Artifact Usage"): an image manifest of
// artifactType application/vnd.kiln.build.v1 with the empty configuration and a layer for each file, in the order of
// paths. A layer's org.opencontainers.image.title is the path within the build, its vnd.kiln.mode the file's mode where
// that is not 0644. The manifest's annotations are vnd.kiln.build and vnd.kiln.cluster; vnd.kiln.partial where the
// build lacks roles or kinds of artefacts; and org.opencontainers.image.created, which is the build's own epoch: the
// same build gives the same manifest, whenever and wherever it is pushed.
#ifndef KILN_RELEASE_BUILD_ARTIFACT_H
#define KILN_RELEASE_BUILD_ARTIFACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"
#include "registry/oci_reference.h"

#define ARTIFACT_TYPE "application/vnd.kiln.build.v1"
#define ARTIFACT_SIGNATURES_TYPE "application/vnd.kiln.signatures.v1"

struct artifact_file {
        const char *path;
        char sha256[OCI_DIGEST_SIZE];
        uint64_t size_bytes;
        mode_t mode; // 0644, 0444
};

// Memory is the arena's.
struct build_artifact {
        struct arena arena;
        const char *build, *cluster;
        bool is_partial;
        int64_t created_s; // since 1970
        struct artifact_file *files;
        size_t count;
};
void build_artifact_release(struct build_artifact *artifact);

// Describes the published build in directory `dir`, which kiln verify finds whole: digests are those of its SHA256SUMS,
// but for that and the signatures. DIFFERENT: it is no such build, or holds what a build does not.
must_check bool build_artifact_read(int dir, bool is_partial, struct build_artifact *ret, struct err *err);

char *build_artifact_format(const struct build_artifact *artifact); // heap
// A manifest that refers to `subject` ("sha256:HEX", of a text of `subject_size` bytes), with those files of the build
// that `takes` says; heap, or NULL if there are none.
char *build_artifact_format_referrer(const struct build_artifact *artifact, const char *subject, size_t subject_size,
                                     const char *type, bool (*takes)(const struct artifact_file *file));

// Reads a manifest that anybody may have written. CORRUPT: it is none of a build, or names files that no build has:
// outside of it, hidden, twice, one below another.
must_check bool build_artifact_parse(const char *text, size_t size, struct build_artifact *ret, struct err *err);
// Compares the files with a SHA256SUMS, which must be one of them: each is listed there with its digest, or is that
// file itself or a signature of a listed one; and all that are listed are there. CORRUPT names the first that is not.
must_check bool build_artifact_check_sums(const struct build_artifact *artifact, const char *sums, struct err *err);

// Of each content one file, the first by its path; ordered by digest. The array is heap.
const struct artifact_file **build_artifact_contents(const struct build_artifact *artifact, size_t *ret_count);
const struct artifact_file *build_artifact_find(const struct build_artifact *artifact, const char *path);

#endif
