// SPDX-License-Identifier: MIT
#include "packages/trust/certificate.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"

enum {
        TAG_SIGNATURE = 2,
        TAG_PUBLIC_KEY = 6,
        TAG_PUBLIC_SUBKEY = 14,
        SIGNATURE_GENERIC = 0x10, // 0x10..0x13 certify a user id
        SIGNATURE_POSITIVE = 0x13,
        SIGNATURE_SUBKEY = 0x18,
        SIGNATURE_DIRECT = 0x1f,
        SIGNATURE_KEY_REVOCATION = 0x20,
        SIGNATURE_SUBKEY_REVOCATION = 0x28,
        SUBPACKET_CREATED = 2,
        SUBPACKET_KEY_EXPIRES = 9,
        SUBPACKET_ISSUER = 16,
        SUBPACKET_ISSUER_FINGERPRINT = 33,
};

struct packet {
        int tag;
        const unsigned char *body;
        size_t size;
};

static uint32_t packet_number(const unsigned char *bytes, size_t count) {
        uint32_t value = 0;
        for (size_t i = 0; i < count; i++)
                value = value << 8 | bytes[i];
        return value;
}

// Body length of a new-format packet or of a subpacket: one, two or five octets. 0 if malformed or partial.
static size_t packet_length(const unsigned char *bytes, size_t size, size_t *ret_length) {
        if (size >= 1 && bytes[0] < 192) {
                *ret_length = bytes[0];
                return 1;
        }
        if (size >= 2 && bytes[0] < 224) {
                *ret_length = ((size_t)(bytes[0] - 192) << 8) + bytes[1] + 192;
                return 2;
        }
        if (size >= 5 && bytes[0] == 255) {
                *ret_length = packet_number(bytes + 1, 4);
                return 5;
        }
        return 0;
}

// Returns the size of the whole packet, 0 at the end or at anything malformed.
static size_t packet_read(const unsigned char *bytes, size_t size, struct packet *ret) {
        if (size < 2 || !(bytes[0] & 0x80))
                return 0;
        size_t header = 0;
        size_t length = 0;
        if (bytes[0] & 0x40) {
                ret->tag = bytes[0] & 0x3f;
                header = packet_length(bytes + 1, size - 1, &length);
        } else if ((bytes[0] & 3) < 3) {
                ret->tag = bytes[0] >> 2 & 0x0f;
                header = (size_t)1 << (bytes[0] & 3);
                if (header < size)
                        length = packet_number(bytes + 1, header);
        }
        if (header == 0 || header + 1 > size || length > size - header - 1)
                return 0;
        ret->body = bytes + 1 + header;
        ret->size = length;
        return 1 + header + length;
}

static void key_id(const struct packet *packet, char ret[static 17]) {
        unsigned char digest[SHA_DIGEST_LENGTH];
        unsigned char prefix[3] = { 0x99, (unsigned char)(packet->size >> 8), (unsigned char)packet->size };
        struct digest *running = digest_new("sha1");
        char hex[DIGEST_HEX_SIZE];
        digest_update(running, prefix, sizeof prefix);
        digest_update(running, packet->body, packet->size);
        digest_final(running, hex);
        memcpy(ret, hex + 2 * (sizeof digest - 8), 17);
}

// The length of an RSA modulus or a DSA prime, the first number of either key (RFC 4880, sections 3.2 and 5.5.2); 0: an
// elliptic curve, whose lengths are of another kind.
static unsigned key_bits(const struct packet *packet) {
        enum { RSA = 1, RSA_SIGN = 3, DSA = 17, ALGORITHM = 5, NUMBER = 6 };
        if (packet->size < NUMBER + 2)
                return 0;
        int algorithm = packet->body[ALGORITHM];
        if (algorithm != RSA && algorithm != RSA_SIGN && algorithm != DSA)
                return 0;
        return packet_number(packet->body + NUMBER, 2);
}

struct key_signature {
        int type;
        int64_t created, key_lifetime; // key_lifetime 0: for ever
        char issuer[17];               // id of the key that made it; empty: it does not say
};

static void read_issuer(const unsigned char *id, char ret[static 17]) {
        for (size_t i = 0; i < 8; i++)
                snprintf(ret + 2 * i, 3, "%02x", id[i]);
}

// A subpacket is its type, and data of that type.
static void subpacket_read(const unsigned char *subpacket, size_t length, bool hashed, struct key_signature *ret) {
        int type = subpacket[0] & 0x7f;
        if (hashed && type == SUBPACKET_CREATED && length == 5)
                ret->created = packet_number(subpacket + 1, 4);
        if (hashed && type == SUBPACKET_KEY_EXPIRES && length == 5)
                ret->key_lifetime = packet_number(subpacket + 1, 4);
        if (type == SUBPACKET_ISSUER && length == 9)
                read_issuer(subpacket + 1, ret->issuer);
        if (type == SUBPACKET_ISSUER_FINGERPRINT && length == 22 && subpacket[1] == 4)
                read_issuer(subpacket + 14, ret->issuer);
}

