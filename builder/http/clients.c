// SPDX-License-Identifier: MIT
#include "http/clients.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/address_order.h"

enum { CLIENTS_MAX = 65536, FORGET_MS = 60000, SECOND_MS = 1000 };

static const unsigned most_of_kind[] = {
#define X(name, most) most,
        CLIENT_KINDS(X)
#undef X
};

static size_t place_of_client(const struct clients *clients, uint32_t address) {
        static_assert(offsetof(struct client, address) == 0, "address_place() looks there");
        return address_place(clients->items, clients->count, sizeof *clients->items, address);
}

static struct client *find_client(const struct clients *clients, uint32_t address) {
        size_t at = place_of_client(clients, address);
        if (at == clients->count || clients->items[at].address != address)
                return NULL;
        return &clients->items[at];
}

static bool is_client_idle(const struct client *client, int64_t now_ms) {
        for (size_t kind = 0; kind < CLIENT_KIND_COUNT; kind++)
                if (client->counts[kind] > 0)
                        return false;
        return now_ms - client->seen_ms > FORGET_MS;
}

static void forget_idle(struct clients *clients, int64_t now_ms) {
        size_t kept = 0;
        for (size_t i = 0; i < clients->count; i++)
                if (!is_client_idle(&clients->items[i], now_ms))
                        clients->items[kept++] = clients->items[i];
        clients->count = kept;
}

// NULL: there are more than any rack has.
static struct client *obtain_client(struct clients *clients, uint32_t address, int64_t now_ms) {
        struct client *client = find_client(clients, address);
        if (!client) {
                if (clients->count == CLIENTS_MAX)
                        forget_idle(clients, now_ms);
                if (clients->count == CLIENTS_MAX)
                        return NULL;
                size_t at = place_of_client(clients, address), behind = clients->count - at;
                (void)array_append(&clients->items, &clients->count);
                client = &clients->items[at];
                memmove(client + 1, client, behind * sizeof *client);
                *client = (struct client){ .address = address, .reports = CLIENT_REPORTS_BURST, .reports_ms = now_ms };
        }
        client->seen_ms = now_ms;
        return client;
}

bool clients_may_take(const struct clients *clients, enum client_kind kind, uint32_t address) {
        assert(clients && kind < CLIENT_KIND_COUNT);
        const struct client *client = find_client(clients, address);
        return !client || client->counts[kind] < most_of_kind[kind];
}

bool clients_take(struct clients *clients, enum client_kind kind, uint32_t address, int64_t now_ms) {
        assert(clients && kind < CLIENT_KIND_COUNT);
        if (address == clients->own)
                return true;
        struct client *client = obtain_client(clients, address, now_ms);
        if (!client || client->counts[kind] >= most_of_kind[kind])
                return false;
        client->counts[kind]++;
        return true;
}

void clients_give(struct clients *clients, enum client_kind kind, uint32_t address) {
        struct client *client = find_client(clients, address);
        if (address == clients->own)
                return;
        assert(client && client->counts[kind] > 0);
        client->counts[kind]--;
}

// A bucket that fills with time, up to a burst.
bool clients_take_report(struct clients *clients, uint32_t address, int64_t now_ms) {
        assert(clients);
        if (address == clients->own)
                return true;
        struct client *client = obtain_client(clients, address, now_ms);
        if (!client)
                return false;
        int64_t more = (now_ms - client->reports_ms) * CLIENT_REPORTS_A_SECOND / SECOND_MS;
        if (more > 0) {
                client->reports_ms = now_ms;
                if (more >= CLIENT_REPORTS_BURST - client->reports)
                        client->reports = CLIENT_REPORTS_BURST;
                else
                        client->reports += (unsigned)more;
        }
        if (client->reports == 0)
                return false;
        client->reports--;
        return true;
}

void clients_release(struct clients *clients) {
        free(clients->items);
        clients->items = NULL;
        clients->count = 0;
}
