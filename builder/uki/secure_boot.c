// SPDX-License-Identifier: MIT
#include "uki/secure_boot.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"

enum {
        PEM_MAX_BYTES = 64 << 10,
        CERTIFICATE_HEADER_BYTES = 8,
        CERTIFICATE_ALIGN_BYTES = 8,
        CERTIFICATE_REVISION = 0x0200,
        CERTIFICATE_PKCS7 = 0x0002, // WIN_CERT_TYPE_PKCS_SIGNED_DATA

        DER_INTEGER = 0x02,
        DER_OCTETS = 0x04,
        DER_SEQUENCE = 0x30,
        DER_SET = 0x31,
        DER_CONTEXT_0 = 0xa0, // constructed
};

struct secure_boot_key {
        EVP_PKEY *key;
        X509 *certificate;
};

// ---- DER (ITU-T X.690) ----

static const uint8_t oid_signed_data[] = { 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2 };
static const uint8_t oid_content_type[] = { 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3 };
static const uint8_t oid_message_digest[] = { 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4 };
// SPC_INDIRECT_DATA_OBJID
static const uint8_t oid_indirect_data[] = { 0x06, 10, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 1, 4 };
// AlgorithmIdentifiers, with NULL as parameters.
static const uint8_t algorithm_sha256[] = { 0x30, 13, 0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0 };
static const uint8_t algorithm_rsa[] = { 0x30, 13, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0 };
// SpcAttributeTypeAndOptionalValue: an SPC_PE_IMAGE_DATA without flags and with an empty name of a file.
static const uint8_t pe_image_data[] = { 0x30, 0x17, 0x06, 10,   0x2b, 6, 1,    4, 1,    0x82, 0x37, 2, 1,
                                         15,   0x30, 9,    0x03, 1,    0, 0xa0, 4, 0xa2, 2,    0x80, 0 };

static void der_append(struct buf *to, uint8_t tag, const void *data, size_t size) {
        assert(size < 1 << 16);
        buf_append_char(to, (char)tag);
        if (size >= 0x100)
                buf_append_char(to, (char)0x82);
        else if (size >= 0x80)
                buf_append_char(to, (char)0x81);
        if (size >= 0x100)
                buf_append_char(to, (char)(size >> 8));
        buf_append_char(to, (char)size);
        buf_append(to, data, size);
}

static void der_append_buf(struct buf *to, uint8_t tag, const struct buf *content) {
        der_append(to, tag, buf_text(content), content->size);
}

static void der_append_number(struct buf *to, uint8_t number) { der_append(to, DER_INTEGER, &number, 1); }

// What libcrypto writes as DER.
static void append_openssl(struct buf *to, unsigned char *der, int size) {
        assert(size > 0);
        buf_append(to, der, (size_t)size);
        OPENSSL_free(der);
}

// ---- the key ----

static bool read_pem(const char *path, bool is_secret, struct buf *ret, struct err *err) {
        struct stat stat;
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        ret->max = PEM_MAX_BYTES;
        if (fd < 0 || fstat(fd, &stat) < 0)
                return fail(err, ERR_REFERENCE, errno, "open %s", path);
        if (!S_ISREG(stat.st_mode))
                return fail(err, ERR_REFERENCE, 0, "%s is not a file", path);
        if (is_secret && (stat.st_mode & 077)) {
                fail(err, ERR_SIGNATURE, 0, "%s can be read by others than its owner", path);
                return hint(err, "chmod 600 %s", path);
        }
        return buf_read_fd(ret, fd, err) || wrap(err, "%s", path);
}

// libcrypto asks for a passphrase on the terminal if this does not answer.
static int no_passphrase(char *buffer, int size, int writing, void *context) {
        (void)buffer;
        (void)size;
        (void)writing;
        (void)context;
        return -1;
}

