// SPDX-License-Identifier: MIT
#include "serve/rack.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/progress.h"
#include "http/http_range.h"
#include "serve/boot_speaker.h"
#include "serve/dnsmasq_log.h"
#include "serve/free_address.h"

enum { NEWS_MS = 5000, BUSY_RETRY_S = 5, SMALL_PART_BYTES = 4 << 20 };

void rack_setup(struct rack *rack, struct cluster *cluster) {
        assert(rack && cluster && rack->state);
        pthread_mutex_init(&rack->lock, NULL);
        rack->cluster = cluster;
        rack->started_ms = boot_now_ms();
        boot_state_take_inventory(rack->state, cluster); // which has seen nothing yet
        rack->free_address = next_free_address(cluster, rack->clients.own);
        vip_watch_take(&rack->vips, cluster);
        if (rack->wanted)
                pins_switch(&rack->pins, NULL, rack->wanted, monotonic_ms());
}

void rack_release(struct rack *rack) {
        __atomic_store_n(&rack->is_over, true, __ATOMIC_RELAXED);
        if (rack->is_syncing)
                pthread_join(rack->syncing, NULL);
        pins_release(&rack->pins, &rack->builds);
        served_builds_release(&rack->builds, rack->wanted);
        served_builds_close(&rack->builds);
        admission_release(&rack->admission);
        clients_release(&rack->clients);
        vip_watch_close(&rack->vips);
        journal_close(&rack->journal, rack->state);
        boot_state_free(rack->state);
        cluster_free(rack->cluster);
        pthread_mutex_destroy(&rack->lock);
}

void rack_switch(struct rack *rack, struct served_build *build) {
        assert(build);
        pthread_mutex_lock(&rack->lock);
        struct served_build *before = rack->wanted;
        rack->wanted = served_build_hold(build);
        pins_switch(&rack->pins, before, build, monotonic_ms());
        served_builds_release(&rack->builds, before);
        rack->state->version++;
        pthread_mutex_unlock(&rack->lock);
}

static pthread_rwlock_t cluster_use = PTHREAD_RWLOCK_INITIALIZER;

const struct cluster *rack_borrow_cluster(struct rack *rack) {
        pthread_mutex_lock(&rack->lock);
        const struct cluster *cluster = rack->cluster;
        pthread_rwlock_rdlock(&cluster_use);
        pthread_mutex_unlock(&rack->lock);
        return cluster;
}

void rack_return_cluster(void) { pthread_rwlock_unlock(&cluster_use); }

void rack_take_inventory(struct rack *rack, struct cluster *cluster) {
        pthread_mutex_lock(&rack->lock);
        struct cluster *before = rack->cluster;
        rack->cluster = cluster;
        boot_state_take_inventory(rack->state, cluster);
        rack->journal.is_stale = true;
        journal_tick(&rack->journal, rack->state, monotonic_ms());
        rack->free_address = next_free_address(cluster, rack->clients.own);
        vip_watch_take(&rack->vips, cluster);
        pthread_mutex_unlock(&rack->lock);
        pthread_rwlock_wrlock(&cluster_use); // whoever asks it has come to an end
        cluster_free(before);
        pthread_rwlock_unlock(&cluster_use);
}

// ---- events ----

// A machine that begins anew, or has all it loads, is bound to no build any more.
static void update_pin(struct rack *rack, const struct boot_event *event, const struct boot_machine *machine) {
        bool is_over = event->stage >= BOOT_HANDOVER;
        bool is_beginning = event->stage == BOOT_DHCP && event->is_firmware;
        struct in_addr client = event->ip;
        if (!client.s_addr && machine)
                client = machine->ip;
        if (client.s_addr && is_over)
                pins_drop(&rack->pins, &rack->builds, client.s_addr);
        else if (client.s_addr && is_beginning)
                pins_begin(&rack->pins, &rack->builds, client.s_addr, monotonic_ms());
}

