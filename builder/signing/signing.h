// SPDX-License-Identifier: MIT
// Signing what a build publishes with a key that people have already, and checking it: ed25519 keys of OpenSSH, in its
// signature format (shared/sshsig.h).
#ifndef KILN_SIGNING_SIGNING_H
#define KILN_SIGNING_SIGNING_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "shared/sshsig.h"

struct signer;

// `path` is a private key (openssh-key-v1 without a passphrase, as `ssh-keygen -t ed25519 -N ""` writes it, readable by
// its owner alone), or a public key (.pub) whose private one ssh-agent holds; for a private key with a passphrase the
// agent is asked, too. The key stays in memory until signer_free(). Errors: REFERENCE (no such file), SIGNATURE (no
// usable key, with what to do).
must_check bool signer_open(const char *path, struct signer **ret, struct err *err);
void signer_free(struct signer *signer); // wipes the key; NULL is fine
const struct ssh_key *signer_key(const struct signer *signer);

// Appends the armored signature over `data` (hashed with SHA-512) in this namespace. The same bytes give the same
// signature: ed25519 is deterministic. SIGNATURE: the agent refuses or is gone.
must_check bool signer_sign(const struct signer *signer, const char *namespace, const void *data, size_t size,
                            struct buf *ret, struct err *err);

// Checks an armored signature over `data`: by one of the keys, in this namespace. `*ret_index` (may be NULL) is that
// key's. `subject` begins the messages. SIGNATURE.
must_check bool signature_check(const char *subject, const struct buf *armored, const char *namespace, const void *data,
                                size_t size, const struct ssh_key *keys, size_t key_count, size_t *ret_index,
                                struct err *err);

// "SHA256:BASE64", as ssh-keygen -l shows a key.
void ssh_key_fingerprint(const struct ssh_key *key, struct buf *ret);

#endif
