// SPDX-License-Identifier: MIT
// One rpm transaction in a container. librpm runs inside of the target ("/" is the image), with the host's
// configuration loaded before the pivot and nothing of the host needed afterwards.
#include "rootfs/transaction.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <locale.h>
#include <nss.h>
#include <rpm/rpmcrypto.h>
#include <rpm/rpmdb.h>
#include <rpm/rpmfiles.h>
#include <rpm/rpmio.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmlog.h>
#include <rpm/rpmmacro.h>
#include <rpm/rpmpgp.h>
#include <rpm/rpmps.h>
#include <rpm/rpmte.h>
#include <rpm/rpmts.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "packages/packages.h"
#include "profile/profile.h"
#include "rootfs/boot_tools.h"
#include "rootfs/links.h"
#include "rootfs/nodes.h"
#include "rootfs/rootfs.h"
#include "rootfs/rpmdb.h"
#include "rootfs/volatile.h"
#include "sandbox/container.h"
#include "sandbox/container_frames.h"
#include "sandbox/overlay.h"

enum { SHOWN_OUTPUT_BYTES = 8192, FULL_BYTES = 1 << 20, SCRIPTLET_TELL_SECONDS = 60, SCRIPTLET_LIMIT_SECONDS = 1800 };

struct worker {
        struct transaction transaction; // its root and progress are unset
        struct arena arena;
        const struct rpmdb_backend *backend;
        struct container_channel *channel;
        int *files;          // the packages, in the transaction's order
        int output;          // what scriptlets print
        struct buf messages; // rpm's own, since the last scriptlet began
};

// ---- the request: strings, each with its NUL ----

static void put(struct buf *request, const char *text) { buf_append(request, text, strlen(text) + 1); }

static void put_number(struct buf *request, int64_t number) {
        auto_free char *text = xasprintf("%lld", (long long)number);
        put(request, text);
}

static void write_request(const struct transaction *transaction, struct buf *ret) {
        put(ret, transaction->rpmdb);
        put_number(ret, transaction->source_date_epoch);
        put_number(ret, transaction->may_fail ? (int64_t)transaction->may_fail->count : 0);
        for (size_t i = 0; transaction->may_fail && i < transaction->may_fail->count; i++)
                put(ret, transaction->may_fail->items[i]);
        put_number(ret, (int64_t)transaction->package_count);
        for (size_t i = 0; i < transaction->package_count; i++) {
                put(ret, transaction->packages[i]->nevra);
                put(ret, transaction->packages[i]->path);
        }
}

static const char *take(const char **next) {
        const char *text = *next;
        *next += strlen(text) + 1;
        return text;
}

// kiln itself wrote it, a moment ago.
static bool read_request(const struct buf *request, void **ret_context, struct err *err) {
        static struct worker worker = { .messages = { .max = 1 << 20 } };
        const char *next = memcpy(arena_alloc(&worker.arena, request->size), request->data, request->size);
        struct transaction *transaction = &worker.transaction;
        transaction->rpmdb = take(&next);
        transaction->source_date_epoch = strtoll(take(&next), NULL, 10);
        struct strings *may_fail = arena_alloc(&worker.arena, sizeof *may_fail);
        may_fail->count = strtoul(take(&next), NULL, 10);
        const char **patterns = arena_alloc(&worker.arena, (may_fail->count + 1) * sizeof *patterns);
        for (size_t i = 0; i < may_fail->count; i++)
                patterns[i] = take(&next);
        may_fail->items = patterns;
        transaction->may_fail = may_fail;
        transaction->package_count = strtoul(take(&next), NULL, 10);
        const struct package **pointers =
            arena_alloc(&worker.arena, (transaction->package_count + 1) * sizeof(struct package *));
        for (size_t i = 0; i < transaction->package_count; i++) {
                struct package *package = arena_alloc(&worker.arena, sizeof *package);
                package->nevra = take(&next);
                package->path = take(&next);
                pointers[i] = package;
        }
        transaction->packages = pointers;
        *ret_context = &worker;
        return rpmdb_find(transaction->rpmdb, &worker.backend, err);
}

// ---- before the pivot ----