// What was loaded by TFTP names its build, too: what follows by HTTP may not.
static void pin_tftp(struct rack *rack, const struct boot_event *event) {
        auto_err ignored = { 0 };
        struct served_build *build = NULL;
        bool is_file = event->stage >= BOOT_LOADER && event->stage <= BOOT_ROOT && !event->is_local;
        if (!is_file || !*event->build || !event->ip.s_addr)
                return;
        if (!served_builds_get(&rack->builds, event->build, &build, &ignored) || !build)
                return;
        pins_put(&rack->pins, &rack->builds, event->ip.s_addr, build, monotonic_ms());
        served_builds_release(&rack->builds, build);
}

void rack_note_locked(struct rack *rack, const struct boot_event *event) {
        const struct boot_machine *machine = boot_state_apply(rack->state, event);
        update_pin(rack, event, machine);
        if (machine)
                journal_append(&rack->journal, event);
}

void rack_note(struct rack *rack, const struct boot_event *event) {
        assert(rack && event);
        pthread_mutex_lock(&rack->lock);
        rack_note_locked(rack, event);
        pin_tftp(rack, event);
        pthread_mutex_unlock(&rack->lock);
}

bool rack_may_report(struct rack *rack, struct in_addr client) {
        pthread_mutex_lock(&rack->lock);
        bool may = clients_take_report(&rack->clients, client.s_addr, monotonic_ms());
        pthread_mutex_unlock(&rack->lock);
        return may;
}

// Who is on this machine may tell of all, and has none of their addresses.
bool rack_take_report(struct rack *rack, struct in_addr client, struct boot_event *event) {
        assert(rack && event);
        bool is_own = client.s_addr == rack->clients.own;
        pthread_mutex_lock(&rack->lock);
        if (!is_own)
                event->ip = client;
        bool may = is_own || boot_may_speak(rack->state, rack->cluster, client, event);
        if (may)
                rack_note_locked(rack, event);
        pthread_mutex_unlock(&rack->lock);
        return may;
}

void rack_forget(struct rack *rack, const struct boot_machine *machine) {
        boot_state_forget(rack->state, machine);
        rack->journal.is_stale = true;
        journal_tick(&rack->journal, rack->state, monotonic_ms());
}

// mac/52-54-00-a8-02-47.ipxe, pxelinux.cfg/01-52-54-00-a8-02-47: who asks for its own file says who it is.
static void take_mac_of_path(const char *path, struct boot_event *event) {
        const char *name = strrchr(path, '/');
        char text[18] = "";
        uint8_t mac[BOOT_MAC_SIZE];
        if (!name)
                return;
        name++;
        if (strstr(path, "/pxelinux.cfg/01-"))
                name += 3;
        else if (!strstr(path, "/mac/"))
                return;
        strncpy(text, name, sizeof text - 1);
        if (boot_mac_parse(text, mac))
                boot_event_add_mac(event, mac);
}

static bool is_news(const struct rack *rack, const struct boot_event *event) {
        const struct boot_machine *machine = NULL;
        if (event->mac_count > 0)
                machine = boot_state_by_mac(rack->state, event->macs[0]);
        else
                machine = boot_state_by_ip(rack->state, event->ip);
        if (!machine || !machine->attempts)
                return true;
        const struct boot_attempt *attempt = &machine->attempts[0];
        bool is_other = boot_attempt_is_over(attempt, event) || strcmp(attempt->build, event->build) != 0;
        int64_t since_ms = event->time_ms - attempt->last_ms;
        bool is_silent = since_ms < 0 || since_ms > NEWS_MS; // the clock may have been set back
        return is_other || is_silent || attempt->stage < event->stage || attempt->is_lost;
}

void rack_note_file(struct rack *rack, struct in_addr client, const char *path, const char *build) {
        struct boot_event event = {
                .time_ms = boot_now_ms(), .stage = boot_file_stage(path), .ip = client, .percent = -1
        };
        if (event.stage == BOOT_NONE)
                return;
        boot_text_copy(event.build, sizeof event.build, build);
        take_mac_of_path(path, &event);
        pthread_mutex_lock(&rack->lock);
        bool may_say = client.s_addr == rack->clients.own || boot_may_speak(rack->state, rack->cluster, client, &event);
        if (!may_say)
                event.mac_count = 0; // it asks for another one's file
        if (is_news(rack, &event))
                rack_note_locked(rack, &event);
        pthread_mutex_unlock(&rack->lock);
}

