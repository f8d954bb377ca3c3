// SPDX-License-Identifier: MIT
#include "packages/trust/keyring.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <rpm/rpmcrypto.h>
#include <rpm/rpmkeyring.h>
#include <rpm/rpmlog.h>
#include <rpm/rpmpgp.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "packages/fetch/transfer.h"
#include "packages/fetch/url.h"
#include "packages/packages.h"
#include "packages/trust/certificate.h"
#include "profile/profile.h"

enum { KEY_FILE_MAX = 1 << 20, KEYS_MAX = 32, LISTED_MAX = 8, KEY_BITS_MIN = 2048, CACHED_NAME_LENGTH = 16 };

struct keyring {
        rpmKeyring ring;
        const struct repository *repository;
        struct key_facts *keys; // primary keys and subkeys, in the order read
        size_t key_count;
        struct strings fingerprints; // of the primary keys that were accepted, upper-case hex; heap
        char identity[DIGEST_HEX_SIZE];
};

void keyring_free(struct keyring *keyring) {
        if (!keyring)
                return;
        rpmKeyringFree(keyring->ring);
        for (size_t i = 0; i < keyring->fingerprints.count; i++)
                free((char *)keyring->fingerprints.items[i]);
        free(keyring->fingerprints.items);
        free(keyring->keys);
        free(keyring);
}

const char *keyring_identity(const struct keyring *keyring) { return keyring->identity; }

// People write fingerprints with spaces, colons and in either case.
static bool fingerprint_equals(const char *written, const char *fingerprint) {
        for (; *written; written++) {
                if (isspace((unsigned char)*written) || *written == ':')
                        continue;
                if (toupper((unsigned char)*written) != *fingerprint)
                        return false;
                fingerprint++;
        }
        return !*fingerprint;
}

static bool is_pinned(const struct repository *repository, const char *fingerprint) {
        for (size_t i = 0; i < repository->fingerprints.count; i++)
                if (fingerprint_equals(repository->fingerprints.items[i], fingerprint))
                        return true;
        return repository->fingerprints.count == 0;
}

static char *fingerprint_of(const uint8_t *packets, size_t size) {
        uint8_t *bytes = NULL;
        size_t count = 0;
        if (pgpPubkeyFingerprint(packets, size, &bytes, &count) != 0)
                return NULL;
        auto_buf text = { 0 };
        for (size_t i = 0; i < count; i++)
                buf_printf(&text, "%02X", bytes[i]);
        free(bytes);
        return buf_take(&text);
}

static bool add_to_ring(struct keyring *keyring, const uint8_t *packets, size_t size) {
        rpmPubkey key = rpmPubkeyNew(packets, size);
        if (!key)
                return false;
        rpmKeyringAddKey(keyring->ring, key);
        int count = 0;
        rpmPubkey *subkeys = rpmGetSubkeys(key, &count);
        for (int i = 0; i < count; i++) {
                rpmKeyringAddKey(keyring->ring, subkeys[i]);
                rpmPubkeyFree(subkeys[i]);
        }
        free(subkeys);
        rpmPubkeyFree(key);
        struct key_facts facts[KEYS_MAX];
        size_t found = certificate_read(packets, size, facts, KEYS_MAX);
        for (size_t i = 0; i < found; i++)
                *array_append(&keyring->keys, &keyring->key_count) = facts[i];
        return true;
}

static void add_listed(struct buf *list, const char *name) {
        if (list->size > 0)
                buf_append_text(list, ", ");
        buf_append_text(list, name);
}

// What of a key file is not used: fingerprints that are not pinned, and what cannot be read.
struct left_out {
        struct buf unpinned, unreadable;
};

static void left_out_release(struct left_out *left_out) {
        buf_release(&left_out->unpinned);
        buf_release(&left_out->unreadable);
}

