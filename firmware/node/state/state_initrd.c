// SPDX-License-Identifier: MIT
#include "firmware/node/state/state_initrd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>

#include "firmware/node/devices/console.h"
#include "firmware/node/devices/module_load.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/facts/text_shown.h"
#include "firmware/node/inventory/inventory.h"
#include "firmware/node/root/root.h"
#include "firmware/node/state/state_keep.h"
#include "firmware/node/state/state_mount.h"
#include "firmware/node/state/state_overlay.h"
#include "firmware/node/state/state_root.h"
#include "firmware/node/state/state_serial.h"
#include "shared/node_config.h"

#define WAITED "/tmp/state-disk-waited"

enum { POLL_MS = 200, RECORD_MAX = 64 << 10, NOTES_MAX = 64 };

// ---- choosing ----

static void add_note(struct arena *arena, struct state_record *record, const char *note) {
        if (!record->notes)
                record->notes = arena_alloc(arena, NOTES_MAX * sizeof *record->notes);
        if (record->note_count < NOTES_MAX && *note)
                record->notes[record->note_count++] = arena_strdup(arena, note);
}

static enum state_choice record_refusal(struct state_record *record, const char *reason) {
        record->status = STATE_REFUSED;
        record->reason = reason;
        return CHOICE_NONE;
}

static enum state_choice go_without(struct state_record *record, const struct state_settings *settings,
                                    const char *reason) {
        record->status = STATE_ABSENT;
        if (settings->required)
                record->status = STATE_REFUSED;
        record->reason = reason;
        return CHOICE_NONE;
}

static enum state_choice take_labelled(const struct state_settings *settings, const struct disk *disk,
                                       struct arena *arena, struct state_record *record) {
        if (!state_filesystem_is_known(disk->type)) {
                const char *held = disk->type;
                if (!*held)
                        held = "several things";
                return record_refusal(record,
                                      arena_printf(arena, "%s has the label %s, but holds %s, neither ext4 nor xfs",
                                                   record->device, settings->label, held));
        }
        record->filesystem = arena_strdup(arena, disk->type);
        if (disk->is_read_only)
                return go_without(record, settings,
                                  arena_printf(arena, "the state disk %s is read-only", record->device));
        return CHOICE_LABELLED;
}

static void list_disk(struct buf *list, const char *separator, const struct disk *disk) {
        if (list->size > 0)
                buf_append_text(list, separator);
        buf_printf(list, "/dev/%s", disk->name);
}

// Claims a blank disk if there is exactly one: which of several was meant, kiln must not guess.
static enum state_choice claim_blank(const struct disk_host *host, const struct disks *disks,
                                     const struct state_settings *settings, struct arena *arena,
                                     struct state_record *record, const struct disk **ret_disk) {
        size_t count = 0, seen = 0;
        auto_buf blank = { 0 };
        for (size_t i = 0; i < disks->count; i++) {
                const struct disk *disk = &disks->items[i];
                auto_buf reason = { .max = 512 };
                if (disk->is_partition)
                        continue; // its disk says so
                seen++;
                buf_printf(&reason, "/dev/%s ", disk->name);
                if (!disk_may_be_claimed(host, disk, &settings->claim, &reason)) {
                        add_note(arena, record, buf_text(&reason));
                        continue;
                }
                *ret_disk = disk;
                count++;
                list_disk(&blank, ", ", disk);
        }
        if (count == 1)
                return CHOICE_BLANK;
        if (count == 0)
                return go_without(record, settings,
                                  arena_printf(arena, "no disk has the label %s, and of %zu none may be claimed",
                                               settings->label, seen));
        return go_without(record, settings,
                          arena_printf(arena,
                                       "no disk has the label %s, and several blank ones could be claimed (%s): narrow "
                                       "state_disk.claim down to one",
                                       settings->label, buf_text(&blank)));
}

