// SPDX-License-Identifier: MIT
// One rpm transaction in a container. librpm runs inside of the target ("/" is the image), with the host's
// configuration loaded before the pivot and nothing of the host needed afterwards.
#include "rootfs/transaction.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <rpm/rpmio.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmps.h>
#include <rpm/rpmts.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "packages/packages.h"
#include "profile/profile.h"
#include "rootfs/boot_tools.h"
#include "rootfs/links.h"
#include "rootfs/nodes.h"
#include "rootfs/rootfs.h"
#include "rootfs/rpmdb.h"
#include "rootfs/system_update.h"
#include "rootfs/transaction_worker.h"
#include "rootfs/volatile.h"
#include "sandbox/container.h"

enum { SCRIPTLET_TELL_SECONDS = 60, SCRIPTLET_LIMIT_SECONDS = 1800, MESSAGES_BYTES_MAX = 1 << 20 };

// ---- the request: texts, each with its NUL; numbers are decimal texts ----

static void put_request_text(struct buf *request, const char *text) { buf_append(request, text, strlen(text) + 1); }

static void put_request_number(struct buf *request, int64_t number) {
        auto_free char *text = xasprintf("%lld", (long long)number);
        put_request_text(request, text);
}

static void put_request_texts(struct buf *request, const struct strings *texts) {
        put_request_number(request, (int64_t)texts->count);
        for (size_t i = 0; i < texts->count; i++)
                put_request_text(request, texts->items[i]);
}

static void put_request_users(struct buf *request, const struct layer_users *users) {
        size_t count = users ? users->count : 0;
        put_request_number(request, (int64_t)count);
        for (size_t i = 0; i < count; i++) {
                const struct user *user = users->items[i];
                put_request_text(request, text_or(user->place.file, ""));
                put_request_number(request, user->place.line);
                put_request_number(request, user->place.column);
                put_request_text(request, user->name);
                put_request_text(request, text_or(user->home, ""));
                put_request_text(request, text_or(user->shell, ""));
                put_request_text(request, text_or(user->comment, ""));
                put_request_number(request, user->uid);
                put_request_number(request, user->system);
        }
}

static void write_request(const struct transaction *transaction, struct buf *ret) {
        static const struct strings none;
        put_request_text(ret, transaction->rpmdb);
        put_request_number(ret, transaction->source_date_epoch);
        put_request_texts(ret, transaction->may_fail ? transaction->may_fail : &none);
        put_request_users(ret, transaction->users);
        put_request_number(ret, (int64_t)transaction->package_count);
        for (size_t i = 0; i < transaction->package_count; i++) {
                put_request_text(ret, transaction->packages[i]->nevra);
                put_request_text(ret, transaction->packages[i]->path);
        }
}

static const char *take_text(const char **next) {
        const char *text = *next;
        *next += strlen(text) + 1;
        return text;
}

static size_t take_count(const char **next) { return strtoul(take_text(next), NULL, 10); }

static const struct strings *take_texts(const char **next, struct arena *arena) {
        struct strings *texts = arena_alloc(arena, sizeof *texts);
        texts->count = take_count(next);
        const char **items = arena_alloc(arena, (texts->count + 1) * sizeof *items);
        for (size_t i = 0; i < texts->count; i++)
                items[i] = take_text(next);
        texts->items = items;
        return texts;
}

static int64_t take_request_number(const char **next) { return strtoll(take_text(next), NULL, 10); }

static const struct user *take_user(const char **next, struct arena *arena) {
        struct user *user = arena_alloc(arena, sizeof *user);
        user->place.file = take_text(next);
        user->place.line = (int)take_request_number(next);
        user->place.column = (int)take_request_number(next);
        user->name = take_text(next);
        user->home = take_text(next);
        user->shell = take_text(next);
        user->comment = take_text(next);
        user->uid = take_request_number(next);
        user->system = take_request_number(next) != 0;
        return user;
}

static const struct layer_users *take_users(const char **next, struct arena *arena) {
        struct layer_users *users = arena_alloc(arena, sizeof *users);
        users->count = take_count(next);
        users->items = arena_alloc(arena, (users->count + 1) * sizeof *users->items);
        for (size_t i = 0; i < users->count; i++)
                users->items[i] = take_user(next, arena);
        return users;
}

static const struct package *take_package(const char **next, struct arena *arena) {
        struct package *package = arena_alloc(arena, sizeof *package);
        package->nevra = take_text(next);
        package->path = take_text(next);
        return package;
}

// kiln itself wrote it, a moment ago: nothing needs to be checked.
static bool read_request(const struct buf *request, void **ret_context, struct err *err) {
        static struct worker worker = { .messages = { .max = MESSAGES_BYTES_MAX } };
        struct arena *arena = &worker.arena;
        struct transaction *transaction = &worker.transaction;
        const char *next = memcpy(arena_alloc(arena, request->size), request->data, request->size);
        transaction->rpmdb = take_text(&next);
        transaction->source_date_epoch = take_request_number(&next);
        transaction->may_fail = take_texts(&next, arena);
        transaction->users = take_users(&next, arena);
        transaction->package_count = take_count(&next);
        const struct package **packages =
            arena_alloc(arena, (transaction->package_count + 1) * sizeof(struct package *));
        for (size_t i = 0; i < transaction->package_count; i++)
                packages[i] = take_package(&next, arena);
        transaction->packages = packages;
        *ret_context = &worker;
        return rpmdb_find(transaction->rpmdb, &worker.backend, err);
}

static bool prepare_transaction(void *context, struct err *err) { return worker_prepare(context, err); }

// ---- the transaction ----

