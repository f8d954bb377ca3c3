#include "firmware/node/decide.h"

#include "firmware/node/dhcp_client.h"

enum { POLL_MS = 20 };

// Nothing that may still appear can change the plan, and the card that it names keeps its name.
static bool is_final(const struct plan *plan) {
        return plan->need == NEED_NOTHING && !plan->refusal && machine_interface_is_final(plan->interface_index);
}

static bool settle(struct machine *machine, struct decision *decision, struct err *err) {
        int64_t start = machine_now_ms();
        for (;;) {
                machine_read_hardware(&machine->facts);
                plan_release(&decision->plan);
                if (!plan_make(&machine->facts, &decision->plan, err))
                        return false;
                decision->interfaces_ms = machine_now_ms() - start;
                if (is_final(&decision->plan) || !machine_is_settling(&machine->facts) ||
                    decision->interfaces_ms >= (machine_udev_is_busy() ? UDEV_WAIT_MS : INTERFACE_WAIT_MS))
                        return true;
                usleep(POLL_MS * 1000);
        }
}

bool decide(struct machine *machine, struct decision *ret, struct err *err) {
        struct facts *facts = &machine->facts;
        *ret = (struct decision){ .dhcp_ms = -1 };
        if (!settle(machine, ret, err))
                return false;
        if (ret->plan.need != NEED_DHCP)
                return true;
        int64_t start = machine_now_ms();
        auto_err dhcp_err = { 0 };
        if (!dhcp_ask(facts->interfaces, facts->interface_count, machine->inventory.dhcp.timeout_ms, facts->leases,
                      &facts->lease_count, &dhcp_err))
                facts->lease_count = 0;
        ret->dhcp_ms = machine_now_ms() - start;
        facts->dhcp_asked = true;
        machine_read_hardware(facts); // links are known now
        plan_release(&ret->plan);
        if (!plan_make(facts, &ret->plan, err))
                return false;
        if (dhcp_err.text)
                plan_add_note(&ret->plan, dhcp_err.text);
        return true;
}

void decision_release(struct decision *decision) { plan_release(&decision->plan); }
