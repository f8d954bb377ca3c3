// SPDX-License-Identifier: MIT
// Faults of machines, cables and disks, by command. What a fault chooses comes from the rack's seed, and each is in the
// journal.
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/run.h"
#include "rack/internal.h"
#include "rack/rack_qmp.h"

#define ANY "any"

enum { DAY_S = 86400, OFFSET_MOST = 100000 };

// ---- the cable ----

static bool set_link(const struct supervisor *supervisor, const struct rack_machine *machine, bool is_up,
                     struct err *err) {
        json_t *commands = json_array();
        json_array_append_new(
            commands, json_pack("{ss s{ss sb}}", "execute", "set_link", "arguments", "name", "lan", "up", is_up));
        for (size_t i = 0; i < machine->card_count; i++) {
                auto_free char *name = xasprintf("lan%zu", i + 2);
                json_array_append_new(commands, json_pack("{ss s{ss sb}}", "execute", "set_link", "arguments", "name",
                                                          name, "up", is_up));
        }
        return rack_qmp_run(supervisor->place->dir, machine->node->name, commands, err);
}

static bool fault_cable(struct supervisor *supervisor, struct rack_machine *machine, const char *value,
                        struct err *err) {
        (void)value;
        return set_link(supervisor, machine, false, err);
}

// tc-netem(8), on what goes to the machine.
static bool run_netem(const struct rack_machine *machine, const char *what, const char *value, const char *unit,
                      struct err *err) {
        auto_free char *amount = xasprintf("%s%s", value, unit);
        if (run_command(err, "tc", "qdisc", "replace", "dev", machine->tap, "root", "netem", what, amount, NULL))
                return true;
        if (err->text && strstr(err->text, "kind is unknown"))
                return hint(err, "this kernel has no netem (CONFIG_NET_SCH_NETEM, module sch_netem): delay, loss and "
                                 "corrupt need it; cable, cut, mac, clock and disk do not");
        return hint(err, "the Debian package iproute2 has tc");
}

static bool need_number(const char *value, unsigned long most, const char *means, struct err *err) {
        char *end;
        unsigned long number = strtoul(value, &end, 10);
        bool is_number = isdigit((unsigned char)*value) && *end == '\0' && number > 0 && number <= most;
        return is_number || fail(err, ERR_USAGE, 0, "`%s` is not %s, 1 to %lu", value, means, most);
}

static bool fault_delay(struct supervisor *supervisor, struct rack_machine *machine, const char *value,
                        struct err *err) {
        (void)supervisor;
        return need_number(value, 60000, "a delay in milliseconds", err) &&
               run_netem(machine, "delay", value, "ms", err);
}

static bool fault_loss(struct supervisor *supervisor, struct rack_machine *machine, const char *value,
                       struct err *err) {
        (void)supervisor;
        return need_number(value, 100, "a percentage of packets", err) && run_netem(machine, "loss", value, "%", err);
}

static bool fault_corrupt(struct supervisor *supervisor, struct rack_machine *machine, const char *value,
                          struct err *err) {
        (void)supervisor;
        return need_number(value, 100, "a percentage of packets", err) &&
               run_netem(machine, "corrupt", value, "%", err);
}

// ---- the disk ----

static json_t *reopen_disk(const char *file) {
        return json_pack("{ss s{s[{ss ss ss ss}]}}", "execute", "blockdev-reopen", "arguments", "options", "driver",
                         "raw", "node-name", "disk0", "file", file, "discard", "unmap");
}

// As a disk whose pool is full: what is there can be read, and nothing more is written.
static bool fault_disk(struct supervisor *supervisor, struct rack_machine *machine, const char *value,
                       struct err *err) {
        (void)value;
        if (machine->disk < 0) {
                fail(err, ERR_REFERENCE, 0, "%s has no state disk", machine->node->name);
                return hint(err, "`state_disk` in the cluster file or in the role gives it one");
        }
        json_t *full = json_pack("{ss s{ss ss ss s[{ss ss si sb}]}}", "execute", "blockdev-add", "arguments", "driver",
                                 "blkdebug", "node-name", "disk0-full", "image", "disk0-file", "inject-error", "event",
                                 "none", "iotype", "write", "errno", ENOSPC, "once", 0);
        return rack_qmp_run(supervisor->place->dir, machine->node->name,
                            json_pack("[oo]", full, reopen_disk("disk0-full")), err);
}

