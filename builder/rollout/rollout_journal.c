// SPDX-License-Identifier: MIT
#include "rollout/rollout_journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json_member.h"
#include "base/mem.h"

#define ROLLOUT_JOURNAL "journal"
enum { ROLLOUT_JOURNAL_MAX = 64 << 20 };

// ---- what lines mean ----

static void put_event_text(char **into, const json_t *event, const char *key) {
        free(*into);
        *into = xstrdup(member_text(event, key));
}

static void put_event_list(json_t **into, const json_t *event) {
        json_decref(*into);
        *into = json_incref(json_object_get(event, "nodes"));
}

static void end_step(struct rollout_journal *journal, const json_t *event) {
        size_t i;
        json_t *name;
        json_array_foreach(json_object_get(event, "nodes"), i, name)(void) !json_object_set_new(
            journal->done, text_or(json_string_value(name), ""), json_true());
        json_decref(journal->step);
        journal->step = NULL;
        json_object_clear(journal->boot_ids);
}

static void forget_all(struct rollout_journal *journal) {
        free(journal->cluster);
        free(journal->from);
        free(journal->to);
        free(journal->how);
        json_decref(journal->nodes);
        json_decref(journal->done);
        json_decref(journal->step);
        json_decref(journal->boot_ids);
        *journal = (struct rollout_journal){ .fd = journal->fd, .done = json_object(), .boot_ids = json_object() };
}

static const char *const scopes[] = { [ROLLOUT_ALL] = "all", [ROLLOUT_PART] = "part", [ROLLOUT_CANARY] = "canary" };

static enum rollout_scope read_scope(const json_t *event) {
        for (size_t i = 0; i < lengthof(scopes); i++)
                if (strcmp(member_text(event, "scope"), scopes[i]) == 0)
                        return (enum rollout_scope)i;
        return ROLLOUT_ALL;
}

static void begin_anew(struct rollout_journal *journal, const json_t *event) {
        forget_all(journal);
        journal->exists = journal->is_open = true;
        journal->cluster = xstrdup(member_text(event, "cluster"));
        journal->from = xstrdup(member_text(event, "from"));
        journal->to = xstrdup(member_text(event, "to"));
        journal->scope = read_scope(event);
        put_event_list(&journal->nodes, event);
}

// False for what is no event of a rollout.
static bool apply_event(struct rollout_journal *journal, const json_t *event) {
        const char *name = member_text(event, "event");
        if (strcmp(name, "begin") == 0) {
                begin_anew(journal, event);
        } else if (!journal->exists) {
                return false;
        } else if (strcmp(name, "step") == 0) {
                put_event_list(&journal->step, event);
                (void)!json_object_update(journal->boot_ids, json_object_get(event, "boot_ids"));
        } else if (strcmp(name, "reboot") == 0) {
                (void)!json_object_set_new(journal->boot_ids, member_text(event, "node"),
                                           json_string(member_text(event, "boot_id")));
        } else if (strcmp(name, "done") == 0) {
                end_step(journal, event);
        } else if (strcmp(name, "end") == 0) {
                journal->is_open = false;
                put_event_text(&journal->how, event, "how");
        } else {
                return *name != '\0'; // of a newer kiln, or a mere note
        }
        return true;
}

// ---- the file ----

static bool read_lines(struct rollout_journal *journal, const char *text, size_t size, size_t *ret_whole,
                       struct err *err) {
        size_t at = 0, number = 0;
        for (const char *newline; (newline = memchr(text + at, '\n', size - at)); at = (size_t)(newline - text) + 1) {
                json_t *event = json_loadb(text + at, (size_t)(newline - text) - at, 0, NULL);
                bool ok = event && apply_event(journal, event);
                json_decref(event);
                number++;
                if (ok)
                        continue;
                fail(err, ERR_CORRUPT, 0, "the rollout's journal, line %zu, is none of its lines", number);
                return hint(err, "look at what the nodes run, take back their draining by hand, and remove the file "
                                 ".rollout/journal of the cluster's builds");
        }
        *ret_whole = at;
        return true;
}

