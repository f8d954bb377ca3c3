// SPDX-License-Identifier: MIT
// The way of a machine from power to work, step by step, and what may befall it.
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tests/paper/paper.h"

enum {
        FIRMWARE_WAIT_MS = 4000, // PXE 2.1, 2.2.4: 4, 8, 16 and 32 s
        OTHERS_WAIT_MS = 1000,
        DHCP_TRIES_MAX = 4,
        DELAY_MS = 1000,
        DELAY_MAX_MS = 16000,
        REBOOT_MS = 1500,
        SECOND_MS = 1000,
};

const char *const step_names[STEP_COUNT] = {
#define X(name, json) [STEP_##name] = json,
        STEPS(X)
#undef X
};

static void enter(struct machine *machine, enum step step);

static uint64_t tag_of(const struct machine *machine, unsigned tag) {
        return (uint64_t)machine->index << TAG_BITS | tag;
}

// ---- power ----

void machine_setup(struct machine *machine) {
        static const unsigned archs[] = { ARCH_BIOS, ARCH_EFI, ARCH_EFI_BC, ARCH_EFI_HTTP };
        machine->arch = archs[machine->index % lengthof(archs)];
        machine->due_ms = now_ms + paper_random(options.spread_ms + 1);
        if (!is_chance(options.faults_percent))
                return;
        machine->fault = (enum fault)(1 + paper_random(FAULT_COUNT - 1));
        machine->cut_at = (enum step)(STEP_FIRMWARE_DHCP + paper_random(STEP_SERVICES - STEP_FIRMWARE_DHCP + 1));
}

static void switch_off(struct machine *machine) {
        tftp_end(&machine->tftp);
        http_end(&machine->http);
        http_end(&machine->sender);
        machine->sends = false;
        machine->step = STEP_OFF;
        machine->cut_ms = 0;
        machine->due_ms = now_ms + REBOOT_MS + paper_random(SECOND_MS);
        counts.reboots++;
}

static void switch_on(struct machine *machine) {
        machine->attempt++;
        machine->on_ms = now_ms;
        machine->spooled = machine->spool_sent = 0;
        machine->sender_delay_ms = 0;
        machine->sender_due_ms = 0;
        machine->sends = false;
        machine->build[0] = machine->root_path[0] = '\0';
        machine->image_count = machine->image_at = 0;
        machine->root_done = 0;
        machine->delay_ms = 0;
        (void)snprintf(machine->id, sizeof machine->id, "%08x%08x", paper_random(1U << 31), paper_random(1U << 31));
        enter(machine, STEP_FIRMWARE_DHCP);
}

bool machine_is_done(const struct machine *machine) { return machine->step == STEP_DONE || machine->step == STEP_GONE; }

// Busy for a while with itself.
static void pause_machine(struct machine *machine) {
        machine->due_ms = now_ms + options.pause_ms / 2 + paper_random(options.pause_ms + 1);
}

// ---- DHCP ----

static void ask_dhcp(struct machine *machine, enum client client) {
        machine->question = (struct question){
                .client = client,
                .arch = machine->arch,
                .type = DHCP_DISCOVER,
                .xid = htonl(paper_random(1U << 15) << 16 | machine->index),
        };
        memcpy(machine->question.mac, machine->mac, MAC_SIZE);
        machine->question.is_never_lost = !machine->is_known;
        machine->tries = 0;
        machine->delay_ms = OTHERS_WAIT_MS;
        if (client == CLIENT_FIRMWARE)
                machine->delay_ms = FIRMWARE_WAIT_MS;
        machine->due_ms = now_ms + machine->delay_ms;
        packet_send(packets_fd, &machine->question);
}

static void repeat_dhcp(struct machine *machine) {
        counts.dhcp_retries++;
        machine->delay_ms *= 2;
        machine->due_ms = now_ms + machine->delay_ms;
        if (++machine->tries < DHCP_TRIES_MAX)
                packet_send(packets_fd, &machine->question);
        else
                switch_off(machine);
        if (!machine->is_known)
                machine->step = STEP_GONE; // it would go on for a minute, and nobody waits for that
}

static void check_lease(const struct machine *machine, const struct answer *answer) {
        char expected[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &machine->expected, expected, sizeof expected);
        if (!machine->is_known)
                wrong("a machine that nobody knows is given %s", inet_ntoa(answer->ip));
        else if (answer->ip.s_addr != machine->expected.s_addr)
                wrong("%s is given %s, not %s", machine->name, inet_ntoa(answer->ip), expected);
        else if (strcmp(answer->host_name, machine->name) != 0)
                wrong("%s is called %s", machine->name, answer->host_name);
        if (machine->question.client != CLIENT_NODE && !*answer->boot_file)
                wrong("%s is given no boot file (architecture %u)", machine->name, machine->arch);
}

