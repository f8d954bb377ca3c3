// SPDX-License-Identifier: MIT
#include "firmware/node/report.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/version.h"
#include "firmware/node/facts/text_json.h"
#include "firmware/node/root/root.h"

enum { TIMES_MAX = 1 << 16, STATE_MAX = 1 << 20 };

// ---- the record ----

// What the initrd left: KEY=VALUE lines, numbers but for ROOT.
static json_t *boot_json(int root) {
        auto_buf text = { .max = TIMES_MAX };
        auto_err ignored = { 0 };
        bool found;
        if (!root_read(root, "/run/kiln/boot", &text, &found, &ignored) || !found || text.size == 0)
                return NULL;
        json_t *boot = json_object();
        char *save = NULL;
        for (char *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *value = strchr(line, '=');
                if (!value)
                        continue;
                *value++ = '\0';
                size_t digits = strspn(value, "0123456789");
                bool is_number = digits > 0 && digits < 18 && value[digits] == '\0';
                if (is_number)
                        json_object_set_new(boot, line, json_integer(atoll(value)));
                else
                        json_object_set_new(boot, line, facts_text_json(value));
        }
        return boot;
}

static json_t *state_json(int root) {
        auto_buf text = { .max = STATE_MAX };
        auto_err ignored = { 0 };
        bool found;
        if (!root_read(root, "/run/kiln/state.json", &text, &found, &ignored) || !found)
                return json_null();
        json_t *state = json_loadb(buf_text(&text), text.size, 0, NULL);
        if (!state)
                state = json_null();
        return state;
}

static json_t *head_json(const struct machine *machine) {
        const struct inventory *inventory = &machine->inventory;
        struct utsname kernel = { 0 };
        (void)uname(&kernel);
        json_t *head = json_pack("{si ss* ss* ss* ss* s{ss ss} ss* ss*}", "format", 1, "cluster", inventory->cluster,
                                 "role", inventory->role, "build", inventory->build, "release", inventory->release,
                                 "versions", "kiln", KILN_VERSION, "kernel", kernel.release, "serial",
                                 machine->facts.serial, "uuid", machine->facts.uuid);
        json_t *boot = boot_json(machine->root);
        if (boot)
                json_object_set_new(head, "boot", boot);
        return head;
}

// Releases `report`. ASCII alone, with the rest as \uXXXX: people read reports on terminals.
static bool write_json(int root, json_t *report, struct err *err) {
        static const char *const paths[] = { "/run/kiln/report.json", "/var/lib/kiln/report.json" };
        auto_free char *text = json_dumps(report, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
        json_decref(report);
        if (!text)
                return fail(err, ERR_INTERNAL, 0, "the report is not UTF-8");
        for (size_t i = 0; i < lengthof(paths); i++) {
                bool changed;
                if (!root_write(root, &(struct root_file){ paths[i], text, strlen(text), 0644, 0, 0 }, &changed, err))
                        return false;
        }
        return true;
}

bool report_write(const struct machine *machine, const struct decision *decision, const struct applied *applied,
                  struct err *err) {
        assert(machine->root >= 0);
        json_t *report = head_json(machine);
        json_t *times = json_pack("{sI sI sI sI so}", "elapsed_ms", (json_int_t)applied->elapsed_ms, "interfaces_ms",
                                  (json_int_t)decision->interfaces_ms, "dhcp_ms", (json_int_t)decision->dhcp_ms,
                                  "changed", (json_int_t)applied->changed, "state", state_json(machine->root));
        json_t *plan = plan_json(&decision->plan, false);
        json_object_update(report, times);
        json_object_update(report, plan);
        json_decref(times);
        json_decref(plan);
        return write_json(machine->root, report, err);
}

void report_write_failure(const struct machine *machine, const char *failure) {
        assert(failure);
        auto_err ignored = { 0 };
        if (machine->root < 0)
                return;
        json_t *report = head_json(machine);
        json_object_set_new(report, "failure", facts_text_json(failure));
        (void)!write_json(machine->root, report, &ignored);
}

bool report_add_network(int root, const char *problem, int repairs, struct err *err) {
        assert(root >= 0);
        auto_buf text = { .max = STATE_MAX };
        bool found;
        if (!root_read(root, "/run/kiln/report.json", &text, &found, err))
                return false;
        json_t *report = json_loadb(buf_text(&text), text.size, 0, NULL);
        if (!json_is_object(report)) {
                json_decref(report);
                return fail(err, ERR_REFERENCE, 0, "there is no /run/kiln/report.json: did kiln-node apply run?");
        }
        json_t *why = json_null();
        if (problem)
                why = facts_text_json(problem);
        json_object_set_new(report, "network", json_pack("{so si}", "problem", why, "repairs", repairs));
        return write_json(root, report, err);
}

// ---- the short form ----

static const struct plan_value *find_value(const struct plan *plan, const char *name) {
        static const struct plan_value none = { "", "", "" };
        for (size_t i = 0; i < plan->value_count; i++)
                if (strcmp(plan->values[i].name, name) == 0)
                        return &plan->values[i];
        return &none;
}

static const char *remedy_of(const struct plan *plan) {
        if (plan->lacks_card)
                return "Look whether the card is seen by the firmware, and whether the\n"
                       "kiln-node: image has its driver. The machine looks again when a card appears.";
        return "Enter the machine in the inventory, boot its own role's image,\n"
               "kiln-node: or give kiln.node=NAME on the kernel command line; then reboot.";
}

static void refusal_text(const struct plan *plan, struct buf *text) {
        buf_printf(text,
                   "kiln-node: REFUSED: %s\n"
                   "kiln-node: this machine has: %s\n"
                   "kiln-node: the cluster's services stay down. %s\n",
                   plan->refusal, plan->found, remedy_of(plan));
}

void report_text(const struct decision *decision, const struct applied *applied, struct buf *ret_text) {
        const struct plan *plan = &decision->plan;
        if (plan->refusal) {
                refusal_text(plan, ret_text);
        } else {
                const struct plan_value *ip = find_value(plan, "ip"), *id = find_value(plan, "id");
                buf_printf(ret_text, "kiln-node: %s role=%s ip=%s (%s)", plan->hostname,
                           find_value(plan, "role")->value, ip->value, ip->source);
                if (*id->value)
                        buf_printf(ret_text, " id=%s", id->value);
                buf_printf(ret_text, " interface=%s, %zu files changed, %lld ms\n",
                           find_value(plan, "interface")->value, applied->changed, (long long)applied->elapsed_ms);
        }
        for (size_t i = 0; i < plan->note_count; i++)
                buf_printf(ret_text, "kiln-node: note: %s\n", plan->notes[i]);
}
