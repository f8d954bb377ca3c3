// SPDX-License-Identifier: MIT
// oci://HOST/REPOSITORY: a registry as a shared cache. A content is a blob, and a manifest with the tag cas-SHA256 that
// names it, so that no collection of garbage takes it; an entry is a manifest with the tag ac-KEY, whose annotation
// vnd.kiln.cache.entry is the signed text.
#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "remote/internal.h"

#define CACHE_TYPE "application/vnd.kiln.cache.v1"
#define ENTRY "vnd.kiln.cache.entry"

static bool hand_on(const struct web_answer *answer, const void *data, size_t size, void *context, struct err *err) {
        const struct remote_request *request = context;
        (void)answer;
        return request->take(data, size, request->context, err);
}

static bool is_entry(const struct remote_request *request) { return strcmp(request->folder, "ac") == 0; }

static char *tag_of_request(const struct remote_request *request) {
        return xasprintf("%s-%s", request->folder, request->name);
}

// ---- reading ----

static bool read_entry(struct remote *remote, const struct remote_request *request, bool *ret_found, struct err *err) {
        auto_buf text = { .max = REGISTRY_MANIFEST_MAX };
        auto_free char *digest = NULL;
        auto_free char *tag = tag_of_request(request);
        if (!registry_read_manifest(remote->reads, tag, &text, &digest, ret_found, err) || !*ret_found)
                return err->kind == ERR_NONE;
        json_t *manifest = json_loadb(buf_text(&text), text.size, JSON_REJECT_DUPLICATES, NULL);
        const char *entry = member_text(json_object_get(manifest, "annotations"), ENTRY);
        bool ok = request->take(entry, strlen(entry), request->context, err);
        json_decref(manifest);
        return ok;
}

static bool read_or_look(struct remote *remote, const struct remote_request *request, bool *ret_found,
                         struct err *err) {
        auto_free char *tag = tag_of_request(request);
        if (!request->take)
                return registry_has_manifest(remote->writes, tag, ret_found, err);
        if (is_entry(request))
                return read_entry(remote, request, ret_found, err);
        return registry_stream_blob(remote->reads, request->name, hand_on, (void *)request, ret_found, err);
}

// ---- writing ----

// A layer of nothing where the manifest is for its annotation alone.
static json_t *describe_cached_layer(const struct remote_request *request) {
        if (is_entry(request))
                return json_pack("{ss ss si}", "mediaType", OCI_EMPTY_TYPE, "digest", "sha256:" OCI_EMPTY_SHA256,
                                 "size", 2);
        auto_free char *digest = xasprintf("sha256:%s", request->name);
        return json_pack("{ss ss sI}", "mediaType", "application/octet-stream", "digest", digest, "size",
                         (json_int_t)request->size_bytes);
}

static char *format_cached(const struct remote_request *request) {
        json_t *manifest = json_pack("{si ss ss s{ss ss si} s[o]}", "schemaVersion", 2, "mediaType", OCI_MANIFEST_TYPE,
                                     "artifactType", CACHE_TYPE, "config", "mediaType", OCI_EMPTY_TYPE, "digest",
                                     "sha256:" OCI_EMPTY_SHA256, "size", 2, "layers", describe_cached_layer(request));
        if (is_entry(request))
                (void)!json_object_set_new(
                    manifest, "annotations",
                    json_pack("{ss%}", ENTRY, (const char *)request->data, (size_t)request->size_bytes));
        char *text = json_dumps(manifest, JSON_COMPACT);
        json_decref(manifest);
        return text;
}

static bool push_cached(struct remote *remote, const struct remote_request *request, struct err *err) {
        const struct registry_blob blob = { request->name, request->size_bytes };
        const struct registry_content content = { .data = request->data, .fd = request->fd };
        enum registry_sent ignored;
        if (!is_entry(request) && !registry_push_blob(remote->writes, &blob, &content, NULL, NULL, &ignored, err))
                return false;
        auto_free char *text = format_cached(request);
        auto_free char *tag = tag_of_request(request);
        if (!text)
                return fail(err, ERR_INTERNAL, 0, "an entry that is no text");
        return registry_push_empty(remote->writes, err) &&
               registry_push_manifest(remote->writes, tag, OCI_MANIFEST_TYPE, text, err);
}

enum remote_answer remote_ask_registry(struct remote *remote, const struct remote_request *request) {
        auto_err err = { 0 };
        bool found = false;
        assert(remote->reads && remote->writes);
        bool ok;
        if (request->is_upload)
                ok = push_cached(remote, request, &err);
        else
                ok = read_or_look(remote, request, &found, &err);
        if (ok && (found || request->is_upload))
                return REMOTE_FOUND;
        if (ok)
                return REMOTE_MISSING;
        if (err.kind == ERR_CHECKSUM && request->take)
                return REMOTE_WRONG;
        if (err.kind != ERR_INTERRUPTED)
                remote_give_up(remote, "/%s/%s: %s", request->folder, request->name, err.text);
        return REMOTE_FAILED;
}
