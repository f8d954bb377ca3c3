// SPDX-License-Identifier: MIT
#include "firmware/node/dhcp/dhcp_client.h"

#include <assert.h>
#include <string.h>

#include "firmware/node/dhcp/dhcp_io.h"
#include "firmware/node/dhcp/dhcp_session.h"

// Several interfaces' sessions, and when asking ends.
struct asking {
        struct dhcp_session *sessions;
        size_t count;
        const struct dhcp_settings *settings;
        const struct inventory *inventory;
        int64_t end_ms;
};

// Whether an interface may still get a lease, or a rival's offer.
static bool may_get_more(const struct asking *asking, const struct dhcp_session *session, int64_t now) {
        if (session->state == DHCP_BOUND)
                return session->watches;
        int timeout_ms = asking->settings->timeout_ms;
        if (session->state == DHCP_NO_LINK)
                timeout_ms = asking->settings->carrier_timeout_ms;
        return now - session->link_ms < timeout_ms;
}

// Whoever is bound leaves the others little time.
static void shorten_for_others(struct asking *asking, const struct dhcp_session *session, int64_t now) {
        int grace_ms = DHCP_GRACE_MS;
        if (dhcp_named_node(asking->inventory, &session->lease))
                grace_ms = DHCP_GRACE_NODE_MS;
        if (now + grace_ms < asking->end_ms)
                asking->end_ms = now + grace_ms;
}

// Advances every session. False when none can get more any more.
static bool advance_all(struct asking *asking, int64_t now) {
        bool any = false;
        for (size_t i = 0; i < asking->count; i++) {
                struct dhcp_session *session = &asking->sessions[i];
                bool was_bound = session->state == DHCP_BOUND;
                dhcp_session_advance(session, now);
                if (!was_bound && session->state == DHCP_BOUND)
                        shorten_for_others(asking, session, now);
                if (may_get_more(asking, session, now))
                        any = true;
        }
        return any;
}

static void wait_for_more(const struct asking *asking, int64_t now) {
        int fds[2 * INTERFACES_MAX];
        size_t count = 0;
        int64_t next_ms = asking->end_ms;
        for (size_t i = 0; i < asking->count; i++) {
                int64_t own_ms = dhcp_session_next_ms(&asking->sessions[i], now);
                if (own_ms < next_ms)
                        next_ms = own_ms;
                count += dhcp_session_fds(&asking->sessions[i], fds + count);
        }
        if (next_ms > now)
                dhcp_io_wait(fds, count, (int)(next_ms - now));
}

static void ask_all(struct asking *asking) {
        int64_t now = dhcp_io_now_ms();
        asking->end_ms = now + asking->settings->carrier_timeout_ms + asking->settings->timeout_ms;
        while (now < asking->end_ms && advance_all(asking, now)) {
                wait_for_more(asking, now);
                now = dhcp_io_now_ms();
        }
}

static void keep_leases(const struct asking *asking, struct facts *facts) {
        facts->lease_count = 0;
        for (size_t i = 0; i < asking->count && facts->lease_count < LEASES_MAX; i++)
                if (asking->sessions[i].state == DHCP_BOUND)
                        facts->leases[facts->lease_count++] = asking->sessions[i].lease;
        for (size_t i = 0; i < asking->count && facts->lease_count < LEASES_MAX; i++)
                if (asking->sessions[i].state == DHCP_BOUND && asking->sessions[i].has_rival)
                        facts->leases[facts->lease_count++] = asking->sessions[i].rival;
}

bool dhcp_ask(struct facts *facts, struct buf *ret_notes, struct err *err) {
        assert(facts->inventory && facts->interface_count <= INTERFACES_MAX);
        auto_free struct dhcp_session *sessions = xcalloc(facts->interface_count + 1, sizeof *sessions);
        struct asking asking = { .sessions = sessions,
                                 .settings = &facts->inventory->dhcp,
                                 .inventory = facts->inventory };
        for (size_t i = 0; i < facts->interface_count; i++) {
                struct dhcp_session *session = &sessions[asking.count];
                auto_err own = { 0 };
                if (dhcp_session_open(facts, &facts->interfaces[i], ret_notes, session, &own)) {
                        asking.count++;
                        continue;
                }
                dhcp_session_close(session); // one broken card must not stop the others
                buf_printf(ret_notes, "DHCP is not asked on %s: %s\n", facts->interfaces[i].name, own.text);
        }
        facts->lease_count = 0;
        if (asking.count == 0)
                return fail(err, ERR_SYSTEM, 0, "there is no interface to ask DHCP on");
        ask_all(&asking);
        keep_leases(&asking, facts);
        for (size_t i = 0; i < asking.count; i++)
                dhcp_session_close(&sessions[i]);
        return true;
}