// Behind http://HOST:PORT; "": it is none of this server's.
static const char *path_of_url(const char *url) {
        char prefix[NAME_ROOM];
        int size = snprintf(prefix, sizeof prefix, "http://%s:%u/", inet_ntoa(options.server), options.port);
        if (strncmp(url, prefix, (size_t)size) != 0)
                return "";
        return url + size;
}

static void take_lease(struct machine *machine, const struct answer *answer) {
        check_lease(machine, answer);
        machine->ip = answer->ip;
        machine->delay_ms = 0;
        memcpy(machine->boot_file, answer->boot_file, sizeof machine->boot_file);
        if (machine->question.client == CLIENT_NODE)
                enter(machine, STEP_ROOT);
        else if (machine->question.client == CLIENT_IPXE)
                enter(machine, STEP_BOOT_SCRIPT);
        else if (machine->arch == ARCH_EFI_HTTP)
                enter(machine, STEP_LOADER);
        else
                enter(machine, STEP_LOADER_SIZE);
}

void machine_answer(struct machine *machine, const struct answer *answer) {
        struct question *question = &machine->question;
        bool asks =
            machine->step == STEP_FIRMWARE_DHCP || machine->step == STEP_IPXE_DHCP || machine->step == STEP_NODE_DHCP;
        if (!asks || answer->xid != question->xid)
                return;
        if (question->type == DHCP_DISCOVER && answer->type == DHCP_OFFER) {
                question->type = DHCP_REQUEST;
                question->wanted = answer->ip;
                question->server = answer->server;
                machine->due_ms = now_ms + machine->delay_ms;
                packet_send(packets_fd, question);
        } else if (question->type == DHCP_REQUEST && answer->type == DHCP_ACK) {
                take_lease(machine, answer);
        }
}

// ---- files ----

static void ask_http(struct machine *machine, const char *path, const char *agent, uint64_t first) {
        char below[PATH_ROOM + BUILD_ROOM] = "", url[PATH_ROOM + 1];
        bool is_current = strncmp(path, "current/", 8) == 0;
        bool is_slow = machine->fault == FAULT_SLOW || (machine->fault == FAULT_CABLE && !machine->root_was_cut);
        if (is_current && *machine->build)
                (void)snprintf(below, sizeof below, "%s/%s", machine->build, path + 8);
        else if (!is_current)
                (void)snprintf(below, sizeof below, "%s", path);
        (void)snprintf(url, sizeof url, "/%s", path);
        const struct http_ask ask = {
                .from = machine->ip,
                .path = url,
                .agent = agent,
                .of = published_find(below),
                .first = first,
                .keeps = strcmp(agent, "kiln-node") != 0,
                .is_slow = is_slow && strstr(path, "rootfs.squashfs"),
                .is_doubtful = machine->has_twin && is_current, // the other one may have begun with another build
                .tag = tag_of(machine, TAG_HTTP),
        };
        http_begin(&machine->http, &ask);
}

static void ask_boot_script(struct machine *machine) {
        const char *path = path_of_url(machine->boot_file);
        size_t size = strcspn(path, "/");
        if (size >= sizeof machine->build) {
                wrong("iPXE is given %s", machine->boot_file);
                size = 0;
        }
        memcpy(machine->build, path, size);
        machine->build[size] = '\0';
        ask_http(machine, path, "iPXE/1.21.1", 0);
}

static void ask_entry(struct machine *machine) {
        char path[PATH_ROOM];
        const uint8_t *mac = machine->mac;
        (void)snprintf(path, sizeof path, "%s/pxe/mac/%02x-%02x-%02x-%02x-%02x-%02x.ipxe", machine->build, mac[0],
                       mac[1], mac[2], mac[3], mac[4], mac[5]);
        ask_http(machine, path, "iPXE/1.21.1", 0);
}

// "../images/ROLE/vmlinuz" as an entry below pxe/mac/ names it.
static void add_image(struct machine *machine, const char *name, size_t size) {
        if (machine->image_count == IMAGES_MAX || strncmp(name, "../", 3) != 0)
                return;
        (void)snprintf(machine->images[machine->image_count++], PATH_ROOM, "%s/pxe/%.*s", machine->build,
                       (int)(size - 3), name + 3);
}

static const char *word_behind(const char *line, const char *word) {
        const char *found = strstr(line, word);
        if (!found)
                return "";
        return found + strlen(word);
}