static void set_macros(const char *backend) {
        const struct {
                const char *name, *body;
        } macros[] = {
                { "_dbpath", "/var/lib/rpm" },
                { "_db_backend", backend },
                { "_tmppath", "/var/tmp" },
                { "_install_langs", "all" },
                { "_excludedocs", "0" },
                // /proc's owner cannot be set, and in a user namespace is not root. /dev is the kernel's on the node,
                // and empty in the image; a plain user can make no nodes.
                { "_netsharedpath", "/proc:/dev" },
                { "_pkgverify_level", "none" },
                { "_install_script_path", "/sbin:/bin:/usr/sbin:/usr/bin" },
                { "_flush_io", "0" },
                { "_minimize_writes", "0" },
        };
        for (size_t i = 0; i < lengthof(macros); i++)
                rpmPushMacro(NULL, macros[i].name, NULL, macros[i].body, RMIL_CMDLINE);
}

// Whatever librpm opens late must be open now: digests, locale, name service modules.
static bool load_rpm(const struct worker *worker, struct err *err) {
        static const int digests[] = { PGPHASHALGO_MD5, PGPHASHALGO_SHA1, PGPHASHALGO_SHA256, PGPHASHALGO_SHA512 };
        setlocale(LC_ALL, "C");
        // Nothing of the builder's or its user's taste.
        macrofiles = "/usr/lib/rpm/macros:/usr/lib/rpm/platform/%{_target}/macros";
        if (rpmReadConfigFiles("/usr/lib/rpm/rpmrc", NULL) != 0)
                return fail(err, ERR_SANDBOX, 0, "rpm's configuration in /usr/lib/rpm cannot be read");
        set_macros(worker->backend->macro);
        rpmInitCrypto();
        for (size_t i = 0; i < lengthof(digests); i++)
                rpmDigestFinal(rpmDigestInit(digests[i], RPMDIGEST_NONE), NULL, NULL, 0);
        // Owners come from the image's files; its other modules would be loaded into this process.
        __nss_configure_lookup("passwd", "files");
        __nss_configure_lookup("group", "files");
        return true;
}

// The packages are opened one by one through read-only mounts of their directories: scriptlets can reach whatever this
// process has open, and from a descriptor of a directory a Lua scriptlet would get at everything below it.
struct opened_dir {
        char *path;
        int fd;
};

static bool open_package_dir(struct opened_dir **dirs, size_t *count, const char *path, int *ret_fd, struct err *err) {
        for (size_t i = 0; i < *count; i++)
                if (strcmp((*dirs)[i].path, path) == 0) {
                        *ret_fd = (*dirs)[i].fd;
                        return true;
                }
        auto_close int dir = -1;
        if (!fs_open_dir(AT_FDCWD, path, &dir, err) || !overlay_bind(dir, true, ret_fd, err))
                return false;
        *array_append(dirs, count) = (struct opened_dir){ xstrdup(path), *ret_fd };
        return true;
}

static bool open_packages(struct worker *worker, struct err *err) {
        enum { OTHER_FILES = 256 };
        const struct transaction *transaction = &worker->transaction;
        struct rlimit limit;
        struct opened_dir *dirs = NULL;
        size_t dir_count = 0;
        bool ok = true;
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < transaction->package_count + OTHER_FILES) {
                limit.rlim_cur = transaction->package_count + OTHER_FILES;
                if (limit.rlim_cur > limit.rlim_max)
                        limit.rlim_cur = limit.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &limit);
        }
        worker->files = xcalloc(transaction->package_count, sizeof *worker->files);
        for (size_t i = 0; ok && i < transaction->package_count; i++) {
                const char *path = transaction->packages[i]->path, *slash = strrchr(path, '/');
                auto_free char *parent = xstrndup(path, slash > path ? (size_t)(slash - path) : 1);
                int dir = -1;
                ok = open_package_dir(&dirs, &dir_count, parent, &dir, err) &&
                     fs_open(dir, slash + 1, O_RDONLY | O_NOFOLLOW, 0, &worker->files[i], err);
        }
        for (size_t i = 0; i < dir_count; i++) {
                close(dirs[i].fd);
                free(dirs[i].path);
        }
        free(dirs);
        return ok;
}

static bool prepare(void *context, struct err *err) { return load_rpm(context, err) && open_packages(context, err); }

