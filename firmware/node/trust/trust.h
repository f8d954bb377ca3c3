// SPDX-License-Identifier: MIT
// What the initrd believes: the keys whose signature a configuration layer needs. The file is the initrd's own, so
// whoever vouches for the initrd (a signed unified kernel image, a boot medium in hand) vouches for the keys.
//
//     cluster NAME
//     minimum_serial NUMBER
//     key ssh-ed25519 BASE64 [COMMENT]     one or more
#ifndef KILN_NODE_TRUST_TRUST_H
#define KILN_NODE_TRUST_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "shared/signed_layer.h"
#include "shared/sshsig.h"

enum { TRUST_NAME_SIZE = 256 };

struct trust {
        char cluster[TRUST_NAME_SIZE];
        uint64_t minimum_serial;
        struct ssh_key keys[TRUST_KEYS_MAX];
        size_t key_count; // 0: nothing needs to be signed
};

// An absent file trusts no key and demands none. ERR_SYNTAX for a file that is not as above: nobody boots by a guess.
must_check bool trust_read(const char *path, struct trust *ret, struct err *err);

// Whether one of the keys made this armored signature over `data` in the namespace. ERR_SIGNATURE says what is wrong;
// `*ret_key` (may be NULL) is the key's index.
must_check bool trust_check(const struct trust *trust, const char *namespace, const void *data, size_t size,
                            const struct buf *armored, size_t *ret_key, struct err *err);

// Checks all that the boot loader brought below the directory `dir` ("/kiln"): its list is signed by a trusted key, is
// of this cluster and not older than the minimum, and there is nothing that it does not name, and nothing that is not
// as it says. rootfs.squashfs is left to its digest, which is the list's. The parsed list's memory is the arena's.
// `*ret_key` is the index of the key that signed it. Errors: SIGNATURE, with the path and what differs.
//
// What is checked is what the kernel has unpacked: whoever can have another cpio unpacked behind the initrd can replace
// this program, too. Only a signed loader, a signed kernel image or a medium in hand keeps the initrd itself whole.
must_check bool trust_check_layer(const struct trust *trust, int dir, struct arena *arena, struct signed_layer *ret,
                                  size_t *ret_key, struct err *err);

// "SHA256:BASE64", as ssh-keygen -l shows a key.
void trust_key_fingerprint(const struct ssh_key *key, struct buf *ret);

#endif
