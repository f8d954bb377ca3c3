// SPDX-License-Identifier: MIT
// The chain of trust. Metadata says the sha256 of the file (and repomd.xml the sha256 of the metadata). For
// TRUST_SIGNATURE the package's own OpenPGP signature is demanded besides, by a key of its repository, and it must
// cover the payload: directly (header and payload, as EL7 signs) or through the payload's digest in the signed header.
// So whoever unpacks it, with librpm or without, unpacks what was signed.
#ifndef KILN_PACKAGES_TRUST_PACKAGE_VERIFY_H
#define KILN_PACKAGES_TRUST_PACKAGE_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "packages/packages.h"

struct keyring;

// Size and digest of a package's file against its metadata. `path` is for messages.
must_check bool package_check_size(const struct package *package, uint64_t size, const char *path, struct err *err);
must_check bool package_check_digest(const struct package *package, const char *hex, const char *path, struct err *err);
// A package file against its metadata and, for TRUST_SIGNATURE, the repository's keys (NULL: DIGEST). `digest_known`:
// the caller has just computed the checksum of these bytes. Errors: CHECKSUM, CORRUPT, SIGNATURE.
must_check bool package_verify(const struct package *package, const char *path, const struct keyring *keyring,
                               bool digest_known, struct err *err);

#endif
