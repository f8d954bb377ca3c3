// SPDX-License-Identifier: MIT
// Artefacts: what a build publishes.
//
// A kind of artefact is a const struct artefact_kind, in a file of its own here, and a line of the table
// artefact_kinds[] in artefact.c. That table is all that `kiln build` and --only know of kinds. packages_lock.c is the
// smallest kind, kernel.c the smallest of those that are made for each role. To add one:
//
//   The file  NAME.c with NAME_kind, which internal.h declares. The line goes behind every kind that the new one needs:
//             kinds are written in the order of the table. What lists or digests all that is published stays last.
//   check     says, before any work starts, why the artefact could not be made: a setting of the release or of a role
//             that cannot be, a program that is not installed (iso/program.h). It reads build->cluster and the paths
//             of the build host; there are no packages and no roots yet.
//   write     makes it. With `per_role` it is called for every role and writes into role->out, otherwise once, with
//             role NULL, into build->out. All that is published appears by one rename when every kind is done, so
//             files are written in place. Kinds per role run in several threads, for several roles and next to
//             other kinds at once: write() changes nothing but the directory and those fields of its role that are
//             its own. What it writes depends on nothing but its inputs: no clock but source_date_epoch, no
//             order but a sorted one, no name of this machine.
//   needs     names the kinds whose files or fields it reads. They are written with it when --only asks for it alone.
//   after     names the kinds whose files it takes up where they are written, and does without otherwise.
//   by_name   is for a kind that not everybody wants: whether this cluster gets it only if --only asks.
//   Results   that a later kind reads, such as a digest, are fields of struct artefact_role below.
//   Cache     A large file that depends on little is kept there: cached_artefact.h, and a line in cache/layout.c if
//   none
//             of the kinds of entries fits.
//   look      is for a kind that is kept there under a key that only it knows: what decides the file, and whether it is
//             there already. `kiln plan` asks, and the text tells the next build what has changed.
//   Options   are the user's, so they stand in a release's file (`squashfs`, `bootloader`) or in a role's
//             (`kickstart`): a line in profile/release_table.c or role_table.c, with type, range, default and
//             description, and a field of struct release or struct role in profile/profile.h. The JSON Schema follows
//             from the line, and what these files say decides the build's id. An option of the command line, as
//             http_base is one, is a field of struct artefact_build and a line in build/build_id.c.
//   Tests     tests/unit/NAME.c with the cluster of tests/artefact/sample.h: write the kind, let tools that are not
//             ours judge the result (sample_judge()), write it again and compare every bit, and see each error of
//             check() once. `tests/run unit/NAME` runs it. tests/run reproducible compares whole builds.
//
// image/ (a squashfs of a tree), initrd/ (newc archives, kernel modules, compressed parts) and iso/ (volumes and their
// templates) do the work of the kinds that are named so, and know nothing of kinds, builds and roles.
#ifndef KILN_ARTEFACT_ARTEFACT_H
#define KILN_ARTEFACT_ARTEFACT_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "cache/cache.h"
#include "packages/packages.h"
#include "profile/profile.h"
#include "signing/signing.h"
#include "uki/secure_boot.h"

enum { ARTEFACT_SHA256_SIZE = 65 }; // in hex, with its NUL

// Beside a file: its signature.
#define SIGNATURE_SUFFIX ".sig"
// Behind the name of an ISO: what `kiln iso` writes it from (iso/iso_parts.h).
#define ISO_PARTS_SUFFIX ".parts"
// Of each role, as sha256sum writes it: digests of config.cpio and rootfs.squashfs.
#define BOOT_SUMS_NAME "boot.sums"
// What the file of a build is the signature of, by its path: heap, or NULL where kiln writes none. Whether that file is
// there, the caller looks: a signature of nothing is no file of a build.
char *signature_subject(const char *path);
// Of each role, where the cluster or --only asks for it: the unified kernel image; and where Debian has its stub.
#define UKI_NAME "kiln.efi"
#define UKI_STUB "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"

// What another build of the same inputs was signed with, for one that is compared with it. The texts are the caller's.
struct kept_signatures {
        const char *signed_by; // the key's fingerprint, or NULL: it was not signed
        struct kept_signature {
                const char *role;
                const char *layer,
                    *boot_sums;           // armored: over the list of the configuration layer, over boot.sums; or NULL
                const void *certificates; // of kiln.efi, as pe_image.h has them
                size_t certificates_bytes;
        } * items;
        size_t count;
};

// One role, ready to be packed. Descriptors are the caller's.
struct artefact_role {
        const struct role *role;
        const struct package_set *packages;
        int root;                   // the mounted package root, read-only
        int config;                 // the configuration layer's directory (upper); empty if no kind asks for it
        int bootloader;             // unpacked boot loader packages of the release
        const char *kernel_version; // "3.10.0-327.el7.x86_64": directory below /lib/modules
        const char *kernel_path;    // in root: "boot/vmlinuz-..."
        const char *root_key;       // hash that decides rootfs.squashfs (layer key, compressor, level, block size)
        int out;                    // <build>/<role>/

