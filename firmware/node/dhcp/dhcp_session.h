// SPDX-License-Identifier: MIT
// One interface's way to a lease.
//
//     NO_LINK ── link ──> SELECTING ── offer chosen ──> REQUESTING ── ACK ──> PROBING ── free ──> BOUND
//
// Unanswered messages are repeated after 1, 2, 4, 8, 8... s, each changed by up to a quarter at random: RFC 2131, 4.1
// starts at 4 s and goes on to 64 s, but every boot waits for the first answer, and a switch port that opens late
// (spanning tree, LACP) says nothing when it does. A link that went and came back begins again at once. Three REQUESTs
// without an answer and a NAK begin again too. After a DECLINE the next DISCOVER waits 1 s, then 2 s, up to the 10 s of
// RFC 2131, 3.1, 5. RFC 2131's random wait of 1 to 10 s before the first DISCOVER is left out.
#ifndef KILN_NODE_DHCP_DHCP_SESSION_H
#define KILN_NODE_DHCP_DHCP_SESSION_H

#include "base/buf.h"
#include "firmware/node/dhcp/dhcp_arp.h"
#include "firmware/node/dhcp/dhcp_packet.h"
#include "firmware/node/inventory/inventory.h"

enum dhcp_state { DHCP_NO_LINK, DHCP_SELECTING, DHCP_REQUESTING, DHCP_PROBING, DHCP_BOUND };

struct dhcp_session {
        const struct facts *facts;
        const struct interface *interface;
        struct dhcp_client_id client_id;
        struct buf *notes;
        int fd;
        enum dhcp_state state;
        uint32_t xid;
        int64_t link_ms;             // when the link last came or went; at first, when the session was opened
        int64_t started_ms, send_ms; // of this exchange; when to send next
        int delay_ms, tries, decline_ms;
        bool has_offer, has_rival;
        bool watches;           // BOUND: a server that names another node may still answer
        int64_t offered_ms;     // has_offer: when the first one came
        int64_t choose_ms;      // SELECTING, has_offer: when to take it
        uint32_t refused_by;    // server of the last NAK, or that never acknowledged; 0: none
        struct lease offer;     // the best one so far, or the one that is asked for
        struct lease rival;     // has_rival: an offer that names another node than an earlier one
        struct lease lease;     // PROBING, BOUND
        struct arp_check check; // its fd is -1 if the profile wants none
};

// Opens the interface's sockets; dhcp_session_close() in any case.
must_check bool dhcp_session_open(const struct facts *facts, const struct interface *interface, struct buf *notes,
                                  struct dhcp_session *ret, struct err *err);
void dhcp_session_close(struct dhcp_session *session);

// Does what is to be done at this time.
void dhcp_session_advance(struct dhcp_session *session, int64_t now_ms);
// When to advance it at the latest if no packet comes.
int64_t dhcp_session_next_ms(const struct dhcp_session *session, int64_t now_ms);
// The sockets whose packets it waits for; their count is returned.
size_t dhcp_session_fds(const struct dhcp_session *session, int ret_fds[static 2]);

// The node that an offer or lease names, or NULL.
const struct inventory_node *dhcp_named_node(const struct inventory *inventory, const struct lease *lease);

#endif
