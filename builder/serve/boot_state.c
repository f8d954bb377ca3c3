// SPDX-License-Identifier: MIT
#include "serve/boot_state.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "serve/boot_index.h"

// A firmware that asks again after so long has been started anew: it asks for at most a minute (PXE 2.1, 2.2.4).
enum { DHCP_AGAIN_MS = 90000 };
// No machine gets from its end to its firmware's first packet within so little, but dnsmasq's lines may be read so much
// later than its files are asked for.
enum { FIRMWARE_LEAST_MS = 1000 };

// ---- machines ----

struct boot_state *boot_state_new(void) {
        struct boot_state *state = xcalloc(1, sizeof *state);
        state->index = boot_index_new();
        return state;
}

static void free_machine(struct boot_machine *machine) {
        for (size_t i = 0; i < machine->attempt_count; i++)
                free(machine->attempts[i].console);
        free(machine->attempts);
        free(machine);
}

void boot_state_free(struct boot_state *state) {
        if (!state)
                return;
        for (size_t i = 0; i < state->count; i++)
                free_machine(state->machines[i]);
        free(state->machines);
        boot_index_free(state->index);
        free(state);
}

struct boot_machine *boot_state_by_mac(const struct boot_state *state, const uint8_t mac[static BOOT_MAC_SIZE]) {
        return boot_index_get(state->index, 'm', mac, BOOT_MAC_SIZE);
}

struct boot_machine *boot_state_by_ip(const struct boot_state *state, struct in_addr ip) {
        return boot_index_get(state->index, 'i', &ip, sizeof ip);
}

struct boot_machine *boot_state_by_name(const struct boot_state *state, const char *name) {
        return boot_index_get(state->index, 'n', name, strlen(name));
}

struct boot_machine *boot_state_by_assigned(const struct boot_state *state, struct in_addr ip) {
        return boot_index_get(state->index, 'a', &ip, sizeof ip);
}

static void touch_machine(struct boot_state *state, struct boot_machine *machine) {
        machine->version = ++state->version;
}

// ---- the inventory ----

// The machine that was known by one of a node's cards; one that was a node before goes before a stranger.
static struct boot_machine *machine_of_cards(const struct boot_state *state, const struct node *node) {
        struct boot_machine *found = NULL;
        size_t count;
        auto_free struct node_mac *macs = node_macs(node, &count);
        for (size_t i = 0; i < count; i++) {
                struct boot_machine *machine = boot_state_by_mac(state, macs[i].bytes);
                bool is_its = machine && !machine->node && memcmp(machine->mac, macs[i].bytes, BOOT_MAC_SIZE) == 0;
                if (is_its && (!found || (machine->is_known && !found->is_known)))
                        found = machine;
        }
        return found;
}

// Which machine each node is, of those that were seen: by its cards, and by its name where nobody has them, since cards
// are replaced. Names come last: they may have been given to other nodes meanwhile. NULL for a node that nobody was.
static struct boot_machine **machines_of_nodes(const struct boot_state *state, const struct cluster *cluster) {
        struct boot_machine **machines = xcalloc(cluster->node_count + 1, sizeof(struct boot_machine *));
        for (size_t i = 0; i < cluster->node_count; i++) {
                machines[i] = machine_of_cards(state, &cluster->nodes[i]);
                if (machines[i])
                        machines[i]->node = &cluster->nodes[i];
        }
        for (size_t i = 0; i < cluster->node_count; i++) {
                struct boot_machine *named = boot_state_by_name(state, cluster->nodes[i].name);
                if (machines[i] || !named || named->node)
                        continue;
                named->node = &cluster->nodes[i];
                machines[i] = named;
        }
        return machines;
}

static void join_node(struct boot_machine *machine, const struct cluster *cluster, const struct node *node) {
        machine->is_known = true;
        machine->node = node;
        machine->has_mac = node->has_mac;
        memcpy(machine->mac, node->mac, sizeof machine->mac);
        boot_text_copy(machine->name, sizeof machine->name, node->name);
        boot_text_copy(machine->role, sizeof machine->role, cluster->roles[node->role].name);
        machine->ip = node->ip;
}

static void index_assigned(struct boot_state *state, const struct strings *addresses, struct boot_machine *machine) {
        for (size_t i = 0; i < addresses->count; i++) {
                struct in_addr ip;
                if (inet_pton(AF_INET, addresses->items[i], &ip) == 1)
                        boot_index_put(state->index, 'a', &ip, sizeof ip, machine);
        }
}

