// SPDX-License-Identifier: MIT
// kiln-node: who a machine is, before its services start. Exit codes are those of builder/base/err.h; a refused
// machine is 40 (IDENTITY).
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "firmware/node/apply.h"
#include "firmware/node/cmdline/cmdline.h"
#include "firmware/node/decide.h"
#include "firmware/node/devices/console.h"
#include "firmware/node/devices/module_load.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/facts/hardware.h"
#include "firmware/node/facts/text_shown.h"
#include "firmware/node/http/fetch.h"
#include "firmware/node/initrd/initrd.h"
#include "firmware/node/machine/facts_json.h"
#include "firmware/node/machine/machine.h"
#include "firmware/node/plan_make.h"
#include "firmware/node/plan_secrets.h"
#include "firmware/node/reconsider.h"
#include "firmware/node/report.h"
#include "firmware/node/stages.h"
#include "firmware/node/state/state_initrd.h"
#include "firmware/node/state/state_keep.h"
#include "firmware/node/state/state_serial.h"
#include "firmware/node/trust/trust.h"
#include "firmware/node/watch/network_watch.h"
#include "firmware/node/watch/status_serve.h"

enum { LINE_MAX_BYTES = 2 * CMDLINE_MAX + 65536 };
enum { SILENCE_MS = 20000 }; // of a server, before the connection is given up

static int64_t started_ms;

struct arguments {
        const char *root, *command_line, *facts, *seconds; // --root, --cmdline, --facts, --for
        const char *trust, *role, *chunks, *kept;          // --trust, --role, --chunks, --kept
        bool json, allow_older;
        char **words; // what is no option
        int word_count;
};

static bool is_live_root(const char *root) { return strcmp(root, "/") == 0; }

static bool apply_here(const struct arguments *arguments, struct machine *machine, struct err *err) {
        struct decision decision __attribute__((cleanup(decision_release))) = { 0 };
        struct applied applied;
        if (!machine_open(arguments->root, arguments->command_line, machine, err) || !decide(machine, &decision, err) ||
            !apply_plan(machine->root, is_live_root(arguments->root), &decision.plan, &applied, err))
                return false;
        applied.elapsed_ms = clock_now_ms() - started_ms;
        auto_buf text = { 0 };
        report_text(&decision, &applied, &text);
        fputs(buf_text(&text), stdout);
        if (!report_write(machine, &decision, &applied, err))
                return wrap(err, "report");
        if (is_live_root(arguments->root)) {
                console_show_on_others(buf_text(&text));
                stages_begin(STAGES_PATH);
                stage_add_decision(STAGES_PATH, &decision.plan);
        }
        return !decision.plan.refusal || fail(err, ERR_IDENTITY, 0, "%s", decision.plan.refusal);
}

// A failure is in the report too, which kiln-report.service sends also then.
static bool run_apply(const struct arguments *arguments, struct err *err) {
        umask(022);
        struct machine machine __attribute__((cleanup(machine_close))) = { .root = -1 };
        if (apply_here(arguments, &machine, err))
                return true;
        (void)err_need_reason(err, "apply");
        if (err->kind != ERR_IDENTITY) {
                report_write_failure(&machine, err->text);
                auto_buf text = { 0 };
                buf_append_text(&text, "kiln-node: FAILED: ");
                facts_append_shown(&text, err->text);
                buf_append_char(&text, '\n');
                if (is_live_root(arguments->root))
                        console_show_on_others(buf_text(&text));
        }
        return false;
}

static bool read_facts_file(const char *path, struct machine *machine, struct err *err) {
        auto_fclose FILE *file = fopen(path, "re");
        auto_buf text = { .max = 1 << 20 };
        if (!file)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        if (!buf_read_fd(&text, fileno(file), err) ||
            !facts_read_json(buf_text(&text), text.size, &machine->arena, &machine->facts, err))
                return wrap(err, "%s", path);
        return true;
}

