// SPDX-License-Identifier: MIT
#include "packages/fetch/sink.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "packages/fetch/partial.h"

enum { BLOCK_BYTES = 128 << 10, BLOCKS_MAX = 128, THREADS_MAX = 4 };

struct block {
        struct block *next;
        size_t size;
        char data[BLOCK_BYTES];
};

struct sink {
        struct sinks *sinks;
        struct partial *partial;
        void *owner;
        struct block *filling;       // the receiver's
        struct block *first, **last; // full ones, in order. The mutex guards this and what follows
        sink_settle *settle;         // to be called when no block is left
        bool busy, ending;           // queued, or in the hands of a thread; sink_end() was called
        struct sink *next;           // in the queue, or among the settled
        atomic_bool failed;
        struct err error; // the working thread's; the receiver's again when it was settled
};

struct sinks {
        pthread_mutex_t mutex;
        pthread_cond_t queued, room; // a sink was queued; a block is spare
        struct sink *queue, **queue_end;
        struct sink *settled;
        struct block *spare;
        size_t block_count;
        bool stopping;
        void (*wake)(void *context);
        void *context;
        pthread_t threads[THREADS_MAX];
        size_t thread_count;
};

static void write_sink_block(struct sink *sink, const struct block *block) {
        if (!atomic_load(&sink->failed) && !partial_append(sink->partial, block->data, block->size, &sink->error))
                atomic_store(&sink->failed, true);
}

// Writes one block or, when none is left, settles the file. Called and left with the mutex held.
static void run_one_step(struct sinks *sinks, struct sink *sink) {
        struct block *block = sink->first;
        if (block) {
                sink->first = block->next;
                if (!sink->first)
                        sink->last = &sink->first;
                pthread_mutex_unlock(&sinks->mutex);
                write_sink_block(sink, block);
                pthread_mutex_lock(&sinks->mutex);
                block->next = sinks->spare; // used again first, while the CPU still caches it
                sinks->spare = block;
                pthread_cond_signal(&sinks->room);
                return;
        }
        pthread_mutex_unlock(&sinks->mutex);
        if (sink->settle && !atomic_load(&sink->failed) && !sink->settle(sink->owner, &sink->error))
                atomic_store(&sink->failed, true);
        pthread_mutex_lock(&sinks->mutex);
        sink->ending = false;
        sink->next = sinks->settled;
        sinks->settled = sink;
        sinks->wake(sinks->context);
}

static bool is_due(const struct sink *sink) { return sink->first || sink->ending; }

static void *run_sink_thread(void *context) {
        struct sinks *sinks = context;
        pthread_mutex_lock(&sinks->mutex);
        while (!sinks->stopping) {
                struct sink *sink = sinks->queue;
                if (!sink) {
                        pthread_cond_wait(&sinks->queued, &sinks->mutex);
                        continue;
                }
                sinks->queue = sink->next;
                if (!sinks->queue)
                        sinks->queue_end = &sinks->queue;
                while (!sinks->stopping && is_due(sink))
                        run_one_step(sinks, sink);
                sink->busy = false;
        }
        pthread_mutex_unlock(&sinks->mutex);
        return NULL;
}

