// SPDX-License-Identifier: MIT
#include "artefact/bootloader.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#include "artefact/serial_console.h"
#include "base/fs.h"
#include "base/mem.h"

void boot_label(const struct role *role, char ret_label[static LABEL_SIZE]) {
        snprintf(ret_label, LABEL_SIZE, "KILN_%s", role->name);
        for (char *next = ret_label; *next; next++) {
                *next = (char)toupper((unsigned char)*next);
                if (!isalnum((unsigned char)*next))
                        *next = '_';
        }
}

void boot_mac(const struct node *node, char separator, char ret_text[static MAC_TEXT_SIZE]) {
        const unsigned char *mac = node->mac;
        *ret_text = '\0';
        if (node->has_mac)
                snprintf(ret_text, MAC_TEXT_SIZE, "%02x%c%02x%c%02x%c%02x%c%02x%c%02x", mac[0], separator, mac[1],
                         separator, mac[2], separator, mac[3], separator, mac[4], separator, mac[5]);
}

static void set_scalar(struct arena *arena, struct value *map, const char *key, const char *text) {
        value_set(arena, map, key, value_scalar(arena, arena_strdup(arena, text)));
}

static void set_group(struct arena *arena, struct value *map, const char *group, const char *key, const char *text) {
        struct value *inner = value_map(arena);
        set_scalar(arena, inner, key, text);
        value_set(arena, map, group, inner);
}

static struct serial_console serial_console_of_role(const struct artefact_build *build, const struct role *role) {
        const struct strings *lists[] = { &build->cluster->release.kernel_arguments, &role->kernel_arguments };
        struct strings all = { 0 };
        for (size_t i = 0; i < lengthof(lists); i++)
                for (size_t j = 0; j < lists[i]->count; j++)
                        *(const char **)array_append(&all.items, &all.count) = lists[i]->items[j];
        struct serial_console console = serial_console_of(&all);
        free(all.items);
        return console;
}

static void set_serial_console(struct arena *arena, struct value *scope, const struct serial_console *console) {
        struct value *map = value_map(arena);
        const char *parity = "no", *kind = "unit", *port = arena_printf(arena, "%u", console->port);
        if (console->port > 3) {
                kind = "port";
                port = arena_printf(arena, "0x%x", console->port);
        }
        if (console->parity == 'o')
                parity = "odd";
        if (console->parity == 'e')
                parity = "even";
        set_scalar(arena, map, "kind", kind);
        set_scalar(arena, map, "port", port);
        set_scalar(arena, map, "speed", arena_printf(arena, "%u", console->speed));
        set_scalar(arena, map, "parity", parity);
        set_scalar(arena, map, "bits", arena_printf(arena, "%d", console->bits));
        value_set(arena, map, "is_said", value_bool(arena, console->is_said));
        if (!console->is_used)
                map = value_bool(arena, false);
        value_set(arena, scope, "serial", map);
}

void boot_set_serial(const struct artefact_build *build, const struct role *role, struct arena *arena,
                     struct value *scope) {
        assert(role);
        struct serial_console console = serial_console_of_role(build, role);
        set_serial_console(arena, scope, &console);
}

// A menu of several roles speaks where the first one does that says anything.
static void set_common_serial(const struct artefact_build *build, struct arena *arena, struct value *scope) {
        struct serial_console console = serial_console_of(&build->cluster->release.kernel_arguments);
        for (size_t i = 0; i < build->role_count && !(console.is_used && console.is_said); i++)
                console = serial_console_of_role(build, build->roles[i].role);
        set_serial_console(arena, scope, &console);
}

bool boot_menu_is_locked(const struct role *role) { return strcmp(role->boot_menu, BOOT_MENU_LOCKED) == 0; }

// One tree serves all roles, and its loaders start what they are told to: one role locks it for all.
bool boot_any_menu_is_locked(const struct artefact_build *build) {
        for (size_t i = 0; i < build->role_count; i++)
                if (boot_menu_is_locked(build->roles[i].role))
                        return true;
        return false;
}

void boot_lock_menu(const struct artefact_build *build, struct arena *arena, struct value *scope) {
        set_scalar(arena, scope, "locked", "yes");
        if (build->cluster->boot_menu_password)
                set_scalar(arena, scope, "boot_menu_password", build->cluster->boot_menu_password);
}