static bool is_readable(rpmRC result) {
        return result == RPMRC_OK || result == RPMRC_NOTTRUSTED ||
               result == RPMRC_NOKEY; // trust was settled by the fetch
}

// librpm gives back the key of a package in its events: its index, and one.
static bool add_package(rpmts ts, const struct worker *worker, size_t index, struct err *err) {
        const struct package *package = worker->transaction.packages[index];
        FD_t file = worker_open_package(worker, index);
        Header header = NULL;
        if (!file)
                return fail(err, ERR_SYSTEM, errno, "read %s", package->path);
        rpmRC result = rpmReadPackageFile(ts, file, package->path, &header);
        Fclose(file);
        if (!header || !is_readable(result))
                return fail(err, ERR_CORRUPT, 0, "%s: rpm cannot read it", package->path);
        int refused = rpmtsAddInstallElement(ts, header, (fnpyKey)(uintptr_t)(index + 1), 0, NULL);
        headerFree(header);
        if (refused)
                return fail(err, ERR_TRANSACTION, 0, "rpm does not take %s", package->nevra);
        return true;
}

static bool add_packages(rpmts ts, const struct worker *worker, struct err *err) {
        for (size_t i = 0; i < worker->transaction.package_count; i++)
                if (!add_package(ts, worker, i, err))
                        return false;
        return true;
}

static bool has_problems(rpmts ts) {
        rpmps problems = rpmtsProblems(ts);
        bool any = rpmpsNumProblems(problems) > 0;
        rpmpsFree(problems);
        return any;
}

static bool run_transaction(rpmts ts, struct worker *worker, struct err *err) {
        if (!add_packages(ts, worker, err) || !links_make(ts, err))
                return false;
        if (rpmtsCheck(ts) != 0)
                return worker_fail(worker, "rpm cannot check the packages", err);
        if (has_problems(ts))
                return worker_fail_problems(ts, "rpm misses dependencies", err);
        if (rpmtsOrder(ts) != 0)
                return worker_fail(worker, "rpm cannot order the packages", err);
        rpmtsClean(ts);
        worker_order_feeds(worker, ts);
        buf_clear(&worker->messages);
        nodes_stand_in(true);
        int result = rpmtsRun(ts, NULL, RPMPROB_FILTER_NONE);
        nodes_stand_in(false);
        worker_end_feeds(worker);
        if (result > 0)
                return worker_fail_problems(ts, "rpm refuses the packages", err);
        if (result < 0)
                return worker_fail(worker, "rpm's transaction failed", err);
        return volatile_prune(ts, err);
}

static rpmts make_transaction(struct worker *worker, FD_t output) {
        rpmts ts = rpmtsCreate();
        rpmtsSetRootDir(ts, "/");
        rpmtsSetFlags(ts, RPMTRANS_FLAG_NOPLUGINS | RPMTRANS_FLAG_NOCONTEXTS);
        rpmtsSetVSFlags(ts, RPMVSF_MASK_NOSIGNATURES); // verified when they were fetched
        rpmtsSetVfyFlags(ts, RPMVSF_MASK_NOSIGNATURES);
        rpmtsSetVfyLevel(ts, RPMSIG_NONE_TYPE);
        rpmtsSetTid(ts, (rpm_tid_t)worker->transaction.source_date_epoch);
        rpmtsSetScriptFd(ts, output);
        worker_watch(worker, ts);
        return ts;
}

// On a tmpfs of limited size.
static bool redirect_output(struct worker *worker, struct err *err) {
        worker->output = open("/dev/shm", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
        if (worker->output < 0 || dup2(worker->output, STDOUT_FILENO) < 0 || dup2(worker->output, STDERR_FILENO) < 0)
                return fail(err, ERR_SYSTEM, errno, "keep the scriptlets' output");
        return true;
}

static bool run_with_output(struct worker *worker, struct err *err) {
        FD_t output = fdDup(worker->output);
        rpmts ts = make_transaction(worker, output);
        bool ok = run_transaction(ts, worker, err);
        rpmtsCloseDB(ts);
        rpmtsFree(ts);
        Fclose(output);
        worker_unwatch();
        return ok;
}

static bool finish_transaction(const struct worker *worker, size_t packages_before, struct err *err) {
        const struct transaction *transaction = &worker->transaction;
        return rpmdb_check(packages_before + transaction->package_count, err) && boot_tools_restore(err) &&
               kernel_modules_index(err) && system_update(worker->channel, err) &&
               worker->backend->finish(transaction->source_date_epoch, err);
}

static bool work_in_container(void *context, struct container_channel *channel, struct err *err) {
        struct worker *worker = context;
        size_t packages_before;
        worker->channel = channel;
        if (!redirect_output(worker, err) || !rpmdb_begin(&packages_before, err))
                return false;
        return run_with_output(worker, err) && finish_transaction(worker, packages_before, err);
}

static const struct container_job job = { read_request, prepare_transaction, work_in_container };

void transaction_init_main(int argc, char **argv) {
        if (container_is_init(argc, argv))
                container_init(&job);
}

bool transaction_run(const struct transaction *transaction, struct err *err) {
        assert(transaction->root >= 0);
        const struct rpmdb_backend *backend;
        auto_buf request = { 0 };
        if (!rpmdb_find(transaction->rpmdb, &backend, err))
                return false;
        if (transaction->package_count == 0)
                return true;
        write_request(transaction, &request);
        struct container container = {
                .root = transaction->root,
                .request = &request,
                .source_date_epoch = transaction->source_date_epoch,
                .progress = transaction->progress,
                .tell_seconds = SCRIPTLET_TELL_SECONDS,
                .limit_seconds = SCRIPTLET_LIMIT_SECONDS,
        };
        return container_run(&container, err);
}