static void index_node(struct boot_state *state, struct boot_machine *machine) {
        const struct node *node = machine->node;
        boot_index_put(state->index, 'n', machine->name, strlen(machine->name), machine);
        boot_index_put(state->index, 'a', &node->ip, sizeof node->ip, machine);
        index_assigned(state, &node->addresses, machine);
        for (size_t i = 0; i < node->link_count; i++) {
                if (node->links[i].ip.s_addr)
                        boot_index_put(state->index, 'a', &node->links[i].ip, sizeof node->ip, machine);
                index_assigned(state, &node->links[i].addresses, machine);
        }
        size_t count;
        auto_free struct node_mac *macs = node_macs(node, &count);
        for (size_t i = 0; i < count; i++)
                boot_index_put(state->index, 'm', macs[i].bytes, BOOT_MAC_SIZE, machine);
}

// What the inventory gives to a node stays that node's, whoever else shows it.
static void index_address(struct boot_state *state, struct boot_machine *machine) {
        const struct boot_machine *owner = boot_state_by_assigned(state, machine->ip);
        if (!owner || owner == machine)
                boot_index_put(state->index, 'i', &machine->ip, sizeof machine->ip, machine);
}

static void index_machine(struct boot_state *state, struct boot_machine *machine) {
        if (machine->is_known)
                index_node(state, machine);
        if (machine->has_mac)
                boot_index_put(state->index, 'm', machine->mac, BOOT_MAC_SIZE, machine);
        if (machine->ip.s_addr)
                index_address(state, machine);
}

static void index_machines(struct boot_state *state, size_t first) {
        for (size_t i = first; i < state->count; i++)
                index_machine(state, state->machines[i]);
}

static void append_machine(struct boot_state *state, struct boot_machine *machine) {
        *array_append(&state->machines, &state->count) = machine;
}

// It was a stranger, and the inventory has its card by now, which may be another card of a node that was known before.
static bool is_card_of_node(const struct boot_state *state, const struct boot_machine *machine) {
        return machine->has_mac && boot_state_by_mac(state, machine->mac) != NULL;
}

// Time tells of nodes alone (boot_state_tick()), and would take nothing back.
static void forget_judgement(struct boot_attempt *attempt) {
        attempt->is_lost = attempt->is_slow = false;
        attempt->cause[0] = '\0';
}

// Those that were not joined to a node: seen ones stay as unknown machines, by their cards; others go. The index has
// nodes alone.
static void keep_unknown(struct boot_state *state, struct boot_machine **old, size_t old_count) {
        for (size_t i = 0; i < old_count; i++) {
                struct boot_machine *machine = old[i];
                if (!machine || machine->node)
                        continue;
                bool is_nobody = !machine->attempts || !machine->has_mac;
                if (is_nobody || is_card_of_node(state, machine)) {
                        free_machine(machine);
                        continue;
                }
                machine->is_known = false;
                machine->name[0] = '\0';
                forget_judgement(&machine->attempts[0]);
                append_machine(state, machine);
                touch_machine(state, machine);
        }
}

void boot_state_take_inventory(struct boot_state *state, const struct cluster *cluster) {
        assert(state && cluster);
        struct boot_machine **old = state->machines;
        size_t old_count = state->count;
        state->machines = NULL;
        state->count = 0;
        for (size_t i = 0; i < old_count; i++)
                old[i]->node = NULL;
        auto_free struct boot_machine **machines = machines_of_nodes(state, cluster);
        for (size_t i = 0; i < cluster->node_count; i++) {
                struct boot_machine *machine = machines[i];
                if (!machine)
                        machine = xcalloc(1, sizeof *machine);
                join_node(machine, cluster, &cluster->nodes[i]);
                append_machine(state, machine);
                touch_machine(state, machine);
        }
        state->known_count = state->count;
        boot_index_free(state->index);
        state->index = boot_index_new();
        index_machines(state, 0);
        keep_unknown(state, old, old_count);
        free(old);
        index_machines(state, state->known_count);
}

// ---- who an event is about ----

static void drop_address(struct boot_state *state, const struct boot_machine *machine) {
        if (machine->ip.s_addr)
                boot_index_drop(state->index, 'i', &machine->ip, sizeof machine->ip, machine);
}

