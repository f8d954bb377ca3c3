// SPDX-License-Identifier: MIT
#include "verbs/show_files.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mistake.h"
#include "base/progress.h"
#include "configure/configure.h"
#include "profile/effective.h"
#include "shared/base64.h"
#include "verbs/show_values.h"

// ---- printing ----

// Of bytes that are no text, JSON has no string.
static void set_shown_content(json_t *object, const struct buf *text) {
        auto_buf encoded = { 0 };
        json_t *string = json_stringn(buf_text(text), text->size);
        if (string) {
                (void)json_object_set_new(object, "content", string);
                return;
        }
        base64_encode(buf_text(text), text->size, 0, &encoded);
        (void)json_object_set_new(object, "content_base64", json_string(buf_text(&encoded)));
}

static void print_shown_file_json(const char *path, const char *from, const struct buf *text) {
        json_t *object = json_object();
        (void)json_object_set_new(object, "path", json_of_text(path));
        if (from)
                (void)json_object_set_new(object, "from", json_of_text(from));
        set_shown_content(object, text);
        auto_free char *line = json_dumps(object, JSON_COMPACT);
        puts(line);
        json_decref(object);
}

static void print_shown_file(const struct shown_machine *machine, const char *path, const char *from,
                             const struct buf *text) {
        if (machine->json)
                print_shown_file_json(path, from, text);
        else
                (void)fwrite(buf_text(text), 1, text->size, stdout);
}

// ---- what no profile says ----

// Beside the role's files: by its whole path, or where the path ends with a slash or a dash by its beginning.
static const struct {
        const char *path;
        bool is_of_node; // written when the machine boots; else by the build
} other_files[] = {
        { "/etc/hostname", true },
        { "/etc/resolv.conf", true },
        { "/etc/issue", true },
        { "/etc/sysconfig/network-scripts/ifcfg-", true },
        { "/etc/sysconfig/network-scripts/route-", true },
        { "/etc/dhcp/dhclient-", true },
        { "/etc/systemd/network/10-kiln-", true },
        { "/etc/NetworkManager/conf.d/10-kiln.conf", true },
        { "/etc/NetworkManager/system-connections/10-kiln-", true },
        { "/etc/kiln/", false },
        { "/etc/machine-id", false },
        { "/etc/passwd", false },
        { "/etc/shadow", false },
        { "/etc/group", false },
        { "/etc/gshadow", false },
        { "/etc/sysctl.d/90-kiln.conf", false },
        { "/etc/systemd/system-preset/10-kiln.preset", false },
};

static bool is_other_file(const char *known, const char *path) {
        size_t size = strlen(known);
        bool is_beginning = strchr("/-", known[size - 1]) != NULL;
        return strncmp(path, known, size) == 0 && (is_beginning || path[size] == '\0');
}

static bool refuse_other_file(const struct role *role, const char *path, bool is_of_node, struct err *err) {
        if (is_of_node) {
                fail(err, ERR_REFERENCE, 0, "%s: kiln-node writes it when the machine boots", path);
                return hint(err, "kiln-node(8) says from what; `kiln show CLUSTER.yaml --node NODE --variables` lists "
                                 "what is known of a node before");
        }
        fail(err, ERR_REFERENCE, 0, "%s: a build writes it, from packages and what the role says", path);
        return hint(err, "once there is a build: `kiln shell CLUSTER.yaml %s -- cat %s`", role->name, path);
}

static const char *name_in_directory(const char *path) { return strrchr(path, '/') + 1; }

static bool is_in_same_directory(const char *one, const char *other) {
        size_t size = (size_t)(name_in_directory(one) - one);
        return size == (size_t)(name_in_directory(other) - other) && strncmp(one, other, size) == 0;
}

