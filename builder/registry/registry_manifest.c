// SPDX-License-Identifier: MIT
#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "base/digest.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "registry/internal.h"

static const char accepted[] = "Accept: " OCI_MANIFEST_TYPE ", " OCI_INDEX_TYPE;

static char *digest_of(const char *text, size_t size) {
        char hex[DIGEST_HEX_SIZE];
        digest_bytes("sha256", text, size, hex);
        return xasprintf("sha256:%s", hex);
}

static char *manifest_url(const struct registry *registry, const char *name) {
        return xasprintf("%s/manifests/%s", registry->root, name);
}

// ---- reading ----

static bool take_manifest(const struct web_answer *answer, const void *data, size_t size, void *context,
                          struct err *err) {
        struct buf *text = context;
        (void)answer;
        if (size > REGISTRY_MANIFEST_MAX - text->size)
                return fail(err, ERR_CORRUPT, 0, "a manifest of more than 4 MiB");
        buf_append(text, data, size);
        return true;
}

static bool get_manifest(struct registry *registry, const char *name, struct buf *ret, bool *ret_found,
                         struct err *err) {
        auto_free char *url = manifest_url(registry, name);
        const struct registry_request get = {
                .method = "GET", .url = url, .header = accepted, .take = take_manifest, .context = ret, .is_once = true
        };
        for (unsigned attempt = 0;;) {
                auto_web_answer answer = { 0 };
                buf_clear(ret);
                bool is_answered = registry_ask(registry, &get, &answer, err);
                *ret_found = is_answered && registry_is_success(&answer);
                if (*ret_found || (is_answered && answer.status == 404))
                        return true;
                if (is_answered)
                        registry_refusal(registry, &get, &answer, err);
                bool is_lost = !is_answered || answer.status >= 500 || answer.status == 429;
                if (err->kind != ERR_NETWORK || !is_lost || !registry_try_again(registry, &attempt, err))
                        return false;
                err_release(err);
        }
}

bool registry_read_manifest(struct registry *registry, const char *name, struct buf *ret, char **ret_digest,
                            bool *ret_found, struct err *err) {
        if (!get_manifest(registry, name, ret, ret_found, err))
                return false;
        if (!*ret_found)
                return true;
        auto_free char *digest = digest_of(buf_text(ret), ret->size);
        bool is_wanted = !oci_is_digest(name) || strcmp(name, digest) == 0;
        if (!is_wanted)
                return fail(err, ERR_CHECKSUM, 0, "%s gives something else as manifest %s", registry->authority, name);
        *ret_digest = take_ptr(digest);
        return true;
}

bool registry_has_manifest(struct registry *registry, const char *name, bool *ret, struct err *err) {
        auto_free char *url = manifest_url(registry, name);
        const struct registry_request head = { .method = "HEAD", .url = url, .header = accepted };
        auto_web_answer answer = { 0 };
        if (!registry_ask(registry, &head, &answer, err))
                return false;
        *ret = registry_is_success(&answer);
        return *ret || answer.status == 404 || registry_refusal(registry, &head, &answer, err);
}

// ---- writing ----

// `*ret_lists`: the registry keeps lists of referrers, and has put this one there.
static bool put_manifest(struct registry *registry, const char *name, const char *media_type, const char *text,
                         bool *ret_lists, struct err *err) {
        auto_free char *url = manifest_url(registry, name);
        auto_free char *type = xasprintf("Content-Type: %s", media_type);
        auto_buf subject = { 0 };
        const struct registry_request put = { .method = "PUT",
                                              .url = url,
                                              .header = type,
                                              .has_body = true,
                                              .content.data = text,
                                              .size_bytes = strlen(text) };
        auto_web_answer answer = { 0 };
        if (!registry_ask(registry, &put, &answer, err))
                return false;
        *ret_lists = web_header(&answer, "oci-subject", 0, &subject);
        return registry_is_success(&answer) || registry_refusal(registry, &put, &answer, err);
}

bool registry_push_manifest(struct registry *registry, const char *name, const char *media_type, const char *text,
                            struct err *err) {
        bool ignored;
        assert(strlen(text) <= REGISTRY_MANIFEST_MAX);
        return put_manifest(registry, name, media_type, text, &ignored, err);
}

// ---- referrers ----

static bool lists_already(const json_t *manifests, const char *digest) {
        const json_t *entry;
        size_t i;
        json_array_foreach((json_t *)manifests, i, entry) // only read
            if (strcmp(member_text(entry, "digest"), digest) == 0) return true;
        return false;
}

// The index as it is, or a new one. CORRUPT: what is there is no index.
static bool read_index(struct registry *registry, const char *tag, json_t **ret, struct err *err) {
        auto_buf text = { .max = REGISTRY_MANIFEST_MAX };
        auto_free char *digest = NULL;
        bool is_there;
        if (!registry_read_manifest(registry, tag, &text, &digest, &is_there, err))
                return false;
        if (!is_there) {
                *ret = json_pack("{si ss s[]}", "schemaVersion", 2, "mediaType", OCI_INDEX_TYPE, "manifests");
                return true;
        }
        json_t *index = json_loads(buf_text(&text), JSON_REJECT_DUPLICATES, NULL);
        bool is_index = strcmp(member_text(index, "mediaType"), OCI_INDEX_TYPE) == 0 &&
                        json_is_array(json_object_get(index, "manifests"));
        if (is_index) {
                *ret = index;
                return true;
        }
        json_decref(index);
        return fail(err, ERR_CORRUPT, 0, "%s: what has the tag %s is no list of referrers", registry->authority, tag);
}

// The specification's "Referrers Tag Schema". Two who do this at the same time may lose an entry, as it says itself.
static bool add_to_index(struct registry *registry, const struct registry_referrer *referrer, const char *digest,
                         struct err *err) {
        json_t *index = NULL;
        auto_free char *tag = xstrdup(referrer->subject);
        *strchr(tag, ':') = '-';
        if (!read_index(registry, tag, &index, err))
                return false;
        json_t *manifests = json_object_get(index, "manifests");
        bool ok = lists_already(manifests, digest);
        if (!ok) {
                (void)!json_array_append_new(
                    manifests, json_pack("{ss ss sI ss}", "mediaType", OCI_MANIFEST_TYPE, "digest", digest, "size",
                                         (json_int_t)strlen(referrer->text), "artifactType", referrer->artifact_type));
                auto_free char *text = json_dumps(index, JSON_COMPACT);
                bool is_full = !text || strlen(text) > REGISTRY_MANIFEST_MAX;
                if (is_full)
                        fail(err, ERR_CORRUPT, 0, "%s: the list of what belongs to it has no room for more",
                             registry->authority);
                ok = !is_full && registry_push_manifest(registry, tag, OCI_INDEX_TYPE, text, err);
        }
        json_decref(index);
        return ok;
}

bool registry_push_referrer(struct registry *registry, const struct registry_referrer *referrer, struct err *err) {
        bool lists;
        assert(oci_is_digest(referrer->subject));
        auto_free char *digest = digest_of(referrer->text, strlen(referrer->text));
        if (!put_manifest(registry, digest, OCI_MANIFEST_TYPE, referrer->text, &lists, err))
                return false;
        return lists || add_to_index(registry, referrer, digest, err) || wrap(err, "listing what belongs to it");
}
