// SPDX-License-Identifier: MIT
// What the readers of lists share.
#ifndef KILN_INIT_INTERNAL_H
#define KILN_INIT_INTERNAL_H

#include "base/buf.h"
#include "init/host_lists.h"
#include "profile/reader/diagnostics.h"

enum { HOSTS_MAX = 20000 }; // all that a node can read

struct host_list {
        struct arena *arena;
        struct diagnostics *diagnostics;
        const char *name; // of the file, as messages call it
        const char *text; // NUL-terminated
        size_t size;
        struct hosts hosts;
};

// It has more than HOSTS_MAX: what follows is not read, since it is refused anyway.
bool host_list_is_full(const struct host_list *list);
struct host *host_list_add(struct host_list *list, const struct place *place);
// Stores a value by the name that files give it ("mac", "hwaddr", "ansible_host", "MAC Address", ...). False: it is
// none of a host's.
bool host_list_set(struct arena *arena, struct host *host, const char *key, const char *value);

// Calls back for each line, without its end, until the list is full; `line` is not NUL-terminated.
struct host_line {
        struct place place; // of its first byte
        const char *text;
        size_t size;
};
typedef void host_line_reader(struct host_list *list, const struct host_line *line, void *context);
void host_list_lines(struct host_list *list, host_line_reader *each, void *context);

// A MAC address as DHCP servers take it: an octet may have one digit, "0:0:c0:5d:bd:95".
bool host_mac_read(const char *text, unsigned char ret[static 6]);

// Without blanks at both ends, on the arena.
const char *host_text(struct arena *arena, const char *text, size_t size);

// Reads it as what it looks like.
void host_list_read_any(struct host_list *list);

// The readers, one a format.
void hosts_read_csv(struct host_list *list);
void hosts_read_ansible_ini(struct host_list *list);
void hosts_read_ansible_yaml(struct host_list *list); // and the JSON of ansible-inventory --list
void hosts_read_dnsmasq(struct host_list *list);
void hosts_read_dhcp_hostsfile(struct host_list *list);
void hosts_read_dhcpd(struct host_list *list);

#endif
