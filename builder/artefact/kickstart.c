// SPDX-License-Identifier: MIT
// Kickstart files: the role's template, once for the role and once for each of its nodes (scope:
// kickstart/base.ks.tmpl).
#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "artefact/bootloader.h"
#include "artefact/internal.h"
#include "artefact/kickstart_network.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "shared/template.h"

static bool has_kickstarts(const struct cluster *cluster) {
        for (size_t i = 0; i < cluster->role_count; i++)
                if (cluster->roles[i].kickstart)
                        return true;
        return false;
}

// The files hold URLs. Whoever asks for them by name gets them or an error; others may have no use for them.
static bool check_http_base(const struct artefact_build *build, struct err *err) {
        static const char remedy[] = "give `http_base: http://HOST` in the cluster file or --http-base URL; "
                                     "file:///run/install/repo is the installer's own medium";
        const struct strings *only = build->only;
        if (build->http_base || !has_kickstarts(build->cluster))
                return true;
        for (size_t i = 0; only && i < only->count; i++)
                if (strcmp(only->items[i], "kickstart") == 0) {
                        fail(err, ERR_USAGE, 0, "nothing says at which URL the build will be served");
                        return hint(err, "%s", remedy);
                }
        warning("there will be no kickstart files: nothing says at which URL the build will be served (%s)", remedy);
        return true;
}

static void set_url(struct arena *arena, struct value *map, const char *key, const char *base, const char *role,
                    const char *name) {
        value_set(arena, map, key, value_scalar(arena, arena_printf(arena, "%s/%s/%s", base, role, name)));
}

static struct value *kernel_arguments(const struct artefact_build *build, const struct role *role,
                                      struct arena *arena) {
        const struct strings *lists[] = { &build->cluster->release.kernel_arguments, &role->kernel_arguments };
        auto_buf text = { 0 };
        for (size_t i = 0; i < lengthof(lists); i++)
                for (size_t j = 0; j < lists[i]->count; j++) {
                        if (text.size > 0)
                                buf_append_char(&text, ' ');
                        buf_append_text(&text, lists[i]->items[j]);
                }
        return value_scalar(arena, arena_strdup(arena, buf_text(&text)));
}

static struct value *trust_value(const struct cluster *cluster, struct arena *arena) {
        auto_buf text = { 0 };
        trust_format(cluster, &text);
        if (text.size == 0)
                return value_bool(arena, false);
        return value_scalar(arena, arena_strdup(arena, buf_text(&text)));
}

static bool is_own_medium(const char *http_base) { return strncmp(http_base, "file:", 5) == 0; }

// With the URL of a file the installer finds the files where it mounts its own medium: the role's ISO, written to a
// stick.
static struct value *artefact_scope(const struct artefact_build *build, const struct artefact_role *role,
                                    struct arena *arena) {
        struct value *map = value_map(arena);
        const char *name = role->role->name;
        size_t length = strlen(build->http_base);
        if (length > 0 && build->http_base[length - 1] == '/')
                length--;
        if (!is_own_medium(build->http_base)) {
                const char *base = arena_printf(arena, "%.*s/%s", (int)length, build->http_base, build->build_id);
                value_set(arena, map, "http_base", value_scalar(arena, base));
                set_url(arena, map, "rootfs_url", base, name, "rootfs.squashfs");
                set_url(arena, map, "config_url", base, name, "config.cpio");
        } else {
                const char *base = arena_printf(arena, "%.*s", (int)length, build->http_base);
                value_set(arena, map, "http_base", value_scalar(arena, base));
                set_url(arena, map, "rootfs_url", base, "kiln", "rootfs.squashfs");
                set_url(arena, map, "config_url", base, "boot", "config.cpio");
        }
        value_set(arena, map, "kernel_arguments", kernel_arguments(build, role->role, arena));
        value_set(arena, map, "rootfs_sha256", value_scalar(arena, arena_strdup(arena, role->root_sha256)));
        value_set(arena, map, "config_sha256", value_scalar(arena, arena_strdup(arena, role->config_sha256)));
        value_set(arena, map, "trust", trust_value(build->cluster, arena));
        value_set(arena, map, "network", value_bool(arena, false));
        value_set(arena, map, "network_post", value_bool(arena, false));
        return map;
}

