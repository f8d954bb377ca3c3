// SPDX-License-Identifier: MIT
// Paper nodes: machines that are packets and nothing else, as many as wanted, in one process with one epoll(7) loop.
// Each goes the way from power to work against a real `kiln serve`: DHCP as firmware, as iPXE and as kiln-node, TFTP,
// HTTP, reports; and each may be unlucky by a seed. Whatever the server sends is compared with what was published.
#ifndef KILN_TESTS_PAPER_H
#define KILN_TESTS_PAPER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { MAC_SIZE = 6, NAME_ROOM = 64, PATH_ROOM = 256, BUILD_ROOM = 17, IMAGES_MAX = 8, SPOOL_MAX = 32 };

// ---- what was published, and what a run counts ----

struct published {
        char path[PATH_ROOM]; // below the tree
        const char *data;     // mapped
        size_t size;
        char digest[65]; // of SHA256SUMS
};

struct options {
        const char *interface, *nodes_path, *tree, *cluster;
        struct in_addr server;
        unsigned port, seed, spread_ms, limit_s, unknown, twins, faults_percent, loss_percent, pause_ms;
};

struct counts {
        uint64_t bytes, requests, reports, dhcp_retries, tftp_retries, http_retries, report_retries, busy, resumed,
            reboots, corrupt, wrong;
};

extern struct options options;
extern struct counts counts;
extern int loop_epoll;
extern int64_t now_ms; // monotonic, of this turn of the loop

// A server's mistake: told at the end, and the run has failed.
void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
unsigned paper_random(unsigned below); // 0 to below - 1
bool is_chance(unsigned percent);

// NULL: no such file was published. Mapped until the end.
const struct published *published_find(const char *path);

// ---- DHCP (packet.c) ----

enum client { CLIENT_FIRMWARE, CLIENT_IPXE, CLIENT_NODE };
enum { DHCP_DISCOVER = 1, DHCP_OFFER = 2, DHCP_REQUEST = 3, DHCP_ACK = 5 };
enum { ARCH_BIOS = 0, ARCH_EFI = 7, ARCH_EFI_BC = 9, ARCH_EFI_HTTP = 16 };

struct question {
        enum client client;
        unsigned arch, type;
        uint8_t mac[MAC_SIZE];
        uint32_t xid;
        struct in_addr wanted, server; // of a REQUEST
        bool is_never_lost;
};

struct answer {
        unsigned type;
        uint32_t xid;
        struct in_addr ip, server;
        char boot_file[PATH_ROOM], host_name[NAME_ROOM];
};

int packet_open(const char *interface);
void packet_send(int fd, const struct question *question);
bool packet_receive(int fd, struct answer *ret, bool *ret_is_answer); // false: nothing is there

// ---- TFTP (tftp.c) ----

enum progress { PROGRESS_GOING, PROGRESS_DONE, PROGRESS_FAILED };

struct tftp {
        int fd;
        char path[PATH_ROOM];
        bool is_size_only, has_peer;
        struct sockaddr_in peer;
        uint16_t block; // the last one that came
        uint64_t got, size;
        const struct published *file;
        int64_t due_ms;
        unsigned tries;
};

void tftp_begin(struct tftp *tftp, struct in_addr from, const char *path, bool is_size_only, uint64_t tag);
enum progress tftp_read(struct tftp *tftp);
enum progress tftp_tick(struct tftp *tftp); // repeats what was lost
void tftp_end(struct tftp *tftp);

// ---- HTTP (http.c) ----

enum http_state { HTTP_CLOSED, HTTP_SENDING, HTTP_HEAD, HTTP_BODY, HTTP_IDLE };

struct http {
        int fd;
        enum http_state state;
        struct buf request, head, text; // text: of what was not published, such as an error
        size_t sent;
        unsigned status, retry_after_s;
        bool keeps, is_slow, was_kept;
        bool is_doubtful, is_other; // other bytes than expected are no mistake of the server's; they came
        uint64_t total;             // of the file
        uint64_t first, left;       // of this answer
        const struct published *of; // what a good answer must be; NULL: anything
        char agent[32];
        int64_t due_ms, resume_ms;
};