static bool run_plan(const struct arguments *arguments, struct err *err) {
        struct machine machine __attribute__((cleanup(machine_close))) = { .root = -1 };
        struct decision decision __attribute__((cleanup(decision_release))) = { .dhcp_ms = -1 };
        // The facts are another machine's: this one's command line must not stand for what they leave out.
        const char *line = arguments->command_line;
        if (!line && arguments->facts)
                line = "/dev/null";
        if (!machine_open(arguments->root, line, &machine, err))
                return false;
        if (!arguments->facts)
                hardware_read(&machine.facts);
        else if (!read_facts_file(arguments->facts, &machine, err))
                return false;
        if (!plan_make(&machine.facts, &decision.plan, err))
                return false;
        if (arguments->json) {
                json_t *json = plan_json(&decision.plan, true);
                json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
                putchar('\n');
                json_decref(json);
        } else {
                auto_buf text = { 0 };
                report_text(&decision, &(struct applied){ 0 }, &text);
                fputs(buf_text(&text), stdout);
        }
        return !decision.plan.refusal || fail(err, ERR_IDENTITY, 0, "%s", decision.plan.refusal);
}

static bool run_check_root(const struct arguments *arguments, struct err *err) {
        return initrd_check_root(arguments->words[0], arguments->words[1], arguments->words[2], err);
}

static bool run_copy_root(const struct arguments *arguments, struct err *err) {
        char **words = arguments->words;
        return initrd_copy_root(words[0], words[1], words[2], words[3], err);
}

// For init, which keeps it for the report: KEY=VALUE lines.
static bool run_check_layer(const struct arguments *arguments, struct err *err) {
        struct trust trust;
        struct signed_layer layer;
        struct arena arena = { 0 };
        auto_buf fingerprint = { 0 };
        size_t key = 0;
        const char *path = "/kiln";
        if (arguments->word_count > 0)
                path = arguments->words[0];
        if (!trust_read(arguments->trust, &trust, err))
                return false;
        if (trust.key_count == 0) {
                puts("signed=unsigned");
                return true;
        }
        auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        bool ok = trust_check_layer(&trust, dir, &arena, &layer, &key, err);
        if (ok && arguments->role && strcmp(arguments->role, layer.role) != 0)
                ok = fail(err, ERR_SIGNATURE, 0, "the configuration layer is role %s's, this kernel image is role %s's",
                          layer.role, arguments->role);
        if (ok) {
                trust_key_fingerprint(&trust.keys[key], &fingerprint);
                printf("signed=%s\nsigned_serial=%llu\n", buf_text(&fingerprint), (unsigned long long)layer.serial);
        }
        arena_release(&arena);
        return ok;
}

static bool run_find_label(const struct arguments *arguments, struct err *err) {
        auto_buf text = { 0 };
        if (!initrd_find_label(arguments->words[0], atoi(arguments->words[1]), &text, err))
                return false;
        fputs(buf_text(&text), stdout);
        return true;
}

