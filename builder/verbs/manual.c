// SPDX-License-Identifier: MIT
#include "verbs/manual.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "manual/manual_pages.h"
#include "verbs/manual_tables.h"

enum { WIDTH = 80, WIDTH_MAX = 100, PAGER_WORDS_MAX = 32 };

struct pages {
        struct arena arena;
        struct document *items;
        size_t count;
};

static void pages_release(struct pages *pages) { arena_release(&pages->arena); }
#define auto_pages __attribute__((cleanup(pages_release))) struct pages

static bool pages_read(struct pages *ret, struct err *err) {
        const char *source;
        for (size_t i = 0; (source = manual_source(i)); i++) {
                auto_buf text = { 0 };
                manual_expand(source, &text);
                ret->items = arena_grow(&ret->arena, ret->items, ret->count, sizeof *ret->items);
                if (!markup_parse(&ret->arena, buf_text(&text), &ret->items[ret->count], err))
                        return false;
                ret->count++;
        }
        return true;
}

// "kiln-build.1" is "build", "kiln-build", "build.1", "build(1)", "kiln-build(1)" and "kiln-build.1".
static bool is_topic(const struct document *page, const char *topic) {
        static const char prefix[] = "kiln-";
        const char *name = page->name;
        bool is_short = strncmp(topic, "kiln", strlen("kiln")) != 0 && strncmp(name, prefix, strlen(prefix)) == 0;
        if (is_short)
                name += strlen(prefix);
        size_t length = strlen(name);
        if (strncmp(topic, name, length) != 0)
                return false;
        const char *section = topic + length;
        if (*section == '\0')
                return true;
        return (*section == '.' || *section == '(') && section[1] == page->section[0];
}

static const struct document *pages_find(const struct pages *pages, const char *topic, struct err *err) {
        struct nearest nearest = { .wanted = topic };
        for (size_t i = 0; i < pages->count; i++) {
                const struct document *page = &pages->items[i];
                if (is_topic(page, topic))
                        return page;
                nearest_offer(&nearest, page->name);
                nearest_offer(&nearest, text_or(strchr(page->name, '-'), "-") + strlen("-"));
        }
        fail(err, ERR_USAGE, 0, "the manual has no page %s", topic);
        if (nearest.best)
                hint(err, "is %s meant? kiln manual --list names all", nearest.best);
        else
                hint(err, "kiln manual --list names all");
        return NULL;
}

// ---- for people ----

static struct text_form form_of_output(void) {
        struct winsize size = { 0 };
        if (!isatty(STDOUT_FILENO))
                return (struct text_form){ .width = WIDTH };
        struct text_form form = { .width = WIDTH, .styled = strcmp(text_or(getenv("TERM"), "dumb"), "dumb") != 0 };
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                form.width = size_min(size.ws_col, WIDTH_MAX);
        return form;
}

static const char *pager_of_user(void) {
        static const char *const names[] = { "MANPAGER", "PAGER" };
        for (size_t i = 0; i < lengthof(names); i++) {
                const char *pager = getenv(names[i]);
                if (pager && *pager)
                        return pager;
        }
        return "less";
}

// The page in a file without a name, as standard input; false: there is none.
static bool give_as_input(const struct buf *text) {
        auto_close int fd = memfd_create("page", MFD_CLOEXEC);
        auto_err unwritten = { 0 };
        return fd >= 0 && fs_write_all(fd, text->data, text->size, &unwritten) && lseek(fd, 0, SEEK_SET) == 0 &&
               dup2(fd, STDIN_FILENO) >= 0;
}

// The pager takes the place of kiln, which has nothing left to do. Its words are divided at blanks, and no shell reads
// them. Returns if it cannot be started.
static void become_pager(const struct buf *text) {
        auto_free char *command = xstrdup(pager_of_user());
        char *words[PAGER_WORDS_MAX + 1] = { NULL }, *rest = NULL;
        size_t count = 0;
        for (char *word = strtok_r(command, " \t", &rest); word && count < PAGER_WORDS_MAX;
             word = strtok_r(NULL, " \t", &rest))
                words[count++] = word;
        setenv("LESS", "FRX", 0); // what fits on the screen is only printed; colours are shown
        if (count > 0 && give_as_input(text))
                (void)execvp(words[0], words);
}

bool manual_help(const char *topic, struct err *err) {
        auto_pages pages = { 0 };
        auto_buf text = { 0 };
        if (!pages_read(&pages, err))
                return false;
        const struct document *page = pages_find(&pages, topic, err);
        if (!page)
                return false;
        struct text_form form = form_of_output();
        manual_write_text(page, &form, &text);
        if (isatty(STDOUT_FILENO))
                become_pager(&text);
        fputs(buf_text(&text), stdout);
        return true;
}

// ---- for programs ----

void manual_each_topic(void (*each)(const char *topic, void *context), void *context) {
        auto_pages pages = { 0 };
        auto_err unreadable = { 0 };
        if (!pages_read(&pages, &unreadable))
                return;
        for (size_t i = 0; i < pages.count; i++) {
                const char *dash = strchr(pages.items[i].name, '-');
                each(dash ? dash + 1 : pages.items[i].name, context);
        }
}

static void print_page_names(const struct pages *pages) {
        for (size_t i = 0; i < pages->count; i++)
                printf("%s.%s\n", pages->items[i].name, pages->items[i].section);
}

static bool print_page(const struct pages *pages, const char *topic, bool is_html, struct err *err) {
        auto_buf text = { 0 };
        const struct document *page = pages_find(pages, topic, err);
        if (!page)
                return false;
        if (is_html)
                manual_write_html(page, pages->items, pages->count, &text);
        else
                manual_write_roff(page, &text);
        fputs(buf_text(&text), stdout);
        return true;
}

bool manual_print(char **words, struct err *err) {
        auto_pages pages = { 0 };
        auto_buf index = { 0 };
        if (!pages_read(&pages, err))
                return false;
        bool is_html = words[0] && strcmp(words[0], "--html") == 0;
        if (words[0] && strcmp(words[0], "--list") == 0) {
                print_page_names(&pages);
                return true;
        }
        const char *topic = words[is_html];
        if (topic || !is_html)
                return print_page(&pages, text_or(topic, "kiln"), is_html, err);
        manual_write_index(pages.items, pages.count, &index);
        fputs(buf_text(&index), stdout);
        return true;
}
