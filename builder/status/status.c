// SPDX-License-Identifier: MIT
#include "status/status.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "base/progress.h"
#include "status/answer.h"
#include "status/internal.h"
#include "status/probe.h"
#include "status/zookeeper.h"

const char *status_state_name(enum status_state state) {
        static const char *const names[] = { "healthy", "degraded", "not serving", "unknown" };
        return names[state];
}

// ---- questions ----

// One question: a check of a role, to a node or to a virtual address.
struct question {
        const struct asking *asking;
        const struct role *role;
        const struct health_check *check;
        const struct node *node; // NULL: `vip` is asked
        const struct vip *vip;
        struct buf request;
        // What its answer says, judged as soon as it is there.
        struct buf why;             // what is wrong with it
        int http_status;            // 0: none
        json_t *values;             // of the check
        json_t *machine, *findings; // of kiln-node's answer: members to add to the node's
        bool is_other;              // that is another machine, or one that was refused
        bool has_clock;
        struct clock_sample clock;
};

struct asking {
        const struct cluster *cluster;
        const struct status_options *options;
        struct question *questions;
        struct probe *probes; // of the same number
        size_t count;
        struct health_check machine_check; // of kiln-node's own answer
        struct arp_question *owners;       // of each of the cluster's virtual addresses
        struct clock_sample *clocks;
        size_t clock_count;
        json_t *nodes, *vips, *roles, *agreements, *findings;
        const struct node *told_away; // the last one of which it was said that no connection is made
        bool any_answer, any_serious;
};

static bool asks_role(const struct asking *asking, const struct role *role) {
        const struct strings *roles = asking->options->roles;
        return !roles || roles->count == 0 || strings_have(roles, role->name);
}

static void add_question(struct asking *asking, const struct question *question) {
        *array_append(&asking->questions, &asking->count) = *question;
}

static bool asks_node(const struct asking *asking, const struct node *node) {
        return !asking->options->nodes || strings_have(asking->options->nodes, node->name);
}

static void add_role_questions(struct asking *asking, const struct role *role) {
        for (size_t i = 0; i < role->node_count; i++) {
                struct question question = { .role = role, .node = &asking->cluster->nodes[role->nodes[i]] };
                if (!asks_node(asking, question.node))
                        continue;
                for (size_t j = 0; j < role->health_count; j++) {
                        question.check = &role->health[j];
                        add_question(asking, &question);
                }
                question.check = &asking->machine_check;
                if (asking->machine_check.port != 0)
                        add_question(asking, &question);
        }
}

static const struct role *role_of_vip(const struct cluster *cluster, const struct vip *vip) {
        for (size_t i = 0; i < cluster->role_count; i++)
                if (strcmp(cluster->roles[i].name, text_or(vip->role, "")) == 0)
                        return &cluster->roles[i];
        return NULL;
}

static bool asks_vip(const struct asking *asking, const struct vip *vip) {
        const struct role *role = role_of_vip(asking->cluster, vip);
        return role && asks_role(asking, role) && !asking->options->nodes;
}

static void add_vip_questions(struct asking *asking, const struct vip *vip) {
        const struct role *role = role_of_vip(asking->cluster, vip);
        if (!asks_vip(asking, vip))
                return;
        for (size_t i = 0; i < role->health_count; i++)
                if (role->health[i].vip)
                        add_question(asking, &(struct question){ .role = role, .check = &role->health[i], .vip = vip });
}

static struct in_addr address_of_question(const struct question *question) {
        if (question->node)
                return question->node->ip;
        return question->vip->ip;
}

static bool is_of_machine(const struct question *question) {
        return question->check == &question->asking->machine_check;
}

static void judge_answer(const struct probe *probe, void *context) {
        struct question *question = context;
        const struct asking *asking = question->asking;
        question->values = json_object();
        question->http_status = probe->http.status;
        if (is_of_machine(question)) {
                question->machine = json_object();
                question->findings = json_array();
                (void)!machine_judge(asking->cluster, question->node, probe, asking->options->wanted_build,
                                     question->machine, question->findings, &question->is_other, &question->why);
                return;
        }
        health_judge(question->check, probe, question->values, &question->why);
        if (question->node)
                question->has_clock = clock_sample_http(probe, &question->clock);
        question->clock.node = question->node;
}

static void prepare_probes(struct asking *asking) {
        asking->probes = xcalloc(asking->count + 1, sizeof *asking->probes);
        for (size_t i = 0; i < asking->count; i++) {
                struct question *question = &asking->questions[i];
                struct probe *probe = &asking->probes[i];
                char host[INET_ADDRSTRLEN];
                question->asking = asking;
                probe->judge = judge_answer;
                probe->context = question;
                probe->address = address_of_question(question);
                probe->port = (uint16_t)question->check->port;
                probe->is_http = question->check->kind == HEALTH_HTTP;
                if (question->check->kind == HEALTH_ZOOKEEPER) {
                        probe->next = zookeeper_next;
                        probe->subject = question->check;
                }
                inet_ntop(AF_INET, &probe->address, host, sizeof host);
                if (health_request(question->check, host, &question->request)) {
                        probe->request = buf_text(&question->request);
                        probe->request_size = question->request.size;
                }
        }
}

