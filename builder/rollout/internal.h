// SPDX-License-Identifier: MIT
#ifndef KILN_ROLLOUT_INTERNAL_H
#define KILN_ROLLOUT_INTERNAL_H

#include <jansson.h>

#include "rollout/rollout.h"
#include "rollout/rollout_journal.h"
#include "rollout/rollout_lock.h"
#include "status/status.h"

// What of a node's role is known of the server that says who has how much.
struct fit_row {
        size_t node;         // index in the inventory, or node_count: a stranger
        const char *name;    // as the server calls it
        double *have, *used; // by the role's `fits.of`
};

// A role, as the cluster was when it was last asked.
struct rollout_role {
        bool is_known;
        const struct node **leaders; // by lead; NULL: nobody says so
        struct fit_row *rows;
        size_t row_count;
        struct fit_row **row_of; // by node of the inventory; NULL: the server does not know it
        double *free;            // what all of them have and do not use
};

struct rollout {
        const struct cluster *cluster;
        const struct rollout_options *options;
        struct arena arena;
        const char *from, *to;           // ids
        const char *from_path, *to_path; // of the builds
        bool is_current;                 // `to` is
        json_t *changes;                 // "nodes" of build_diff.h
        bool *is_pending;                // by node: it is to boot again
        json_t *status;
        enum status_state state;
        struct rollout_role *roles; // by role; as of `status`
        int dir;                    // .rollout; -1: a plan needs none
        const char *dir_path;
        struct rollout_lock lock;
        struct rollout_journal journal;
};

struct rollout_step {
        const struct role *role;
        size_t *nodes; // the rollout's arena
        size_t count;
};

// ---- rollout_builds.c ----

// Finds the builds and what changes between them. `from` may be NULL: the options say it, or the journal of the last
// rollout.
must_check bool rollout_open(struct rollout *rollout, const char *from, const char *to, struct err *err);
void rollout_close(struct rollout *rollout);
// Points `current` at `to`, if it is elsewhere: machines boot what it names.
must_check bool rollout_publish(struct rollout *rollout, struct err *err);
// Opens <out>/<cluster>/.rollout, made if `make`; `dir` stays -1 if there is none.
must_check bool rollout_open_dir(struct rollout *rollout, bool make, struct err *err);

// ---- rollout_leads.c ----

// Asks the cluster; what was known of roles is forgotten.
must_check bool rollout_look(struct rollout *rollout, struct err *err);
// Who leads in what, and what fits where, as of the last look; asked once for each. ROLLOUT: a lead that nobody tells
// of, or a server that does not answer.
must_check bool rollout_know_role(struct rollout *rollout, const struct role *role, struct rollout_role **ret,
                                  struct err *err);
// The nodes that an `at` means; `node` may be NULL where it is not "node". The rollout's arena.
struct node_list {
        const struct node **items;
        size_t count;
};
must_check bool rollout_at(struct rollout *rollout, const char *at, const struct node *node, struct node_list *ret,
                           struct err *err);
bool rollout_is_forced(const struct rollout *rollout, const struct node *node);
// Whether a text is the name or the address of a node, alone or in a URL.
bool rollout_names_node(const char *text, const struct node *node);

// ---- rollout_fits.c ----

must_check bool rollout_read_fits(struct rollout *rollout, const struct role *role, struct rollout_role *known,
                                  struct err *err);
// Whether what runs on these nodes of the role fits on its others; `ret_why` says what does not.
bool rollout_fits(const struct role *role, const struct rollout_role *known, const size_t *nodes, size_t count,
                  struct buf *ret_why);

// ---- rollout_plan.c ----

// The next step among the nodes that `is_pending` has, as the cluster is now. A count of 0: there is none left.
// ROLLOUT: none may be taken.
must_check bool rollout_next_step(struct rollout *rollout, const bool *is_pending, struct rollout_step *ret,
                                  struct err *err);
must_check bool rollout_describe(struct rollout *rollout, json_t **ret, struct err *err);

// ---- rollout_gate.c ----

// Whether the cluster, as of the last look, is as it must be while no node is being changed; nodes of `step` (may be
// NULL) are let off. "" or why not.
void rollout_judge(const struct rollout *rollout, const struct rollout_step *step, struct buf *ret_why);
// Looks until it is so. ROLLOUT after the time is up.
must_check bool rollout_wait_gate(struct rollout *rollout, const struct rollout_step *step, struct err *err);
// Waits until the role's `before` holds.
must_check bool rollout_wait_before(struct rollout *rollout, const struct rollout_step *step, struct err *err);

// Pauses between two looks, longer each time, and as long as a look: who answers late is asked less.
struct rollout_pause {
        int64_t until_ms, look_began_ms; // of monotonic_ms()
        unsigned next_ms;
};
struct rollout_pause rollout_pause_begin(int64_t timeout_s);
// False with `*ret_over` once the time is up, and with an error after a signal.
must_check bool rollout_pause(struct rollout_pause *pause, bool *ret_over, struct err *err);

// ---- rollout_request.c ----

// An HTTP request to a node; its body is appended. ROLLOUT if it is not answered by 2xx.
struct rollout_request {
        const char *method, *path, *body; // body may be NULL
        int port;
};
must_check bool rollout_request(const struct rollout *rollout, const struct node *node,
                                const struct rollout_request *request, struct buf *ret, struct err *err);
// The same, read as JSON; a new object.
must_check bool rollout_request_json(const struct rollout *rollout, const struct node *node,
                                     const struct rollout_request *request, json_t **ret, struct err *err);
// What a.b is in a document; NULL: nothing.
const json_t *json_at(const json_t *document, const char *path);

// ---- rollout_action.c ----

// Waits. False after a signal.
must_check bool rollout_settle(int seconds, struct err *err);
// Does the role's `drain` for a step: the first failure ends it.
must_check bool rollout_drain(struct rollout *rollout, const struct rollout_step *step, struct err *err);
// Does its `undrain`: all of it is tried, and the first failure is told.
must_check bool rollout_undrain(struct rollout *rollout, const struct rollout_step *step, struct err *err);

// ---- rollout_remote.c ----

// Runs a command on a node. Each word reaches it as it is. Its output is appended. `ret_status` may be NULL.
// It is ended after `limit_s`: a node whose sshd answers may have a shell that does not.
enum { REMOTE_LIMIT_S = 60 }; // of a file that is read, and of a reboot
must_check bool remote_run(const struct rollout *rollout, const struct node *node, const struct strings *words,
                           const struct buf *input, int64_t limit_s, struct buf *ret_output, int *ret_status,
                           struct err *err);
// What runs on a node: false if it does not answer. Texts are the rollout's arena.
struct running {
        const char *boot_id, *build;
};
must_check bool remote_running(struct rollout *rollout, const struct node *node, struct running *ret, bool *ret_answers,
                               struct err *err);
// Has a node boot again, or asks somebody to.
must_check bool remote_reboot(struct rollout *rollout, const struct node *node, enum rollout_reboot means,
                              struct err *err);
// The means for a role's nodes.
enum rollout_reboot rollout_means(const struct rollout *rollout, const struct role *role);
// Forgets the host key that a node had, which does not outlive its boot.
void remote_forget(const struct rollout *rollout, const struct node *node);

#endif
