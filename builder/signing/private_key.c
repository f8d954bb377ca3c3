// SPDX-License-Identifier: MIT
// Private keys in OpenSSH's own form (PROTOCOL.key): armor, then "openssh-key-v1", cipher, key derivation, public keys,
// and a block with the private ones.
#include <string.h>

#include "base/mem.h"
#include "shared/base64.h"
#include "signing/internal.h"

#define ARMOR_BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"
#define ARMOR_END "-----END OPENSSH PRIVATE KEY-----"

enum { KEY_FILE_MAX = 16 << 10, PRIVATE_BYTES = 64 };

static const char magic[] = "openssh-key-v1"; // with its NUL

bool private_key_looks_so(const struct buf *text) { return strstr(buf_text(text), "PRIVATE KEY-----") != NULL; }

static bool malformed(struct err *err) { return fail(err, ERR_SIGNATURE, 0, "the private key is damaged"); }

static bool decode_armor(const struct buf *text, struct buf *ret, struct err *err) {
        const char *begin = strstr(buf_text(text), ARMOR_BEGIN);
        const char *end = strstr(buf_text(text), ARMOR_END);
        if (!begin || !end) {
                fail(err, ERR_SIGNATURE, 0, "a private key that is not in OpenSSH's own form");
                return hint(err, "ssh-keygen -t ed25519 makes one; ssh-keygen -p -f FILE turns older forms into it");
        }
        begin += strlen(ARMOR_BEGIN);
        if (end < begin || !base64_decode(begin, (size_t)(end - begin), ret))
                return malformed(err);
        return true;
}

// The outer part: everything but the private block, which `ret_private` becomes.
static bool read_outer(struct ssh_reader *file, struct ssh_key *ret_key, bool *ret_locked,
                       struct ssh_reader *ret_private, struct err *err) {
        struct ssh_reader cipher, derivation, options, public;
        uint32_t count;
        if (file->size < sizeof magic || memcmp(file->data, magic, sizeof magic) != 0)
                return malformed(err);
        file->data += sizeof magic;
        file->size -= sizeof magic;
        if (!ssh_read_string(file, &cipher) || !ssh_read_string(file, &derivation) || !ssh_read_string(file, &options))
                return malformed(err);
        if (!ssh_read_uint32(file, &count) || count != 1 || !ssh_read_string(file, &public))
                return malformed(err);
        struct ssh_reader type, bytes;
        if (!ssh_read_string(&public, &type) || !ssh_read_string(&public, &bytes))
                return malformed(err);
        if (!ssh_reader_is(&type, "ssh-ed25519") || bytes.size != SSH_KEY_BYTES) {
                fail(err, ERR_SIGNATURE, 0, "a key of type %.*s: kiln signs with ed25519 keys", (int)type.size,
                     (const char *)type.data);
                return hint(err, "ssh-keygen -t ed25519 makes one");
        }
        memcpy(ret_key->bytes, bytes.data, SSH_KEY_BYTES);
        *ret_locked = !ssh_reader_is(&cipher, "none");
        return ssh_read_string(file, ret_private) || malformed(err);
}

// Two equal numbers that show a wrong passphrase, type, public key, and seed with the public key behind it.
static bool read_private(struct ssh_reader block, const struct ssh_key *key, uint8_t ret_seed[static SSH_KEY_BYTES],
                         struct err *err) {
        uint32_t check, again;
        struct ssh_reader type, public, private;
        if (!ssh_read_uint32(&block, &check) || !ssh_read_uint32(&block, &again) || check != again)
                return malformed(err);
        if (!ssh_read_string(&block, &type) || !ssh_reader_is(&type, "ssh-ed25519"))
                return malformed(err);
        if (!ssh_read_string(&block, &public) || public.size != SSH_KEY_BYTES)
                return malformed(err);
        if (!ssh_read_string(&block, &private) || private.size != PRIVATE_BYTES)
                return malformed(err);
        bool fits = memcmp(public.data, key->bytes, SSH_KEY_BYTES) == 0 &&
                    memcmp(private.data + SSH_KEY_BYTES, key->bytes, SSH_KEY_BYTES) == 0;
        if (!fits)
                return malformed(err);
        memcpy(ret_seed, private.data, SSH_KEY_BYTES);
        return true;
}

bool private_key_parse(const struct buf *text, struct ssh_key *ret_key, uint8_t ret_seed[static SSH_KEY_BYTES],
                       bool *ret_locked, struct err *err) {
        auto_buf bytes = { .max = KEY_FILE_MAX };
        struct ssh_reader private;
        bool ok = decode_armor(text, &bytes, err);
        if (ok) {
                struct ssh_reader file = { (const uint8_t *)buf_text(&bytes), bytes.size };
                ok = read_outer(&file, ret_key, ret_locked, &private, err) &&
                     (*ret_locked || read_private(private, ret_key, ret_seed, err));
        }
        if (bytes.data)
                explicit_bzero(bytes.data, bytes.capacity);
        return ok;
}
