// SPDX-License-Identifier: MIT
// The machine's cards: the one that boots, and those of the node's bond and further links. Where a bond's cards are on
// QEMU's own network, they share it through a hub.
#include <arpa/inet.h>
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/progress.h"
#include "boot/internal.h"
#include "profile/profile.h"

// What the cards of one link are plugged into.
struct side {
        struct netdev netdev; // its kind and name are those of a card at a time
        size_t hub;           // number of its hub, if it is a bond
        size_t ports;         // of the hub, so far; 0: it is not made yet
        bool is_bond;
};

struct wiring {
        struct machine *machine;
        struct arguments *arguments;
        size_t cards; // so far
};

static const char *card_mac_text(struct arena *arena, const unsigned char mac[static 6]) {
        return arena_printf(arena, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static bool add_netdev(struct wiring *wiring, const struct netdev *netdev, struct err *err) {
        const char *argument;
        if (!network_argument(wiring->machine, netdev, &argument, err))
                return false;
        arguments_printf(wiring->arguments, &wiring->machine->arena, "-netdev", "%s", argument);
        return true;
}

// One more port of a side's hub; With `plug`, the netdev of that name goes into it.
static const char *add_hub_port(struct wiring *wiring, struct side *side, const char *plug) {
        struct arena *arena = &wiring->machine->arena;
        const char *id = arena_printf(arena, "hub%zu-%zu", side->hub, side->ports++);
        const char *plugged = "";
        if (plug)
                plugged = arena_printf(arena, ",netdev=%s", plug);
        arguments_printf(wiring->arguments, arena, "-netdev", "hubport,id=%s,hubid=%zu%s", id, side->hub, plugged);
        return id;
}

// The netdev of the next card of a side.
static bool plug_side(struct wiring *wiring, struct side *side, const char *kind, const char **ret_netdev,
                      struct err *err) {
        struct netdev netdev = side->netdev;
        bool is_shared = side->is_bond && strcmp(kind, "user") == 0;
        netdev.kind = kind;
        if (is_shared && side->ports > 0) {
                *ret_netdev = add_hub_port(wiring, side, NULL);
                return true;
        }
        netdev.id = "lan";
        if (wiring->cards > 1)
                netdev.id = arena_printf(&wiring->machine->arena, "lan%zu", wiring->cards);
        if (!add_netdev(wiring, &netdev, err))
                return false;
        *ret_netdev = netdev.id;
        if (is_shared) {
                add_hub_port(wiring, side, netdev.id);
                *ret_netdev = add_hub_port(wiring, side, NULL);
        }
        return true;
}

static bool plug_card(struct wiring *wiring, struct side *side, const char *kind, const char *mac, struct err *err) {
        const char *netdev;
        bool boots = wiring->cards++ == 0;
        if (strcmp(kind, "none") == 0) {
                notice("%s has no card %s here: --card says what it is plugged into", wiring->machine->node->name, mac);
                return true;
        }
        if (!plug_side(wiring, side, kind, &netdev, err))
                return false;
        // Without a boot ROM the firmware does not spend time on the network of a machine that has a medium.
        const char *boot = "romfile=";
        if (boots && wiring->machine->medium == MEDIUM_PXE)
                boot = "bootindex=1";
        arguments_printf(wiring->arguments, &wiring->machine->arena, "-device", "virtio-net-pci,netdev=%s,mac=%s,%s",
                         netdev, mac, boot);
        side->netdev.boots = false;
        return true;
}

// What the next further card is plugged into, as the user said or as the first one is.
static const char *further_kind(const struct wiring *wiring) {
        const struct boot_options *options = wiring->machine->options;
        const char *first = text_or(options->network, "user");
        assert(wiring->cards > 0);
        if (wiring->cards - 1 < options->cards.count)
                return options->cards.items[wiring->cards - 1];
        if (strncmp(first, "tap:", 4) == 0) // a tap has one user
                return "none";
        return first;
}

// The members of a bond but `other`, which the machine has already.
static bool plug_members(struct wiring *wiring, struct side *side, const struct bond *bond, const char *other,
                         struct err *err) {
        for (size_t i = 0; i < bond->members.count; i++) {
                const char *mac = bond->members.items[i];
                if (strcasecmp(mac, other) != 0 && !plug_card(wiring, side, further_kind(wiring), mac, err))
                        return false;
        }
        return true;
}

static bool plug_link(struct wiring *wiring, const struct node_link *link, size_t number, struct err *err) {
        const struct cluster *cluster = wiring->machine->options->cluster;
        struct side side = { .netdev.ip = link->ip, .hub = number, .is_bond = link->bond.members.count > 0 };
        if (link->network < cluster->network_count)
                side.netdev.network = &cluster->networks[link->network];
        const char *mac = "";
        if (link->has_mac)
                mac = card_mac_text(&wiring->machine->arena, link->mac);
        if (link->has_mac && !plug_card(wiring, &side, further_kind(wiring), mac, err))
                return false;
        return plug_members(wiring, &side, &link->bond, mac, err);
}

static void tell_about_tags(const struct machine *machine, const struct network *network) {
        if (network->vlan > 0 && strcmp(text_or(machine->options->network, "user"), "user") == 0)
                notice("QEMU's own network has no VLANs: nobody answers %s in network %s (VLAN %d); a bridge may",
                       machine->node->name, network->name, network->vlan);
}

bool plug_cards(struct machine *machine, struct arguments *arguments, struct err *err) {
        const struct node *node = machine->node;
        const struct network *network = &machine->options->cluster->networks[node->network];
        struct wiring wiring = { .machine = machine, .arguments = arguments };
        struct side side = { .netdev = { .network = network, .ip = node->ip, .boots = true },
                             .is_bond = node->bond.members.count > 0 };
        const char *own = card_mac_text(&machine->arena, node->mac);
        tell_about_tags(machine, network);
        if (!plug_card(&wiring, &side, text_or(machine->options->network, "user"), machine->mac, err) ||
            !plug_members(&wiring, &side, &node->bond, own, err))
                return false;
        for (size_t i = 0; i < node->link_count; i++)
                if (!plug_link(&wiring, &node->links[i], i + 1, err))
                        return false;
        if (wiring.cards - 1 < machine->options->cards.count)
                return fail(err, ERR_USAGE, 0, "%zu --card for the %zu further cards that %s has in the inventory",
                            machine->options->cards.count, wiring.cards - 1, node->name);
        return true;
}