static bool refuse_unknown_file(const struct role *role, const char *path, struct err *err) {
        struct nearest nearest = { .wanted = name_in_directory(path) };
        for (size_t i = 0; i < lengthof(other_files); i++)
                if (is_other_file(other_files[i].path, path))
                        return refuse_other_file(role, path, other_files[i].is_of_node, err);
        for (size_t i = 0; i < role->file_count; i++)
                if (is_in_same_directory(role->files[i].path, path))
                        nearest_offer(&nearest, name_in_directory(role->files[i].path));
        fail(err, ERR_REFERENCE, 0, "role `%s` writes no file %s", role->name, path);
        if (nearest.best)
                return hint(err, "did you mean %.*s%s?", (int)(nearest.wanted - path), path, nearest.best);
        return hint(err, "it may be a package's; `kiln show CLUSTER.yaml roles.%s.files` lists those of the role",
                    role->name);
}

// ---- one ----

static const struct file *role_file_at(const struct role *role, const char *path) {
        for (size_t i = 0; i < role->file_count; i++)
                if (strcmp(role->files[i].path, path) == 0)
                        return &role->files[i];
        return NULL;
}

static bool show_role_file(const struct shown_machine *machine, const struct file *file, struct err *err) {
        auto_buf text = { 0 };
        if (!cluster_render_file(machine->cluster, machine->role, machine->node, file, &text, err))
                return false;
        print_shown_file(machine, file->path, file->place.file, &text);
        return true;
}

static void show_hosts(const struct shown_machine *machine) {
        auto_free char *lines = hosts_text(machine->cluster);
        auto_buf text = { 0 };
        buf_append_text(&text, lines);
        notice("/etc/hosts is kiln's: kiln-node writes these hosts again when the machine boots, behind its own names");
        print_shown_file(machine, "/etc/hosts", NULL, &text);
}

// False: the role has nothing there.
static bool show_directory(const struct shown_machine *machine, const char *path) {
        struct arena arena = { 0 };
        const struct value *files = role_files_effective(&arena, machine->role, path);
        bool is_there = files->count > 0;
        if (is_there && machine->json)
                values_print_json(files, "");
        else if (is_there)
                values_print(files);
        arena_release(&arena);
        return is_there;
}

// Without slashes that say nothing; "" for the root.
static char *without_empty_parts(const char *path) {
        auto_buf plain = { 0 };
        for (; *path; path++)
                if (*path != '/' || (path[1] != '/' && path[1] != '\0'))
                        buf_append_char(&plain, *path);
        return xstrdup(buf_text(&plain));
}

bool show_path(const struct shown_machine *machine, const char *path, struct err *err) {
        if (!machine->role)
                return fail(err, ERR_USAGE, 0, "%s: of which machine? --node NODE or --role ROLE says it", path);
        auto_free char *plain = without_empty_parts(path);
        const struct file *file = role_file_at(machine->role, plain);
        if (file && !file->is_directory)
                return show_role_file(machine, file, err);
        if (show_directory(machine, plain))
                return true;
        if (strcmp(plain, "/etc/hosts") != 0)
                return refuse_unknown_file(machine->role, *plain ? plain : "/", err);
        show_hosts(machine);
        return true;
}

// ---- all templates ----

// For people with a line before each that says where it is from.
static void print_template(const struct shown_machine *machine, const struct file *file, const struct buf *text) {
        if (!machine->json)
                printf("==> %s <== %s\n", file->path, text_or(file->place.file, ""));
        print_shown_file(machine, file->path, file->place.file, text);
        bool is_open_line = text->size > 0 && text->data[text->size - 1] != '\n';
        if (!machine->json && is_open_line)
                putchar('\n');
}

bool show_templates(const struct shown_machine *machine, struct err *err) {
        for (size_t i = 0; i < machine->role->file_count; i++) {
                const struct file *file = &machine->role->files[i];
                auto_buf text = { 0 };
                if (!file->is_template)
                        continue;
                if (!cluster_render_file(machine->cluster, machine->role, machine->node, file, &text, err))
                        return false;
                print_template(machine, file, &text);
        }
        return true;
}
