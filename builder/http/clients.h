// SPDX-License-Identifier: MIT
// What each address has under way, so that no single one takes all there is. This machine's own address is not counted:
// whoever is on it, a proxy for others included, is trusted. Not safe for several threads.
#ifndef KILN_HTTP_CLIENTS_H
#define KILN_HTTP_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// X(name, at most for one address). A machine loads one root; a connection that broke may be there for a while beside
// the one that goes on.
#define CLIENT_KINDS(X)                                                                                                \
        X(CONNECTION, 256)                                                                                             \
        X(ROOT, 2)                                                                                                     \
        X(WATCHER, 8)

enum client_kind {
#define X(name, most) CLIENT_##name,
        CLIENT_KINDS(X)
#undef X
            CLIENT_KIND_COUNT
};

enum { CLIENT_REPORTS_BURST = 100, CLIENT_REPORTS_A_SECOND = 10 };

struct client {
        uint32_t address; // IPv4
        unsigned counts[CLIENT_KIND_COUNT];
        unsigned reports; // that it may send now
        int64_t reports_ms, seen_ms;
};

struct clients {
        struct client *items; // sorted by address
        size_t count;
        uint32_t own; // this machine's address; 0: not known
};

// True if the address may have one more, which clients_give() gives back.
bool clients_take(struct clients *clients, enum client_kind kind, uint32_t address, int64_t now_ms);
void clients_give(struct clients *clients, enum client_kind kind, uint32_t address);
// Whether clients_take() would be true.
bool clients_may_take(const struct clients *clients, enum client_kind kind, uint32_t address);
// A report is sent and over: so many a second, and some at once.
bool clients_take_report(struct clients *clients, uint32_t address, int64_t now_ms);

void clients_release(struct clients *clients);

#endif
