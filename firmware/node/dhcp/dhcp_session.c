// SPDX-License-Identifier: MIT
#include "firmware/node/dhcp/dhcp_session.h"

#include <string.h>

#include "firmware/node/dhcp/dhcp_client.h"
#include "firmware/node/dhcp/dhcp_io.h"
#include "firmware/node/inventory/inventory_find.h"

enum {
        FIRST_DELAY_MS = 1000,
        LAST_DELAY_MS = 8000,
        LAST_DECLINE_MS = 10000,
        CARRIER_POLL_MS = 100,
        CARRIER_WATCH_MS = 250, // while there is one
        REQUEST_TRIES = 3,
        PACKETS_AT_ONCE = 32 // a flood must not keep us from the clock
};

const struct inventory_node *dhcp_named_node(const struct inventory *inventory, const struct lease *lease) {
        const struct inventory_node *node = *lease->node ? inventory_by_name(inventory, lease->node) : NULL;
        if (!node && *lease->hostname)
                node = inventory_by_name(inventory, lease->hostname);
        return node ? node : inventory_by_address(inventory, lease->address);
}

bool dhcp_session_open(const struct facts *facts, const struct interface *interface, struct buf *notes,
                       struct dhcp_session *ret, struct err *err) {
        const struct dhcp_settings *settings = &facts->inventory->dhcp;
        *ret = (struct dhcp_session){
                .facts = facts, .interface = interface, .notes = notes, .fd = -1, .link_ms = dhcp_io_now_ms()
        };
        ret->check = (struct arp_check){ .facts = facts, .interface = interface, .fd = -1 };
        dhcp_client_id_make(settings->id_kind, facts->uuid, &facts->interfaces[0].mac, &interface->mac,
                            &ret->client_id);
        return dhcp_io_open(DHCP_IO_UDP, interface, &ret->fd, err) &&
               (!settings->arp_check || dhcp_io_open(DHCP_IO_ARP, interface, &ret->check.fd, err));
}

void dhcp_session_close(struct dhcp_session *session) {
        if (session->fd >= 0)
                close(session->fd);
        if (session->check.fd >= 0)
                close(session->check.fd);
        session->fd = session->check.fd = -1;
}

static void begin(struct dhcp_session *session, int64_t now, int wait_ms) {
        session->state = DHCP_SELECTING;
        session->xid = dhcp_io_random();
        session->started_ms = session->send_ms = now + wait_ms;
        session->delay_ms = FIRST_DELAY_MS;
        session->tries = 0;
        session->has_offer = session->has_rival = false;
}

static int with_jitter(int delay_ms) {
        return delay_ms - delay_ms / 4 + (int)(dhcp_io_random() % (uint32_t)(delay_ms / 2 + 1));
}

static void put_query(const struct dhcp_session *session, enum dhcp_type type, int64_t now, struct dhcp_query *ret) {
        int64_t seconds = now > session->started_ms ? (now - session->started_ms) / 1000 : 0;
        *ret = (struct dhcp_query){ .type = type,
                                    .xid = session->xid,
                                    .mac = session->interface->mac,
                                    .seconds = (uint16_t)(seconds < UINT16_MAX ? seconds : UINT16_MAX),
                                    .client_id = session->client_id,
                                    .settings = &session->facts->inventory->dhcp };
        if (type == DHCP_DISCOVER)
                return;
        ret->requested = session->offer.address;
        ret->server = session->offer.server;
}

static void send_message(struct dhcp_session *session, enum dhcp_type type, int64_t now) {
        struct dhcp_query query;
        uint8_t packet[DHCP_FRAME_MAX];
        auto_err ignored = { 0 }; // a full queue or a link that just went: the message is repeated anyway
        put_query(session, type, now, &query);
        size_t size = dhcp_build(&query, packet);
        (void)!dhcp_io_send(DHCP_IO_UDP, session->fd, session->interface, packet, size, &ignored);
}

static void transmit(struct dhcp_session *session, int64_t now) {
        if (session->state == DHCP_REQUESTING && session->tries == REQUEST_TRIES) {
                session->refused_by = session->offer.server;
                begin(session, now, 0);
        }
        send_message(session, session->state == DHCP_REQUESTING ? DHCP_REQUEST : DHCP_DISCOVER, now);
        session->tries++;
        session->send_ms = now + with_jitter(session->delay_ms);
        session->delay_ms = session->delay_ms * 2 < LAST_DELAY_MS ? session->delay_ms * 2 : LAST_DELAY_MS;
}

// ---- which offer ----

static int rank_offer(const struct dhcp_session *session, const struct lease *offer) {
        if (offer->server == session->refused_by)
                return 0;
        return dhcp_named_node(session->facts->inventory, offer) ? 2 : 1;
}

static bool is_better(const struct dhcp_session *session, const struct lease *offer) {
        if (!session->has_offer)
                return true;
        int rank = rank_offer(session, offer), best = rank_offer(session, &session->offer);
        // Once one is asked for, equals come too late.
        return rank > best ||
               (rank == best && session->state == DHCP_SELECTING && offer->server < session->offer.server);
}

static void watch_for_rival(struct dhcp_session *session, const struct lease *offer) {
        const struct inventory *inventory = session->facts->inventory;
        const struct inventory_node *node = dhcp_named_node(inventory, offer),
                                    *other = session->has_offer ? dhcp_named_node(inventory, &session->offer) : NULL;
        if (session->has_rival || !node || !other || node == other)
                return;
        session->rival = *offer;
        session->has_rival = true;
}