// ---- files ----

static bool is_in_build(const struct served_build *build, const char *inside, const char *digest) {
        const char *listed = served_build_digest(build, inside);
        return listed && strcmp(listed, digest) == 0;
}

// The build that the client boots, or else the one that the path names, if it has this digest. Nobody is given another
// build by it.
static struct served_build *build_of_digest(struct rack *rack, const struct rack_wish *wish, const char *id,
                                            const char *inside) {
        auto_err ignored = { 0 };
        struct served_build *build = pins_find(&rack->pins, wish->client.s_addr, monotonic_ms());
        if (!build)
                build = rack->wanted;
        if (is_in_build(build, inside, wish->digest))
                return served_build_hold(build);
        build = NULL;
        (void)!served_builds_get(&rack->builds, id, &build, &ignored);
        if (!build || is_in_build(build, inside, wish->digest))
                return build;
        served_builds_release(&rack->builds, build);
        return NULL;
}

// What cannot be opened is told as absent.
static struct served_build *build_of_path(struct rack *rack, const struct rack_wish *wish, const char *id) {
        auto_err ignored = { 0 };
        struct served_build *build = NULL;
        int64_t now_ms = monotonic_ms();
        if (strcmp(id, "current") != 0) {
                (void)!served_builds_get(&rack->builds, id, &build, &ignored);
        } else {
                build = pins_find(&rack->pins, wish->client.s_addr, now_ms);
                if (!build)
                        build = rack->wanted;
                build = served_build_hold(build);
        }
        if (build)
                pins_put(&rack->pins, &rack->builds, wish->client.s_addr, build, now_ms);
        return build;
}

static struct served_build *build_of_wish(struct rack *rack, const struct rack_wish *wish, const char *inside,
                                          bool *ret_is_fixed) {
        char id[SERVED_ID_SIZE] = "";
        size_t size = strcspn(wish->path, "/");
        if (size >= sizeof id)
                return NULL;
        memcpy(id, wish->path, size);
        *ret_is_fixed = strcmp(id, "current") != 0;
        if (wish->digest)
                return build_of_digest(rack, wish, id, inside);
        return build_of_path(rack, wish, id);
}

// RACK_BUSY: there is such a file, and no room to open it.
static enum rack_answer open_published(const struct served_build *build, const char *path, struct stat *ret_stat,
                                       int *ret_fd) {
        struct open_how how = {
                .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
        };
        auto_close int fd = (int)syscall(SYS_openat2, build->dir, path, &how, sizeof how);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
                return RACK_BUSY;
        if (fd < 0 || fstat(fd, ret_stat) < 0 || !S_ISREG(ret_stat->st_mode))
                return RACK_ABSENT;
        *ret_fd = take_fd(fd);
        return RACK_FILE;
}

// Bytes of the file. Somebody who has most of a root, or keeps it in pieces, asks for so few that he need not wait:
// many such are sent in the time of one root.
static uint64_t look_at_range(const struct rack_wish *wish, struct rack_file *file, bool *ret_is_small) {
        uint64_t first, count;
        enum range_kind kind = http_range_parse(wish->range, file->size_bytes, &first, &count);
        *ret_is_small = false;
        if (kind == RANGE_WHOLE)
                return count;
        if (kind == RANGE_NONE)
                count = 0;
        file->is_piece = wish->range[strlen(wish->range) - 1] != '-';
        *ret_is_small = count <= SMALL_PART_BYTES;
        return count;
}

static bool admit(struct rack *rack, const struct rack_wish *wish, struct rack_file *file) {
        bool is_small;
        uint64_t bytes = look_at_range(wish, file, &is_small);
        if (is_small || boot_file_stage(wish->path) != BOOT_ROOT)
                return true;
        file->retry_s = BUSY_RETRY_S;
        file->is_counted = clients_take(&rack->clients, CLIENT_ROOT, file->client.s_addr, monotonic_ms());
        if (!file->is_counted)
                return false;
        file->is_admitted =
            admission_begin(&rack->admission, file->client.s_addr, wish->must, bytes, monotonic_ms(), &file->retry_s);
        return file->is_admitted;
}

