// SPDX-License-Identifier: MIT
#include "packages/comps.h"

#include <assert.h>
#include <solv/repo.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "packages/solve/groups.h"

static const struct {
        const char *prefix, *element;
} kinds[] = { { "group:", "group" }, { "category:", "category" }, { "environment:", "environment" } };

static const struct {
        Id relation;
        const char *type; // of a <packagereq>
        const char *list; // that names groups; NULL: no such list
} relations[] = {
        { SOLVABLE_REQUIRES, "mandatory", "grouplist" },
        { SOLVABLE_RECOMMENDS, "default", NULL },
        { SOLVABLE_SUGGESTS, "optional", "optionlist" },
};

static void put_text(struct buf *xml, const char *text) {
        for (; *text; text++) {
                switch (*text) {
                case '<':
                        buf_append_text(xml, "&lt;");
                        break;
                case '&':
                        buf_append_text(xml, "&amp;");
                        break;
                case '"':
                        buf_append_text(xml, "&quot;");
                        break;
                default:
                        buf_append_char(xml, *text);
                }
        }
}

static void put_element(struct buf *xml, const char *name, const char *text) {
        buf_printf(xml, "    <%s>", name);
        put_text(xml, text);
        buf_printf(xml, "</%s>\n", name);
}

static void put_package(struct buf *xml, Pool *pool, Id member, const char *type) {
        if (!ISRELDEP(member)) {
                buf_printf(xml, "      <packagereq type=\"%s\">", type);
                put_text(xml, pool_id2str(pool, member));
                buf_append_text(xml, "</packagereq>\n");
                return;
        }
        const Reldep *condition = GETRELDEP(pool, member);
        if (condition->flags != REL_COND || ISRELDEP(condition->name) || ISRELDEP(condition->evr))
                return;
        buf_append_text(xml, "      <packagereq type=\"conditional\" requires=\"");
        put_text(xml, pool_id2str(pool, condition->evr));
        buf_append_text(xml, "\">");
        put_text(xml, pool_id2str(pool, condition->name));
        buf_append_text(xml, "</packagereq>\n");
}

// What all descriptions of a group together name, each once.
static void collect_members(const struct groups *groups, Id name, Id relation, Queue *ret) {
        Queue members;
        queue_init(&members);
        queue_empty(ret);
        for (Id id = 2; id < groups->pool->nsolvables; id++) {
                Solvable *group = pool_id2solvable(groups->pool, id);
                if (!group->repo || group->name != name)
                        continue;
                solvable_lookup_deparray(group, relation, &members, 0);
                for (int i = 0; i < members.count; i++)
                        queue_pushunique(ret, members.elements[i]);
        }
        queue_free(&members);
}

static void put_packages(struct buf *xml, const struct groups *groups, Id name) {
        Queue members;
        queue_init(&members);
        buf_append_text(xml, "    <packagelist>\n");
        for (size_t i = 0; i < lengthof(relations); i++) {
                collect_members(groups, name, relations[i].relation, &members);
                for (int k = 0; k < members.count; k++)
                        put_package(xml, groups->pool, members.elements[k], relations[i].type);
        }
        buf_append_text(xml, "    </packagelist>\n");
        queue_free(&members);
}

static void put_lists(struct buf *xml, const struct groups *groups, Id name) {
        Queue members;
        queue_init(&members);
        for (size_t i = 0; i < lengthof(relations); i++) {
                collect_members(groups, name, relations[i].relation, &members);
                if (!relations[i].list || members.count == 0)
                        continue;
                buf_printf(xml, "    <%s>\n", relations[i].list);
                for (int k = 0; k < members.count; k++) {
                        const char *member = pool_id2str(groups->pool, members.elements[k]);
                        if (!ISRELDEP(members.elements[k]) && strncmp(member, "group:", 6) == 0)
                                put_element(xml, "groupid", member + 6);
                }
                buf_printf(xml, "    </%s>\n", relations[i].list);
        }
        queue_free(&members);
}

static bool is_of_comps_kind(const Solvable *group, size_t kind) {
        const char *prefix = kinds[kind].prefix;
        if (!group->repo)
                return false;
        return strncmp(pool_id2str(group->repo->pool, group->name), prefix, strlen(prefix)) == 0;
}

static bool is_first_description(const struct groups *groups, Id id) {
        Id name = pool_id2solvable(groups->pool, id)->name;
        for (Id before = 2; before < id; before++) {
                const Solvable *other = pool_id2solvable(groups->pool, before);
                if (other->repo && other->name == name)
                        return false;
        }
        return true;
}

static void put_group(struct buf *xml, const struct groups *groups, Solvable *group, size_t kind) {
        const char *name = pool_id2str(groups->pool, group->name) + strlen(kinds[kind].prefix);
        const char *title = solvable_lookup_str(group, SOLVABLE_SUMMARY);
        const char *description = solvable_lookup_str(group, SOLVABLE_DESCRIPTION);
        buf_printf(xml, "  <%s>\n", kinds[kind].element);
        put_element(xml, "id", name);
        if (!title)
                title = name;
        if (!description)
                description = "";
        put_element(xml, "name", title);
        put_element(xml, "description", description);
        if (kind == 0) {
                const char *visible = "false";
                if (solvable_lookup_void(group, SOLVABLE_ISVISIBLE))
                        visible = "true";
                put_element(xml, "uservisible", visible);
                put_packages(xml, groups, group->name);
        } else {
                put_lists(xml, groups, group->name);
        }
        buf_printf(xml, "  </%s>\n", kinds[kind].element);
}

bool comps_format(const struct groups *groups, struct buf *ret) {
        assert(ret->max > 0); // what repositories describe has no other bound
        bool any = false;
        buf_append_text(ret, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<comps>\n");
        for (size_t kind = 0; kind < lengthof(kinds); kind++)
                for (Id id = 2; id < groups->pool->nsolvables; id++) {
                        Solvable *group = pool_id2solvable(groups->pool, id);
                        if (!is_of_comps_kind(group, kind) || !is_first_description(groups, id))
                                continue;
                        put_group(ret, groups, group, kind);
                        any = true;
                }
        buf_append_text(ret, "</comps>\n");
        return any && !ret->overflow;
}
