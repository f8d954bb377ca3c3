// SPDX-License-Identifier: MIT
// Which build each node runs, by what its kiln-node says on the cluster's status_port.
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "status/answer.h"
#include "status/internal.h"

// What a machine says of its build; a machine that is another one, or that was refused, says nothing of this node.
static json_t *node_build(const struct cluster *cluster, const struct node *node, const struct probe *probe) {
        json_t *told = json_object(), *findings = json_array();
        const char *build = "";
        bool is_other = false;
        auto_buf why = { .max = 2048 };
        if (machine_judge(cluster, node, probe, NULL, told, findings, &is_other, &why))
                build = member_text(json_object_get(told, "machine"), "build");
        json_t *machine = json_pack("{ss ss sb ss ss}", "name", node->name, "role", cluster->roles[node->role].name,
                                    "known", 1, "build", build, "stage", "");
        if (why.size > 0)
                (void)!json_object_set_new(machine, "why", json_string(buf_text(&why)));
        json_decref(told);
        json_decref(findings);
        return machine;
}

static void prepare_node_probe(const struct health_check *check, const struct node *node, struct buf *request,
                               struct probe *ret) {
        char host[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &node->ip, host, sizeof host);
        *ret = (struct probe){ .address = node->ip, .port = (uint16_t)check->port, .is_http = true };
        (void)health_request(check, host, request);
        ret->request = buf_text(request);
        ret->request_size = request->size;
}

bool status_builds(const struct cluster *cluster, unsigned deadline_ms, json_t **ret, struct err *err) {
        assert(cluster && ret && cluster->status_port);
        const struct health_check check = {
                .name = "kiln-node", .kind = HEALTH_HTTP, .path = "/", .port = cluster->status_port
        };
        size_t count = cluster->node_count;
        auto_free struct probe *probes = xcalloc(count + 1, sizeof *probes);
        auto_free struct buf *requests = xcalloc(count + 1, sizeof *requests);
        for (size_t i = 0; i < count; i++)
                prepare_node_probe(&check, &cluster->nodes[i], &requests[i], &probes[i]);
        bool ok = probes_run(probes, count, deadline_ms, err);
        json_t *machines = json_array();
        for (size_t i = 0; ok && i < count; i++)
                json_array_append_new(machines, node_build(cluster, &cluster->nodes[i], &probes[i]));
        for (size_t i = 0; i < count; i++) {
                probe_release(&probes[i]);
                buf_release(&requests[i]);
        }
        if (ok)
                *ret = json_pack("{ss sO}", "cluster", cluster->name, "machines", machines);
        json_decref(machines);
        return ok;
}