static bool read_private_key(const char *path, EVP_PKEY **ret, struct err *err) {
        auto_buf text = { 0 };
        if (!read_pem(path, true, &text, err))
                return false;
        BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
        *ret = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
        BIO_free(bio);
        explicit_bzero(text.data, text.size);
        if (!*ret) {
                fail(err, ERR_SIGNATURE, 0, "%s holds no private key in PEM, or one with a passphrase", path);
                return hint(err, "openssl pkey -in FILE -out FILE2 takes the passphrase away");
        }
        return EVP_PKEY_get_base_id(*ret) == EVP_PKEY_RSA ||
               fail(err, ERR_SIGNATURE, 0, "%s is no RSA key, which firmware asks for", path);
}

static bool read_certificate(const char *path, X509 **ret, struct err *err) {
        auto_buf text = { 0 };
        if (!read_pem(path, false, &text, err))
                return false;
        BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
        *ret = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        BIO_free(bio);
        return *ret || fail(err, ERR_SIGNATURE, 0, "%s holds no certificate in PEM", path);
}

bool secure_boot_open(const char *key, const char *certificate, struct secure_boot_key **ret, struct err *err) {
        assert(key && certificate);
        struct secure_boot_key *opened = xcalloc(1, sizeof *opened);
        bool ok = read_private_key(key, &opened->key, err) && read_certificate(certificate, &opened->certificate, err);
        if (ok && X509_check_private_key(opened->certificate, opened->key) != 1)
                ok = fail(err, ERR_SIGNATURE, 0, "the certificate %s is not that of the key %s", certificate, key);
        if (ok)
                *ret = opened;
        else
                secure_boot_free(opened);
        return ok;
}

void secure_boot_free(struct secure_boot_key *key) {
        if (!key)
                return;
        EVP_PKEY_free(key->key);
        X509_free(key->certificate);
        free(key);
}

// ---- the signature ----

// SpcIndirectDataContent without its outer tag and length, which the digest of the content leaves out, too.
static void indirect_data(const struct pe_image *image, struct buf *ret) {
        uint8_t digest[PE_SHA256_BYTES];
        auto_buf digest_info = { 0 };
        pe_image_digest(image, digest);
        buf_append(&digest_info, algorithm_sha256, sizeof algorithm_sha256);
        der_append(&digest_info, DER_OCTETS, digest, sizeof digest);
        buf_append(ret, pe_image_data, sizeof pe_image_data);
        der_append_buf(ret, DER_SEQUENCE, &digest_info);
}

static void append_attribute(struct buf *to, const uint8_t *oid, size_t oid_size, const struct buf *value) {
        auto_buf attribute = { 0 };
        buf_append(&attribute, oid, oid_size);
        der_append_buf(&attribute, DER_SET, value);
        der_append_buf(to, DER_SEQUENCE, &attribute);
}

// The attributes that are signed, in the order of their encodings, as DER wants a SET. Without the SET's own tag.
static void signed_attributes(const struct buf *content, struct buf *ret) {
        uint8_t digest[PE_SHA256_BYTES];
        auto_buf type = { 0 };
        auto_buf octets = { 0 };
        if (EVP_Digest(content->data, content->size, digest, NULL, EVP_sha256(), NULL) != 1)
                abort(); // out of memory
        buf_append(&type, oid_indirect_data, sizeof oid_indirect_data);
        der_append(&octets, DER_OCTETS, digest, sizeof digest);
        append_attribute(ret, oid_content_type, sizeof oid_content_type, &type);
        append_attribute(ret, oid_message_digest, sizeof oid_message_digest, &octets);
}

static bool sign_attributes(const struct secure_boot_key *key, const struct buf *attributes, struct buf *ret,
                            struct err *err) {
        auto_buf covered = { 0 };
        size_t size = (size_t)EVP_PKEY_get_size(key->key);
        auto_free unsigned char *signature = xmalloc(size);
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        der_append_buf(&covered, DER_SET, attributes);
        bool ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->key) == 1 &&
                  EVP_DigestSign(context, signature, &size, (const unsigned char *)covered.data, covered.size) == 1;
        EVP_MD_CTX_free(context);
        if (!ok)
                return fail(err, ERR_SIGNATURE, 0, "the Secure Boot key cannot sign");
        der_append(ret, DER_OCTETS, signature, size);
        return true;
}

