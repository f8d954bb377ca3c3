// SPDX-License-Identifier: MIT
// Uploads of blobs: asked for first, mounted where another repository has it, else one POST and one PUT; in pieces only
// for a registry, or a proxy before one, that took no whole blob.
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "registry/internal.h"

enum {
        PIECE_BYTES = 4 << 20,
        PIECE_BYTES_MAX = 64 << 20, // of what a registry may demand
        PAYLOAD_TOO_LARGE = 413,
        RANGE_NOT_SATISFIABLE = 416,
};

static const char octets[] = "Content-Type: application/octet-stream";

struct blob_upload {
        struct registry *registry;
        const struct registry_blob *blob;
        const struct registry_content *content;
        const struct strings *mounts;
        char *location;       // where the session is; NULL: there is none
        uint64_t sent;        // of this session, as the registry says it
        uint64_t piece_bytes; // at least so many, but for the last
};

bool registry_has_blob(struct registry *registry, const char *sha256, bool *ret, struct err *err) {
        auto_free char *url = xasprintf("%s/blobs/sha256:%s", registry->root, sha256);
        const struct registry_request head = { .method = "HEAD", .url = url };
        auto_web_answer answer = { 0 };
        if (!registry_ask(registry, &head, &answer, err))
                return false;
        *ret = registry_is_success(&answer);
        return *ret || answer.status == 404 || registry_refusal(registry, &head, &answer, err);
}

// ---- a session ----

static bool keep_location(struct blob_upload *upload, const char *base, const struct web_answer *answer,
                          struct err *err) {
        char *location = NULL;
        if (!registry_location(upload->registry, base, answer, &location, err))
                return false;
        free(upload->location);
        upload->location = location;
        return true;
}

static void read_least_piece(struct blob_upload *upload, const struct web_answer *answer) {
        auto_buf value = { 0 };
        upload->piece_bytes = PIECE_BYTES;
        if (!web_header(answer, "oci-chunk-min-length", 0, &value))
                return;
        uint64_t least = strtoull(buf_text(&value), NULL, 10);
        if (least > upload->piece_bytes && least <= PIECE_BYTES_MAX)
                upload->piece_bytes = least;
}

// One POST: from `mount`, if not NULL, in which case another session may come of it, too.
static bool begin_session(struct blob_upload *upload, const char *mount, bool *ret_mounted, struct err *err) {
        struct registry *registry = upload->registry;
        auto_free char *url = xasprintf("%s/blobs/uploads/", registry->root);
        auto_free char *mounting = NULL;
        struct registry_request post = { .method = "POST", .url = url, .has_body = true, .content.data = "" };
        auto_web_answer answer = { 0 };
        if (mount) {
                mounting = xasprintf("%s?mount=sha256:%s&from=%s", url, upload->blob->sha256, mount);
                post.url = mounting;
        }
        *ret_mounted = false;
        if (!registry_ask(registry, &post, &answer, err))
                return false;
        *ret_mounted = mount && answer.status == 201;
        if (*ret_mounted || (mount && answer.status >= 400)) // who may not read there has it sent
                return true;
        if (answer.status != 202)
                return registry_refusal(registry, &post, &answer, err);
        upload->sent = 0;
        read_least_piece(upload, &answer);
        return keep_location(upload, url, &answer, err);
}

static bool try_mounts(struct blob_upload *upload, bool *ret_mounted, struct err *err) {
        *ret_mounted = false;
        for (size_t i = 0; upload->mounts && i < upload->mounts->count && !*ret_mounted; i++)
                if (!begin_session(upload, upload->mounts->items[i], ret_mounted, err))
                        return false;
        return true;
}

// A session's URL may have a query of its own.
static char *url_with_digest(const struct blob_upload *upload) {
        const char *mark = "?";
        assert(upload->location);
        if (strchr(upload->location, '?'))
                mark = "&";
        return xasprintf("%s%sdigest=sha256:%s", upload->location, mark, upload->blob->sha256);
}

