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

static bool check_left(struct loader *loader, struct cluster *cluster, const struct role *role, const char *name,
                       const struct buf *left, struct err *err) {
        for (size_t i = 0; i < role->node_count; i++) {
                const struct node *node = &cluster->nodes[role->nodes[i]];
                struct value *scope = node_scope(loader->arena, cluster, node);
                auto_buf output = { .max = TEMPLATE_MAX_BYTES };
                if (!template_render(name, buf_text(left), left->size, scope, NULL, &output, NULL, err))
                        return wrap(err, "on node %s", node->name);
        }
        return true;
}

static bool check_template(struct loader *loader, struct cluster *cluster, const struct role *role,
                           const struct file *file, const struct value *scope, struct err *err) {
        auto_buf text = { .max = TEMPLATE_MAX_BYTES }, output = { .max = TEMPLATE_MAX_BYTES };
        const char *name = file->source ? file->place.file : NULL;
        if (file->source && !fs_read(AT_FDCWD, file->source, &text, err))
                return false;
        if (!file->source)
                buf_append_text(&text, file->content);
        if (!name || file->place.line > 0)  // from `files:`
                name = arena_printf(loader->arena, "%s (%s)", file->path, place_text(loader->arena, &file->place));
        bool kept = false;
        if (!template_render(name, buf_text(&text), text.size, scope, "node", &output, &kept, err))
                return false;
        return !kept || check_left(loader, cluster, role, name, &output, err);
}

void check_templates(struct loader *loader, struct cluster *cluster) {
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct role *role = &cluster->roles[i];
                struct value *scope = cluster_scope(cluster, role);
                for (size_t j = 0; j < role->file_count; j++) {
                        auto_err err = { 0 };
                        const struct file *file = &role->files[j];
                        if (file->is_template && !check_template(loader, cluster, role, file, scope, &err))
                                report_template(loader, &err);
                }
        }
}