static void add_certificate(struct keyring *keyring, const uint8_t *packets, size_t size, struct left_out *left_out) {
        auto_free char *fingerprint = fingerprint_of(packets, size);
        if (fingerprint && !is_pinned(keyring->repository, fingerprint)) {
                add_listed(&left_out->unpinned, fingerprint);
        } else if (fingerprint && packet_is_supported(packets, size) && add_to_ring(keyring, packets, size)) {
                *array_append(&keyring->fingerprints.items, &keyring->fingerprints.count) = take_ptr(fingerprint);
        } else {
                auto_free char *what = packet_describe(packets, size);
                add_listed(&left_out->unreadable, what);
        }
}

// One certificate after the other: vendors put keys of new kinds beside those that every rpm can read.
static void add_certificates(struct keyring *keyring, const uint8_t *packets, size_t size, struct left_out *left_out) {
        while (size > 0) {
                size_t length = 0;
                if (pgpPubKeyCertLen(packets, size, &length) != 0 || length == 0 || length > size) {
                        add_listed(&left_out->unreadable, "what does not hold an OpenPGP public key");
                        return;
                }
                add_certificate(keyring, packets, length, left_out);
                packets += length;
                size -= length;
        }
}

// librpm wants a checksum behind the block, which keys of version 6 do not have.
static void add_unreadable_block(const char *block, const char *begin, struct left_out *left_out) {
        auto_buf packets = { .max = KEY_FILE_MAX };
        const char *what = "a damaged OpenPGP public key";
        auto_free char *described = NULL;
        if (armor_decode(block, begin, &packets)) {
                const unsigned char *bytes = (const unsigned char *)packets.data;
                if (!packet_is_supported(bytes, packets.size))
                        described = packet_describe(bytes, packets.size);
        }
        if (described)
                what = described;
        add_listed(&left_out->unreadable, what);
}

static void add_armored(struct keyring *keyring, const char *text, struct left_out *left_out) {
        static const char begin[] = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
        for (const char *block = strstr(text, begin); block; block = strstr(block + 1, begin)) {
                uint8_t *packets = NULL;
                size_t size = 0;
                if (pgpParsePkts(block, &packets, &size) == PGPARMOR_PUBKEY)
                        add_certificates(keyring, packets, size, left_out);
                else
                        add_unreadable_block(block, begin, left_out);
                free(packets);
        }
}

static bool fail_for_key_file(const char *name, const struct left_out *left_out, struct err *err) {
        if (left_out->unpinned.size > 0)
                return fail(err, ERR_SIGNATURE, 0, "key file %s holds %s, which is not a pinned fingerprint", name,
                            buf_text(&left_out->unpinned));
        if (left_out->unreadable.size == 0)
                return fail(err, ERR_SIGNATURE, 0, "key file %s does not hold an OpenPGP public key", name);
        fail(err, ERR_SIGNATURE, 0, "key file %s holds no key that can be read, but %s", name,
             buf_text(&left_out->unreadable));
        return hint(err, "RSA, DSA and EdDSA keys of OpenPGP version 4 can be read");
}

// ASCII-armored or binary keys.
static bool add_key_text(struct keyring *keyring, const char *name, const struct buf *text, struct err *err) {
        struct left_out left_out = { 0 };
        size_t before = keyring->fingerprints.count;
        bool is_binary = text->size > 0 && (text->data[0] & 0x80);
        bool ok = true;
        if (is_binary)
                add_certificates(keyring, (const uint8_t *)text->data, text->size, &left_out);
        else
                add_armored(keyring, buf_text(text), &left_out);
        if (keyring->fingerprints.count == before)
                ok = fail_for_key_file(name, &left_out, err);
        else if (left_out.unreadable.size > 0)
                notice("key file %s: passing over %s, which cannot be read", name, buf_text(&left_out.unreadable));
        left_out_release(&left_out);
        return ok;
}

static bool add_key_file(struct keyring *keyring, const char *name, const char *path, struct err *err) {
        auto_buf text = { .max = KEY_FILE_MAX };
        if (!fs_read(AT_FDCWD, path, &text, err))
                return wrap(err, "key");
        return add_key_text(keyring, name, &text, err);
}

