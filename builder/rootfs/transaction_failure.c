// SPDX-License-Identifier: MIT
// What librpm has to say of a failure, gathered from its messages, the scriptlet's output and the disk.
#include <errno.h>
#include <fnmatch.h>
#include <rpm/header.h>
#include <rpm/rpmdb.h>
#include <rpm/rpmprob.h>
#include <rpm/rpmps.h>
#include <rpm/rpmtag.h>
#include <rpm/rpmts.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "profile/profile.h"
#include "rootfs/transaction_worker.h"
#include "sandbox/container.h"
#include "sandbox/user_namespace.h"

enum { SHOWN_OUTPUT_BYTES = 8192, FULL_BYTES = 1 << 20, PACKAGE_NAME_BYTES = 256 };

// ---- scriptlets ----

struct scriptlet {
        rpmTag tag, interpreter; // interpreter 0: of a trigger, several
        const char *name;
};

static const struct scriptlet *find_scriptlet(rpm_loff_t tag) {
        static const struct scriptlet scriptlets[] = {
                { RPMTAG_PRETRANS, RPMTAG_PRETRANSPROG, "%pretrans" },
                { RPMTAG_PREIN, RPMTAG_PREINPROG, "%pre" },
                { RPMTAG_POSTIN, RPMTAG_POSTINPROG, "%post" },
                { RPMTAG_POSTTRANS, RPMTAG_POSTTRANSPROG, "%posttrans" },
                { RPMTAG_PREUN, RPMTAG_PREUNPROG, "%preun" },
                { RPMTAG_POSTUN, RPMTAG_POSTUNPROG, "%postun" },
                { RPMTAG_TRIGGERPREIN, 0, "%triggerprein" },
                { RPMTAG_TRIGGERIN, 0, "trigger" },
                { RPMTAG_TRIGGERUN, 0, "%triggerun" },
                { RPMTAG_TRIGGERPOSTUN, 0, "%triggerpostun" },
        };
        static const struct scriptlet other = { 0, 0, "scriptlet" };
        for (size_t i = 0; i < lengthof(scriptlets); i++)
                if (scriptlets[i].tag == (rpmTag)tag)
                        return &scriptlets[i];
        return &other;
}

// Of the triggers that the installed package `holder` has: librpm gives each the tag of %triggerin, and calls it so.
static const struct scriptlet *find_trigger(const struct worker *worker, const char *holder) {
        static const struct {
                rpmTag scripts;
                struct scriptlet scriptlet;
        } kinds[] = {
                { RPMTAG_TRIGGERSCRIPTS, { RPMTAG_TRIGGERIN, 0, "%triggerin" } },
                { RPMTAG_FILETRIGGERSCRIPTS, { RPMTAG_TRIGGERIN, 0, "%filetriggerin" } },
                { RPMTAG_TRANSFILETRIGGERSCRIPTS, { RPMTAG_TRIGGERIN, 0, "%transfiletriggerin" } },
        };
        static const struct scriptlet one_of_several = { RPMTAG_TRIGGERIN, 0,
                                                         "%triggerin, %filetriggerin or "
                                                         "%transfiletriggerin" };
        const struct scriptlet *found = NULL;
        rpmdbMatchIterator packages = rpmtsInitIterator(worker->ts, RPMDBI_LABEL, holder, 0);
        Header header = rpmdbNextIterator(packages);
        for (size_t i = 0; header && i < lengthof(kinds); i++) {
                if (!headerIsEntry(header, kinds[i].scripts))
                        continue;
                if (found)
                        found = &one_of_several;
                else
                        found = &kinds[i].scriptlet;
        }
        rpmdbFreeIterator(packages);
        if (!found)
                return find_scriptlet(RPMTAG_TRIGGERIN);
        return found;
}