// ---- who it is, and when ----

// What is true of a machine from its next start on: it is started anew.
static bool restart(struct supervisor *supervisor, struct rack_machine *machine, struct err *err) {
        if (!rack_machine_check(&supervisor->machines, machine, err))
                return false;
        if (machine->power == RACK_ON) {
                rack_machine_cut(machine);
                machine->power = RACK_WAITING;
        }
        return true;
}

static bool fault_mac(struct supervisor *supervisor, struct rack_machine *machine, const char *value, struct err *err) {
        char before[RACK_MAC_SIZE];
        const struct rack_machine *other = rack_machine_find(&supervisor->machines, value);
        memcpy(before, machine->mac, sizeof before);
        if (other && other->node->has_mac)
                rack_format_mac(other->node->mac, machine->mac);
        else
                snprintf(machine->mac, sizeof machine->mac, "%s", value);
        if (strlen(value) < sizeof machine->mac && restart(supervisor, machine, err))
                return true;
        memcpy(machine->mac, before, sizeof before);
        if (err->kind == ERR_NONE)
                fail(err, ERR_USAGE, 0, "`%s` is not a MAC address and no node", value);
        return false;
}

// "2026-01-31T12:00:00" as it is, or "-90d", "+2h", "+5m", "-30s" from now.
static bool read_clock(const char *value, char ret[static RACK_CLOCK_SIZE], struct err *err) {
        static const struct {
                char unit;
                long seconds;
        } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', DAY_S } };
        struct tm utc = { 0 };
        const char *rest = strptime(value, "%Y-%m-%dT%H:%M:%S", &utc);
        bool is_time = rest && *rest == '\0';
        char *end;
        long number = strtol(value, &end, 10);
        bool is_offset = (*value == '+' || *value == '-') && isdigit((unsigned char)value[1]) &&
                         number <= OFFSET_MOST && number >= -OFFSET_MOST;
        for (size_t i = 0; is_offset && !is_time && i < lengthof(units); i++) {
                if (end[0] != units[i].unit || end[1] != '\0')
                        continue;
                time_t at = time(NULL) + number * units[i].seconds;
                is_time = gmtime_r(&at, &utc) != NULL;
        }
        if (is_time && strftime(ret, RACK_CLOCK_SIZE, "%Y-%m-%dT%H:%M:%S", &utc) > 0)
                return true;
        return fail(err, ERR_USAGE, 0, "`%s` is no time: 2026-01-31T12:00:00, or +2h, -90d, +5m, -30s from now", value);
}

static bool fault_clock(struct supervisor *supervisor, struct rack_machine *machine, const char *value,
                        struct err *err) {
        return read_clock(value, machine->clock, err) && restart(supervisor, machine, err);
}

static bool fault_cut(struct supervisor *supervisor, struct rack_machine *machine, const char *value, struct err *err) {
        (void)supervisor;
        (void)value;
        (void)err;
        if (machine->power != RACK_OFF)
                rack_machine_cut(machine);
        return true;
}

// ---- no fault ----

static bool heal_disk(const struct supervisor *supervisor, const struct rack_machine *machine, struct err *err) {
        json_t *remove = json_pack("{ss s{ss}}", "execute", "blockdev-del", "arguments", "node-name", "disk0-full");
        return rack_qmp_run(supervisor->place->dir, machine->node->name,
                            json_pack("[oo]", reopen_disk("disk0-file"), remove), err);
}

// A wrong MAC or clock ends with the machine's next start.
static bool fault_none(struct supervisor *supervisor, struct rack_machine *machine, const char *value,
                       struct err *err) {
        auto_err ignored = { 0 };
        (void)value;
        machine->mac[0] = machine->clock[0] = '\0';
        if (machine->has_slow_cable)
                (void)!run_command(&ignored, "tc", "qdisc", "del", "dev", machine->tap, "root", NULL);
        machine->has_slow_cable = false;
        if (machine->power == RACK_ON && machine->has_full_disk && !heal_disk(supervisor, machine, err))
                return false;
        machine->has_full_disk = false;
        return machine->power != RACK_ON || set_link(supervisor, machine, true, err);
}

// ---- the table ----