// ---- answers ----

// Of what nothing was asked nothing is known.
static void add_judged(json_t *map, const char *name, const char *role, struct in_addr address, bool is_asked) {
        char ip[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &address, ip, sizeof ip);
        (void)!json_object_set_new(
            map, name, json_pack("{ss ss sb s[]}", "role", role, "ip", ip, "healthy", (int)is_asked, "checks"));
}

// An optional check asks for nothing: a machine that is off does as well as any.
static bool needs_answer(const struct role *role, bool of_vip) {
        for (size_t i = 0; i < role->health_count; i++) {
                const struct health_check *check = &role->health[i];
                bool is_asked = check->vip || !of_vip;
                if (is_asked && !check->optional)
                        return true;
        }
        return false;
}

static bool is_role_asked(const struct asking *asking, const struct role *role) {
        return needs_answer(role, false) || asking->machine_check.port != 0;
}

static void add_all_judged(struct asking *asking) {
        const struct cluster *cluster = asking->cluster;
        for (size_t i = 0; i < cluster->node_count; i++) {
                const struct node *node = &cluster->nodes[i];
                const struct role *role = &cluster->roles[node->role];
                if (asks_role(asking, role))
                        add_judged(asking->nodes, node->name, role->name, node->ip, is_role_asked(asking, role));
        }
        for (size_t i = 0; i < cluster->vip_count; i++) {
                const struct vip *vip = &cluster->vips[i];
                if (asks_vip(asking, vip))
                        add_judged(asking->vips, vip->name, text_or(vip->role, ""), vip->ip,
                                   needs_answer(role_of_vip(cluster, vip), true));
        }
}

static json_t *target_of(struct asking *asking, const struct question *question) {
        if (question->node)
                return json_object_get(asking->nodes, question->node->name);
        return json_object_get(asking->vips, question->vip->name);
}

static const char *remedy_of_probe(const struct probe *probe) {
        static const char *const remedies[] = {
                [PROBE_ANSWERED] = "on the node: systemctl --failed; journalctl -b -u of the service",
                [PROBE_REFUSED] =
                    "the machine is up and the service is not: systemctl status, journalctl -b on the node",
                [PROBE_TIMED_OUT] = "is the machine on, and did it boot? Look at its console; a firewall may drop, too",
                [PROBE_SILENT] = "the service hangs: its log, memory and disk on the node",
                [PROBE_UNREACHABLE] = "no way there from this machine: routes, cable, VLAN",
                [PROBE_BROKEN] = "the service closes connections: its log on the node",
        };
        return remedies[probe->end];
}

// A machine that is off is told once, and not for each of its checks.
static bool is_told(struct asking *asking, const struct question *question, const struct probe *probe) {
        bool is_away = probe->end == PROBE_TIMED_OUT || probe->end == PROBE_UNREACHABLE;
        if (!is_away || !question->node)
                return false;
        bool was_told = asking->told_away == question->node;
        asking->told_away = question->node;
        return was_told;
}

static void add_check_finding(struct asking *asking, const struct question *question, const struct probe *probe,
                              const char *why) {
        char ip[INET_ADDRSTRLEN];
        if (is_told(asking, question, probe))
                return;
        inet_ntop(AF_INET, &probe->address, ip, sizeof ip);
        const char *name = NULL, *kind = "";
        if (question->node)
                name = question->node->name;
        else {
                name = question->vip->name;
                kind = "virtual address ";
        }
        auto_free char *what = xasprintf("%s%s (%s): %s", kind, name, ip, question->check->name);
        const char *remedy = remedy_of_probe(probe);
        bool is_answer = probe->end == PROBE_ANSWERED;
        if (is_answer)
                remedy = text_or(question->check->remedy, remedy);
        add_finding(asking->findings, what, why, remedy, question->vip != NULL);
        if (question->vip)
                asking->any_serious = true;
}

// What a node told already, or NULL. Questions to one node follow each other.
static struct clock_sample *clock_of(const struct asking *asking, const struct node *node) {
        if (asking->clock_count == 0)
                return NULL;
        struct clock_sample *last = &asking->clocks[asking->clock_count - 1];
        if (last->node != node)
                return NULL;
        return last;
}

// The first time that a node tells is its time.
static void take_clock(struct asking *asking, const struct question *question) {
        if (question->has_clock && !clock_of(asking, question->node))
                *array_append(&asking->clocks, &asking->clock_count) = question->clock;
}

