// SPDX-License-Identifier: MIT
#include "packages/metadata/metalink.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <expat.h>

#include "base/digest.h"
#include "packages/metadata/xml_guard.h"

#define REPOMD_SUFFIX "repodata/repomd.xml"

enum { TEXT_MAX = 4096, SIZE_MAX_BYTES = 4 << 20, SHA256_LENGTH = 64, SHA512_LENGTH = 128 };

struct mirror {
        const char *url;
        long preference; // the higher, the better
        size_t index;
};

struct metalink_reader {
        struct arena *arena;
        bool is_metalink; // of its first element
        bool any_element; // there was a first element
        bool in_repomd;   // within <file name="repomd.xml">
        bool any_repomd;  // there was one
        size_t text_size; // of the element that is open; TEXT_MAX: it is too long to mean anything
        char text[TEXT_MAX];
        char hash_type[16]; // of the <hash> that is open
        long preference;    // of the <url> that is open
        struct mirror *mirrors;
        size_t mirror_count;
        struct metalink_digest current; // of the file or the alternate that is open
        struct metalink_digest *digests;
        size_t digest_count;
};

static const char *local_name(const char *name) {
        const char *colon = strchr(name, ':');
        if (colon)
                return colon + 1;
        return name;
}

static const char *find_attribute(const char *const *attributes, const char *name) {
        for (; *attributes; attributes += 2)
                if (strcmp(attributes[0], name) == 0)
                        return attributes[1];
        return "";
}

// "SHA-256" of RFC 5854 is version 3's "sha256".
static void read_hash_type(struct metalink_reader *reader, const char *type) {
        size_t length = 0;
        for (; *type && length + 1 < sizeof reader->hash_type; type++)
                if (*type != '-')
                        reader->hash_type[length++] = (char)tolower((unsigned char)*type);
        reader->hash_type[length] = '\0';
}

// Version 3 prefers high numbers, version 4 calls 1 the best.
static long read_preference(const char *const *attributes) {
        const char *priority = find_attribute(attributes, "priority");
        if (*priority)
                return -strtol(priority, NULL, 10);
        return strtol(find_attribute(attributes, "preference"), NULL, 10);
}

static void keep_digest(struct metalink_reader *reader) {
        bool is_known = reader->current.checksum != NULL;
        if (is_known && reader->digest_count < METALINK_DIGESTS_MAX)
                *array_append(&reader->digests, &reader->digest_count) = reader->current;
        reader->current = (struct metalink_digest){ 0 };
}

static void XMLCALL metalink_element_begins(void *context, const char *full_name, const char **attributes) {
        struct metalink_reader *reader = context;
        const char *name = local_name(full_name);
        if (!reader->any_element)
                reader->is_metalink = strcmp(name, "metalink") == 0;
        reader->any_element = true;
        reader->text_size = 0;
        if (strcmp(name, "file") == 0) {
                reader->in_repomd = strcmp(find_attribute(attributes, "name"), "repomd.xml") == 0;
                reader->any_repomd |= reader->in_repomd;
                reader->current = (struct metalink_digest){ 0 };
        } else if (strcmp(name, "alternate") == 0) {
                keep_digest(reader); // what came before it is of the newest repomd.xml
        } else if (strcmp(name, "hash") == 0) {
                read_hash_type(reader, find_attribute(attributes, "type"));
        } else if (strcmp(name, "url") == 0) {
                reader->preference = read_preference(attributes);
        }
}

static void XMLCALL metalink_text_goes_on(void *context, const char *bytes, int size) {
        struct metalink_reader *reader = context;
        size_t room = TEXT_MAX - reader->text_size;
        size_t taken = size_min((size_t)size, room);
        memcpy(reader->text + reader->text_size, bytes, taken);
        reader->text_size += taken;
}

// Without the blanks around it. NULL: it is too long.
static char *metalink_text(struct metalink_reader *reader) {
        if (reader->text_size >= TEXT_MAX)
                return NULL;
        char *text = reader->text;
        char *end = text + reader->text_size;
        while (text < end && isspace((unsigned char)*text))
                text++;
        while (end > text && isspace((unsigned char)end[-1]))
                end--;
        *end = '\0';
        return text;
}

// The longest digest that is known counts.
static void read_hash(struct metalink_reader *reader, char *hex) {
        bool is_sha256 = strcmp(reader->hash_type, "sha256") == 0 && strlen(hex) == SHA256_LENGTH;
        bool is_sha512 = strcmp(reader->hash_type, "sha512") == 0 && strlen(hex) == SHA512_LENGTH;
        bool has_longer = reader->current.checksum && strlen(reader->current.checksum) > strlen(hex);
        if ((!is_sha256 && !is_sha512) || has_longer)
                return;
        for (char *digit = hex; *digit; digit++)
                *digit = (char)tolower((unsigned char)*digit);
        reader->current.checksum_type = arena_strdup(reader->arena, reader->hash_type);
        reader->current.checksum = arena_strdup(reader->arena, hex);
}

static bool is_https(const char *url) { return strncasecmp(url, "https://", 8) == 0; }

