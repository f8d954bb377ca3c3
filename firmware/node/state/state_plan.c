// SPDX-License-Identifier: MIT
#include "firmware/node/state/state_plan.h"

#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "firmware/node/state/state.h"

enum { IDENTITY_FORMAT = 1, ID_SHOWN_MAX = 40 };

static bool of_another(struct err *err, const struct state_facts *state, const char *what) {
        return fail(err, ERR_IDENTITY, 0,
                    "the state disk %s belongs to another machine: %s; put it back where it came from, or put in (or "
                    "wipe) the right one",
                    state->record.device, what);
}

static bool compare_identity(json_t *root, const struct state_facts *state, const struct facts *facts,
                             const struct identity *identity, struct err *err) {
        const char *cluster, *node;
        int format = 0, id = 0;
        json_error_t error;
        char text[512];
        if (json_unpack_ex(root, &error, 0, "{si ss ss s?i}", "format", &format, "cluster", &cluster, "node", &node,
                           "id", &id) < 0)
                return fail(err, ERR_IDENTITY, 0, "%s: kiln/identity.json: %s", state->record.device, error.text);
        if (format != IDENTITY_FORMAT)
                return fail(err, ERR_IDENTITY, 0, "%s: kiln/identity.json has format %d: a newer kiln wrote it",
                            state->record.device, format);
        if (strcmp(cluster, facts->inventory->cluster) == 0 && strcmp(node, identity_node_name(identity)) == 0 &&
            id == identity->id)
                return true;
        snprintf(text, sizeof text,
                 "it is that of %.100s in cluster %.100s (id %d), this is %.100s in cluster %.100s (id %d)", node,
                 cluster, id, identity_node_name(identity), facts->inventory->cluster, identity->id);
        return of_another(err, state, text);
}

static bool check_disk_identity(const struct state_facts *state, const struct facts *facts,
                                const struct identity *identity, struct err *err) {
        json_error_t error;
        if (!state->identity)
                return true;
        json_t *root = json_loads(state->identity, JSON_REJECT_DUPLICATES, &error);
        if (!root)
                return fail(err, ERR_IDENTITY, 0, "%s: kiln/identity.json, line %d: %s", state->record.device,
                            error.line, error.text);
        bool ok = compare_identity(root, state, facts, identity, err);
        json_decref(root);
        return ok;
}

// Blanks around the number do not count.
static bool is_id(const char *text, int id) {
        char wanted[16];
        snprintf(wanted, sizeof wanted, "%d", id);
        text += strspn(text, " \t\r\n");
        size_t size = strlen(wanted);
        return strncmp(text, wanted, size) == 0 && text[size + strspn(text + size, " \t\r\n")] == '\0';
}

static bool check_id_files(const struct state_facts *state, const struct state_settings *settings,
                           const struct identity *identity, struct err *err) {
        for (size_t i = 0; i < settings->path_count; i++) {
                const char *found = state->id_texts[i];
                if (!found || !identity->id || is_id(found, identity->id))
                        continue;
                char text[512];
                size_t shown = strcspn(found, "\r\n");
                if (shown > ID_SHOWN_MAX)
                        shown = ID_SHOWN_MAX;
                snprintf(text, sizeof text, "%s/%s on it says \"%.*s\", this is %s with id %d", settings->paths[i].path,
                         settings->paths[i].id_file, (int)shown, found, identity_node_name(identity), identity->id);
                return of_another(err, state, text);
        }
        return true;
}

static void add_disk_identity(const struct facts *facts, const struct identity *identity, struct plan *plan) {
        json_t *root = json_pack("{si ss ss si}", "format", IDENTITY_FORMAT, "cluster", facts->inventory->cluster,
                                 "node", identity_node_name(identity), "id", identity->id);
        auto_free char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        auto_buf content = { 0 };
        json_decref(root);
        if (text)
                buf_append_text(&content, text);
        buf_append_char(&content, '\n');
        plan_add_file(plan, STATE_MOUNT "/kiln/identity.json", 0600, &content);
}

bool state_plan(const struct facts *facts, const struct identity *identity, struct plan *plan, struct err *err) {
        assert(facts->inventory && identity);
        const struct state_facts *state = facts->state;
        if (!state)
                return true;
        const struct state_record *record = &state->record;
        for (size_t i = 0; i < record->note_count; i++)
                plan_add_note(plan, record->notes[i]);
        if (record->status == STATE_REFUSED)
                return fail(err, ERR_IDENTITY, 0, "%s", record->reason);
        if (record->status == STATE_ABSENT) {
                auto_buf note = { 0 };
                buf_printf(&note, "what this machine writes is lost at the next reboot: %s", record->reason);
                plan_add_note(plan, buf_text(&note));
                return true;
        }
        if (!check_disk_identity(state, facts, identity, err) ||
            !check_id_files(state, &facts->inventory->state, identity, err))
                return false;
        add_disk_identity(facts, identity, plan);
        const char *source = "label";
        if (record->claimed)
                source = "claimed, blank";
        plan_add_value(plan, "state_disk", record->device, source);
        return true;
}