// kiln-node's time is finer than a Date, and takes its place.
static void take_machine_clock(struct asking *asking, const struct question *question, const struct probe *probe) {
        const json_t *at = json_object_get(json_object_get(question->machine, "machine"), "time");
        if (!json_is_number(at))
                return;
        struct clock_sample *sample = clock_of(asking, question->node);
        if (!sample)
                sample = array_append(&asking->clocks, &asking->clock_count);
        *sample = (struct clock_sample){ question->node, json_number_value(at) - probe->ended_s,
                                         (double)probe->elapsed_ms / 1000 };
}

static void take_machine(struct asking *asking, const struct question *question, const struct probe *probe,
                         json_t *target) {
        (void)!json_object_update(target, question->machine);
        (void)!json_array_extend(asking->findings, question->findings);
        take_machine_clock(asking, question, probe);
}

// Whether a node is unhealthy if the check fails. Of a node that has no other, kiln-node's own answer counts.
static bool is_needed(const struct question *question) {
        if (is_of_machine(question))
                return question->is_other || !needs_answer(question->role, false);
        return !question->check->optional;
}

static json_t *describe_check(const struct question *question, const struct probe *probe) {
        json_t *evidence = json_string(buf_text(&question->why));
        if (!evidence)
                evidence = json_string("the answer is no UTF-8");
        json_t *check = json_pack("{ss sb si so sO}", "name", question->check->name, "ok", question->why.size == 0,
                                  "ms", (int)probe->elapsed_ms, "evidence", evidence, "values", question->values);
        if (question->http_status != 0)
                (void)!json_object_set_new(check, "http", json_integer(question->http_status));
        return check;
}

static void take_answer(struct asking *asking, const struct question *question, const struct probe *probe) {
        json_t *target = target_of(asking, question), *check = describe_check(question, probe);
        bool is_there = probe->end != PROBE_TIMED_OUT && probe->end != PROBE_UNREACHABLE;
        if (is_of_machine(question))
                take_machine(asking, question, probe, target);
        else
                take_clock(asking, question);
        if (is_there)
                asking->any_answer = true;
        json_array_append_new(json_object_get(target, "checks"), check);
        if (question->why.size == 0)
                return;
        if (is_needed(question))
                json_object_set_new(target, "healthy", json_false());
        if (!question->check->optional)
                add_check_finding(asking, question, probe, member_text(check, "evidence"));
}

// ---- roles ----

static size_t needed_nodes(const struct role *role) {
        const char *need = role->need;
        if (!need && role->ensemble)
                need = "majority";
        need = text_or(need, "1");
        if (strcmp(need, "majority") == 0)
                return role->node_count / 2 + 1;
        if (strcmp(need, "all") == 0)
                return role->node_count;
        return size_min(strtoul(need, NULL, 10), role->node_count);
}

static enum status_state state_of_role(size_t healthy, size_t need, size_t nodes) {
        if (healthy < need)
                return STATUS_NOT_SERVING;
        if (healthy < nodes)
                return STATUS_DEGRADED;
        return STATUS_HEALTHY;
}

static void tell_unasked_role(struct asking *asking, const struct role *role) {
        auto_free char *what = xasprintf("role %s", role->name);
        add_finding(asking->findings, what, "nothing is asked of its nodes, so that nothing is known of them",
                    "give its role file `health`, if only {name: ssh, kind: tcp, port: 22}, or the cluster file "
                    "`status_port`",
                    false);
}

static enum status_state judge_role(struct asking *asking, const struct role *role) {
        size_t healthy = 0, need = needed_nodes(role), spare = 0;
        for (size_t i = 0; i < role->node_count; i++) {
                const json_t *node = json_object_get(asking->nodes, asking->cluster->nodes[role->nodes[i]].name);
                healthy += json_is_true(json_object_get(node, "healthy"));
        }
        enum status_state state = state_of_role(healthy, need, role->node_count);
        if (healthy > need)
                spare = healthy - need;
        if (!is_role_asked(asking, role)) {
                state = STATUS_UNKNOWN;
                tell_unasked_role(asking, role);
        }
        (void)!json_object_set_new(asking->roles, role->name,
                                   json_pack("{si si si si ss}", "nodes", (int)role->node_count, "healthy",
                                             (int)healthy, "need", (int)need, "spare", (int)spare, "state",
                                             status_state_name(state)));
        agreements_judge(asking->cluster, role, asking->nodes, asking->agreements, asking->findings,
                         &asking->any_serious);
        return state;
}

