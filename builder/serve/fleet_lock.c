// SPDX-License-Identifier: MIT
#include "serve/fleet_lock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "base/json_member.h"
#include "base/json_modest.h"
#include "base/progress.h"
#include "serve/serve.h"
#include "serve/serve_files.h"
#include "status/status.h"

#define ROLLOUT_LOCK ".rollout/lock"
enum {
        LOCKS_MAX = 4 << 20, // several times what GROUPS_MAX slots of the longest names take
        GROUPS_MAX = 1000,
        NAME_MAX_BYTES = 256,
        QUESTION_MS = 2000,
        LONG_QUESTION_MS = 1000,
        PAUSE_MS = 2000, // after a long question whose answer was no
        LATER_S = 2,
        BODY_VALUES_MAX = 100,
        BODY_DEPTH_MAX = 8,
};

static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER; // of all that follows
static json_t *slots;                                          // by group
static int slots_dir = -1;

// The machine for which the cluster is asked, one at a time. Its connection is suspended meanwhile, so that the thread
// which has it goes on with the others; a request lives as long as its connection is suspended.
static struct {
        bool is_on, is_end, has_thread;
        pthread_t thread;
        struct http_request *request;
        char *group, *id;
        int64_t not_before_ms; // monotonic: no question until then
} judging;

// ---- the file ----

// NULL: it is none of this one's files.
static json_t *read_slots(const struct buf *text) {
        json_t *found = json_loadb(buf_text(text), text->size, 0, NULL);
        if (json_is_object(found))
                return found;
        json_decref(found);
        return NULL;
}

bool fleet_lock_open(int state_dir, struct err *err) {
        auto_buf text = { .max = LOCKS_MAX };
        slots_dir = state_dir;
        judging.is_end = false;
        if (fs_exists(state_dir, FLEET_LOCKS_NAME) && !fs_read(state_dir, FLEET_LOCKS_NAME, &text, err))
                return wrap(err, "who has FleetLock's slots");
        if (text.size == 0)
                buf_append_text(&text, "{}");
        slots = read_slots(&text);
        if (!slots) {
                fail(err, ERR_CORRUPT, 0, "%s has no slots in JSON: nobody knows who has FleetLock's",
                     FLEET_LOCKS_NAME);
                return hint(err, "remove it once no machine is about to boot again");
        }
        return true;
}

void fleet_lock_end(void) {
        pthread_mutex_lock(&slots_lock);
        judging.is_end = true;
        bool has_thread = judging.has_thread;
        judging.has_thread = false;
        pthread_mutex_unlock(&slots_lock);
        if (has_thread)
                pthread_join(judging.thread, NULL);
}

void fleet_lock_close(void) {
        json_decref(slots);
        slots = NULL;
        slots_dir = -1;
}

bool serve_fleet_slots(const char *state_dir, const char *cluster, json_t **ret, struct err *err) {
        auto_free char *path = serve_state_dir(state_dir, cluster);
        auto_free char *file = xasprintf("%s/" FLEET_LOCKS_NAME, path);
        auto_buf text = { .max = LOCKS_MAX };
        json_t *found = NULL;
        if (fs_exists(AT_FDCWD, file)) {
                if (!fs_read(AT_FDCWD, file, &text, err))
                        return wrap(err, "who has FleetLock's slots");
                found = read_slots(&text);
                if (!found)
                        return fail(err, ERR_CORRUPT, 0, "%s has no slots in JSON", file);
        }
        if (!found)
                found = json_object();
        *ret = found;
        return true;
}

// The caller holds the lock.
static bool write_slots(struct err *err) {
        auto_free char *text = json_dumps(slots, JSON_INDENT(1));
        if (!text || slots_dir < 0)
                return fail(err, ERR_SYSTEM, 0, "FleetLock's slots cannot be written");
        if (strlen(text) > LOCKS_MAX) // the next start could not read it
                return fail(err, ERR_SYSTEM, 0, "FleetLock's slots are longer than %d bytes", LOCKS_MAX);
        return fs_write_atomic(slots_dir, FLEET_LOCKS_NAME, text, strlen(text), 0600, err);
}

