// SPDX-License-Identifier: MIT
#include "firmware/node/plan/plan.h"

#include <assert.h>
#include <string.h>

#include "firmware/node/facts/text_json.h"
#include "firmware/node/facts/text_shown.h"

void plan_add_file(struct plan *plan, const char *path, unsigned mode, const struct buf *content) {
        assert(path[0] == '/');
        struct plan_file *file = array_append(&plan->files, &plan->file_count);
        char *copy = arena_alloc(&plan->arena, content->size + 1);
        memcpy(copy, buf_text(content), content->size);
        *file = (struct plan_file){ arena_strdup(&plan->arena, path), copy, content->size, mode, 0, 0, NULL };
}

const char *plan_shown_text(struct plan *plan, const char *text) {
        auto_buf shown = { 0 };
        facts_append_shown(&shown, text);
        return arena_strdup(&plan->arena, buf_text(&shown));
}

void plan_add_value(struct plan *plan, const char *name, const char *value, const char *source) {
        assert(name && value && source);
        struct plan_value *item = array_append(&plan->values, &plan->value_count);
        *item = (struct plan_value){ name, plan_shown_text(plan, value), plan_shown_text(plan, source) };
}

void plan_add_note(struct plan *plan, const char *note) {
        assert(note);
        const char **slot = array_append(&plan->notes, &plan->note_count);
        *slot = plan_shown_text(plan, note);
}

void plan_add_remove(struct plan *plan, const char *path) {
        assert(path[0] == '/');
        const char **slot = array_append(&plan->removes, &plan->remove_count);
        *slot = arena_strdup(&plan->arena, path);
}

void plan_add_rename(struct plan *plan, int index, const char *from, const char *to) {
        assert(strlen(from) < INTERFACE_NAME_SIZE && strlen(to) < INTERFACE_NAME_SIZE);
        struct plan_rename *rename = array_append(&plan->renames, &plan->rename_count);
        rename->index = index;
        memcpy(rename->from, from, strlen(from) + 1);
        memcpy(rename->to, to, strlen(to) + 1);
}

void plan_release(struct plan *plan) {
        free(plan->files);
        free(plan->removes);
        free(plan->values);
        free(plan->renames);
        free(plan->notes);
        arena_wipe(&plan->arena);
        *plan = (struct plan){ 0 };
}

// ---- as JSON ----

static json_t *files_json(const struct plan *plan, bool with_content) {
        json_t *files = json_array();
        for (size_t i = 0; i < plan->file_count; i++) {
                const struct plan_file *file = &plan->files[i];
                char mode[8];
                snprintf(mode, sizeof mode, "%04o", file->mode);
                json_t *item = json_pack("{so ss sI sI}", "path", facts_text_json(file->path), "mode", mode, "uid",
                                         (json_int_t)file->uid, "gid", (json_int_t)file->gid);
                const char *content = file->content;
                if (file->shown)
                        content = file->shown;
                if (with_content)
                        json_object_set_new(item, "content", facts_text_json(content));
                json_array_append_new(files, item);
        }
        return files;
}

static json_t *renames_json(const struct plan *plan) {
        json_t *renames = json_array();
        for (size_t i = 0; i < plan->rename_count; i++)
                json_array_append_new(renames,
                                      json_pack("{ss ss}", "from", plan->renames[i].from, "to", plan->renames[i].to));
        return renames;
}

json_t *plan_json(const struct plan *plan, bool with_content) {
        json_t *values = json_array(), *removes = json_array(), *notes = json_array();
        for (size_t i = 0; i < plan->value_count; i++)
                json_array_append_new(values, json_pack("{ss so so}", "name", plan->values[i].name, "value",
                                                        facts_text_json(plan->values[i].value), "source",
                                                        facts_text_json(plan->values[i].source)));
        for (size_t i = 0; i < plan->remove_count; i++)
                json_array_append_new(removes, facts_text_json(plan->removes[i]));
        for (size_t i = 0; i < plan->note_count; i++)
                json_array_append_new(notes, facts_text_json(plan->notes[i]));
        json_t *root = json_object(), *refused = json_null();
        if (plan->refusal)
                refused = facts_text_json(plan->refusal);
        json_object_set_new(root, "refused", refused);
        const char *hostname = "";
        if (plan->hostname)
                hostname = plan->hostname;
        json_object_set_new(root, "hostname", json_string(hostname));
        json_object_set_new(root, "values", values);
        json_object_set_new(root, "files", files_json(plan, with_content));
        json_object_set_new(root, "removes", removes);
        json_object_set_new(root, "notes", notes);
        json_object_set_new(root, "renames", renames_json(plan));
        if (plan->found)
                json_object_set_new(root, "found", facts_text_json(plan->found));
        return root;
}