        // Results of kinds, for those that need them; empty until then.
        char root_sha256[ARTEFACT_SHA256_SIZE];   // squashfs
        uint64_t root_size_bytes;                 // squashfs
        char chunks_sha256[ARTEFACT_SHA256_SIZE]; // squashfs: of rootfs.chunks
        uint64_t chunks_size_bytes;               // squashfs
        char config_sha256[ARTEFACT_SHA256_SIZE]; // config
        char initrd_sha256[ARTEFACT_SHA256_SIZE]; // initrd
};

struct artefact_build {
        struct cluster *cluster;
        struct artefact_role *roles;
        size_t role_count;
        const char *build_id;
        struct cache *cache;
        const char *maker; // digest of artefact_maker (cache/maker.h)
        int64_t source_date_epoch;
        int out; // <build>/, not yet published
        unsigned jobs;

        // Paths of the build host.
        const char *kiln_node;      // the static helper
        const char *busybox;        // linked statically; NULL: /bin/busybox
        const char *initramfs_dir;  // firmware/initramfs: the list of what an initrd holds, and its init
        const char *bootloader_dir; // firmware/bootloader: templates of menus
        const char *uki_stub;       // NULL: UKI_STUB

        const struct package_set *bootloaders; // whose files the loaders of all roles are; NULL: none

        // URL that serves <build>/'s parent, or NULL: there are no kickstart files then. One of a file is the mount
        // point of the installer's own medium.
        const char *http_base;

        // Signatures, on which the build's id does not depend.
        const struct signer *signer;               // NULL: nothing is signed
        const struct kept_signatures *kept;        // without a signer: taken as they are; or NULL
        uint64_t serial;                           // rises with each release; 0: none was given
        const struct secure_boot_key *secure_boot; // NULL: kiln.efi is not signed, unless `kept` says how

        // For those who make the build again.
        const struct strings *only; // the kinds asked for
        const json_t *inputs;       // what decides the build
        const char *lock;           // text of a lock file with the packages of this build

        struct buf *ret_sums; // gets what SHA256SUMS would have, where it is not written; NULL: nobody asks

        // artefacts_write()'s own, NULL outside of it.
        struct file_sums *sums;     // digests of what is published, as far as they are known
        struct block_cache *blocks; // of the roots packed before (packed_blocks.h); NULL: none are known
};

struct artefact_kind {
        const char *name;                               // as --only takes it
        const char *description;                        // half a sentence
        const char *const *needs;                       // names of kinds, NULL-terminated; NULL: none
        const char *const *after;                       // the same
        bool (*by_name)(const struct cluster *cluster); // whether it is made only if --only asks; NULL: no
        bool per_role;
        bool (*check)(const struct artefact_build *build, struct err *err); // NULL: nothing to check
        bool (*write)(struct artefact_build *build, struct artefact_role *role, struct err *err);
        // Appends what decides the file, a line "WORD VALUE" each. Without a root, `ret_cached` is true only where it
        // need not be read to say so; NULL: nobody asks. Writes nothing. NULL: the kind is written anew for each build.
        bool (*look)(const struct artefact_build *build, const struct artefact_role *role, struct buf *ret_inputs,
                     bool *ret_cached, struct err *err);
};

extern const struct artefact_kind *const artefact_kinds[];
extern const size_t artefact_kind_count;

// Renders the kickstart templates for every role and node, with digests and a build's id that are none, and writes
// nothing. `http_base` NULL: where the cluster says none, some URL. ERR_TEMPLATE, ERR_REFERENCE, with role and file.
must_check bool kickstart_try(struct cluster *cluster, const char *http_base, struct err *err);

// ERR_CLUSTER, with the role, if one's nodes fetch its root (state_disk.root_cache) and `http_base`, which may be NULL,
// says no place that kiln-node can fetch from.
must_check bool root_url_check(const struct cluster *cluster, const char *http_base, struct err *err);

// Runs the checks of the wanted kinds and of those they need. `wanted` holds names of kinds; NULL or empty: all.
// ERR_USAGE if it names a kind that there is not.
must_check bool artefacts_check(const struct artefact_build *build, const struct strings *wanted, struct err *err);

// Writes them into build->out and the roles' out, which exist and are empty.
must_check bool artefacts_write(struct artefact_build *build, const struct strings *wanted, struct err *err);

// Whether the kind is among them, asked for or needed by another.
bool artefacts_want(const struct cluster *cluster, const struct artefact_kind *kind, const struct strings *wanted);

// Whether a kind that boots is among them: a role then needs a kernel.
bool artefacts_boot(const struct cluster *cluster, const struct strings *wanted);

// The stub that decides kiln.efi, if that is among what is made; otherwise NULL.
const char *artefacts_uki_stub(const struct cluster *cluster, const struct strings *wanted, const char *stub);

// Whether a kind that holds or lists the configuration layers is among them.
bool artefacts_configure(const struct cluster *cluster, const struct strings *wanted);

// Whether the cache has the packed root whole, so that nothing needs to be read to have it.
bool artefacts_have_root(struct cache *cache, const char *root_key);

#endif