static enum rack_answer open_file_locked(struct rack *rack, const struct rack_wish *wish, struct rack_file *file) {
        struct stat stat;
        const char *inside = strchr(wish->path, '/');
        if (!inside)
                return RACK_ABSENT;
        inside++;
        file->build = build_of_wish(rack, wish, inside, &file->is_fixed);
        if (!file->build)
                return RACK_ABSENT;
        auto_close int fd = -1;
        enum rack_answer answer = open_published(file->build, inside, &stat, &fd);
        file->retry_s = BUSY_RETRY_S;
        if (answer != RACK_FILE)
                return answer;
        file->size_bytes = (uint64_t)stat.st_size;
        const char *digest = served_build_digest(file->build, inside);
        if (digest)
                (void)snprintf(file->tag, sizeof file->tag, "\"%s\"", digest);
        bool is_there = wish->unless && *file->tag && http_tag_matches(wish->unless, file->tag);
        bool is_sent = wish->is_read && !is_there;
        if (is_sent && !admit(rack, wish, file))
                return RACK_BUSY;
        file->fd = take_fd(fd);
        return RACK_FILE;
}

enum rack_answer rack_open_file(struct rack *rack, const struct rack_wish *wish, struct rack_file *ret) {
        assert(rack && wish && wish->path && ret);
        *ret = (struct rack_file){ .fd = -1, .client = wish->client };
        pthread_mutex_lock(&rack->lock);
        enum rack_answer answer = open_file_locked(rack, wish, ret);
        rack->requests++;
        rack->refused_requests += answer == RACK_BUSY;
        pthread_mutex_unlock(&rack->lock);
        if (answer != RACK_FILE)
                rack_close_file(rack, ret);
        return answer;
}

char *rack_path_of_digest(const struct rack *rack, const char *digest) {
        return served_builds_by_digest(&rack->builds, digest);
}

void rack_close_file(struct rack *rack, struct rack_file *file) {
        pthread_mutex_lock(&rack->lock);
        if (file->is_admitted)
                admission_end(&rack->admission);
        if (file->is_counted)
                clients_give(&rack->clients, CLIENT_ROOT, file->client.s_addr);
        file->is_admitted = file->is_counted = false;
        served_builds_release(&rack->builds, file->build);
        file->build = NULL;
        pthread_mutex_unlock(&rack->lock);
}

// ---- the disk ----

static void sync_journal(struct rack *rack) {
        pthread_mutex_lock(&rack->lock);
        auto_close int fd = journal_unsynced(&rack->journal, monotonic_ms());
        pthread_mutex_unlock(&rack->lock);
        if (fd >= 0)
                (void)fdatasync(fd);
}

static void *keep_journal_synced(void *context) {
        struct rack *rack = context;
        const struct timespec pause = { .tv_nsec = 200000000 };
        while (!__atomic_load_n(&rack->is_over, __ATOMIC_RELAXED)) {
                sync_journal(rack);
                (void)nanosleep(&pause, NULL);
        }
        return NULL;
}

bool rack_start_syncing(struct rack *rack, struct err *err) {
        assert(rack && !rack->is_syncing);
        int number = pthread_create(&rack->syncing, NULL, keep_journal_synced, rack);
        rack->is_syncing = number == 0;
        return number == 0 || fail(err, ERR_SYSTEM, number, "start a thread");
}

void rack_tick(struct rack *rack, int64_t now_ms) {
        assert(rack);
        pthread_mutex_lock(&rack->lock);
        rack_look_at_transfers(rack, monotonic_ms());
        if (vip_watch_tick(&rack->vips, rack->cluster, monotonic_ms()))
                rack->state->version++;
        pins_expire(&rack->pins, &rack->builds, monotonic_ms());
        (void)boot_state_tick(rack->state, now_ms);
        journal_tick(&rack->journal, rack->state, monotonic_ms());
        pthread_mutex_unlock(&rack->lock);
}