// `kernel PATH ARGUMENTS` and `initrd --name NAME PATH` (firmware/bootloader/entry.ipxe.tmpl).
static void read_entry(struct machine *machine, const struct published *entry) {
        auto_free char *text = xstrndup(entry->data, entry->size);
        char *save = NULL;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                const char *name = word_behind(line, "initrd --name ");
                if (strncmp(line, "kernel ", 7) == 0) {
                        const char *root = word_behind(line, "kiln.root=");
                        size_t size = strcspn(root, " ");
                        (void)snprintf(machine->root_path, sizeof machine->root_path, "%.*s", (int)size, root);
                        name = line + 7;
                } else if (*name) {
                        name += strcspn(name, " ") + 1;
                }
                if (*name)
                        add_image(machine, name, strcspn(name, " "));
        }
        if (machine->image_count < 3)
                wrong("the entry of %s names %zu images", machine->name, machine->image_count);
}

static bool has_carried_root(const struct machine *machine) { return strncmp(machine->root_path, "http://", 7) != 0; }

static void ask_root(struct machine *machine) {
        ask_http(machine, path_of_url(machine->root_path), "kiln-node", machine->root_done);
}

// ---- what each step begins with ----

static void start_system(struct machine *machine) {
        machine->sends = true; // its network is up, and the server hears what was
        spool_add(machine, "decided", -1);
        spool_add_whole(machine);
        if (machine->fault == FAULT_CORRUPT)
                spool_add_corrupt(machine);
        pause_machine(machine);
}

static void begin_step(struct machine *machine) {
        switch (machine->step) {
        case STEP_FIRMWARE_DHCP:
                ask_dhcp(machine, CLIENT_FIRMWARE);
                break;
        case STEP_LOADER_SIZE:
                tftp_begin(&machine->tftp, machine->ip, machine->boot_file, true, tag_of(machine, TAG_TFTP));
                break;
        case STEP_LOADER:
                if (machine->arch == ARCH_EFI_HTTP)
                        ask_http(machine, path_of_url(machine->boot_file), "UefiHttpBoot/1.0", 0);
                else
                        tftp_begin(&machine->tftp, machine->ip, machine->boot_file, false, tag_of(machine, TAG_TFTP));
                break;
        case STEP_IPXE:
                http_end(&machine->http);
                pause_machine(machine);
                break;
        case STEP_IPXE_DHCP:
                ask_dhcp(machine, CLIENT_IPXE);
                break;
        case STEP_BOOT_SCRIPT:
                ask_boot_script(machine);
                break;
        case STEP_ENTRY:
                ask_entry(machine);
                break;
        case STEP_IMAGES:
                ask_http(machine, machine->images[machine->image_at], "iPXE/1.21.1", 0);
                break;
        case STEP_KERNEL:
                http_end(&machine->http);
                spool_add(machine, "initrd", -1);
                pause_machine(machine);
                break;
        case STEP_NODE_DHCP:
                ask_dhcp(machine, CLIENT_NODE);
                break;
        case STEP_ROOT:
                machine->sends = true;
                ask_root(machine);
                break;
        case STEP_HANDOVER:
                http_end(&machine->http);
                spool_add(machine, "handover", -1);
                pause_machine(machine);
                break;
        case STEP_DECIDED:
                start_system(machine);
                break;
        case STEP_SERVICES:
                pause_machine(machine);
                break;
        case STEP_HEALTHY:
                spool_add(machine, "healthy", -1);
                break;
        default:
                break;
        }
}

static void enter(struct machine *machine, enum step step) {
        machine->step = step;
        machine->entered_ms[step] = now_ms;
        machine->due_ms = 0;
        bool is_cut = machine->fault == FAULT_POWER && machine->attempt == 1 && step == machine->cut_at;
        if (is_cut)
                machine->cut_ms = now_ms + paper_random(options.pause_ms + 1);
        begin_step(machine);
}

// ---- what ends a step ----

static void boot_again(struct machine *machine) {
        counts.http_retries++;
        switch_off(machine);
}

static void took_image(struct machine *machine) {
        machine->image_at++;
        if (machine->image_at < machine->image_count)
                begin_step(machine);
        else
                enter(machine, STEP_KERNEL);
}

// A server that is busy says when to come back; a broken connection is gone on with.
static void fetch_again(struct machine *machine) {
        const struct http *http = &machine->http;
        unsigned wait_ms = http->retry_after_s * 1000;
        if (http->of && http->first > machine->root_done)
                machine->root_done = http->first;
        if (http->status == 503 && wait_ms > 0) {
                counts.busy++;
        } else {
                counts.http_retries++;
                if (machine->delay_ms == 0)
                        machine->delay_ms = DELAY_MS;
                wait_ms = machine->delay_ms;
                machine->delay_ms *= 2;
                if (machine->delay_ms > DELAY_MAX_MS)
                        machine->delay_ms = DELAY_MAX_MS;
        }
        machine->due_ms = now_ms + wait_ms + paper_random(wait_ms / 4 + 1);
}