static char *cached_key(const struct packages_options *options, const char *url) {
        char hex[DIGEST_HEX_SIZE];
        digest_bytes("sha256", url, strlen(url), hex);
        hex[CACHED_NAME_LENGTH] = '\0';
        return cache_entry(options->cache, CACHE_KEYS, hex);
}

// The file of a key on this machine; NULL: it comes from the network. Heap.
static char *local_key(const char *key) {
        if (strstr(key, "://"))
                return url_local_path(key);
        return xstrdup(key);
}

char *key_file(const struct packages_options *options, const char *key) {
        auto_free char *local = local_key(key);
        if (local && fs_exists(AT_FDCWD, local))
                return take_ptr(local);
        return cached_key(options, key);
}

static bool file_is(const char *path, const struct buf *text) {
        auto_buf found = { .max = KEY_FILE_MAX };
        auto_err absent = { 0 };
        if (!fs_read(AT_FDCWD, path, &found, &absent) || found.size != text->size)
                return false;
        return memcmp(found.data, text->data, text->size) == 0;
}

static bool keep_key(const struct packages_options *options, const char *key, const struct buf *text, struct err *err) {
        auto_free char *path = cached_key(options, key);
        if (file_is(path, text))
                return true;
        return fs_mkdirs_for(AT_FDCWD, path, 0755, err) &&
               fs_write_atomic(AT_FDCWD, path, text->data, text->size, 0644, err);
}

// A key of this machine is copied into the cache, and looked for there when an --offline build finds it gone.
static bool add_local(struct keyring *keyring, const char *key, const char *path,
                      const struct packages_options *options, struct err *err) {
        auto_free char *kept = cached_key(options, key);
        auto_buf text = { .max = KEY_FILE_MAX };
        if (options->offline && !fs_exists(AT_FDCWD, path) && fs_exists(AT_FDCWD, kept))
                return add_key_file(keyring, key, kept, err);
        if (!fs_read(AT_FDCWD, path, &text, err))
                return wrap(err, "key");
        return add_key_text(keyring, key, &text, err) && keep_key(options, key, &text, err);
}

static bool fail_for_uncached_key(const char *url, struct err *err) {
        auto_free char *shown = url_shown(url);
        return fail(err, ERR_NETWORK, 0, "key %s is not in the cache, and --offline forbids to fetch it", shown);
}

// A key from the network is kept in the cache. It is trusted for its pinned fingerprint, not for where it came from.
static bool add_remote(struct keyring *keyring, const char *url, const struct packages_options *options,
                       struct err *err) {
        auto_free char *path = cached_key(options, url);
        auto_free char *shown = url_shown(url);
        bool pinned = keyring->repository->fingerprints.count > 0;
        bool usable = fs_exists(AT_FDCWD, path) && (pinned || options->offline);
        auto_err stale = { 0 };
        if (usable && add_key_file(keyring, shown, path, &stale))
                return true;
        if (options->offline)
                return fail_for_uncached_key(url, err);
        struct transfer transfer = {
                .name = "key", .urls = &url, .url_count = 1, .path = path, .max_bytes = KEY_FILE_MAX
        };
        return transfers_run(&transfer, 1, NULL, err) && add_key_file(keyring, shown, path, err);
}

static bool has_expired(const struct key_facts *key) { return key->expires && key->expires < time(NULL); }

static void make_identity(struct keyring *keyring) {
        struct digest *digest = digest_new("sha256");
        for (size_t i = 0; i < keyring->fingerprints.count; i++)
                digest_update(digest, keyring->fingerprints.items[i], strlen(keyring->fingerprints.items[i]) + 1);
        if (keyring->repository->allow_sha1)
                digest_update(digest, "allow_sha1", sizeof "allow_sha1");
        for (size_t i = 0; i < keyring->key_count; i++) // what they signed was good before, and is not any more
                if (keyring->keys[i].revoked || has_expired(&keyring->keys[i]))
                        digest_update(digest, keyring->keys[i].id, sizeof keyring->keys[i].id);
        digest_final(digest, keyring->identity);
}