static void request_offer(struct dhcp_session *session, int64_t now) {
        session->state = DHCP_REQUESTING;
        session->delay_ms = FIRST_DELAY_MS;
        session->tries = 0;
        transmit(session, now);
}

static void take_offer(struct dhcp_session *session, const struct lease *offer, int64_t now) {
        enum { NAMES_A_NODE = 2 };
        watch_for_rival(session, offer);
        if (!is_better(session, offer))
                return;
        if (!session->has_offer)
                session->choose_ms = now + DHCP_OFFER_WINDOW_MS;
        session->offer = *offer;
        session->has_offer = true;
        if (session->state != DHCP_SELECTING || rank_offer(session, offer) == NAMES_A_NODE)
                request_offer(session, now);
}

// ---- from the offer to the lease ----

static void take_acknowledgement(struct dhcp_session *session, const struct lease *lease, int64_t now) {
        session->lease = *lease;
        session->state = DHCP_BOUND;
        if (session->check.fd < 0)
                return;
        session->state = DHCP_PROBING;
        session->check.address = lease->address;
        session->check.sent = 0;
        session->check.next_ms = now;
}

static void take_reply(struct dhcp_session *session, const struct dhcp_reply *reply, int64_t now) {
        struct lease lease = reply->lease;
        memcpy(lease.interface, session->interface->name, sizeof lease.interface);
        lease.mac = session->interface->mac;
        if (reply->type == DHCP_OFFER) {
                take_offer(session, &lease, now);
                return;
        }
        if (session->state != DHCP_REQUESTING || lease.server != session->offer.server)
                return;
        if (reply->type == DHCP_NAK) {
                session->refused_by = lease.server;
                begin(session, now, with_jitter(FIRST_DELAY_MS)); // RFC 2131, 3.1, 5: not at once
        } else if (lease.address == session->offer.address) {
                take_acknowledgement(session, &lease, now);
        }
}

static void receive(struct dhcp_session *session, int64_t now) {
        uint8_t packet[DHCP_FRAME_MAX];
        for (int i = 0; i < PACKETS_AT_ONCE && session->state != DHCP_BOUND; i++) {
                bool pending = false;
                size_t size = dhcp_io_receive(session->fd, packet, sizeof packet, &pending);
                if (size == 0)
                        return;
                struct dhcp_query query;
                struct dhcp_reply reply;
                put_query(session, DHCP_DISCOVER, now, &query);
                if (dhcp_parse(packet, size, pending, &query, &reply))
                        take_reply(session, &reply, now);
        }
}

static void decline(struct dhcp_session *session, int64_t now) {
        char address[ADDRESS_TEXT_SIZE], mac[MAC_TEXT_SIZE], server[ADDRESS_TEXT_SIZE];
        address_format(session->lease.address, address);
        address_format(session->lease.server, server);
        mac_format(&session->check.by, mac);
        buf_printf(session->notes, "%s, which the DHCP server %s gave to %s, is in use by %s: declined\n", address,
                   server, session->interface->name, mac);
        send_message(session, DHCP_DECLINE, now);
        session->decline_ms = session->decline_ms ? session->decline_ms * 2 : FIRST_DELAY_MS;
        if (session->decline_ms > LAST_DECLINE_MS)
                session->decline_ms = LAST_DECLINE_MS;
        begin(session, now, session->decline_ms);
}

static void probe(struct dhcp_session *session, int64_t now) {
        switch (arp_check_advance(&session->check, now)) {
        case ARP_CHECKING:
                break;
        case ARP_FREE:
                session->state = DHCP_BOUND;
                arp_announce(&session->check);
                break;
        case ARP_TAKEN:
                decline(session, now);
                break;
        }
}

// ---- the clock ----

static void follow_link(struct dhcp_session *session, int64_t now) {
        bool link = dhcp_io_carrier(session->interface);
        if (link && session->state == DHCP_NO_LINK) {
                session->link_ms = now;
                begin(session, now, 0);
        } else if (!link && session->state != DHCP_NO_LINK) {
                session->link_ms = now;
                session->state = DHCP_NO_LINK;
        }
}

void dhcp_session_advance(struct dhcp_session *session, int64_t now_ms) {
        if (session->state == DHCP_BOUND)
                return;
        follow_link(session, now_ms);
        if (session->state == DHCP_NO_LINK)
                return;
        receive(session, now_ms);
        if (session->state == DHCP_PROBING)
                probe(session, now_ms);
        else if (session->state == DHCP_SELECTING && session->has_offer && now_ms >= session->choose_ms)
                request_offer(session, now_ms);
        else if (session->state != DHCP_BOUND && now_ms >= session->send_ms)
                transmit(session, now_ms);
}

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t dhcp_session_next_ms(const struct dhcp_session *session, int64_t now_ms) {
        int64_t watch_ms = now_ms + CARRIER_WATCH_MS;
        switch (session->state) {
        case DHCP_NO_LINK:
                return now_ms + CARRIER_POLL_MS;
        case DHCP_SELECTING:
                return earlier(watch_ms, session->has_offer ? session->choose_ms : session->send_ms);
        case DHCP_REQUESTING:
                return earlier(watch_ms, session->send_ms);
        case DHCP_PROBING:
                return earlier(watch_ms, session->check.next_ms);
        case DHCP_BOUND:
                break;
        }
        return INT64_MAX;
}

size_t dhcp_session_fds(const struct dhcp_session *session, int ret_fds[static 2]) {
        if (session->state == DHCP_NO_LINK || session->state == DHCP_BOUND)
                return 0;
        ret_fds[0] = session->fd;
        ret_fds[1] = session->check.fd;
        return session->state == DHCP_PROBING ? 2 : 1;
}
