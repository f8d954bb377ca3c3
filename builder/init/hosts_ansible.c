// SPDX-License-Identifier: MIT
// Ansible inventories: INI ([group], NAME key=value ...), YAML (group: hosts: NAME: key: value), and the JSON of
// `ansible-inventory --list`, which is YAML, too: there hosts and children are lists, and all variables are in
// `_meta.hostvars`.
#include <ctype.h>
#include <string.h>

#include "init/host_inventory.h"
#include "profile/reader/yaml.h"

// ---- INI ----

struct ini {
        struct inventory inventory;
        struct inventory_group *group; // NULL: before the first section, or that of all hosts
        enum { OF_HOSTS, OF_CHILDREN, OF_OTHERS } kind;
};

static void read_ini_section(struct ini *ini, const char *text, const struct place *place) {
        struct host_list *list = ini->inventory.list;
        const char *end = strchr(text, ']');
        if (!end) {
                report(list->diagnostics, ERR_SYNTAX, place, "a section without `]`");
                return;
        }
        const char *section = arena_strndup(list->arena, text + 1, (size_t)(end - text) - 1);
        size_t length = strcspn(section, ":");
        const char *what = section + length;
        ini->kind = OF_OTHERS;
        if (!*what)
                ini->kind = OF_HOSTS;
        else if (strcmp(host_text(list->arena, what + 1, strlen(what + 1)), "children") == 0)
                ini->kind = OF_CHILDREN;
        ini->group = inventory_group(&ini->inventory, host_text(list->arena, section, length));
}

// The next word, in which quotes hold blanks together; they are taken off. NULL: there is none.
static const char *next_ini_word(struct arena *arena, const char **at) {
        auto_buf word = { 0 };
        char quote = '\0';
        const char *start = *at + strspn(*at, " \t"), *byte = start;
        for (; *byte && (quote || !isblank((unsigned char)*byte)); byte++) {
                if (!quote && *byte == '#')
                        break;
                if (quote && *byte == quote)
                        quote = '\0';
                else if (!quote && (*byte == '"' || *byte == '\''))
                        quote = *byte;
                else
                        buf_append_char(&word, *byte);
        }
        *at = byte;
        if (byte == start)
                return NULL;
        return arena_strdup(arena, buf_text(&word));
}

// "NAME:2222" has the port of its ssh.
static const char *without_port(struct arena *arena, const char *name) {
        size_t length = strcspn(name, ":");
        size_t digits = strspn(name + length + (name[length] == ':'), "0123456789");
        bool has_port = name[length] == ':' && digits > 0 && name[length + 1 + digits] == '\0';
        if (has_port)
                return arena_strndup(arena, name, length);
        return name;
}

static void read_ini_host(struct ini *ini, const char *text, const struct place *place) {
        struct arena *arena = ini->inventory.list->arena;
        const char *name = next_ini_word(arena, &text), *word = NULL;
        if (!name)
                return;
        struct host *host = inventory_host(&ini->inventory, without_port(arena, name), ini->group, place);
        while (host && (word = next_ini_word(arena, &text))) {
                const char *equals = strchr(word, '=');
                if (equals)
                        (void)host_list_set(arena, host, arena_strndup(arena, word, (size_t)(equals - word)),
                                            equals + 1);
        }
}

static void read_ini_line(struct host_list *list, const struct host_line *line, void *context) {
        struct ini *ini = context;
        const char *text = host_text(list->arena, line->text, line->size);
        if (!text[0] || text[0] == '#' || text[0] == ';')
                return;
        if (text[0] == '[') {
                read_ini_section(ini, text, &line->place);
                return;
        }
        const char *child = NULL;
        if (ini->kind == OF_HOSTS)
                read_ini_host(ini, text, &line->place);
        else if (ini->kind == OF_CHILDREN && (child = next_ini_word(list->arena, &text)))
                inventory_group_add_parent(&ini->inventory, inventory_group(&ini->inventory, child), ini->group);
}

void hosts_read_ansible_ini(struct host_list *list) {
        struct ini ini = { .inventory.list = list };
        host_list_lines(list, read_ini_line, &ini);
        inventory_finish(&ini.inventory);
}

// ---- YAML and JSON ----

// A name of a map's key, a list's text, or the text that stands alone. NULL: an item that is no text.
static const char *name_at(const struct value *names, size_t index, const struct place **ret_place) {
        const struct value *item = names;
        if (names->type == VALUE_MAP) {
                *ret_place = &names->key_places[index];
                return names->keys[index];
        }
        if (names->type == VALUE_LIST)
                item = names->items[index];
        *ret_place = &item->place;
        return item->text;
}

static size_t count_named(const struct value *names) {
        if (names && names->type == VALUE_SCALAR)
                return 1;
        return names ? names->count : 0;
}

static void set_variables(struct arena *arena, struct host *host, const struct value *variables) {
        for (size_t i = 0; variables->type == VALUE_MAP && i < variables->count; i++)
                if (variables->items[i]->type == VALUE_SCALAR)
                        (void)host_list_set(arena, host, variables->keys[i], variables->items[i]->text);
}

static void read_yaml_hosts(struct inventory *inventory, const struct value *hosts, struct inventory_group *group) {
        for (size_t i = 0; i < count_named(hosts) && !host_list_is_full(inventory->list); i++) {
                const struct place *place = NULL;
                const char *name = name_at(hosts, i, &place);
                struct host *host = NULL;
                if (name)
                        host = inventory_host(inventory, name, group, place);
                if (host && hosts->type == VALUE_MAP)
                        set_variables(inventory->list->arena, host, hosts->items[i]);
        }
}

// The depth is the YAML reader's bound.
static void read_yaml_group(struct inventory *inventory, const char *name, const struct value *value) {
        struct inventory_group *group = inventory_group(inventory, name);
        const struct value *hosts = value_get(value, "hosts"), *children = value_get(value, "children");
        if (value->type == VALUE_LIST) // a group of hosts alone, as scripts print it
                hosts = value;
        read_yaml_hosts(inventory, hosts, group);
        for (size_t i = 0; i < count_named(children); i++) {
                const struct place *place = NULL;
                const char *child = name_at(children, i, &place);
                if (!child)
                        continue;
                inventory_group_add_parent(inventory, inventory_group(inventory, child), group);
                if (children->type == VALUE_MAP)
                        read_yaml_group(inventory, child, children->items[i]);
        }
}

void hosts_read_ansible_yaml(struct host_list *list) {
        static const char meta[] = "_meta";
        struct inventory inventory = { .list = list };
        const struct value *tree =
            yaml_parse_any_tag(list->name, list->text, list->size, list->arena, list->diagnostics);
        for (size_t i = 0; tree && tree->type == VALUE_MAP && i < tree->count; i++)
                if (strcmp(tree->keys[i], meta) != 0)
                        read_yaml_group(&inventory, tree->keys[i], tree->items[i]);
        read_yaml_hosts(&inventory, value_get(value_get(tree, meta), "hostvars"), NULL);
        inventory_finish(&inventory);
}