// An unknown machine, which has no more keys than its card and its address.
static void remove_machine(struct boot_state *state, size_t at) {
        struct boot_machine *machine = state->machines[at];
        assert(at >= state->known_count && !machine->is_known);
        if (machine->has_mac)
                boot_index_drop(state->index, 'm', machine->mac, BOOT_MAC_SIZE, machine);
        drop_address(state, machine);
        free_machine(machine);
        memmove(state->machines + at, state->machines + at + 1,
                (state->count - at - 1) * sizeof(struct boot_machine *));
        state->count--;
        state->version++;
}

void boot_state_forget(struct boot_state *state, const struct boot_machine *machine) {
        assert(state && machine && !machine->is_known);
        for (size_t i = state->known_count; i < state->count; i++)
                if (state->machines[i] == machine) {
                        remove_machine(state, i);
                        return;
                }
}

// Strangers push out strangers, and never a machine of the inventory.
static void evict_unknown(struct boot_state *state) {
        size_t oldest = state->known_count;
        if (state->count - state->known_count < UNKNOWN_MAX)
                return;
        for (size_t i = oldest + 1; i < state->count; i++)
                if (state->machines[i]->last_ms < state->machines[oldest]->last_ms)
                        oldest = i;
        remove_machine(state, oldest);
}

static struct boot_machine *add_unknown(struct boot_state *state, const struct boot_event *event) {
        evict_unknown(state);
        struct boot_machine *machine = xcalloc(1, sizeof *machine);
        machine->has_mac = true;
        memcpy(machine->mac, event->macs[0], BOOT_MAC_SIZE);
        append_machine(state, machine);
        index_machine(state, machine);
        return machine;
}

// Cards first: a node may say a name that is not its own, and addresses move.
struct boot_machine *boot_state_find(const struct boot_state *state, const struct boot_event *event) {
        struct boot_machine *found = NULL;
        for (size_t i = 0; i < event->mac_count; i++) {
                struct boot_machine *machine = boot_state_by_mac(state, event->macs[i]);
                if (machine && (!found || (machine->is_known && !found->is_known)))
                        found = machine;
        }
        if (found || event->mac_count > 0)
                return found;
        if (*event->node)
                found = boot_state_by_name(state, event->node);
        if (!found && event->ip.s_addr)
                found = boot_state_by_ip(state, event->ip);
        return found;
}

static void note_address(struct boot_state *state, struct boot_machine *machine, const struct boot_event *event) {
        // Who asks for a machine's file need not be that machine; who got a lease or sends a report is.
        bool is_sure = event->stage == BOOT_DHCP || event->is_local || !machine->ip.s_addr;
        if (!is_sure || !event->ip.s_addr || event->mac_count == 0 || machine->ip.s_addr == event->ip.s_addr)
                return;
        if (boot_state_by_assigned(state, machine->ip) != machine)
                drop_address(state, machine);
        machine->ip = event->ip;
        index_address(state, machine);
}

// ---- attempts ----

static struct boot_attempt *begin_attempt(struct boot_machine *machine, const struct boot_event *event) {
        assert(machine->attempts || machine->attempt_count == 0);
        size_t kept = size_min(machine->attempt_count, ATTEMPTS_KEPT - 1);
        for (size_t i = kept; i < machine->attempt_count; i++)
                free(machine->attempts[i].console);
        machine->attempts = xrealloc(machine->attempts, (kept + 1) * sizeof *machine->attempts);
        memmove(machine->attempts + 1, machine->attempts, kept * sizeof *machine->attempts);
        machine->attempt_count = kept + 1;
        machine->last_number++;
        if (event->number > 0)
                machine->last_number = event->number;
        machine->attempts[0] = (struct boot_attempt){
                .number = machine->last_number,
                .started_ms = event->time_ms,
                .last_ms = event->time_ms,
                .percent = -1,
        };
        return &machine->attempts[0];
}

// A clock that was set back in between says nothing of it.
static bool is_soon_after(const struct boot_attempt *attempt, const struct boot_event *event) {
        int64_t since_ms = event->time_ms - attempt->last_ms;
        return since_ms >= 0 && since_ms < FIRMWARE_LEAST_MS;
}

// A packet that firmware sent again and dnsmasq found late, or one whose line comes behind the requests that followed
// it.
static bool is_late_firmware(const struct boot_attempt *attempt, const struct boot_event *event) {
        bool is_same = event->xid > 0 && event->xid == attempt->xid;
        bool is_loading = attempt->stage > BOOT_DHCP && attempt->stage < BOOT_HANDOVER;
        return is_same || (is_loading && is_soon_after(attempt, event));
}

