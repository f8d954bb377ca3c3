// SPDX-License-Identifier: MIT
// Signatures in the format of OpenSSH (PROTOCOL.sshsig) by ed25519 keys (RFC 8032), which `ssh-keygen -Y sign` makes
// and `ssh-keygen -Y verify` checks. Only their form: who signs and checks brings a library of its own (libcrypto in
// the builder, nettle in kiln-node).
//
// A signature covers a namespace, so that one made for something else is not taken:
//     SSHSIG_BUILD   SHA256SUMS and manifest.json of a build
//     SSHSIG_LAYER   the list of a configuration layer (shared/signed_layer.h)
//     SSHSIG_CACHE   what an entry of a shared cache is (remote/action.h)
#ifndef KILN_SHARED_SSHSIG_H
#define KILN_SHARED_SSHSIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SSHSIG_BUILD "kiln-build"
#define SSHSIG_LAYER "kiln-layer"
#define SSHSIG_CACHE "kiln-cache"

enum {
        SSH_KEY_BYTES = 32,
        SSH_SIGNATURE_BYTES = 64,
        SSHSIG_NAMESPACE_SIZE = 64,
        SSHSIG_HASH_SIZE = 8,
        SSHSIG_TEXT_MAX = 4096, // no signature by an ed25519 key is longer
        SSH_KEY_TEXT_MAX = 1024,
};

// A public key.
struct ssh_key {
        uint8_t bytes[SSH_KEY_BYTES];
};

struct sshsig {
        struct ssh_key key;
        char namespace[SSHSIG_NAMESPACE_SIZE];
        char hash[SSHSIG_HASH_SIZE]; // of the message: "sha256" or "sha512"
        uint8_t signature[SSH_SIGNATURE_BYTES];
};

// A line of an authorized_keys or .pub file without options: "ssh-ed25519 BASE64 [COMMENT]". ERR_SYNTAX says what it is
// instead: another kind of key, a private key, not a key.
must_check bool ssh_key_parse(const char *line, struct ssh_key *ret, struct err *err);
// The same as text, without a comment and newline.
void ssh_key_format(const struct ssh_key *key, struct buf *ret);
// Its form on the wire (RFC 8709, section 4): string "ssh-ed25519", string of 32 bytes.
void ssh_key_blob(const struct ssh_key *key, struct buf *ret);
bool ssh_key_equal(const struct ssh_key *left, const struct ssh_key *right);

// ERR_SIGNATURE for anything but one armored signature by an ed25519 key.
must_check bool sshsig_parse(const char *text, size_t size, struct sshsig *ret, struct err *err);
void sshsig_format(const struct sshsig *sshsig, struct buf *ret);

// The bytes that the key signs: the namespace and the digest (not hexadecimal) of the message.
void sshsig_covered(const struct sshsig *sshsig, const void *digest, size_t digest_bytes, struct buf *ret);

// A string of RFC 4251, section 5: its length in four bytes, then its bytes.
void ssh_string(const void *data, size_t size, struct buf *ret);

// Reads what ssh_string() and friends wrote: `data` and `size` move on. False where the bytes end too early.
struct ssh_reader {
        const uint8_t *data;
        size_t size;
};
bool ssh_read_uint32(struct ssh_reader *reader, uint32_t *ret);
bool ssh_read_string(struct ssh_reader *reader, struct ssh_reader *ret);
// Whether the string is this text.
bool ssh_reader_is(const struct ssh_reader *string, const char *text);

#endif
