// SPDX-License-Identifier: MIT
// Draining, and taking it back: what the role's `drain` and `undrain` say.
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/json_member.h"
#include "base/progress.h"
#include "rollout/internal.h"
#include "shared/template.h"

// One action, at one place, for one node of the step.
struct acting {
        struct rollout *rollout;
        const struct rollout_step *step;
        const struct rollout_action *action;
        const struct node *node;
        bool takes_back; // all nodes are in {{#others}}
};

// ---- what templates see ----

static struct value *named_value(struct arena *arena, const char *name, const char *ip) {
        struct value *map = value_map(arena);
        value_set(arena, map, "name", value_scalar(arena, name));
        value_set(arena, map, "ip", value_scalar(arena, ip));
        return map;
}

static struct value *named_node_value(struct arena *arena, const struct node *node) {
        char ip[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &node->ip, ip, sizeof ip);
        return named_value(arena, node->name, arena_strdup(arena, ip));
}

static bool is_of_step(const struct acting *acting, size_t index) {
        for (size_t i = 0; i < acting->step->count; i++)
                if (acting->step->nodes[i] == index)
                        return true;
        return false;
}

// Machines that the server knows and the inventory does not go on as they are.
static void append_strangers(const struct acting *acting, struct arena *arena, struct value *list) {
        const struct rollout *rollout = acting->rollout;
        const struct rollout_role *known = &rollout->roles[acting->step->role - rollout->cluster->roles];
        for (size_t i = 0; i < known->row_count; i++)
                if (known->rows[i].node == rollout->cluster->node_count)
                        value_append(arena, list, named_value(arena, known->rows[i].name, known->rows[i].name));
}

static struct value *nodes_value(const struct acting *acting, struct arena *arena, bool with_step) {
        const struct role *role = acting->step->role;
        struct value *list = value_list(arena);
        for (size_t i = 0; i < role->node_count; i++)
                if (with_step || !is_of_step(acting, role->nodes[i]))
                        value_append(arena, list,
                                     named_node_value(arena, &acting->rollout->cluster->nodes[role->nodes[i]]));
        append_strangers(acting, arena, list);
        return list;
}

static struct value *action_scope(const struct acting *acting, struct arena *arena, struct value *items) {
        struct value *scope = value_map(arena);
        value_set(arena, scope, "node", named_node_value(arena, acting->node));
        value_set(arena, scope, "others", nodes_value(acting, arena, acting->takes_back));
        value_set(arena, scope, "members", nodes_value(acting, arena, true));
        value_set(arena, scope, "items", items);
        return scope;
}

static bool render_text(const struct acting *acting, const char *text, const struct value *scope, struct buf *ret,
                        struct err *err) {
        return template_render(acting->action->name, text, strlen(text), scope, NULL, ret, NULL, err);
}

// ---- items ----

static bool is_of_node(const json_t *item, const char *where, const struct node *node) {
        const char *text = member_text(item, where);
        struct in_addr ip;
        bool is_address = inet_pton(AF_INET, text, &ip) == 1 && ip.s_addr == node->ip.s_addr;
        return is_address || strcmp(text, node->name) == 0;
}

// In JSON's and in URLs' words: what is no plain word is refused, as it would end one.
static bool is_plain_word(const char *text) { return *text && text[strcspn(text, "\"\\/?#& \t\r\n")] == '\0'; }

static bool append_items(const struct acting *acting, const json_t *list, struct arena *arena, struct value *ret,
                         struct err *err) {
        const struct rollout_items *items = &acting->action->items;
        size_t i;
        json_t *item;
        json_array_foreach(list, i, item) {
                const char *text = member_text(item, items->value);
                if (!is_of_node(item, items->where, acting->node))
                        continue;
                if (!is_plain_word(text))
                        return fail(err, ERR_ROLLOUT, 0, "%s: `%s` of %s is no plain word", acting->action->name,
                                    items->value, items->path);
                struct value *map = value_map(arena);
                value_set(arena, map, "value", value_scalar(arena, arena_strdup(arena, text)));
                value_append(arena, ret, map);
        }
        return true;
}

static bool read_items(const struct acting *acting, const struct node *at, struct arena *arena, struct value *ret,
                       struct err *err) {
        const struct rollout_items *items = &acting->action->items;
        const struct rollout_request request = { "GET", items->path, NULL, acting->action->port };
        json_t *document = NULL;
        if (!items->path)
                return true;
        if (!rollout_request_json(acting->rollout, at, &request, &document, err))
                return false;
        const json_t *list = json_at(document, items->list);
        bool ok;
        if (json_is_array(list))
                ok = append_items(acting, list, arena, ret, err);
        else
                ok = fail(err, ERR_ROLLOUT, 0, "%s: the answer has no list `%s`", items->path, items->list);
        json_decref(document);
        return ok;
}