struct value *boot_scope(const struct artefact_build *build, struct arena *arena) {
        struct value *scope = value_map(arena);
        set_group(arena, scope, "cluster", "name", build->cluster->name);
        set_group(arena, scope, "release", "name", build->cluster->release.name);
        set_group(arena, scope, "build", "id", build->build_id);
        set_scalar(arena, scope, "default", "");
        set_scalar(arena, scope, "label", "");
        value_set(arena, scope, "menu", value_bool(arena, false));
        set_scalar(arena, scope, "locked", "");
        set_scalar(arena, scope, "boot_menu_password", "");
        value_set(arena, scope, "entries", value_list(arena));
        set_common_serial(build, arena, scope);
        return scope;
}

static struct in_addr netmask_of(const struct network *network) {
        if (network->prefix == 0)
                return (struct in_addr){ 0 };
        return (struct in_addr){ htonl(UINT32_MAX << (32 - network->prefix)) };
}

// ip=<ip>::<gw>:<mask>:<hostname>:<interface or MAC>:none, dracut.cmdline(7); the MAC with "-", since ":" separates.
static void append_address(const struct artefact_build *build, const struct node *node, struct buf *to) {
        const struct network *network = &build->cluster->networks[node->network];
        struct in_addr mask = netmask_of(network);
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

static void separate(struct buf *words) {
        if (words->size > 0)
                buf_append_char(words, ' ');
}

// GRUB's shell splits and expands words that hold anything but these characters.
static void append_for_grub(const char *word, struct buf *to) {
        size_t safe = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,:/=@%+-");
        bool needs_quotes = word[safe] != '\0';
        separate(to);
        if (needs_quotes)
                buf_printf(to, "'%s'", word);
        else
                buf_append_text(to, word);
}

static void append_arguments(const struct strings *arguments, struct buf *plain, struct buf *grub) {
        for (size_t i = 0; i < arguments->count; i++) {
                separate(plain);
                buf_append_text(plain, arguments->items[i]);
                append_for_grub(arguments->items[i], grub);
        }
}

static void make_arguments(const struct artefact_build *build, const struct boot_entry *entry, struct buf *plain,
                           struct buf *grub) {
        auto_buf own = { 0 };
        append_arguments(&build->cluster->release.kernel_arguments, plain, grub);
        append_arguments(&entry->role->kernel_arguments, plain, grub);
        buf_printf(&own, "kiln.role=%s kiln.root=%s", entry->role->name, entry->root);
        if (entry->node && !entry->by_mac)
                buf_printf(&own, " kiln.node=%s", entry->node->name);
        if (entry->node && entry->address)
                append_address(build, entry->node, &own);
        separate(plain);
        buf_append_text(plain, buf_text(&own));
        separate(grub);
        buf_append_text(grub, buf_text(&own));
}

// Role and node names may be the same: the prefix keeps the ids of a node `master` and of a role `master` apart.
static const char *describe_role_entry(struct arena *arena, const struct role *role, struct value *map) {
        const char *id = arena_printf(arena, "role-%s", role->name);
        set_scalar(arena, map, "id", id);
        set_scalar(arena, map, "title", arena_printf(arena, "%s, identified by MAC address or DHCP", role->name));
        set_scalar(arena, map, "node", "");
        set_scalar(arena, map, "mac", "");
        set_scalar(arena, map, "bootif", "");
        value_set(arena, map, "macs", value_list(arena));
        return id;
}

static struct value *macs_value(struct arena *arena, const struct node *node) {
        struct value *list = value_list(arena);
        size_t count;
        auto_free struct node_mac *macs = node_macs(node, &count);
        for (size_t i = 0; i < count; i++) {
                const unsigned char *mac = macs[i].bytes;
                value_append(arena, list,
                             value_scalar(arena, arena_printf(arena, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
                                                              mac[2], mac[3], mac[4], mac[5])));
        }
        return list;
}

// BOOTIF is the MAC address in pxelinux' form: the hardware type 01 (Ethernet) and dashes.
static const char *describe_node_entry(struct arena *arena, const struct role *role, const struct node *node,
                                       struct value *map) {
        char mac[MAC_TEXT_SIZE], dashed[MAC_TEXT_SIZE];
        const char *id = arena_printf(arena, "node-%s", node->name);
        boot_mac(node, ':', mac);
        boot_mac(node, '-', dashed);
        set_scalar(arena, map, "id", id);
        set_scalar(arena, map, "title", arena_printf(arena, "%s (%s)", node->name, role->name));
        set_scalar(arena, map, "node", node->name);
        set_scalar(arena, map, "mac", mac);
        set_scalar(arena, map, "bootif", "");
        value_set(arena, map, "macs", macs_value(arena, node));
        if (node->has_mac)
                set_scalar(arena, map, "bootif", arena_printf(arena, "01-%s", dashed));
        return id;
}

const char *boot_add_entry(const struct artefact_build *build, struct arena *arena, struct value *scope,
                           const struct boot_entry *entry) {
        auto_buf plain = { 0 };
        auto_buf grub = { 0 };
        struct value *map = value_map(arena);
        const char *id;
        assert(entry->role && entry->root);
        if (entry->node)
                id = describe_node_entry(arena, entry->role, entry->node, map);
        else
                id = describe_role_entry(arena, entry->role, map);
        make_arguments(build, entry, &plain, &grub);
        set_scalar(arena, map, "role", entry->role->name);
        value_set(arena, map, "carried", value_bool(arena, strcmp(entry->root, BOOT_CARRIED) == 0));
        set_scalar(arena, map, "arguments", buf_text(&plain));
        set_scalar(arena, map, "grub_arguments", buf_text(&grub));
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

// Syslinux 5 and later load their core library from a file of its own; EL7's 4.05 neither has nor needs it.
// `*ret_there`: whether the release's packages have it.
static bool copy_module(const struct artefact_build *build, const struct artefact_role *role, const char *name, int dir,
                        const char *folder, bool *ret_there, struct err *err) {
        auto_free char *from = xasprintf("%s/%s", build->cluster->release.bootloader.isolinux_modules, name);
        auto_free char *to = xasprintf("%s%s", folder, name);
        auto_err absent = { 0 };
        auto_close int probe = -1;
        *ret_there = fs_open_in_root(role->bootloader, from, O_RDONLY, 0, &probe, &absent);
        return !*ret_there || boot_copy(role, from, dir, to, err);
}

bool boot_copy_syslinux(const struct artefact_build *build, const struct artefact_role *role, int dir,
                        const char *folder, bool *ret_has_menu, struct err *err) {
        bool is_there;
        *ret_has_menu = false;
        if (!build->cluster->release.bootloader.isolinux_modules)
                return true;
        return copy_module(build, role, "ldlinux.c32", dir, folder, &is_there, err) &&
               copy_module(build, role, "libutil.c32", dir, folder, &is_there, err) &&
               copy_module(build, role, "menu.c32", dir, folder, ret_has_menu, err);
}

void boot_set_menu(struct arena *arena, struct value *scope, bool has_menu) {
        value_set(arena, scope, "menu", value_bool(arena, has_menu));
}

// The names of the commands that are built in stand in the image, each with its NUL.
static bool has_grub_command(const struct buf *image, const char *name) {
        return image->size > 0 && memmem(image->data, image->size, name, strlen(name) + 1) != NULL;
}

bool boot_choose_grub_commands(const struct artefact_role *role, const char *image, struct arena *arena,
                               struct value *scope, struct err *err) {
        auto_close int fd = -1;
        auto_buf bytes = { 0 };
        if (!fs_open_in_root(role->bootloader, image, O_RDONLY, 0, &fd, err) || !buf_read_fd(&bytes, fd, err))
                return wrap(err, "GRUB's image %s", image);
        bool has_linuxefi = has_grub_command(&bytes, "initrdefi");
        bool needs_password = *value_get(scope, "boot_menu_password")->text != '\0';
        set_scalar(arena, scope, "linux", "linux");
        set_scalar(arena, scope, "initrd", "initrd");
        if (has_linuxefi) {
                set_scalar(arena, scope, "linux", "linuxefi");
                set_scalar(arena, scope, "initrd", "initrdefi");
        }
        if (needs_password && !has_grub_command(&bytes, "password_pbkdf2")) {
                fail(err, ERR_SCHEMA, 0, "GRUB's image %s does not know password_pbkdf2, and cannot ask for a password",
                     image);
                return hint(err, "take out boot_menu_password: then nobody opens a locked menu");
        }
        return true;
}
