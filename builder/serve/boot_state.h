// SPDX-License-Identifier: MIT
// How far each machine is: what the events of a journal add up to. A machine of the inventory is known by its cards;
// others are kept, too, up to a bound, so that they can be entered. A boot of a machine is an attempt, with the time of
// each stage. Not safe for several threads.
#ifndef KILN_SERVE_BOOT_STATE_H
#define KILN_SERVE_BOOT_STATE_H

#include "profile/profile.h"
#include "serve/boot_event.h"

enum { ATTEMPTS_KEPT = 8, UNKNOWN_MAX = 1024, CAUSE_SIZE = 128 };

struct boot_attempt {
        unsigned number; // of the machine, from 1
        enum boot_stage stage;
        int64_t started_ms, last_ms;     // since 1970; `last_ms`: of the last sign of life
        int64_t at_ms[BOOT_STAGE_COUNT]; // when a stage was reached; 0: not seen
        int percent;                     // of the root; -1: not known
        char id[BOOT_ID_SIZE];           // what the node calls it
        uint32_t xid;                    // of its firmware's DHCP; 0: not known
        char build[BOOT_ID_SIZE];
        char text[BOOT_TEXT_SIZE]; // as whom it decided, or why it refused
        char *console;             // what it said at length, in lines, heap; NULL: nothing
        bool is_lost;              // silent for too long before it was up
        bool is_slow;              // against its role's median
        char cause[CAUSE_SIZE];    // of that, in words
};

struct boot_machine {
        uint8_t mac[BOOT_MAC_SIZE]; // the one of the inventory, or that was seen first
        bool has_mac, is_known;
        const struct node *node; // of the inventory that boot_state_take_inventory() took; NULL: unknown
        char name[BOOT_NAME_SIZE], role[BOOT_NAME_SIZE];
        char firmware[BOOT_NAME_SIZE], uuid[BOOT_ID_SIZE], serial[BOOT_NAME_SIZE];
        struct in_addr ip;
        struct boot_attempt *attempts; // the newest first; NULL: never seen
        size_t attempt_count;
        unsigned last_number;
        int64_t last_ms;
        uint64_t version; // of the state when it changed last
};

struct boot_state {
        struct boot_machine **machines; // those of the inventory in its order, then unknown ones
        size_t count, known_count;
        uint64_t version; // rises with each change
        struct boot_index *index;
};

struct boot_state *boot_state_new(void);
void boot_state_free(struct boot_state *state);

// Takes the inventory, which must stay until the next one is taken. What was seen of machines stays theirs, by their
// cards; a node none of whose cards was seen is who had its name. The events that were applied so far need not add up
// to this state any more, since many name no card and are found by what the inventory says: a journal of them is to be
// written anew.
void boot_state_take_inventory(struct boot_state *state, const struct cluster *cluster);

// Adds an event to what is known. The machine that it is about; NULL: nobody knows who it was.
struct boot_machine *boot_state_apply(struct boot_state *state, const struct boot_event *event);

// Forgets a machine, which must be unknown to the inventory.
void boot_state_forget(struct boot_state *state, const struct boot_machine *machine);

// What only time tells: who is lost, and who is slow. True if anything has changed.
bool boot_state_tick(struct boot_state *state, int64_t now_ms);

struct boot_machine *boot_state_by_ip(const struct boot_state *state, struct in_addr ip);  // NULL: none
struct boot_machine *boot_state_by_name(const struct boot_state *state, const char *name); // NULL: none
struct boot_machine *boot_state_by_mac(const struct boot_state *state, const uint8_t mac[static BOOT_MAC_SIZE]);
// The node to which the inventory gives an address; NULL: none.
struct boot_machine *boot_state_by_assigned(const struct boot_state *state, struct in_addr ip);
// The machine that an event is about; NULL: none is known.
struct boot_machine *boot_state_find(const struct boot_state *state, const struct boot_event *event);

// Whether an event of the machine whose last boot this was is the first one of another boot.
bool boot_attempt_is_over(const struct boot_attempt *attempt, const struct boot_event *event);

// Visits events that add up to this state, in the order of their times: what a journal needs to hold (boot_replay.c).
typedef void boot_event_visit(const struct boot_event *event, void *context);
void boot_state_each_event(const struct boot_state *state, boot_event_visit *visit, void *context);

#endif