// ---- what went wrong ----

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
                { RPMTAG_TRIGGERIN, 0, "%triggerin" },
                { RPMTAG_TRIGGERUN, 0, "%triggerun" },
                { RPMTAG_TRIGGERPOSTUN, 0, "%triggerpostun" },
                { RPMTAG_FILETRIGGERIN, 0, "%filetriggerin" },
                { RPMTAG_TRANSFILETRIGGERIN, 0, "%transfiletriggerin" },
        };
        static const struct scriptlet other = { 0, 0, "scriptlet" };
        for (size_t i = 0; i < lengthof(scriptlets); i++)
                if (scriptlets[i].tag == (rpmTag)tag)
                        return &scriptlets[i];
        return &other;
}

// What the child of librpm that could not start it had to say is lost. "<lua>" is no program.
static char *absent_interpreter(Header header, const struct scriptlet *scriptlet) {
        const char *program = header && scriptlet->interpreter ? headerGetString(header, scriptlet->interpreter) : NULL;
        return program && *program == '/' && access(program, X_OK) < 0
                   ? xasprintf("its interpreter, %s, is not in the image", program)
                   : NULL;
}

static bool root_is_full(void) {
        struct statvfs stat;
        return statvfs("/", &stat) == 0 && (uint64_t)stat.f_bavail * stat.f_frsize < FULL_BYTES;
}

static void read_output(const struct worker *worker, struct buf *ret) {
        char block[4096];
        off_t size = lseek(worker->output, 0, SEEK_END);
        off_t offset = size > SHOWN_OUTPUT_BYTES ? size - SHOWN_OUTPUT_BYTES : 0;
        for (ssize_t got; (got = pread(worker->output, block, sizeof block, offset)) > 0; offset += got)
                buf_append(ret, block, (size_t)got);
        while (ret->size && ret->data[ret->size - 1] == '\n')
                ret->data[--ret->size] = '\0';
}

// rpm's message is the only place that names the status, and, for a trigger, the package that holds it.
static const char *find_failure(const char *messages, char ret_package[static 256]) {
        const char *found = strstr(messages, " scriptlet failed, ");
        if (!found)
                return NULL;
        const char *open = found;
        while (open > messages && *open != '(')
                open--;
        const char *start = open + (*open == '(');
        size_t length = (size_t)(found - start);
        if (length > 0 && start[length - 1] == ')')
                length--;
        snprintf(ret_package, 256, "%.*s", (int)(length < 255 ? length : 255), start);
        return found + strlen(" scriptlet failed, ");
}

// librpm gives a package up whose %pretrans or %pre fails, and goes on after any other. The name is one, or a NEVRA.
static bool may_fail(const struct worker *worker, Header header, const char *package, rpm_loff_t tag) {
        const struct strings *patterns = worker->transaction.may_fail;
        const char *name = header ? headerGetString(header, RPMTAG_NAME) : "";
        if (tag == RPMTAG_PRETRANS || tag == RPMTAG_PREIN)
                return false;
        for (size_t i = 0; patterns && i < patterns->count; i++) {
                auto_free char *versions = xasprintf("%s-*-*", patterns->items[i]);
                if (fnmatch(patterns->items[i], name, 0) == 0 || fnmatch(versions, package, 0) == 0)
                        return true;
        }
        return false;
}

static void begin_scriptlet(const struct worker *worker, Header header, rpm_loff_t tag) {
        auto_free char *nevra = header ? headerGetAsString(header, RPMTAG_NEVRA) : NULL;
        auto_free char *task = xasprintf("%s: %s", nevra ? nevra : "a package", find_scriptlet(tag)->name);
        container_task(worker->channel, task);
}

