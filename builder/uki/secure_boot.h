// SPDX-License-Identifier: MIT
// Signatures that UEFI firmware asks for with Secure Boot (UEFI 2.10, section 32.2.4; PKCS #7 as Windows Authenticode
// wants it): RSA over SHA-256. No time is in them, and RSA's older padding is deterministic, so the same key gives the
// same bytes for the same image. `sbsign` of sbsigntool writes the time of day into its signatures.
#ifndef KILN_UKI_SECURE_BOOT_H
#define KILN_UKI_SECURE_BOOT_H

#include "base/buf.h"
#include "base/err.h"
#include "uki/pe_image.h"

struct secure_boot_key;

// PEM files: an RSA private key without a passphrase that only its owner can read, and the certificate that the
// machines' firmware knows (or that one in `db` has issued). REFERENCE: no such file; SIGNATURE: not usable, with why.
must_check bool secure_boot_open(const char *key, const char *certificate, struct secure_boot_key **ret,
                                 struct err *err);
void secure_boot_free(struct secure_boot_key *key); // NULL is fine

// Appends `image` with this signature as its only one.
must_check bool secure_boot_sign(const struct secure_boot_key *key, const struct pe_image *image, struct buf *ret,
                                 struct err *err);

#endif
