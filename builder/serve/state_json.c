// SPDX-License-Identifier: MIT
#include "serve/state_json.h"

#include <arpa/inet.h>
#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "serve/serve_place.h"

// ---- the line for the inventory ----

void state_yaml_line(const struct rack *rack, const struct boot_machine *machine, struct buf *ret) {
        assert(rack && machine && ret);
        char mac[18], ip[INET_ADDRSTRLEN] = "ADDRESS";
        const char *role = "ROLE";
        boot_mac_format(machine->mac, mac);
        if (rack->free_address.s_addr)
                inet_ntop(AF_INET, &rack->free_address, ip, sizeof ip);
        if (cluster_find_role(rack->cluster, machine->role))
                role = machine->role;
        buf_printf(ret, "- {name: NAME, role: %s, mac: \"%s\", ip: %s}", role, mac, ip);
}

// ---- machines ----

static json_t *time_json(int64_t ms) {
        if (ms == 0)
                return json_null();
        return json_integer(ms);
}

static void set_text(json_t *json, const char *name, const char *text) {
        if (*text)
                json_object_set_new(json, name, json_string(text));
}

static void add_attempt(const struct boot_attempt *attempt, json_t *json) {
        json_object_set_new(json, "stage", json_string(boot_stage_name(attempt->stage)));
        json_object_set_new(json, "attempt", json_integer(attempt->number));
        json_object_set_new(json, "started", time_json(attempt->started_ms));
        json_object_set_new(json, "since", time_json(attempt->at_ms[attempt->stage]));
        json_object_set_new(json, "last", time_json(attempt->last_ms));
        if (attempt->percent >= 0)
                json_object_set_new(json, "percent", json_integer(attempt->percent));
        set_text(json, "build", attempt->build);
        set_text(json, "text", attempt->text);
        set_text(json, "cause", attempt->cause);
        if (attempt->is_lost)
                json_object_set_new(json, "lost", json_true());
        if (attempt->is_slow)
                json_object_set_new(json, "slow", json_true());
}

static json_t *machine_json(const struct rack *rack, const struct boot_machine *machine) {
        json_t *json = json_object();
        if (machine->has_mac) {
                char mac[18];
                boot_mac_format(machine->mac, mac);
                json_object_set_new(json, "mac", json_string(mac));
        }
        if (machine->ip.s_addr) {
                char ip[INET_ADDRSTRLEN] = "";
                inet_ntop(AF_INET, &machine->ip, ip, sizeof ip);
                json_object_set_new(json, "ip", json_string(ip));
        }
        json_object_set_new(json, "known", json_boolean(machine->is_known));
        set_text(json, "name", machine->name);
        set_text(json, "role", machine->role);
        set_text(json, "firmware", machine->firmware);
        set_text(json, "uuid", machine->uuid);
        set_text(json, "serial", machine->serial);
        if (machine->attempts)
                add_attempt(machine->attempts, json);
        else
                json_object_set_new(json, "stage", json_string(boot_stage_name(BOOT_NONE)));
        if (!machine->is_known && machine->has_mac) {
                auto_buf line = { 0 };
                state_yaml_line(rack, machine, &line);
                json_object_set_new(json, "yaml", json_string(buf_text(&line)));
        }
        return json;
}

static void dump_json(json_t *json, struct buf *ret) {
        auto_free char *text = json_dumps(json, JSON_COMPACT);
        json_decref(json);
        buf_append_text(ret, text_or(text, "{}"));
}

static json_t *stages_json(void) {
        json_t *stages = json_array();
        for (size_t i = 0; i < BOOT_STAGE_COUNT; i++)
                json_array_append_new(stages, json_pack("{ss ss}", "name", boot_stage_name((enum boot_stage)i), "means",
                                                        boot_stage_meaning((enum boot_stage)i)));
        return stages;
}

static json_t *rack_head_json(const struct rack *rack) {
        const char *build = "";
        if (rack->wanted)
                build = rack->wanted->id;
        return json_pack("{si ss ss sI sI sI si si sI sI sI}", "version", 1, "cluster", rack->cluster->name, "build",
                         build, "seq", (json_int_t)rack->state->version, "now", (json_int_t)boot_now_ms(), "since",
                         (json_int_t)rack->started_ms, "transfers", (int)rack->admission.active, "limit",
                         (int)rack->admission.limit, "waiting", (json_int_t)rack->admission.waiter_count, "requests",
                         (json_int_t)rack->requests, "count", (json_int_t)rack->state->count);
}