static const struct disk *find_labelled(const struct disks *disks, const char *label, struct buf *names,
                                        size_t *ret_count) {
        const struct disk *found = NULL;
        *ret_count = 0;
        for (size_t i = 0; i < disks->count; i++) {
                if (strcmp(disks->items[i].label, label) != 0)
                        continue;
                found = &disks->items[i];
                list_disk(names, " and ", found);
                ++*ret_count;
        }
        return found;
}

enum state_choice state_choose(const struct disk_host *host, const struct disks *disks,
                               const struct state_settings *settings, bool late, struct arena *arena,
                               struct state_record *ret_record, const struct disk **ret_disk) {
        auto_buf names = { 0 };
        size_t count;
        *ret_record = (struct state_record){ .device = "", .filesystem = "", .reason = "" };
        *ret_disk = find_labelled(disks, settings->label, &names, &count);
        if (count > 1)
                return record_refusal(ret_record, arena_printf(arena, "%s have the label %s: which one is meant?",
                                                               buf_text(&names), settings->label));
        enum state_choice choice = CHOICE_NONE;
        if (count == 1) {
                ret_record->device = arena_printf(arena, "/dev/%s", (*ret_disk)->name);
                choice = take_labelled(settings, *ret_disk, arena, ret_record);
        } else if (!late) {
                choice = CHOICE_WAIT;
        } else if (settings->claim.wanted) {
                choice = claim_blank(host, disks, settings, arena, ret_record, ret_disk);
        } else {
                go_without(ret_record, settings,
                           arena_printf(arena,
                                        "none of %zu disks and partitions has the label %s; put in the disk, make "
                                        "one (mkfs.ext4 -L %s DEVICE), or let the profile claim a blank one",
                                        disks->count, settings->label, settings->label));
        }
        if (choice == CHOICE_BLANK) {
                ret_record->device = arena_printf(arena, "/dev/%s", (*ret_disk)->name);
                ret_record->filesystem = settings->filesystem;
        }
        return choice;
}

// ---- in the initrd ----

struct session {
        struct arena arena;
        struct inventory inventory;
        int root;
        bool allow_older; // the operator has said so
        struct state_record record;
};

// The modules' devices are found through /sys, which has moved to the new root in the second part: then it is mounted
// here once more.
static bool load_drivers(struct modules *modules, struct err *err) {
        bool mounted = mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
        if (!mounted && errno != EBUSY)
                return fail(err, ERR_SYSTEM, errno, "mount /sys");
        modules_load_drivers(modules);
        if (mounted)
                umount2("/sys", MNT_DETACH);
        return true;
}

// What state_look() has waited already, in the same initrd.
static int64_t waited_before_ms(void) {
        char text[32] = "";
        auto_close int fd = open(WAITED, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0)
                (void)!read(fd, text, sizeof text - 1);
        return strtoll(text, NULL, 10);
}

static void note_waited(int64_t ms) {
        auto_free char *text = xasprintf("%lld\n", (long long)ms);
        auto_close int fd = open(WAITED, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0)
                (void)!write(fd, text, strlen(text));
}

// A disk with the label may still be on its way: none is claimed before the time is over.
static bool wait_for_disk(struct session *session, struct modules *modules, const char *root,
                          enum state_choice *ret_choice, struct err *err) {
        const struct state_settings *settings = &session->inventory.state;
        auto_free char *sys = xasprintf("%s/sys/class/block", root), *dev = xasprintf("%s/dev", root);
        const struct disk_host host = { sys, dev };
        int64_t deadline = clock_now_ms() + settings->timeout_ms - waited_before_ms();
        for (;;) {
                struct arena arena = { 0 };
                struct disks disks;
                const struct disk *disk;
                bool late = clock_now_ms() >= deadline;
                bool ok = load_drivers(modules, err) && disks_scan(&host, &arena, &disks, err);
                if (ok)
                        *ret_choice =
                            state_choose(&host, &disks, settings, late, &session->arena, &session->record, &disk);
                arena_release(&arena);
                if (!ok || *ret_choice != CHOICE_WAIT)
                        return ok;
                usleep(POLL_MS * 1000);
        }
}

