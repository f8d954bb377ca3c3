// SPDX-License-Identifier: MIT
#include "base/parallel.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"

struct pool {
        parallel_work *work;
        void *context;
        size_t count;
        atomic_size_t next;
        atomic_bool failed;
        pthread_mutex_t lock;
        struct err *err; // under lock
};

static void *parallel_worker(void *context) {
        struct pool *pool = context;
        while (!pool->failed) {
                size_t index = atomic_fetch_add(&pool->next, 1);
                if (index >= pool->count)
                        break;
                struct err own = { 0 };
                if (pool->work(index, pool->context, &own))
                        continue;
                pthread_mutex_lock(&pool->lock);
                if (!pool->failed)
                        *pool->err = take_err(&own);
                pool->failed = true;
                pthread_mutex_unlock(&pool->lock);
                err_release(&own);
        }
        return NULL;
}

bool parallel_for(size_t count, unsigned jobs, parallel_work *work, void *context, struct err *err) {
        assert(jobs > 0);
        struct pool pool = { .work = work, .context = context, .count = count, .err = err };
        pthread_mutex_init(&pool.lock, NULL);
        size_t wanted = size_min(count, jobs), started = 0;
        auto_free pthread_t *threads = xcalloc(wanted + 1, sizeof *threads);
        // The caller is one of the workers, so one thread fewer is started, and none for a single item.
        while (started + 1 < wanted && pthread_create(&threads[started], NULL, parallel_worker, &pool) == 0)
                started++;
        parallel_worker(&pool);
        for (size_t i = 0; i < started; i++)
                pthread_join(threads[i], NULL);
        pthread_mutex_destroy(&pool.lock);
        return !pool.failed;
}
