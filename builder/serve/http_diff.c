// SPDX-License-Identifier: MIT
// GET /api/diff: what the build that machines get changes of the one before it.
#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "base/mistake.h"
#include "diff/build_diff.h"
#include "release/build_list.h"
#include "serve/http_request.h"

enum { DIFF_TEXT_MAX = 1 << 20, DIFF_RETRY_S = 2 };

// The newest whole build that is older than one; NULL: there is none.
static const struct listed_build *build_before(const struct build_list *list, const char *id) {
        bool is_behind = false;
        for (size_t i = 0; i < list->count; i++) {
                const struct listed_build *build = &list->items[i];
                if (is_behind && !build->is_partial)
                        return build;
                is_behind |= strcmp(build->id, id) == 0;
        }
        return NULL;
}

static bool format_diff(const char *out, const struct listed_build *from, const struct listed_build *to,
                        struct buf *ret, struct err *err) {
        auto_free char *from_path = listed_build_path(out, from), *to_path = listed_build_path(out, to);
        json_t *diff = NULL;
        auto_buf text = { 0 };
        if (!build_diff(from_path, to_path, &diff, err))
                return false;
        build_diff_print(diff, DIFF_TEXT, NULL, &text);
        json_decref(diff);
        mistake_printable(ret, buf_text(&text), size_min(text.size, DIFF_TEXT_MAX));
        return true;
}

// { "to": ID, "from": ID | null, "text" } or, where they cannot be compared, "error".
static json_t *diff_json(const char *out, const char *cluster, const char *id) {
        struct build_list list = { 0 };
        const struct listed_build *to = NULL;
        auto_err err = { 0 };
        auto_buf text = { 0 };
        json_t *json = json_pack("{ss so}", "to", id, "from", json_null());
        bool ok = build_list_read(out, cluster, &list, &err) && build_list_find(&list, id, &to, &err);
        const struct listed_build *from = NULL;
        if (ok)
                from = build_before(&list, id);
        if (from) {
                json_object_set_new(json, "from", json_string(from->id));
                ok = format_diff(out, from, to, &text, &err);
        }
        if (ok)
                json_object_set_new(json, "text", json_string(buf_text(&text)));
        else
                json_object_set_new(json, "error", json_string(err.text));
        build_list_release(&list);
        return json;
}

// ---- the last one, which is kept ----

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static char kept_diff_id[SERVED_ID_SIZE];
static struct buf kept_diff;

static bool copy_kept_diff(const char *id, struct buf *ret) {
        pthread_mutex_lock(&kept_lock);
        bool is_kept = strcmp(kept_diff_id, id) == 0;
        if (is_kept)
                buf_append(ret, kept_diff.data, kept_diff.size);
        pthread_mutex_unlock(&kept_lock);
        return is_kept;
}

static void keep_diff(const char id[static SERVED_ID_SIZE], const struct buf *text) {
        pthread_mutex_lock(&kept_lock);
        buf_clear(&kept_diff);
        buf_append(&kept_diff, text->data, text->size);
        memcpy(kept_diff_id, id, SERVED_ID_SIZE);
        pthread_mutex_unlock(&kept_lock);
}

// What could not be compared may be so the next time.
static void make_diff(const struct rack *rack, const char *cluster, const char id[static SERVED_ID_SIZE],
                      struct buf *ret) {
        json_t *json = diff_json(rack->out, cluster, id);
        auto_free char *text = json_dumps(json, JSON_COMPACT);
        bool is_whole = text && !json_object_get(json, "error");
        json_decref(json);
        buf_append_text(ret, text_or(text, "{}"));
        if (is_whole)
                keep_diff(id, ret);
}

// One after the other, and once a build. Whoever asks meanwhile comes back: waiting would take the threads that give
// out files.
enum MHD_Result http_answer_diff(struct http_request *request) {
        static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
        struct rack *rack = request->rack;
        char id[SERVED_ID_SIZE];
        auto_buf answer = { 0 };
        pthread_mutex_lock(&rack->lock);
        memcpy(id, rack->wanted->id, sizeof id);
        auto_free char *cluster = xstrdup(rack->cluster->name);
        pthread_mutex_unlock(&rack->lock);
        if (copy_kept_diff(id, &answer))
                return http_answer_buf(request, "application/json", &answer);
        if (pthread_mutex_trylock(&making) != 0)
                return http_answer_later(request, DIFF_RETRY_S, "the builds are being compared: ask again");
        bool was_made = copy_kept_diff(id, &answer); // by who had the lock until just now
        if (!was_made)
                make_diff(rack, cluster, id, &answer);
        pthread_mutex_unlock(&making);
        return http_answer_buf(request, "application/json", &answer);
}
