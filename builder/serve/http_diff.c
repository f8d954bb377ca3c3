// SPDX-License-Identifier: MIT
// GET /api/diff: what the build that machines get changes of the one before it.
#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "base/mistake.h"
#include "diff/build_diff.h"
#include "release/build_list.h"
#include "serve/http_request.h"

enum { DIFF_TEXT_MAX = 1 << 20 };

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

// One after the other, and once a build: whoever asks meanwhile waits, which costs a thread and no more work.
enum MHD_Result http_answer_diff(struct http_request *request) {
        static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
        static char kept_id[SERVED_ID_SIZE];
        static struct buf kept;
        struct rack *rack = request->rack;
        char id[SERVED_ID_SIZE];
        auto_buf answer = { 0 };
        pthread_mutex_lock(&rack->lock);
        memcpy(id, rack->wanted->id, sizeof id);
        auto_free char *cluster = xstrdup(rack->cluster->name);
        pthread_mutex_unlock(&rack->lock);
        pthread_mutex_lock(&making);
        if (strcmp(kept_id, id) != 0) {
                json_t *json = diff_json(rack->out, cluster, id);
                auto_free char *text = json_dumps(json, JSON_COMPACT);
                json_decref(json);
                buf_clear(&kept);
                buf_append_text(&kept, text_or(text, "{}"));
                memcpy(kept_id, id, sizeof id);
        }
        buf_append(&answer, kept.data, kept.size);
        pthread_mutex_unlock(&making);
        return http_answer_buf(request, "application/json", &answer);
}
