// SPDX-License-Identifier: MIT
// What the tests of kiln-node share: the article's cluster in small, and a machine to try on it.
#ifndef KILN_TESTS_UNIT_NODE_H
#define KILN_TESTS_UNIT_NODE_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "firmware/node/facts/facts.h"
#include "firmware/node/inventory/inventory.h"
#include "firmware/node/plan_make.h"

#define NODE_JSON(role, ensemble, strangers, writer)                                                                   \
        "{\"format\":1,\"cluster\":\"article\",\"role\":\"" role "\",\"build\":\"b1\",\"release\":\"lab\","            \
        "\"network_writer\":\"" writer "\",\"ensemble\":" ensemble ",\"strangers\":" strangers ","                     \
        "\"networks\":[{\"name\":\"lan\",\"subnet\":\"192.168.2.0/24\",\"prefix\":24,\"gateway\":\"192.168.2.1\","     \
        "\"dns\":[\"192.168.2.1\"]}],\"nodes\":["                                                                      \
        "{\"name\":\"master101\",\"role\":\"master\",\"mac\":\"52:54:00:a8:02:47\",\"ip\":\"192.168.2.71\",\"id\":1,"  \
        "\"index\":0,\"network\":\"lan\",\"variables\":{\"rack\":\"r1\",\"disks\":[\"sda\",\"sdb\"]}},"                \
        "{\"name\":\"master102\",\"role\":\"master\",\"mac\":\"\",\"ip\":\"192.168.2.72\",\"id\":2,\"index\":1,"       \
        "\"network\":\"lan\"},"                                                                                        \
        "{\"name\":\"slave101\",\"role\":\"slave\",\"mac\":\"52:54:00:a8:02:51\",\"ip\":\"192.168.2.81\",\"id\":0,"    \
        "\"index\":0,\"network\":\"lan\"}],"                                                                           \
        "\"vips\":[{\"name\":\"web\",\"ip\":\"192.168.2.90\"}],"                                                       \
        "\"hosts\":\"192.168.2.71 master101\\n192.168.2.72 master102\\n192.168.2.81 slave101\\n\","                    \
        "\"templates\":[{\"path\":\"/etc/zookeeper/conf/myid\",\"source\":\"/usr/share/kiln/templates/0\","            \
        "\"mode\":416,\"uid\":7,\"gid\":8}],\"dhcp_timeout_ms\":5000}"

struct trial {
        struct arena arena;
        struct inventory inventory;
        struct facts facts;
        const char *template;
        struct plan plan;
};

static inline struct mac trial_mac(const char *text) {
        struct mac mac = { { 0 } };
        if (!mac_parse(text, &mac))
                printf("# bad MAC %s\n", text);
        return mac;
}

static inline void trial_init(struct trial *trial, const char *json, const char *command_line) {
        struct err err = { 0 };
        memset(trial, 0, sizeof *trial);
        if (!inventory_read(json, strlen(json), &trial->arena, &trial->inventory, &err))
                printf("# %s\n", err.text);
        err_release(&err);
        trial->template = "{{node.id}}\n";
        trial->facts.inventory = &trial->inventory;
        trial->facts.command_line = command_line;
        trial->facts.template_texts = &trial->template;
}

static inline void trial_interface(struct trial *trial, const char *name, const char *mac, bool carrier) {
        struct interface *interface = &trial->facts.interfaces[trial->facts.interface_count++];
        snprintf(interface->name, sizeof interface->name, "%s", name);
        interface->mac = trial_mac(mac);
        interface->carrier = carrier;
        interface->index = (int)trial->facts.interface_count + 1;
}

static inline void trial_lease(struct trial *trial, const char *mac, const char *address, const char *hostname) {
        struct lease *lease = &trial->facts.leases[trial->facts.lease_count++];
        lease->mac = trial_mac(mac);
        lease->prefix = 24;
        if (!address_parse(address, &lease->address))
                printf("# bad address %s\n", address);
        snprintf(lease->hostname, sizeof lease->hostname, "%s", hostname);
        for (size_t i = 0; i < trial->facts.interface_count; i++)
                if (mac_equal(&trial->facts.interfaces[i].mac, &lease->mac))
                        memcpy(lease->interface, trial->facts.interfaces[i].name, sizeof lease->interface);
        trial->facts.dhcp_asked = true;
}

static inline bool trial_plan(struct trial *trial) {
        struct err err = { 0 };
        plan_release(&trial->plan);
        bool ok = plan_make(&trial->facts, &trial->plan, &err);
        if (!ok)
                printf("# %s\n", err.text);
        err_release(&err);
        return ok;
}

static inline const char *trial_value(const struct trial *trial, const char *name) {
        for (size_t i = 0; i < trial->plan.value_count; i++)
                if (strcmp(trial->plan.values[i].name, name) == 0)
                        return trial->plan.values[i].value;
        return NULL;
}

static inline const char *trial_source(const struct trial *trial, const char *name) {
        for (size_t i = 0; i < trial->plan.value_count; i++)
                if (strcmp(trial->plan.values[i].name, name) == 0)
                        return trial->plan.values[i].source;
        return NULL;
}

static inline const char *trial_file(const struct trial *trial, const char *path) {
        for (size_t i = 0; i < trial->plan.file_count; i++)
                if (strcmp(trial->plan.files[i].path, path) == 0)
                        return trial->plan.files[i].content;
        return NULL;
}

static inline bool trial_refused(const struct trial *trial, const char *part) {
        if (trial->plan.refusal && strstr(trial->plan.refusal, part))
                return true;
        printf("# refusal: %s\n", trial->plan.refusal ? trial->plan.refusal : "(none)");
        return false;
}

static inline void trial_release(struct trial *trial) {
        plan_release(&trial->plan);
        arena_release(&trial->arena);
}

// A machine with one card, eth0, after another one.
static inline void trial_begin(struct trial *trial, const char *json, const char *command_line, const char *mac) {
        trial_release(trial);
        trial_init(trial, json, command_line);
        trial_interface(trial, "eth0", mac, true);
}

// Whether it is planned, and what it is called comes from this source.
static inline bool trial_becomes(struct trial *trial, const char *hostname, const char *source) {
        bool ok = trial_plan(trial) && !trial->plan.refusal && strcmp(trial->plan.hostname, hostname) == 0 &&
                  strcmp(trial_source(trial, "hostname"), source) == 0;
        if (!ok)
                printf("# %s: %s (%s): %s\n", trial->facts.command_line, trial->plan.hostname,
                       trial_source(trial, "hostname") ? trial_source(trial, "hostname") : "",
                       trial->plan.refusal ? trial->plan.refusal : "");
        return ok;
}

static inline bool trial_noted(const struct trial *trial, const char *part) {
        for (size_t i = 0; i < trial->plan.note_count; i++)
                if (strstr(trial->plan.notes[i], part))
                        return true;
        return false;
}

#endif
