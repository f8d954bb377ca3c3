// SPDX-License-Identifier: MIT
// What the readers of lists share: lines, hosts, and the names that files give to what a host has.
#include <ctype.h>
#include <stddef.h>
#include <string.h>

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

// "MAC Address" and "mac-address" are "mac_address".
static bool is_host_key(const char *known, const char *key) {
        size_t i = 0;
        for (; known[i] && key[i]; i++) {
                char byte = (char)tolower((unsigned char)key[i]);
                if (byte == ' ' || byte == '-')
                        byte = '_';
                if (byte != known[i])
                        return false;
        }
        return known[i] == key[i];
}

bool host_list_set(struct arena *arena, struct host *host, const char *key, const char *value) {
        for (size_t i = 0; i < lengthof(host_keys); i++) {
                if (!is_host_key(host_keys[i].key, key))
                        continue;
                const char **member = (const char **)((char *)host + host_keys[i].offset);
                if (value[0])
                        *member = arena_strdup(arena, value);
                return true;
        }
        return false;
}

bool host_mac_read(const char *text, unsigned char ret[static 6]) {
        enum { OCTETS = 6, DIGITS_MAX = 2 };
        unsigned char mac[OCTETS];
        char separator = text[strcspn(text, ":-")];
        for (size_t i = 0; i < OCTETS; i++) {
                size_t digits = strspn(text, "0123456789abcdefABCDEF");
                char end = separator;
                if (i == OCTETS - 1)
                        end = '\0';
                if (digits < 1 || digits > DIGITS_MAX || text[digits] != end)
                        return false;
                mac[i] = (unsigned char)strtoul(text, NULL, 16);
                text += digits + 1;
        }
        memcpy(ret, mac, sizeof mac);
        return true;
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
