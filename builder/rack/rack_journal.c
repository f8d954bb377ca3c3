// SPDX-License-Identifier: MIT
#include "rack/rack_journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"

static bool choose_seed(const char *text, uint64_t *ret, struct err *err) {
        char *end;
        if (!text) {
                uint32_t seed = 0; // short enough to be typed
                if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
                        return fail(err, ERR_SYSTEM, errno, "ask the kernel for a random number");
                *ret = seed;
                return true;
        }
        errno = 0;
        *ret = strtoull(text, &end, 10);
        bool is_number = *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
        return is_number || fail(err, ERR_USAGE, 0, "--seed %s: a number is needed", text);
}

bool rack_journal_open(struct rack_journal *journal, int dir, const char *seed, struct err *err) {
        *journal = (struct rack_journal){ .fd = -1, .begun_ms = monotonic_ms() };
        if (!choose_seed(seed, &journal->seed, err) ||
            !fs_open(dir, "journal", O_WRONLY | O_CREAT | O_APPEND, 0600, &journal->fd, err))
                return false;
        journal->random = journal->seed;
        rack_journal_note(journal, "begin", "", json_pack("{sI}", "seed", (json_int_t)journal->seed));
        return true;
}

void rack_journal_close(struct rack_journal *journal) {
        close_cleanup(&journal->fd);
        journal->fd = -1;
}

void rack_journal_note(struct rack_journal *journal, const char *what, const char *node, json_t *details) {
        char at[32] = "";
        time_t now = time(NULL);
        struct tm utc;
        auto_err ignored = { 0 };
        json_t *line = details;
        if (!line)
                line = json_object();
        if (gmtime_r(&now, &utc))
                strftime(at, sizeof at, "%FT%TZ", &utc);
        json_object_set_new(line, "time", json_string(at));
        json_object_set_new(line, "ms", json_integer(monotonic_ms() - journal->begun_ms));
        json_object_set_new(line, "do", json_string(what));
        if (*node)
                json_object_set_new(line, "node", json_string(node));
        auto_free char *text = json_dumps(line, JSON_COMPACT | JSON_SORT_KEYS);
        auto_free char *whole = xasprintf("%s\n", text_or(text, "{}"));
        json_decref(line);
        (void)!fs_write_all(journal->fd, whole, strlen(whole), &ignored); // a full disk ends no rack
}

// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
uint64_t rack_journal_choose(struct rack_journal *journal, uint64_t end) {
        assert(end > 0);
        journal->random += 0x9e3779b97f4a7c15;
        uint64_t mixed = journal->random;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        return (mixed ^ (mixed >> 31)) % end;
}
