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
#include "verbs/verb_common.h"

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

static bool run_options(const struct verb *verb, struct options *options, struct err *err) {
        if (options->help) {
                usage_print_verb(verb);
                return output_finish(err);
        }
        progress_setup(choose_mode(options));
        if (options->json)
                answer_tell_start(verb);
        if (!process_limits_prepare(err) || !options_take_defaults(verb, options, err))
                return false;
        if (verb->run(options, err))
                return output_finish(err);
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

// kiln completion [SHELL], and what its function asks: kiln completion words WORD...
static bool run_completion(char **words, struct err *err) {
        bool is_asked = words[0] && strcmp(words[0], "words") == 0;
        if (!is_asked)
                return completion_print(words[0], err);
        size_t count = 0;
        while (words[1 + count])
                count++;
        completion_complete((const char *const *)words + 1, count);
        return true;
}

// What is no verb because it takes no options. `*ret_is_it`: `words[0]` is some of it.
static bool run_information(char **words, bool *ret_is_it, struct err *err) {
        const char *name = words[0];
        *ret_is_it = true;
        if (strcmp(name, "manual") == 0)
                return manual_print(words + 1, err);
        if (strcmp(name, "help") == 0 && words[1])
                return manual_help(words[1], err);
        if (strcmp(name, "completion") == 0)
                return run_completion(words + 1, err);
        if (is_any(name, "--version", "version") || strcmp(name, "-V") == 0)
                puts("kiln " KILN_VERSION);
        else if (is_any(name, "--help", "-h") || strcmp(name, "help") == 0)
                usage_print(stdout);
        else
                *ret_is_it = false;
        return true;
}

// Returns the exit code.
static int end_information(bool ok, struct err *err) {
        if (ok && output_finish(err))
                return 0;
        if (err->kind == ERR_ANSWER)
                return err->number;
        print_error(err->kind, err->text, err->hint, false);
        return err_exit_code(err->kind);
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
        auto_err err = { 0 };
        bool is_information = false;
        bool ok = run_information(argv + 1, &is_information, &err);
        if (is_information)
                return end_information(ok, &err);
        const struct verb *verb = verb_find(argv[1]);
        if (!verb) {
                report_unknown_verb(argv[1]);
                return err_exit_code(ERR_USAGE);
        }
        return run_verb_of(verb, argv + 2);
}
