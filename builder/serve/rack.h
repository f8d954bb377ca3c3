// SPDX-License-Identifier: MIT
// All that HTTP's threads and the main loop share, behind one lock: the inventory, open builds, who was given which,
// how far each machine is, and the transfers that are going on. Every function here takes the lock itself, unless it
// says so.
#ifndef KILN_SERVE_RACK_H
#define KILN_SERVE_RACK_H

#include <pthread.h>

#include "http/clients.h"
#include "serve/admission.h"
#include "serve/boot_state.h"
#include "serve/journal.h"
#include "serve/pins.h"
#include "serve/served_builds.h"
#include "serve/vip_watch.h"

struct rack_transfer;

struct rack {
        pthread_mutex_t lock;
        struct cluster *cluster; // owned
        struct served_builds builds;
        struct served_build *wanted; // what machines get that begin to boot now
        struct pins pins;
        struct boot_state *state;
        struct journal journal;
        struct admission admission;
        struct clients clients;
        struct vip_watch vips;
        const char *out;                 // the output directory in which the builds are
        struct in_addr free_address;     // that the next node of the inventory could have; 0: none
        struct rack_transfer *transfers; // those whose progress is watched
        uint64_t bytes_sent, requests, refused_requests;
        int64_t started_ms;
        pthread_t syncing; // puts the journal on the disk, which may be slow, beside all else
        bool is_syncing, is_over;
};

// `cluster` becomes the rack's. The builds, the wanted build and the journal are the caller's to open first.
void rack_setup(struct rack *rack, struct cluster *cluster);
void rack_release(struct rack *rack);

// From now on the journal is put on the disk every second, until rack_release().
must_check bool rack_start_syncing(struct rack *rack, struct err *err);

// What machines get from now on. The build is held.
void rack_switch(struct rack *rack, struct served_build *build);
void rack_take_inventory(struct rack *rack, struct cluster *cluster);
// The inventory for who asks it for seconds, for which the lock is too dear: it is there until it is returned, by the
// same thread.
const struct cluster *rack_borrow_cluster(struct rack *rack);
void rack_return_cluster(void);

// Something happened: it is written down and added up.
void rack_note(struct rack *rack, const struct boot_event *event);
void rack_note_locked(struct rack *rack, const struct boot_event *event); // by who holds the lock
// What a node says from an address. False: it is not for that address to tell (boot_speaker.h).
bool rack_take_report(struct rack *rack, struct in_addr client, struct boot_event *event);
// Whether the address may send one more report now; before anything is read of it.
bool rack_may_report(struct rack *rack, struct in_addr client);
// The same for what a server sees of an address: told only if it is news.
void rack_note_file(struct rack *rack, struct in_addr client, const char *path, const char *build);

// Forgets a machine that the inventory does not know. The caller holds the lock.
void rack_forget(struct rack *rack, const struct boot_machine *machine);

// ---- files ----

// BUSY: as many as may are under way, or this process can open no more files.
enum rack_answer { RACK_FILE, RACK_ABSENT, RACK_BUSY };

struct rack_file {
        int fd;
        uint64_t size_bytes;
        char tag[67];               // entity tag: the digest of SHA256SUMS in quotes; "": it does not name the file
        bool is_fixed;              // the URL names its build, so its bytes never change
        struct served_build *build; // held until rack_close_file()
        struct in_addr client;
        bool is_piece;    // a part with an end was asked for, of how many nobody says
        bool is_counted;  // as a root of its client
        bool is_admitted; // counts as a transfer of a root
        unsigned retry_s; // RACK_BUSY
};

struct rack_wish {
        struct in_addr client;
        const char *path;   // as of http_path_clean(): "current/..." or "<build id>/..."
        const char *digest; // the client asked for this, which has that path; NULL: it asked for the path
        bool is_read;       // its bytes will be sent, so that it may have to wait
        const char *range;  // which of them, as of http_range_parse()
        const char *unless; // nor that if it is this one, as of http_tag_matches(); NULL: in any case
        bool must;          // this client cannot come back
};

// Opens what somebody wishes for. Whoever names a digest gets it from the build that he boots, if that has it: another
// one with the same file is none of his.
enum rack_answer rack_open_file(struct rack *rack, const struct rack_wish *wish, struct rack_file *ret);
// What has a digest, as served_builds_by_digest().
char *rack_path_of_digest(const struct rack *rack, const char *digest);
// The descriptor is not closed: it may be somebody else's by now.
void rack_close_file(struct rack *rack, struct rack_file *file);

// Watches how much of a root the other end of a connection has, until rack_unwatch(). `socket` must stay open until
// then, and the file, too. One that is slow gives its place to others; one that stands is cut off.
struct rack_transfer *rack_watch(struct rack *rack, int socket, uint64_t first, struct rack_file *file);
void rack_unwatch(struct rack *rack, struct rack_transfer *transfer, bool is_done);

void rack_look_at_transfers(struct rack *rack, int64_t now_ms); // by who holds the lock; `now_ms` is monotonic

// To be called several times a second.
void rack_tick(struct rack *rack, int64_t now_ms);

#endif
