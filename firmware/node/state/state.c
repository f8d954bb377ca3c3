// SPDX-License-Identifier: MIT
#include "firmware/node/state/state.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "firmware/node/facts/text_json.h"
#include "firmware/node/root/beneath.h"
#include "firmware/node/root/root.h"

enum { FORMAT = 1, FILE_MAX = 64 << 10 };

static const char *const status_names[] = {
        [STATE_MOUNTED] = "mounted", [STATE_ABSENT] = "absent", [STATE_REFUSED] = "refused"
};

// ---- the record ----

void state_record_json(const struct state_record *record, struct buf *ret_text) {
        assert(record->device && record->filesystem && record->reason);
        json_t *notes = json_array();
        for (size_t i = 0; i < record->note_count; i++)
                json_array_append_new(notes, facts_text_json(record->notes[i]));
        json_t *root =
            json_pack("{si ss ss ss sb so so sI sb}", "format", FORMAT, "status", status_names[record->status],
                      "device", record->device, "filesystem", record->filesystem, "claimed", record->claimed, "reason",
                      facts_text_json(record->reason), "notes", notes, "elapsed_ms", (json_int_t)record->elapsed_ms,
                      "overlay", record->overlay);
        auto_free char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
        json_decref(root);
        if (text)
                buf_append_text(ret_text, text);
        else
                buf_append_text(ret_text, "{}");
        buf_append_char(ret_text, '\n');
}

static bool parse_status(const char *name, enum state_status *ret) {
        for (size_t i = 0; i < lengthof(status_names); i++)
                if (strcmp(name, status_names[i]) == 0) {
                        *ret = (enum state_status)i;
                        return true;
                }
        return false;
}

static bool unpack_record(json_t *root, struct arena *arena, struct state_record *ret, struct err *err) {
        const char *status, *device = "", *filesystem = "", *reason = "";
        int format = 0, claimed = 0, overlay = 0;
        json_int_t elapsed_ms = 0;
        json_error_t error;
        struct state_record record = { 0 };
        if (json_unpack_ex(root, &error, 0, "{si ss s?s s?s s?b s?s s?I s?b}", "format", &format, "status", &status,
                           "device", &device, "filesystem", &filesystem, "claimed", &claimed, "reason", &reason,
                           "elapsed_ms", &elapsed_ms, "overlay", &overlay) < 0)
                return fail(err, ERR_SCHEMA, 0, "%s", error.text);
        if (format != FORMAT || !parse_status(status, &record.status))
                return fail(err, ERR_SCHEMA, 0, "format %d or status `%s` is unknown", format, status);
        record.device = arena_strdup(arena, device);
        record.filesystem = arena_strdup(arena, filesystem);
        record.reason = arena_strdup(arena, reason);
        record.claimed = claimed;
        record.overlay = overlay;
        record.elapsed_ms = elapsed_ms;
        const json_t *notes = json_object_get(root, "notes");
        record.notes = arena_alloc(arena, json_array_size(notes) * sizeof *record.notes);
        for (size_t i = 0; i < json_array_size(notes); i++) {
                const char *note = json_string_value(json_array_get(notes, i));
                if (note)
                        record.notes[record.note_count++] = arena_strdup(arena, note);
        }
        *ret = record;
        return true;
}

bool state_record_read(const char *text, struct arena *arena, struct state_record *ret, struct err *err) {
        json_error_t error;
        json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
        if (!root)
                return fail(err, ERR_SYNTAX, 0, "line %d: %s", error.line, error.text);
        bool ok = unpack_record(root, arena, ret, err);
        json_decref(root);
        return ok;
}

// ---- facts ----

// NULL: there is no such file, or an empty one: a machine that lost its power had no time to write it.
static bool read_state_text(int root, const char *path, struct arena *arena, const char **ret, struct err *err) {
        auto_buf text = { .max = FILE_MAX };
        bool found;
        if (!root_read(root, path, &text, &found, err))
                return false;
        *ret = NULL;
        if (found && text.size > 0)
                *ret = arena_strdup(arena, buf_text(&text));
        return true;
}

static bool read_record(int root, struct arena *arena, struct state_record *ret, struct err *err) {
        const char *text;
        auto_err problem = { 0 };
        if (!read_state_text(root, STATE_RECORD, arena, &text, err))
                return false;
        const char *reason = "missing";
        if (text) {
                if (state_record_read(text, arena, ret, &problem))
                        return true;
                reason = problem.text;
        }
        *ret = (struct state_record){ .status = STATE_REFUSED, .device = "", .filesystem = "" };
        ret->reason = arena_printf(arena, "the initrd left no record of the state disk (%s: %s)", STATE_RECORD, reason);
        return true;
}

