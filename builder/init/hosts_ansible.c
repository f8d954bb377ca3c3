// SPDX-License-Identifier: MIT
// Ansible inventories: INI ([group], NAME key=value ...) and YAML (group: hosts: NAME: key: value). A host's group is
// the first in which it stands; groups of groups count for those that name a role nearer to the host.
#include <ctype.h>
#include <string.h>

#include "init/internal.h"
#include "profile/reader/yaml.h"

static struct host *find_host(struct host_list *list, const char *name) {
        for (size_t i = 0; i < list->hosts.count; i++)
                if (strcmp(text_or(list->hosts.items[i].name, ""), name) == 0)
                        return &list->hosts.items[i];
        return NULL;
}

static struct host *host_named(struct host_list *list, const char *name, const char *group, const struct place *place) {
        struct host *host = find_host(list, name);
        if (!host)
                host = host_list_add(list, place);
        host->name = name;
        if (!host->group)
                host->group = group;
        return host;
}

// ---- INI ----

struct ini {
        const char *group; // NULL: before the first section
        bool is_of_hosts;  // [group:vars] and [group:children] are not
};

static void read_ini_section(struct host_list *list, const struct host_line *line, struct ini *ini) {
        const char *end = memchr(line->text, ']', line->size);
        if (!end) {
                report(list->diagnostics, ERR_SYNTAX, &line->place, "a section without `]`");
                return;
        }
        size_t size = (size_t)(end - line->text) - 1;
        ini->is_of_hosts = memchr(line->text, ':', size) == NULL;
        ini->group = host_text(list->arena, line->text + 1, size);
        if (strcmp(ini->group, "all") == 0 || strcmp(ini->group, "ungrouped") == 0)
                ini->group = NULL;
}

// The next word, in which quotes hold blanks together; they are taken off. NULL: there is none.
static const char *next_ini_word(struct arena *arena, const struct host_line *line, size_t *at) {
        auto_buf word = { 0 };
        char quote = '\0';
        while (*at < line->size && isblank((unsigned char)line->text[*at]))
                ++*at;
        size_t start = *at;
        for (; *at < line->size && (quote || !isblank((unsigned char)line->text[*at])); ++*at) {
                char byte = line->text[*at];
                if (!quote && byte == '#')
                        break;
                if (byte == quote)
                        quote = '\0';
                else if (!quote && (byte == '"' || byte == '\''))
                        quote = byte;
                else
                        buf_append_char(&word, byte);
        }
        if (*at == start)
                return NULL;
        return arena_strdup(arena, buf_text(&word));
}

static void read_ini_line(struct host_list *list, const struct host_line *line, void *context) {
        struct ini *ini = context;
        const char *text = host_text(list->arena, line->text, line->size);
        if (!text[0] || text[0] == '#' || text[0] == ';')
                return;
        if (line->text[0] == '[') {
                read_ini_section(list, line, ini);
                return;
        }
        if (!ini->is_of_hosts)
                return;
        size_t at = 0;
        const char *name = next_ini_word(list->arena, line, &at), *word = NULL;
        if (!name)
                return;
        if (strchr(name, '[')) {
                report(list->diagnostics, ERR_SCHEMA, &line->place,
                       "`%s` is a range of hosts: write each with its address", name);
                return;
        }
        struct host *host = host_named(list, name, ini->group, &line->place);
        while ((word = next_ini_word(list->arena, line, &at))) {
                const char *equals = strchr(word, '=');
                if (equals)
                        (void)host_list_set(list->arena, host,
                                            arena_strndup(list->arena, word, (size_t)(equals - word)), equals + 1);
        }
}

void hosts_read_ansible_ini(struct host_list *list) {
        struct ini ini = { .is_of_hosts = true };
        host_list_lines(list, read_ini_line, &ini);
}

// ---- YAML ----

static void read_yaml_host(struct host_list *list, const char *name, const struct place *place,
                           const struct value *variables, const char *group) {
        struct host *host = host_named(list, name, group, place);
        for (size_t i = 0; variables && variables->type == VALUE_MAP && i < variables->count; i++)
                if (variables->items[i]->type == VALUE_SCALAR)
                        (void)host_list_set(list->arena, host, variables->keys[i], variables->items[i]->text);
}

// The depth is the YAML reader's bound. Children first, which are nearer to their hosts.
static void read_yaml_group(struct host_list *list, const char *name, const struct value *group) {
        const struct value *hosts = value_get(group, "hosts"), *children = value_get(group, "children");
        for (size_t i = 0; children && children->type == VALUE_MAP && i < children->count; i++)
                read_yaml_group(list, children->keys[i], children->items[i]);
        for (size_t i = 0; hosts && hosts->type == VALUE_MAP && i < hosts->count && !host_list_is_full(list); i++)
                read_yaml_host(list, hosts->keys[i], &hosts->key_places[i], hosts->items[i], name);
}

void hosts_read_ansible_yaml(struct host_list *list) {
        const struct value *tree = yaml_parse(list->name, list->text, list->size, list->arena, list->diagnostics);
        for (size_t i = 0; tree && tree->type == VALUE_MAP && i < tree->count; i++) {
                const char *name = tree->keys[i];
                if (strcmp(name, "all") == 0)
                        name = NULL;
                read_yaml_group(list, name, tree->items[i]);
        }
}