static bool run_need_secret(const struct arguments *arguments, struct err *err) {
        auto_close int root = open(arguments->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", arguments->root);
        return secret_is_given(root, arguments->words[0], err);
}

static bool run_network(const struct arguments *arguments, struct err *err) {
        struct machine machine __attribute__((cleanup(machine_close))) = { .root = -1 };
        struct decision decision __attribute__((cleanup(decision_release))) = { 0 };
        auto_buf text = { 0 };
        if (!machine_open(arguments->root, arguments->command_line, &machine, err) || !decide(&machine, &decision, err))
                return false;
        if (!initrd_network(&decision.plan, &machine.facts, arguments->words[0], &text, err))
                return false;
        fputs(buf_text(&text), stdout);
        return true;
}

static bool run_network_lease(const struct arguments *arguments, struct err *err) {
        auto_buf text = { 0 };
        if (!initrd_network_lease(arguments->words[0], &text, err))
                return false;
        fputs(buf_text(&text), stdout);
        return true;
}

static bool run_load_modules(const struct arguments *arguments, struct err *err) {
        return modules_load(arguments->words, arguments->word_count, err);
}

static bool run_load_drivers(const struct arguments *arguments, struct err *err) {
        static const char *const kinds[] = {
                [MODULES_ALL] = "all", [MODULES_STORAGE] = "storage", [MODULES_NETWORK] = "network"
        };
        for (size_t i = 0; i < lengthof(kinds); i++)
                if (strcmp(kinds[i], arguments->words[0]) == 0)
                        return modules_load_for_devices((enum module_kind)i, err);
        return fail(err, ERR_USAGE, 0, "\"%s\" is not all, storage or network", arguments->words[0]);
}

static bool run_state(const struct arguments *arguments, struct err *err) {
        const char *in_memory = NULL;
        if (arguments->word_count > 0)
                in_memory = arguments->words[0];
        return state_run(arguments->root, in_memory, arguments->allow_older, err);
}

static bool run_overlay(const struct arguments *arguments, struct err *err) {
        auto_buf path = { 0 };
        if (!state_prepare(arguments->root, arguments->words[0], arguments->allow_older, &path, err))
                return false;
        puts(buf_text(&path));
        return true;
}

static bool run_keep(const struct arguments *arguments, struct err *err) {
        auto_close int root = open(arguments->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", arguments->root);
        // Keys that cannot be kept do not keep the serial from it.
        auto_err unkept = { 0 };
        bool kept = keep_save(root, &unkept);
        if (!serial_save(root, err))
                return false;
        return kept || fail(err, unkept.kind, 0, "%s", unkept.text);
}

static bool read_line(const struct arguments *arguments, struct buf *ret, struct err *err) {
        const char *path = "/proc/cmdline";
        if (arguments->command_line)
                path = arguments->command_line;
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        ret->max = LINE_MAX_BYTES;
        return buf_read_fd(ret, fd, err) || wrap(err, "%s", path);
}

static bool run_boot_words(const struct arguments *arguments, struct err *err) {
        auto_buf line = { 0 }, words = { 0 };
        if (!read_line(arguments, &line, err))
                return false;
        initrd_words(buf_text(&line), &words);
        fputs(buf_text(&words), stdout);
        return true;
}

static bool run_older_allowed(const struct arguments *arguments, struct err *err) {
        auto_buf line = { 0 }, device = { 0 };
        if (!read_line(arguments, &line, err) || !initrd_older_allowed(buf_text(&line), &device, err))
                return false;
        puts(buf_text(&device));
        return true;
}

static bool parse_count(const char *text, uint64_t most, const char *what, uint64_t *ret, struct err *err) {
        char *end;
        errno = 0;
        unsigned long long number = strtoull(text, &end, 10);
        if (*text < '0' || *text > '9' || *end || errno || number > most)
                return fail(err, ERR_USAGE, 0, "%s: \"%s\" is no number up to %llu", what, text,
                            (unsigned long long)most);
        *ret = number;
        return true;
}

static void tell_everywhere(const char *text) {
        fputs(text, stdout);
        fflush(stdout);
        console_show_on_others(text);
}

static bool check_network_here(struct machine *machine, struct err *err) {
        int repairs = 0;
        bool ok = network_watch(machine->root, &machine->facts, tell_everywhere, &repairs, err);
        const char *problem = NULL;
        if (!ok)
                problem = err->text;
        auto_err report_err = { 0 };
        if (!report_add_network(machine->root, problem, repairs, &report_err))
                fprintf(stderr, "kiln-node: report: %s\n", report_err.text);
        auto_buf text = { 0 };
        if (!ok)
                buf_printf(&text, "kiln-node: %s\n", err->text);
        else if (repairs)
                buf_append_text(&text, "kiln-node: the network is what was decided now\n");
        if (text.size)
                console_show_on_others(buf_text(&text));
        return ok;
}

static bool run_check_network(const struct arguments *arguments, struct err *err) {
        struct machine machine __attribute__((cleanup(machine_close))) = { .root = -1 };
        if (!machine_open(arguments->root, arguments->command_line, &machine, err))
                return false;
        hardware_read(&machine.facts);
        return check_network_here(&machine, err);
}

static bool run_reconsider(const struct arguments *arguments, struct err *err) {
        bool accepted;
        return reconsider(arguments->root, arguments->command_line, tell_everywhere, &accepted, err);
}

static void add_root_stage(int percent) { stage_add(STAGES_INITRD_PATH, STAGE_ROOT, percent, ""); }

static bool run_fetch(const struct arguments *arguments, struct err *err) {
        char **words = arguments->words;
        uint64_t seconds;
        struct fetch fetch = { .urls = words[0],
                               .path = words[1],
                               .sha256 = words[2],
                               .progress = add_root_stage,
                               .tell = tell_everywhere };
        if (!parse_count(words[3], INT64_MAX, "SIZE", &fetch.size_bytes, err) ||
            !parse_count(words[4], 86400, "SECONDS", &seconds, err))
                return false;
        if (fetch.size_bytes == 0)
                return fail(err, ERR_USAGE, 0, "SIZE: a root is not empty");
        fetch.give_up_ms = (int)seconds * 1000;
        fetch.silence_ms = SILENCE_MS;
        if (fetch.give_up_ms > 0 && fetch.give_up_ms < SILENCE_MS)
                fetch.silence_ms = fetch.give_up_ms;
        fetch.named_by = "the configuration layer belongs to";
        return initrd_fetch_root(&fetch, arguments->chunks, arguments->kept, err);
}

static bool run_look_at_disk(const struct arguments *arguments, struct err *err) {
        return state_look(arguments->root, arguments->words[0], err);
}

static bool run_kept_root(const struct arguments *arguments, struct err *err) {
        char **words = arguments->words;
        return initrd_take_kept_root(words[0], words[1], words[2], words[3], err);
}

static bool run_take_layer(const struct arguments *arguments, struct err *err) {
        uint64_t seconds;
        struct trust trust;
        struct layer_source source = { .from = arguments->words[0],
                                       .to = arguments->words[1],
                                       .silence_ms = SILENCE_MS,
                                       .tell = tell_everywhere };
        if (!parse_count(arguments->words[2], 86400, "SECONDS", &seconds, err) ||
            !trust_read(arguments->trust, &trust, err))
                return false;
        source.give_up_ms = (int)seconds * 1000;
        return initrd_take_layer(&trust, &source, err);
}

// What the command line says, else the profile. "": nothing.
static const char *report_url_of(struct machine *machine) {
        char url[URL_MAX];
        if (cmdline_value(machine->facts.command_line, "kiln.report", url, sizeof url) && *url)
                return arena_strdup(&machine->arena, url);
        if (machine->inventory.report_url)
                return machine->inventory.report_url;
        return "";
}

// Goes on as long as the initrd does, which ends it; what was not heard by then the booted system sends.
static bool run_send_stages(const struct arguments *arguments, struct err *err) {
        struct machine machine __attribute__((cleanup(machine_close))) = { .root = -1 };
        const char *path = STAGES_INITRD_PATH;
        bool follow = true;
        if (!machine_open(arguments->root, arguments->command_line, &machine, err))
                return false;
        if (arguments->word_count > 0) {
                path = arguments->words[0];
                follow = false;
        }
        const char *url = report_url_of(&machine);
        hardware_read(&machine.facts);
        return !*url || stages_send(&machine, path, url, follow, SILENCE_MS, err);
}

static bool send_stages(struct machine *machine, const char *url, int give_up_ms, struct err *err) {
        hardware_read(&machine->facts);
        if (!stages_send(machine, STAGES_PATH, url, false, give_up_ms, err))
                return false;
        stage_add_services(STAGES_PATH, give_up_ms);
        return stages_send(machine, STAGES_PATH, url, false, give_up_ms, err);
}

static bool run_report(const struct arguments *arguments, struct err *err) {
        struct machine machine __attribute__((cleanup(machine_close))) = { .root = -1 };
        uint64_t seconds;
        if (!parse_count(arguments->seconds, 86400, "--for", &seconds, err) ||
            !machine_open(arguments->root, arguments->command_line, &machine, err))
                return false;
        const char *url = report_url_of(&machine);
        if (!*url)
                return true; // the profile does not ask for one
        if (!report_send(machine.root, url, (int)seconds * 1000, err))
                return false;
        printf("kiln-node: the report was sent to %s\n", url);
        fflush(stdout);
        return !is_live_root(arguments->root) || send_stages(&machine, url, (int)seconds * 1000, err);
}

// As a user that owns nothing, who may read the report; a machine that nobody asks any more has no process for it.
static bool run_serve_status(const struct arguments *arguments, struct err *err) {
        enum { IDLE_MS = 60000 };
        const char *port = NULL;
        int idle_ms = IDLE_MS;
        auto_close int listener = -1;
        if (arguments->word_count > 0) {
                port = arguments->words[0];
                idle_ms = -1;
        }
        auto_close int root = open(arguments->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", arguments->root);
        return status_listen(port, &listener, err) && status_serve(root, listener, idle_ms, err);
}

static const struct verb {
        const char *name, *usage, *help;
        int words; // -1: any number
        bool (*run)(const struct arguments *arguments, struct err *err);
} verbs[] = {
        { "apply", "[--root DIR] [--cmdline FILE]", "decide who this machine is and write its files", 0, run_apply },
        { "plan", "[--root DIR] [--cmdline FILE] [--facts FILE] [--json]", "print what apply would do; touch nothing",
          0, run_plan },
        { "check-network", "[--root DIR]", "wait until the network is what apply decided; repair it", 0,
          run_check_network },
        { "reconsider", "[--root DIR]", "refused: look again until this machine is somebody", 0, run_reconsider },
        { "report", "[--root DIR] [--for SECONDS]", "send the report of this boot to the profile's report_url", 0,
          run_report },
        { "send-stages", "[--root DIR] [FILE]", "initrd: send what the boot has reached to the report URL", -1,
          run_send_stages },
        { "serve-status", "[--root DIR] [PORT]", "tell who asks how this machine is, on systemd's socket or on PORT",
          -1, run_serve_status },
        { "keep", "[--root DIR]", "keep SSH host keys and this build's serial on the state disk", 0, run_keep },
        { "need-secret", "[--root DIR] NAME", "kiln-secret@NAME.service: has this machine a value for the secret", 1,
          run_need_secret },
        { "state", "[--allow-older] --root DIR [IN_MEMORY]", "initrd: find, check and mount the state disk below DIR",
          -1, run_state },
        { "overlay", "[--allow-older] --root DIR CONFIG",
          "initrd: find the place of the root's writable layer on the state disk", 1, run_overlay },
        { "boot-words", "[--cmdline FILE]", "initrd: print what the kernel command line says to init", 0,
          run_boot_words },
        { "older-allowed", "[--cmdline FILE]", "initrd: does the config drive allow a build older than the newest seen",
          0, run_older_allowed },
        { "check-root", "FILE SHA256 SIZE", "initrd: is this the root that the configuration belongs to", 3,
          run_check_root },
        { "copy-root", "FROM TO SHA256 SIZE", "initrd: the same for a copy of it, since a medium can change", 4,
          run_copy_root },
        { "check-layer", "[--trust FILE] [--role ROLE] [DIR]",
          "initrd: is what the boot loader brought signed by a trusted key", -1, run_check_layer },
        { "fetch", "[--chunks SHA256:SIZE [--kept DISK]] URL[,URL...] FILE SHA256 SIZE SECONDS",
          "initrd: fetch the root over HTTP, or what the state disk does not have of it, checking it as it comes", 5,
          run_fetch },
        { "look-at-disk", "--root DIR DISK", "initrd: mount the state disk read-only at DISK, before there is a root",
          1, run_look_at_disk },
        { "kept-root", "DISK FILE SHA256 SIZE", "initrd: take the root from the state disk, checking it as it comes", 4,
          run_kept_root },
        { "take-layer", "[--trust FILE] FROM DIR SECONDS",
          "initrd: take the configuration layer from a medium or by HTTP, if it is signed", 3, run_take_layer },
        { "find-label", "LABEL TIMEOUT_MS", "initrd: wait for a medium and print its device and type", 2,
          run_find_label },
        { "load-modules", "NAME...", "initrd: load modules and what they depend on", -1, run_load_modules },
        { "load-drivers", "all|storage|network", "initrd: load the modules of the devices that are there", 1,
          run_load_drivers },
        { "network", "[--root DIR] RESOLV_CONF", "initrd: bring the network up to fetch the root", 1, run_network },
        { "network-lease", "RESOLV_CONF", "initrd: bring the network up by DHCP alone, before there is a configuration",
          1, run_network_lease },
};

static void print_help(FILE *stream) {
        fputs("Usage: kiln-node VERB ...\n", stream);
        for (size_t i = 0; i < lengthof(verbs); i++)
                fprintf(stream, "  %-13s %-52s %s\n", verbs[i].name, verbs[i].usage, verbs[i].help);
}

static bool parse_arguments(char **argv, struct arguments *arguments, struct err *err) {
        const struct {
                const char *name, **value;
        } options[] = { { "--root", &arguments->root },     { "--cmdline", &arguments->command_line },
                        { "--facts", &arguments->facts },   { "--for", &arguments->seconds },
                        { "--trust", &arguments->trust },   { "--role", &arguments->role },
                        { "--chunks", &arguments->chunks }, { "--kept", &arguments->kept } };
        arguments->words = argv;
        for (char **at = argv; *at; at++) {
                size_t i = 0;
                while (i < lengthof(options) && strcmp(*at, options[i].name) != 0)
                        i++;
                if (i < lengthof(options) && at[1])
                        *options[i].value = *++at;
                else if (strcmp(*at, "--json") == 0)
                        arguments->json = true;
                else if (strcmp(*at, "--allow-older") == 0)
                        arguments->allow_older = true;
                else if (**at == '-')
                        return fail(err, ERR_USAGE, 0, "%s: unknown option, or its value is missing", *at);
                else
                        arguments->words[arguments->word_count++] = *at;
        }
        return true;
}

static bool asks_for_help(char **argv) {
        for (; *argv; argv++)
                if (strcmp(*argv, "--help") == 0)
                        return true;
        return false;
}

static bool run_node_verb(char **argv, struct err *err) {
        for (size_t i = 0; i < lengthof(verbs); i++) {
                if (strcmp(argv[0], verbs[i].name) != 0)
                        continue;
                if (asks_for_help(argv + 1)) {
                        printf("Usage: kiln-node %s %s\n  %s\n", verbs[i].name, verbs[i].usage, verbs[i].help);
                        return true;
                }
                struct arguments arguments = { .root = "/", .seconds = "600", .trust = TRUST_PATH };
                if (!parse_arguments(argv + 1, &arguments, err))
                        return false;
                if (verbs[i].words >= 0 && arguments.word_count != verbs[i].words)
                        return fail(err, ERR_USAGE, 0, "usage: kiln-node %s %s", verbs[i].name, verbs[i].usage);
                return verbs[i].run(&arguments, err);
        }
        return fail(err, ERR_USAGE, 0, "unknown verb %s", argv[0]);
}

static void print_shown(const char *text) {
        auto_buf shown = { 0 };
        facts_append_shown(&shown, text);
        fprintf(stderr, "kiln-node: %s\n", buf_text(&shown));
}

// Prints the error, and returns its exit code, which is not 0 for one that says nothing either.
static int print_failure(const char *verb, struct err *err) {
        (void)err_need_reason(err, verb);
        if (err->kind != ERR_IDENTITY) // a refusal was shown already, with its remedy
                print_shown(err->text);
        if (err->hint)
                print_shown(err->hint);
        return err_exit_code(err->kind);
}

int main(int argc, char **argv) {
        started_ms = clock_now_ms();
        prctl(PR_SET_DUMPABLE, 0); // it may hold values of secrets, which no core file should have
        if (argc < 2) {
                print_help(stderr);
                return err_exit_code(ERR_USAGE);
        }
        if (strcmp(argv[1], "--help") == 0) {
                print_help(stdout);
                return 0;
        }
        auto_err err = { 0 };
        if (run_node_verb(argv + 1, &err))
                return 0;
        return print_failure(argv[1], &err);
}
