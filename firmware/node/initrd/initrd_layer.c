// SPDX-License-Identifier: MIT
// The configuration layer of a machine that was booted by a unified kernel image, which brings none.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "firmware/node/http/fetch.h"
#include "firmware/node/initrd/initrd.h"
#include "firmware/node/root/file_sha256.h"
#include "shared/node_config.h"

#define SUMS_NAME "boot.sums"
#define SIGNATURE_NAME "boot.sums.sig"
#define LAYER_NAME "config.cpio"

enum {
        SUMS_MAX_BYTES = 4096,
        LAYER_MAX_BYTES = 256 << 20,
        ATTEMPTS = 3, // a server may be publishing another build meanwhile
        ATTEMPT_PAUSE_S = 2,
};

static bool is_url(const char *from) { return strncmp(from, "http://", strlen("http://")) == 0; }

// ---- from a medium ----

// A copy, since a medium can be changed after it was looked at.
static bool copy_from_medium(const char *from, const char *to, uint64_t max, const char *sha256, struct err *err) {
        char found[SHA256_HEX_SIZE];
        auto_close int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (in < 0 && errno == ENOENT)
                return fail(err, ERR_REFERENCE, 0, "the medium has no %s: is it one of a build with `uki`, signed?",
                            strrchr(from, '/') + 1);
        if (in < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", from);
        auto_close int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (out < 0)
                return fail(err, ERR_SYSTEM, errno, "create %s", to);
        if (!file_sha256(in, out, max, found, err))
                return wrap(err, "%s", from);
        return !sha256 || strcmp(found, sha256) == 0 ||
               fail(err, ERR_CHECKSUM, 0, "%s has SHA-256 %s, the signed " SUMS_NAME " says %s", from, found, sha256);
}

// ---- either way ----

// `sha256` NULL: whatever it is, it is checked afterwards.
static bool obtain(const struct layer_source *source, const char *name, uint64_t max, const char *sha256,
                   struct err *err) {
        auto_buf places = { 0 };
        fetch_join(source->from, name, &places);
        const char *from = buf_text(&places);
        auto_free char *to = xasprintf("%s/%s", source->to, name);
        const struct fetch fetch = {
                .urls = from,
                .path = to,
                .sha256 = sha256,
                .named_by = "the signed " SUMS_NAME " says",
                .max_bytes = max,
                .give_up_ms = source->give_up_ms,
                .silence_ms = source->silence_ms,
                .tell = source->tell,
        };
        if (!is_url(source->from))
                return copy_from_medium(from, to, max, sha256, err);
        return fetch_file(&fetch, err) || wrap(err, "%s", from);
}

static bool obtain_text(const struct layer_source *source, const char *name, uint64_t max, struct buf *ret,
                        struct err *err) {
        auto_free char *path = xasprintf("%s/%s", source->to, name);
        ret->max = max + NODE_READ_ROOM_BYTES;
        if (!obtain(source, name, max, NULL, err))
                return false;
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        return buf_read_fd(ret, fd, err) || wrap(err, "%s", path);
}

// Exactly what the builder writes: the digests of the layer and of the root, as sha256sum does.
static bool read_layer_digest(const struct buf *sums, char ret_hex[static LAYER_SHA256_SIZE], struct err *err) {
        enum { DIGITS = LAYER_SHA256_SIZE - 1 };
        static const char after_layer[] = "  " LAYER_NAME "\n", after_root[] = "  rootfs.squashfs\n";
        const char *text = buf_text(sums);
        size_t size = DIGITS + strlen(after_layer) + DIGITS + strlen(after_root);
        const char *root = text + DIGITS + strlen(after_layer);
        bool is_list = sums->size == size && strspn(text, "0123456789abcdef") == DIGITS &&
                       strncmp(text + DIGITS, after_layer, strlen(after_layer)) == 0;
        if (!is_list || strspn(root, "0123456789abcdef") != DIGITS || strcmp(root + DIGITS, after_root) != 0)
                return fail(err, ERR_SIGNATURE, 0, SUMS_NAME " is signed, but is no list of " LAYER_NAME " and a root");
        memcpy(ret_hex, text, DIGITS);
        ret_hex[DIGITS] = '\0';
        return true;
}

static bool take_layer_once(const struct trust *trust, const struct layer_source *source, struct err *err) {
        auto_buf sums = { 0 };
        auto_buf signature = { 0 };
        char sha256[LAYER_SHA256_SIZE];
        if (!obtain_text(source, SUMS_NAME, SUMS_MAX_BYTES, &sums, err) ||
            !obtain_text(source, SIGNATURE_NAME, SSHSIG_TEXT_MAX, &signature, err))
                return false;
        if (!trust_check(trust, SSHSIG_LAYER, buf_text(&sums), sums.size, &signature, NULL, err))
                return wrap(err, "%s/" SUMS_NAME, source->from);
        return read_layer_digest(&sums, sha256, err) && obtain(source, LAYER_NAME, LAYER_MAX_BYTES, sha256, err);
}

// What may be another if it is asked for again.
static bool may_be_in_change(const struct layer_source *source, const struct err *err) {
        return is_url(source->from) && (err->kind == ERR_SIGNATURE || err->kind == ERR_CHECKSUM);
}

bool initrd_take_layer(const struct trust *trust, const struct layer_source *source, struct err *err) {
        assert(source->from && source->to && source->tell);
        auto_free char *layer = xasprintf("%s/" LAYER_NAME, source->to);
        if (trust->key_count == 0)
                return fail(err, ERR_REFERENCE, 0,
                            "the boot loader brought no configuration layer, and this initrd holds no keys by which "
                            "another could be believed");
        for (int attempt = 1;; attempt++) {
                if (take_layer_once(trust, source, err))
                        return true;
                unlink(layer);
                if (attempt == ATTEMPTS || !may_be_in_change(source, err))
                        return false;
                auto_free char *text = xasprintf("kiln: %s; asking again in %d s\n", err->text, ATTEMPT_PAUSE_S);
                source->tell(text);
                sleep(ATTEMPT_PAUSE_S);
                err_release(err);
                *err = (struct err){ 0 };
        }
}
