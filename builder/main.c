// SPDX-License-Identifier: MIT
// argv, the exit code, and the only place that prints an error.
#include <errno.h>
#include <jansson.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/colour.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "base/process_limits.h"
#include "base/progress.h"
#include "base/run.h"
#include "base/version.h"
#include "rootfs/rootfs.h"
#include "verbs/completion.h"
#include "verbs/manual.h"
#include "verbs/options.h"
#include "verbs/usage.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"

// ---- errors ----

static void report_unknown_verb(const char *name) {
        struct nearest nearest = { .wanted = name };
        for (size_t i = 0; i < verb_table_count; i++)
                nearest_offer(&nearest, verb_table[i].name);
        fprintf(stderr, "kiln: there is no verb %s\n", name);
        if (nearest.best)
                fprintf(stderr, "hint: is %s meant? kiln --help lists them\n", nearest.best);
        else
                fprintf(stderr, "hint: kiln --help lists them\n");
}

static void print_error_json(enum err_kind kind, const char *text, const char *hint_text) {
        progress_event("error", json_pack("{ss ss ss*}", "kind", err_kind_name(kind), "text", text, "hint", hint_text));
}

static void print_error(enum err_kind kind, const char *text, const char *hint_text, bool json) {
        if (json) {
                print_error_json(kind, text, hint_text);
                return;
        }
        const char *end = colour_end(STDERR_FILENO);
        fprintf(stderr, "%skiln:%s %s\n", colour_begin(COLOUR_BAD, STDERR_FILENO), end, text);
        if (hint_text)
                fprintf(stderr, "%shint:%s %s\n", colour_begin(COLOUR_GOOD, STDERR_FILENO), end, hint_text);
}

// Returns the exit code. Messages may hold what others wrote, so nothing in them may reach the terminal as a command.
static int report_error(struct err *err, const struct verb *verb, bool json) {
        auto_free char *what = xasprintf("kiln %s", verb->name);
        if (err->kind == ERR_ANSWER)
                return err->number;
        (void)err_need_reason(err, what);
        auto_buf text = { 0 }, hint_text = { 0 };
        mistake_printable(&text, err->text, strlen(err->text));
        if (err->hint)
                mistake_printable(&hint_text, err->hint, strlen(err->hint));
        print_error(err->kind, buf_text(&text), hint_text.data, json);
        return err_exit_code(err->kind);
}

// ---- verbs ----

static enum progress_mode choose_mode(const struct options *options) {
        if (options->json)
                return PROGRESS_JSON;
        if (options->quiet)
                return PROGRESS_QUIET;
        if (options->verbose)
                return PROGRESS_VERBOSE;
        if (terminal_obeys(STDERR_FILENO))
                return PROGRESS_TERMINAL;
        return PROGRESS_PLAIN;
}

static bool flush_output(struct err *err) {
        if (fflush(stdout) == 0 && !ferror(stdout))
                return true;
        return fail(err, ERR_SYSTEM, errno, "write standard output");
}

static bool run_options(const struct verb *verb, struct options *options, struct err *err) {
        if (options->help) {
                usage_print_verb(verb);
                return flush_output(err);
        }
        progress_setup(choose_mode(options));
        if (options->json)
                answer_tell_start(verb);
        if (!process_limits_prepare(err) || !options_take_defaults(verb, options, err))
                return false;
        if (verb->run(options, err))
                return flush_output(err);
        // Whatever a failing call made of it, work that stopped after Ctrl-C was stopped by it.
        if (interrupt_requested() && err->kind != ERR_INTERRUPTED)
                (void)!interrupt_check(err);
        return options_tell_defaults(options, err);
}

static int run_verb_of(const struct verb *verb, char **argv) {
        auto_err err = { 0 };
        struct options options = { 0 };
        int status = 0;
        int64_t started_ms = monotonic_ms();
        if (!options_parse(verb, argv, &options, &err) || !run_options(verb, &options, &err))
                status = report_error(&err, verb, options.json);
        (void)fflush(stdout); // events say "result" last, also where both streams are one
        if (options.json && !options.help)
                answer_tell_result(verb, status, monotonic_ms() - started_ms);
        options_release(&options);
        return status;
}

static bool is_any(const char *name, const char *one, const char *other) {
        return strcmp(name, one) == 0 || strcmp(name, other) == 0;
}

// kiln completion [SHELL], and what its function asks: kiln completion words WORD... Returns the exit code.
static int run_completion(char **words) {
        auto_err err = { 0 };
        if (words[0] && strcmp(words[0], "words") == 0) {
                size_t count = 0;
                while (words[1 + count])
                        count++;
                completion_complete((const char *const *)words + 1, count);
                return 0;
        }
        if (completion_print(words[0], &err))
                return 0;
        fprintf(stderr, "kiln: %s\n", err.text);
        return err_exit_code(err.kind);
}

// kiln help [TOPIC] and kiln manual. Returns the exit code.
static int run_manual(char **words) {
        auto_err err = { 0 };
        if (strcmp(words[0], "manual") == 0) {
                if (manual_print(words + 1, &err) && flush_output(&err))
                        return 0;
        } else if (words[1]) {
                if (manual_help(words[1], &err) && flush_output(&err))
                        return 0;
        } else {
                usage_print(stdout);
                return 0;
        }
        print_error(err.kind, err.text, err.hint, false);
        return err_exit_code(err.kind);
}

// What is no verb because it takes no options; -1: `words[0]` is none of it, else the exit code.
static int run_information(char **words) {
        const char *name = words[0];
        if (is_any(name, "manual", "help"))
                return run_manual(words);
        if (strcmp(name, "completion") == 0)
                return run_completion(words + 1);
        if (is_any(name, "--version", "version") || strcmp(name, "-V") == 0)
                puts("kiln " KILN_VERSION);
        else if (is_any(name, "--help", "-h"))
                usage_print(stdout);
        else
                return -1;
        return 0;
}

int main(int argc, char **argv) {
        transaction_init_main(argc, argv);
        setlocale(LC_ALL, "C.UTF-8"); // the same words and sorting everywhere
        umask(022);
        run_extend_path();
        interrupt_install();
        if (argc < 2 || argv[1][0] == '\0') {
                usage_print(stderr);
                return err_exit_code(ERR_USAGE);
        }
        int status = run_information(argv + 1);
        if (status >= 0)
                return status;
        const struct verb *verb = verb_find(argv[1]);
        if (!verb) {
                report_unknown_verb(argv[1]);
                return err_exit_code(ERR_USAGE);
        }
        return run_verb_of(verb, argv + 2);
}