// Where a key lies if the repository that it is published with was replaced: its path below the new base URL.
static char *key_in_replacement(const struct release *release, const struct packages_options *options,
                                const char *key) {
        for (size_t i = 0; release && i < release->repository_count; i++) {
                const struct repository *repository = &release->repositories[i];
                const char *replacement = url_replacement(options->replace, repository->name);
                for (size_t k = 0; replacement && k < repository->base_urls.count; k++) {
                        size_t length = strlen(repository->base_urls.items[k]);
                        if (strncmp(key, repository->base_urls.items[k], length) != 0)
                                continue;
                        auto_free char *base = url_from_user(replacement);
                        return url_join(base, key + length);
                }
        }
        return NULL;
}

static bool add_key(struct keyring *keyring, const char *key, const struct packages_options *options, struct err *err) {
        auto_free char *local = local_key(key);
        if (local)
                return add_local(keyring, key, local, options, err);
        if (add_remote(keyring, key, options, err))
                return true;
        if (err->kind == ERR_NETWORK)
                hint(err, "`gpgkeys` may also name a file; its fingerprint is checked all the same");
        return false;
}

char *key_export_name(const char *key) {
        const char *slash = strrchr(key, '/');
        if (slash)
                key = slash + 1;
        char *name = xstrdup(key);
        for (char *at = name; *at; at++)
                if (!isalnum((unsigned char)*at) && !strchr("._-+", *at))
                        *at = '_';
        return name;
}

// Where an export carries a key of its repositories; NULL: the repository is not replaced.
static char *key_in_export(const struct repository *repository, const struct packages_options *options,
                           const char *key) {
        const char *replacement = url_replacement(options->replace, repository->name);
        if (!replacement)
                return NULL;
        auto_free char *base = url_from_user(replacement), *name = key_export_name(key);
        return url_join(base, name);
}

// A pinned key that cannot be fetched may come from an export of the repository: its fingerprint is checked.
static bool add_exported(struct keyring *keyring, const char *key, const struct packages_options *options,
                         struct err *err) {
        auto_free char *url = key_in_export(keyring->repository, options, key);
        bool is_absent = err->kind == ERR_NETWORK || err->number == ENOENT;
        if (!is_absent || !url || keyring->repository->fingerprints.count == 0)
                return false;
        auto_err absent = { 0 };
        if (!add_key(keyring, url, options, &absent))
                return false;
        err_release(err);
        return true;
}

// librpm would print on standard error what kiln reports as an error, with place and reason.
static int discard_message(rpmlogRec record, rpmlogCallbackData data) {
        (void)record;
        (void)data;
        return 0;
}

// How a repository that --repo replaced takes its key along.
static void hint_for_replaced(const struct repository *repository, const struct packages_options *options,
                              const char *key, const char *replaced, struct err *err) {
        auto_free char *beside = key_in_export(repository, options, key);
        const char *place = beside;
        if (!beside)
                return;
        if (replaced)
                place = replaced;
        auto_free char *shown = url_shown(place);
        if (replaced || repository->fingerprints.count > 0)
                hint(err, "--repo %s=URL takes the key along: lay it there as %s", repository->name, shown);
        else
                hint(err,
                     "--repo %s=URL takes the key along if the release file pins its `fingerprints`: then lay it "
                     "there as %s",
                     repository->name, shown);
}

// A key lies below the base URL that replaced its own, or where the release says, or where an export has it.
static bool find_and_add_key(struct keyring *keyring, const char *key, const struct release *release,
                             const struct packages_options *options, struct err *err) {
        auto_free char *replaced = key_in_replacement(release, options, key);
        auto_err absent = { 0 };
        if (replaced && add_key(keyring, replaced, options, &absent))
                return true;
        if (add_key(keyring, key, options, err) || add_exported(keyring, key, options, err))
                return true;
        bool is_absent = err->kind == ERR_NETWORK || err->number == ENOENT;
        if (is_absent)
                hint_for_replaced(keyring->repository, options, key, replaced, err);
        return false;
}

