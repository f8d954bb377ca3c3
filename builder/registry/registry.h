// SPDX-License-Identifier: MIT
// A repository of a registry, by the OCI distribution specification 1.1: blobs by digest, manifests by tag or digest,
// and manifests that refer to another one. Nothing that a registry answers is believed: blobs and manifests count with
// their digest, which is computed as they come in.
//
// https, or with `plain_http` http. Credentials (registry/credentials.h) go to the registry itself, and to the place
// that it names for tokens, over https; over http only where both are this machine. A redirection to another host gets
// neither them nor a token.
//
// The threads of a process may share one.
#ifndef KILN_REGISTRY_REGISTRY_H
#define KILN_REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/progress.h"
#include "base/strings.h"
#include "registry/oci_reference.h"
#include "web/web.h"

enum { REGISTRY_MANIFEST_MAX = 4 << 20 }; // as the specification has it

#define OCI_MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX_TYPE "application/vnd.oci.image.index.v1+json"
#define OCI_EMPTY_TYPE "application/vnd.oci.empty.v1+json"
#define OCI_EMPTY_SHA256 "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" // of the two bytes {}

struct registry;

struct registry_options {
        const struct oci_reference *reference; // its host and repository
        bool plain_http;
        const struct web_patience *patience; // NULL: as long as a person waits
        unsigned attempts;                   // of what a lost connection or a busy server stops; 0: several
};

// Nothing is sent yet. Errors are those of credentials_find().
must_check bool registry_open(const struct registry_options *options, struct registry **ret, struct err *err);
void registry_close(struct registry *registry); // NULL is fine

// All of these fail with NETWORK (no answer, or one that says no), CORRUPT (an answer that is none of a registry),
// CHECKSUM (other bytes than the digest's), INTERRUPTED.

// ---- blobs ----

struct registry_blob {
        const char *sha256;
        uint64_t size_bytes;
};

must_check bool registry_has_blob(struct registry *registry, const char *sha256, bool *ret, struct err *err);

enum registry_sent { REGISTRY_WAS_THERE, REGISTRY_MOUNTED, REGISTRY_SENT };

// What a blob is made of: bytes, or a file from its start.
struct registry_content {
        const void *data;
        int fd;
};
// Uploads a blob that the repository lacks, or has it mounted from one of the repositories `mounts` (NULL: none) of the
// registry. `progress`, if not NULL, advances by its size.
must_check bool registry_push_blob(struct registry *registry, const struct registry_blob *blob,
                                   const struct registry_content *content, const struct strings *mounts,
                                   struct progress *progress, enum registry_sent *ret, struct err *err);
// The blob of all empty configurations.
must_check bool registry_push_empty(struct registry *registry, struct err *err);

// Completes a file that holds the beginning of a blob, or nothing. What is there is not asked for again, unless it
// turns out to be something else. After an error the file holds what has come, and nothing after CHECKSUM and CORRUPT.
must_check bool registry_pull_blob(struct registry *registry, const struct registry_blob *blob, int fd,
                                   struct progress *progress, struct err *err);
// A small one, of at most ret->max bytes.
must_check bool registry_read_blob(struct registry *registry, const char *sha256, struct buf *ret, struct err *err);
// Hands on what a GET of a blob gives, unverified. `*ret_found` is false where there is none.
must_check bool registry_stream_blob(struct registry *registry, const char *sha256, web_take *take, void *context,
                                     bool *ret_found, struct err *err);

// ---- manifests ----

// `name`: a tag, or "sha256:HEX", which the text then has. `ret_digest` is "sha256:HEX" of it; heap.
must_check bool registry_read_manifest(struct registry *registry, const char *name, struct buf *ret, char **ret_digest,
                                       bool *ret_found, struct err *err);
must_check bool registry_has_manifest(struct registry *registry, const char *name, bool *ret, struct err *err);
must_check bool registry_push_manifest(struct registry *registry, const char *name, const char *media_type,
                                       const char *text, struct err *err);

// A manifest that refers to another one.
struct registry_referrer {
        const char *text, *artifact_type;
        const char *subject; // "sha256:HEX", which the text names, too
};
// Pushes it by its digest. Where the registry keeps no lists of referrers, it is added to the index sha256-HEX.
must_check bool registry_push_referrer(struct registry *registry, const struct registry_referrer *referrer,
                                       struct err *err);

#endif