static struct value *role_scope(const struct artefact_build *build, const struct artefact_role *role,
                                struct arena *arena) {
        struct value *scope = cluster_scope(arena, build->cluster, role->role);
        value_set(arena, scope, "artefact", artefact_scope(build, role, arena));
        value_set(arena, scope, "node", value_bool(arena, false));
        return scope;
}

static struct value *text_or_false(const struct buf *text, struct arena *arena) {
        if (text->size == 0)
                return value_bool(arena, false);
        return value_scalar(arena, arena_strdup(arena, buf_text(text)));
}

static void scope_set_node(struct arena *arena, struct value *scope, const struct cluster *cluster, size_t index) {
        auto_buf commands = { 0 }, post = { 0 };
        struct value *artefact = (struct value *)value_get(scope, "artefact");
        kickstart_network_commands(cluster, &cluster->nodes[index], &commands);
        kickstart_network_post(cluster, &cluster->nodes[index], &post);
        value_set(arena, artefact, "network", text_or_false(&commands, arena));
        value_set(arena, artefact, "network_post", text_or_false(&post, arena));
        value_set(arena, scope, "node", value_get(scope, "nodes")->items[index]); // in the order of the cluster's
}

// `dir` -1: only whether it can be rendered.
static bool render_kickstart(const struct template *template, const struct value *scope, int dir, const char *name,
                             struct err *err) {
        auto_buf rendered = { 0 };
        auto_free char *path = xasprintf("%s.ks", name);
        if (!template_apply(template, scope, NULL, &rendered, NULL, err))
                return wrap(err, "kickstart/%s", path);
        return dir < 0 || fs_write(dir, path, buf_text(&rendered), rendered.size, 0644, err);
}

static bool write_kickstarts(const struct artefact_build *build, const struct artefact_role *role, struct arena *arena,
                             int dir, struct err *err) {
        auto_buf text = { 0 };
        auto_template *template = NULL;
        const struct role *of = role->role;
        if (!fs_read_resolved(of->kickstart, &text, err) ||
            !template_open(of->kickstart_shown, buf_text(&text), text.size, &template, err))
                return false;
        struct value *scope = role_scope(build, role, arena);
        if (!render_kickstart(template, scope, dir, of->name, err))
                return false;
        for (size_t i = 0; i < of->node_count; i++) {
                const char *name = build->cluster->nodes[of->nodes[i]].name;
                scope_set_node(arena, scope, build->cluster, of->nodes[i]);
                if (dir >= 0 && strcmp(name, of->name) == 0)
                        warning("kickstart/%s.ks is the node's, not the role's: they share a name", name);
                if (!render_kickstart(template, scope, dir, name, err))
                        return false;
        }
        return true;
}

bool kickstart_try(struct cluster *cluster, const char *http_base, struct err *err) {
        assert(cluster);
        char none[] = "0000000000000000";
        struct artefact_build build = { .cluster = cluster, .http_base = http_base, .build_id = none };
        if (!http_base)
                build.http_base = "http://kiln.invalid";
        for (size_t i = 0; i < cluster->role_count; i++) {
                struct arena arena = { 0 };
                const struct artefact_role role = { .role = &cluster->roles[i] };
                bool ok = !role.role->kickstart || write_kickstarts(&build, &role, &arena, -1, err);
                arena_release(&arena);
                if (!ok)
                        return false;
        }
        return true;
}

static bool kickstart_check(const struct artefact_build *build, struct err *err) {
        return check_http_base(build, err) && kickstart_try(build->cluster, build->http_base, err);
}

static bool kickstart_write(struct artefact_build *build, struct artefact_role *none, struct err *err) {
        (void)none;
        auto_close int dir = -1;
        if (!build->http_base)
                return true; // kickstart_check() has said so
        if (!fs_mkdirs(build->out, "kickstart", 0755, err) || !fs_open_dir(build->out, "kickstart", &dir, err))
                return false;
        for (size_t i = 0; i < build->role_count; i++) {
                struct arena arena = { 0 };
                const struct artefact_role *role = &build->roles[i];
                bool ok = !role->role->kickstart || write_kickstarts(build, role, &arena, dir, err);
                arena_release(&arena);
                if (!ok)
                        return wrap(err, "kickstart of role %s", role->role->name);
        }
        return true;
}

static const char *const needs[] = { "squashfs", "config", NULL };

const struct artefact_kind kickstart_kind = {
        .name = "kickstart",
        .description = "install to disk with Anaconda, per role and per node",
        .needs = needs,
        .check = kickstart_check,
        .write = kickstart_write,
};
