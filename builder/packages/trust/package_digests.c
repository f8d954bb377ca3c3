// SPDX-License-Identifier: MIT
#include "packages/trust/package_digests.h"

#include <assert.h>
#include <errno.h>
#include <rpm/rpmpgp.h>
#include <rpm/rpmtag.h>
#include <rpm/rpmtd.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"

// A part of the file, from `offset` up to `end` or to the end of the file.
static bool digest_part(const struct package *package, const struct rpm_file *file, const char *algorithm,
                        uint64_t offset, uint64_t end, char ret_hex[static DIGEST_HEX_SIZE], struct err *err) {
        enum { BLOCK = 256 << 10 };
        auto_free char *block = xmalloc(BLOCK);
        struct digest *digest = digest_new(algorithm);
        ssize_t got = 1;
        while (got != 0 && offset < end) {
                size_t want = BLOCK;
                if (end - offset < BLOCK)
                        want = (size_t)(end - offset);
                got = pread(file->fd, block, want, (off_t)offset);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0) { // half a part has a digest, too: it says nothing about the package
                        int number = errno;
                        digest_free(digest);
                        return fail(err, ERR_SYSTEM, number, "read %s", package->nevra);
                }
                digest_update(digest, block, (size_t)got);
                offset += (uint64_t)got;
        }
        digest_final(digest, ret_hex);
        return true;
}

// A digest as a header has it, in hex; heap; NULL: it has none.
static char *header_digest(Header header, rpmTagVal tag) {
        struct rpmtd_s data;
        char *text = NULL;
        if (!headerGet(header, tag, &data, HEADERGET_MINMEM))
                return NULL;
        if (data.type == RPM_BIN_TYPE) {
                text = xcalloc(1, 2 * (size_t)data.count + 1);
                for (size_t i = 0; i < data.count; i++)
                        snprintf(text + 2 * i, 3, "%02x", ((const unsigned char *)data.data)[i]);
        } else {
                const char *first = rpmtdNextString(&data);
                if (first)
                        text = xstrdup(first);
        }
        rpmtdFreeData(&data);
        return text;
}

bool package_check_payload_digest(const struct package *package, const struct rpm_file *file, bool *ret_covered,
                                  struct err *err) {
        assert(file->header);
        auto_free char *expected = NULL;
        char hex[DIGEST_HEX_SIZE];
        if (headerGetNumber(file->header, RPMTAG_PAYLOADDIGESTALGO) == PGPHASHALGO_SHA256)
                expected = header_digest(file->header, RPMTAG_PAYLOADDIGEST);
        *ret_covered = expected != NULL;
        if (!expected)
                return true;
        if (!digest_part(package, file, "sha256", file->payload_offset, UINT64_MAX, hex, err))
                return false;
        if (strcmp(hex, expected) != 0)
                return fail(err, ERR_CHECKSUM, 0, "%s: its payload's sha256 is %s, its header says %s", package->nevra,
                            hex, expected);
        return true;
}

static bool check_digest(const struct package *package, const struct rpm_file *file, const char *algorithm,
                         const char *what, rpmTagVal tag, uint64_t end, struct err *err) {
        auto_free char *expected = header_digest(file->signature, tag);
        char hex[DIGEST_HEX_SIZE];
        if (!expected)
                return true;
        if (!digest_part(package, file, algorithm, file->header_offset, end, hex, err))
                return false;
        if (strcmp(hex, expected) != 0)
                return fail(err, ERR_CHECKSUM, 0, "%s: the %s of its %s is %s, the package itself says %s",
                            package->nevra, algorithm, what, hex, expected);
        return true;
}

bool package_check_own_digests(const struct package *package, const struct rpm_file *file, struct err *err) {
        uint64_t header_end = file->payload_offset;
        bool has_payload_digest = false;
        bool ok = check_digest(package, file, "sha256", "header", RPMSIGTAG_SHA256, header_end, err) &&
                  check_digest(package, file, "sha1", "header", RPMSIGTAG_SHA1, header_end, err) &&
                  package_check_payload_digest(package, file, &has_payload_digest, err);
        if (ok && !has_payload_digest)
                ok = check_digest(package, file, "md5", "header and payload", RPMSIGTAG_MD5, UINT64_MAX, err);
        if (!ok && err->kind == ERR_CHECKSUM)
                hint(err,
                     "it was damaged before repository %s was indexed: put a whole one there and index it again "
                     "(createrepo_c)",
                     package->repository->name);
        return ok;
}