// A file system asks for its checksum by an alias, which no modprobe resolves here: mount(2) would say ENOENT.
static bool load_filesystem(const char *filesystem, struct err *err) {
        char *const names[] = { (char *)"crc32c_generic", (char *)filesystem };
        return !*filesystem || modules_load(names, lengthof(names), err);
}

static bool enter_new_root(const char *root, const char *filesystem, struct err *err) {
        if (!load_filesystem(filesystem, err))
                return false;
        if (chroot(root) < 0 || chdir("/") < 0)
                return fail(err, ERR_SYSTEM, errno, "enter %s", root);
        setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
        return true;
}

static void refuse_disk(struct session *session, const struct err *problem) {
        const char *separator = "", *advice = "";
        if (problem->hint) {
                separator = "; ";
                advice = problem->hint;
        }
        record_refusal(&session->record, arena_printf(&session->arena, "the state disk %s cannot be used: %s%s%s",
                                                      session->record.device, problem->text, separator, advice));
}

static bool make_usable(struct session *session, struct buf *note, struct err *err) {
        const struct state_record *record = &session->record;
        const char *label = session->inventory.state.label;
        if (record->claimed && !state_format(record->device, record->filesystem, label, err))
                return false;
        if (!state_check(record->device, record->filesystem, note, err))
                return false;
        return state_mount(record->device, record->filesystem, err);
}

// The disk that refuses a build is unmounted, for a second try with the operator's leave.
static bool check_serial(struct session *session, struct err *err) {
        auto_err refusal = { 0 };
        auto_buf note = { 0 };
        if (serial_check(session->root, &note, &refusal)) {
                add_note(&session->arena, &session->record, buf_text(&note));
                return true;
        }
        if (session->allow_older) {
                add_note(&session->arena, &session->record,
                         arena_printf(&session->arena, "%s; the operator has allowed it", refusal.text));
                return true;
        }
        umount2(STATE_MOUNT, MNT_DETACH);
        (void)fail(err, refusal.kind, 0, "%s: %s", session->record.device, refusal.text);
        return hint(err, "%s", refusal.hint);
}

// False only for a build that the disk refuses: what is wrong with the disk is in the record.
static bool mount_disk(struct session *session, struct err *err) {
        auto_err problem = { 0 }, undiscarded = { 0 };
        auto_buf note = { 0 };
        struct state_record *record = &session->record;
        if (!make_usable(session, &note, &problem)) {
                refuse_disk(session, &problem);
                return true;
        }
        record->status = STATE_MOUNTED;
        add_note(&session->arena, record, buf_text(&note));
        if (!check_serial(session, err))
                return false;
        if (!state_overlay_discard(&undiscarded))
                add_note(&session->arena, record, undiscarded.text);
        return true;
}

static bool bind_paths(const struct state_settings *settings, struct err *err) {
        for (size_t i = 0; i < settings->path_count; i++)
                if (!state_bind(&settings->paths[i], err))
                        return false;
        return true;
}

// A state path that cannot be bound refuses the machine. Keys and the machine-id are not worth that: a note says that
// they were not put back.
static void use_disk(struct session *session) {
        auto_err problem = { 0 }, unkept = { 0 };
        auto_buf space = { 0 };
        struct state_record *record = &session->record;
        if (!bind_paths(&session->inventory.state, &problem)) {
                refuse_disk(session, &problem);
                return;
        }
        state_describe_space(record->device, &space);
        add_note(&session->arena, record, buf_text(&space));
        if (!keep_restore(session->root, &unkept))
                add_note(&session->arena, record, unkept.text);
}

static void keep_root_too(struct session *session) {
        auto_buf note = { 0 };
        if (session->record.status != STATE_MOUNTED || !session->inventory.state.root_cache)
                return;
        state_keep_root(&note);
        add_note(&session->arena, &session->record, buf_text(&note));
}