static bool add_all_keys(struct keyring *keyring, const struct release *release, const struct packages_options *options,
                         struct err *err) {
        const struct strings *keys = &keyring->repository->keys;
        if (keys->count == 0)
                return fail(err, ERR_SIGNATURE, 0, "no key is given to check signatures with");
        for (size_t i = 0; i < keys->count; i++)
                if (!find_and_add_key(keyring, keys->items[i], release, options, err))
                        return false;
        return true;
}

bool keyring_load(const struct repository *repository, const struct release *release,
                  const struct packages_options *options, struct keyring **ret, struct err *err) {
        assert(options->cache);
        rpmInitCrypto();
        rpmlogSetCallback(discard_message, NULL);
        struct keyring *keyring = xcalloc(1, sizeof *keyring);
        keyring->ring = rpmKeyringNew();
        keyring->repository = repository;
        if (!add_all_keys(keyring, release, options, err)) {
                keyring_free(keyring);
                return false;
        }
        make_identity(keyring);
        *ret = keyring;
        return true;
}

static const struct key_facts *find_key(const struct keyring *keyring, const char *id) {
        for (size_t i = 0; i < keyring->key_count; i++)
                if (strcmp(keyring->keys[i].id, id) == 0)
                        return &keyring->keys[i];
        return NULL;
}

static bool fail_for_unknown_key(const struct keyring *keyring, const char *subject, const char *id, struct err *err) {
        auto_buf known = { 0 };
        for (size_t i = 0; i < keyring->fingerprints.count && i < LISTED_MAX; i++)
                add_listed(&known, keyring->fingerprints.items[i]);
        fail(err, ERR_SIGNATURE, 0, "%s: signed by key %s, which is not among the keys of repository %s: %s", subject,
             id, keyring->repository->name, buf_text(&known));
        return hint(err, "if that key is to be trusted, add it to `gpgkeys` of %s", keyring->repository->name);
}

static bool is_primary_key(const struct keyring *keyring, const char *id) {
        for (size_t i = 0; i < keyring->fingerprints.count; i++)
                if (strcasecmp(keyring->fingerprints.items[i] + 24, id) == 0)
                        return true;
        return false;
}

static bool fail_for_expired_key(const struct key_facts *key, const char *subject, struct err *err) {
        char date[32];
        time_t when = key->expires;
        struct tm parts;
        strftime(date, sizeof date, "%F", gmtime_r(&when, &parts));
        return fail(err, ERR_SIGNATURE, 0, "%s: signed by key %s, which expired on %s", subject, key->id, date);
}

static bool check_key(const struct keyring *keyring, const char *subject, const char *id, struct err *err) {
        const struct key_facts *key = find_key(keyring, id);
        if (!key)
                return fail_for_unknown_key(keyring, subject, id, err);
        const char *kind = "subkey";
        if (is_primary_key(keyring, id))
                kind = "key";
        if (key->revoked)
                return fail(err, ERR_SIGNATURE, 0, "%s: signed by %s %s, which was revoked", subject, kind, id);
        if (key->bits && key->bits < KEY_BITS_MIN)
                return fail(err, ERR_SIGNATURE, 0,
                            "%s: signed by key %s, which is too weak: it has %u bits, %d are needed", subject, id,
                            key->bits, KEY_BITS_MIN);
        if (has_expired(key))
                return fail_for_expired_key(key, subject, err);
        return true;
}

static bool hash_is_allowed(const struct repository *repository, unsigned hash) {
        switch (hash) {
        case PGPHASHALGO_SHA224:
        case PGPHASHALGO_SHA256:
        case PGPHASHALGO_SHA384:
        case PGPHASHALGO_SHA512:
                return true;
        case PGPHASHALGO_SHA1:
                return repository->allow_sha1;
        default:
                return false;
        }
}

