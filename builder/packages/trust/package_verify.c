// SPDX-License-Identifier: MIT
#include "packages/trust/package_verify.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <rpm/rpmtag.h>
#include <rpm/rpmtd.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "packages/packages.h"
#include "packages/trust/keyring.h"
#include "packages/trust/package_digests.h"
#include "packages/trust/rpm_file.h"
#include "shared/base64.h"

enum { SIGNATURE_BYTES_MAX = 64 << 10 };

bool package_check_size(const struct package *package, uint64_t size, const char *path, struct err *err) {
        if (package->size_bytes == 0 || size == package->size_bytes)
                return true;
        if (size < package->size_bytes)
                return fail(err, ERR_CORRUPT, 0, "%s is truncated: %" PRIu64 " of %" PRIu64 " bytes (%s)",
                            package->nevra, size, package->size_bytes, path);
        return fail(err, ERR_CHECKSUM, 0, "%s has %" PRIu64 " bytes instead of %" PRIu64 " (%s)", package->nevra, size,
                    package->size_bytes, path);
}

bool package_check_digest(const struct package *package, const char *hex, const char *path, struct err *err) {
        if (strcmp(hex, package->checksum) == 0)
                return true;
        return fail(err, ERR_CHECKSUM, 0, "%s: checksum differs: %s of %s is %s, the metadata of %s says %s",
                    package->nevra, package->checksum_type, path, hex, package->repository->name, package->checksum);
}

static bool check_whole_size(const struct package *package, int fd, const char *path, struct err *err) {
        struct stat stat;
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", path);
        return package_check_size(package, (uint64_t)stat.st_size, path, err);
}

static bool check_whole_file(const struct package *package, int fd, const char *path, struct err *err) {
        char hex[DIGEST_HEX_SIZE];
        if (!digest_fd(package->checksum_type, fd, hex, err))
                return wrap(err, "%s", path);
        return package_check_digest(package, hex, path, err);
}

// Heap; empty if the header has no such tag.
static char *header_text(Header header, rpmTagVal tag) {
        char *text = headerGetAsString(header, tag);
        if (!text)
                text = xstrdup("");
        return text;
}

static char *header_arch(Header header) {
        if (headerIsSource(header))
                return xstrdup("src");
        return header_text(header, RPMTAG_ARCH);
}

static char *header_nevra(Header header) {
        auto_free char *name = header_text(header, RPMTAG_NAME);
        auto_free char *version = header_text(header, RPMTAG_VERSION);
        auto_free char *release = header_text(header, RPMTAG_RELEASE);
        auto_free char *arch = header_arch(header);
        uint64_t epoch = headerGetNumber(header, RPMTAG_EPOCH);
        char prefix[24] = "";
        if (epoch > 0)
                snprintf(prefix, sizeof prefix, "%" PRIu64 ":", epoch);
        return xasprintf("%s-%s%s-%s.%s", name, prefix, version, release, arch);
}

static bool check_nevra(const struct package *package, Header header, struct err *err) {
        auto_free char *nevra = header_nevra(header);
        if (strcmp(nevra, package->nevra) == 0)
                return true;
        return fail(err, ERR_CORRUPT, 0, "%s: the file is really %s: its header disagrees with the metadata of %s",
                    package->nevra, nevra, package->repository->name);
}

// The signature header of rpm 4 notes how long header and payload were when the package was made.
static bool check_length(const struct package *package, const struct rpm_file *file, struct err *err) {
        rpmTagVal tag = RPMSIGTAG_SIZE;
        if (headerIsEntry(file->signature, RPMTAG_LONGSIGSIZE))
                tag = RPMTAG_LONGSIGSIZE;
        uint64_t expected = headerGetNumber(file->signature, tag);
        uint64_t actual = file->size_bytes - file->header_offset;
        if (expected == 0 || expected == actual)
                return true;
        static const char text[] = "%s is %s: header and payload have %" PRIu64 " bytes instead of %" PRIu64;
        if (actual < expected)
                return fail(err, ERR_CORRUPT, 0, text, package->nevra, "truncated", actual, expected);
        return fail(err, ERR_CHECKSUM, 0, text, package->nevra, "altered", actual, expected);
}

// Tags of signatures over the header alone, and over header and payload.
static const struct {
        rpmTagVal tag;
        bool covers_payload;
} signature_tags[] = {
        { RPMSIGTAG_RSA, false },
        { RPMSIGTAG_DSA, false },
        { RPMSIGTAG_PGP, true },
        { RPMSIGTAG_GPG, true },
};

static bool check_one_signature(const struct package *package, const struct rpm_file *file,
                                const struct keyring *keyring, size_t which, bool *ret_present, struct err *err) {
        struct rpmtd_s data;
        *ret_present = false;
        if (!headerGet(file->signature, signature_tags[which].tag, &data, HEADERGET_MINMEM))
                return true;
        uint64_t end = file->payload_offset;
        if (signature_tags[which].covers_payload)
                end = file->size_bytes;
        struct span span = { file->fd, file->header_offset, end - file->header_offset };
        bool ok;
        if (data.type == RPM_BIN_TYPE)
                ok = keyring_verify(keyring, package->nevra, data.data, data.count, span, err);
        else
                ok = fail(err, ERR_SIGNATURE, 0, "%s: its signature cannot be read", package->nevra);
        rpmtdFreeData(&data);
        *ret_present = true;
        return ok;
}

