// SPDX-License-Identifier: MIT
// Packages are unpacked ahead of librpm (payload_feed.h): the one that it reads, the next ones in its order, and the
// largest of those to come. A kernel or a Java takes longer to unpack than all before it take to be installed, and one
// thread does it: it has to begin early.
#include <rpm/rpmio.h>
#include <rpm/rpmte.h>
#include <rpm/rpmts.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "rootfs/payload_feed.h"
#include "rootfs/transaction_worker.h"

enum { FEEDS = 3, LARGE_BYTES = 8 << 20 };

struct feeds {
        size_t *order, count;              // the packages' indices, as librpm installs them
        size_t next, begun;                // positions of it: not read yet, not unpacked yet
        struct payload_feed *ahead[FEEDS]; // of a position, modulo their number
        struct payload_feed *early; // of the position before early_end, until that is one of the next; NULL: none
        size_t early_end;           // position behind the last one that was begun early
        struct payload_feed *read;  // librpm has it
        bool is_installing;
};

// With one processor, unpacking ahead only takes turns with librpm.
static bool has_processor_to_spare(void) {
        cpu_set_t processors;
        return sched_getaffinity(0, sizeof processors, &processors) == 0 && CPU_COUNT(&processors) > 1;
}

static size_t package_index(fnpyKey key) { return (size_t)(uintptr_t)key - 1; }

void worker_order_feeds(struct worker *worker, rpmts ts) {
        struct feeds *feeds = arena_alloc(&worker->arena, sizeof *feeds);
        *feeds = (struct feeds){ .count = 0 };
        feeds->order = arena_alloc(&worker->arena, (worker->transaction.package_count + 1) * sizeof *feeds->order);
        if (!has_processor_to_spare())
                return;
        rpmtsi element = rpmtsiInit(ts);
        for (rpmte te; (te = rpmtsiNext(element, TR_ADDED)) && feeds->count < worker->transaction.package_count;)
                feeds->order[feeds->count++] = package_index(rpmteKey(te));
        rpmtsiFree(element);
        worker->feeds = feeds;
}

void worker_start_feeds(const struct worker *worker) {
        if (worker->feeds)
                worker->feeds->is_installing = true;
}

// ---- the largest ----

static uint64_t bytes_of_package(const struct worker *worker, size_t position) {
        struct stat stat;
        if (fstat(worker->files[worker->feeds->order[position]], &stat) < 0)
                return 0;
        return (uint64_t)stat.st_size;
}

// One at a time: until librpm is past the last one.
static void begin_largest(struct feeds *feeds, const struct worker *worker) {
        uint64_t largest = LARGE_BYTES;
        bool is_found = false;
        if (feeds->early || feeds->next < feeds->early_end)
                return;
        for (size_t i = feeds->begun; i < feeds->count; i++)
                if (bytes_of_package(worker, i) > largest) {
                        largest = bytes_of_package(worker, i);
                        feeds->early_end = i + 1;
                        is_found = true;
                }
        if (is_found)
                feeds->early = payload_feed_start(worker->files[feeds->order[feeds->early_end - 1]]);
}

// ---- one after the other ----

static struct payload_feed *take_feed(struct feeds *feeds, size_t position) {
        return take_ptr(feeds->ahead[position % FEEDS]);
}

static struct payload_feed *begin_feed(struct feeds *feeds, const struct worker *worker, size_t position) {
        if (feeds->early && feeds->early_end == position + 1)
                return take_ptr(feeds->early);
        return payload_feed_start(worker->files[feeds->order[position]]);
}

// Librpm passed over those before it.
static void move_to(struct feeds *feeds, const struct worker *worker, size_t position) {
        for (; feeds->next < position; feeds->next++)
                if (feeds->next < feeds->begun)
                        payload_feed_stop(take_feed(feeds, feeds->next));
        if (feeds->early && feeds->early_end <= position)
                payload_feed_stop(take_ptr(feeds->early));
        if (feeds->begun < position)
                feeds->begun = position;
        for (; feeds->begun < feeds->count && feeds->begun < position + FEEDS; feeds->begun++)
                feeds->ahead[feeds->begun % FEEDS] = begin_feed(feeds, worker, feeds->begun);
        begin_largest(feeds, worker);
}

static bool find_position(const struct feeds *feeds, size_t index, size_t *ret) {
        for (size_t i = feeds->next; i < feeds->count; i++)
                if (feeds->order[i] == index) {
                        *ret = i;
                        return true;
                }
        return false;
}

// Before it installs, librpm only looks at packages; after a package's turn, it reads the header again for %posttrans.
FD_t worker_feed_package(const struct worker *worker, size_t index) {
        struct feeds *feeds = worker->feeds;
        size_t position;
        if (!feeds || !feeds->is_installing || !find_position(feeds, index, &position))
                return worker_open_package(worker, index);
        worker_end_feed(worker);
        move_to(feeds, worker, position);
        feeds->read = take_feed(feeds, position);
        feeds->next = position + 1;
        if (!feeds->read)
                return worker_open_package(worker, index);
        return fdDup(payload_feed_output(feeds->read));
}

void worker_end_feed(const struct worker *worker) {
        if (worker->feeds)
                payload_feed_stop(take_ptr(worker->feeds->read));
}

void worker_end_feeds(const struct worker *worker) {
        if (!worker->feeds)
                return;
        worker_end_feed(worker);
        payload_feed_stop(take_ptr(worker->feeds->early));
        for (size_t i = 0; i < FEEDS; i++)
                payload_feed_stop(take_ptr(worker->feeds->ahead[i]));
}
