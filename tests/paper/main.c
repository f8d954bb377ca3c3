// SPDX-License-Identifier: MIT
// usage: paper OPTION=VALUE...: plays machines on the cable `interface` against kiln serve at `server`, until all of
// them are healthy or `limit` seconds are over. What came of it is told as JSON; 0: all healthy, and the server made no
// mistake.
//
//     nodes=FILE     a line a machine: MAC ADDRESS NAME ROLE
//     tree=DIR       the published builds of `cluster`
//     spread=MS      within which all are switched on          pause=MS     that a machine is busy with itself
//     unknown=N      machines that no inventory has            twins=N      machines with the MAC of another one
//     faults=PERCENT that are unlucky, by `seed`               loss=PERCENT of DHCP and TFTP packets, each way
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mem.h"
#include "tests/paper/paper.h"

enum { TICK_MS = 10, EVENTS_MAX = 512, WRONG_TOLD = 20, LEFT_TOLD = 10 };

struct options options = { .port = 8080, .spread_ms = 5000, .limit_s = 60, .pause_ms = 200, .cluster = "rack" };
struct counts counts;
int loop_epoll, packets_fd;
int64_t now_ms;

static struct machine *machines;
static size_t machine_count;
static json_t *mistakes;
static uint64_t random_state;

void die(const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        (void)fputs("paper: ", stderr);
        (void)vfprintf(stderr, format, arguments);
        va_end(arguments);
        (void)fputc('\n', stderr);
        exit(2);
}

void wrong(const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *text = xvasprintf(format, arguments);
        va_end(arguments);
        if (counts.wrong++ < WRONG_TOLD)
                json_array_append_new(mistakes, json_string(text_or(text, "")));
}

// splitmix64: the same in each run of a seed.
unsigned paper_random(unsigned below) {
        uint64_t z = (random_state += 0x9e3779b97f4a7c15U);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        z ^= z >> 31;
        if (below == 0)
                return 0;
        return (unsigned)(z % below);
}

bool is_chance(unsigned percent) { return percent > 0 && paper_random(100) < percent; }

static int64_t clock_ms(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// ---- what was published ----

static bool map_file(const char *path, struct published *ret) {
        struct stat stat;
        auto_free char *whole = xasprintf("%s/%s", options.tree, path);
        auto_close int fd = open(whole, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode))
                return false;
        ret->size = (size_t)stat.st_size;
        ret->data = "";
        if (ret->size > 0)
                ret->data = mmap(NULL, ret->size, PROT_READ, MAP_PRIVATE, fd, 0);
        return ret->data != MAP_FAILED;
}

// BUILD/PATH has its digest in BUILD/SHA256SUMS.
static void find_digest(struct published *file) {
        const char *inside = strchr(file->path, '/');
        struct published sums = { 0 };
        if (!inside || strcmp(inside, "/SHA256SUMS") == 0)
                return;
        auto_free char *path = xasprintf("%.*s/SHA256SUMS", (int)(inside - file->path), file->path);
        auto_free char *line = xasprintf("  %s\n", inside + 1);
        if (!map_file(path, &sums))
                return;
        const char *found = memmem(sums.data, sums.size, line, strlen(line));
        if (found && found - sums.data >= 64)
                memcpy(file->digest, found - 64, 64);
        (void)munmap((void *)sums.data, sums.size);
}

// A machine's own entry is mapped for ever as well: they are small.
const struct published *published_find(const char *path) {
        static struct published **files;
        static size_t count;
        if (!*path || strlen(path) >= PATH_ROOM)
                return NULL;
        bool is_shared = !strstr(path, "/mac/");
        for (size_t i = 0; is_shared && i < count; i++)
                if (strcmp(files[i]->path, path) == 0)
                        return files[i];
        struct published *file = xcalloc(1, sizeof *file);
        memcpy(file->path, path, strlen(path) + 1);
        if (!map_file(path, file)) {
                free(file);
                return NULL;
        }
        find_digest(file);
        if (is_shared)
                *array_append(&files, &count) = file;
        return file;
}

// ---- options and machines ----

static bool take_text(const char *word, const char *name, const char **ret) {
        size_t size = strlen(name);
        if (strncmp(word, name, size) != 0 || word[size] != '=')
                return false;
        *ret = word + size + 1;
        return true;
}

