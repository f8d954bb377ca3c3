// SPDX-License-Identifier: MIT
#include "shared/sshsig.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "shared/base64.h"

#define KEY_TYPE "ssh-ed25519"
#define PREAMBLE "SSHSIG"
#define ARMOR_BEGIN "-----BEGIN SSH SIGNATURE-----"
#define ARMOR_END "-----END SSH SIGNATURE-----"

enum { VERSION = 1, ARMOR_COLUMNS = 70 };

// ---- RFC 4251 ----

static void append_uint32(uint32_t value, struct buf *ret) {
        const uint8_t bytes[] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                                  (uint8_t)value };
        buf_append(ret, bytes, sizeof bytes);
}

void ssh_string(const void *data, size_t size, struct buf *ret) {
        assert(size <= UINT32_MAX);
        append_uint32((uint32_t)size, ret);
        buf_append(ret, data, size);
}

static void append_text_string(const char *text, struct buf *ret) { ssh_string(text, strlen(text), ret); }

bool ssh_read_uint32(struct ssh_reader *reader, uint32_t *ret) {
        if (reader->size < sizeof *ret)
                return false;
        const uint8_t *bytes = reader->data;
        *ret = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
        reader->data += sizeof *ret;
        reader->size -= sizeof *ret;
        return true;
}

bool ssh_read_string(struct ssh_reader *reader, struct ssh_reader *ret) {
        uint32_t size;
        if (!ssh_read_uint32(reader, &size) || size > reader->size)
                return false;
        *ret = (struct ssh_reader){ reader->data, size };
        reader->data += size;
        reader->size -= size;
        return true;
}

bool ssh_reader_is(const struct ssh_reader *string, const char *text) {
        return string->size == strlen(text) && memcmp(string->data, text, string->size) == 0;
}

// Text without a NUL that fits.
static bool copy_string(const struct ssh_reader *string, char *ret, size_t size) {
        if (string->size >= size || memchr(string->data, '\0', string->size))
                return false;
        memcpy(ret, string->data, string->size);
        ret[string->size] = '\0';
        return true;
}

// ---- public keys ----

void ssh_key_blob(const struct ssh_key *key, struct buf *ret) {
        append_text_string(KEY_TYPE, ret);
        ssh_string(key->bytes, sizeof key->bytes, ret);
}

static bool read_blob(struct ssh_reader blob, struct ssh_key *ret) {
        struct ssh_reader type, bytes;
        if (!ssh_read_string(&blob, &type) || !ssh_reader_is(&type, KEY_TYPE))
                return false;
        if (!ssh_read_string(&blob, &bytes) || bytes.size != sizeof ret->bytes || blob.size != 0)
                return false;
        memcpy(ret->bytes, bytes.data, sizeof ret->bytes);
        return true;
}

bool ssh_key_parse(const char *line, struct ssh_key *ret, struct err *err) {
        line += strspn(line, " \t");
        size_t type = strcspn(line, " \t\r\n");
        if (strstr(line, "PRIVATE KEY"))
                return fail(err, ERR_SYNTAX, 0,
                            "a private key, where the public one belongs: keep it secret, and use its "
                            ".pub file");
        if (strncmp(line, "ssh-", 4) != 0 && strncmp(line, "ecdsa-", 6) != 0 && strncmp(line, "sk-", 3) != 0)
                return fail(err, ERR_SYNTAX, 0, "not an SSH public key: it begins with \"ssh-ed25519\"");
        if (type != strlen(KEY_TYPE) || strncmp(line, KEY_TYPE, type) != 0)
                return fail(err, ERR_SYNTAX, 0,
                            "a key of type %.*s: only " KEY_TYPE " is taken (ssh-keygen -t ed25519)", (int)type, line);
        const char *text = line + type + strspn(line + type, " \t");
        size_t size = strcspn(text, " \t\r\n");
        auto_buf blob = { .max = SSH_KEY_TEXT_MAX };
        if (size > SSH_KEY_TEXT_MAX || !base64_decode(text, size, &blob))
                return fail(err, ERR_SYNTAX, 0, "an " KEY_TYPE " key that is damaged");
        if (!read_blob((struct ssh_reader){ (const uint8_t *)buf_text(&blob), blob.size }, ret))
                return fail(err, ERR_SYNTAX, 0, "an " KEY_TYPE " key that is damaged");
        return true;
}

void ssh_key_format(const struct ssh_key *key, struct buf *ret) {
        auto_buf blob = { .max = SSH_KEY_TEXT_MAX };
        ssh_key_blob(key, &blob);
        buf_append_text(ret, KEY_TYPE " ");
        base64_encode(blob.data, blob.size, 0, ret);
}

bool ssh_key_equal(const struct ssh_key *left, const struct ssh_key *right) {
        return memcmp(left->bytes, right->bytes, sizeof left->bytes) == 0;
}

// ---- signatures ----

