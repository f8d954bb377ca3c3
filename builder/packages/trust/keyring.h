// SPDX-License-Identifier: MIT
// The OpenPGP keys of a repository, and signatures by them. A key is trusted for its pinned fingerprint, or for the
// place that the release names; a keyring takes nothing from the build host's own rpm.
#ifndef KILN_PACKAGES_TRUST_KEYRING_H
#define KILN_PACKAGES_TRUST_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "packages/packages.h"

struct keyring;
// Loads the keys of a repository, from files, the cache or the network. A key URL below the base URL of a replaced
// repository of the release (NULL: none) is looked for below the replacement first. NETWORK, SIGNATURE (no key, none
// that is pinned, or one that cannot be read).
must_check bool keyring_load(const struct repository *repository, const struct release *release,
                             const struct packages_options *options, struct keyring **ret, struct err *err);
void keyring_free(struct keyring *keyring);
// Hash over fingerprints: changes when the trusted keys change, or one of them is revoked or expires.
const char *keyring_identity(const struct keyring *keyring);

// The file that a key of a release is, or is cached in; heap. It may be absent.
char *key_file(const struct packages_options *options, const char *key);
// Its name in an export: the last part of its path or URL, without what a URL takes for a query ("lookup?search=...").
// Heap.
char *key_export_name(const char *key);

// One part of what a signature covers.
struct span {
        int fd;
        uint64_t offset, size_bytes;
};
// Checks a binary OpenPGP signature over parts of a file. `subject` begins the messages. ERR_SIGNATURE.
must_check bool keyring_verify(const struct keyring *keyring, const char *subject, const void *signature,
                               size_t signature_size, struct span covered, struct err *err);
// The same for an ASCII-armored or binary detached signature (repomd.xml.asc).
must_check bool keyring_verify_detached(const struct keyring *keyring, const char *subject, const struct buf *signature,
                                        int fd, struct err *err);

#endif
