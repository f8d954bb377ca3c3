// SPDX-License-Identifier: MIT
#include "signing/signing.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "shared/base64.h"
#include "signing/internal.h"

enum { KEY_FILE_MAX = 64 << 10 };

struct signer {
        struct ssh_key key;
        uint8_t seed[SSH_KEY_BYTES];
        bool by_agent;
        char *path; // for messages
};

static const char *digest_name(const char *hash) { return strcmp(hash, "sha256") == 0 ? "SHA256" : "SHA512"; }

// What a signature covers, for data that is hashed as the signature says.
static bool cover(const struct sshsig *sshsig, const void *data, size_t size, struct buf *ret, struct err *err) {
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned length = 0;
        const EVP_MD *algorithm = EVP_get_digestbyname(digest_name(sshsig->hash));
        if (!algorithm || EVP_Digest(data, size, digest, &length, algorithm, NULL) != 1)
                return fail(err, ERR_INTERNAL, 0, "libcrypto cannot compute %s", sshsig->hash);
        sshsig_covered(sshsig, digest, length, ret);
        return true;
}

// ---- signing ----

// ssh(1) refuses such a key, too.
static bool check_private_mode(int fd, const char *path, struct err *err) {
        struct stat stat;
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", path);
        if ((stat.st_mode & 077) == 0)
                return true;
        fail(err, ERR_SIGNATURE, 0, "the private key %s may be read by others (mode %04o)", path, stat.st_mode & 07777);
        return hint(err, "chmod 600 %s; if others could read it until now, make a new key", path);
}

static bool use_private(struct signer *signer, int fd, const struct buf *text, struct err *err) {
        bool locked = false;
        if (!check_private_mode(fd, signer->path, err))
                return false;
        if (!private_key_parse(text, &signer->key, signer->seed, &locked, err))
                return wrap(err, "%s", signer->path);
        signer->by_agent = locked;
        return true;
}

static bool use_public(struct signer *signer, const struct buf *text, struct err *err) {
        signer->by_agent = true;
        if (ssh_key_parse(buf_text(text), &signer->key, err))
                return true;
        err->kind = ERR_SIGNATURE;
        return wrap(err, "%s", signer->path);
}

static bool read_key_file(struct signer *signer, struct err *err) {
        auto_buf text = { .max = KEY_FILE_MAX };
        auto_close int fd = open(signer->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat stat;
        if (fd < 0)
                return fail(err, ERR_REFERENCE, errno, "the key %s", signer->path);
        if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode))
                return fail(err, ERR_REFERENCE, 0, "the key %s is not a file", signer->path);
        if (!buf_read_fd(&text, fd, err))
                return wrap(err, "reading %s", signer->path);
        bool ok = private_key_looks_so(&text) ? use_private(signer, fd, &text, err) : use_public(signer, &text, err);
        if (text.data)
                explicit_bzero(text.data, text.capacity);
        return ok;
}

static bool check_agent(const struct signer *signer, struct err *err) {
        if (!signer->by_agent || agent_holds(&signer->key))
                return true;
        fail(err, ERR_SIGNATURE, 0,
             "the private key of %s is not to be had: it has a passphrase, or %s is its public half, "
             "and no ssh-agent holds it",
             signer->path, signer->path);
        return hint(
            err, "ssh-add the private key, with SSH_AUTH_SOCK pointing to the agent; in CI, a key without a passphrase "
                 "from the secret store");
}

bool signer_open(const char *path, struct signer **ret, struct err *err) {
        struct signer *signer = xcalloc(1, sizeof *signer);
        signer->path = xstrdup(path);
        if (read_key_file(signer, err) && check_agent(signer, err)) {
                *ret = signer;
                return true;
        }
        signer_free(signer);
        return false;
}

void signer_free(struct signer *signer) {
        if (!signer)
                return;
        explicit_bzero(signer->seed, sizeof signer->seed);
        free(signer->path);
        free(signer);
}

const struct ssh_key *signer_key(const struct signer *signer) { return &signer->key; }