static bool write_record(struct session *session, struct err *err) {
        auto_buf text = { 0 };
        bool changed;
        state_record_json(&session->record, &text);
        return root_write(session->root, &(struct root_file){ STATE_RECORD, buf_text(&text), text.size, 0644, 0, 0 },
                          &changed, err);
}

static void tell_line(struct buf *text, const char *start, const char *line) {
        buf_append_text(text, start);
        facts_append_shown(text, line);
        buf_append_char(text, '\n');
}

static void tell_of_record(const struct state_record *record) {
        auto_buf text = { 0 };
        switch (record->status) {
        case STATE_MOUNTED:
                buf_printf(&text, "kiln: state disk %s (%s)", record->device, record->filesystem);
                if (record->claimed)
                        buf_append_text(&text, ", was blank and is formatted now");
                if (record->overlay)
                        buf_append_text(&text, ", with the root's writable layer");
                buf_printf(&text, ", %lld ms\n", (long long)record->elapsed_ms);
                break;
        case STATE_REFUSED:
                tell_line(&text, "kiln: STATE DISK REFUSED: ", record->reason);
                break;
        case STATE_ABSENT:
                tell_line(&text, "kiln: no state disk: ", record->reason);
                break;
        }
        for (size_t i = 0; i < record->note_count; i++)
                tell_line(&text, "kiln: note: ", record->notes[i]);
        fputs(buf_text(&text), stdout);
        console_show_on_others(buf_text(&text));
}

static bool open_directory(const char *path, int *ret, struct err *err) {
        *ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return *ret >= 0 || fail(err, ERR_SYSTEM, errno, "open %s", path);
}

// `root`: below which /etc/kiln/node.json is: the new root, or the configuration layer before it is laid over that.
static bool read_node_json(struct session *session, const char *root, struct err *err) {
        auto_buf config = { .max = NODE_JSON_MAX_BYTES + NODE_READ_ROOM_BYTES };
        auto_close int fd = -1;
        bool found;
        if (!open_directory(root, &fd, err) || !root_read(fd, "/etc/kiln/node.json", &config, &found, err))
                return false;
        if (!found)
                return fail(err, ERR_REFERENCE, 0, "%s/etc/kiln/node.json is missing: this is no image of kiln", root);
        return inventory_read(buf_text(&config), config.size, &session->arena, &session->inventory, err) ||
               wrap(err, "/etc/kiln/node.json");
}

static bool find_disk(struct session *session, const char *root, enum state_choice *ret_choice, struct err *err) {
        struct modules *modules;
        if (!modules_open(MODULES_STORAGE, &modules, err))
                return false;
        bool ok = wait_for_disk(session, modules, root, ret_choice, err);
        modules_close(modules);
        return ok;
}

static bool find_and_mount(struct session *session, const char *root, struct err *err) {
        enum state_choice choice;
        if (!find_disk(session, root, &choice, err) || !enter_new_root(root, session->record.filesystem, err))
                return false;
        session->record.claimed = choice == CHOICE_BLANK;
        return choice == CHOICE_NONE || mount_disk(session, err);
}

// The record that state_prepare() wrote. Its notes are copied, because an arena's array has no room for further ones.
static bool read_prepared(struct session *session, bool *ret_found, struct err *err) {
        auto_buf text = { .max = RECORD_MAX };
        struct state_record record;
        if (!root_read(session->root, STATE_RECORD, &text, ret_found, err))
                return false;
        if (!*ret_found)
                return true;
        if (!state_record_read(buf_text(&text), &session->arena, &record, err))
                return wrap(err, STATE_RECORD);
        session->record = record;
        session->record.notes = NULL;
        session->record.note_count = 0;
        for (size_t i = 0; i < record.note_count; i++)
                add_note(&session->arena, &session->record, record.notes[i]);
        return true;
}

static void note_memory(struct session *session, const char *reason) {
        session->record.overlay = false;
        add_note(&session->arena, &session->record,
                 arena_printf(&session->arena, "the root's writable layer is in memory: %s", reason));
}

