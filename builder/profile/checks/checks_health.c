// SPDX-License-Identifier: MIT
// Checks of a role's `health` and `agreements`.
#include <ctype.h>
#include <regex.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "profile/checks/checks.h"

// What is in a list of characters counts, too: nobody writes a backslash before a digit there.
static bool refers_to_group(const char *expression) {
        for (const char *at = strchr(expression, '\\'); at && at[1]; at = strchr(at + 2, '\\'))
                if (isdigit((unsigned char)at[1]))
                        return true;
        return false;
}

void check_expression(struct loader *loader, const struct value *row, const char *key, const char *text) {
        regex_t compiled;
        char why[128];
        if (!text)
                return;
        int status = regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB | REG_NEWLINE);
        if (status == 0) {
                regfree(&compiled);
                if (refers_to_group(text))
                        report(loader->diagnostics, ERR_SCHEMA, schema_place(row, key),
                               "`%s` refers to a group, as by `\\1`, which POSIX extended regular expressions do not "
                               "have, and for which a short line may take minutes: write out what is meant",
                               key);
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

static void check_value(struct loader *loader, const struct health_check *health, const struct value *row,
                        const struct health_value *value) {
        check_kind_has(loader, row, "reply", health->kind == HEALTH_ZOOKEEPER, "`zookeeper`");
        const char *const ways[] = { value->json, value->line, value->match, value->matches, value->reply };
        size_t readers = 0;
        for (size_t i = 0; i < lengthof(ways); i++)
                readers += ways[i] != NULL;
        if (readers != 1)
                report(loader->diagnostics, ERR_SCHEMA, &row->place,
                       "a value is read by `json`, `line`, `match`, `matches` or `reply`, and by one of them");
        if (value->form && !value->json)
                report(loader->diagnostics, ERR_SCHEMA, schema_place(row, "form"), "`form` is for values of `json`");
        check_expression(loader, row, "match", value->match);
        check_expression(loader, row, "matches", value->matches);
        check_expression(loader, row, "expect", value->expect);
}

static void check_health_row(struct loader *loader, const struct value *row, const struct health_check *health) {
        const struct value *values = value_get(row, "values");
        bool has_path = health->kind == HEALTH_HTTP || health->kind == HEALTH_ZOOKEEPER;
        check_kind_has(loader, row, "path", has_path, "`http` and `zookeeper`");
        check_kind_has(loader, row, "child", health->kind == HEALTH_ZOOKEEPER, "`zookeeper`");
        check_kind_has(loader, row, "send", health->kind == HEALTH_TEXT, "`text`");
        check_kind_has(loader, row, "expect", health->kind != HEALTH_TCP, "`http`, `text` and `zookeeper`");
        check_kind_has(loader, row, "values", health->kind != HEALTH_TCP, "`http`, `text` and `zookeeper`");
        check_expression(loader, row, "expect", health->expect);
        check_expression(loader, row, "child", health->child);
        for (size_t i = 0; values && i < health->value_count; i++)
                if (values->items[i]->type == VALUE_MAP)
                        check_value(loader, health, values->items[i], &health->values[i]);
}

// Which keys an agreement of a kind has beside those of all: `needs` it cannot do without.
static const struct {
        const char *name, *needs[3], *takes[4];
} agreement_keys[] = {
        [AGREEMENT_SAME] = { "same", { NULL }, { NULL } },
        [AGREEMENT_ONE] = { "one", { "is" }, { "is" } },
        [AGREEMENT_SUM] = { "sum", { "nodes_of" }, { "nodes_of", "less" } },
        [AGREEMENT_EVERY] = { "every", { "is" }, { "is" } },
        [AGREEMENT_NAMES] = { "names", { "where", "is" }, { "where", "is" } },
        [AGREEMENT_MEMBERS] = { "members", { "nodes_of" }, { "nodes_of", "says", "each" } },
        [AGREEMENT_RECENT] = { "recent", { "within_s" }, { "within_s" } },
        [AGREEMENT_SETS] = { "sets", { "nodes_of", "says" }, { "nodes_of", "says" } },
        [AGREEMENT_MOST] = { "most", { "where", "is" }, { "where", "is" } },
};

static bool takes_key(int kind, const char *key) {
        for (const char *const *at = agreement_keys[kind].takes; *at; at++)
                if (strcmp(*at, key) == 0)
                        return true;
        return false;
}

// "one, every, names"
static void list_kinds_with(const char *key, struct buf *ret) {
        for (size_t kind = 0; kind < lengthof(agreement_keys); kind++)
                if (takes_key((int)kind, key))
                        buf_printf(ret, "%s%s", ret->size > 0 ? ", " : "", agreement_keys[kind].name);
}

static void check_agreement_row(struct loader *loader, const struct value *row, const struct agreement *agreement) {
        static const char *const keys[] = { "is", "where", "nodes_of", "less", "says", "each", "within_s" };
        for (const char *const *key = agreement_keys[agreement->kind].needs; *key; key++)
                if (!value_get(row, *key))
                        report(loader->diagnostics, ERR_SCHEMA, &row->place, "an agreement of kind %s needs `%s`",
                               agreement_keys[agreement->kind].name, *key);
        for (size_t i = 0; i < lengthof(keys); i++) {
                auto_buf kinds = { 0 };
                list_kinds_with(keys[i], &kinds);
                if (value_get(row, keys[i]) && !takes_key(agreement->kind, keys[i]))
                        report(loader->diagnostics, ERR_SCHEMA, schema_place(row, keys[i]),
                               "`%s` is for agreements of kind %s", keys[i], buf_text(&kinds));
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

static const struct role *find_counted(const struct cluster *cluster, const char *name) {
        for (size_t i = 0; i < cluster->role_count; i++)
                if (strcmp(cluster->roles[i].name, name) == 0)
                        return &cluster->roles[i];
        return NULL;
}

static void check_value_name(struct loader *loader, const struct role *role, const struct agreement *agreement,
                             const char *value) {
        if (value && *value && !reads_value(role, value))
                report(loader->diagnostics, ERR_REFERENCE, &agreement->place,
                       "no `health` check of role `%s` reads a value `%s`", role->name, value);
}

// What the other role's nodes say is that role's affair: somebody's own slave need not tell what the master that kiln
// brings along compares. `kiln status` then says that it is not known.
static void doubt_other_roles_value(struct loader *loader, const struct role *counted,
                                    const struct agreement *agreement) {
        bool is_read = !agreement->says || !*agreement->says || reads_value(counted, agreement->says);
        if (!is_read)
                report_warning(loader->diagnostics, &agreement->place,
                               "agreement `%s`: no `health` check of role `%s` reads a value `%s`, so nothing is "
                               "compared; add that check to its file, or inherit it from a role that has it",
                               agreement->name, counted->name, agreement->says);
}

// A role that the cluster does not have has no nodes, and is not asked for. One that nobody wrote is a mistake in its
// name.
static void doubt_no_role(struct loader *loader, const struct profile_folder *roles,
                          const struct agreement *agreement) {
        if (!has_role_file(loader, roles, agreement->nodes_of, &agreement->place))
                report_warning(loader->diagnostics, &agreement->place,
                               "agreement `%s`: there is no role `%s`, so it is not asked for", agreement->name,
                               agreement->nodes_of);
}

void check_agreements(struct loader *loader, const struct cluster *cluster, const struct role *role,
                      const struct profile_folder *roles) {
        for (size_t i = 0; i < role->agreement_count; i++) {
                const struct agreement *agreement = &role->agreements[i];
                const struct role *counted = NULL;
                if (agreement->nodes_of)
                        counted = find_counted(cluster, agreement->nodes_of);
                check_value_name(loader, role, agreement, agreement->value);
                check_value_name(loader, role, agreement, agreement->where);
                if (counted == role)
                        check_value_name(loader, counted, agreement, agreement->says);
                else if (counted)
                        doubt_other_roles_value(loader, counted, agreement);
                if (agreement->nodes_of && !counted)
                        doubt_no_role(loader, roles, agreement);
        }
}
