// SPDX-License-Identifier: MIT
// The kinds of artefacts, one a file, and what one of them tells the others.
#ifndef KILN_ARTEFACT_INTERNAL_H
#define KILN_ARTEFACT_INTERNAL_H

#include "artefact/artefact.h"
#include "base/buf.h"
#include "base/digest.h"

extern const struct artefact_kind kernel_kind, squashfs_kind, initrd_kind, config_kind, uki_kind, iso_kind, pxe_kind,
    kickstart_kind, lock_kind, manifest_kind, sbom_kind, sums_kind, signatures_kind;

// What the initrd and kickstart files say of whom to trust (firmware/node/trust/trust.h has the format). Nothing
// without trusted keys.
void trust_format(const struct cluster *cluster, struct buf *ret);

// Appends SHA256SUMS: a line for each file that was written. ERR_CORRUPT as file_sums_list().
must_check bool sums_format(struct artefact_build *build, struct buf *ret, struct err *err);

// The signature over the role's boot.sums: by the signer, or as it is kept. Nothing is appended for a build that is not
// signed.
must_check bool boot_sums_sign(const struct artefact_build *build, const struct artefact_role *role, struct buf *ret,
                               struct err *err);

// The stub's version, as it says itself, and its digest.
must_check bool uki_stub_describe(const struct artefact_build *build, char *ret_version, size_t room,
                                  char ret_sha256[static DIGEST_HEX_SIZE], struct err *err);

// Whether the cache has an image of the role's root, so that it need not be packed.
bool squashfs_is_cached(const struct artefact_build *build, const struct artefact_role *role);
// The packed root's file list (file_list.h), as it lies in the cache.
must_check bool squashfs_read_files(const struct artefact_build *build, const struct artefact_role *role,
                                    struct buf *ret, struct err *err);

#endif