static bool read_signature(struct ssh_reader blob, struct sshsig *ret) {
        struct ssh_reader type, bytes;
        if (!ssh_read_string(&blob, &type) || !ssh_reader_is(&type, KEY_TYPE))
                return false;
        if (!ssh_read_string(&blob, &bytes) || bytes.size != sizeof ret->signature || blob.size != 0)
                return false;
        memcpy(ret->signature, bytes.data, sizeof ret->signature);
        return true;
}

// PROTOCOL.sshsig, "Blob format".
static bool read_sshsig(struct ssh_reader blob, struct sshsig *ret) {
        struct ssh_reader key, name, reserved, hash, signature;
        uint32_t version;
        size_t preamble = strlen(PREAMBLE);
        if (blob.size < preamble || memcmp(blob.data, PREAMBLE, preamble) != 0)
                return false;
        blob.data += preamble;
        blob.size -= preamble;
        if (!ssh_read_uint32(&blob, &version) || version != VERSION)
                return false;
        if (!ssh_read_string(&blob, &key) || !ssh_read_string(&blob, &name) || !ssh_read_string(&blob, &reserved))
                return false;
        if (!ssh_read_string(&blob, &hash) || !ssh_read_string(&blob, &signature) || blob.size != 0)
                return false;
        if (!copy_string(&name, ret->namespace, sizeof ret->namespace) ||
            !copy_string(&hash, ret->hash, sizeof ret->hash))
                return false;
        bool known_hash = strcmp(ret->hash, "sha256") == 0 || strcmp(ret->hash, "sha512") == 0;
        return known_hash && reserved.size == 0 && read_blob(key, &ret->key) && read_signature(signature, ret);
}

// Bounded, since the text need not end with a NUL.
static const char *find_text(const char *text, size_t size, const char *wanted) {
        size_t length = strlen(wanted);
        for (size_t at = 0; at + length <= size; at++)
                if (memcmp(text + at, wanted, length) == 0)
                        return text + at;
        return NULL;
}

bool sshsig_parse(const char *text, size_t size, struct sshsig *ret, struct err *err) {
        auto_buf blob = { .max = SSHSIG_TEXT_MAX };
        size_t begin = strlen(ARMOR_BEGIN);
        if (size > SSHSIG_TEXT_MAX || size < begin || memcmp(text, ARMOR_BEGIN, begin) != 0)
                return fail(err, ERR_SIGNATURE, 0, "not an SSH signature: it begins with \"" ARMOR_BEGIN "\"");
        const char *body = text + begin;
        const char *end = find_text(body, size - begin, ARMOR_END);
        if (!end)
                return fail(err, ERR_SIGNATURE, 0, "the SSH signature is cut short");
        const char *rest = end + strlen(ARMOR_END);
        size_t rest_bytes = size - (size_t)(rest - text);
        bool ends_there = rest_bytes == 0 || (rest_bytes == 1 && *rest == '\n');
        if (!ends_there)
                return fail(err, ERR_SIGNATURE, 0, "something follows the SSH signature");
        if (!base64_decode(body, (size_t)(end - body), &blob))
                return fail(err, ERR_SIGNATURE, 0, "the SSH signature is damaged");
        if (!read_sshsig((struct ssh_reader){ (const uint8_t *)buf_text(&blob), blob.size }, ret))
                return fail(err, ERR_SIGNATURE, 0, "the SSH signature is damaged, or not by an " KEY_TYPE " key");
        return true;
}

void sshsig_format(const struct sshsig *sshsig, struct buf *ret) {
        auto_buf blob = { .max = SSHSIG_TEXT_MAX };
        auto_buf part = { .max = SSHSIG_TEXT_MAX };
        buf_append_text(&blob, PREAMBLE);
        append_uint32(VERSION, &blob);
        ssh_key_blob(&sshsig->key, &part);
        ssh_string(part.data, part.size, &blob);
        append_text_string(sshsig->namespace, &blob);
        append_text_string("", &blob); // reserved
        append_text_string(sshsig->hash, &blob);
        buf_clear(&part);
        append_text_string(KEY_TYPE, &part);
        ssh_string(sshsig->signature, sizeof sshsig->signature, &part);
        ssh_string(part.data, part.size, &blob);
        buf_append_text(ret, ARMOR_BEGIN "\n");
        base64_encode(blob.data, blob.size, ARMOR_COLUMNS, ret);
        buf_append_text(ret, ARMOR_END "\n");
}

// PROTOCOL.sshsig, "Signed Data, of which the signature goes into the blob above".
void sshsig_covered(const struct sshsig *sshsig, const void *digest, size_t digest_bytes, struct buf *ret) {
        buf_append_text(ret, PREAMBLE);
        append_text_string(sshsig->namespace, ret);
        append_text_string("", ret);
        append_text_string(sshsig->hash, ret);
        ssh_string(digest, digest_bytes, ret);
}
