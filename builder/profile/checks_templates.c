// Every template is rendered before any work starts: for the build, and what is left of it for each node.
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "profile/internal.h"
#include "profile/template.h"

enum { TEMPLATE_MAX_BYTES = 4 << 20 };

// A template's mistake has its place and its line already.
static void report_template(struct loader *loader, const struct err *err) {
        report(loader->diagnostics, err->kind, NULL, "%s", err->text);
        if (err->hint)
                report_hint(loader->diagnostics, "%s", err->hint);
}

static bool check_left(const struct cluster *cluster, const struct role *role, const char *name, const struct buf *left,
                       struct err *err) {
        bool ok = true;
        for (size_t i = 0; ok && i < role->node_count; i++) {
                const struct node *node = &cluster->nodes[role->nodes[i]];
                struct arena arena = { 0 };
                struct value *scope = node_scope(&arena, cluster, node);
                auto_buf output = { .max = TEMPLATE_MAX_BYTES };
                ok = template_render(name, buf_text(left), left->size, scope, NULL, &output, NULL, err) ||
                     wrap(err, "on node %s", node->name);
                arena_release(&arena);
        }
        return ok;
}

static bool check_template(struct loader *loader, struct cluster *cluster, const struct role *role,
                           const struct file *file, const struct value *scope, struct err *err) {
        auto_buf text = { .max = TEMPLATE_MAX_BYTES }, output = { .max = TEMPLATE_MAX_BYTES };
        // Overlays are known by the path that the user sees; a text in a role file by where it will be.
        const char *name = file->place.line == 0 ? file->place.file : file->source;
        if (!name)
                name = arena_printf(loader->arena, "%s (%s)", file->path, place_text(loader->arena, &file->place));
        if (file->source && !fs_read(AT_FDCWD, file->source, &text, err))
                return false;
        if (!file->source)
                buf_append_text(&text, file->content);
        bool kept = false;
        if (!template_render(name, buf_text(&text), text.size, scope, "node", &output, &kept, err))
                return false;
        return !kept || check_left(cluster, role, name, &output, err);
}

// Targets of links are filled in here: nothing is left of them to render later.
static bool render_link(struct loader *loader, struct file *file, const struct value *scope, struct err *err) {
        auto_buf target = { .max = 4096 };
        bool kept = false;
        const char *name = arena_printf(loader->arena, "%s (%s)", file->path, place_text(loader->arena, &file->place));
        if (!template_render(name, file->link, strlen(file->link), scope, "node", &target, &kept, err))
                return false;
        if (kept || target.size == 0)
                return fail(err, ERR_TEMPLATE, 0, "%s: the target of a link %s", name,
                            kept ? "cannot wait for the node" : "is empty");
        file->link = arena_strdup(loader->arena, buf_text(&target));
        file->is_template = false;
        return true;
}

void check_templates(struct loader *loader, struct cluster *cluster) {
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct role *role = &cluster->roles[i];
                struct value *scope = cluster_scope(&cluster->arena, cluster, role);
                for (size_t j = 0; j < role->file_count; j++) {
                        auto_err err = { 0 };
                        struct file *file = &role->files[j];
                        bool ok = !file->is_template ||
                                  (file->link ? render_link(loader, file, scope, &err)
                                              : check_template(loader, cluster, role, file, scope, &err));
                        if (!ok)
                                report_template(loader, &err);
                }
        }
}