// FTP, rsync and files of this machine are not asked, whatever a list from the network says.
static void read_url(struct metalink_reader *reader, const char *url) {
        size_t length = strlen(url);
        size_t suffix = strlen("/" REPOMD_SUFFIX);
        bool is_web = is_https(url) || strncasecmp(url, "http://", 7) == 0;
        bool is_repomd = length > suffix && strcmp(url + length - suffix, "/" REPOMD_SUFFIX) == 0;
        bool is_plain = url[strcspn(url, " \t\r\n\"<>")] == '\0';
        if (!is_web || !is_repomd || !is_plain)
                return;
        size_t index = reader->mirror_count;
        *array_append(&reader->mirrors, &reader->mirror_count) = (struct mirror){
                .url = arena_strndup(reader->arena, url, length - strlen(REPOMD_SUFFIX)),
                .preference = reader->preference,
                .index = index,
        };
}

static void XMLCALL metalink_element_ends(void *context, const char *full_name) {
        struct metalink_reader *reader = context;
        const char *name = local_name(full_name);
        char *text = metalink_text(reader);
        reader->text_size = 0;
        if (!reader->in_repomd || !text)
                return;
        if (strcmp(name, "hash") == 0) {
                read_hash(reader, text);
        } else if (strcmp(name, "size") == 0) {
                reader->current.size_bytes = strtoull(text, NULL, 10);
        } else if (strcmp(name, "url") == 0) {
                read_url(reader, text);
        } else if (strcmp(name, "alternate") == 0) {
                keep_digest(reader);
        } else if (strcmp(name, "file") == 0) {
                keep_digest(reader);
                reader->in_repomd = false;
        }
}

// A mirror that has both is asked by https.
static int compare_mirrors(const void *left_pointer, const void *right_pointer) {
        const struct mirror *left = left_pointer;
        const struct mirror *right = right_pointer;
        if (left->preference != right->preference)
                return (left->preference < right->preference) - (left->preference > right->preference);
        if (is_https(left->url) != is_https(right->url))
                return is_https(right->url) - is_https(left->url);
        return (left->index > right->index) - (left->index < right->index);
}

static void take_metalink(struct metalink_reader *reader, struct metalink *ret) {
        qsort(reader->mirrors, reader->mirror_count, sizeof *reader->mirrors, compare_mirrors);
        *ret = (struct metalink){ .digests = take_ptr(reader->digests), .digest_count = reader->digest_count };
        for (size_t i = 0; i < reader->mirror_count && ret->urls.count < METALINK_URLS_MAX; i++)
                if (!strings_have(&ret->urls, reader->mirrors[i].url))
                        *array_append(&ret->urls.items, &ret->urls.count) = reader->mirrors[i].url;
}

static bool run_expat(struct metalink_reader *reader, const char *text, size_t size, struct err *err) {
        XML_Parser parser = XML_ParserCreate(NULL);
        if (!parser)
                abort();
        XML_SetUserData(parser, reader);
        XML_SetElementHandler(parser, metalink_element_begins, metalink_element_ends);
        XML_SetCharacterDataHandler(parser, metalink_text_goes_on);
        bool ok = XML_Parse(parser, text, (int)size, XML_TRUE) == XML_STATUS_OK;
        if (!reader->is_metalink)
                (void)fail(err, ERR_CORRUPT, 0, "it is no metalink");
        else if (!ok)
                (void)fail(err, ERR_CORRUPT, 0, "line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(parser),
                           XML_ErrorString(XML_GetErrorCode(parser)));
        XML_ParserFree(parser);
        return ok && reader->is_metalink;
}

static bool check_metalink(const struct metalink_reader *reader, struct err *err) {
        if (!reader->any_repomd)
                return fail(err, ERR_CORRUPT, 0, "it does not list repomd.xml");
        if (reader->digest_count == 0)
                return fail(err, ERR_CORRUPT, 0, "it has no sha256 or sha512 of repomd.xml");
        if (reader->mirror_count == 0)
                return fail(err, ERR_NETWORK, 0, "it names no http or https URL of repodata/repomd.xml");
        return true;
}

bool metalink_is_likely(const char *text) {
        while (isspace((unsigned char)*text))
                text++;
        if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
                text += 3;
        return *text == '<';
}

bool metalink_parse(const char *text, size_t size, struct arena *arena, struct metalink *ret, struct err *err) {
        assert(text && size <= SIZE_MAX_BYTES);
        struct xml_guard guard = { .max_bytes = SIZE_MAX_BYTES };
        const char *wrong = xml_guard_check(&guard, text, size);
        if (wrong)
                return fail(err, ERR_CORRUPT, 0, "%s", wrong);
        auto_free struct metalink_reader *reader = xcalloc(1, sizeof *reader);
        reader->arena = arena;
        bool ok = run_expat(reader, text, size, err) && check_metalink(reader, err);
        if (ok)
                take_metalink(reader, ret);
        free(reader->mirrors);
        free(reader->digests);
        return ok;
}

bool metalink_vouches_for(const struct metalink *metalink, const char *bytes, size_t size) {
        for (size_t i = 0; i < metalink->digest_count; i++) {
                const struct metalink_digest *digest = &metalink->digests[i];
                char hex[DIGEST_HEX_SIZE];
                bool is_size = digest->size_bytes == 0 || digest->size_bytes == size;
                digest_bytes(digest->checksum_type, bytes, size, hex);
                if (is_size && strcmp(hex, digest->checksum) == 0)
                        return true;
        }
        return false;
}

void metalink_release(struct metalink *metalink) {
        free(metalink->urls.items);
        free(metalink->digests);
        *metalink = (struct metalink){ 0 };
}