static bool check_hash(const struct keyring *keyring, const char *subject, unsigned hash, struct err *err) {
        if (hash_is_allowed(keyring->repository, hash))
                return true;
        fail(err, ERR_SIGNATURE, 0, "%s: its signature uses %s, which repository %s does not allow", subject,
             pgpValString(PGPVAL_HASHALGO, (uint8_t)hash), keyring->repository->name);
        if (hash == PGPHASHALGO_SHA1)
                hint(err, "`allow_sha1: true` in the release file accepts it");
        return false;
}

static bool digest_span(DIGEST_CTX context, struct span span, struct err *err) {
        enum { BLOCK = 256 << 10 };
        auto_free char *block = xmalloc(BLOCK);
        while (span.size_bytes > 0) {
                size_t want = BLOCK;
                if (span.size_bytes < BLOCK)
                        want = (size_t)span.size_bytes;
                ssize_t got = pread(span.fd, block, want, (off_t)span.offset);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read");
                if (got == 0)
                        break; // up to the end of the file
                if (!interrupt_check(err))
                        return false;
                rpmDigestUpdate(context, block, (size_t)got);
                span.offset += (uint64_t)got;
                span.size_bytes -= (uint64_t)got;
        }
        return true;
}

static bool verify_parsed(const struct keyring *keyring, const char *subject, pgpDigParams signature,
                          struct span covered, struct err *err) {
        char id[17];
        const uint8_t *bytes = pgpDigParamsSignID(signature);
        for (size_t i = 0; i < 8; i++)
                snprintf(id + 2 * i, 3, "%02x", bytes[i]);
        unsigned hash = pgpDigParamsAlgo(signature, PGPVAL_HASHALGO);
        if (!check_key(keyring, subject, id, err) || !check_hash(keyring, subject, hash, err))
                return false;
        DIGEST_CTX context = rpmDigestInit((int)hash, RPMDIGEST_NONE);
        if (!context)
                return fail(err, ERR_SIGNATURE, 0, "%s: its signature uses an unknown hash", subject);
        bool ok = digest_span(context, covered, err);
        if (ok && rpmKeyringVerifySig(keyring->ring, signature, context) != RPMRC_OK)
                ok = fail(err, ERR_SIGNATURE, 0, "%s: the signature by key %s does not fit the contents", subject, id);
        rpmDigestFinal(context, NULL, NULL, 0);
        return ok;
}

static bool fail_for_unreadable(const char *subject, const void *signature, size_t size, struct err *err) {
        if (!packet_is_signature(signature, size) || packet_is_supported(signature, size))
                return fail(err, ERR_SIGNATURE, 0, "%s: its signature cannot be read", subject);
        auto_free char *what = packet_describe(signature, size);
        fail(err, ERR_SIGNATURE, 0, "%s has %s, which is not supported", subject, what);
        return hint(err, "RSA, DSA and EdDSA signatures of OpenPGP version 4 and earlier are");
}

bool keyring_verify(const struct keyring *keyring, const char *subject, const void *signature, size_t signature_size,
                    struct span covered, struct err *err) {
        pgpDigParams parsed = NULL;
        if (!packet_is_supported(signature, signature_size) ||
            pgpPrtParams(signature, signature_size, PGPTAG_SIGNATURE, &parsed) != 0 || !parsed)
                return fail_for_unreadable(subject, signature, signature_size, err);
        bool ok = verify_parsed(keyring, subject, parsed, covered, err);
        pgpDigParamsFree(parsed);
        return ok;
}

bool keyring_verify_detached(const struct keyring *keyring, const char *subject, const struct buf *signature, int fd,
                             struct err *err) {
        struct span whole = { fd, 0, UINT64_MAX };
        if (signature->size > 0 && (signature->data[0] & 0x80))
                return keyring_verify(keyring, subject, signature->data, signature->size, whole, err);
        auto_buf packets = { .max = KEY_FILE_MAX };
        if (!armor_decode(buf_text(signature), "-----BEGIN PGP SIGNATURE-----", &packets))
                return fail(err, ERR_SIGNATURE, 0, "%s: its signature cannot be read", subject);
        return keyring_verify(keyring, subject, packets.data, packets.size, whole, err);
}