static bool subpackets_read(const unsigned char *next, size_t left, bool hashed, struct key_signature *ret) {
        while (left > 0) {
                size_t length = 0;
                size_t header = packet_length(next, left, &length);
                if (header == 0 || length == 0 || length > left - header)
                        return false;
                subpacket_read(next + header, length, hashed, ret);
                next += header + length;
                left -= header + length;
        }
        return true;
}

// What a signature says is taken from its hashed subpackets alone, but for the issuer, which many have only among the
// others.
static bool key_signature_read(const struct packet *packet, struct key_signature *ret) {
        enum { HEAD = 6, COUNT = 2 };
        if (packet->size < HEAD || packet->body[0] != 4) // version
                return false;
        *ret = (struct key_signature){ .type = packet->body[1] };
        size_t hashed = packet_number(packet->body + 4, COUNT);
        if (hashed > packet->size - HEAD || !subpackets_read(packet->body + HEAD, hashed, true, ret))
                return false;
        const unsigned char *rest = packet->body + HEAD + hashed;
        size_t left = packet->size - HEAD - hashed;
        size_t unhashed = 0;
        if (left >= COUNT)
                unhashed = packet_number(rest, COUNT);
        if (unhashed > 0 && unhashed <= left - COUNT)
                (void)subpackets_read(rest + COUNT, unhashed, false, ret);
        return true;
}

// Whether a signature says for how long a key is good: those over user ids and over the key itself do for a primary
// key, the binding signature does for a subkey.
static bool is_certification(const struct key_signature *signature, bool is_primary) {
        if (!is_primary)
                return signature->type == SIGNATURE_SUBKEY;
        if (signature->type == SIGNATURE_DIRECT)
                return true;
        return signature->type >= SIGNATURE_GENERIC && signature->type <= SIGNATURE_POSITIVE;
}

static bool is_revocation(const struct key_signature *signature, bool is_primary) {
        if (is_primary)
                return signature->type == SIGNATURE_KEY_REVOCATION;
        return signature->type == SIGNATURE_SUBKEY_REVOCATION;
}

// The latest self-signature decides, so a key whose life was extended is alive. What others certify, as keys from
// keyservers carry it, extends nothing.
static void apply_key_signature(struct key_facts *key, const struct key_signature *signature, const char *primary_id,
                                bool is_primary, int64_t *latest) {
        bool is_own = !*signature->issuer || strcmp(signature->issuer, primary_id) == 0;
        if (is_revocation(signature, is_primary))
                key->revoked = true;
        if (!is_own || !is_certification(signature, is_primary) || signature->created < *latest)
                return;
        *latest = signature->created;
        key->expires = 0;
        if (signature->key_lifetime)
                key->expires = key->created + signature->key_lifetime;
}

// A subkey ends with its primary key.
static void limit_subkeys(struct key_facts *keys, size_t count) {
        const struct key_facts *primary = &keys[0];
        for (size_t i = 1; i < count; i++) {
                struct key_facts *subkey = &keys[i];
                subkey->revoked |= primary->revoked;
                if (primary->expires && (!subkey->expires || primary->expires < subkey->expires))
                        subkey->expires = primary->expires;
        }
}

static bool is_version_4_key(const struct packet *packet) {
        bool is_key = packet->tag == TAG_PUBLIC_KEY || packet->tag == TAG_PUBLIC_SUBKEY;
        return is_key && packet->size >= 6 && packet->body[0] == 4;
}

size_t certificate_read(const unsigned char *packets, size_t size, struct key_facts *ret, size_t max) {
        size_t count = 0;
        int64_t latest = 0;
        struct packet packet;
        for (size_t step; (step = packet_read(packets, size, &packet)) > 0; packets += step, size -= step) {
                struct key_signature signature;
                if (is_version_4_key(&packet)) {
                        if (count == max)
                                break;
                        struct key_facts *key = &ret[count++];
                        *key = (struct key_facts){ .created = packet_number(packet.body + 1, 4),
                                                   .bits = key_bits(&packet) };
                        key_id(&packet, key->id);
                        latest = 0;
                } else if (packet.tag == TAG_SIGNATURE && count > 0 && key_signature_read(&packet, &signature)) {
                        apply_key_signature(&ret[count - 1], &signature, ret[0].id, count == 1, &latest);
                }
        }
        limit_subkeys(ret, count);
        return count;
}

