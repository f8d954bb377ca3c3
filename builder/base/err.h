// SPDX-License-Identifier: MIT
// The error object. A function that can fail returns bool, takes `struct err *` last, and fails only by
//
//     return fail(err, ERR_SYSTEM, errno, "open %s", path);    a new error; errno's text is appended
//     return wrap(err, "unpacking %s", name);                  puts "unpacking NAME: " before the message
//
// so that message and status cannot part. Only main() prints one. An error is empty until fail() and
// holds heap memory afterwards: err_release() it once. `err` is never NULL. Outputs (`ret_…`) are
// untouched when a function fails. "Not found" is a result, not an error.
#ifndef KILN_BASE_ERR_H
#define KILN_BASE_ERR_H

#include <stdbool.h>

// X(name, exit code, what it means). The one list: exit codes, --json names and the man page's table.
#define ERR_KINDS(X)                                                                                                   \
        X(INTERNAL, 1, "a defect of kiln itself")                                                                      \
        X(USAGE, 2, "the command line is wrong")                                                                       \
        X(ANSWER, 3,                                                                                                   \
          "no error, but an answer: kiln status: unknown; 1 is degraded there and 2 not serving; kiln diff: 1, the "   \
          "builds differ; kiln plan --exit-code: 1, a build would change something; kiln rollout: 1, a plan that "     \
          "cannot be gone on with")                                                                                    \
        X(SYNTAX, 10, "a profile is not valid YAML, or a lock file is malformed")                                      \
        X(SCHEMA, 11, "a profile has an unknown key, a wrong type or a value out of range")                            \
        X(REFERENCE, 12, "a profile names something that does not exist: a role, a release, a file")                   \
        X(DUPLICATE, 13, "two nodes share a name, MAC, address or id")                                                 \
        X(CLUSTER, 14, "the cluster cannot work as described: quorum, subnets, VIPs")                                  \
        X(TEMPLATE, 15, "a template does not parse or uses an unknown variable")                                       \
        X(PACKAGE, 20, "no repository has the package")                                                                \
        X(SOLVE, 21, "the packages cannot be installed together")                                                      \
        X(NETWORK, 22, "a repository or file could not be fetched")                                                    \
        X(CHECKSUM, 23, "fetched bytes differ from the published checksum")                                            \
        X(CORRUPT, 24, "a package, archive or metadata file is truncated or malformed")                                \
        X(SIGNATURE, 25, "a package or repository is unsigned, or signed by a key that is not trusted")                \
        X(SCRIPTLET, 26, "a package's scriptlet failed")                                                               \
        X(TRANSACTION, 27, "rpm refused the transaction")                                                              \
        X(LOCK_FILE, 28, "the lock file does not fit the profiles or the repositories")                                \
        X(DOWNGRADE, 29, "a repository is older than what was seen of it before")                                      \
        X(DISK_FULL, 30, "no space left on the device")                                                                \
        X(SYSTEM, 31, "the operating system refused a call")                                                           \
        X(TOOL, 32, "a program that kiln started failed")                                                              \
        X(SANDBOX, 33, "namespaces or subordinate ids are not available")                                              \
        X(LOCKED, 34, "another kiln works on the same output")                                                         \
        X(DIFFERENT, 35,                                                                                               \
          "kiln verify, pull, cache --push: something is not what it was made, or not what its profiles give")         \
        X(INPUTS, 36, "kiln verify: the profiles or kiln have changed since the build was made")                       \
        X(ROLLOUT, 37, "kiln rollout: a plan is refused, a gate does not open, or a step failed")                      \
        X(IDENTITY, 40, "kiln-node: this machine is not one that was specified")                                       \
        X(INTERRUPTED, 130, "stopped by a signal")

enum err_kind {
        ERR_NONE,
#define X(name, code, meaning) ERR_##name,
        ERR_KINDS(X)
#undef X
};

struct err {
        enum err_kind kind;
        int number; // errno, or 0
        char *text; // one or more lines, no newline at the end
        char *hint; // what to do about it, or NULL
};

// Sets the error and returns false. If `number` is not 0, ": " and its text are appended, and ENOSPC or
// EDQUOT turn the kind into ERR_DISK_FULL, whatever was passed; EMFILE, and EFBIG under a limit of files' sizes, give a
// hint about the limit. An error already held is replaced.
bool fail(struct err *err, enum err_kind kind, int number, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// Prefixes the held message with "FORMAT: " and returns false.
bool wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Ends a verb with an exit status of its own, which is its answer and no error: nothing is printed. Returns false.
bool fail_with_answer(struct err *err, int exit_status);

// Replaces the hint and returns false, so that it can end a chain: `return hint(err, "try --offline");`
bool hint(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Where a failure is reported: one that left the error empty is a defect, and becomes ERR_INTERNAL "internal error:
// WHAT failed and gave no reason". Returns false.
bool err_need_reason(struct err *err, const char *what);

void err_release(struct err *err);
// Moves an error out; the source is empty afterwards.
struct err take_err(struct err *err);

// Process exit code for a kind (0 for ERR_NONE), its upper-case name, and its meaning.
int err_exit_code(enum err_kind kind);
const char *err_kind_name(enum err_kind kind);
const char *err_kind_meaning(enum err_kind kind);

#ifdef __clang_analyzer__ // which does not look into other files, and would follow paths where these are true
#define fail(...) ((void)(fail)(__VA_ARGS__), false)
#define wrap(...) ((void)(wrap)(__VA_ARGS__), false)
#define hint(...) ((void)(hint)(__VA_ARGS__), false)
#endif

#define must_check __attribute__((warn_unused_result))
#define auto_err __attribute__((cleanup(err_release))) struct err

#endif
