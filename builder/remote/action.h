// SPDX-License-Identifier: MIT
// An action entry of a shared cache, <URL>/ac/KEY: what the content of a cache's entry is, signed. A text of
//
//     kiln cache entry 1
//     kind layers
//     name 9f86d081884c...
//     form tree
//     sha256 2c26b46b68ff...
//     size 1048576
//
// and the armored signature over exactly these lines in the namespace SSHSIG_CACHE (shared/sshsig.h). The name of an
// entry is a digest of everything that decides it, so that binding it to the content leaves nothing to replay: an entry
// under another KEY, of another kind, or of another form is refused.
#ifndef KILN_REMOTE_ACTION_H
#define KILN_REMOTE_ACTION_H

#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "signing/signing.h"

enum { ACTION_KEY_SIZE = 65, ACTION_TEXT_MAX = 16 << 10 };
static const uint64_t action_content_max_bytes = UINT64_C(64) << 30;

enum action_form {
        ACTION_FILE, // the content is the file's
        ACTION_TREE  // the content is a bundle (remote/bundle.h)
};

struct action {
        const char *kind, *name; // of the entry, as the cache has them
        enum action_form form;
        char sha256[ACTION_KEY_SIZE]; // of the content, lower-case hex
        uint64_t size_bytes;
};

// KEY: the SHA-256 of version, kind and name.
void action_key(const char *kind, const char *name, char ret_key[static ACTION_KEY_SIZE]);

// Appends the signed text. SIGNATURE: the signer cannot.
must_check bool action_sign(const struct action *action, const struct signer *signer, struct buf *ret, struct err *err);

// Reads `sha256` and `size_bytes` of the action whose kind, name and form the caller wants, from a signed text. It must
// be to the byte what action_sign() gives with one of the keys. SIGNATURE: it is anything else.
must_check bool action_read(const struct buf *text, const struct ssh_key *keys, size_t key_count, struct action *action,
                            struct err *err);

#endif