static void take_root_progress(struct machine *machine, enum progress progress) {
        struct http *http = &machine->http;
        if (progress == PROGRESS_DONE && http->status / 100 == 2) {
                counts.resumed += machine->root_done > 0;
                spool_add(machine, "root", 100);
                if (machine->fault == FAULT_CORRUPT)
                        spool_add_corrupt(machine);
                enter(machine, STEP_HANDOVER);
        } else if (progress != PROGRESS_GOING && http->is_other) {
                boot_again(machine); // kiln-node takes no root that is not its layer's
        } else if (progress != PROGRESS_GOING) {
                fetch_again(machine);
        } else if (machine->fault == FAULT_CABLE && !machine->root_was_cut && http->of && http->status / 100 == 2 &&
                   http->first > http->of->size / 3) {
                machine->root_was_cut = true;
                http_end(http);
                fetch_again(machine);
        }
}

static void take_loader_progress(struct machine *machine, enum progress progress) {
        if (progress == PROGRESS_FAILED)
                boot_again(machine);
        else if (progress == PROGRESS_DONE && machine->step == STEP_LOADER_SIZE)
                enter(machine, STEP_LOADER);
        else if (progress == PROGRESS_DONE)
                enter(machine, STEP_IPXE);
}

static void take_ipxe_progress(struct machine *machine, enum progress progress) {
        const struct http *http = &machine->http;
        if (progress == PROGRESS_GOING)
                return;
        if (progress == PROGRESS_FAILED && http->was_kept) {
                begin_step(machine); // the server had closed it meanwhile
                return;
        }
        if (progress == PROGRESS_FAILED) {
                boot_again(machine);
                return;
        }
        if (http->status != 200) {
                wrong("iPXE of %s is answered with %u in step %s", machine->name, http->status,
                      step_names[machine->step]);
                boot_again(machine);
                return;
        }
        if (!http->of)
                wrong("%s is sent what was not published in step %s", machine->name, step_names[machine->step]);
        if (machine->step == STEP_BOOT_SCRIPT) {
                enter(machine, STEP_ENTRY);
        } else if (machine->step == STEP_ENTRY) {
                if (http->of)
                        read_entry(machine, http->of);
                enter(machine, STEP_IMAGES);
        } else {
                took_image(machine);
        }
}

static void take_http_progress(struct machine *machine, enum progress progress) {
        switch (machine->step) {
        case STEP_LOADER:
                if (progress == PROGRESS_DONE && machine->http.status != 200)
                        progress = PROGRESS_FAILED;
                take_loader_progress(machine, progress);
                break;
        case STEP_BOOT_SCRIPT:
        case STEP_ENTRY:
        case STEP_IMAGES:
                take_ipxe_progress(machine, progress);
                break;
        case STEP_ROOT:
                take_root_progress(machine, progress);
                break;
        default:
                break;
        }
}

void machine_event(struct machine *machine, unsigned tag) {
        if (tag == TAG_TFTP && machine->tftp.fd > 0)
                take_loader_progress(machine, tftp_read(&machine->tftp));
        else if (tag == TAG_HTTP)
                take_http_progress(machine, http_event(&machine->http));
        else if (tag == TAG_SENDER)
                sender_progress(machine, http_event(&machine->sender));
}

// ---- time ----

static void step_due(struct machine *machine) {
        machine->due_ms = 0;
        switch (machine->step) {
        case STEP_OFF:
                switch_on(machine);
                break;
        case STEP_FIRMWARE_DHCP:
        case STEP_IPXE_DHCP:
        case STEP_NODE_DHCP:
                repeat_dhcp(machine);
                break;
        case STEP_IPXE:
                enter(machine, STEP_IPXE_DHCP);
                break;
        case STEP_KERNEL:
                if (has_carried_root(machine))
                        enter(machine, STEP_HANDOVER);
                else
                        enter(machine, STEP_NODE_DHCP);
                break;
        case STEP_ROOT:
                ask_root(machine);
                break;
        case STEP_HANDOVER:
                enter(machine, STEP_DECIDED);
                break;
        case STEP_DECIDED:
                enter(machine, STEP_SERVICES);
                break;
        case STEP_SERVICES:
                enter(machine, STEP_HEALTHY);
                break;
        default:
                break;
        }
}

void machine_tick(struct machine *machine) {
        if (machine_is_done(machine))
                return;
        if (machine->cut_ms > 0 && now_ms >= machine->cut_ms) {
                switch_off(machine);
                return;
        }
        if (machine->due_ms > 0 && now_ms >= machine->due_ms)
                step_due(machine);
        if (machine->tftp.fd > 0)
                take_loader_progress(machine, tftp_tick(&machine->tftp));
        if (machine->http.fd > 0)
                take_http_progress(machine, http_tick(&machine->http));
        sender_tick(machine);
        if (machine->step == STEP_HEALTHY && machine->spool_sent == machine->spooled)
                enter(machine, STEP_DONE);
}
