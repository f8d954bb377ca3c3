// SPDX-License-Identifier: MIT
// Who gets into the machines: keys in authorized_keys files, passwords in shadow, and files of what knows users of its
// own. An image whose roles have none of these comes up, and nobody can look at it.
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "profile/internal.h"
#include "profile/reader/authorized_key.h"
#include "shared/template.h"

enum { ACCESS_TEXT_MAX = 1 << 20, LINE_MAX_BYTES = 16 << 10 };

// A file as the machine will have it. `left`: of a template that only the node fills in, with its tags.
struct access_file {
        const struct file *file;
        struct buf source, text;
        bool is_left;
};

static void access_file_release(struct access_file *file) {
        buf_release(&file->source);
        buf_release(&file->text);
}
#define auto_access_file __attribute__((cleanup(access_file_release))) struct access_file

// False: it cannot be read or is too large, which its own reader will say.
static bool read_access_file(const struct file *from, const struct value *scope, struct access_file *ret) {
        auto_err ignored = { 0 };
        *ret = (struct access_file){ from, .source = { .max = ACCESS_TEXT_MAX }, .text = { .max = ACCESS_TEXT_MAX } };
        bool has_text = from->content || from->source; // no link, no directory
        if (!has_text || (from->source && !fs_read_resolved(from->source, &ret->source, &ignored)))
                return false;
        if (!from->source)
                buf_append_text(&ret->source, from->content);
        if (from->is_template)
                return template_render(from->path, buf_text(&ret->source), ret->source.size, scope, TEMPLATE_NODE_NAMES,
                                       &ret->text, &ret->is_left, &ignored);
        buf_append(&ret->text, buf_text(&ret->source), ret->source.size);
        return !ret->text.overflow;
}

// ---- what fills a template ----

// The value that a dotted name has in the scope, or NULL.
static const struct value *scope_value(const struct value *scope, const char *name, size_t size) {
        while (scope && size > 0) {
                size_t part = 0;
                while (part < size && name[part] != '.')
                        part++;
                auto_free char *key = xstrndup(name, part);
                scope = value_get(scope, key);
                if (part == size)
                        return scope;
                name += part + 1;
                size -= part + 1;
        }
        return NULL;
}

// The tags' values that a profile gives, one after the other. `*at` begins with the template's text.
static const struct value *next_tag_value(const char **at, const struct value *scope, const char **ret_name,
                                          size_t *ret_size) {
        while ((*at = strstr(*at, "{{"))) {
                const char *name = *at + 2 + strspn(*at + 2, "{#^& \t");
                size_t size = strcspn(name, " \t}");
                *at = name + size;
                const struct value *value = scope_value(scope, name, size);
                if (!value || !value->place.file)
                        continue;
                *ret_name = name;
                *ret_size = size;
                return value;
        }
        return NULL;
}

// The text in the value that is `part`, or else the first that has it in it.
static void find_text_of_value(const struct value *value, const char *part, const struct value **found) {
        bool is_text = value->type == VALUE_SCALAR;
        if (is_text && strcmp(value->text, part) == 0)
                *found = value;
        else if (is_text && !*found && strstr(value->text, part))
                *found = value;
        for (size_t i = 0; i < value->count; i++)
                find_text_of_value(value->items[i], part, found);
}

// Where a part of the file's text is written: in a variable, or in the file.
static struct place place_of_part(const struct access_file *file, const struct value *scope, const char *part) {
        const char *at = buf_text(&file->source), *name;
        const struct value *value;
        size_t size;
        while (file->file->is_template && (value = next_tag_value(&at, scope, &name, &size))) {
                const struct value *found = NULL;
                find_text_of_value(value, part, &found);
                if (found)
                        return found->place;
        }
        return file->file->place;
}

// ---- keys ----

static bool is_keys_file(const struct file *file) { return strstr(file->path, "authorized_keys") != NULL; }

static void refuse_private_key(struct loader *loader, const struct access_file *file, const struct value *scope) {
        struct place place = place_of_part(file, scope, "PRIVATE KEY");
        if (!place.file || place.line == 0)
                place = place_of_part(file, scope, "PuTTY-User-Key-File-");
        report(loader->diagnostics, ERR_SCHEMA, &place,
               "`%s` holds a private key, and everybody can read what is in an image", file->file->path);
        report_privately(loader->diagnostics);
        report_hint(
            loader->diagnostics,
            "authorised keys are public ones: the line of the key's .pub file. Whoever has seen this one has the "
            "key: make a new one");
}

// Lines that are filled in on the node are not known here, and let somebody in.
static void check_key_line(struct loader *loader, const struct access_file *file, const struct value *scope,
                           const char *line) {
        auto_err problem = { 0 };
        if (strstr(line, "{{") || authorized_key_check(line, &problem))
                return;
        struct place place = place_of_part(file, scope, line);
        report_warning(loader->diagnostics, &place, "`%s`: %s; nobody gets in with it", file->file->path, problem.text);
        report_hint(loader->diagnostics, "put in the line of a .pub file");
}

