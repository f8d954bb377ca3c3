// SPDX-License-Identifier: MIT
// librpm's callbacks: packages that it asks for, progress, scriptlets that begin and fail, and its messages.
#include <rpm/header.h>
#include <rpm/rpmcallback.h>
#include <rpm/rpmio.h>
#include <rpm/rpmlog.h>
#include <rpm/rpmtag.h>
#include <rpm/rpmts.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "packages/packages.h"
#include "rootfs/boot_tools.h"
#include "rootfs/sysusers.h"
#include "rootfs/transaction_worker.h"
#include "sandbox/container.h"

static int keep_message(rpmlogRec record, rpmlogCallbackData data) {
        struct worker *worker = data;
        const char *text = rpmlogRecMessage(record);
        if (rpmlogRecPriority(record) > RPMLOG_WARNING)
                return 0;
        buf_append_text(&worker->messages, text);
        bool is_told_elsewhere = strstr(text, "scriptlet failed") || worker_tell_missing_owner(worker, text);
        if (rpmlogRecPriority(record) == RPMLOG_WARNING && !is_told_elsewhere) {
                auto_free char *line = xstrndup(text, strcspn(text, "\n"));
                container_warn(worker->channel, line);
        }
        return 0;
}

static size_t index_of(fnpyKey key) { return (size_t)(uintptr_t)key - 1; }

FD_t worker_open_package(const struct worker *worker, size_t index) {
        if (lseek(worker->files[index], 0, SEEK_SET) < 0)
                return NULL;
        return fdDup(worker->files[index]);
}

static void start_scriptlet(struct worker *worker, Header header, rpm_loff_t tag) {
        auto_err err = { 0 };
        worker_begin_scriptlet(worker, header, tag);
        buf_clear(&worker->messages);
        (void)!ftruncate(worker->output, 0);
        bool is_shown = !worker->backend->show || worker->backend->show(&err);
        if (!is_shown || !boot_tools_set_aside(&err))
                container_abort(worker->channel, &err);
}

static _Noreturn void abort_unpacking(const struct worker *worker, size_t index) {
        auto_err err = { 0 };
        (void)worker_fail(worker, worker->transaction.packages[index]->nevra, &err);
        container_abort(worker->channel, &err);
}

// %pre has run, and nothing is unpacked yet.
static void start_unpacking(struct worker *worker, Header header) {
        auto_err err = { 0 };
        if (worker->unpacked == header)
                return;
        worker->unpacked = header;
        if (!worker_add_users(worker, &err))
                container_abort(worker->channel, &err);
}

// Before a package's %pre, and again before its files: not every package has a %pre.
static void make_users(const struct worker *worker, Header header) {
        auto_err err = { 0 };
        if (!header || sysusers_make(header, worker->transaction.source_date_epoch, &err))
                return;
        auto_free char *nevra = headerGetAsString(header, RPMTAG_NEVRA);
        (void)wrap(&err, "%s: making the users that it declares", nevra);
        container_abort(worker->channel, &err);
}

static void *on_event(const void *header, const rpmCallbackType what, const rpm_loff_t amount, const rpm_loff_t total,
                      fnpyKey key, rpmCallbackData data) {
        static FD_t payload;
        struct worker *worker = data;
        (void)total;
        switch (what) {
        case RPMCALLBACK_TRANS_STOP: // all is prepared, and %pretrans has run
                worker_start_feeds(worker);
                break;
        case RPMCALLBACK_INST_START:
                make_users(worker, (Header)header);
                break;
        case RPMCALLBACK_INST_OPEN_FILE:
                payload = worker_feed_package(worker, index_of(key));
                return payload;
        case RPMCALLBACK_INST_CLOSE_FILE:
                Fclose(payload);
                payload = NULL;
                worker_end_feed(worker);
                break;
        case RPMCALLBACK_INST_PROGRESS:
                start_unpacking(worker, (Header)header);
                break;
        case RPMCALLBACK_INST_STOP:
                worker->unpacked = NULL;
                container_step(worker->channel);
                break;
        case RPMCALLBACK_SCRIPT_START:
                if (amount == RPMTAG_PREIN)
                        make_users(worker, (Header)header);
                start_scriptlet(worker, (Header)header, amount);
                break;
        case RPMCALLBACK_SCRIPT_STOP:
                container_task(worker->channel, "");
                break;
        case RPMCALLBACK_SCRIPT_ERROR: // librpm goes on after a failed %post; the tree is thrown away, so end here
                worker_fail_scriptlet(worker, (Header)header, amount);
                break;
        case RPMCALLBACK_UNPACK_ERROR:
        case RPMCALLBACK_CPIO_ERROR:
                abort_unpacking(worker, index_of(key));
        default:
                break;
        }
        return NULL;
}

void worker_watch(struct worker *worker, rpmts ts) {
        worker->ts = ts;
        rpmtsSetNotifyStyle(ts, 0);
        rpmtsSetNotifyCallback(ts, on_event, worker);
        rpmlogSetMask(RPMLOG_UPTO(RPMLOG_INFO)); // "verbose": else scriptlets' standard output is thrown away
        rpmlogSetCallback(keep_message, worker);
}

void worker_unwatch(void) { rpmlogSetCallback(NULL, NULL); }
