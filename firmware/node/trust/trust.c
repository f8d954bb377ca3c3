// SPDX-License-Identifier: MIT
#include "firmware/node/trust/trust.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/eddsa.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base64.h"

enum { TRUST_FILE_MAX = 64 << 10 };

// ---- the file ----

// What follows "KEY " on the line, or NULL.
static const char *value_of(const char *line, const char *key) {
        size_t length = strlen(key);
        return strncmp(line, key, length) == 0 && line[length] == ' ' ? line + length + 1 : NULL;
}

static bool read_serial(const char *text, uint64_t *ret) {
        char *end;
        errno = 0;
        *ret = strtoull(text, &end, 10);
        return isdigit((unsigned char)*text) && *end == '\0' && errno == 0;
}

static bool read_trusted_key(const char *text, struct trust *ret, struct err *err) {
        if (ret->key_count == TRUST_KEYS_MAX)
                return fail(err, ERR_SYNTAX, 0, "more than %d keys", TRUST_KEYS_MAX);
        return ssh_key_parse(text, &ret->keys[ret->key_count++], err);
}

static bool read_trust_line(const char *line, struct trust *ret, struct err *err) {
        const char *value;
        if ((value = value_of(line, "key")))
                return read_trusted_key(value, ret, err);
        if ((value = value_of(line, "minimum_serial")) && read_serial(value, &ret->minimum_serial))
                return true;
        if ((value = value_of(line, "cluster")) && *value && strlen(value) < sizeof ret->cluster) {
                memcpy(ret->cluster, value, strlen(value) + 1);
                return true;
        }
        return fail(err, ERR_SYNTAX, 0, "a line that is not understood");
}

static bool read_trust_lines(char *text, struct trust *ret, struct err *err) {
        for (char *line; (line = strsep(&text, "\n"));)
                if (*line && !read_trust_line(line, ret, err))
                        return false;
        if (ret->key_count == 0)
                return fail(err, ERR_SYNTAX, 0, "no key");
        return true;
}

bool trust_read(const char *path, struct trust *ret, struct err *err) {
        auto_buf text = { .max = TRUST_FILE_MAX };
        *ret = (struct trust){ 0 };
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT)
                return true;
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        if (!buf_read_fd(&text, fd, err))
                return wrap(err, "%s", path);
        buf_append_char(&text, '\n');
        return read_trust_lines(text.data, ret, err) || wrap(err, "%s", path);
}

// ---- signatures ----

static void cover_sha256(const struct sshsig *sshsig, const void *data, size_t size, struct buf *ret) {
        uint8_t digest[SHA256_DIGEST_SIZE];
        struct sha256_ctx context;
        sha256_init(&context);
        sha256_update(&context, size, data);
        sha256_digest(&context, sizeof digest, digest);
        sshsig_covered(sshsig, digest, sizeof digest, ret);
}

static void cover_sha512(const struct sshsig *sshsig, const void *data, size_t size, struct buf *ret) {
        uint8_t digest[SHA512_DIGEST_SIZE];
        struct sha512_ctx context;
        sha512_init(&context);
        sha512_update(&context, size, data);
        sha512_digest(&context, sizeof digest, digest);
        sshsig_covered(sshsig, digest, sizeof digest, ret);
}

static bool find_trusted(const struct trust *trust, const struct ssh_key *key, size_t *ret_index) {
        for (size_t i = 0; i < trust->key_count; i++)
                if (ssh_key_equal(&trust->keys[i], key)) {
                        *ret_index = i;
                        return true;
                }
        return false;
}

bool trust_check(const struct trust *trust, const char *namespace, const void *data, size_t size,
                 const struct buf *armored, size_t *ret_key, struct err *err) {
        struct sshsig sshsig = { 0 };
        auto_buf covered = { 0 };
        size_t index = 0;
        if (!sshsig_parse(buf_text(armored), armored->size, &sshsig, err))
                return false;
        if (strcmp(sshsig.namespace, namespace) != 0)
                return fail(err, ERR_SIGNATURE, 0, "the signature is for something else (\"%s\")", sshsig.namespace);
        if (!find_trusted(trust, &sshsig.key, &index))
                return fail(err, ERR_SIGNATURE, 0, "signed by a key that this machine does not trust");
        if (strcmp(sshsig.hash, "sha256") == 0)
                cover_sha256(&sshsig, data, size, &covered);
        else
                cover_sha512(&sshsig, data, size, &covered);
        if (!ed25519_sha512_verify(sshsig.key.bytes, covered.size, (const uint8_t *)covered.data, sshsig.signature))
                return fail(err, ERR_SIGNATURE, 0, "not what was signed");
        if (ret_key)
                *ret_key = index;
        return true;
}

// ---- names of keys ----

void trust_key_fingerprint(const struct ssh_key *key, struct buf *ret) {
        uint8_t digest[SHA256_DIGEST_SIZE];
        struct sha256_ctx context;
        auto_buf blob = { 0 };
        auto_buf text = { 0 };
        ssh_key_blob(key, &blob);
        sha256_init(&context);
        sha256_update(&context, blob.size, (const uint8_t *)blob.data);
        sha256_digest(&context, sizeof digest, digest);
        base64_encode(digest, sizeof digest, 0, &text);
        size_t length = strcspn(buf_text(&text), "=\n");
        buf_append_text(ret, "SHA256:");
        buf_append(ret, buf_text(&text), length);
}