// Signatures over the header as rpm 4.20 and later keep them, each in base64: those of new kinds are nowhere else.
enum { SIGNATURE_TAG_OPENPGP = 278 };

static bool check_encoded_signature(const struct package *package, const struct rpm_file *file,
                                    const struct keyring *keyring, const char *text, struct err *err) {
        struct span header = { file->fd, file->header_offset, file->payload_offset - file->header_offset };
        auto_buf bytes = { .max = SIGNATURE_BYTES_MAX };
        if (!base64_decode(text, strlen(text), &bytes))
                return fail(err, ERR_SIGNATURE, 0, "%s: its signature cannot be read", package->nevra);
        return keyring_verify(keyring, package->nevra, bytes.data, bytes.size, header, err);
}

// One good signature is enough: beside it may stand one of a kind that is not supported. `err` is of the last one.
static bool check_encoded_signatures(const struct package *package, const struct rpm_file *file,
                                     const struct keyring *keyring, bool *ret_present, struct err *err) {
        struct rpmtd_s data;
        bool ok = false;
        const char *text;
        *ret_present = headerGet(file->signature, SIGNATURE_TAG_OPENPGP, &data, HEADERGET_MINMEM) != 0;
        if (!*ret_present)
                return true;
        while ((text = rpmtdNextString(&data)) != NULL) {
                err_release(err);
                ok = check_encoded_signature(package, file, keyring, text, err);
                if (ok)
                        break;
        }
        rpmtdFreeData(&data);
        if (!ok && !err->kind)
                return fail(err, ERR_SIGNATURE, 0, "%s: its signature cannot be read", package->nevra);
        return ok;
}

static bool fail_for_unsigned_package(const struct package *package, bool header_is_signed, struct err *err) {
        const char *repository = package->repository->name;
        if (!header_is_signed) {
                fail(err, ERR_SIGNATURE, 0, "%s is not signed, and repository %s demands signed packages",
                     package->nevra, repository);
                return hint(err, "`trust: digest` accepts unsigned packages of a repository by the checksums of its "
                                 "metadata");
        }
        fail(err, ERR_SIGNATURE, 0,
             "%s: only its header is signed, and that has no sha256 of the payload: nothing vouches for its files",
             package->nevra);
        return hint(err,
                    "rpm signs header and payload, too, or notes the payload's sha256: the package was altered "
                    "after it was signed; take it from another mirror with --repo %s=URL",
                    repository);
}

// Signatures are checked until header and payload are covered; each that is looked at must be good. One must cover the
// payload: itself, or by the payload's digest in the header. Nothing signs the signature header: whoever replaces a
// payload can take the signature over it away, and leave that over the header. librpm would find wrong files only as it
// unpacks, after scriptlets ran.
static bool check_signatures(const struct package *package, const struct rpm_file *file, const struct keyring *keyring,
                             struct err *err) {
        bool header_is_signed = false;
        bool header_has_digest = false;
        bool payload_is_signed = false;
        if (!package_check_payload_digest(package, file, &header_has_digest, err))
                return false;
        for (size_t i = 0; i < lengthof(signature_tags); i++) {
                bool present = false;
                if (header_has_digest && header_is_signed)
                        break; // the signed header has the payload's digest: no need to hash it again
                if (!check_one_signature(package, file, keyring, i, &present, err))
                        return false;
                header_is_signed |= present;
                payload_is_signed |= present && signature_tags[i].covers_payload;
        }
        if (!header_is_signed && !payload_is_signed &&
            !check_encoded_signatures(package, file, keyring, &header_is_signed, err))
                return false;
        if (payload_is_signed || (header_is_signed && header_has_digest))
                return true;
        return fail_for_unsigned_package(package, header_is_signed, err);
}

// The metadata's checksum is that of the file as it lay in the repository when that was indexed: damage that it had by
// then is seen by the package's own digests. Signatures cover the same bytes.
static bool check_package_contents(const struct package *package, const struct rpm_file *file,
                                   const struct keyring *keyring, struct err *err) {
        if (keyring)
                return check_signatures(package, file, keyring, err);
        return package_check_own_digests(package, file, err);
}

bool package_verify(const struct package *package, const char *path, const struct keyring *keyring, bool digest_known,
                    struct err *err) {
        assert(package->checksum && package->checksum_type);
        auto_close int fd = -1;
        struct rpm_file file;
        if (!fs_open_regular(AT_FDCWD, path, &fd, err) || !check_whole_size(package, fd, path, err))
                return false;
        if (!digest_known && !check_whole_file(package, fd, path, err))
                return false;
        if (!rpm_file_read(fd, &file, err))
                return wrap(err, "%s (%s)", package->nevra, path);
        bool ok = check_nevra(package, file.header, err) && check_length(package, &file, err) &&
                  check_package_contents(package, &file, keyring, err);
        rpm_file_close(&file);
        return ok;
}
