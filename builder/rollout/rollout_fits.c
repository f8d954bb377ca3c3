// SPDX-License-Identifier: MIT
// Whether what runs on some nodes finds room on the others. Sums alone: a scheduler may still find no single place
// that is large enough, which its gate then shows.
#include <arpa/inet.h>
#include <math.h>
#include <string.h>

#include "base/json_member.h"
#include "rollout/internal.h"

static size_t index_of_named(const struct cluster *cluster, const struct role *role, const char *name) {
        struct in_addr ip = { 0 };
        bool is_address = inet_pton(AF_INET, name, &ip) == 1;
        for (size_t i = 0; i < role->node_count; i++) {
                const struct node *node = &cluster->nodes[role->nodes[i]];
                bool is_it = is_address && node->ip.s_addr == ip.s_addr;
                if (is_it || strcmp(node->name, name) == 0)
                        return role->nodes[i];
        }
        return cluster->node_count;
}

static bool read_amount(const json_t *item, const char *member, const char *of, double *ret) {
        const json_t *number = json_object_get(json_object_get(item, member), of);
        *ret = json_number_value(number);
        return json_is_number(number) && isfinite(*ret);
}

static bool read_fit_row(struct rollout *rollout, const struct role *role, const json_t *item, struct fit_row *ret,
                         struct err *err) {
        const struct rollout_fits *fits = &role->rollout.fits;
        size_t size = fits->of.count * sizeof(double);
        const char *name = member_text(item, fits->node);
        *ret = (struct fit_row){ .node = index_of_named(rollout->cluster, role, name),
                                 .name = arena_strdup(&rollout->arena, name),
                                 .have = arena_alloc(&rollout->arena, size),
                                 .used = arena_alloc(&rollout->arena, size) };
        for (size_t i = 0; i < fits->of.count; i++) {
                const char *of = fits->of.items[i];
                bool ok = read_amount(item, fits->have, of, &ret->have[i]) &&
                          read_amount(item, fits->used, of, &ret->used[i]);
                if (!ok)
                        return fail(err, ERR_ROLLOUT, 0, "%s: %s says no %s.%s and %s.%s of %s", role->name, fits->path,
                                    fits->have, of, fits->used, of, name);
        }
        return true;
}

static bool read_fit_rows(struct rollout *rollout, const struct role *role, const json_t *list,
                          struct rollout_role *known, struct err *err) {
        const struct rollout_fits *fits = &role->rollout.fits;
        size_t i;
        json_t *item;
        known->rows = arena_alloc(&rollout->arena, (json_array_size(list) + 1) * sizeof *known->rows);
        known->free = arena_alloc(&rollout->arena, (fits->of.count + 1) * sizeof *known->free);
        known->row_of = arena_alloc(&rollout->arena, (rollout->cluster->node_count + 1) * sizeof *known->row_of);
        json_array_foreach(list, i, item) {
                struct fit_row *row = &known->rows[known->row_count++];
                if (!read_fit_row(rollout, role, item, row, err))
                        return false;
                known->row_of[row->node] = row;
                for (size_t j = 0; j < fits->of.count; j++)
                        known->free[j] += row->have[j] - row->used[j];
        }
        return true;
}

bool rollout_read_fits(struct rollout *rollout, const struct role *role, struct rollout_role *known, struct err *err) {
        const struct rollout_fits *fits = &role->rollout.fits;
        const struct rollout_request request = { "GET", fits->path, NULL, fits->port };
        struct node_list at;
        json_t *document = NULL;
        if (!rollout_at(rollout, fits->at, NULL, &at, err))
                return false;
        if (at.count == 0)
                return fail(err, ERR_ROLLOUT, 0, "%s: nobody is there to ask what fits where", fits->at);
        if (!rollout_request_json(rollout, at.items[0], &request, &document, err))
                return false;
        const json_t *list = json_at(document, fits->list);
        bool ok;
        if (json_is_array(list))
                ok = read_fit_rows(rollout, role, list, known, err);
        else
                ok = fail(err, ERR_ROLLOUT, 0, "%s: %s has no list `%s`", at.items[0]->name, fits->path, fits->list);
        json_decref(document);
        return ok;
}

bool rollout_fits(const struct role *role, const struct rollout_role *known, const size_t *nodes, size_t count,
                  struct buf *ret_why) {
        const struct strings *of = &role->rollout.fits.of;
        if (known->row_count == 0)
                return true; // nobody counts, or nothing runs anywhere
        for (size_t i = 0; i < of->count; i++) {
                double used = 0, room = known->free[i];
                for (size_t j = 0; j < count; j++) {
                        const struct fit_row *row = known->row_of[nodes[j]];
                        if (!row)
                                continue; // it offers nothing, and runs nothing
                        used += row->used[i];
                        room -= row->have[i] - row->used[i];
                }
                if (used > 0 && used > room + 1e-6) {
                        buf_printf(ret_why, "%s: %g used, %g free on the others", of->items[i], used, room);
                        return false;
                }
        }
        return true;
}
