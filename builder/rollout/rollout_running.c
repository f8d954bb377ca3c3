// SPDX-License-Identifier: MIT
// Which build each node runs, by its own report, read by ssh: where the cluster has no status_port.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_member.h"
#include "base/parallel.h"
#include "rollout/internal.h"

enum { NODES_AT_ONCE = 32, REPORT_MAX = 1 << 20 };

struct running_asking {
        const struct rollout *rollout;
        json_t **machines; // by node
};

// "" for a report of this node; else why it tells nothing of it.
static void judge_report(const struct cluster *cluster, const struct node *node, const json_t *report,
                         struct buf *why) {
        const char *name = member_text(report, "hostname"), *of = member_text(report, "cluster");
        bool is_other = (*name && strcmp(name, node->name) != 0) || (*of && strcmp(of, cluster->name) != 0);
        if (!json_is_object(report))
                buf_append_text(why, "/run/kiln/report.json is not there, or no report");
        else if (is_other)
                buf_printf(why, "the machine at this address says that it is %s of %s", name, of);
        else if (!*member_text(report, "build"))
                buf_append_text(why, "its report names no build");
}

static void note_report(const struct running_asking *asking, size_t index, const char *text, struct buf *why) {
        const struct cluster *cluster = asking->rollout->cluster;
        const struct node *node = &cluster->nodes[index];
        const char *build = "";
        json_t *report = json_loads(text, 0, NULL);
        if (why->size == 0)
                judge_report(cluster, node, report, why);
        if (why->size == 0)
                build = member_text(report, "build");
        json_t *machine = json_pack("{ss ss sb ss ss}", "name", node->name, "role", cluster->roles[node->role].name,
                                    "known", 1, "build", build, "stage", "");
        if (why->size > 0)
                (void)!json_object_set_new(machine, "why", json_string(buf_text(why)));
        json_decref(report);
        asking->machines[index] = machine;
}

static bool ask_report(size_t index, void *context, struct err *err) {
        static const char *words[] = { "cat", "/run/kiln/report.json" };
        const struct strings command = { words, lengthof(words) };
        const struct running_asking *asking = context;
        auto_buf output = { .max = REPORT_MAX }, why = { .max = 2048 };
        auto_err silent = { 0 };
        int status = 0;
        const struct node *node = &asking->rollout->cluster->nodes[index];
        if (!remote_run(asking->rollout, node, &command, NULL, REMOTE_LIMIT_S, &output, &status, &silent)) {
                bool is_ours = silent.kind == ERR_INTERRUPTED || silent.number == ENOENT;
                if (is_ours)
                        return fail(err, silent.kind, 0, "%s", silent.text);
                buf_append_text(&why, silent.text);
        } else if (status != 0) {
                buf_printf(&why, "ssh, or cat of /run/kiln/report.json, ends with %d", status);
        }
        note_report(asking, index, buf_text(&output), &why);
        return true;
}

bool rollout_running(const struct cluster *cluster, const char *ssh_config, json_t **ret, struct err *err) {
        assert(cluster && ret);
        const struct rollout_options options = { .ssh_config = ssh_config };
        const struct rollout rollout = { .cluster = cluster, .options = &options, .dir = -1 };
        size_t count = cluster->node_count;
        auto_free json_t **machines = xcalloc(count + 1, sizeof *machines);
        struct running_asking asking = { &rollout, machines };
        bool ok = parallel_for(count, NODES_AT_ONCE, ask_report, &asking, err);
        json_t *list = json_array();
        for (size_t i = 0; i < count; i++)
                if (machines[i])
                        json_array_append_new(list, machines[i]);
        if (ok)
                *ret = json_pack("{ss sO}", "cluster", cluster->name, "machines", list);
        json_decref(list);
        return ok;
}
