// SPDX-License-Identifier: MIT
// Where a signer's key is.
#ifndef KILN_SIGNING_INTERNAL_H
#define KILN_SIGNING_INTERNAL_H

#include "signing/signing.h"

// A private key file (PROTOCOL.key of OpenSSH). `*ret_locked`: it has a passphrase, and only `ret_key` is known.
must_check bool private_key_parse(const struct buf *text, struct ssh_key *ret_key,
                                  uint8_t ret_seed[static SSH_KEY_BYTES], bool *ret_locked, struct err *err);
// Whether the text claims to be a private key at all.
bool private_key_looks_so(const struct buf *text);

// Asks the agent at $SSH_AUTH_SOCK (draft-miller-ssh-agent) to sign. `*ret_absent`: there is no agent, or it does not
// hold the key.
must_check bool agent_sign(const struct ssh_key *key, const struct buf *data,
                           uint8_t ret_signature[static SSH_SIGNATURE_BYTES], bool *ret_absent, struct err *err);
// Whether an agent is there and holds the key.
bool agent_holds(const struct ssh_key *key);

#endif