struct http_ask {
        struct in_addr from;
        const char *path, *agent;
        const char *body;           // POST; NULL: GET
        const struct published *of; // compared; NULL: kept as text
        uint64_t first;             // Range
        bool keeps, is_slow, is_doubtful;
        uint64_t tag;
};

void http_begin(struct http *http, const struct http_ask *ask);
enum progress http_event(struct http *http); // something may be read or written
enum progress http_tick(struct http *http);
void http_end(struct http *http);

// ---- a machine (machine.c) ----

// X(name, JSON)
#define STEPS(X)                                                                                                       \
        X(OFF, "off")                                                                                                  \
        X(FIRMWARE_DHCP, "firmware_dhcp")                                                                              \
        X(LOADER_SIZE, "loader_size")                                                                                  \
        X(LOADER, "loader")                                                                                            \
        X(IPXE, "ipxe")                                                                                                \
        X(IPXE_DHCP, "ipxe_dhcp")                                                                                      \
        X(BOOT_SCRIPT, "boot_script")                                                                                  \
        X(ENTRY, "entry")                                                                                              \
        X(IMAGES, "images")                                                                                            \
        X(KERNEL, "kernel")                                                                                            \
        X(NODE_DHCP, "node_dhcp")                                                                                      \
        X(ROOT, "root")                                                                                                \
        X(HANDOVER, "handover")                                                                                        \
        X(DECIDED, "decided")                                                                                          \
        X(SERVICES, "services")                                                                                        \
        X(HEALTHY, "healthy")                                                                                          \
        X(DONE, "done")                                                                                                \
        X(GONE, "gone")

enum step {
#define X(name, json) STEP_##name,
        STEPS(X)
#undef X
            STEP_COUNT
};

enum fault { FAULT_NONE, FAULT_POWER, FAULT_SLOW, FAULT_CABLE, FAULT_CORRUPT, FAULT_COUNT };

struct spooled {
        enum { SPOOL_STAGE, SPOOL_WHOLE, SPOOL_CORRUPT } kind;
        const char *stage;
        int percent; // -1: none
        long long uptime_ms;
};

struct machine {
        uint32_t index;
        uint8_t mac[MAC_SIZE];
        struct in_addr expected;
        char name[NAME_ROOM], role[NAME_ROOM];
        bool is_known, has_twin;
        unsigned arch;
        enum fault fault;
        enum step cut_at; // of FAULT_POWER

        // This attempt.
        enum step step;
        int64_t on_ms, due_ms, cut_ms, entered_ms[STEP_COUNT];
        unsigned attempt, tries;
        char id[17]; // the kernel's boot_id
        struct question question;
        struct in_addr ip;
        char boot_file[PATH_ROOM], build[BUILD_ROOM];
        struct tftp tftp;
        struct http http, sender;
        char images[IMAGES_MAX][PATH_ROOM], root_path[PATH_ROOM];
        size_t image_count, image_at;
        uint64_t root_done;
        bool root_was_cut;
        unsigned delay_ms;
        // What its sender has to say.
        struct spooled spool[SPOOL_MAX];
        size_t spooled, spool_sent;
        bool sends;
        unsigned sender_delay_ms;
        int64_t sender_due_ms;
};

enum { TAG_HTTP, TAG_SENDER, TAG_TFTP, TAG_PACKETS, TAG_BITS = 2 };

extern const char *const step_names[STEP_COUNT];
extern int packets_fd;

void machine_setup(struct machine *machine);
void machine_tick(struct machine *machine);
void machine_answer(struct machine *machine, const struct answer *answer);
void machine_event(struct machine *machine, unsigned tag);
bool machine_is_done(const struct machine *machine);

// report.c
void spool_add(struct machine *machine, const char *stage, int percent);
void spool_add_whole(struct machine *machine);
void spool_add_corrupt(struct machine *machine);
void sender_tick(struct machine *machine);
void sender_progress(struct machine *machine, enum progress progress);

#endif
