// SPDX-License-Identifier: MIT
#include "serve/fleet_lock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "base/json_member.h"
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
};

static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static json_t *slots; // by group
static int slots_dir = -1;
static pthread_mutex_t judging = PTHREAD_MUTEX_INITIALIZER;
static int64_t no_question_until_ms; // monotonic; under `judging`

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

// A cluster that is away keeps whoever asks it waiting, and would be asked without an end by machines that ask again at
// once. One that says no quickly is asked each time. The caller holds `judging`.
static void judge_cluster(struct rack *rack, struct buf *ret_why) {
        int64_t begun_ms = monotonic_ms();
        ask_about_cluster(rack, ret_why);
        int64_t now_ms = monotonic_ms();
        bool is_refused = ret_why->size > 0;
        if (is_refused && now_ms - begun_ms > LONG_QUESTION_MS)
                no_question_until_ms = now_ms + PAUSE_MS;
}

// ---- slots ----

static json_t *new_slot(const char *id) { return json_pack("{ss sI}", "id", id, "since", (json_int_t)time(NULL)); }

static bool has_slot(const char *group, const char *id) {
        const json_t *slot = json_object_get(slots, group);
        return slot && strcmp(member_text(slot, "id"), id) == 0;
}

static void forget_slot(const char *group, const char *id) {
        auto_err err = { 0 };
        pthread_mutex_lock(&slots_lock);
        if (has_slot(group, id)) {
                json_object_del(slots, group);
                if (!write_slots(&err))
                        warning("%s", err.text);
        }
        pthread_mutex_unlock(&slots_lock);
}

enum slot_answer { SLOT_TAKEN, SLOT_KEPT, SLOT_REFUSED, SLOT_BROKEN };

static bool is_granted(const char *group, const char *id) {
        return has_slot(group, id) && json_is_true(json_object_get(json_object_get(slots, group), "granted"));
}

// A machine that asks again keeps what it was granted. One whose slot was left by a kiln that was killed while it
// judged is judged anew. A slot that could not be written down is none.
static enum slot_answer take_slot(const char *group, const char *id, struct buf *ret_why) {
        auto_err err = { 0 };
        if (is_granted(group, id))
                return SLOT_KEPT;
        if (has_slot(group, id))
                return SLOT_TAKEN;
        const json_t *slot = json_object_get(slots, group);
        if (slot) {
                buf_printf(ret_why, "%s has the slot of group %s since %jd s", member_text(slot, "id"), group,
                           (intmax_t)((json_int_t)time(NULL) - member_number(slot, "since")));
                return SLOT_REFUSED;
        }
        if (json_object_size(slots) >= GROUPS_MAX)
                return SLOT_BROKEN;
        (void)!json_object_set_new(slots, group, new_slot(id));
        if (write_slots(&err))
                return SLOT_TAKEN;
        json_object_del(slots, group);
        buf_append_text(ret_why, err.text);
        return SLOT_BROKEN;
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

static enum MHD_Result judge_machine(const struct http_request *request, const char *group, const char *id) {
        auto_buf why = { 0 };
        pthread_mutex_lock(&slots_lock);
        enum slot_answer answer = take_slot(group, id, &why);
        pthread_mutex_unlock(&slots_lock);
        if (answer == SLOT_KEPT)
                return answer_granted(request);
        if (answer == SLOT_REFUSED)
                return answer_kind(request, MHD_HTTP_CONFLICT, "failed_lock", buf_text(&why));
        if (answer == SLOT_BROKEN)
                return answer_kind(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "failed_lock", buf_text(&why));
        if (rollout_is_on(request->rack))
                buf_append_text(&why, "a rollout of this cluster is under way");
        else
                judge_cluster(request->rack, &why);
        if (why.size == 0 && grant_slot(group, id, &why))
                return answer_granted(request);
        forget_slot(group, id);
        return answer_kind(request, MHD_HTTP_CONFLICT, "cluster_not_healthy", buf_text(&why));
}

// One machine at a time: the cluster is asked for each, for up to two seconds, and whoever asks much must not take the
// threads that give out files.
static enum MHD_Result answer_pre_reboot(const struct http_request *request, const char *group, const char *id) {
        pthread_mutex_lock(&slots_lock);
        bool is_kept = is_granted(group, id);
        pthread_mutex_unlock(&slots_lock);
        if (is_kept)
                return answer_granted(request);
        if (pthread_mutex_trylock(&judging) != 0)
                return answer_kind(request, MHD_HTTP_CONFLICT, "failed_lock",
                                   "another machine is being judged: ask again");
        enum MHD_Result result;
        if (monotonic_ms() < no_question_until_ms)
                result = answer_kind(request, MHD_HTTP_CONFLICT, "failed_lock",
                                     "another machine was judged just now: ask again");
        else
                result = judge_machine(request, group, id);
        pthread_mutex_unlock(&judging);
        return result;
}

bool fleet_lock_forget(const char *group) {
        auto_err err = { 0 };
        pthread_mutex_lock(&slots_lock);
        bool is_held = json_object_get(slots, group) != NULL;
        json_object_del(slots, group);
        if (is_held && !write_slots(&err))
                warning("%s", err.text);
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

static enum MHD_Result answer_fleet_client(const struct http_request *request, const json_t *params) {
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
        json_t *body = NULL;
        if (!request->is_too_large)
                body = json_loadb(buf_text(&request->body), request->body.size, 0, NULL);
        enum MHD_Result result = answer_fleet_client(request, json_object_get(body, "client_params"));
        json_decref(body);
        return result;
}