// ---- one action ----

static bool send_action_request(const struct acting *acting, const struct node *at, struct err *err) {
        struct arena arena = { 0 };
        auto_buf path = { 0 }, body = { 0 }, answer = { 0 };
        struct value *items = value_list(&arena);
        bool ok = read_items(acting, at, &arena, items, err);
        bool has_work = items->count > 0 || !acting->action->items.path;
        if (ok && has_work) {
                struct value *scope = action_scope(acting, &arena, items);
                struct rollout_request request = { .method = acting->action->method, .port = acting->action->port };
                ok = render_text(acting, acting->action->path, scope, &path, err) &&
                     (!acting->action->body || render_text(acting, acting->action->body, scope, &body, err));
                request.path = buf_text(&path);
                if (acting->action->body)
                        request.body = buf_text(&body);
                ok = ok && rollout_request(acting->rollout, at, &request, &answer, err);
        }
        arena_release(&arena);
        return ok;
}

static bool run_words(const struct acting *acting, const struct node *at, struct err *err) {
        struct arena arena = { 0 };
        auto_buf input = { 0 }, output = { 0 };
        const struct buf *given = NULL;
        bool ok = true;
        if (acting->action->input) {
                const struct value *scope = action_scope(acting, &arena, value_list(&arena));
                ok = render_text(acting, acting->action->input, scope, &input, err);
                given = &input;
        }
        arena_release(&arena);
        return ok && remote_run(acting->rollout, at, &acting->action->ssh, given, acting->rollout->options->timeout_s,
                                &output, NULL, err);
}

bool rollout_settle(int seconds, struct err *err) {
        for (int i = 0; i < seconds; i++) {
                if (!interrupt_check(err))
                        return false;
                sleep(1);
        }
        return true;
}

// Keeps the first error of several.
static void keep_first(struct err *first, struct err *next) {
        if (first->kind == ERR_NONE) {
                *first = *next;
                *next = (struct err){ 0 };
        }
        err_release(next);
}

static bool do_at(const struct acting *acting, const struct node *at, struct err *err) {
        bool is_away = rollout_is_forced(acting->rollout, at) && strcmp(acting->action->at, ROLLOUT_AT_NODE) != 0;
        if (is_away)
                return true;
        notice("%s: %s, at %s", acting->node->name, acting->action->name, at->name);
        if (acting->action->method)
                return send_action_request(acting, at, err);
        return run_words(acting, at, err);
}

// At every place: of what is taken back, each is tried.
static bool do_action(const struct acting *acting, struct err *err) {
        struct node_list at;
        if (!rollout_at(acting->rollout, acting->action->at, acting->node, &at, err))
                return wrap(err, "%s", acting->action->name);
        for (size_t i = 0; i < at.count; i++) {
                struct err failed = { 0 };
                if (do_at(acting, at.items[i], &failed))
                        continue;
                wrap(&failed, "%s", acting->action->name);
                keep_first(err, &failed);
                if (!acting->takes_back)
                        return false;
        }
        return err->kind == ERR_NONE;
}

// ---- a step ----

static bool do_actions(struct acting *acting, const struct rollout_action *actions, size_t count, struct err *err) {
        struct err first = { 0 };
        for (size_t i = 0; i < count; i++) {
                size_t times = acting->step->count;
                if (actions[i].once)
                        times = 1;
                acting->action = &actions[i];
                for (size_t j = 0; j < times; j++) {
                        struct err failed = { 0 };
                        acting->node = &acting->rollout->cluster->nodes[acting->step->nodes[j]];
                        if (do_action(acting, &failed))
                                continue;
                        keep_first(&first, &failed);
                        if (!acting->takes_back)
                                break;
                }
                bool is_done = first.kind == ERR_NONE && rollout_settle(actions[i].settle_s, &first);
                if (!is_done && !acting->takes_back)
                        break;
        }
        bool ok = first.kind == ERR_NONE;
        if (!ok)
                *err = first;
        return ok;
}

// Nobody's list of machines is needed for a node that is not counted.
bool rollout_drain(struct rollout *rollout, const struct rollout_step *step, struct err *err) {
        struct acting acting = { .rollout = rollout, .step = step };
        return do_actions(&acting, step->role->rollout.drain, step->role->rollout.drain_count, err);
}

bool rollout_undrain(struct rollout *rollout, const struct rollout_step *step, struct err *err) {
        struct acting acting = { .rollout = rollout, .step = step, .takes_back = true };
        interrupt_hold(true); // a signal must not leave a cluster that takes no work
        bool ok = do_actions(&acting, step->role->rollout.undrain, step->role->rollout.undrain_count, err);
        interrupt_hold(false);
        return ok;
}