static bool take_option(const char *word) {
        const struct {
                const char *name;
                unsigned *number;
                const char **text;
        } known[] = {
                { "interface", NULL, &options.interface },
                { "nodes", NULL, &options.nodes_path },
                { "tree", NULL, &options.tree },
                { "cluster", NULL, &options.cluster },
                { "port", &options.port, NULL },
                { "seed", &options.seed, NULL },
                { "spread", &options.spread_ms, NULL },
                { "limit", &options.limit_s, NULL },
                { "unknown", &options.unknown, NULL },
                { "twins", &options.twins, NULL },
                { "faults", &options.faults_percent, NULL },
                { "loss", &options.loss_percent, NULL },
                { "pause", &options.pause_ms, NULL },
        };
        const char *value = NULL;
        if (take_text(word, "server", &value))
                return inet_pton(AF_INET, value, &options.server) == 1;
        for (size_t i = 0; i < lengthof(known); i++) {
                if (!take_text(word, known[i].name, &value))
                        continue;
                if (known[i].text)
                        *known[i].text = value;
                else
                        *known[i].number = (unsigned)strtoul(value, NULL, 10);
                return true;
        }
        return false;
}

static struct machine *add_machine(void) {
        struct machine *machine = array_append(&machines, &machine_count);
        machine->index = (uint32_t)(machine_count - 1);
        if (machine_count > 65535)
                die("too many machines");
        return machine;
}

static void read_node(const char *line) {
        struct machine *machine = add_machine();
        uint8_t *mac = machine->mac;
        char ip[INET_ADDRSTRLEN];
        if (sscanf(line, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx %15s %63s %63s", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
                   &mac[5], ip, machine->name, machine->role) != 9 ||
            inet_pton(AF_INET, ip, &machine->expected) != 1)
                die("%s: `%s`", options.nodes_path, line);
        machine->is_known = true;
}

static void read_nodes(void) {
        auto_fclose FILE *file = fopen(options.nodes_path, "re");
        char line[256];
        if (!file)
                die("open %s: %s", options.nodes_path, strerror(errno));
        while (fgets(line, sizeof line, file))
                read_node(line);
}

static void add_others(void) {
        size_t nodes = machine_count;
        for (unsigned i = 0; i < options.unknown; i++) {
                struct machine *machine = add_machine();
                memcpy(machine->mac, (uint8_t[]){ 0x52, 0x54, 0, 0xee, (uint8_t)(i >> 8), (uint8_t)i }, MAC_SIZE);
        }
        for (unsigned i = 0; i < options.twins && nodes > 0; i++) {
                size_t of = i * (nodes / options.twins) % nodes;
                struct machine *machine = add_machine();
                uint32_t index = machine->index;
                machines[of].has_twin = true;
                *machine = machines[of];
                machine->index = index;
        }
}

// Three sockets each at most.
static void raise_limits(void) {
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        if (limit.rlim_max < 65536)
                limit.rlim_max = 65536;
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
}

// ---- the loop ----

static void receive_packets(void) {
        struct answer answer;
        bool is_answer = false;
        while (packet_receive(packets_fd, &answer, &is_answer)) {
                uint32_t index = ntohl(answer.xid) & 0xffff;
                if (is_answer && index < machine_count)
                        machine_answer(&machines[index], &answer);
        }
}

static void take_events(void) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(loop_epoll, events, EVENTS_MAX, TICK_MS);
        now_ms = clock_ms();
        for (int i = 0; i < count; i++) {
                uint64_t tag = events[i].data.u64;
                unsigned kind = (unsigned)tag & ((1U << TAG_BITS) - 1);
                if (kind == TAG_PACKETS)
                        receive_packets();
                else
                        machine_event(&machines[tag >> TAG_BITS], kind);
        }
}

static bool tick(void) {
        bool is_over = true;
        for (size_t i = 0; i < machine_count; i++) {
                machine_tick(&machines[i]);
                is_over = is_over && machine_is_done(&machines[i]);
        }
        return is_over;
}

static bool run(void) {
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = TAG_PACKETS };
        int64_t end_ms = now_ms + (int64_t)options.limit_s * 1000, ticked_ms = 0;
        (void)epoll_ctl(loop_epoll, EPOLL_CTL_ADD, packets_fd, &event);
        while (now_ms < end_ms) {
                take_events();
                if (now_ms - ticked_ms < TICK_MS)
                        continue;
                ticked_ms = now_ms;
                if (tick())
                        return true;
        }
        return false;
}

// ---- what came of it ----

static int compare_ms(const void *left, const void *right) {
        int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
        return (a > b) - (a < b);
}

// From a step to the next one that the machine came to, of its last attempt.
static int64_t step_took(const struct machine *machine, enum step step) {
        int64_t from = machine->entered_ms[step];
        if (machine->step != STEP_DONE || from < machine->on_ms)
                return -1;
        for (size_t next = (size_t)step + 1; next < STEP_COUNT; next++)
                if (machine->entered_ms[next] >= from)
                        return machine->entered_ms[next] - from;
        return -1;
}