// ---- answers ----

static enum MHD_Result answer_kind(const struct http_request *request, unsigned status, const char *kind,
                                   const char *value) {
        json_t *json = json_pack("{ss ss}", "kind", kind, "value", value);
        auto_free char *text = json_dumps(json, JSON_COMPACT);
        json_decref(json);
        const char *shown = text_or(text, "{\"kind\":\"error\",\"value\":\"\"}");
        struct MHD_Response *response =
            MHD_create_response_from_buffer(strlen(shown), (void *)shown, MHD_RESPMEM_MUST_COPY);
        if (response)
                MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
        if (response && status == MHD_HTTP_SERVICE_UNAVAILABLE) {
                auto_free char *seconds = xasprintf("%d", LATER_S);
                MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
        }
        return http_answer(request, status, response);
}

static enum MHD_Result answer_granted(const struct http_request *request) {
        return http_answer(request, MHD_HTTP_OK, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

// ---- the gate ----

// A rollout writes its lock before it looks at the slots; a slot is written before this looks at the lock.
static bool rollout_is_on(const struct rack *rack) {
        struct stat stat;
        return fstatat(rack->builds.dir, ROLLOUT_LOCK, &stat, AT_SYMLINK_NOFOLLOW) == 0 && stat.st_size > 0;
}

static void append_worst(const json_t *status, struct buf *ret) {
        const json_t *finding = json_array_get(json_object_get(status, "findings"), 0);
        buf_printf(ret, "the cluster is %s", member_text(status, "state"));
        if (finding)
                buf_printf(ret, ": %s: %s", member_text(finding, "what"), member_text(finding, "evidence"));
}

// "" if the cluster is healthy.
static void ask_about_cluster(struct rack *rack, struct buf *ret_why) {
        const struct status_options ask = { NULL, QUESTION_MS };
        enum status_state state = STATUS_UNKNOWN;
        json_t *status = NULL;
        auto_err err = { 0 };
        if (!status_ask(rack_borrow_cluster(rack), &ask, &status, &state, &err))
                buf_printf(ret_why, "the cluster cannot be asked: %s", err.text);
        else if (state != STATUS_HEALTHY)
                append_worst(status, ret_why);
        rack_return_cluster();
        json_decref(status);
}

// ---- slots ----

static json_t *new_slot(const char *id) { return json_pack("{ss sI}", "id", id, "since", (json_int_t)time(NULL)); }

static bool has_slot(const char *group, const char *id) {
        const json_t *slot = json_object_get(slots, group);
        return slot && strcmp(member_text(slot, "id"), id) == 0;
}

// The caller holds the lock.
static void drop_slot(const char *group) {
        auto_err err = { 0 };
        json_object_del(slots, group);
        if (!write_slots(&err))
                warning("%s", err.text);
}

static void forget_slot(const char *group, const char *id) {
        pthread_mutex_lock(&slots_lock);
        if (has_slot(group, id))
                drop_slot(group);
        pthread_mutex_unlock(&slots_lock);
}

static bool is_granted(const char *group, const char *id) {
        return has_slot(group, id) && json_is_true(json_object_get(json_object_get(slots, group), "granted"));
}

// FLEET_JUDGED: it may be judged. One whose slot was left by a kiln that was killed while it judged is judged anew. A
// slot that could not be written down is none.
static enum fleet_verdict take_slot(const char *group, const char *id, struct buf *ret_why) {
        auto_err err = { 0 };
        if (has_slot(group, id))
                return FLEET_JUDGED;
        const json_t *slot = json_object_get(slots, group);
        if (slot) {
                buf_printf(ret_why, "%s has the slot of group %s since %jd s", member_text(slot, "id"), group,
                           (intmax_t)((json_int_t)time(NULL) - member_number(slot, "since")));
                return FLEET_TAKEN;
        }
        if (json_object_size(slots) >= GROUPS_MAX)
                return FLEET_BROKEN;
        (void)!json_object_set_new(slots, group, new_slot(id));
        if (write_slots(&err))
                return FLEET_JUDGED;
        json_object_del(slots, group);
        buf_append_text(ret_why, err.text);
        return FLEET_BROKEN;
}

// False: the machine has given it back meanwhile, or it cannot be written down.
static bool grant_slot(const char *group, const char *id, struct buf *ret_why) {
        auto_err err = { 0 };
        pthread_mutex_lock(&slots_lock);
        bool ok = has_slot(group, id);
        if (ok) {
                (void)!json_object_set_new(json_object_get(slots, group), "granted", json_true());
                ok = write_slots(&err);
        }
        pthread_mutex_unlock(&slots_lock);
        if (!ok)
                buf_append_text(ret_why, text_or(err.text, "the slot was given back meanwhile"));
        return ok;
}

// ---- judging ----

// A cluster that is away keeps whoever asks it waiting, and would be asked without an end by machines that ask again at
// once. One that says no quickly is asked each time.
static void end_judging(struct buf *why, int64_t took_ms) {
        pthread_mutex_lock(&slots_lock);
        struct http_request *request = judging.request;
        bool is_refused = why->size > 0;
        if (is_refused && took_ms > LONG_QUESTION_MS)
                judging.not_before_ms = monotonic_ms() + PAUSE_MS;
        request->fleet = FLEET_GRANTED;
        if (is_refused)
                request->fleet = FLEET_REFUSED;
        buf_append(&request->fleet_why, buf_text(why), why->size);
        free(judging.group);
        free(judging.id);
        judging.is_on = false;
        MHD_resume_connection(request->connection);
        pthread_mutex_unlock(&slots_lock);
}

static void *judge_machine(void *context) {
        struct rack *rack = context;
        const char *group = judging.group, *id = judging.id; // another's only after end_judging()
        int64_t began_ms = monotonic_ms();
        auto_buf why = { 0 };
        if (rollout_is_on(rack))
                buf_append_text(&why, "a rollout of this cluster is under way");
        else
                ask_about_cluster(rack, &why);
        bool is_granted_now = why.size == 0 && grant_slot(group, id, &why);
        if (!is_granted_now)
                forget_slot(group, id);
        end_judging(&why, monotonic_ms() - began_ms);
        return NULL;
}

// The caller holds the lock, without which the thread does not come to its end. False: there is no thread.
static bool begin_judging(struct http_request *request, const char *group, const char *id) {
        if (judging.has_thread)
                pthread_join(judging.thread, NULL); // the one before, which is at its end
        judging.request = request;
        judging.group = xstrdup(group);
        judging.id = xstrdup(id);
        judging.has_thread = pthread_create(&judging.thread, NULL, judge_machine, request->rack) == 0;
        judging.is_on = judging.has_thread;
        if (judging.is_on) {
                request->fleet = FLEET_JUDGED;
                MHD_suspend_connection(request->connection);
                return true;
        }
        free(judging.group);
        free(judging.id);
        return false;
}

// What to answer at once, or FLEET_JUDGED: the connection waits. The caller holds the lock.
static enum fleet_verdict begin_verdict(struct http_request *request, const char *group, const char *id,
                                        struct buf *ret_why) {
        if (is_granted(group, id))
                return FLEET_GRANTED;
        if (judging.is_on || judging.is_end) {
                buf_append_text(ret_why, "another machine is being judged: ask again");
                return FLEET_TAKEN;
        }
        if (monotonic_ms() < judging.not_before_ms) {
                buf_append_text(ret_why, "another machine was judged just now: ask again");
                return FLEET_TAKEN;
        }
        enum fleet_verdict verdict = take_slot(group, id, ret_why);
        if (verdict != FLEET_JUDGED || begin_judging(request, group, id))
                return verdict;
        drop_slot(group);
        buf_append_text(ret_why, "no thread can be started");
        return FLEET_BROKEN;
}

static enum MHD_Result answer_verdict(const struct http_request *request, enum fleet_verdict verdict, const char *why) {
        switch (verdict) {
        case FLEET_GRANTED:
                return answer_granted(request);
        case FLEET_REFUSED:
                return answer_kind(request, MHD_HTTP_CONFLICT, "cluster_not_healthy", why);
        case FLEET_TAKEN:
                return answer_kind(request, MHD_HTTP_CONFLICT, "failed_lock", why);
        case FLEET_BROKEN:
                return answer_kind(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "failed_lock", why);
        case FLEET_NONE:
        case FLEET_JUDGED:
                break;
        }
        return MHD_YES; // it is asked for again once the connection is resumed
}

static enum MHD_Result answer_pre_reboot(struct http_request *request, const char *group, const char *id) {
        auto_buf why = { 0 };
        pthread_mutex_lock(&slots_lock);
        enum fleet_verdict verdict = begin_verdict(request, group, id, &why);
        pthread_mutex_unlock(&slots_lock);
        return answer_verdict(request, verdict, buf_text(&why));
}

bool fleet_lock_forget(const char *group) {
        pthread_mutex_lock(&slots_lock);
        bool is_held = json_object_get(slots, group) != NULL;
        if (is_held)
                drop_slot(group);
        pthread_mutex_unlock(&slots_lock);
        return is_held;
}

// ---- requests ----

// What JSON writes as more than one byte is refused: slots of good names always fit LOCKS_MAX.
static bool is_good_name(const char *name) {
        size_t length = strlen(name);
        if (length == 0 || length > NAME_MAX_BYTES)
                return false;
        for (; *name; name++)
                if (!isgraph((unsigned char)*name) || *name == '"' || *name == '\\')
                        return false;
        return true;
}

static enum MHD_Result answer_fleet_client(struct http_request *request, const json_t *params) {
        const char *id = member_text(params, "id"), *group = member_text(params, "group");
        bool is_request = is_good_name(id) && is_good_name(group);
        if (!is_request)
                return answer_kind(
                    request, MHD_HTTP_BAD_REQUEST, "bad_request",
                    "client_params needs id and group, of up to 256 printable characters without quotes and "
                    "backslashes");
        if (strcmp(request->url, FLEET_LOCK_URL "pre-reboot") == 0)
                return answer_pre_reboot(request, group, id);
        forget_slot(group, id);
        return answer_granted(request);
}

enum MHD_Result http_answer_fleet(struct http_request *request) {
        const char *protocol = http_header(request, "fleet-lock-protocol");
        bool is_known = strcmp(request->url, FLEET_LOCK_URL "pre-reboot") == 0 ||
                        strcmp(request->url, FLEET_LOCK_URL "steady-state") == 0;
        if (!is_known)
                return answer_kind(request, MHD_HTTP_NOT_FOUND, "not_found", "/v1/pre-reboot or /v1/steady-state");
        if (!protocol || strcmp(protocol, "true") != 0)
                return answer_kind(request, MHD_HTTP_BAD_REQUEST, "bad_request",
                                   "fleet-lock-protocol: true is missing");
        if (request->is_pushed_out)
                return answer_kind(request, MHD_HTTP_SERVICE_UNAVAILABLE, "busy",
                                   "too much is being received at once: ask again");
        if (request->fleet != FLEET_NONE)
                return answer_verdict(request, request->fleet, buf_text(&request->fleet_why));
        json_t *body = NULL;
        bool is_modest = json_is_modest(buf_text(&request->body), request->body.size, BODY_VALUES_MAX, BODY_DEPTH_MAX);
        if (is_modest && !request->is_too_large)
                body = json_loadb(buf_text(&request->body), request->body.size, 0, NULL);
        enum MHD_Result result = answer_fleet_client(request, json_object_get(body, "client_params"));
        json_decref(body);
        return result;
}
