// SPDX-License-Identifier: MIT
// OpenPGP certificates, as far as librpm's parser does not tell of them: when a key expires and whether it was revoked
// (RFC 4880, sections 4.2, 5.2.3, 5.5.2). The signatures that say so are not checked: the certificate is the release's
// own, and a false statement could only make kiln refuse a key.
#ifndef KILN_PACKAGES_TRUST_CERTIFICATE_H
#define KILN_PACKAGES_TRUST_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct key_facts {
        int64_t created, expires; // seconds since 1970; expires 0: never
        char id[17];              // lower-case hex of the last eight bytes of the fingerprint
        unsigned bits;            // of an RSA or DSA key; 0: of another kind
        bool revoked;
};
// The primary key first, then its subkeys (RFC 4880). Returns how many, at most `max`.
size_t certificate_read(const unsigned char *packets, size_t size, struct key_facts *ret, size_t max);

// What the first packet of a certificate or of a signature is, for messages: "an OpenPGP version 6 key (ML-DSA-65 and
// Ed25519)". Heap.
char *packet_describe(const unsigned char *packets, size_t size);
// Whether the first packet is a key, or a signature, of a kind that librpm can check with: RSA, DSA or EdDSA in OpenPGP
// version 4 or earlier.
bool packet_is_supported(const unsigned char *packets, size_t size);
// Whether the first packet is a whole signature, of whatever kind.
bool packet_is_signature(const unsigned char *packets, size_t size);

// The bytes of an ASCII-armored block (RFC 4880, section 6.2) that begins with the line `begin`. False: there is none,
// or it is malformed.
bool armor_decode(const char *text, const char *begin, struct buf *ret);

#endif
