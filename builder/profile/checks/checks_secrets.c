// SPDX-License-Identifier: MIT
// Checks of secrets: that their names are names, and that nothing but a node would need their values.
#include <string.h>

#include "profile/checks/checks.h"
#include "shared/secrets.h"
#include "shared/template.h"

// ---- names, and no values ----

static bool has_value(const struct value *item) {
        return item->type == VALUE_MAP || (item->type == VALUE_SCALAR && strpbrk(item->text, "=:"));
}

void check_secret_values(struct loader *loader, struct value *tree) {
        struct value *given = value_get(tree, "secrets");
        if (!given)
                return;
        const struct value *wrong = NULL;
        if (has_value(given))
                wrong = given;
        for (size_t i = 0; given->type == VALUE_LIST && i < given->count && !wrong; i++)
                if (has_value(given->items[i]))
                        wrong = given->items[i];
        if (!wrong)
                return;
        refuse_secret_value(loader, &wrong->place);
        value_set(loader->arena, tree, "secrets", value_list(loader->arena));
}

void refuse_secret_value(struct loader *loader, const struct place *place) {
        report(loader->diagnostics, ERR_SCHEMA, place,
               "`secrets` is a list of names: a value of a secret has no place in a profile or on a command line");
        report_privately(loader->diagnostics);
        report_hint(loader->diagnostics, "secrets: [NAME]; `kiln secret put FILE NAME` asks for the value");
}

// The tree has those, too, that are no names and were reported.
void check_secret_names(struct loader *loader, const struct cluster_file *file) {
        const struct value *list = value_get(file->tree, "secrets");
        if (!list || list->type != VALUE_LIST)
                return;
        auto_free struct once *once = xcalloc(list->count + 1, sizeof *once);
        for (size_t i = 0; i < list->count; i++)
                once[i] = (struct once){ text_or(list->items[i]->text, ""), &list->items[i]->place };
        check_once(loader, "secret", once, list->count);
}

// ---- tags where nothing fills them in ----

// Whether the text has a tag whose first name is `secrets`.
static bool has_secret_tag(const char *text) {
        size_t size = strlen(TEMPLATE_SECRETS);
        for (const char *tag = text; (tag = strstr(tag, "{{"));) {
                tag += strspn(tag, "{#^/& \t");
                if (strncmp(tag, TEMPLATE_SECRETS, size) == 0 && strchr(".} \t", tag[size]))
                        return true;
        }
        return false;
}

static void report_secret_place(struct loader *loader, const struct value *value, const char *advice) {
        report(
            loader->diagnostics, ERR_TEMPLATE, &value->place,
            "a secret is not filled in here: only a node knows its value, and only files of roles are rendered there");
        report_hint(loader->diagnostics, "%s", advice);
}

static const char advice_of_place[] =
    "put {{secrets.NAME}} into a template: a file NAME.tmpl of an overlay, or `files` with `template: true`";

// `except`: an item of `files` whose content is a template.
static void find_secret_tags(struct loader *loader, const struct value *value, const struct value *except) {
        if (value == except)
                return;
        if (value->type == VALUE_SCALAR && has_secret_tag(value->text))
                report_secret_place(loader, value, advice_of_place);
        for (size_t i = 0; i < value->count; i++)
                find_secret_tags(loader, value->items[i], except);
}

static void check_places_of_file(struct loader *loader, const struct value *row) {
        const struct value *content = value_get(row, "content"), *template = value_get(row, "template");
        find_secret_tags(loader, row, content);
        bool is_text = content && content->type == VALUE_SCALAR;
        if (!is_text || (template && value_truth(template)) || !has_secret_tag(content->text))
                return;
        report_secret_place(loader, content, "`template: true` makes this file one that is rendered");
}

void check_secret_places(struct loader *loader, const struct value *tree, bool is_role) {
        for (size_t i = 0; tree->type == VALUE_MAP && i < tree->count; i++) {
                const struct value *list = tree->items[i];
                bool is_files = is_role && strcmp(tree->keys[i], "files") == 0 && list->type == VALUE_LIST;
                if (!is_files)
                        find_secret_tags(loader, list, NULL);
                for (size_t j = 0; is_files && j < list->count; j++)
                        check_places_of_file(loader, list->items[j]);
        }
}

// ---- files ----

void check_secret_files(struct loader *loader, const struct role *role) {
        for (size_t i = 0; i < role->file_count; i++) {
                const struct file *file = &role->files[i];
                const char *slash = strrchr(file->path, '/');
                if (!slash || strcmp(slash + 1, SECRETS_FILE) != 0)
                        continue;
                report(loader->diagnostics, ERR_SCHEMA, &file->place,
                       "`%s` of role `%s` would bring values of secrets into the image, which everybody may read",
                       file->path, role->name);
                report_hint(loader->diagnostics, "kiln.secrets belongs on config drives and state disks: kiln secret");
        }
}
