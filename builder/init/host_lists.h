// SPDX-License-Identifier: MIT
// Lists of machines that people have in files, read for `kiln init --from`: comma, semicolon or tab separated values
// with a head line; an Ansible inventory, INI or YAML; dhcp-host lines of dnsmasq.conf (dnsmasq(8)); host blocks of
// dhcpd.conf (dhcpd.conf(5)). Which it is follows from the content.
#ifndef KILN_INIT_HOST_LISTS_H
#define KILN_INIT_HOST_LISTS_H

#include "base/err.h"
#include "base/mem.h"
#include "base/strings.h"
#include "shared/place.h"

// What the file does not say is NULL.
struct host {
        struct place place;
        const char *name, *mac, *ip, *id, *serial, *uuid;
        const char *group;     // a column or variable `role` or `group`
        struct strings groups; // Ansible's, those of a host before those of its groups, or dnsmasq's tags
        const char *role;      // one of the roles that were offered; never NULL
};
struct hosts {
        struct host *items; // on the arena, in the order of the file
        size_t count;
        const char *text;        // of the file, for messages about its lines
        struct strings warnings; // what of it was passed over, with its place
};

// `roles` are the known ones. A host's role is the first one that a group of it is called like, also in plural, else
// the longest one that its name begins with, else `otherwise`, which may be NULL. All mistakes are told in one error,
// with their places: a host without a role, no name or address, two of one name, MAC or address. ERR_SYNTAX,
// ERR_SCHEMA, ERR_DUPLICATE, ERR_REFERENCE, ERR_SYSTEM.
must_check bool hosts_read(struct arena *arena, const char *path, const struct strings *roles, const char *otherwise,
                           struct hosts *ret, struct err *err);

#endif