static void fail_scriptlet(struct worker *worker, Header header, rpm_loff_t tag) {
        auto_err err = { 0 };
        auto_buf output = { 0 };
        auto_free char *nevra = header ? headerGetAsString(header, RPMTAG_NEVRA) : NULL;
        char package[256] = "";
        container_task(worker->channel, "");
        read_output(worker, &output);
        const char *messages = buf_text(&worker->messages);
        const char *status = find_failure(messages, package);
        const char *name = *package ? package : nevra ? nevra : "a package";
        const struct scriptlet *scriptlet = find_scriptlet(tag);
        auto_free char *absent = absent_interpreter(header, scriptlet);
        const char *shown = output.size ? buf_text(&output)
                            : absent    ? absent
                            : status    ? "(it printed nothing)"
                                        : messages;
        (void)fail(&err, ERR_SCRIPTLET, root_is_full() ? ENOSPC : 0, "%s: %s scriptlet failed%s%.*s:\n%s", name,
                   scriptlet->name, status ? ", " : "", status ? (int)strcspn(status, "\n") : 0, status ? status : "",
                   shown);
        if (err.kind == ERR_SCRIPTLET && may_fail(worker, header, package, tag)) {
                container_warn(worker->channel, err.text);
                return;
        }
        if (err.kind == ERR_SCRIPTLET)
                (void)hint(&err,
                           "`rpm -qp --scripts` shows the package's scriptlets; they run without network and devices. "
                           "`scriptlets_may_fail` of the release lists packages whose failures are only told");
        container_abort(worker->channel, &err);
}

static bool fail_rpm(const struct worker *worker, const char *what, struct err *err) {
        const char *text = buf_text(&worker->messages);
        bool full = strstr(text, strerror(ENOSPC)) || root_is_full();
        int length = (int)worker->messages.size;
        while (length > 0 && text[length - 1] == '\n')
                length--;
        fail(err, full ? ERR_DISK_FULL : ERR_TRANSACTION, 0, "%s%s%.*s", what, length ? ":\n" : "", length, text);
        if (strstr(text, ": cpio: ")) // librpm tells errno when it is another call's by now
                (void)hint(err,
                           "rpm may name another reason than the true one: look for errors of the disk in the kernel's "
                           "log, and at quotas");
        return false;
}

static bool fail_problems(rpmts ts, const char *what, struct err *err) {
        rpmps problems = rpmtsProblems(ts);
        rpmpsi iterator = rpmpsInitIterator(problems);
        auto_buf text = { 0 };
        bool full = false;
        for (rpmProblem problem; (problem = rpmpsiNext(iterator));) {
                auto_free char *line = rpmProblemString(problem);
                buf_printf(&text, "\n    %s", line);
                full |=
                    rpmProblemGetType(problem) == RPMPROB_DISKSPACE || rpmProblemGetType(problem) == RPMPROB_DISKNODES;
        }
        rpmpsFreeIterator(iterator);
        rpmpsFree(problems);
        return fail(err, full ? ERR_DISK_FULL : ERR_TRANSACTION, 0, "%s:%s", what, buf_text(&text));
}

// ---- librpm's callbacks ----

static int keep_message(rpmlogRec record, rpmlogCallbackData data) {
        struct worker *worker = data;
        const char *text = rpmlogRecMessage(record);
        if (rpmlogRecPriority(record) > RPMLOG_WARNING)
                return 0;
        buf_append_text(&worker->messages, text);
        if (rpmlogRecPriority(record) == RPMLOG_WARNING && !strstr(text, "scriptlet failed")) {
                auto_free char *line = xstrndup(text, strcspn(text, "\n"));
                container_warn(worker->channel, line);
        }
        return 0;
}

static size_t index_of(fnpyKey key) { return (size_t)(uintptr_t)key - 1; }

// librpm reads one package at a time.
static FD_t open_package(const struct worker *worker, size_t index) {
        return lseek(worker->files[index], 0, SEEK_SET) < 0 ? NULL : fdDup(worker->files[index]);
}

