// SPDX-License-Identifier: MIT
#include "artefact/bootloader.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"

void boot_label(const struct role *role, char ret_label[static LABEL_SIZE]) {
        snprintf(ret_label, LABEL_SIZE, "KILN_%s", role->name);
        for (char *next = ret_label; *next; next++)
                *next = isalnum((unsigned char)*next) ? (char)toupper((unsigned char)*next) : '_';
}

void boot_mac(const struct node *node, char separator, char ret_text[static MAC_TEXT_SIZE]) {
        const unsigned char *mac = node->mac;
        *ret_text = '\0';
        if (node->has_mac)
                snprintf(ret_text, MAC_TEXT_SIZE, "%02x%c%02x%c%02x%c%02x%c%02x%c%02x", mac[0], separator, mac[1],
                         separator, mac[2], separator, mac[3], separator, mac[4], separator, mac[5]);
}

static bool check_arguments(const struct strings *arguments, const struct place *place, struct err *err) {
        for (size_t i = 0; i < arguments->count; i++)
                for (const char *next = arguments->items[i]; *next; next++)
                        if (iscntrl((unsigned char)*next) || strchr("'\"\\$`{}", *next))
                                return fail(
                                    err, ERR_SCHEMA, 0,
                                    "%s:%d:%d: kernel argument `%s`: control characters, quotes, `$`, `\\` and braces "
                                    "cannot be passed through every boot loader",
                                    place->file ? place->file : "", place->line, place->column, arguments->items[i]);
        return true;
}

bool boot_check_arguments(const struct artefact_build *build, struct err *err) {
        const struct cluster *cluster = build->cluster;
        if (!check_arguments(&cluster->release.kernel_arguments, &cluster->release.place, err))
                return false;
        for (size_t i = 0; i < cluster->role_count; i++)
                if (!check_arguments(&cluster->roles[i].kernel_arguments, &cluster->roles[i].place, err))
                        return false;
        return true;
}

static void set_text(struct arena *arena, struct value *map, const char *key, const char *text) {
        value_set(arena, map, key, value_scalar(arena, arena_strdup(arena, text)));
}

static void set_group(struct arena *arena, struct value *map, const char *group, const char *key, const char *text) {
        struct value *inner = value_map(arena);
        set_text(arena, inner, key, text);
        value_set(arena, map, group, inner);
}

struct value *boot_scope(const struct artefact_build *build, struct arena *arena) {
        struct value *scope = value_map(arena);
        set_group(arena, scope, "cluster", "name", build->cluster->name);
        set_group(arena, scope, "release", "name", build->cluster->release.name);
        set_group(arena, scope, "build", "id", build->build_id);
        set_text(arena, scope, "default", "");
        set_text(arena, scope, "label", "");
        value_set(arena, scope, "entries", value_list(arena));
        return scope;
}

// ip=<ip>::<gw>:<mask>:<hostname>:<interface or MAC>:none, dracut.cmdline(7); the MAC with "-", since ":" separates.
static void append_address(const struct artefact_build *build, const struct node *node, struct buf *to) {
        const struct network *network = &build->cluster->networks[node->network];
        struct in_addr mask = { htonl(network->prefix ? UINT32_MAX << (32 - network->prefix) : 0) };
        char ip[INET_ADDRSTRLEN], gateway[INET_ADDRSTRLEN] = "", netmask[INET_ADDRSTRLEN], mac[MAC_TEXT_SIZE];
        inet_ntop(AF_INET, &node->ip, ip, sizeof ip);
        inet_ntop(AF_INET, &mask, netmask, sizeof netmask);
        if (network->gateway.s_addr)
                inet_ntop(AF_INET, &network->gateway, gateway, sizeof gateway);
        boot_mac(node, '-', mac);
        buf_printf(to, " ip=%s::%s:%s:%s:%s:none", ip, gateway, netmask, node->name, mac);
        for (size_t i = 0; i < network->dns.count; i++)
                buf_printf(to, " nameserver=%s", network->dns.items[i]);
}

// GRUB's shell splits and expands words that hold anything but these.
static void append_for_grub(const char *word, struct buf *to) {
        bool plain =
            word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,:/=@%+-")] == '\0';
        buf_printf(to, "%s%s%s%s", to->size ? " " : "", plain ? "" : "'", word, plain ? "" : "'");
}

static void append_words(const struct strings *words, struct buf *plain, struct buf *grub) {
        for (size_t i = 0; i < words->count; i++) {
                buf_printf(plain, "%s%s", plain->size ? " " : "", words->items[i]);
                append_for_grub(words->items[i], grub);
        }
}