static bool read_whole_journal(int dir, struct rollout_journal *journal, size_t *ret_whole, struct err *err) {
        auto_buf text = { .max = ROLLOUT_JOURNAL_MAX };
        if (!fs_exists(dir, ROLLOUT_JOURNAL))
                return true;
        if (!fs_read(dir, ROLLOUT_JOURNAL, &text, err))
                return wrap(err, "the rollout's journal");
        return read_lines(journal, buf_text(&text), text.size, ret_whole, err);
}

bool rollout_journal_read(int dir, struct rollout_journal *ret, struct err *err) {
        assert(dir >= 0 && ret);
        size_t whole = 0;
        ret->fd = -1;
        forget_all(ret);
        return read_whole_journal(dir, ret, &whole, err);
}

static bool open_to_append(int dir, struct rollout_journal *journal, struct err *err) {
        close_cleanup(&journal->fd);
        journal->fd = openat(dir, ROLLOUT_JOURNAL, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
        return journal->fd >= 0 || fail(err, ERR_SYSTEM, errno, "open the rollout's journal");
}

static json_t *stamp(json_t *event) {
        json_object_set_new(event, "at", json_integer((json_int_t)time(NULL)));
        return event;
}

static void format_event(json_t *event, struct buf *ret) {
        auto_free char *text = json_dumps(event, JSON_COMPACT);
        buf_printf(ret, "%s\n", text_or(text, "{}"));
}

bool rollout_journal_begin(int dir, const struct rollout_begin *begin, struct rollout_journal *journal,
                           struct err *err) {
        assert(dir >= 0 && begin->cluster && begin->from && begin->to && begin->nodes);
        json_t *event =
            stamp(json_pack("{ss si ss ss ss ss so}", "event", "begin", "format", 1, "cluster", begin->cluster, "from",
                            begin->from, "to", begin->to, "scope", scopes[begin->scope], "nodes", begin->nodes));
        json_t *step = json_incref(begin->step);
        auto_buf text = { 0 };
        format_event(event, &text);
        if (step)
                format_event(stamp(step), &text);
        bool ok =
            fs_write_atomic(dir, ROLLOUT_JOURNAL, text.data, text.size, 0644, err) && open_to_append(dir, journal, err);
        if (ok)
                begin_anew(journal, event);
        if (ok && step)
                (void)apply_event(journal, step);
        json_decref(event);
        json_decref(step);
        return ok || wrap(err, "the rollout's journal");
}

bool rollout_journal_continue(int dir, struct rollout_journal *journal, struct err *err) {
        struct rollout_journal again = { .fd = -1 };
        size_t whole = 0;
        forget_all(&again);
        bool ok = read_whole_journal(dir, &again, &whole, err) && open_to_append(dir, journal, err);
        rollout_journal_close(&again);
        if (!ok)
                return false;
        return ftruncate(journal->fd, (off_t)whole) == 0 || fail(err, ERR_SYSTEM, errno, "cut the rollout's journal");
}

bool rollout_journal_note(struct rollout_journal *journal, json_t *event, struct err *err) {
        assert(journal->fd >= 0 && event);
        auto_buf text = { 0 };
        format_event(stamp(event), &text);
        (void)apply_event(journal, event);
        json_decref(event);
        if (!fs_write_all(journal->fd, text.data, text.size, err))
                return wrap(err, "the rollout's journal");
        return fdatasync(journal->fd) == 0 || fail(err, ERR_SYSTEM, errno, "write the rollout's journal");
}

void rollout_journal_close(struct rollout_journal *journal) {
        close_cleanup(&journal->fd);
        journal->fd = -1;
        forget_all(journal);
        json_decref(journal->done);
        json_decref(journal->boot_ids);
        journal->done = journal->boot_ids = NULL;
}
