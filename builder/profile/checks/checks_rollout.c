// SPDX-License-Identifier: MIT
// Checks of a role's `rollout`.
#include <string.h>

#include "base/mem.h"
#include "profile/checks/checks.h"
#include "shared/template.h"

static void refuse_bad_template(struct loader *loader, const struct value *row, const char *key, const char *text) {
        auto_err err = { 0 };
        auto_template *template = NULL;
        if (text && !template_open(key, text, strlen(text), &template, &err))
                report(loader->diagnostics, ERR_TEMPLATE, schema_place(row, key), "%s", err.text);
}

// Of a map that may be absent: a table cannot ask for keys of it alone.
static void need_keys(struct loader *loader, const struct value *row, const char *name, const char *const *keys) {
        const struct value *map = value_get(row, name);
        if (!map || map->type != VALUE_MAP)
                return;
        for (; *keys; keys++)
                if (!value_get(map, *keys))
                        report(loader->diagnostics, ERR_SCHEMA, &map->place, "`%s` needs `%s`", name, *keys);
}

void check_bmc(struct loader *loader, const struct cluster_file *file) {
        static const char *const keys[] = { "address", "user", "password_file", NULL };
        const struct value *nodes = value_get(file->tree, "nodes");
        for (size_t i = 0; nodes && nodes->type == VALUE_LIST && i < nodes->count; i++)
                need_keys(loader, nodes->items[i], "bmc", keys);
}

// ---- one role file ----

static void check_action(struct loader *loader, const struct value *row, const struct rollout_action *action) {
        bool is_command = action->ssh.count > 0, is_request = action->method != NULL;
        if (is_command == is_request)
                report(loader->diagnostics, ERR_SCHEMA, &row->place,
                       "an action is a command, `ssh`, or a request, `method`, and one of them");
        if (is_request && !action->path)
                report(loader->diagnostics, ERR_SCHEMA, &row->place, "a request needs `path`");
        static const char *const of_requests[] = { "port", "path", "body", "items" };
        for (size_t i = 0; is_command && i < lengthof(of_requests); i++)
                if (value_get(row, of_requests[i]))
                        report(loader->diagnostics, ERR_SCHEMA, schema_place(row, of_requests[i]),
                               "`%s` is for requests", of_requests[i]);
        if (is_request && value_get(row, "input"))
                report(loader->diagnostics, ERR_SCHEMA, schema_place(row, "input"), "`input` is for commands");
        static const char *const of_items[] = { "path", "list", "where", "value", NULL };
        need_keys(loader, row, "items", of_items);
        refuse_bad_template(loader, row, "input", action->input);
        refuse_bad_template(loader, row, "path", action->path);
        refuse_bad_template(loader, row, "body", action->body);
}

static void check_actions(struct loader *loader, const struct value *rollout, const char *key,
                          const struct rollout_action *actions, size_t count) {
        const struct value *rows = value_get(rollout, key);
        for (size_t i = 0; rows && i < count; i++)
                if (rows->items[i]->type == VALUE_MAP)
                        check_action(loader, rows->items[i], &actions[i]);
}

static void check_lead(struct loader *loader, const struct value *row, const struct rollout_lead *lead) {
        bool has_value = lead->value != NULL;
        if (has_value == lead->vip)
                report(loader->diagnostics, ERR_SCHEMA, &row->place,
                       "a lead is told by `value` or by `vip`, and by one of them");
        if (lead->vip && lead->is)
                report(loader->diagnostics, ERR_SCHEMA, schema_place(row, "is"), "`is` is for leads with a `value`");
        check_expression(loader, row, "is", lead->is);
}

void check_rollout(struct loader *loader, const struct role_file *file) {
        const struct value *rollout = value_get(file->tree, "rollout");
        const struct rollout_keys *keys = &file->rollout;
        if (!rollout || rollout->type != VALUE_MAP)
                return;
        const struct value *leads = value_get(rollout, "leads"), *before = value_get(rollout, "before");
        for (size_t i = 0; i < keys->lead_count; i++)
                if (leads->items[i]->type == VALUE_MAP)
                        check_lead(loader, leads->items[i], &keys->leads[i]);
        for (size_t i = 0; i < keys->before_count; i++)
                if (before->items[i]->type == VALUE_MAP)
                        check_expression(loader, before->items[i], "is", keys->before[i].is);
        static const char *const of_fits[] = { "at", "port", "path", "list", "node", "have", "used", "of", NULL };
        need_keys(loader, rollout, "fits", of_fits);
        check_actions(loader, rollout, "drain", keys->drain, keys->drain_count);
        check_actions(loader, rollout, "undrain", keys->undrain, keys->undrain_count);
        if (keys->drain_count > 0 && keys->undrain_count == 0 && !value_get(rollout, "undrain"))
                report_warning(
                    loader->diagnostics, schema_place(rollout, "drain"),
                    "`drain` without `undrain`: nothing takes it back; `undrain: []` says that a reboot does");
}

// ---- the joined cluster ----

static bool role_gives_value(const struct role *role, const char *wanted) {
        for (size_t i = 0; i < role->health_count; i++)
                for (size_t j = 0; j < role->health[i].value_count; j++) {
                        auto_free char *name =
                            xasprintf("%s.%s", role->health[i].name, text_or(role->health[i].values[j].name, ""));
                        if (strcmp(name, wanted) == 0)
                                return true;
                }
        return false;
}

static bool role_has_lead(const struct role *role, const char *name) {
        for (size_t i = 0; i < role->rollout.lead_count; i++)
                if (strcmp(text_or(role->rollout.leads[i].name, ""), name) == 0)
                        return true;
        return false;
}

static const struct role *role_called(const struct cluster *cluster, const char *name) {
        for (size_t i = 0; i < cluster->role_count; i++)
                if (strcmp(cluster->roles[i].name, name) == 0)
                        return &cluster->roles[i];
        return NULL;
}

// A role that the cluster lacks is told once more when a rollout comes to it; a profile may be for clusters with it.
static void check_at(struct loader *loader, const struct cluster *cluster, const char *at, const struct place *place) {
        if (!at || strcmp(at, ROLLOUT_AT_NODE) == 0)
                return;
        auto_free char *name = xstrndup(at, strcspn(at, "."));
        const char *lead = strchr(at, '.');
        const struct role *role = role_called(cluster, name);
        if (!role)
                report_warning(loader->diagnostics, place, "`at`: the cluster has no role `%s`", name);
        else if (lead && !role_has_lead(role, lead + 1))
                report(loader->diagnostics, ERR_REFERENCE, place, "role `%s` has no lead `%s`", name, lead + 1);
}

void check_rollout_places(struct loader *loader, const struct cluster *cluster, const struct role *role) {
        const struct rollout_keys *keys = &role->rollout;
        for (size_t i = 0; i < keys->lead_count; i++) {
                const char *value = keys->leads[i].value;
                if (value && *value && !role_gives_value(role, value))
                        report(loader->diagnostics, ERR_REFERENCE, &keys->leads[i].place,
                               "no `health` check of role `%s` reads a value `%s`", role->name, value);
        }
        for (size_t i = 0; i < keys->before_count; i++)
                check_at(loader, cluster, keys->before[i].at, &keys->before[i].place);
        if (keys->fits.port != 0)
                check_at(loader, cluster, keys->fits.at, &keys->fits.place);
        for (size_t i = 0; i < keys->drain_count; i++)
                check_at(loader, cluster, keys->drain[i].at, &keys->drain[i].place);
        for (size_t i = 0; i < keys->undrain_count; i++)
                check_at(loader, cluster, keys->undrain[i].at, &keys->undrain[i].place);
}
