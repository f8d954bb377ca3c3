// SPDX-License-Identifier: MIT
// The Java key store of a distribution's certificates, which ca-certificates' %post makes by p11-kit with the time of
// day in each entry. Format (JDK, sun.security.provider.JavaKeyStore), all numbers big-endian: {FEEDFEED, version 2,
// count}, entries {2 (a certificate), alias, milliseconds, type, length, certificate}, SHA-1 of the password in UTF-16,
// of "Mighty Aphrodite" and of everything before. Texts are {length16, bytes}. Nobody keeps a secret under the
// password: the store holds public certificates.
#include "rootfs/java_keystore.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"

enum {
        MAGIC = 0xfeedfeed,
        VERSION = 2,
        HEAD_BYTES = 12,
        CERTIFICATE = 2,
        TIME_BYTES = 8,
        SHA1_BYTES = 20,
        STORE_BYTES_MAX = 16 << 20,
};

struct store_reader {
        unsigned char *bytes;
        size_t size, at;
};

static bool read_big_endian(struct store_reader *reader, size_t width, uint32_t *ret) {
        if (reader->size - reader->at < width)
                return false;
        for (*ret = 0; width > 0; width--)
                *ret = *ret << 8 | reader->bytes[reader->at++];
        return true;
}

// Past {length, bytes}.
static bool skip_counted(struct store_reader *reader, size_t width) {
        uint32_t length;
        if (!read_big_endian(reader, width, &length) || reader->size - reader->at < length)
                return false;
        reader->at += length;
        return true;
}

static bool set_certificate_time(struct store_reader *reader, uint64_t milliseconds) {
        if (reader->size - reader->at < TIME_BYTES)
                return false;
        for (int i = 0; i < TIME_BYTES; i++)
                reader->bytes[reader->at++] = (unsigned char)(milliseconds >> 8 * (TIME_BYTES - 1 - i));
        return true;
}

static bool read_store_head(struct store_reader *reader, uint32_t *ret_count) {
        uint32_t magic, version;
        if (!read_big_endian(reader, 4, &magic) || magic != MAGIC)
                return false;
        if (!read_big_endian(reader, 4, &version) || version != VERSION)
                return false;
        return read_big_endian(reader, 4, ret_count);
}

// An entry: the kind, the alias, the time, the type and the certificate.
static bool settle_entry(struct store_reader *reader, uint64_t milliseconds) {
        uint32_t kind;
        if (!read_big_endian(reader, 4, &kind) || kind != CERTIFICATE)
                return false;
        return skip_counted(reader, 2) && set_certificate_time(reader, milliseconds) && skip_counted(reader, 2) &&
               skip_counted(reader, 4);
}

static bool settle_entries(struct store_reader *reader, uint64_t milliseconds) {
        uint32_t count;
        if (!read_store_head(reader, &count))
                return false;
        for (; count > 0; count--)
                if (!settle_entry(reader, milliseconds))
                        return false;
        return reader->at == reader->size;
}

static bool store_digest(const unsigned char *bytes, size_t size, unsigned char *ret) {
        static const char salt[] = "\0c\0h\0a\0n\0g\0e\0i\0tMighty Aphrodite";
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool ok = context && EVP_DigestInit_ex(context, EVP_sha1(), NULL) == 1 &&
                  EVP_DigestUpdate(context, salt, sizeof salt - 1) == 1 &&
                  EVP_DigestUpdate(context, bytes, size) == 1 && EVP_DigestFinal_ex(context, ret, NULL) == 1;
        EVP_MD_CTX_free(context);
        return ok;
}

// False for what is no such store, or one under another password: it is not written.
static bool settle_store(unsigned char *bytes, size_t size, int64_t seconds) {
        unsigned char found[SHA1_BYTES];
        if (size < HEAD_BYTES + SHA1_BYTES)
                return false;
        struct store_reader reader = { bytes, size - SHA1_BYTES, 0 };
        if (!store_digest(bytes, reader.size, found) || memcmp(found, bytes + reader.size, SHA1_BYTES) != 0)
                return false;
        if (!settle_entries(&reader, (uint64_t)seconds * 1000))
                return false;
        return store_digest(bytes, reader.size, bytes + reader.size);
}

bool java_keystore_settle(int parent, const char *name, int64_t seconds, struct err *err) {
        auto_buf text = { .max = STORE_BYTES_MAX };
        auto_close int file = -1;
        if (!fs_open(parent, name, O_RDWR | O_NOFOLLOW, 0, &file, err) || !buf_read_fd(&text, file, err))
                return wrap(err, "%s", name);
        if (!settle_store((unsigned char *)text.data, text.size, seconds))
                return true;
        if (lseek(file, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "rewind %s", name);
        return fs_write_all(file, text.data, text.size, err) || wrap(err, "%s", name);
}
