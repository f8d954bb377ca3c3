// SPDX-License-Identifier: MIT
#include "firmware/node/plan_secrets.h"

#include <assert.h>
#include <string.h>

#include "firmware/node/inventory/inventory.h"
#include "firmware/node/root/root.h"
#include "firmware/node/secrets/secret_source.h"

static const char advice[] =
    "put it into " SECRETS_FILE " on a config drive or on the state disk (`kiln secret put`), then "
    "reboot, or run `kiln-node apply` and start the units";

// `list` ends up with each name once.
static void add_all(struct arena *arena, struct strings *list, const struct strings *added) {
        for (size_t i = 0; i < added->count; i++)
                strings_add_once(arena, list, added->items[i]);
}

static void append_list(struct buf *text, const struct strings *list) {
        for (size_t i = 0; i < list->count; i++) {
                if (i > 0)
                        buf_append_text(text, ", ");
                buf_append_text(text, list->items[i]);
        }
}

static void note_problems(struct plan *plan, const struct facts *facts) {
        for (size_t i = 0; i < facts->secret_source_count; i++) {
                const struct secret_source *source = &facts->secret_sources[i];
                auto_buf note = { 0 };
                buf_printf(&note, SECRETS_FILE " on %s is not taken: %s", source->place, source->problem);
                if (*source->problem)
                        plan_add_note(plan, buf_text(&note));
        }
}

// Files and units that wait for one secret.
struct waiting {
        struct strings paths, services;
};

static struct waiting who_waits(struct plan *plan, const struct inventory *inventory, const char *name) {
        struct waiting waiting = { 0 };
        for (size_t i = 0; i < inventory->template_count; i++) {
                const struct inventory_template *template = &inventory->templates[i];
                if (!strings_have(&template->secrets, name))
                        continue;
                strings_add_once(&plan->arena, &waiting.paths, template->path);
                add_all(&plan->arena, &waiting.services, &template->services);
        }
        return waiting;
}

static void note_missing(struct plan *plan, const char *name, const struct waiting *waiting) {
        auto_buf note = { 0 };
        buf_printf(&note, "the secret %s has no value: ", name);
        if (waiting->paths.count == 0)
                buf_append_text(&note, "what the role offers with it is left out");
        append_list(&note, &waiting->services);
        if (waiting->services.count == 1)
                buf_append_text(&note, " stays down, ");
        else if (waiting->services.count > 1)
                buf_append_text(&note, " stay down, ");
        append_list(&note, &waiting->paths);
        if (waiting->paths.count == 1)
                buf_append_text(&note, " is not written");
        else if (waiting->paths.count > 1)
                buf_append_text(&note, " are not written");
        buf_printf(&note, "; %s", advice);
        plan_add_note(plan, buf_text(&note));
}

// kiln-secret@NAME.service looks for the file.
static void mark_secret(struct plan *plan, const char *name, bool is_given) {
        static const struct buf nothing;
        const char *path = arena_printf(&plan->arena, SECRETS_GIVEN "/%s", name);
        if (is_given)
                plan_add_file(plan, path, 0600, &nothing);
        else
                plan_add_remove(plan, path);
}

void plan_add_secrets(struct plan *plan, const struct facts *facts, struct buf *ret_issue) {
        const struct strings *names = &facts->inventory->secrets;
        struct strings missing = { 0 };
        note_problems(plan, facts);
        for (size_t i = 0; i < names->count; i++) {
                const char *name = names->items[i];
                const struct secret_source *source = NULL;
                const struct waiting waiting = who_waits(plan, facts->inventory, name);
                bool is_given =
                    secret_sources_find(facts->secret_sources, facts->secret_source_count, name, &source) != NULL;
                if (waiting.paths.count > 0)
                        mark_secret(plan, name, is_given);
                if (is_given) {
                        plan_add_value(plan, arena_printf(&plan->arena, "secret %s", name), "given", source->place);
                        continue;
                }
                plan->lacks_secrets = true;
                note_missing(plan, name, &waiting);
                if (waiting.services.count > 0)
                        strings_add_once(&plan->arena, &missing, name);
        }
        if (missing.count > 0)
                buf_append_text(ret_issue, "services are DOWN for want of secrets: ");
        append_list(ret_issue, &missing);
}

bool secret_is_given(int root, const char *name, struct err *err) {
        auto_free char *path = xasprintf(SECRETS_GIVEN "/%s", name);
        auto_buf text = { .max = 1 << 20 };
        bool found = false;
        if (!secret_name_is_valid(name))
                return fail(err, ERR_USAGE, 0, "this is no name of a secret: " SECRET_NAME_MEANS);
        if (!root_read(root, path, &text, &found, err))
                return false;
        if (found)
                return true;
        (void)fail(err, ERR_REFERENCE, 0, "the secret %s has no value on this machine", name);
        return hint(err, "%s", advice);
}