// The same for a file on the disk, of which no link is followed.
static bool read_disk_text(int dir, const char *path, struct arena *arena, const char **ret, struct err *err) {
        auto_buf text = { .max = FILE_MAX };
        bool found;
        if (!beneath_read(dir, path, &text, &found, err))
                return false;
        *ret = NULL;
        if (found && text.size > 0)
                *ret = arena_strdup(arena, buf_text(&text));
        return true;
}

// The state path is the image's, and may have links; what is below it is the disk's.
static bool read_id_file(int root, const struct state_path *path, struct arena *arena, const char **ret,
                         struct err *err) {
        auto_free char *inside = xasprintf("%s/.id", path->path), *name = NULL;
        auto_close int dir = -1;
        if (root_open_parent(root, inside, false, &dir, &name, err))
                return read_disk_text(dir, path->id_file, arena, ret, err) || wrap(err, "%s", path->path);
        if (err->number != ENOENT)
                return false;
        err_release(err);
        return true;
}

static bool read_disk_files(int root, const struct state_settings *settings, struct arena *arena,
                            struct state_facts *facts, struct err *err) {
        auto_close int disk = -1;
        if (!beneath_open_directory(root, STATE_MOUNT, false, &disk, err) ||
            !read_disk_text(disk, "kiln/identity.json", arena, &facts->identity, err))
                return false;
        for (size_t i = 0; i < settings->path_count; i++) {
                const struct state_path *path = &settings->paths[i];
                if (*path->id_file && !read_id_file(root, path, arena, &facts->id_texts[i], err))
                        return false;
        }
        return true;
}

// A disk that cannot be trusted to say whose it is refuses the machine, with the reason: no run of `apply` fails of it.
static bool read_disk(int root, const struct state_settings *settings, struct arena *arena, struct state_facts *facts,
                      struct err *err) {
        auto_err problem = { 0 };
        facts->id_texts = arena_alloc(arena, settings->path_count * sizeof *facts->id_texts);
        if (facts->record.status != STATE_MOUNTED || read_disk_files(root, settings, arena, facts, &problem))
                return true;
        if (problem.kind != ERR_CORRUPT)
                return fail(err, problem.kind, problem.number, "%s", problem.text);
        const char *advice = "";
        if (problem.hint)
                advice = problem.hint;
        facts->record.status = STATE_REFUSED;
        facts->record.reason = arena_printf(arena, "the state disk %s does not say whose it is: %s; %s",
                                            facts->record.device, problem.text, advice);
        return true;
}

bool state_read(int root, const struct state_settings *settings, struct arena *arena, const struct state_facts **ret,
                struct err *err) {
        assert(root >= 0);
        const char *booted = NULL;
        *ret = NULL;
        if (!settings->wanted)
                return true;
        if (!read_state_text(root, "/run/kiln/root.conf", arena, &booted, err))
                return false;
        if (!booted)
                return true;
        struct state_facts *facts = arena_alloc(arena, sizeof *facts);
        if (!read_record(root, arena, &facts->record, err) || !read_disk(root, settings, arena, facts, err))
                return wrap(err, "the state disk");
        *ret = facts;
        return true;
}

// NULL: no such key, or no text.
static const char *copy_json_text(const json_t *object, const char *key, struct arena *arena) {
        const char *text = json_string_value(json_object_get(object, key));
        if (!text)
                return NULL;
        return arena_strdup(arena, text);
}

bool state_facts_read(const json_t *root, struct arena *arena, struct facts *facts, struct err *err) {
        const json_t *json = json_object_get(root, "state");
        const struct state_settings *settings = &facts->inventory->state;
        json_t *record = json_object_get(json, "record");
        if (!json)
                return true;
        struct state_facts *state = arena_alloc(arena, sizeof *state);
        if (!unpack_record(record, arena, &state->record, err))
                return wrap(err, "state.record");
        state->identity = copy_json_text(json, "identity", arena);
        state->id_texts = arena_alloc(arena, settings->path_count * sizeof *state->id_texts);
        for (size_t i = 0; i < settings->path_count; i++) {
                state->id_texts[i] = copy_json_text(json_object_get(json, "ids"), settings->paths[i].path, arena);
        }
        facts->state = state;
        return true;
}