static bool signer_info(const struct secure_boot_key *key, const struct buf *content, struct buf *ret,
                        struct err *err) {
        auto_buf issuer = { 0 };
        auto_buf attributes = { 0 };
        auto_buf info = { 0 };
        unsigned char *name = NULL, *serial = NULL;
        int name_size = i2d_X509_NAME(X509_get_issuer_name(key->certificate), &name);
        int serial_size = i2d_ASN1_INTEGER(X509_get0_serialNumber(key->certificate), &serial);
        append_openssl(&issuer, name, name_size);
        append_openssl(&issuer, serial, serial_size);
        signed_attributes(content, &attributes);
        der_append_number(&info, 1);
        der_append_buf(&info, DER_SEQUENCE, &issuer);
        buf_append(&info, algorithm_sha256, sizeof algorithm_sha256);
        der_append_buf(&info, DER_CONTEXT_0, &attributes);
        buf_append(&info, algorithm_rsa, sizeof algorithm_rsa);
        if (!sign_attributes(key, &attributes, &info, err))
                return false;
        der_append_buf(ret, DER_SEQUENCE, &info);
        return true;
}

static void append_content_info(struct buf *to, const uint8_t *oid, size_t oid_size, const struct buf *content) {
        auto_buf sequence = { 0 };
        auto_buf info = { 0 };
        der_append_buf(&sequence, DER_SEQUENCE, content);
        buf_append(&info, oid, oid_size);
        der_append_buf(&info, DER_CONTEXT_0, &sequence);
        der_append_buf(to, DER_SEQUENCE, &info);
}

// RFC 2315, section 9.1.
static bool signed_data(const struct secure_boot_key *key, const struct pe_image *image, struct buf *ret,
                        struct err *err) {
        auto_buf content = { 0 };
        auto_buf data = { 0 };
        auto_buf certificate = { 0 };
        auto_buf signers = { 0 };
        unsigned char *der = NULL;
        int size = i2d_X509(key->certificate, &der);
        append_openssl(&certificate, der, size);
        indirect_data(image, &content);
        if (!signer_info(key, &content, &signers, err))
                return false;
        der_append_number(&data, 1);
        der_append(&data, DER_SET, algorithm_sha256, sizeof algorithm_sha256);
        append_content_info(&data, oid_indirect_data, sizeof oid_indirect_data, &content);
        der_append_buf(&data, DER_CONTEXT_0, &certificate);
        der_append_buf(&data, DER_SET, &signers);
        append_content_info(ret, oid_signed_data, sizeof oid_signed_data, &data);
        return true;
}

bool secure_boot_sign(const struct secure_boot_key *key, const struct pe_image *image, struct buf *ret,
                      struct err *err) {
        auto_buf pkcs7 = { 0 };
        auto_buf entry = { 0 };
        if (!pe_image_can_be_signed(image))
                return fail(err, ERR_CORRUPT, 0, "the image's end is not aligned, and has no place for a signature");
        if (!signed_data(key, image, &pkcs7, err))
                return false;
        struct {
                uint32_t length;
                uint16_t revision, type;
        } header = {
                htole32((uint32_t)(CERTIFICATE_HEADER_BYTES + pkcs7.size)),
                htole16(CERTIFICATE_REVISION),
                htole16(CERTIFICATE_PKCS7),
        };
        buf_append(&entry, &header, CERTIFICATE_HEADER_BYTES);
        buf_append(&entry, pkcs7.data, pkcs7.size);
        while (entry.size % CERTIFICATE_ALIGN_BYTES != 0)
                buf_append_char(&entry, '\0');
        pe_image_certify(image, entry.data, entry.size, ret);
        return true;
}