static void make_arguments(const struct artefact_build *build, const struct boot_entry *entry, struct buf *plain,
                           struct buf *grub) {
        auto_buf own = { 0 };
        append_words(&build->cluster->release.kernel_arguments, plain, grub);
        append_words(&entry->role->kernel_arguments, plain, grub);
        buf_printf(&own, "kiln.role=%s kiln.root=%s", entry->role->name, entry->root);
        if (entry->node && !entry->by_mac)
                buf_printf(&own, " kiln.node=%s", entry->node->name);
        if (entry->node && entry->address)
                append_address(build, entry->node, &own);
        buf_printf(plain, "%s%s", plain->size ? " " : "", buf_text(&own));
        buf_printf(grub, "%s%s", grub->size ? " " : "", buf_text(&own));
}

const char *boot_add_entry(const struct artefact_build *build, struct arena *arena, struct value *scope,
                           const struct boot_entry *entry) {
        auto_buf plain = { 0 };
        auto_buf grub = { 0 };
        char mac[MAC_TEXT_SIZE] = "", dashed[MAC_TEXT_SIZE] = "";
        const struct node *node = entry->node;
        struct value *map = value_map(arena);
        // Role and node names are both free: the prefix keeps a node `master` of role `master` apart.
        const char *id = arena_printf(arena, "%s-%s", node ? "node" : "role", node ? node->name : entry->role->name);
        const char *title = node ? arena_printf(arena, "%s (%s)", node->name, entry->role->name)
                                 : arena_printf(arena, "%s, identified by MAC address or DHCP", entry->role->name);
        make_arguments(build, entry, &plain, &grub);
        if (node) {
                boot_mac(node, ':', mac);
                boot_mac(node, '-', dashed);
        }
        set_text(arena, map, "id", id);
        set_text(arena, map, "title", title);
        set_text(arena, map, "role", entry->role->name);
        set_text(arena, map, "node", node ? node->name : "");
        set_text(arena, map, "mac", mac);
        set_text(arena, map, "bootif", *dashed ? arena_printf(arena, "01-%s", dashed) : "");
        set_text(arena, map, "arguments", buf_text(&plain));
        set_text(arena, map, "grub_arguments", buf_text(&grub));
        value_append(arena, value_get(scope, "entries"), map);
        return id;
}

void boot_clear_entries(struct value *scope) { value_get(scope, "entries")->count = 0; }

bool boot_template_open(const struct artefact_build *build, const char *name, struct boot_template *ret,
                        struct err *err) {
        *ret = (struct boot_template){ .path = xasprintf("%s/%s", build->bootloader_dir, name) };
        return fs_read(AT_FDCWD, ret->path, &ret->text, err) &&
               template_open(ret->path, buf_text(&ret->text), ret->text.size, &ret->template, err);
}

void boot_template_close(struct boot_template *template) {
        template_close(template->template);
        buf_release(&template->text);
        free(template->path);
}

bool boot_template_render(const struct boot_template *template, const struct value *scope, int dir, const char *path,
                          struct err *err) {
        auto_buf rendered = { 0 };
        return template_apply(template->template, scope, NULL, &rendered, NULL, err) &&
               fs_write(dir, path, buf_text(&rendered), rendered.size, 0644, err);
}

bool boot_render(const struct artefact_build *build, const char *template_name, const struct value *scope, int dir,
                 const char *path, struct err *err) {
        struct boot_template template;
        bool ok = boot_template_open(build, template_name, &template, err) && fs_mkdirs_for(dir, path, 0755, err) &&
                  boot_template_render(&template, scope, dir, path, err);
        boot_template_close(&template);
        return ok;
}

bool boot_copy(const struct artefact_role *role, const char *from, int dir, const char *to, struct err *err) {
        auto_close int in = -1;
        auto_close int out = -1;
        if (!from || !*from)
                return true;
        if (!fs_open_in_root(role->bootloader, from, O_RDONLY, 0, &in, err))
                return hint(err, "the release's boot loader packages must have it");
        return fs_mkdirs_for(dir, to, 0755, err) && fs_open(dir, to, O_WRONLY | O_CREAT | O_TRUNC, 0644, &out, err) &&
               fs_copy_bytes(in, out, UINT64_MAX, err);
}

bool boot_choose_grub_commands(const struct artefact_role *role, const char *image, struct arena *arena,
                               struct value *scope, struct err *err) {
        auto_close int fd = -1;
        auto_buf bytes = { 0 };
        if (!fs_open_in_root(role->bootloader, image, O_RDONLY, 0, &fd, err) || !buf_read_fd(&bytes, fd, err))
                return wrap(err, "GRUB's image %s", image);
        // The commands of the modules that are built in stand in the image as they are.
        bool efi = bytes.size && memmem(bytes.data, bytes.size, "initrdefi", sizeof "initrdefi");
        set_text(arena, scope, "linux", efi ? "linuxefi" : "linux");
        set_text(arena, scope, "initrd", efi ? "initrdefi" : "initrd");
        return true;
}