// Why a scriptlet printed nothing: the child of librpm that could not start the interpreter has nowhere to say so.
// "<lua>" is no program.
static char *absent_interpreter(Header header, const struct scriptlet *scriptlet) {
        if (!header || !scriptlet->interpreter)
                return NULL;
        const char *program = headerGetString(header, scriptlet->interpreter);
        if (!program || *program != '/' || access(program, X_OK) == 0)
                return NULL;
        return xasprintf("its interpreter, %s, is not in the image", program);
}

static bool root_is_full(void) {
        struct statvfs stat;
        return statvfs("/", &stat) == 0 && (uint64_t)stat.f_bavail * stat.f_frsize < FULL_BYTES;
}

// fail() makes DISK_FULL of it.
static int number_if_full(void) { return root_is_full() ? ENOSPC : 0; }

static void read_output(const struct worker *worker, struct buf *ret) {
        char block[4096];
        off_t size = lseek(worker->output, 0, SEEK_END);
        off_t offset = 0;
        if (size > SHOWN_OUTPUT_BYTES)
                offset = size - SHOWN_OUTPUT_BYTES;
        for (ssize_t got; (got = pread(worker->output, block, sizeof block, offset)) > 0; offset += got)
                buf_append(ret, block, (size_t)got);
        while (ret->size && ret->data[ret->size - 1] == '\n')
                ret->data[--ret->size] = '\0';
}

// rpm's message "%post(NAME-VERSION) scriptlet failed, exit status 1" is the only place that names the status, and, for
// a trigger, the package that holds it. The status is a part of `messages`, or NULL.
static const char *find_failure(const char *messages, char ret_package[static PACKAGE_NAME_BYTES]) {
        static const char mark[] = " scriptlet failed, ";
        const char *found = strstr(messages, mark);
        if (!found)
                return NULL;
        const char *start = found;
        while (start > messages && start[-1] != '(')
                start--;
        size_t length = (size_t)(found - start);
        if (length > 0 && start[length - 1] == ')')
                length--;
        if (length >= PACKAGE_NAME_BYTES)
                length = PACKAGE_NAME_BYTES - 1;
        snprintf(ret_package, PACKAGE_NAME_BYTES, "%.*s", (int)length, start);
        return found + strlen(mark);
}

// librpm gives a package up whose %pretrans or %pre fails, and goes on after any other. The name is one, or a NEVRA.
static bool may_fail(const struct worker *worker, Header header, const char *package, rpm_loff_t tag) {
        const struct strings *patterns = worker->transaction.may_fail;
        const char *name = "";
        if (tag == RPMTAG_PRETRANS || tag == RPMTAG_PREIN)
                return false;
        if (header)
                name = headerGetString(header, RPMTAG_NAME);
        for (size_t i = 0; patterns && i < patterns->count; i++) {
                auto_free char *versions = xasprintf("%s-*-*", patterns->items[i]);
                if (fnmatch(patterns->items[i], name, 0) == 0 || fnmatch(versions, package, 0) == 0)
                        return true;
        }
        return false;
}

static char *nevra_of(Header header) {
        if (!header)
                return xstrdup("a package");
        return headerGetAsString(header, RPMTAG_NEVRA);
}

void worker_begin_scriptlet(const struct worker *worker, Header header, rpm_loff_t tag) {
        auto_free char *nevra = nevra_of(header);
        auto_free char *task = xasprintf("%s: %s", nevra, find_scriptlet(tag)->name);
        container_task(worker->channel, task);
}

// What there is to tell of a scriptlet that failed, the most telling first.
static void describe_scriptlet(const struct worker *worker, Header header, const struct scriptlet *scriptlet,
                               const char *status, struct buf *ret) {
        auto_free char *absent = absent_interpreter(header, scriptlet);
        read_output(worker, ret);
        if (ret->size)
                return;
        if (absent)
                buf_append_text(ret, absent);
        else if (status)
                buf_append_text(ret, "(it printed nothing)");
        else
                buf_append_text(ret, buf_text(&worker->messages));
}

