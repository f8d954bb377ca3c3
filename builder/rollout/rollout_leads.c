// SPDX-License-Identifier: MIT
// Who leads, and whom an `at` means.
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/json_member.h"
#include "rollout/internal.h"
#include "status/expression.h"

bool rollout_look(struct rollout *rollout, struct err *err) {
        const struct status_options ask = { NULL, rollout->options->deadline_ms };
        json_t *status = NULL;
        if (!status_ask(rollout->cluster, &ask, &status, &rollout->state, err))
                return false;
        json_decref(rollout->status);
        rollout->status = status;
        for (size_t i = 0; i < rollout->cluster->role_count; i++)
                rollout->roles[i].is_known = false;
        return true;
}

bool rollout_is_forced(const struct rollout *rollout, const struct node *node) {
        return rollout->options->forced && strings_have(rollout->options->forced, node->name);
}

// ---- names ----

static bool is_name_character(char c) { return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.'; }

// "192.168.2.7" is not in "192.168.2.71:5050".
static bool holds_word(const char *text, const char *word) {
        size_t length = strlen(word);
        for (const char *found = text; (found = strstr(found, word)); found++) {
                bool begins = found == text || !is_name_character(found[-1]);
                if (begins && !is_name_character(found[length]))
                        return true;
        }
        return false;
}

bool rollout_names_node(const char *text, const struct node *node) {
        char ip[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &node->ip, ip, sizeof ip);
        return holds_word(text, ip) || holds_word(text, node->name);
}

// ---- leads ----

// CHECK.VALUE as a node of the status has it, or NULL; a check's name may have dots.
static const char *value_of_node(const json_t *node, const char *value) {
        const char *dot = strrchr(value, '.');
        size_t i, length = (size_t)(dot - value);
        json_t *check;
        json_array_foreach(json_object_get(node, "checks"), i, check) {
                const char *name = member_text(check, "name");
                if (strlen(name) == length && strncmp(name, value, length) == 0)
                        return json_string_value(json_object_get(json_object_get(check, "values"), dot + 1));
        }
        return NULL;
}

static const struct node *node_of_role(const struct rollout *rollout, const struct role *role, size_t index) {
        return &rollout->cluster->nodes[role->nodes[index]];
}

static const char *value_on_member(const struct rollout *rollout, const struct node *node, const char *value) {
        return value_of_node(json_object_get(json_object_get(rollout->status, "nodes"), node->name), value);
}

// Two that both say so are none.
static const struct node *find_matching(const struct rollout *rollout, const struct role *role,
                                        const struct rollout_lead *lead) {
        const struct node *found = NULL;
        for (size_t i = 0; i < role->node_count; i++) {
                const struct node *node = node_of_role(rollout, role, i);
                const char *text = value_on_member(rollout, node, lead->value);
                bool leads = text && expression_matches(lead->is, text);
                if (leads && found)
                        return NULL;
                if (leads)
                        found = node;
        }
        return found;
}

static const struct node *find_named_leader(const struct rollout *rollout, const struct role *role,
                                            const struct rollout_lead *lead) {
        const char *said = NULL;
        for (size_t i = 0; i < role->node_count; i++) {
                const char *text = value_on_member(rollout, node_of_role(rollout, role, i), lead->value);
                if (text && said && strcmp(text, said) != 0)
                        return NULL;
                if (text)
                        said = text;
        }
        for (size_t i = 0; said && i < role->node_count; i++)
                if (rollout_names_node(said, node_of_role(rollout, role, i)))
                        return node_of_role(rollout, role, i);
        return NULL;
}

static const struct vip *vip_of_role(const struct cluster *cluster, const struct role *role) {
        for (size_t i = 0; i < cluster->vip_count; i++)
                if (strcmp(text_or(cluster->vips[i].role, ""), role->name) == 0)
                        return &cluster->vips[i];
        return NULL;
}

// From another network nobody's card is seen: the nodes say themselves who has the address. Of two, neither leads.
static bool ask_for_address(struct rollout *rollout, const struct role *role, const struct vip *vip,
                            const struct node **ret, struct err *err) {
        char ip[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &vip->ip, ip, sizeof ip);
        const char *words[] = { "ip", "-4", "-o", "address", "show", "to", ip };
        const struct strings command = { words, lengthof(words) };
        size_t holders = 0;
        for (size_t i = 0; i < role->node_count; i++) {
                const struct node *node = node_of_role(rollout, role, i);
                auto_buf output = { 0 };
                auto_err silent = { 0 };
                int status = 0;
                bool answers =
                    remote_run(rollout, node, &command, NULL, REMOTE_LIMIT_S, &output, &status, &silent) && status == 0;
                if (silent.kind == ERR_INTERRUPTED)
                        return fail(err, ERR_INTERRUPTED, 0, "%s", silent.text);
                if (!answers || !strstr(buf_text(&output), ip))
                        continue;
                *ret = node;
                holders++;
        }
        if (holders > 1)
                *ret = NULL;
        return true;
}

static bool find_holder(struct rollout *rollout, const struct role *role, const struct node **ret, struct err *err) {
        const struct vip *vip = vip_of_role(rollout->cluster, role);
        if (!vip)
                return true;
        const json_t *seen = json_object_get(json_object_get(rollout->status, "vips"), vip->name);
        const struct node *owner = cluster_find_node(rollout->cluster, member_text(seen, "owner"));
        if (!owner)
                return ask_for_address(rollout, role, vip, ret, err);
        *ret = owner;
        return true;
}

static bool has_no_vip(const struct rollout *rollout, const struct role *role, const struct rollout_lead *lead) {
        return lead->vip && !vip_of_role(rollout->cluster, role);
}

static bool find_leader(struct rollout *rollout, const struct role *role, const struct rollout_lead *lead,
                        const struct node **ret, struct err *err) {
        if (lead->vip)
                return find_holder(rollout, role, ret, err);
        if (lead->is)
                *ret = find_matching(rollout, role, lead);
        else
                *ret = find_named_leader(rollout, role, lead);
        return true;
}

static bool find_leaders(struct rollout *rollout, const struct role *role, struct rollout_role *known,
                         struct err *err) {
        known->leaders = arena_alloc(&rollout->arena, (role->rollout.lead_count + 1) * sizeof *known->leaders);
        for (size_t i = 0; i < role->rollout.lead_count; i++) {
                const struct rollout_lead *lead = &role->rollout.leads[i];
                if (!find_leader(rollout, role, lead, &known->leaders[i], err))
                        return false;
                bool is_missed = !known->leaders[i] && role->node_count > 1 && !has_no_vip(rollout, role, lead);
                if (!is_missed)
                        continue;
                fail(err, ERR_ROLLOUT, 0, "role %s: nobody says, or not all alike, who leads in %s", role->name,
                     lead->name);
                return hint(err, "kiln status shows what the nodes say; a leader must not go first");
        }
        return true;
}

bool rollout_know_role(struct rollout *rollout, const struct role *role, struct rollout_role **ret, struct err *err) {
        struct rollout_role *known = &rollout->roles[role - rollout->cluster->roles];
        if (!known->is_known) {
                *known = (struct rollout_role){ 0 };
                if (!find_leaders(rollout, role, known, err))
                        return false;
                bool is_counted = role->rollout.fits.port != 0 && role->node_count > 1;
                if (is_counted && !rollout_read_fits(rollout, role, known, err))
                        return false;
                known->is_known = true;
        }
        *ret = known;
        return true;
}

// ---- at ----

static void append_place(struct rollout *rollout, struct node_list *list, const struct node *node) {
        list->items = arena_grow(&rollout->arena, list->items, list->count, sizeof *list->items);
        list->items[list->count++] = node;
}

// Of a lead alone: what fits where is asked at a leader, so that this must not ask for it.
static bool add_leader(struct rollout *rollout, const struct role *role, const char *name, struct node_list *list,
                       struct err *err) {
        for (size_t i = 0; i < role->rollout.lead_count; i++) {
                const struct node *leader = NULL;
                if (strcmp(role->rollout.leads[i].name, name) != 0)
                        continue;
                if (!find_leader(rollout, role, &role->rollout.leads[i], &leader, err))
                        return false;
                if (!leader)
                        return fail(err, ERR_ROLLOUT, 0, "nobody says, or not all alike, who leads in %s.%s",
                                    role->name, name);
                append_place(rollout, list, leader);
                return true;
        }
        return fail(err, ERR_ROLLOUT, 0, "role %s has no lead %s", role->name, name);
}

bool rollout_at(struct rollout *rollout, const char *at, const struct node *node, struct node_list *ret,
                struct err *err) {
        *ret = (struct node_list){ 0 };
        if (strcmp(at, ROLLOUT_AT_NODE) == 0) {
                append_place(rollout, ret, node);
                return true;
        }
        auto_free char *name = xstrndup(at, strcspn(at, "."));
        const char *lead = strchr(at, '.');
        const struct role *role = cluster_find_role(rollout->cluster, name);
        if (!role)
                return fail(err, ERR_ROLLOUT, 0, "the cluster has no role %s, of which a rollout speaks", name);
        if (lead)
                return add_leader(rollout, role, lead + 1, ret, err);
        for (size_t i = 0; i < role->node_count; i++)
                append_place(rollout, ret, node_of_role(rollout, role, i));
        return true;
}