static void judge_vips(struct asking *asking) {
        for (size_t i = 0; i < asking->cluster->vip_count; i++) {
                const struct vip *vip = &asking->cluster->vips[i];
                json_t *target = json_object_get(asking->vips, vip->name);
                if (!target)
                        continue;
                if (vip_judge_owner(asking->cluster, vip, &asking->owners[i], asking->nodes, target, asking->findings))
                        asking->any_serious = true;
                if (needs_answer(role_of_vip(asking->cluster, vip), true))
                        continue;
                auto_free char *what = xasprintf("virtual address %s", vip->name);
                add_finding(asking->findings, what, "nothing is asked through it, so that nothing is known of it",
                            "give one of the role's `health` checks `vip: true`", false);
        }
}

// The worst of the roles; one of which nothing is known lets the cluster be degraded at best.
static enum status_state judge_roles(struct asking *asking) {
        enum status_state worst = STATUS_HEALTHY;
        for (size_t i = 0; i < asking->cluster->role_count; i++) {
                const struct role *role = &asking->cluster->roles[i];
                if (role->node_count == 0 || !asks_role(asking, role))
                        continue;
                enum status_state state = judge_role(asking, role);
                if (state == STATUS_UNKNOWN)
                        state = STATUS_DEGRADED;
                if (state > worst)
                        worst = state;
        }
        return worst;
}

static enum status_state judge_all(struct asking *asking) {
        enum status_state worst = judge_roles(asking);
        judge_vips(asking);
        clocks_judge(asking->clocks, asking->clock_count, asking->findings);
        if (asking->count == 0 || !asking->any_answer) {
                add_finding(asking->findings, "the cluster", "nothing of it answers",
                            "is this machine in its network? Else no node of it is on, or none has booted", true);
                return STATUS_UNKNOWN;
        }
        if (asking->any_serious)
                return STATUS_NOT_SERVING;
        if (worst == STATUS_HEALTHY && json_array_size(asking->findings) > 0)
                return STATUS_DEGRADED;
        return worst;
}

static json_t *describe_status(struct asking *asking, enum status_state state, int64_t took_ms) {
        return json_pack("{si ss sI sI ss ss? so so so so so}", "format", 1, "cluster", asking->cluster->name, "at",
                         (json_int_t)time(NULL), "took_ms", (json_int_t)took_ms, "state", status_state_name(state),
                         "wanted_build", asking->options->wanted_build, "roles", asking->roles, "nodes", asking->nodes,
                         "vips", asking->vips, "agreements", asking->agreements, "findings", asking->findings);
}

static void release_asking(struct asking *asking) {
        for (size_t i = 0; i < asking->count; i++) {
                struct question *question = &asking->questions[i];
                buf_release(&question->request);
                buf_release(&question->why);
                json_decref(question->values);
                json_decref(question->machine);
                json_decref(question->findings);
                probe_release(&asking->probes[i]);
        }
        free(asking->questions);
        free(asking->probes);
        free(asking->owners);
        free(asking->clocks);
}

static void prepare_questions(struct asking *asking) {
        const struct cluster *cluster = asking->cluster;
        asking->machine_check = (struct health_check){
                .name = "kiln-node", .kind = HEALTH_HTTP, .path = "/", .port = cluster->status_port
        };
        for (size_t i = 0; i < cluster->role_count; i++)
                if (asks_role(asking, &cluster->roles[i]))
                        add_role_questions(asking, &cluster->roles[i]);
        for (size_t i = 0; i < cluster->vip_count; i++)
                add_vip_questions(asking, &cluster->vips[i]);
        prepare_probes(asking);
        asking->owners = xcalloc(cluster->vip_count + 1, sizeof *asking->owners);
        for (size_t i = 0; i < cluster->vip_count; i++)
                asking->owners[i].address = cluster->vips[i].ip;
}

static enum status_state take_answers(struct asking *asking) {
        json_t **members[] = { &asking->nodes, &asking->vips, &asking->roles };
        for (size_t i = 0; i < lengthof(members); i++)
                *members[i] = json_object();
        asking->agreements = json_array();
        asking->findings = json_array();
        add_all_judged(asking);
        for (size_t i = 0; i < asking->count; i++)
                take_answer(asking, &asking->questions[i], &asking->probes[i]);
        return judge_all(asking);
}

bool status_ask(const struct cluster *cluster, const struct status_options *options, json_t **ret,
                enum status_state *ret_state, struct err *err) {
        enum { ARP_WAIT_MS = 500 };
        assert(cluster && options && ret && ret_state);
        struct asking asking = { .cluster = cluster, .options = options };
        int64_t began = monotonic_ms();
        prepare_questions(&asking);
        struct arp_asking *owners = arp_begin(asking.owners, cluster->vip_count);
        bool ok = probes_run(asking.probes, asking.count, options->deadline_ms, err);
        arp_end(owners, (int)size_min(options->deadline_ms, ARP_WAIT_MS));
        if (ok) {
                *ret_state = take_answers(&asking);
                *ret = describe_status(&asking, *ret_state, monotonic_ms() - began);
        }
        release_asking(&asking);
        return ok;
}
