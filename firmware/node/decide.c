// SPDX-License-Identifier: MIT
#include "firmware/node/decide.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "firmware/node/config_drive/config_drive.h"
#include "firmware/node/dhcp/dhcp_arp.h"
#include "firmware/node/dhcp/dhcp_client.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/facts/hardware.h"
#include "firmware/node/facts/udev.h"
#include "firmware/node/plan_make.h"

enum { POLL_MS = 20, POLL_MAX_MS = 250, NOTES_MAX = 65536 };

// Whether neither a card nor an answer that may still come can change the plan, and udev is done with its card.
static bool plan_is_final(const struct plan *plan) {
        if (plan->need != NEED_NOTHING || plan->refusal || plan->names_other_cards)
                return false;
        return hardware_card_is_final(plan->identity->interface);
}

static bool waited_enough(const struct facts *facts, int64_t waited_ms) {
        if (facts->interface_count == 0 || udev_is_busy(UDEV_RUN))
                return waited_ms >= facts->inventory->dhcp.device_timeout_ms;
        return waited_ms >= IDLE_UDEV_WAIT_MS;
}

static int next_poll_ms(int poll_ms) {
        if (poll_ms >= POLL_MAX_MS)
                return poll_ms;
        return poll_ms * 5 / 4;
}

// Makes the plan again and again, until nothing that may still appear can change it or there was time enough.
static bool settle_hardware(struct machine *machine, struct decision *decision, struct err *err) {
        int64_t start = clock_now_ms();
        for (int poll_ms = POLL_MS;; poll_ms = next_poll_ms(poll_ms)) {
                hardware_read(&machine->facts);
                plan_release(&decision->plan);
                if (!plan_make(&machine->facts, &decision->plan, err))
                        return false;
                decision->interfaces_ms = clock_now_ms() - start;
                if (plan_is_final(&decision->plan) || !hardware_is_settling(&machine->facts))
                        return true;
                if (waited_enough(&machine->facts, decision->interfaces_ms))
                        return true;
                usleep((useconds_t)poll_ms * 1000);
        }
}

// The address of a plan that no DHCP server gave, and so has not been asked about.
static bool must_probe(const struct facts *facts, const struct plan *plan) {
        if (plan->refusal || !facts->inventory->dhcp.arp_check)
                return false;
        for (size_t i = 0; i < facts->lease_count; i++)
                if (facts->leases[i].address == plan->identity->address)
                        return false;
        return true;
}

// Two machines with one identity must not both come up. The one that is up already answers for the address, and this
// one is refused.
static bool refuse_taken_address(struct machine *machine, struct decision *decision, struct buf *notes,
                                 struct err *err) {
        struct facts *facts = &machine->facts;
        if (!must_probe(facts, &decision->plan))
                return true;
        const struct interface *interface = decision->plan.identity->interface;
        const uint32_t wanted = decision->plan.identity->address;
        bool taken;
        struct mac by;
        auto_err probe_err = { 0 };
        if (!arp_probe(facts, interface, wanted, &taken, &by, &probe_err)) {
                buf_printf(notes, "%s\n", probe_err.text);
                return true;
        }
        if (!taken)
                return true;
        char address[ADDRESS_TEXT_SIZE], mac[MAC_TEXT_SIZE];
        address_format(wanted, address);
        mac_format(&by, mac);
        snprintf(facts->conflict, sizeof facts->conflict, "%s is in use by %s on the network of %s", address, mac,
                 interface->name);
        plan_release(&decision->plan);
        return plan_make(facts, &decision->plan, err);
}

static void add_notes(struct plan *plan, struct buf *notes) {
        char *rest = notes->data;
        for (char *line; rest && (line = strsep(&rest, "\n"));)
                if (*line)
                        plan_add_note(plan, line);
}

static bool ask_dhcp(struct machine *machine, struct decision *decision, struct buf *notes, struct err *err) {
        struct facts *facts = &machine->facts;
        int64_t start = clock_now_ms();
        auto_err dhcp_err = { 0 };
        if (!dhcp_ask(facts, notes, &dhcp_err))
                buf_printf(notes, "%s\n", dhcp_err.text);
        decision->dhcp_ms = clock_now_ms() - start;
        facts->dhcp_asked = true;
        hardware_read(facts); // links are known now
        plan_release(&decision->plan);
        return plan_make(facts, &decision->plan, err);
}

// Looks for the config drive again after the wait for cards: a USB stick may take as long to appear.
static bool settle_with_drive(struct machine *machine, struct decision *decision, struct err *err) {
        config_drive_find(&config_drive_machine, &machine->facts, &machine->arena);
        if (!settle_hardware(machine, decision, err))
                return false;
        bool may_need_drive = decision->plan.refusal || decision->plan.lacks_secrets;
        if (!may_need_drive || machine->facts.config_drive || machine->facts.config_problem)
                return true;
        config_drive_find(&config_drive_machine, &machine->facts, &machine->arena);
        plan_release(&decision->plan);
        return plan_make(&machine->facts, &decision->plan, err);
}

bool decide(struct machine *machine, struct decision *ret, struct err *err) {
        assert(machine->root >= 0);
        auto_buf notes = { .max = NOTES_MAX };
        *ret = (struct decision){ .dhcp_ms = -1 };
        if (!settle_with_drive(machine, ret, err))
                return false;
        if (ret->plan.need == NEED_DHCP && !ask_dhcp(machine, ret, &notes, err))
                return false;
        if (!refuse_taken_address(machine, ret, &notes, err))
                return false;
        add_notes(&ret->plan, &notes);
        return true;
}

void decision_release(struct decision *decision) { plan_release(&decision->plan); }