static const struct fault {
        const char *name, *value; // NULL: it takes none
        bool needs_power;
        bool (*cause)(struct supervisor *supervisor, struct rack_machine *machine, const char *value, struct err *err);
} faults[] = {
        { "cut", NULL, false, fault_cut },
        { "cable", NULL, true, fault_cable },
        { "delay", "MS", false, fault_delay },
        { "loss", "PERCENT", false, fault_loss },
        { "corrupt", "PERCENT", false, fault_corrupt },
        { "disk", NULL, true, fault_disk },
        { "mac", "MAC|NODE", false, fault_mac },
        { "clock", "TIME", false, fault_clock },
        { "none", NULL, false, fault_none },
};

static const struct fault *find_fault(const char *name, struct err *err) {
        auto_buf all = { 0 };
        for (size_t i = 0; i < lengthof(faults); i++) {
                if (strcmp(faults[i].name, name) == 0)
                        return &faults[i];
                buf_printf(&all, "%s%s", i > 0 ? ", " : "", faults[i].name);
                if (faults[i].value)
                        buf_printf(&all, " %s", faults[i].value);
        }
        fail(err, ERR_USAGE, 0, "there is no fault `%s`", name);
        (void)hint(err, "there are %s", buf_text(&all));
        return NULL;
}

// "any", "any:ROLE": one of those that are on, as the seed has it.
static struct rack_machine *choose_any(struct supervisor *supervisor, const char *role, struct err *err) {
        size_t count = 0;
        struct rack_machine *found = NULL;
        for (size_t i = 0; i < supervisor->machines.count; i++) {
                const struct rack_machine *machine = &supervisor->machines.items[i];
                count += machine->power == RACK_ON && (!*role || role_is(machine->role, role));
        }
        if (count == 0) {
                fail(err, ERR_REFERENCE, 0, "no machine that fits is on");
                return NULL;
        }
        uint64_t wanted = rack_journal_choose(&supervisor->journal, count);
        for (size_t i = 0; i < supervisor->machines.count && !found; i++) {
                struct rack_machine *machine = &supervisor->machines.items[i];
                bool fits = machine->power == RACK_ON && (!*role || role_is(machine->role, role));
                if (fits && wanted-- == 0)
                        found = machine;
        }
        return found;
}

static struct rack_machine *choose_machine(struct supervisor *supervisor, const char *name, struct err *err) {
        if (strcmp(name, ANY) == 0)
                return choose_any(supervisor, "", err);
        if (strncmp(name, ANY ":", strlen(ANY ":")) == 0)
                return choose_any(supervisor, name + strlen(ANY ":"), err);
        struct rack_machine *machine = rack_machine_find(&supervisor->machines, name);
        if (!machine) {
                fail(err, ERR_REFERENCE, 0, "rack %s has no node `%s`", supervisor->options->cluster->name, name);
                (void)hint(err, "kiln rack ps lists them; " ANY " and " ANY ":ROLE let the rack's seed choose");
        }
        return machine;
}

static bool check_fault_value(const struct fault *fault, const char *value, struct err *err) {
        if (fault->value && !*value)
                return fail(err, ERR_USAGE, 0, "fault %s needs a value: %s", fault->name, fault->value);
        if (!fault->value && *value)
                return fail(err, ERR_USAGE, 0, "fault %s takes no value", fault->name);
        return true;
}

bool supervisor_fault(struct supervisor *supervisor, const json_t *request, json_t *answer, struct err *err) {
        const char *value = member_text(request, "value"), *name = member_text(request, "node");
        const struct fault *fault = find_fault(member_text(request, "kind"), err);
        if (!fault || !check_fault_value(fault, value, err))
                return false;
        struct rack_machine *machine = choose_machine(supervisor, name, err);
        if (!machine)
                return false;
        if (fault->needs_power && machine->power != RACK_ON)
                return fail(err, ERR_REFERENCE, 0, "%s is not on", machine->node->name);
        if (!fault->cause(supervisor, machine, value, err))
                return wrap(err, "fault %s of %s", fault->name, machine->node->name);
        machine->has_full_disk |= fault->cause == fault_disk;
        machine->has_slow_cable |=
            fault->cause == fault_delay || fault->cause == fault_loss || fault->cause == fault_corrupt;
        rack_journal_note(&supervisor->journal, "fault", machine->node->name,
                          json_pack("{ss ss ss}", "kind", fault->name, "value", value, "asked", name));
        notice("%s: fault %s %s", machine->node->name, fault->name, value);
        json_object_set_new(answer, "node", json_string(machine->node->name));
        return true;
}
