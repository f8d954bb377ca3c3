// SPDX-License-Identifier: MIT
// What kiln-node will do, before it does anything: files, names of cards, notes, and who the machine is. Only a record:
// plan_make.h fills it, apply.h carries it out, report.h tells of it.
#ifndef KILN_NODE_PLAN_PLAN_H
#define KILN_NODE_PLAN_PLAN_H

#include <jansson.h>

#include "base/buf.h"
#include "firmware/node/facts/facts.h"
#include "firmware/node/identity/identity.h"

struct plan_file {
        const char *path; // absolute, inside the root
        const char *content;
        size_t size;
        unsigned mode, uid, gid;
        const char *shown; // with names of secrets where `content` has values; NULL: `content` has none
};

// A card, by the kernel's index of it, that gets another name before the network starts.
struct plan_rename {
        int index;
        char from[INTERFACE_NAME_SIZE], to[INTERFACE_NAME_SIZE];
};

struct plan_value {
        const char *name, *value, *source;
};

struct plan {
        struct arena arena; // owns every string; overwritten at its end, since files may hold secrets
        // Heap arrays. `removes`: files of an earlier run that must not stay.
        struct plan_file *files;
        size_t file_count;
        const char **removes;
        size_t remove_count;
        struct plan_value *values;
        size_t value_count;
        struct plan_rename *renames;
        size_t rename_count;
        const char **notes;
        size_t note_count;
        const char *hostname;
        // Who the machine is; the arena's, and points into the facts. NULL with a refusal.
        const struct identity *identity;
        int vlan_id; // of the VLAN that the identity's address is on, which only tagged frames reach; 0: none
        // The plan names cards beside the chosen one, or gives names to cards: udev must be done with all of them.
        bool names_other_cards;
        bool lacks_secrets; // some have no value: a config drive that is found later may have it
        // Why this machine is not configured; its files then only bring up DHCP for the operator. NULL: it is
        // configured.
        const char *refusal;
        bool lacks_card;         // with a refusal: no network card was there, which nothing in the inventory can mend
        const char *found;       // with a refusal: what this machine is, for the operator
        enum identity_need need; // what may still change this plan
};

void plan_release(struct plan *plan);

void plan_add_file(struct plan *plan, const char *path, unsigned mode, const struct buf *content);
void plan_add_value(struct plan *plan, const char *name, const char *value, const char *source);
void plan_add_note(struct plan *plan, const char *note);

// A copy in the plan's arena that people may be shown (facts_append_shown()). Values and notes are added as such.
const char *plan_shown_text(struct plan *plan, const char *text);
void plan_add_remove(struct plan *plan, const char *path);
void plan_add_rename(struct plan *plan, int index, const char *from, const char *to);

// As a new JSON object. `with_content`: file contents too.
json_t *plan_json(const struct plan *plan, bool with_content);

#endif