// ---- as a whole ----

// `*ret_done` is false, and no error, where pieces may do.
static bool put_whole(struct blob_upload *upload, bool *ret_done, struct err *err) {
        auto_free char *url = url_with_digest(upload);
        const struct registry_request put = {
                .method = "PUT",
                .url = url,
                .header = octets,
                .has_body = true,
                .content = *upload->content,
                .size_bytes = upload->blob->size_bytes,
                .is_once = true,
        };
        auto_web_answer answer = { 0 };
        free(take_ptr(upload->location));
        *ret_done = false;
        if (!registry_ask(upload->registry, &put, &answer, err))
                return false;
        *ret_done = registry_is_success(&answer);
        bool takes_pieces = answer.status == PAYLOAD_TOO_LARGE || answer.status == RANGE_NOT_SATISFIABLE;
        if (takes_pieces)
                atomic_store(&upload->registry->in_pieces, true);
        return *ret_done || takes_pieces || registry_refusal(upload->registry, &put, &answer, err);
}

// ---- in pieces ----

// "0-N", or "bytes=0-N": so much is there. Nothing that was not sent yet can be.
static bool take_upload_range(struct blob_upload *upload, const struct web_answer *answer, uint64_t most,
                              struct err *err) {
        auto_buf value = { 0 };
        if (!web_header(answer, "range", 0, &value))
                return fail(err, ERR_CORRUPT, 0, "%s answers %ld without a Range", upload->registry->authority,
                            answer->status);
        const char *text = buf_text(&value);
        const char *equals = strchr(text, '=');
        if (equals)
                text = equals + 1;
        char *end = NULL;
        uint64_t last = 0;
        bool is_range = strncmp(text, "0-", 2) == 0 && text[2] >= '0' && text[2] <= '9';
        if (is_range)
                last = strtoull(text + 2, &end, 10);
        if (!is_range || *end || last > most)
                return fail(err, ERR_CORRUPT, 0, "%s says of an upload that it has %s", upload->registry->authority,
                            buf_text(&value));
        upload->sent = last + (last > 0); // "0-0" is what docker's registry says of an empty one
        return true;
}

// Where the session is, after an answer that was lost or does not fit.
static bool ask_session(struct blob_upload *upload, uint64_t most, struct err *err) {
        const struct registry_request get = { .method = "GET", .url = upload->location };
        auto_web_answer answer = { 0 };
        auto_free char *base = xstrdup(upload->location);
        if (!registry_ask(upload->registry, &get, &answer, err))
                return false;
        if (!registry_is_success(&answer))
                return registry_refusal(upload->registry, &get, &answer, err);
        return take_upload_range(upload, &answer, most, err) && keep_location(upload, base, &answer, err);
}

static bool patch_piece(struct blob_upload *upload, bool *ret_fits, struct err *err) {
        uint64_t size = upload->blob->size_bytes - upload->sent;
        if (size > upload->piece_bytes)
                size = upload->piece_bytes;
        auto_free char *range = xasprintf("Content-Range: %" PRIu64 "-%" PRIu64, upload->sent, upload->sent + size - 1);
        auto_free char *base = xstrdup(upload->location);
        struct registry_request patch = {
                .method = "PATCH",
                .url = base,
                .header = octets,
                .more = range,
                .has_body = true,
                .content = *upload->content,
                .offset = upload->sent,
                .size_bytes = size,
                .is_once = true,
        };
        if (patch.content.data) {
                patch.content.data = (const char *)patch.content.data + upload->sent;
                patch.offset = 0;
        }
        auto_web_answer answer = { 0 };
        if (!registry_ask(upload->registry, &patch, &answer, err))
                return false;
        *ret_fits = answer.status != RANGE_NOT_SATISFIABLE;
        if (!*ret_fits)
                return true;
        if (!registry_is_success(&answer))
                return registry_refusal(upload->registry, &patch, &answer, err);
        upload->sent += size;
        return keep_location(upload, base, &answer, err);
}