static bool sign_by_seed(const struct signer *signer, const struct buf *covered,
                         uint8_t ret_signature[static SSH_SIGNATURE_BYTES], struct err *err) {
        size_t size = SSH_SIGNATURE_BYTES;
        EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, signer->seed, sizeof signer->seed);
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool ok = key && context && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
                  EVP_DigestSign(context, ret_signature, &size, (const uint8_t *)covered->data, covered->size) == 1;
        EVP_MD_CTX_free(context);
        EVP_PKEY_free(key);
        return ok || fail(err, ERR_INTERNAL, 0, "libcrypto cannot sign with %s", signer->path);
}

static bool sign_by_agent(const struct signer *signer, const struct buf *covered,
                          uint8_t ret_signature[static SSH_SIGNATURE_BYTES], struct err *err) {
        bool absent = false;
        if (!agent_sign(&signer->key, covered, ret_signature, &absent, err))
                return wrap(err, "signing with %s", signer->path);
        return !absent || fail(err, ERR_SIGNATURE, 0, "ssh-agent has let go of %s", signer->path);
}

bool signer_sign(const struct signer *signer, const char *namespace, const void *data, size_t size, struct buf *ret,
                 struct err *err) {
        struct sshsig sshsig = { .key = signer->key, .hash = "sha512" };
        auto_buf covered = { 0 };
        assert(strlen(namespace) < sizeof sshsig.namespace);
        memcpy(sshsig.namespace, namespace, strlen(namespace) + 1);
        if (!cover(&sshsig, data, size, &covered, err))
                return false;
        bool (*sign)(const struct signer *, const struct buf *, uint8_t *, struct err *) = sign_by_seed;
        if (signer->by_agent)
                sign = sign_by_agent;
        if (!sign(signer, &covered, sshsig.signature, err))
                return false;
        sshsig_format(&sshsig, ret);
        return true;
}

// ---- checking ----

static bool is_signed_by(const struct sshsig *sshsig, const struct buf *covered) {
        EVP_PKEY *key =
            EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, sshsig->key.bytes, sizeof sshsig->key.bytes);
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool ok = key && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                  EVP_DigestVerify(context, sshsig->signature, sizeof sshsig->signature, (const uint8_t *)covered->data,
                                   covered->size) == 1;
        EVP_MD_CTX_free(context);
        EVP_PKEY_free(key);
        return ok;
}

void ssh_key_fingerprint(const struct ssh_key *key, struct buf *ret) {
        auto_buf blob = { 0 };
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned length = 0;
        ssh_key_blob(key, &blob);
        EVP_Digest(blob.data, blob.size, digest, &length, EVP_sha256(), NULL);
        buf_append_text(ret, "SHA256:");
        base64_encode(digest, length, 0, ret);
        while (ret->size && ret->data[ret->size - 1] == '=')
                ret->data[--ret->size] = '\0';
}

static bool fail_untrusted(const char *subject, const struct sshsig *sshsig, struct err *err) {
        auto_buf fingerprint = { 0 };
        ssh_key_fingerprint(&sshsig->key, &fingerprint);
        return fail(err, ERR_SIGNATURE, 0, "%s is signed by a key that is not trusted: %s", subject,
                    buf_text(&fingerprint));
}

bool signature_check(const char *subject, const struct buf *armored, const char *namespace, const void *data,
                     size_t size, const struct ssh_key *keys, size_t key_count, size_t *ret_index, struct err *err) {
        struct sshsig sshsig = { 0 };
        auto_buf covered = { 0 };
        if (!sshsig_parse(buf_text(armored), armored->size, &sshsig, err))
                return wrap(err, "the signature of %s", subject);
        if (strcmp(sshsig.namespace, namespace) != 0)
                return fail(err, ERR_SIGNATURE, 0, "%s has a signature for \"%s\", not for \"%s\"", subject,
                            sshsig.namespace, namespace);
        size_t index = 0;
        while (index < key_count && !ssh_key_equal(&keys[index], &sshsig.key))
                index++;
        if (index == key_count)
                return fail_untrusted(subject, &sshsig, err);
        if (!cover(&sshsig, data, size, &covered, err))
                return false;
        if (!is_signed_by(&sshsig, &covered))
                return fail(err, ERR_SIGNATURE, 0, "%s is not what was signed", subject);
        if (ret_index)
                *ret_index = index;
        return true;
}