static void *on_event(const void *header, const rpmCallbackType what, const rpm_loff_t amount, const rpm_loff_t total,
                      fnpyKey key, rpmCallbackData data) {
        static FD_t payload;
        struct worker *worker = data;
        auto_err err = { 0 };
        (void)total;
        switch (what) {
        case RPMCALLBACK_INST_OPEN_FILE:
                payload = open_package(worker, index_of(key));
                return payload;
        case RPMCALLBACK_INST_CLOSE_FILE:
                Fclose(payload);
                payload = NULL;
                break;
        case RPMCALLBACK_INST_STOP:
                container_step(worker->channel);
                break;
        case RPMCALLBACK_SCRIPT_START:
                begin_scriptlet(worker, (Header)header, amount);
                buf_clear(&worker->messages);
                (void)!ftruncate(worker->output, 0);
                if (!boot_tools_set_aside(&err))
                        container_abort(worker->channel, &err);
                break;
        case RPMCALLBACK_SCRIPT_STOP:
                container_task(worker->channel, "");
                break;
        case RPMCALLBACK_SCRIPT_ERROR: // librpm goes on after a failed %post; the tree is thrown away, so end here
                fail_scriptlet(worker, (Header)header, amount);
                break;
        case RPMCALLBACK_UNPACK_ERROR:
        case RPMCALLBACK_CPIO_ERROR:
                (void)fail_rpm(worker, worker->transaction.packages[index_of(key)]->nevra, &err);
                container_abort(worker->channel, &err);
        default:
                break;
        }
        return NULL;
}

// ---- the transaction ----

static bool add_packages(rpmts ts, struct worker *worker, struct err *err) {
        for (size_t i = 0; i < worker->transaction.package_count; i++) {
                const struct package *package = worker->transaction.packages[i];
                FD_t file = open_package(worker, i);
                if (!file)
                        return fail(err, ERR_SYSTEM, errno, "open %s", package->path);
                Header header = NULL;
                rpmRC result = rpmReadPackageFile(ts, file, package->path, &header);
                Fclose(file);
                if (!header || (result != RPMRC_OK && result != RPMRC_NOTTRUSTED && result != RPMRC_NOKEY))
                        return fail(err, ERR_CORRUPT, 0, "%s: rpm cannot read it", package->path);
                int refused = rpmtsAddInstallElement(ts, header, (fnpyKey)(uintptr_t)(i + 1), 0, NULL);
                headerFree(header);
                if (refused)
                        return fail(err, ERR_TRANSACTION, 0, "rpm does not take %s", package->nevra);
        }
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
                return fail_rpm(worker, "rpm cannot check the packages", err);
        if (has_problems(ts))
                return fail_problems(ts, "rpm misses dependencies", err);
        if (rpmtsOrder(ts) != 0)
                return fail_rpm(worker, "rpm cannot order the packages", err);
        rpmtsClean(ts);
        buf_clear(&worker->messages);
        nodes_stand_in(true);
        int result = rpmtsRun(ts, NULL, RPMPROB_FILTER_NONE);
        nodes_stand_in(false);
        if (result > 0)
                return fail_problems(ts, "rpm refuses the packages", err);
        return (result == 0 || fail_rpm(worker, "rpm's transaction failed", err)) && volatile_prune(ts, err);
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
        rpmtsSetNotifyStyle(ts, 0);
        rpmtsSetNotifyCallback(ts, on_event, worker);
        rpmlogSetMask(RPMLOG_UPTO(RPMLOG_INFO)); // "verbose": else scriptlets' standard output is thrown away
        rpmlogSetCallback(keep_message, worker);
        return ts;
}

static bool work(void *context, struct container_channel *channel, struct err *err) {
        struct worker *worker = context;
        worker->channel = channel;
        worker->output =
            open("/dev/shm", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600); // on a tmpfs of limited size
        if (worker->output < 0 || dup2(worker->output, STDOUT_FILENO) < 0 || dup2(worker->output, STDERR_FILENO) < 0)
                return fail(err, ERR_SYSTEM, errno, "keep the scriptlets' output");
        size_t before;
        if (!rpmdb_begin(&before, err))
                return false;
        FD_t output = fdDup(worker->output);
        rpmts ts = make_transaction(worker, output);
        bool ok = run_transaction(ts, worker, err);
        rpmtsCloseDB(ts);
        rpmtsFree(ts);
        Fclose(output);
        rpmlogSetCallback(NULL, NULL);
        return ok && rpmdb_check(before + worker->transaction.package_count, err) && boot_tools_restore(err) &&
               kernel_modules_index(err) && worker->backend->finish(worker->transaction.source_date_epoch, err);
}

static const struct container_job job = { read_request, prepare, work };

void sandbox_main(int argc, char **argv) {
        if (container_is_init(argc, argv))
                container_init(&job);
}

bool transaction_run(const struct transaction *transaction, struct err *err) {
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
