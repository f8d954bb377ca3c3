// SPDX-License-Identifier: MIT
// The list of a configuration layer that a key signs: what the layer holds, to the last byte, and which root, cluster,
// role and build it belongs to. config.cpio brings it as /kiln/layer and its signature (shared/sshsig.h, namespace
// SSHSIG_LAYER) as /kiln/layer.sig; kiln-node refuses in the initrd what the list does not name. A text, one line each:
//
//     kiln-layer 1
//     cluster NAME
//     role NAME
//     build ID
//     serial NUMBER                        0: none was given
//     root SHA256 SIZE                     rootfs.squashfs
//     d MODE UID GID PATH                  a directory
//     f MODE UID GID SIZE SHA256 PATH      a file
//     l MODE UID GID TARGET PATH           a symbolic link
//     c MODE UID GID MAJOR:MINOR PATH      a character device, 0:0 for a whiteout; b: a block device
//     p MODE UID GID PATH                  a named pipe
//
// Paths are relative to /kiln ("config/etc/hostname", "root.conf"), sorted by their bytes (those of the names, not
// of their escaped form), none twice. MODE is the twelve permission bits in octal. In names, paths and targets, bytes
// up to 0x20, from 0x7f on and "%" are %XX (upper case).
#ifndef KILN_SHARED_SIGNED_LAYER_H
#define KILN_SHARED_SIGNED_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define SIGNED_LAYER_NAME "layer"
#define SIGNED_LAYER_SIGNATURE "layer.sig"

// Where the initrd has the keys that it trusts (firmware/node/trust/trust.h has the format), and how many at most.
#define TRUST_PATH "/etc/kiln/trust"
enum { TRUST_KEYS_MAX = 16 };

enum { LAYER_SHA256_SIZE = 65, SIGNED_LAYER_MAX_BYTES = 32 << 20 };

// JSON's numbers are exact up to here, and the manifest has the serial.
#define SERIAL_MAX 9007199254740991L

struct layer_entry {
        char type;               // one of d f l c b p
        unsigned mode, uid, gid; // mode: permission bits
        unsigned major, minor;   // of a device
        uint64_t size_bytes;     // of a file
        char sha256[LAYER_SHA256_SIZE];
        const char *path, *target; // target: of a link
};

struct signed_layer {
        const char *cluster, *role, *build;
        uint64_t serial;
        char root_sha256[LAYER_SHA256_SIZE];
        uint64_t root_size_bytes;
        struct layer_entry *entries; // sorted by path
        size_t count;
};

// Sorts the entries.
void signed_layer_format(struct signed_layer *layer, struct buf *ret);

// ERR_SIGNATURE for anything but what signed_layer_format() writes: only signed text comes here, so a mistake in it is
// the signer's, and no one guesses. All memory is the arena's.
must_check bool signed_layer_parse(const char *text, size_t size, struct arena *arena, struct signed_layer *ret,
                                   struct err *err);

// NULL: the layer has nothing of this path.
const struct layer_entry *signed_layer_find(const struct signed_layer *layer, const char *path);

#endif