static bool put_end(struct blob_upload *upload, struct err *err) {
        auto_free char *url = url_with_digest(upload);
        const struct registry_request put = { .method = "PUT", .url = url, .has_body = true, .content.data = "" };
        auto_web_answer answer = { 0 };
        if (!registry_ask(upload->registry, &put, &answer, err))
                return false;
        return registry_is_success(&answer) || registry_refusal(upload->registry, &put, &answer, err);
}

// A piece that was lost may have arrived: the session knows.
static bool put_pieces(struct blob_upload *upload, struct err *err) {
        unsigned attempt = 0;
        while (upload->sent < upload->blob->size_bytes) {
                bool fits = true;
                uint64_t before = upload->sent, most = before + upload->piece_bytes;
                bool is_sent = patch_piece(upload, &fits, err);
                if (is_sent && fits) {
                        attempt = 0;
                        continue;
                }
                if (!is_sent && err->kind != ERR_NETWORK)
                        return false;
                if (!registry_try_again(upload->registry, &attempt, err)) {
                        if (err->kind == ERR_NONE)
                                fail(err, ERR_NETWORK, 0, "%s refuses every piece of a blob",
                                     upload->registry->authority);
                        return false;
                }
                err_release(err);
                if (!ask_session(upload, most, err))
                        return false;
        }
        return put_end(upload, err);
}

// ---- both ----

static bool send_blob_once(struct blob_upload *upload, bool *ret_done, struct err *err) {
        bool mounted = false;
        if (!upload->location && !begin_session(upload, NULL, &mounted, err))
                return false;
        if (!atomic_load(&upload->registry->in_pieces))
                return put_whole(upload, ret_done, err);
        *ret_done = put_pieces(upload, err);
        return *ret_done;
}

// A connection that is lost at the end may have brought the blob there.
static bool send_until_there(struct blob_upload *upload, struct err *err) {
        unsigned attempt = 0;
        for (bool done = false; !done;) {
                if (send_blob_once(upload, &done, err))
                        continue;
                bool may_help = err->kind == ERR_NETWORK;
                if (!may_help || !registry_try_again(upload->registry, &attempt, err))
                        return false;
                err_release(err);
                free(take_ptr(upload->location));
                if (!registry_has_blob(upload->registry, upload->blob->sha256, &done, err))
                        return false;
        }
        return true;
}

bool registry_push_blob(struct registry *registry, const struct registry_blob *blob,
                        const struct registry_content *content, const struct strings *mounts, struct progress *progress,
                        enum registry_sent *ret, struct err *err) {
        struct blob_upload upload = { registry, blob, content, mounts, NULL, 0, PIECE_BYTES };
        bool is_there = false, is_mounted = false;
        assert(strlen(blob->sha256) == OCI_DIGEST_SIZE - 1);
        bool ok = registry_has_blob(registry, blob->sha256, &is_there, err) &&
                  (is_there || try_mounts(&upload, &is_mounted, err)) &&
                  (is_there || is_mounted || send_until_there(&upload, err));
        free(upload.location);
        if (!ok)
                return false;
        *ret = REGISTRY_SENT;
        if (is_there)
                *ret = REGISTRY_WAS_THERE;
        else if (is_mounted)
                *ret = REGISTRY_MOUNTED;
        if (progress)
                progress_add(progress, blob->size_bytes);
        return true;
}

bool registry_push_empty(struct registry *registry, struct err *err) {
        const struct registry_blob blob = { OCI_EMPTY_SHA256, strlen("{}") };
        const struct registry_content content = { .data = "{}", .fd = -1 };
        enum registry_sent ignored;
        return registry_push_blob(registry, &blob, &content, NULL, NULL, &ignored, err);
}
