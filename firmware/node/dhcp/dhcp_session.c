// SPDX-License-Identifier: MIT
#include "firmware/node/dhcp/dhcp_session.h"

#include <assert.h>
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
        const struct inventory_node *node = NULL;
        if (*lease->node)
                node = inventory_by_name(inventory, lease->node);
        char name[HOSTNAME_SIZE + DOMAIN_SIZE];
        inventory_full_name(lease->hostname, lease->domain, name, sizeof name);
        if (!node && *lease->fqdn)
                node = inventory_by_name(inventory, lease->fqdn);
        if (!node && *name)
                node = inventory_by_name(inventory, name);
        if (!node)
                node = inventory_by_address(inventory, lease->address);
        return node;
}

bool dhcp_session_open(const struct facts *facts, const struct interface *interface, struct buf *notes,
                       struct dhcp_session *ret, struct err *err) {
        const struct dhcp_settings *settings = &facts->inventory->dhcp;
        assert(facts->interface_count > 0);
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

static void begin_exchange(struct dhcp_session *session, int64_t now, int wait_ms) {
        session->state = DHCP_SELECTING;
        session->xid = dhcp_io_random();
        session->started_ms = session->send_ms = now + wait_ms;
        session->delay_ms = FIRST_DELAY_MS;
        session->tries = 0;
        session->has_offer = session->has_rival = false;
}

static int smaller(int a, int b) {
        if (a < b)
                return a;
        return b;
}

static int with_jitter(int delay_ms) {
        return delay_ms - delay_ms / 4 + (int)(dhcp_io_random() % (uint32_t)(delay_ms / 2 + 1));
}

// Of the exchange, as the message says it: whole ones, at most what its field holds.
static uint16_t seconds_of(const struct dhcp_session *session, int64_t now) {
        if (now <= session->started_ms)
                return 0;
        int64_t seconds = (now - session->started_ms) / 1000;
        if (seconds > UINT16_MAX)
                return UINT16_MAX;
        return (uint16_t)seconds;
}

static void put_query(const struct dhcp_session *session, enum dhcp_type type, int64_t now, struct dhcp_query *ret) {
        *ret = (struct dhcp_query){ .type = type,
                                    .xid = session->xid,
                                    .mac = session->interface->mac,
                                    .seconds = seconds_of(session, now),
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

static void transmit_next(struct dhcp_session *session, int64_t now) {
        if (session->state == DHCP_REQUESTING && session->tries == REQUEST_TRIES) {
                session->refused_by = session->offer.server;
                begin_exchange(session, now, 0);
        }
        enum dhcp_type type = DHCP_DISCOVER;
        if (session->state == DHCP_REQUESTING)
                type = DHCP_REQUEST;
        send_message(session, type, now);
        session->tries++;
        session->send_ms = now + with_jitter(session->delay_ms);
        session->delay_ms = smaller(session->delay_ms * 2, LAST_DELAY_MS);
}

// ---- which offer ----

// The higher, the better. A server that has just refused what it had offered comes last.
enum offer_rank { OF_REFUSING_SERVER, NAMES_NO_NODE, NAMES_A_NODE };

static enum offer_rank rank_offer(const struct dhcp_session *session, const struct lease *offer) {
        if (offer->server == session->refused_by)
                return OF_REFUSING_SERVER;
        if (dhcp_named_node(session->facts->inventory, offer))
                return NAMES_A_NODE;
        return NAMES_NO_NODE;
}

static bool is_better(const struct dhcp_session *session, const struct lease *offer) {
        if (!session->has_offer)
                return true;
        enum offer_rank rank = rank_offer(session, offer), best = rank_offer(session, &session->offer);
        if (rank != best)
                return rank > best;
        // Once an offer is asked for, one of the same rank comes too late.
        return session->state == DHCP_SELECTING && offer->server < session->offer.server;
}

static void watch_for_rival(struct dhcp_session *session, const struct lease *offer) {
        const struct inventory *inventory = session->facts->inventory;
        if (session->has_rival || !session->has_offer)
                return;
        const struct inventory_node *node = dhcp_named_node(inventory, offer);
        const struct inventory_node *other = dhcp_named_node(inventory, &session->offer);
        if (!node || !other || node == other)
                return;
        session->rival = *offer;
        session->has_rival = true;
}

static void request_offer(struct dhcp_session *session, int64_t now) {
        session->state = DHCP_REQUESTING;
        session->delay_ms = FIRST_DELAY_MS;
        session->tries = 0;
        transmit_next(session, now);
}

static void take_offer(struct dhcp_session *session, const struct lease *offer, int64_t now) {
        watch_for_rival(session, offer);
        if (!is_better(session, offer))
                return;
        if (!session->has_offer) {
                session->choose_ms = now + DHCP_OFFER_WINDOW_MS;
                session->offered_ms = now;
        }
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
        if (session->state == DHCP_BOUND) {
                if (reply->type == DHCP_OFFER)
                        watch_for_rival(session, &lease);
                return;
        }
        if (reply->type == DHCP_OFFER) {
                take_offer(session, &lease, now);
                return;
        }
        if (session->state != DHCP_REQUESTING || lease.server != session->offer.server)
                return;
        if (reply->type == DHCP_NAK) {
                session->refused_by = lease.server;
                begin_exchange(session, now, with_jitter(FIRST_DELAY_MS)); // RFC 2131, 3.1, 5: not at once
        } else if (lease.address == session->offer.address) {
                take_acknowledgement(session, &lease, now);
        }
}

static void receive_replies(struct dhcp_session *session, int64_t now) {
        uint8_t packet[DHCP_FRAME_MAX];
        for (int i = 0; i < PACKETS_AT_ONCE; i++) {
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

static void decline_address(struct dhcp_session *session, int64_t now) {
        char address[ADDRESS_TEXT_SIZE], mac[MAC_TEXT_SIZE], server[ADDRESS_TEXT_SIZE];
        address_format(session->lease.address, address);
        address_format(session->lease.server, server);
        mac_format(&session->check.by, mac);
        buf_printf(session->notes, "%s, which the DHCP server %s gave to %s, is in use by %s: declined\n", address,
                   server, session->interface->name, mac);
        send_message(session, DHCP_DECLINE, now);
        if (session->decline_ms == 0)
                session->decline_ms = FIRST_DELAY_MS;
        else
                session->decline_ms = smaller(session->decline_ms * 2, LAST_DECLINE_MS);
        begin_exchange(session, now, session->decline_ms);
}

static void probe_address(struct dhcp_session *session, int64_t now) {
        switch (arp_check_advance(&session->check, now)) {
        case ARP_CHECKING:
                break;
        case ARP_FREE:
                session->state = DHCP_BOUND;
                arp_announce(&session->check);
                break;
        case ARP_TAKEN:
                decline_address(session, now);
                break;
        }
}

// ---- the clock ----

static void follow_link(struct dhcp_session *session, int64_t now) {
        bool link = dhcp_io_carrier(session->interface);
        if (link && session->state == DHCP_NO_LINK) {
                session->link_ms = now;
                begin_exchange(session, now, 0);
        } else if (!link && session->state != DHCP_NO_LINK) {
                session->link_ms = now;
                session->state = DHCP_NO_LINK;
        }
}

static bool expects_rival(const struct dhcp_session *session, int64_t now) {
        return session->state == DHCP_BOUND && !session->has_rival &&
               now < session->offered_ms + DHCP_RIVAL_WINDOW_MS &&
               dhcp_named_node(session->facts->inventory, &session->lease);
}

static void advance_state(struct dhcp_session *session, int64_t now_ms) {
        if (session->state == DHCP_BOUND) {
                if (session->watches)
                        receive_replies(session, now_ms);
                return;
        }
        follow_link(session, now_ms);
        if (session->state == DHCP_NO_LINK)
                return;
        receive_replies(session, now_ms);
        if (session->state == DHCP_PROBING)
                probe_address(session, now_ms);
        else if (session->state == DHCP_SELECTING && session->has_offer && now_ms >= session->choose_ms)
                request_offer(session, now_ms);
        else if (session->state != DHCP_BOUND && now_ms >= session->send_ms)
                transmit_next(session, now_ms);
}

void dhcp_session_advance(struct dhcp_session *session, int64_t now_ms) {
        advance_state(session, now_ms);
        session->watches = expects_rival(session, now_ms);
}

static int64_t earlier(int64_t a, int64_t b) {
        if (a < b)
                return a;
        return b;
}

int64_t dhcp_session_next_ms(const struct dhcp_session *session, int64_t now_ms) {
        int64_t watch_ms = now_ms + CARRIER_WATCH_MS;
        switch (session->state) {
        case DHCP_NO_LINK:
                return now_ms + CARRIER_POLL_MS;
        case DHCP_SELECTING:
                if (session->has_offer)
                        return earlier(watch_ms, session->choose_ms);
                return earlier(watch_ms, session->send_ms);
        case DHCP_REQUESTING:
                return earlier(watch_ms, session->send_ms);
        case DHCP_PROBING:
                return earlier(watch_ms, session->check.next_ms);
        case DHCP_BOUND:
                if (session->watches)
                        return session->offered_ms + DHCP_RIVAL_WINDOW_MS;
                break;
        }
        return INT64_MAX;
}

size_t dhcp_session_fds(const struct dhcp_session *session, int ret_fds[static 2]) {
        if (session->state == DHCP_NO_LINK || (session->state == DHCP_BOUND && !session->watches))
                return 0;
        ret_fds[0] = session->fd;
        if (session->state != DHCP_PROBING)
                return 1;
        ret_fds[1] = session->check.fd;
        return 2;
}
