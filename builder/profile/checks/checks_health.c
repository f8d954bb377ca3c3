// SPDX-License-Identifier: MIT
// Checks of a role's `health` and `agreements`.
#include <regex.h>
#include <string.h>

#include "base/mem.h"
#include "profile/checks/checks.h"

// `row` has the key, `text` is its value or NULL.
static void check_expression(struct loader *loader, const struct value *row, const char *key, const char *text) {
        regex_t compiled;
        char why[128];
        int status = 0;
        if (!text)
                return;
        status = regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB | REG_NEWLINE);
        if (status == 0) {
                regfree(&compiled);
                return;
        }
        regerror(status, &compiled, why, sizeof why);
        report(loader->diagnostics, ERR_SCHEMA, schema_place(row, key),
               "`%s` is no POSIX extended regular expression: %s", key, why);
}

static void check_kind_has(struct loader *loader, const struct value *row, const char *key, bool is_allowed,
                           const char *kinds) {
        if (value_get(row, key) && !is_allowed)
                report(loader->diagnostics, ERR_SCHEMA, schema_place(row, key), "`%s` is for checks of kind %s", key,
                       kinds);
}

static void check_value(struct loader *loader, const struct value *row, const struct health_value *value) {
        bool has_one = (value->json != NULL) != (value->line != NULL);
        if (!has_one)
                report(loader->diagnostics, ERR_SCHEMA, &row->place,
                       "a value is read by `json` or by `line`, and by one of them");
        check_expression(loader, row, "expect", value->expect);
}

static void check_health_row(struct loader *loader, const struct value *row, const struct health_check *health) {
        const struct value *values = value_get(row, "values");
        check_kind_has(loader, row, "path", health->kind == HEALTH_HTTP, "`http`");
        check_kind_has(loader, row, "send", health->kind == HEALTH_TEXT, "`text`");
        check_kind_has(loader, row, "expect", health->kind != HEALTH_TCP, "`http` and `text`");
        check_kind_has(loader, row, "values", health->kind != HEALTH_TCP, "`http` and `text`");
        check_expression(loader, row, "expect", health->expect);
        for (size_t i = 0; values && i < health->value_count; i++)
                if (values->items[i]->type == VALUE_MAP)
                        check_value(loader, values->items[i], &health->values[i]);
}

static void check_agreement_row(struct loader *loader, const struct value *row, const struct agreement *agreement) {
        static const char *const needed[] = { [AGREEMENT_ONE] = "is", [AGREEMENT_SUM] = "nodes_of" };
        static const char *const names[] = { "same", "one", "sum" };
        for (int kind = AGREEMENT_ONE; kind <= AGREEMENT_SUM; kind++) {
                bool is_kind = agreement->kind == kind, has = value_get(row, needed[kind]) != NULL;
                if (is_kind && !has)
                        report(loader->diagnostics, ERR_SCHEMA, &row->place, "an agreement of kind %s needs `%s`",
                               names[kind], needed[kind]);
                if (has && !is_kind)
                        report(loader->diagnostics, ERR_SCHEMA, schema_place(row, needed[kind]),
                               "`%s` is for agreements of kind %s", needed[kind], names[kind]);
        }
        check_expression(loader, row, "is", agreement->is);
}

void check_health(struct loader *loader, const struct role_file *file) {
        const struct value *health = value_get(file->tree, "health");
        const struct value *agreements = value_get(file->tree, "agreements");
        for (size_t i = 0; i < file->health_count; i++)
                if (health->items[i]->type == VALUE_MAP)
                        check_health_row(loader, health->items[i], &file->health[i]);
        for (size_t i = 0; i < file->agreement_count; i++)
                if (agreements->items[i]->type == VALUE_MAP)
                        check_agreement_row(loader, agreements->items[i], &file->agreements[i]);
}

static bool reads_value(const struct role *role, const char *wanted) {
        for (size_t i = 0; i < role->health_count; i++)
                for (size_t j = 0; j < role->health[i].value_count; j++) {
                        auto_free char *name =
                            xasprintf("%s.%s", role->health[i].name, text_or(role->health[i].values[j].name, ""));
                        if (strcmp(name, wanted) == 0)
                                return true;
                }
        return false;
}

static bool has_role(const struct cluster *cluster, const char *name) {
        for (size_t i = 0; i < cluster->role_count; i++)
                if (strcmp(cluster->roles[i].name, name) == 0)
                        return true;
        return false;
}

// A role that the cluster does not have has no nodes: that is a sum of 0, and nobody means it.
void check_agreements(struct loader *loader, const struct cluster *cluster, const struct role *role) {
        for (size_t i = 0; i < role->agreement_count; i++) {
                const struct agreement *agreement = &role->agreements[i];
                if (agreement->value && *agreement->value && !reads_value(role, agreement->value))
                        report(loader->diagnostics, ERR_REFERENCE, &agreement->place,
                               "no `health` check of role `%s` reads a value `%s`", role->name, agreement->value);
                if (agreement->nodes_of && !has_role(cluster, agreement->nodes_of))
                        report_warning(loader->diagnostics, &agreement->place,
                                       "agreement `%s`: the cluster has no role `%s`, so it is not asked for",
                                       agreement->name, agreement->nodes_of);
        }
}
