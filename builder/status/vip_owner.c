// SPDX-License-Identifier: MIT
// Whose a virtual address is. That it answers is not enough: two machines that hold it answer as well, each to some.
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "status/internal.h"

enum { CARD_TEXT_BYTES = 18 };

static void format_card(const unsigned char *card, char ret[static CARD_TEXT_BYTES]) {
        snprintf(ret, CARD_TEXT_BYTES, "%02x:%02x:%02x:%02x:%02x:%02x", card[0], card[1], card[2], card[3], card[4],
                 card[5]);
}

// A bond has the address of one of its members, and a VLAN that of the link below it.
static bool has_card(const struct node *node, const unsigned char *card) {
        size_t count;
        auto_free struct node_mac *macs = node_macs(node, &count);
        for (size_t i = 0; i < count; i++)
                if (memcmp(macs[i].bytes, card, sizeof macs[i].bytes) == 0)
                        return true;
        return false;
}

static const struct node *find_card(const struct cluster *cluster, const unsigned char *card) {
        for (size_t i = 0; i < cluster->node_count; i++)
                if (has_card(&cluster->nodes[i], card))
                        return &cluster->nodes[i];
        return NULL;
}

// A machine may answer with several of its cards.
static bool are_of_one_node(const struct cluster *cluster, const struct arp_question *cards) {
        const struct node *first = find_card(cluster, cards->cards[0]);
        for (size_t i = 1; i < cards->card_count; i++)
                if (find_card(cluster, cards->cards[i]) != first)
                        return false;
        return first != NULL;
}

// RFC 5798, 7.3: whoever leads has this card then, if its daemon is told to (keepalived: use_vmac).
static bool is_vrrp_card(const struct vip *vip, const unsigned char *card) {
        const unsigned char wanted[6] = { 0x00, 0x00, 0x5e, 0x00, 0x01, (unsigned char)vip->vrrp_id };
        return memcmp(card, wanted, sizeof wanted) == 0;
}

static void append_card(const struct cluster *cluster, const unsigned char *card, struct buf *ret) {
        char text[CARD_TEXT_BYTES];
        const struct node *node = find_card(cluster, card);
        format_card(card, text);
        if (ret->size > 0)
                buf_append_text(ret, ", ");
        if (node)
                buf_printf(ret, "%s (%s)", node->name, text);
        else
                buf_printf(ret, "%s, which no machine of the inventory has", text);
}

static bool is_role_or_heir(const struct role *role, const char *name) {
        return strcmp(role->name, name) == 0 || strings_have(&role->ancestors, name);
}

struct owning {
        const struct cluster *cluster;
        const struct vip *vip;
        json_t *findings;
        char what[128];
};

static void tell_owner(const struct owning *owning, const char *evidence, const char *remedy, bool is_serious) {
        add_finding(owning->findings, owning->what, evidence, remedy, is_serious);
}

// The node whose card it is, or NULL.
static const struct node *judge_cards(const struct owning *owning, const struct arp_question *cards, bool *ret_split) {
        const char *role = text_or(owning->vip->role, "");
        auto_buf list = { 0 };
        for (size_t i = 0; i < cards->card_count; i++)
                append_card(owning->cluster, cards->cards[i], &list);
        if (cards->card_count > 1 && !are_of_one_node(owning->cluster, cards)) {
                auto_free char *evidence = xasprintf("%zu cards answer for it: %s", cards->card_count, buf_text(&list));
                tell_owner(
                    owning, evidence,
                    "two machines hold it, and each gets some of the connections: stop keepalived on one of them; "
                    "do they hear each other (VRRP, protocol 112, in firewall and switch)?",
                    true);
                *ret_split = true;
                return NULL;
        }
        if (cards->card_count == 0 || is_vrrp_card(owning->vip, cards->cards[0]))
                return NULL;
        const struct node *owner = find_card(owning->cluster, cards->cards[0]);
        if (!owner) {
                auto_free char *evidence = xasprintf("the card that answers for it is %s", buf_text(&list));
                tell_owner(owning, evidence,
                           "a machine that is not of this cluster has the address, or a card was changed: correct the "
                           "inventory, or take the address from it",
                           false);
        } else if (!is_role_or_heir(&owning->cluster->roles[owner->role], role)) {
                auto_free char *evidence = xasprintf("%s answers for it, whose role is %s and not %s", buf_text(&list),
                                                     owning->cluster->roles[owner->role].name, role);
                tell_owner(owning, evidence, "take the address from that machine: ip address del", true);
                *ret_split = true;
        }
        return owner;
}