// Whether there is any, right or wrong.
static bool check_key_lines(struct loader *loader, const struct access_file *file, const struct value *scope) {
        const char *text = buf_text(&file->text);
        bool has_any = false;
        while (*text) {
                text += strspn(text, " \t");
                size_t size = strcspn(text, "\n"), end = size;
                while (end > 0 && strchr(" \t\r", text[end - 1]))
                        end--;
                if (end > 0 && text[0] != '#') {
                        auto_free char *line = xstrndup(text, size_min(end, LINE_MAX_BYTES));
                        check_key_line(loader, file, scope, line);
                        has_any = true;
                }
                text += size;
                text += *text == '\n';
        }
        return has_any;
}

// An empty file's first variable is the one to fill in.
static void remember_empty(struct loader *loader, const struct access_file *file, const struct value *scope,
                           struct access *access) {
        const char *at = buf_text(&file->source), *name;
        const struct value *value = NULL;
        size_t size;
        if (access->path)
                return;
        access->path = file->file->path;
        access->place = &file->file->place;
        if (file->file->is_template)
                value = next_tag_value(&at, scope, &name, &size);
        if (!value)
                return;
        access->variable = arena_strndup(loader->arena, name, size);
        access->place = &value->place;
}

static void look_at_keys(struct loader *loader, const struct access_file *file, const struct value *scope,
                         struct access *access) {
        if (authorized_keys_are_private(buf_text(&file->text)))
                refuse_private_key(loader, file, scope);
        else if (check_key_lines(loader, file, scope))
                access->has_way_in = true;
        else
                remember_empty(loader, file, scope, access);
}

// ---- passwords, and others who know users ----

// shadow(5): the second field of a user who may not come in by a password begins with one of "*!", or is "x".
static bool shadow_has_password(const char *text) {
        for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
                const char *field = text + strcspn(text, ":\n");
                if (*field == ':' && !strchr("*!x", field[1]))
                        return true;
        }
        return false;
}

// Files whose text has one of the words. NULL: any text.
static const struct door {
        const char *path, *word;
        bool is_folder;
} doors[] = {
        { "/etc/sssd/", NULL, true },
        { "/etc/krb5.keytab", NULL, false },
        { "/etc/nslcd.conf", NULL, false },
        { "/etc/ssh/", "TrustedUserCAKeys", true },
        { "/etc/ssh/", "AuthorizedKeysCommand", true },
        { "/etc/systemd/system/", "--autologin", true },
};

static bool is_door(const struct door *door, const struct access_file *file) {
        const char *path = file->file->path;
        if (door->is_folder && strncmp(path, door->path, strlen(door->path)) != 0)
                return false;
        if (!door->is_folder && strcmp(path, door->path) != 0)
                return false;
        return !door->word || strstr(buf_text(&file->text), door->word);
}

static bool lets_somebody_in(const struct access_file *file) {
        if (strcmp(file->file->path, "/etc/shadow") == 0)
                return shadow_has_password(buf_text(&file->text));
        for (size_t i = 0; i < lengthof(doors); i++)
                if (is_door(&doors[i], file))
                        return true;
        return false;
}

static bool may_be_a_door(const struct file *file) {
        bool is_known = strcmp(file->path, "/etc/shadow") == 0;
        for (size_t i = 0; i < lengthof(doors); i++)
                is_known = is_known || strncmp(file->path, doors[i].path, strlen(doors[i].path)) == 0;
        return is_known;
}

// ---- a role ----

void access_of_role(struct loader *loader, const struct role *role, const struct value *scope, struct access *access) {
        for (size_t i = 0; i < role->kernel_arguments.count; i++)
                if (strncmp(role->kernel_arguments.items[i], "systemd.debug", strlen("systemd.debug")) == 0)
                        access->has_way_in = true;
        for (size_t i = 0; i < role->file_count; i++) {
                const struct file *file = &role->files[i];
                auto_access_file read = { 0 };
                bool wanted = is_keys_file(file) || may_be_a_door(file);
                if (!wanted || !read_access_file(file, scope, &read))
                        continue;
                if (is_keys_file(file))
                        look_at_keys(loader, &read, scope, access);
                else if (lets_somebody_in(&read))
                        access->has_way_in = true;
        }
}

void access_finish(struct loader *loader, const struct cluster *cluster, const struct access *access) {
        if (access->has_way_in || cluster->role_count == 0 || loader->diagnostics->mistake_count > 0)
                return;
        if (!access->path) {
                report_warning(loader->diagnostics, &cluster->place,
                               "nobody can log in to the machines: no role has a file of authorised SSH keys, and none "
                               "gives a password");
                report_hint(loader->diagnostics, "a role's `files:` may have {path: /root/.ssh/authorized_keys, mode: "
                                                 "0600, content: \"ssh-ed25519 AAAA...\"}");
                return;
        }
        report_warning(loader->diagnostics, access->place,
                       "nobody can log in to the machines: `%s` will have no key, and root has no password",
                       access->path);
        if (access->variable)
                report_hint(loader->diagnostics,
                            "put the line of your .pub file into `%s`: it is a list, or --set "
                            "'%s=[\"ssh-ed25519 AAAA...\"]'",
                            access->variable, access->variable);
        else
                report_hint(loader->diagnostics, "put the line of your .pub file there");
}