// Signals are for the main thread.
static void start_threads(struct sinks *sinks) {
        sigset_t all, before;
        long wanted = sysconf(_SC_NPROCESSORS_ONLN);
        if (wanted < 1)
                wanted = 1;
        if (wanted > THREADS_MAX)
                wanted = THREADS_MAX;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        while (sinks->thread_count < (size_t)wanted &&
               pthread_create(&sinks->threads[sinks->thread_count], NULL, run_sink_thread, sinks) == 0)
                sinks->thread_count++;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct sinks *sinks_new(void (*wake)(void *context), void *context) {
        struct sinks *sinks = xcalloc(1, sizeof *sinks);
        pthread_mutex_init(&sinks->mutex, NULL);
        pthread_cond_init(&sinks->queued, NULL);
        pthread_cond_init(&sinks->room, NULL);
        sinks->queue_end = &sinks->queue;
        sinks->wake = wake;
        sinks->context = context;
        start_threads(sinks);
        return sinks;
}

void sinks_stop(struct sinks *sinks) {
        pthread_mutex_lock(&sinks->mutex);
        sinks->stopping = true;
        pthread_cond_broadcast(&sinks->queued);
        pthread_mutex_unlock(&sinks->mutex);
        for (size_t i = 0; i < sinks->thread_count; i++)
                pthread_join(sinks->threads[i], NULL);
        sinks->thread_count = 0;
}

static void free_blocks(struct block *block) {
        while (block) {
                struct block *next = block->next;
                free(block);
                block = next;
        }
}

void sinks_free(struct sinks *sinks) {
        sinks_stop(sinks);
        free_blocks(sinks->spare);
        pthread_mutex_destroy(&sinks->mutex);
        pthread_cond_destroy(&sinks->queued);
        pthread_cond_destroy(&sinks->room);
        free(sinks);
}

struct sink *sink_new(struct sinks *sinks, struct partial *partial, void *owner) {
        assert(partial && owner); // sinks_settled() tells the owner
        struct sink *sink = xcalloc(1, sizeof *sink);
        *sink = (struct sink){ .sinks = sinks, .partial = partial, .owner = owner };
        sink->last = &sink->first;
        return sink;
}

void sink_free(struct sink *sink) {
        if (!sink)
                return;
        free_blocks(sink->first);
        free(sink->filling);
        err_release(&sink->error);
        free(sink);
}

// With the mutex held. Where no thread could be had, the receiver takes the steps itself.
static void queue_sink(struct sink *sink) {
        struct sinks *sinks = sink->sinks;
        while (sinks->thread_count == 0 && is_due(sink))
                run_one_step(sinks, sink);
        if (sink->busy || !is_due(sink))
                return;
        sink->busy = true;
        sink->next = NULL;
        *sinks->queue_end = sink;
        sinks->queue_end = &sink->next;
        pthread_cond_signal(&sinks->queued);
}

static struct block *get_block(struct sinks *sinks) {
        pthread_mutex_lock(&sinks->mutex);
        while (!sinks->spare && sinks->block_count >= BLOCKS_MAX)
                pthread_cond_wait(&sinks->room, &sinks->mutex);
        struct block *block = sinks->spare;
        if (block)
                sinks->spare = block->next;
        else
                sinks->block_count++;
        pthread_mutex_unlock(&sinks->mutex);
        if (!block)
                block = xmalloc(sizeof *block);
        block->next = NULL;
        block->size = 0;
        return block;
}

static void hand_over(struct sink *sink, bool end) {
        struct block *block = take_ptr(sink->filling);
        pthread_mutex_lock(&sink->sinks->mutex);
        if (block) {
                *sink->last = block;
                sink->last = &block->next;
        }
        if (end)
                sink->ending = true;
        queue_sink(sink);
        pthread_mutex_unlock(&sink->sinks->mutex);
}

bool sink_append(struct sink *sink, const char *data, size_t size) {
        while (size > 0) {
                if (atomic_load(&sink->failed))
                        return false;
                if (!sink->filling)
                        sink->filling = get_block(sink->sinks);
                struct block *block = sink->filling;
                size_t part = BLOCK_BYTES - block->size;
                if (part > size)
                        part = size;
                memcpy(block->data + block->size, data, part);
                block->size += part;
                data += part;
                size -= part;
                if (block->size == BLOCK_BYTES)
                        hand_over(sink, false);
        }
        return true;
}

void sink_end(struct sink *sink, sink_settle *settle) {
        assert(!sink->ending);
        sink->settle = settle;
        hand_over(sink, true);
}

void *sinks_settled(struct sinks *sinks, struct err *ret_error) {
        pthread_mutex_lock(&sinks->mutex);
        struct sink *sink = sinks->settled;
        if (sink)
                sinks->settled = sink->next;
        pthread_mutex_unlock(&sinks->mutex);
        if (!sink)
                return NULL;
        *ret_error = take_err(&sink->error);
        atomic_store(&sink->failed, false);
        return sink->owner;
}
