// SPDX-License-Identifier: MIT
// Every template is rendered before any work starts: for the build, and what is left of it for each node.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mistake.h"
#include "base/progress.h"
#include "profile/internal.h"
#include "shared/node_config.h"
#include "shared/template.h"

enum { TEMPLATE_MAX_BYTES = 4 << 20 }; // at build time

// The message begins with the place in the template, and shows the line: no place is given here.
static void report_template(struct loader *loader, struct err *err) {
        if (!err->hint && strstr(err->text, "unknown variable `roles."))
                (void)hint(err,
                           "`roles` has the roles of the cluster's nodes, and what these inherit; the cluster file's "
                           "`roles` adds one that no node has");
        report(loader->diagnostics, err->kind, NULL, "%s", err->text);
        if (err->hint)
                report_hint(loader->diagnostics, "%s", err->hint);
}

// A role under check. The nodes' scopes are made for the first template that is left for them.
struct check {
        struct loader *loader;
        const struct cluster *cluster;
        const struct role *role;
        const struct value *scope;
        struct arena arena;
        const struct value **node_scopes; // of the role's nodes, and of a stranger if it takes any
        size_t scope_count;
        struct strings *warned; // files, so that it is said once and not for each role
};

static void make_node_scopes(struct check *check) {
        const struct role *role = check->role;
        if (check->node_scopes)
                return;
        check->node_scopes = arena_alloc(&check->arena, (role->node_count + 1) * sizeof *check->node_scopes);
        for (size_t i = 0; i < role->node_count; i++)
                check->node_scopes[check->scope_count++] =
                    node_scope(&check->arena, check->cluster, &check->cluster->nodes[role->nodes[i]]);
        if (role->strangers)
                check->node_scopes[check->scope_count++] = stranger_scope(&check->arena, check->cluster, role);
}

// One mistake of a template, and all machines that it is one for.
struct mistake_on_nodes {
        struct err err;
        struct buf machines;
        const char *last; // of them: a section over a list makes the same one several times
        size_t count;
        bool on_strangers;
};

static void mistake_add(struct mistake_on_nodes **mistakes, size_t *count, struct err *err, const char *machine) {
        size_t at = 0;
        while (at < *count && strcmp((*mistakes)[at].err.text, err->text) != 0)
                at++;
        if (at == *count)
                *array_append(mistakes, count) = (struct mistake_on_nodes){ .err = take_err(err) };
        struct mistake_on_nodes *mistake = &(*mistakes)[at];
        if (!machine) {
                mistake->on_strangers = true;
                return;
        }
        if (mistake->last == machine)
                return;
        mistake->last = machine;
        if (mistake->count++ > 0)
                buf_append_text(&mistake->machines, ", ");
        buf_append_text(&mistake->machines, machine);
}

static void report_mistake(struct loader *loader, struct mistake_on_nodes *mistake) {
        static const char strangers[] = "machines that the inventory does not know";
        const char *kind = "nodes", *names = buf_text(&mistake->machines);
        if (mistake->count == 1)
                kind = "node";
        if (mistake->count == 0)
                (void)wrap(&mistake->err, "on %s", strangers);
        else if (mistake->on_strangers)
                (void)wrap(&mistake->err, "on %s %s and %s", kind, names, strangers);
        else
                (void)wrap(&mistake->err, "on %s %s", kind, names);
        if (!mistake->err.hint && strstr(mistake->err.text, "unknown variable `node.variables."))
                (void)hint(&mistake->err, "`default:` in the role file or the cluster file has it for all machines");
        report_template(loader, &mistake->err);
        err_release(&mistake->err);
        buf_release(&mistake->machines);
}

// A template that is left for nodes.
struct left_over {
        const char *name;
        struct template *template;
        bool asks_for_others;
};

// Where mistakes of one machine go.
struct machine_mistakes {
        struct mistake_on_nodes **mistakes;
        size_t *count;
        const char *machine; // NULL: a stranger
};

static void take_mistake(struct err *mistake, void *context) {
        const struct machine_mistakes *to = context;
        mistake_add(to->mistakes, to->count, mistake, to->machine);
}