static bool run_session(struct session *session, const char *root, const char *in_memory, struct err *err) {
        int64_t start = clock_now_ms();
        bool prepared;
        if (!read_prepared(session, &prepared, err))
                return false;
        if (prepared && !enter_new_root(root, "", err))
                return false;
        if (!prepared && !find_and_mount(session, root, err))
                return false;
        if (in_memory)
                note_memory(session, in_memory);
        if (session->record.status == STATE_MOUNTED)
                use_disk(session);
        keep_root_too(session);
        session->record.elapsed_ms += clock_now_ms() - start;
        tell_of_record(&session->record);
        return write_record(session, err);
}

static void session_release(struct session *session) {
        if (session->root >= 0)
                close(session->root);
        arena_release(&session->arena);
}
#define auto_session __attribute__((cleanup(session_release))) struct session

bool state_run(const char *root, const char *in_memory, bool allow_older, struct err *err) {
        assert(root);
        auto_session session = { .root = -1, .allow_older = allow_older };
        if (!read_node_json(&session, root, err))
                return wrap(err, "the state disk");
        if (!session.inventory.state.wanted)
                return true;
        if (!open_directory(root, &session.root, err) || !run_session(&session, root, in_memory, err))
                return wrap(err, "the state disk");
        return true;
}

// ---- before there is a new root ----

static void make_overlay(struct session *session) {
        auto_err problem = { 0 };
        auto_buf space = { 0 };
        struct state_record *record = &session->record;
        if (record->status != STATE_MOUNTED) {
                note_memory(session, record->reason);
                return;
        }
        state_describe_space(record->device, &space);
        if (space.size > 0)
                note_memory(session, buf_text(&space));
        else if (!state_overlay_make(&problem))
                note_memory(session, problem.text);
        else
                record->overlay = true;
}

static bool prepare_session(struct session *session, const char *root, struct buf *ret_path, struct err *err) {
        int64_t start = clock_now_ms();
        if (!find_and_mount(session, root, err))
                return false;
        make_overlay(session);
        if (session->record.overlay)
                buf_append_text(ret_path, STATE_OVERLAY);
        session->record.elapsed_ms = clock_now_ms() - start;
        return write_record(session, err);
}

bool state_prepare(const char *root, const char *config, bool allow_older, struct buf *ret_path, struct err *err) {
        assert(root && config);
        auto_session session = { .root = -1, .allow_older = allow_older };
        if (!read_node_json(&session, config, err))
                return wrap(err, "the state disk");
        if (!session.inventory.state.overlay)
                return true;
        if (!open_directory(root, &session.root, err) || !prepare_session(&session, root, ret_path, err))
                return wrap(err, "the state disk");
        return true;
}

// ---- before there is a root ----

static bool look_for_disk(struct session *session, const char *at, struct err *err) {
        enum state_choice choice;
        int64_t start = clock_now_ms();
        bool ok = find_disk(session, "", &choice, err);
        const struct state_record *record = &session->record;
        note_waited(clock_now_ms() - start);
        if (!ok)
                return false;
        if (choice == CHOICE_BLANK)
                return fail(err, ERR_REFERENCE, 0, "it is blank yet");
        if (choice != CHOICE_LABELLED)
                return fail(err, ERR_REFERENCE, 0, "%s", record->reason);
        if (!load_filesystem(record->filesystem, err))
                return false;
        return mount(record->device, at, record->filesystem, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                     state_mount_data(record->filesystem)) == 0 ||
               fail(err, ERR_CORRUPT, errno, "%s (%s) cannot be mounted", record->device, record->filesystem);
}

bool state_look(const char *config, const char *at, struct err *err) {
        assert(config && at);
        auto_session session = { .root = -1 };
        if (!read_node_json(&session, config, err))
                return wrap(err, "the state disk");
        if (!session.inventory.state.root_cache)
                return fail(err, ERR_REFERENCE, 0, "the inventory keeps no root on a state disk");
        return look_for_disk(&session, at, err) || wrap(err, "the state disk");
}
