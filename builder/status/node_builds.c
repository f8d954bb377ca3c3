// SPDX-License-Identifier: MIT
// Which build each node runs, by what its kiln-node says on the cluster's status_port.
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "status/answer.h"
#include "status/internal.h"

struct builds_question {
        const struct cluster *cluster;
        const struct node *node;
        struct buf request;
        json_t *machine; // what came of it
};

// What a machine says of its build; a machine that is another one, or that was refused, says nothing of this node.
static void judge_node_build(const struct probe *probe, void *context) {
        struct builds_question *question = context;
        const struct node *node = question->node;
        json_t *told = json_object(), *findings = json_array();
        const char *build = "";
        bool is_other = false;
        auto_buf why = { .max = 2048 };
        if (machine_judge(question->cluster, node, probe, NULL, told, findings, &is_other, &why))
                build = member_text(json_object_get(told, "machine"), "build");
        json_t *machine = json_pack("{ss ss sb ss ss}", "name", node->name, "role",
                                    question->cluster->roles[node->role].name, "known", 1, "build", build, "stage", "");
        if (why.size > 0)
                (void)!json_object_set_new(machine, "why", json_string(buf_text(&why)));
        json_decref(told);
        json_decref(findings);
        question->machine = machine;
}

static void prepare_node_probe(const struct health_check *check, struct builds_question *question, struct probe *ret) {
        char host[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &question->node->ip, host, sizeof host);
        (void)health_request(check, host, &question->request);
        *ret = (struct probe){ .address = question->node->ip,
                               .port = (uint16_t)check->port,
                               .request = buf_text(&question->request),
                               .request_size = question->request.size,
                               .is_http = true,
                               .judge = judge_node_build,
                               .context = question };
}

bool status_builds(const struct cluster *cluster, unsigned deadline_ms, json_t **ret, struct err *err) {
        assert(cluster && ret && cluster->status_port);
        const struct health_check check = {
                .name = "kiln-node", .kind = HEALTH_HTTP, .path = "/", .port = cluster->status_port
        };
        size_t count = cluster->node_count;
        auto_free struct probe *probes = xcalloc(count + 1, sizeof *probes);
        auto_free struct builds_question *questions = xcalloc(count + 1, sizeof *questions);
        for (size_t i = 0; i < count; i++) {
                questions[i] = (struct builds_question){ .cluster = cluster, .node = &cluster->nodes[i] };
                prepare_node_probe(&check, &questions[i], &probes[i]);
        }
        bool ok = probes_run(probes, count, deadline_ms, err);
        json_t *machines = json_array();
        for (size_t i = 0; i < count; i++) {
                if (ok)
                        (void)!json_array_append(machines, questions[i].machine);
                json_decref(questions[i].machine);
                buf_release(&questions[i].request);
                probe_release(&probes[i]);
        }
        if (ok)
                *ret = json_pack("{ss sO}", "cluster", cluster->name, "machines", machines);
        json_decref(machines);
        return ok;
}