static void say_scriptlet_failed(const struct worker *worker, Header header, rpm_loff_t tag, const char *package,
                                 const char *status, struct err *err) {
        const struct scriptlet *scriptlet = find_scriptlet(tag);
        if (tag == RPMTAG_TRIGGERIN && *package)
                scriptlet = find_trigger(worker, package);
        auto_free char *nevra = nevra_of(header);
        auto_buf shown = { 0 }, reason = { 0 };
        describe_scriptlet(worker, header, scriptlet, status, &shown);
        if (status)
                buf_printf(&reason, ", %.*s", (int)strcspn(status, "\n"), status);
        const char *name = *package ? package : nevra;
        (void)fail(err, ERR_SCRIPTLET, number_if_full(), "%s: %s scriptlet failed%s:\n%s", name, scriptlet->name,
                   buf_text(&reason), buf_text(&shown));
}

void worker_fail_scriptlet(struct worker *worker, Header header, rpm_loff_t tag) {
        auto_err err = { 0 };
        char package[PACKAGE_NAME_BYTES] = "";
        container_task(worker->channel, "");
        const char *status = find_failure(buf_text(&worker->messages), package);
        say_scriptlet_failed(worker, header, tag, package, status, &err);
        bool disk_is_full = err.kind != ERR_SCRIPTLET;
        if (disk_is_full)
                container_abort(worker->channel, &err);
        if (may_fail(worker, header, package, tag)) {
                container_warn(worker->channel, err.text);
                return;
        }
        (void)hint(&err, "`rpm -qp --scripts` shows the package's scriptlets; they run without network and devices. "
                         "`scriptlets_may_fail` of the release lists packages whose failures are only told");
        container_abort(worker->channel, &err);
}

static bool says_disk_is_full(const char *text) { return strstr(text, strerror(ENOSPC)) || root_is_full(); }

static enum err_kind kind_of_failure(bool disk_is_full) { return disk_is_full ? ERR_DISK_FULL : ERR_TRANSACTION; }

bool worker_fail(const struct worker *worker, const char *what, struct err *err) {
        const char *text = buf_text(&worker->messages);
        enum err_kind kind = kind_of_failure(says_disk_is_full(text));
        int length = (int)worker->messages.size;
        while (length > 0 && text[length - 1] == '\n')
                length--;
        if (length > 0)
                fail(err, kind, 0, "%s:\n%.*s", what, length, text);
        else
                fail(err, kind, 0, "%s", what);
        bool unpacking = strstr(text, ": cpio: ");
        bool is_no_id_here = strstr(text, "chown failed") && strstr(text, strerror(EINVAL));
        if (is_no_id_here && user_namespace_is_mapped())
                return user_namespace_hint_ids(err);
        if (unpacking) // librpm tells errno when it is another call's by now
                (void)hint(err,
                           "rpm may name another reason than the true one: look for errors of the disk in the kernel's "
                           "log, and at quotas");
        return false;
}

static bool is_shortage_of_space(rpmProblem problem) {
        return rpmProblemGetType(problem) == RPMPROB_DISKSPACE || rpmProblemGetType(problem) == RPMPROB_DISKNODES;
}

bool worker_fail_problems(rpmts ts, const char *what, struct err *err) {
        rpmps problems = rpmtsProblems(ts);
        rpmpsi iterator = rpmpsInitIterator(problems);
        auto_buf text = { 0 };
        bool full = false;
        for (rpmProblem problem; (problem = rpmpsiNext(iterator));) {
                auto_free char *line = rpmProblemString(problem);
                buf_printf(&text, "\n    %s", line);
                if (is_shortage_of_space(problem))
                        full = true;
        }
        rpmpsFreeIterator(iterator);
        rpmpsFree(problems);
        return fail(err, kind_of_failure(full), 0, "%s:%s", what, buf_text(&text));
}