// A server saw what only a boot loader asks for.
static bool is_of_loader(const struct boot_event *event) {
        bool is_loader = event->stage == BOOT_LOADER || event->stage == BOOT_KERNEL;
        return is_loader && !event->is_local;
}

// Firmware that asks for an address, a loader that asks for its files after the system ran, and a node that names a
// boot which is not this one, are in a new boot. The kernel's own DHCP is not, and neither is iPXE's, which firmware
// has loaded, unless the boot was beyond that.
bool boot_attempt_is_over(const struct boot_attempt *attempt, const struct boot_event *event) {
        assert(attempt && event);
        bool is_up = attempt->stage >= BOOT_HANDOVER;
        if (event->is_begin)
                return true;
        if (*event->attempt && *attempt->id)
                return strcmp(event->attempt, attempt->id) != 0;
        // Nothing but this report tells of the boot: this server did not run, or another one gave the address.
        if (*event->attempt && is_up && event->stage < BOOT_HANDOVER)
                return true;
        if (is_of_loader(event))
                return is_up && !is_soon_after(attempt, event);
        if (event->stage != BOOT_DHCP)
                return false;
        if (event->is_firmware && is_late_firmware(attempt, event))
                return false;
        if (event->is_firmware)
                return attempt->stage > BOOT_DHCP || event->time_ms - attempt->last_ms > DHCP_AGAIN_MS;
        return event->is_ipxe && attempt->stage > BOOT_LOADER;
}

// Events may come late and twice: a node's report says what was, so a stage that is behind only gets its time.
static void reach_stage(struct boot_attempt *attempt, const struct boot_event *event) {
        if (attempt->at_ms[event->stage] == 0)
                attempt->at_ms[event->stage] = event->time_ms;
        bool is_ahead = event->stage > attempt->stage;
        bool looks_again = event->is_local && event->stage >= BOOT_DECIDED; // a node that refused may decide later
        if (is_ahead || (looks_again && attempt->stage >= BOOT_REFUSED))
                attempt->stage = event->stage;
        if (event->stage == BOOT_ROOT && event->percent >= 0)
                attempt->percent = event->percent;
        for (size_t stage = BOOT_HANDOVER; stage < BOOT_REFUSED; stage++)
                if (attempt->at_ms[stage])
                        attempt->percent = 100; // its system runs
}

static void note_texts(struct boot_machine *machine, struct boot_attempt *attempt, const struct boot_event *event) {
        const struct {
                char *to;
                const char *from;
                size_t room;
        } texts[] = {
                { attempt->id, event->attempt, sizeof attempt->id },
                { attempt->build, event->build, sizeof attempt->build },
                { attempt->text, event->text, sizeof attempt->text },
                { machine->firmware, event->firmware, sizeof machine->firmware },
                { machine->uuid, event->uuid, sizeof machine->uuid },
                { machine->serial, event->serial, sizeof machine->serial },
        };
        for (size_t i = 0; i < lengthof(texts); i++)
                if (*texts[i].from)
                        memcpy(texts[i].to, texts[i].from, strlen(texts[i].from) + 1);
        if (*event->console) {
                free(attempt->console);
                attempt->console = xstrdup(event->console);
        }
        if (!machine->is_known && *event->role)
                memcpy(machine->role, event->role, sizeof machine->role);
}

struct boot_machine *boot_state_apply(struct boot_state *state, const struct boot_event *event) {
        assert(state && event && event->stage < BOOT_STAGE_COUNT);
        struct boot_machine *machine = boot_state_find(state, event);
        if (!machine && event->mac_count > 0)
                machine = add_unknown(state, event);
        if (!machine)
                return NULL;
        struct boot_attempt *attempt = machine->attempts;
        if (!attempt || boot_attempt_is_over(attempt, event))
                attempt = begin_attempt(machine, event);
        note_address(state, machine, event);
        reach_stage(attempt, event);
        note_texts(machine, attempt, event);
        if (event->xid > 0)
                attempt->xid = event->xid;
        attempt->is_lost = false;
        attempt->last_ms = event->time_ms;
        machine->last_ms = event->time_ms;
        touch_machine(state, machine);
        return machine;
}