// "owners" is what the last round of ARP found; "asked" is absent where nobody could ask.
static json_t *vips_json(const struct rack *rack) {
        json_t *vips = json_array();
        for (size_t i = 0; i < rack->vips.count && i < rack->cluster->vip_count; i++) {
                const struct watched_vip *vip = &rack->vips.vips[i];
                char ip[INET_ADDRSTRLEN] = "";
                inet_ntop(AF_INET, &vip->ip, ip, sizeof ip);
                json_t *owners = json_array(),
                       *json = json_pack("{ss ss}", "name", rack->cluster->vips[i].name, "ip", ip);
                for (size_t j = 0; j < vip->owner_count; j++) {
                        const struct boot_machine *machine = boot_state_by_mac(rack->state, vip->owners[j]);
                        char mac[18];
                        boot_mac_format(vip->owners[j], mac);
                        json_t *owner = json_pack("{ss}", "mac", mac);
                        if (machine)
                                set_text(owner, "node", machine->name);
                        json_array_append_new(owners, owner);
                }
                json_object_set_new(json, "owners", owners);
                if (vip->asked_ms)
                        json_object_set_new(json, "asked", time_json(vip->asked_ms));
                json_array_append_new(vips, json);
        }
        return vips;
}

void state_json_changes(const struct rack *rack, uint64_t since, struct buf *ret) {
        assert(rack && ret);
        json_t *json = rack_head_json(rack), *machines = json_array();
        for (size_t i = 0; i < rack->state->count; i++)
                if (since == 0 || rack->state->machines[i]->version > since)
                        json_array_append_new(machines, machine_json(rack, rack->state->machines[i]));
        if (since == 0)
                json_object_set_new(json, "stages", stages_json());
        json_object_set_new(json, "vips", vips_json(rack));
        json_object_set_new(json, "machines", machines);
        dump_json(json, ret);
}

static json_t *history_json(const struct boot_attempt *attempt) {
        json_t *json = json_object(), *stages = json_object();
        add_attempt(attempt, json);
        for (size_t i = 0; i < BOOT_STAGE_COUNT; i++)
                if (attempt->at_ms[i])
                        json_object_set_new(stages, boot_stage_name((enum boot_stage)i), time_json(attempt->at_ms[i]));
        json_object_set_new(json, "stages", stages);
        if (attempt->console)
                set_text(json, "console", attempt->console);
        return json;
}

void state_json_machine(const struct rack *rack, const struct boot_machine *machine, struct buf *ret) {
        assert(rack && machine && ret);
        json_t *json = machine_json(rack, machine), *attempts = json_array();
        for (size_t i = 0; i < machine->attempt_count; i++)
                json_array_append_new(attempts, history_json(&machine->attempts[i]));
        json_object_set_new(json, "attempts", attempts);
        dump_json(json, ret);
}

// ---- Prometheus ----

static void append_metric(struct buf *ret, const char *name, const char *type, const char *help, uint64_t value) {
        buf_printf(ret, "# HELP %s %s\n# TYPE %s %s\n%s %ju\n", name, help, name, type, name, (uintmax_t)value);
}

void state_metrics(const struct rack *rack, struct buf *ret) {
        assert(rack && ret);
        uint64_t stages[BOOT_STAGE_COUNT] = { 0 }, unknown = 0, lost = 0, slow = 0;
        for (size_t i = 0; i < rack->state->count; i++) {
                const struct boot_machine *machine = rack->state->machines[i];
                unknown += !machine->is_known;
                if (machine->is_known)
                        stages[machine->attempts ? machine->attempts[0].stage : BOOT_NONE]++;
                lost += machine->attempts && machine->attempts[0].is_lost;
                slow += machine->attempts && machine->attempts[0].is_slow;
        }
        buf_append_text(ret, "# HELP kiln_nodes Nodes of the inventory by the stage of their boot.\n"
                             "# TYPE kiln_nodes gauge\n");
        for (size_t i = 0; i < BOOT_STAGE_COUNT; i++)
                buf_printf(ret, "kiln_nodes{stage=\"%s\"} %ju\n", boot_stage_name((enum boot_stage)i),
                           (uintmax_t)stages[i]);
        append_metric(ret, "kiln_unknown_machines", "gauge", "Machines that the inventory does not know.", unknown);
        append_metric(ret, "kiln_lost_nodes", "gauge", "Nodes that fell silent while they booted.", lost);
        append_metric(ret, "kiln_slow_nodes", "gauge", "Nodes slower than three times the median of their role.", slow);
        append_metric(ret, "kiln_root_transfers", "gauge", "Roots that are being sent.", rack->admission.active);
        append_metric(ret, "kiln_root_transfers_limit", "gauge", "Roots sent at once at most; 0: any number.",
                      rack->admission.limit);
        append_metric(ret, "kiln_waiting_clients", "gauge", "Clients that were asked to come back.",
                      rack->admission.waiter_count);
        append_metric(ret, "kiln_file_requests_total", "counter", "Requests for published files.", rack->requests);
        append_metric(ret, "kiln_refused_requests_total", "counter", "Requests answered with 503.",
                      rack->refused_requests);
        append_metric(ret, "kiln_journal_bytes", "gauge", "Size of the journal.", rack->journal.size_bytes);
}