// `machine` is an index in the node_scopes.
static bool apply_left_over(const struct check *check, const struct left_over *left, size_t machine,
                            struct machine_mistakes *on_machine, struct err *err) {
        const struct role *role = check->role;
        auto_buf output = { .max = NODE_TEMPLATE_MAX_BYTES };
        struct arena arena = { 0 };
        const struct value *scope = check->node_scopes[machine];
        struct value *others = value_get(value_get(scope, "node"), "others");
        const struct value none = *others;
        const struct node *self = NULL;
        if (machine < role->node_count)
                self = &check->cluster->nodes[role->nodes[machine]];
        if (left->asks_for_others)
                *others = *others_value(&arena, check->cluster, self);
        template_tell_unknown(left->template, take_mistake, on_machine);
        bool ok = template_apply(left->template, scope, NULL, &output, NULL, err);
        if (ok && output.overflow)
                ok = fail(err, ERR_TEMPLATE, 0, "%s: longer than %d bytes", left->name, NODE_TEMPLATE_MAX_BYTES);
        *others = none;
        arena_release(&arena);
        return ok;
}

// Mistakes that depend on the machine are reported here.
static bool try_left_over(struct check *check, const char *name, const struct buf *left, struct err *err) {
        auto_template *template = NULL;
        const struct role *role = check->role;
        if (left->size > NODE_TEMPLATE_MAX_BYTES)
                return fail(err, ERR_TEMPLATE, 0, "%s: %zu bytes are left for the node, which reads at most %d", name,
                            left->size, NODE_TEMPLATE_MAX_BYTES);
        if (!template_open(name, buf_text(left), left->size, &template, err))
                return false;
        make_node_scopes(check);
        const struct left_over left_over = { name, template, memmem(left->data, left->size, "others", 6) != NULL };
        struct mistake_on_nodes *mistakes = NULL;
        size_t count = 0;
        for (size_t i = 0; i < check->scope_count; i++) {
                auto_err mistake = { 0 };
                const char *machine = NULL; // a stranger
                if (i < role->node_count)
                        machine = check->cluster->nodes[role->nodes[i]].name;
                struct machine_mistakes on_machine = { &mistakes, &count, machine };
                if (!apply_left_over(check, &left_over, i, &on_machine, &mistake))
                        take_mistake(&mistake, &on_machine);
        }
        for (size_t i = 0; i < count; i++)
                report_mistake(check->loader, &mistakes[i]);
        free(mistakes);
        return true;
}

// ---- secrets ----

static bool refuse_secret(const struct check *check, const struct template *template,
                          const struct template_secret *secret, struct err *err) {
        const struct strings *known = &check->cluster->secrets;
        auto_free char *name = xstrndup(secret->name, secret->name_size);
        struct nearest nearest = { .wanted = name };
        if (secret->name_size == 0) {
                (void)template_refuse(template, secret->offset, err, "`secrets` is no text, and no section");
                return hint(err, "name one: {{secrets.NAME}}");
        }
        for (size_t i = 0; i < known->count; i++)
                nearest_offer(&nearest, known->items[i]);
        (void)template_refuse(template, secret->offset, err, "unknown secret `%s`", name);
        if (nearest.best)
                return hint(err, "did you mean `secrets.%s`?", nearest.best);
        return hint(err, "name it in the cluster file: `secrets: [%s]`", name);
}

// Every secret is the cluster's. `*ret_has`: the text has one. False after a report.
static bool check_secrets(const struct check *check, const struct template *template, bool *ret_has) {
        struct template_secret secret;
        struct strings told = { 0 };
        size_t at = 0;
        *ret_has = false;
        while (template_next_secret(template, &at, &secret)) {
                auto_free char *known = xstrndup(secret.name, secret.name_size);
                auto_err unknown = { 0 };
                *ret_has = true;
                if (strings_have(&check->cluster->secrets, known) || strings_have(&told, known))
                        continue;
                strings_add_once(check->loader->arena, &told, arena_strdup(check->loader->arena, known));
                (void)refuse_secret(check, template, &secret, &unknown);
                report_template(check->loader, &unknown);
        }
        return told.count == 0;
}