// RFC 9580, section 9.1, and the algorithms of draft-ietf-openpgp-pqc.
static const char *key_algorithm_name(unsigned algorithm) {
        static const char *const names[] = {
                [1] = "RSA",
                [3] = "RSA",
                [16] = "Elgamal",
                [17] = "DSA",
                [18] = "ECDH",
                [19] = "ECDSA",
                [22] = "EdDSA",
                [25] = "X25519",
                [26] = "X448",
                [27] = "Ed25519",
                [28] = "Ed448",
                [30] = "ML-DSA-65 and Ed25519",
                [31] = "ML-DSA-87 and Ed448",
                [32] = "SLH-DSA-SHAKE-128s",
                [33] = "SLH-DSA-SHAKE-128f",
                [34] = "SLH-DSA-SHAKE-256s",
        };
        if (algorithm < lengthof(names) && names[algorithm])
                return names[algorithm];
        return "an algorithm that kiln does not know";
}

// The octet of a key's or a signature's packet that tells the algorithm; 0: it is neither, or of version 3.
static size_t algorithm_place(const struct packet *packet) {
        enum { KEY_ALGORITHM = 5, SIGNATURE_ALGORITHM = 2, MIN_BYTES = 6 };
        if (packet->size < MIN_BYTES || packet->body[0] < 4)
                return 0;
        if (packet->tag == TAG_PUBLIC_KEY || packet->tag == TAG_PUBLIC_SUBKEY)
                return KEY_ALGORITHM;
        if (packet->tag == TAG_SIGNATURE)
                return SIGNATURE_ALGORITHM;
        return 0;
}

char *packet_describe(const unsigned char *packets, size_t size) {
        struct packet packet;
        size_t place = 0;
        const char *what = "key";
        if (packet_read(packets, size, &packet) > 0)
                place = algorithm_place(&packet);
        if (place == 0)
                return xstrdup("a damaged OpenPGP packet");
        if (packet.tag == TAG_SIGNATURE)
                what = "signature";
        return xasprintf("an OpenPGP version %u %s (%s)", packet.body[0], what, key_algorithm_name(packet.body[place]));
}

bool packet_is_supported(const unsigned char *packets, size_t size) {
        enum { RSA = 1, RSA_SIGN = 3, DSA = 17, EDDSA = 22, VERSION = 4 };
        struct packet packet;
        size_t place = 0;
        if (packet_read(packets, size, &packet) > 0)
                place = algorithm_place(&packet);
        if (place == 0)
                return true; // librpm's to judge
        unsigned algorithm = packet.body[place];
        bool is_known = algorithm == RSA || algorithm == RSA_SIGN || algorithm == DSA || algorithm == EDDSA;
        return packet.body[0] == VERSION && is_known;
}

bool packet_is_signature(const unsigned char *packets, size_t size) {
        struct packet packet;
        return packet_read(packets, size, &packet) > 0 && packet.tag == TAG_SIGNATURE && algorithm_place(&packet) > 0;
}

static bool decode_armor_line(EVP_ENCODE_CTX *context, const char *line, size_t length, struct buf *ret) {
        char *room = buf_reserve(ret, length + 4);
        int size = 0;
        if (!room || length >= INT32_MAX)
                return false;
        if (EVP_DecodeUpdate(context, (unsigned char *)room, &size, (const unsigned char *)line, (int)length) < 0)
                return false;
        ret->size += (size_t)size;
        return true;
}

// The lines between the header, which ends with an empty line, and the checksum or the end. The checksum is ignored:
// the signature itself is checked.
static bool decode_armor_body(EVP_ENCODE_CTX *context, const char *text, struct buf *ret) {
        bool in_body = false;
        for (const char *newline = strchr(text, '\n'); newline; newline = strchr(newline + 1, '\n')) {
                const char *line = newline + 1;
                size_t length = strcspn(line, "\r\n");
                if (*line == '=' || *line == '-')
                        break;
                if (in_body && length > 0 && !decode_armor_line(context, line, length, ret))
                        return false;
                if (length == 0)
                        in_body = true;
        }
        return ret->size > 0;
}

// librpm decodes armored keys only, not signatures.
bool armor_decode(const char *text, const char *begin, struct buf *ret) {
        const char *block = strstr(text, begin);
        EVP_ENCODE_CTX *context = EVP_ENCODE_CTX_new();
        bool ok = false;
        if (block && context) {
                EVP_DecodeInit(context);
                ok = decode_armor_body(context, block, ret);
        }
        EVP_ENCODE_CTX_free(context);
        return ok;
}
