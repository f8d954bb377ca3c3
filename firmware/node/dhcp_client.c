#include "firmware/node/dhcp_client.h"

#include <string.h>

#include "firmware/node/dhcp_io.h"
#include "firmware/node/dhcp_packet.h"

enum { FIRST_DELAY_MS = 1000, LAST_DELAY_MS = 8000, CARRIER_POLL_MS = 100, REQUEST_TRIES = 3 };

enum state { WAITING_FOR_LINK, SELECTING, REQUESTING, BOUND };

struct session {
        const struct interface *interface;
        int fd;
        enum state state;
        uint32_t xid;
        int64_t started_ms, send_ms; // when to send next
        int delay_ms, tries;
        struct lease offer, lease;
};

static void begin(struct session *session, int64_t now) {
        session->state = SELECTING;
        session->xid = dhcp_io_random();
        session->started_ms = session->send_ms = now;
        session->delay_ms = FIRST_DELAY_MS;
        session->tries = 0;
}

static int with_jitter(int delay_ms) {
        return delay_ms - delay_ms / 4 + (int)(dhcp_io_random() % (uint32_t)(delay_ms / 2 + 1));
}

static void transmit(struct session *session, int64_t now) {
        if (session->state == REQUESTING && session->tries == REQUEST_TRIES)
                begin(session, now);
        struct dhcp_query query = { .type = DHCP_DISCOVER, .xid = session->xid, .mac = session->interface->mac };
        int64_t seconds = (now - session->started_ms) / 1000;
        query.seconds = (uint16_t)(seconds < UINT16_MAX ? seconds : UINT16_MAX);
        if (session->state == REQUESTING) {
                query.type = DHCP_REQUEST;
                query.requested = session->offer.address;
                query.server = session->offer.server;
        }
        uint8_t packet[DHCP_FRAME_MAX];
        size_t size = dhcp_build(&query, packet);
        auto_err ignored = { 0 }; // a full queue or a link that just went: the message is repeated anyway
        (void)!dhcp_io_send(session->fd, session->interface, packet, size, &ignored);
        session->tries++;
        session->send_ms = now + with_jitter(session->delay_ms);
        session->delay_ms = session->delay_ms * 2 < LAST_DELAY_MS ? session->delay_ms * 2 : LAST_DELAY_MS;
}

static void take_reply(struct session *session, const struct dhcp_reply *reply, int64_t now) {
        if (session->state == SELECTING && reply->type == DHCP_OFFER) {
                session->offer = reply->lease;
                session->state = REQUESTING;
                session->delay_ms = FIRST_DELAY_MS;
                session->tries = 0;
                transmit(session, now);
                return;
        }
        if (session->state != REQUESTING || reply->lease.server != session->offer.server)
                return;
        if (reply->type == DHCP_NAK) {
                begin(session, now);
                session->send_ms = now + with_jitter(FIRST_DELAY_MS); // RFC 2131, 3.1, 5: not at once
        } else if (reply->type == DHCP_ACK && reply->lease.address == session->offer.address) {
                session->lease = reply->lease;
                memcpy(session->lease.interface, session->interface->name, sizeof session->lease.interface);
                session->lease.mac = session->interface->mac;
                session->state = BOUND;
        }
}

static void receive(struct session *session, int64_t now) {
        enum { PACKETS_AT_ONCE = 32 }; // a flood must not keep us from the clock
        uint8_t packet[DHCP_FRAME_MAX];
        for (int i = 0; i < PACKETS_AT_ONCE && session->state != BOUND; i++) {
                bool pending = false;
                size_t size = dhcp_io_receive(session->fd, packet, sizeof packet, &pending);
                if (size == 0)
                        return;
                struct dhcp_reply reply;
                if (dhcp_parse(packet, size, pending, session->xid, &session->interface->mac, &reply))
                        take_reply(session, &reply, now);
        }
}

static void advance(struct session *session, int64_t now) {
        if (session->state == WAITING_FOR_LINK && dhcp_io_carrier(session->interface))
                begin(session, now);
        if (session->state == SELECTING || session->state == REQUESTING)
                receive(session, now);
        if ((session->state == SELECTING || session->state == REQUESTING) && now >= session->send_ms)
                transmit(session, now);
}

// When to look again, in milliseconds; -1: every interface is bound.
static int next_delay(const struct session *sessions, size_t count, int64_t now) {
        int64_t delay = -1;
        for (size_t i = 0; i < count; i++) {
                int64_t own = sessions[i].state == WAITING_FOR_LINK ? CARRIER_POLL_MS : sessions[i].send_ms - now;
                if (sessions[i].state != BOUND && (delay < 0 || own < delay))
                        delay = own < 0 ? 0 : own;
        }
        return (int)delay;
}

static bool any_bound(const struct session *sessions, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (sessions[i].state == BOUND)
                        return true;
        return false;
}

static void exchange(struct session *sessions, const int *fds, size_t count, int timeout_ms) {
        int64_t now = dhcp_io_now_ms(), deadline = now + timeout_ms;
        bool grace = false;
        while (now < deadline) {
                for (size_t i = 0; i < count; i++)
                        advance(&sessions[i], now);
                if (!grace && any_bound(sessions, count)) {
                        grace = true;
                        deadline = now + DHCP_GRACE_MS < deadline ? now + DHCP_GRACE_MS : deadline;
                }
                int delay = next_delay(sessions, count, now);
                if (delay < 0)
                        return;
                dhcp_io_wait(fds, count, delay < deadline - now ? delay : (int)(deadline - now));
                now = dhcp_io_now_ms();
        }
}

bool dhcp_ask(const struct interface *interfaces, size_t interface_count, int timeout_ms,
              struct lease ret_leases[static LEASES_MAX], size_t *ret_count, struct err *err) {
        auto_free struct session *sessions = xcalloc(interface_count, sizeof *sessions);
        int fds[INTERFACES_MAX];
        size_t count = 0, bound = 0;
        for (size_t i = 0; i < interface_count && i < INTERFACES_MAX; i++) {
                if (!dhcp_io_open(&interfaces[i], &fds[count], err))
                        continue; // one broken card must not stop the others
                sessions[count] = (struct session){ .interface = &interfaces[i], .fd = fds[count] };
                count++;
        }
        if (count == 0)
                return err->kind ? false : fail(err, ERR_SYSTEM, 0, "there is no interface to ask DHCP on");
        err_release(err);
        exchange(sessions, fds, count, timeout_ms);
        for (size_t i = 0; i < count; i++) {
                close(fds[i]);
                if (sessions[i].state == BOUND && bound < LEASES_MAX)
                        ret_leases[bound++] = sessions[i].lease;
        }
        *ret_count = bound;
        return true;
}