static void warn_of_mode(struct check *check, const struct file *file, const char *name) {
        bool is_open = file->mode >= 0 && (file->mode & 07) != 0;
        if (!is_open || strings_have(check->warned, file->path))
                return;
        strings_add_once(check->loader->arena, check->warned, file->path);
        warning("%s: %s holds a secret, and mode %04o lets everybody on the node read it", name, file->path,
                (unsigned)file->mode);
}

// An installer's file is made while the image is.
static bool check_kickstart(const struct role *role, struct err *err) {
        auto_template *template = NULL;
        auto_buf text = { .max = TEMPLATE_MAX_BYTES };
        struct template_secret secret;
        size_t at = 0;
        if (!role->kickstart)
                return true;
        if (!fs_read_resolved(role->kickstart, &text, err) ||
            !template_open(role->kickstart_shown, buf_text(&text), text.size, &template, err))
                return false;
        if (!template_next_secret(template, &at, &secret))
                return true;
        (void)template_refuse(template, secret.offset, err, "a kickstart file is published and has no secrets");
        return hint(err, "only files of a role are rendered on the node, where values of secrets are known");
}

const char *template_name(struct arena *arena, const struct file *file) {
        if (file->shown)
                return file->shown;
        return arena_printf(arena, "%s (%s)", file->path, place_text(arena, &file->place));
}

static void report_unknown(struct err *mistake, void *loader) { report_template(loader, mistake); }

// What is unknown is reported here, however much it is.
static bool try_template(struct check *check, const struct file *file, struct err *err) {
        auto_template *template = NULL;
        auto_buf text = { .max = TEMPLATE_MAX_BYTES }, output = { .max = TEMPLATE_MAX_BYTES };
        const char *name = template_name(check->loader->arena, file);
        if (file->source && !fs_read_resolved(file->source, &text, err))
                return false;
        if (!file->source)
                buf_append_text(&text, file->content);
        bool kept = false, has_secrets = false;
        if (!template_open(name, buf_text(&text), text.size, &template, err))
                return false;
        bool has_known_secrets = check_secrets(check, template, &has_secrets);
        template_tell_unknown(template, report_unknown, check->loader);
        if (!template_apply(template, check->scope, TEMPLATE_NODE_NAMES, &output, &kept, err))
                return false;
        if (has_secrets)
                warn_of_mode(check, file, name);
        return !kept || !has_known_secrets || try_left_over(check, name, &output, err);
}

// A link's target is filled in here and now, because kiln-node renders files only.
static bool render_link(struct check *check, struct file *file, struct err *err) {
        struct arena *arena = check->loader->arena;
        auto_buf target = { .max = 4096 };
        bool kept = false;
        const char *name = template_name(arena, file);
        if (!template_render(name, file->link, strlen(file->link), check->scope, TEMPLATE_NODE_NAMES, &target, &kept,
                             err))
                return false;
        if (kept)
                return fail(err, ERR_TEMPLATE, 0, "%s: the target of a link cannot wait for the node", name);
        if (target.size == 0)
                return fail(err, ERR_TEMPLATE, 0, "%s: the target of a link is empty", name);
        file->link = arena_strdup(arena, buf_text(&target));
        file->is_template = false;
        return true;
}

static void try_role(struct check *check) {
        for (size_t i = 0; i < check->role->file_count; i++) {
                auto_err err = { 0 };
                struct file *file = &check->role->files[i];
                bool ok = true;
                if (file->is_template && file->link)
                        ok = render_link(check, file, &err);
                else if (file->is_template)
                        ok = try_template(check, file, &err);
                if (!ok)
                        report_template(check->loader, &err);
        }
        auto_err err = { 0 };
        if (!check_kickstart(check->role, &err))
                report_template(check->loader, &err);
}

void templates_try(struct loader *loader, struct cluster *cluster) {
        struct strings warned = { 0 };
        struct access access = { 0 };
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct role *role = &cluster->roles[i];
                struct check check = { loader, cluster, role, .scope = cluster_scope(&cluster->arena, cluster, role),
                                       .warned = &warned };
                try_role(&check);
                if (loader->diagnostics->mistake_count == 0)
                        access_of_role(loader, role, check.scope, &access);
                arena_release(&check.arena);
        }
        access_finish(loader, cluster, &access);
}