static bool holds_address(const json_t *node, const char *ip) {
        size_t i;
        json_t *address;
        json_array_foreach(json_object_get(json_object_get(node, "machine"), "addresses"), i, address) {
                if (strcmp(text_or(json_string_value(address), ""), ip) == 0)
                        return true;
        }
        return false;
}

static json_t *find_holders(const struct cluster *cluster, const json_t *nodes, const char *ip) {
        json_t *holders = json_array();
        for (size_t i = 0; i < cluster->node_count; i++) {
                const json_t *node = json_object_get(nodes, cluster->nodes[i].name);
                if (holds_address(node, ip))
                        json_array_append_new(holders, json_string(cluster->nodes[i].name));
        }
        return holders;
}

static void join_names(const json_t *names, struct buf *ret) {
        size_t i;
        json_t *name;
        json_array_foreach(names, i, name) {
                if (i > 0)
                        buf_append_text(ret, ", ");
                buf_append_text(ret, json_string_value(name));
        }
}

static void judge_holders(const struct owning *owning, const json_t *holders, const struct node *owner,
                          bool *ret_split) {
        auto_buf names = { 0 };
        join_names(holders, &names);
        if (json_array_size(holders) > 1) {
                auto_free char *evidence = xasprintf("%s say that they hold it", buf_text(&names));
                tell_owner(
                    owning, evidence,
                    "two machines hold it: stop keepalived on one of them; do they hear each other (VRRP, protocol "
                    "112, in firewall and switch)?",
                    true);
                *ret_split = true;
        } else if (owner && json_array_size(holders) == 1 && strcmp(buf_text(&names), owner->name) != 0) {
                auto_free char *evidence =
                    xasprintf("%s holds it, and the card that answers is %s's", buf_text(&names), owner->name);
                tell_owner(owning, evidence,
                           "the network sends its packets to the wrong machine: on the holder, arping -U (a gratuitous "
                           "ARP), or restart keepalived there",
                           true);
                *ret_split = true;
        }
}

bool vip_judge_owner(const struct cluster *cluster, const struct vip *vip, const struct arp_question *cards,
                     const json_t *nodes, json_t *target, json_t *findings) {
        assert(cluster && vip && cards && target && findings);
        struct owning owning = { .cluster = cluster, .vip = vip, .findings = findings };
        char ip[INET_ADDRSTRLEN];
        bool is_split = false;
        json_t *owner_json = json_null(), *list = json_array();
        inet_ntop(AF_INET, &vip->ip, ip, sizeof ip);
        snprintf(owning.what, sizeof owning.what, "virtual address %s (%s): its owner", vip->name, ip);
        const struct node *owner = judge_cards(&owning, cards, &is_split);
        json_t *holders = find_holders(cluster, nodes, ip);
        judge_holders(&owning, holders, owner, &is_split);
        if (owner)
                owner_json = json_string(owner->name);
        else if (!is_split && json_array_size(holders) == 1)
                owner_json = json_incref(json_array_get(holders, 0));
        for (size_t i = 0; i < cards->card_count; i++) {
                char text[CARD_TEXT_BYTES];
                format_card(cards->cards[i], text);
                json_array_append_new(list, json_string(text));
        }
        (void)!json_object_set_new(target, "owner", owner_json);
        (void)!json_object_set_new(target, "cards", list);
        (void)!json_object_set_new(target, "holders", holders);
        return is_split;
}
