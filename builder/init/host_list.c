// SPDX-License-Identifier: MIT
// What the readers of lists share: lines, hosts, and the names that files give to what a host has.
#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "init/internal.h"

static const struct {
        const char *key;
        size_t offset;
} host_keys[] = {
#define KEY(name, member)                                                                                              \
        { name, offsetof(struct host, member) }
        KEY("name", name),
        KEY("hostname", name),
        KEY("host", name),
        KEY("node", name),
        KEY("inventory_hostname", name),
        KEY("mac", mac),
        KEY("mac_address", mac),
        KEY("macaddress", mac),
        KEY("hwaddr", mac),
        KEY("ethernet", mac),
        KEY("ip", ip),
        KEY("ip_address", ip),
        KEY("address", ip),
        KEY("ipv4", ip),
        KEY("ansible_host", ip),
        KEY("ansible_ssh_host", ip),
        KEY("role", group),
        KEY("group", group),
        KEY("kiln_role", group),
        KEY("id", id),
        KEY("myid", id),
        KEY("serial", serial),
        KEY("serial_number", serial),
        KEY("uuid", uuid),
#undef KEY
};

const char *host_text(struct arena *arena, const char *text, size_t size) {
        while (size > 0 && isspace((unsigned char)*text)) {
                text++;
                size--;
        }
        while (size > 0 && isspace((unsigned char)text[size - 1]))
                size--;
        return arena_strndup(arena, text, size);
}

bool host_list_set(struct arena *arena, struct host *host, const char *key, const char *value) {
        for (size_t i = 0; i < lengthof(host_keys); i++) {
                if (strcasecmp(host_keys[i].key, key) != 0)
                        continue;
                const char **member = (const char **)((char *)host + host_keys[i].offset);
                if (value[0])
                        *member = arena_strdup(arena, value);
                return true;
        }
        return false;
}

struct host *host_list_add(struct host_list *list, const struct place *place) {
        struct hosts *hosts = &list->hosts;
        hosts->items = arena_grow(list->arena, hosts->items, hosts->count, sizeof *hosts->items);
        hosts->items[hosts->count] = (struct host){ .place = *place };
        return &hosts->items[hosts->count++];
}

bool host_list_is_full(const struct host_list *list) { return list->hosts.count > HOSTS_MAX; }

void host_list_lines(struct host_list *list, host_line_reader *each, void *context) {
        const char *at = list->text, *end = list->text + list->size;
        for (int line = 1; at < end && !host_list_is_full(list); line++) {
                const char *stop = memchr(at, '\n', (size_t)(end - at));
                size_t size = (size_t)((stop ? stop : end) - at);
                if (size > 0 && at[size - 1] == '\r')
                        size--;
                struct host_line row = { { list->name, line, 1 }, at, size };
                each(list, &row, context);
                if (!stop)
                        return;
                at = stop + 1;
        }
}