static json_t *step_json(enum step step) {
        auto_free int64_t *took = xcalloc(machine_count, sizeof *took);
        size_t count = 0;
        for (size_t i = 0; i < machine_count; i++) {
                int64_t ms = step_took(&machines[i], step);
                if (ms >= 0)
                        took[count++] = ms;
        }
        if (count == 0)
                return NULL;
        qsort(took, count, sizeof *took, compare_ms);
        return json_pack("{si sf sf}", "machines", (int)count, "median_s", (double)took[count / 2] / 1000, "max_s",
                         (double)took[count - 1] / 1000);
}

static json_t *steps_json(void) {
        json_t *steps = json_object();
        for (size_t step = STEP_FIRMWARE_DHCP; step < STEP_DONE; step++) {
                json_t *json = step_json((enum step)step);
                if (json)
                        json_object_set_new(steps, step_names[step], json);
        }
        return steps;
}

// The roots together: from the first machine that asks for one to the last that has it; and how many of those who asked
// later were done before one who waited, at most.
static json_t *roots_json(void) {
        int64_t first = INT64_MAX, last = 0;
        size_t overtaken_most = 0;
        for (size_t i = 0; i < machine_count; i++) {
                const int64_t *one = machines[i].entered_ms;
                size_t overtaken = 0;
                if (step_took(&machines[i], STEP_ROOT) < 0)
                        continue;
                for (size_t j = 0; j < machine_count; j++) {
                        const int64_t *other = machines[j].entered_ms;
                        bool is_first = other[STEP_ROOT] > one[STEP_ROOT] && other[STEP_HANDOVER] < one[STEP_HANDOVER];
                        overtaken += step_took(&machines[j], STEP_ROOT) >= 0 && is_first;
                }
                if (overtaken > overtaken_most)
                        overtaken_most = overtaken;
                if (one[STEP_ROOT] < first)
                        first = one[STEP_ROOT];
                if (one[STEP_HANDOVER] > last)
                        last = one[STEP_HANDOVER];
        }
        if (last == 0)
                return json_null();
        return json_pack("{sf si}", "seconds", (double)(last - first) / 1000, "overtaken_most", (int)overtaken_most);
}

static json_t *left_json(void) {
        json_t *left = json_array();
        for (size_t i = 0; i < machine_count && json_array_size(left) < LEFT_TOLD; i++)
                if (!machine_is_done(&machines[i]))
                        json_array_append_new(left, json_sprintf("%s: %s, attempt %u", machines[i].name,
                                                                 step_names[machines[i].step], machines[i].attempt));
        return left;
}

static json_t *counts_json(void) {
        const struct {
                const char *name;
                uint64_t count;
        } told[] = {
                { "bytes", counts.bytes },
                { "requests", counts.requests },
                { "reports", counts.reports },
                { "dhcp_retries", counts.dhcp_retries },
                { "tftp_retries", counts.tftp_retries },
                { "http_retries", counts.http_retries },
                { "report_retries", counts.report_retries },
                { "busy", counts.busy },
                { "resumed", counts.resumed },
                { "reboots", counts.reboots },
                { "corrupt_reports", counts.corrupt },
                { "wrong", counts.wrong },
        };
        json_t *json = json_object();
        for (size_t i = 0; i < lengthof(told); i++)
                json_object_set_new(json, told[i].name, json_integer((json_int_t)told[i].count));
        return json;
}

static void tell(int64_t started_ms) {
        int healthy = 0, gone = 0;
        for (size_t i = 0; i < machine_count; i++) {
                healthy += machines[i].step == STEP_DONE;
                gone += machines[i].step == STEP_GONE;
        }
        json_t *json =
            json_pack("{si si si si sf so so so so so}", "version", 1, "machines", (int)machine_count, "healthy",
                      healthy, "gone", gone, "seconds", (double)(now_ms - started_ms) / 1000, "counts", counts_json(),
                      "steps", steps_json(), "roots", roots_json(), "left", left_json(), "mistakes", mistakes);
        (void)json_dumpf(json, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
        (void)putchar('\n');
        json_decref(json);
}

int main(int argc, char **argv) {
        for (int i = 1; i < argc; i++)
                if (!take_option(argv[i]))
                        die("`%s`?", argv[i]);
        if (!options.interface || !options.nodes_path || !options.tree || !options.server.s_addr)
                die("interface, nodes, tree and server must be given");
        mistakes = json_array();
        random_state = options.seed;
        now_ms = clock_ms();
        raise_limits();
        read_nodes();
        add_others();
        loop_epoll = epoll_create1(EPOLL_CLOEXEC);
        packets_fd = packet_open(options.interface);
        for (size_t i = 0; i < machine_count; i++)
                machine_setup(&machines[i]);
        int64_t started_ms = now_ms;
        bool is_over = run();
        tell(started_ms);
        if (!is_over || counts.wrong > 0)
                return EXIT_FAILURE;
        return EXIT_SUCCESS;
}
